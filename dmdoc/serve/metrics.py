"""What is counted for `/metrics`, in a registry of one server's own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from dmdoc.serve.engine import Answered, Engine

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    def __init__(self, engine: Engine) -> None:
        self._registry = registry = CollectorRegistry()
        self._questions = Counter("dmdoc_questions", "Questions.", ["outcome"], registry=registry)
        self._first = Histogram(
            "dmdoc_first_token_seconds",
            "From the start of an answer to its first token.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._whole = Histogram(
            "dmdoc_answer_seconds",
            "From the start of an answer to its end.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._tokens = Counter("dmdoc_answer_tokens", "Tokens of answers.", registry=registry)
        self._ingests = Counter("dmdoc_ingests", "Documents read.", ["outcome"], registry=registry)
        for name, says, value in (
            ("dmdoc_waiting_questions", "Questions that wait.", lambda: engine.waiting),
            ("dmdoc_cached_states", "States in memory.", lambda: len(engine.states)),
            ("dmdoc_cached_state_bytes", "Bytes of states in memory.", lambda: engine.states.bytes),
        ):
            Gauge(name, says, registry=registry).set_function(value)

    def answered(self, answered: Answered) -> None:
        answer = answered.recalled.answer
        self._questions.labels("answered").inc()
        self._first.observe(answer.first_token_seconds)
        self._whole.observe(answer.seconds)
        self._tokens.inc(answer.answer_tokens)

    def refused(self, outcome: str) -> None:
        self._questions.labels(outcome).inc()

    def ingested(self, outcome: str) -> None:
        self._ingests.labels(outcome).inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)
