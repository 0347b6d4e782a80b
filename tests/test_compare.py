from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import tiny_reader

from dmdoc.adapter import DeltaMemConfig
from dmdoc.compare import (
    MODES,
    Case,
    Result,
    compare,
    generated_cases,
    normalise_answer,
    read_questions,
    summarise,
    word_f1,
    write_state,
)
from dmdoc.errors import UsageError
from dmdoc.reader import Reader
from dmdoc.settings import GenerationSettings

CONFIG = DeltaMemConfig(write_layout="plain", write_budget=128)
SETTINGS = GenerationSettings(max_tokens=8)
TEXT = "Lot seven holds salt. Lot eight holds brine."


@pytest.fixture
def reader() -> Reader:
    return tiny_reader(CONFIG)


@pytest.fixture
def case(reader: Reader) -> Case:
    return Case(
        text=TEXT,
        state=write_state(TEXT, reader),
        donor=write_state("Nothing of the kind.", reader),
        questions=(("What is in lot seven?", ("salt", "some salt")),),
    )


def test_every_question_is_answered_in_every_mode(reader: Reader, case: Case) -> None:
    seen: list[tuple[int, int]] = []
    results = compare([case], reader, settings=SETTINGS, progress=lambda *at: seen.append(at))
    assert [result.mode for result in results] == list(MODES)
    assert seen == [(1, 1)]
    by_mode = {result.mode: result for result in results}
    assert by_mode["zero"].given == by_mode["frozen"].given
    assert by_mode["state"].given != by_mode["zero"].given
    assert len({result.prompt_tokens for result in results if result.mode != "full"}) == 1
    # One character is one token here: the text is in the prompt of `full`, and only there.
    assert by_mode["full"].prompt_tokens > by_mode["state"].prompt_tokens + len(TEXT) - 30


def test_the_frozen_mode_runs_without_a_hook(
    reader: Reader, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "reading", lambda *_: pytest.fail("the memory was attached"))
    compare([case], reader, settings=SETTINGS, modes=("frozen", "full"))


def test_a_text_beyond_the_context_says_so(case: Case) -> None:
    small = tiny_reader(CONFIG, context=120)
    with pytest.raises(UsageError, match="120 tokens"):
        compare([replace(case, text=TEXT * 4)], small, settings=SETTINGS, modes=("full",))


def test_without_questions_there_is_nothing_to_compare(reader: Reader, case: Case) -> None:
    with pytest.raises(UsageError, match="no questions"):
        compare([replace(case, questions=())], reader, settings=SETTINGS)


def test_generated_cases_take_the_next_one_as_donor(reader: Reader) -> None:
    cases = generated_cases(reader, documents=3, facts=4, seed=1)
    assert len({case.text for case in cases}) == 3
    assert all(len(case.questions) == 4 for case in cases)
    for case, following in zip(cases, [*cases[1:], cases[0]], strict=True):
        assert case.donor.equals(following.state)
    again = generated_cases(reader, documents=3, facts=4, seed=1)
    assert [case.text for case in again] == [case.text for case in cases]


def test_a_long_text_is_written_in_chunks(reader: Reader) -> None:
    long = write_state(TEXT * 6, reader)
    assert not any(layer.requires_grad for layer in long.layers)
    assert not long.equals(write_state(TEXT, reader))
    assert all(torch.isfinite(layer).all() for layer in long.layers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Salt.", "salt"),
        ("a  tonne, of SALT!", "tonne of salt"),
        ("12 June 2023", "12 june 2023"),
        ("", ""),
    ],
)
def test_answers_are_compared_without_case_articles_and_punctuation(text: str, expected: str) -> None:
    assert normalise_answer(text) == expected


@pytest.mark.parametrize(
    ("given", "right", "score"),
    [("salt", "the salt", 1.0), ("grey salt", "salt", 2 / 3), ("brine", "salt", 0.0), ("", "salt", 0.0)],
)
def test_word_overlap(given: str, right: str, score: float) -> None:
    assert word_f1(given, right) == pytest.approx(score)


def test_a_summary_has_means_and_an_interval_that_holds_them() -> None:
    right = Result(
        "state", "q", ("a",), "a", exact=True, contains=True, f1=1.0, prompt_tokens=10, seconds=1.0
    )
    wrong = replace(right, exact=False, contains=False, f1=0.0)
    (summary,) = summarise([right] * 3 + [wrong] * 7)
    assert (summary.mode, summary.questions, summary.exact, summary.f1) == ("state", 10, 0.3, 0.3)
    low, high = summary.exact_interval
    assert 0.0 <= low < 0.3 < high <= 0.7
    assert summarise([right] * 3 + [wrong] * 7) == [summary]


def test_questions_are_read_from_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "Q1", "answer": "A"}\n{"question": "Q2", "answers": ["B", "C"]}\n')
    assert read_questions(path) == (("Q1", ("A",)), ("Q2", ("B", "C")))


@pytest.mark.parametrize("line", ["nonsense", '{"question": "Q"}', "[]", '{"answer": "A"}'])
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "Q1", "answer": "A"}\n' + line)
    with pytest.raises(UsageError, match=r"questions\.jsonl line 2"):
        read_questions(path)


def test_a_missing_question_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the questions"):
        read_questions(tmp_path / "none.jsonl")
