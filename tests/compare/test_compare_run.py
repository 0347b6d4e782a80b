from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from judges_of_tests import always
from tiny import tiny_adapter, tiny_reader

from dmdoc.answer.recall import recall
from dmdoc.answer.support import log_likelihoods
from dmdoc.compare import (
    MODES,
    Cases,
    Mode,
    Result,
    ResultsFile,
    Skipped,
    check_modes,
    compare,
    dataset_cases,
    generated_documents,
    run,
    saved_case,
)
from dmdoc.datasets import Question, QuestionedDocument
from dmdoc.document import Document
from dmdoc.errors import UsageError
from dmdoc.ingest.sections import write_text
from dmdoc.ingest.single import ingest
from dmdoc.library.library import Library
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.reading_file import READING_WEIGHTS, save_reading
from dmdoc.memory.state import MemoryState
from dmdoc.model.prompt import load_prompt
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

CONFIG = DeltaMemConfig(write_layout="plain", write_budget=128)
SETTINGS = GenerationSettings(max_tokens=8)
TEXT = "Lot seven holds salt. Lot eight holds brine."
LOTS = QuestionedDocument(
    "lots",
    (TEXT,),
    (Question("What is in lot seven?", ("salt", "some salt")), Question("What is in lot eight?", ("brine",))),
)
PONDS = QuestionedDocument(
    "ponds", ("Grete is the largest pond.",), (Question("Which is largest?", ("Grete",)),)
)


@pytest.fixture
def reader() -> Reader:
    return tiny_reader(CONFIG)


def by_mode(results: Sequence[Result], question: str) -> dict[str, Result]:
    return {result.mode: result for result in results if result.question == question}


@pytest.mark.slow
def test_every_question_is_answered_in_every_mode(reader: Reader) -> None:
    seen: list[tuple[float, float]] = []
    results, skipped = compare(
        dataset_cases([LOTS, PONDS], reader),
        reader,
        settings=SETTINGS,
        progress=lambda at: seen.append((at.done, at.total)),
    )
    assert [(item.document, item.mode) for item in skipped] == [("ponds", "swap")]
    assert len(results) == 3 * len(MODES) - 1
    assert seen[-1] == (3 * len(MODES), 3 * len(MODES))
    found = by_mode(results, "What is in lot seven?")
    assert tuple(found) == MODES
    assert found["zero"].given == found["frozen"].given
    assert found["state"].given != found["zero"].given
    assert found["donor"].given != found["state"].given
    assert (found["state"].answers, found["swap"].answers) == (("salt", "some salt"), ("brine",))
    assert found["swap"].given != found["state"].given
    assert len({found[mode].prompt_tokens for mode in MODES if mode not in ("full", "evidence")}) == 1
    # One character is one token here: the text is in the prompt of `full`, and only there.
    assert found["full"].prompt_tokens > found["state"].prompt_tokens + len(TEXT) - 30
    assert {result.document_tokens for result in found.values()} == {len(TEXT)}
    shown = {mode: found[mode].prompt_document_tokens for mode in MODES if found[mode].prompt_document_tokens}
    assert shown == {"full": len(TEXT), "evidence": len(TEXT)}
    assert found["state"].position == TEXT.index("salt") / len(TEXT)


@pytest.mark.slow
def test_spans_and_its_controls_choose_among_the_same_phrases(reader: Reader) -> None:
    modes: tuple[Mode, ...] = ("spans", "unread", "first")
    results, _ = compare(dataset_cases([LOTS, PONDS], reader), reader, settings=SETTINGS, modes=modes)
    found = by_mode(results, "What is in lot seven?")
    assert found["first"].given == "salt"
    state = write_text(TEXT, reader)
    for mode, own in (("spans", state), ("unread", reader.zero_state())):
        asked = recall("What is in lot seven?", reader, own, lambda: (TEXT,), settings=SETTINGS, mode="spans")
        assert found[mode].given == asked.answer.text
        assert found[mode].given in TEXT
    assert found["unread"].lift == pytest.approx(0, abs=1e-6)
    assert found["first"].lift is None


