"""Many clients of one server at once, each asking one question after the other for a while."""

import itertools
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True)
class Crowd:
    """What a crowd was answered."""

    seconds: Sequence[float]
    """Of each answer, from the question to its end."""
    wrong: Sequence[str]
    """What was not the answer that the same question gets alone."""

    @property
    def p95(self) -> float:
        return sorted(self.seconds)[int(0.95 * len(self.seconds))]


def ask_at_once(
    address: str, questions: Sequence[Mapping[str, Any]], *, clients: int, seconds: float
) -> Crowd:
    """Ask each question once alone, then all `clients` together, until so many seconds have passed."""
    with httpx2.Client(base_url=address, timeout=300) as client:
        alone = [_answer(client, each) for each in questions]
    ends = time.monotonic() + seconds

    def ask(first: int) -> tuple[list[float], list[str]]:
        took, wrong = [], []
        with httpx2.Client(base_url=address, timeout=300) as client:
            for number in itertools.count(first):
                started = time.monotonic()
                expected, said = alone[number % len(alone)], _answer(client, questions[number % len(alone)])
                took.append(time.monotonic() - started)
                if said != expected:
                    wrong.append(f"{said} for {expected}")
                if time.monotonic() > ends:
                    return took, wrong
        raise AssertionError("counting has no end")

    with ThreadPoolExecutor(clients) as pool:
        found = list(pool.map(ask, range(clients)))
    return Crowd([each for took, _ in found for each in took], [each for _, wrong in found for each in wrong])


def _answer(client: httpx2.Client, question: Mapping[str, Any]) -> str:
    """The answer and its verdict, or the error."""
    response = client.post("/api/ask", json=dict(question))
    found = response.json()
    if response.status_code != 200:
        return f"{response.status_code} {found}"
    return f"{found['answer']} ({found['verdict']})"