def test_with_passages_likelihoods_are_of_the_weights_for_passages(reader: Reader, tmp_path: Path) -> None:
    save_reading(
        tiny_adapter(reader.backbone.model, CONFIG, seed=9),
        reader.adapter,
        tmp_path / READING_WEIGHTS["evidence"],
    )
    own = replace(reader, reading_weights={"evidence": tmp_path / READING_WEIGHTS["evidence"]})
    found = {}
    for each in (reader, own):
        results, _ = compare(dataset_cases([LOTS, PONDS], each), each, settings=SETTINGS, modes=MODES)
        found[id(each)] = by_mode(results, "What is in lot seven?")
    before, after = found[id(reader)], found[id(own)]
    changed = {mode for mode in before if before[mode].log_likelihood != after[mode].log_likelihood}
    assert changed == {"evidence"}


@pytest.mark.slow
def test_likelihoods_are_of_the_right_answer_and_lifts_of_the_given_one(reader: Reader) -> None:
    results, _ = compare(dataset_cases([LOTS, PONDS], reader), reader, settings=SETTINGS)
    found = by_mode(results, "What is in lot seven?")
    prompt = reader.prompt_ids(load_prompt("answer").fill(question="What is in lot seven?"))
    gold = reader.encode("salt")
    state = write_text(TEXT, reader)
    assert found["state"].log_likelihood == pytest.approx(
        float(log_likelihoods([prompt], [gold], state, reader))
    )
    assert found["zero"].log_likelihood == pytest.approx(found["frozen"].log_likelihood)
    assert found["full"].log_likelihood != pytest.approx(found["frozen"].log_likelihood)
    assert found["zero"].lift == pytest.approx(0, abs=1e-6)
    asked = recall("What is in lot seven?", reader, state, lambda: (TEXT,), settings=SETTINGS)
    assert found["state"].lift == pytest.approx(asked.lift)
    assert found["state"].lift != pytest.approx(found["donor"].lift)
    assert found["frozen"].lift is found["full"].lift is None


@pytest.mark.slow
def test_only_so_many_questions_are_asked_alone_and_timed(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed, _ = compare(dataset_cases([PONDS, LOTS], reader), reader, settings=SETTINGS)
    assert all(result.seconds and result.first_token_seconds for result in timed)
    monkeypatch.setattr(run, "TIMED", 2)
    results, _ = compare(dataset_cases([PONDS, LOTS], reader), reader, settings=SETTINGS)
    for one, other in zip(results, timed, strict=True):
        alone = one.question != "What is in lot eight?"
        assert (one.seconds is not None) is (one.first_token_seconds is not None) is alone
        assert one.given == other.given
        assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "sizes"), [("state", [16, 14]), ("full", [9, 9, 9, 3])])
def test_long_prompts_go_through_the_model_fewer_at_a_time(
    mode: Mode, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "TIMED", 0)
    seen: list[int] = []
    generate = Reader.generate_batch

    def spy(self: Reader, prompts: Sequence[Sequence[int]], *others: Any) -> list[list[int]]:
        seen.append(len(prompts))
        return generate(self, prompts, *others)

    monkeypatch.setattr(Reader, "generate_batch", spy)
    document = QuestionedDocument("long", ("Salt. " * 65,), PONDS.questions * 30)
    wide = tiny_reader(replace(CONFIG, write_budget=512))  # one section, so that nothing else is generated
    compare(dataset_cases([document], wide), wide, settings=SETTINGS, modes=(mode,))
    assert seen == sizes


@pytest.mark.slow
def test_answers_of_the_document_have_the_probability_that_its_judge_gives(reader: Reader) -> None:
    judged = replace(reader, judges={"state": always("likely"), "spans": always("doubtful")})
    results, _ = compare(dataset_cases([LOTS, PONDS], judged), judged, settings=SETTINGS)
    found = {mode: each.probability for mode, each in by_mode(results, "What is in lot seven?").items()}
    assert found.pop("state") == 0.5
    assert found.pop("spans") == pytest.approx(0.0001)
    assert set(found.values()) == {None}
    unjudged, _ = compare(dataset_cases([LOTS], reader), reader, settings=SETTINGS, modes=("state",))
    assert unjudged[0].probability is None


@pytest.mark.slow
def test_what_is_kept_between_questions(reader: Reader) -> None:
    results, _ = compare(dataset_cases([LOTS, PONDS], reader), reader, settings=SETTINGS)
    kept = {mode: result.kept_bytes for mode, result in by_mode(results, "What is in lot seven?").items()}
    state = reader.zero_state().numbers + 4 * 2  # a byte a number, and for each layer how much a step is
    # Keys and values, of 2 heads of 8 float32 numbers, in 2 layers, for every token.
    cache = 2 * 2 * 8 * 4 * 2 * len(TEXT)
    assert kept == {
        "state": state,
        "zero": 0,
        "donor": state,
        "swap": state,
        "frozen": 0,
        "full": cache,
        "evidence": state + len(TEXT),
        "spans": state + len(TEXT),
        "unread": len(TEXT),
        "first": len(TEXT),
    }


def test_the_frozen_modes_run_without_a_hook(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[MemoryState | None] = []
    reading = Reader.reading

    def spy(self: Reader, state: MemoryState | None) -> AbstractContextManager[Any]:
        seen.append(state)
        return reading(self, state)

    monkeypatch.setattr(Reader, "reading", spy)
    compare(dataset_cases([LOTS, PONDS], reader), reader, settings=SETTINGS, modes=("frozen", "full"))
    assert seen and all(state is None for state in seen)


def test_a_text_beyond_the_context_is_skipped_there_and_said() -> None:
    reader = tiny_reader(CONFIG, context=200)
    long = QuestionedDocument("long", (TEXT * 4,), LOTS.questions)
    modes: tuple[Mode, ...] = ("state", "full")
    results, (skip,) = compare(dataset_cases([long, PONDS], reader), reader, settings=SETTINGS, modes=modes)
    assert (skip.document, skip.mode) == ("long", "full")
    assert "200 tokens" in skip.reason
    assert sum(result.mode == "full" for result in results) == len(PONDS.questions)
    assert sum(result.mode == "state" for result in results) == 3
    with pytest.raises(UsageError, match="200 tokens"):
        compare(dataset_cases([long], reader), reader, settings=SETTINGS, modes=("full",))


def test_without_questions_there_is_nothing_to_compare(reader: Reader) -> None:
    with pytest.raises(UsageError, match="no questions"):
        dataset_cases([QuestionedDocument("mute", (TEXT,), ())], reader)


def test_modes_are_named() -> None:
    assert check_modes(["full", "state", "full"]) == ("state", "full")
    with pytest.raises(UsageError, match="no mode 'donkey'; the modes are state, zero"):
        check_modes(["donkey"])


class TestCases:
    def test_the_donor_is_the_document_before(self, reader: Reader) -> None:
        cases = dataset_cases([LOTS, PONDS, LOTS], reader)
        ponds = write_text(PONDS.text, reader)
        assert cases.donor(0).equals(ponds)
        assert cases.donor(2).equals(ponds)
        assert cases.donor(1).equals(write_text(TEXT, reader))

    def test_a_lone_document_borrows_from_a_generated_one(self, reader: Reader) -> None:
        cases = dataset_cases([LOTS], reader)
        assert [document.name for document in cases.documents] == ["lots"]
        assert not cases.donor(0).equals(cases.state(0))
        assert not cases.donor(0).equals(reader.zero_state())

    def test_states_are_made_when_needed(self) -> None:
        made: list[str] = []
        reader = tiny_reader(CONFIG)

        def make(document: QuestionedDocument) -> MemoryState:
            made.append(document.name)
            return reader.zero_state()

        cases = Cases([LOTS, PONDS, LOTS, PONDS], make)
        assert made == []
        for number in range(4):
            cases.state(number), cases.donor(number)
        assert made == ["lots", "ponds", "lots", "ponds"]

    def test_the_hash_is_of_texts_and_questions(self, reader: Reader) -> None:
        first, again, other = (
            dataset_cases(documents, reader).sha256
            for documents in ([LOTS, PONDS], [LOTS, PONDS], [PONDS, LOTS])
        )
        assert first == again != other

    def test_generated_documents_come_from_the_seed(self) -> None:
        made, again, other = (generated_documents(3, 4, seed=seed) for seed in (1, 1, 2))
        assert made == again != other
        assert all(len(document.questions) == 4 for document in made)
        for document in made:
            for question in document.questions:
                assert 0 <= (document.position(question) or 0) < 1

    def test_generated_facts_may_be_updated(self) -> None:
        plain, updated = (generated_documents(3, 4, seed=1, updates=share) for share in (0.0, 1.0))
        assert not any(question.superseded for document in plain for question in document.questions)
        for document in updated:
            changed = [question for question in document.questions if question.superseded is not None]
            assert changed
            assert all((question.superseded or "") in document.text for question in changed)

    def test_a_long_text_is_asked_section_by_section(self, reader: Reader) -> None:
        document = replace(LOTS, sections=(TEXT * 6,))
        cases = dataset_cases([document], reader)
        assert cases.state(0).batch == len(reader.chunks(TEXT * 6)) > 2
        results, _ = compare(cases, reader, settings=SETTINGS, modes=("state",))
        assert len(results) == 2

    def test_how_a_saved_text_was_cut_is_hashed_too(self, reader: Reader, tmp_path: Path) -> None:
        hashes = []
        for budget in (64, 128, 128):
            document = Document(name="lots", source="/lots.txt", pages=(TEXT * 4,))
            saved = ingest(document, reader, Library(tmp_path), budget=budget).document
            hashes.append(saved_case(saved, LOTS.questions, reader).sha256)
        assert hashes[0] != hashes[1] == hashes[2]


RUN: dict[str, object] = {"model": "m", "max_tokens": 8}


@pytest.mark.slow
class TestResuming:
    MODES: tuple[Mode, ...] = ("state", "donor", "frozen", "full")

    def run_once(
        self, path: Path, reader: Reader, *, run: dict[str, object] | None = None
    ) -> tuple[tuple[list[Result], list[Skipped]], list[str]]:
        """What a run gives, and which documents it had to write."""
        made: list[str] = []

        def make(document: QuestionedDocument) -> MemoryState:
            made.append(document.name)
            return write_text(document.text, reader)

        cases = Cases([LOTS, PONDS], make)
        file = ResultsFile(path, run or RUN)
        return compare(cases, reader, settings=SETTINGS, modes=self.MODES, file=file), made

    def test_what_is_done_is_not_done_again(self, reader: Reader, tmp_path: Path) -> None:
        path = tmp_path / "results.jsonl"
        first, made = self.run_once(path, reader)
        content = path.read_bytes()
        assert made == ["lots", "ponds"]
        assert self.run_once(path, reader) == (first, [])
        assert path.read_bytes() == content

    @pytest.mark.slow
    def test_a_killed_run_goes_on(self, reader: Reader, tmp_path: Path) -> None:
        path = tmp_path / "results.jsonl"
        first, _ = self.run_once(path, reader)
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        assert len(lines) == 1 + 2 * len(self.MODES)
        # Killed while the last line was written: it is the frozen backbone's turn again, which needs no state.
        path.write_text("".join(lines[:7]) + lines[7][:40], encoding="utf-8")
        (results, _), made = self.run_once(path, reader)
        assert made == []
        times = {"seconds": 0.0, "first_token_seconds": 0.0}
        assert [vars(result) | times for result in results] == [vars(result) | times for result in first[0]]
        assert len(path.read_text(encoding="utf-8").splitlines()) == 1 + 2 * len(self.MODES)

    @pytest.mark.parametrize(
        "line", ["nonsense", "[]", '{"document": "lots", "mode": "state", "results": [{}]}']
    )
    def test_a_damaged_line_is_named(self, reader: Reader, tmp_path: Path, line: str) -> None:
        path = tmp_path / "results.jsonl"
        self.run_once(path, reader)
        lines = path.read_text(encoding="utf-8").splitlines()
        content = "\n".join([*lines[:2], line, *lines[3:], ""])
        path.write_text(content, encoding="utf-8")
        with pytest.raises(UsageError, match=r"results\.jsonl line 3 is damaged, or of another version"):
            self.run_once(path, reader)
        assert path.read_text(encoding="utf-8") == content

    def test_skipped_documents_are_kept_too(self, tmp_path: Path) -> None:
        reader = tiny_reader(CONFIG, context=110)
        first, _ = self.run_once(tmp_path / "results.jsonl", reader)
        assert self.run_once(tmp_path / "results.jsonl", reader)[0] == first
        assert isinstance(first[1][0], Skipped)

    def test_another_run_is_refused(self, reader: Reader, tmp_path: Path) -> None:
        path = tmp_path / "results.jsonl"
        self.run_once(path, reader)
        with pytest.raises(UsageError, match=r"another run \(max_tokens differ\)"):
            self.run_once(path, reader, run={**RUN, "max_tokens": 9})

    @pytest.mark.parametrize("content", ["nonsense\n", "[]\n"])
    def test_another_file_is_refused_and_left_alone(
        self, reader: Reader, tmp_path: Path, content: str
    ) -> None:
        path = tmp_path / "notes.txt"
        path.write_text(content)
        with pytest.raises(UsageError, match="give another file"):
            self.run_once(path, reader)
        assert path.read_text() == content
