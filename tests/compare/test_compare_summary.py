from dataclasses import replace

import pytest

from dmdoc.compare import Result, by_position, summarise

RIGHT = Result(
    document="d",
    mode="state",
    question="q",
    answers=("a",),
    given="a",
    position=0.5,
    exact=True,
    contains=True,
    later=None,
    f1=1.0,
    log_likelihood=-0.5,
    lift=1.5,
    prompt_tokens=10,
    prompt_document_tokens=0,
    document_tokens=100,
    first_token_seconds=0.1,
    seconds=1.0,
    kept_bytes=2048,
)
WRONG = replace(RIGHT, exact=False, contains=False, f1=0.0, prompt_tokens=20)


def test_a_summary_has_means_and_intervals_that_hold_them() -> None:
    (summary,) = summarise([RIGHT] * 3 + [WRONG] * 7)
    assert (summary.mode, summary.questions) == ("state", 10)
    assert {name: estimate.mean for name, estimate in summary.measures.items()} == pytest.approx(
        {
            "exact": 0.3,
            "contains": 0.3,
            "f1": 0.3,
            "log_likelihood": -0.5,
            "lift": 1.5,
            "prompt_tokens": 17,
            "first_token_seconds": 0.1,
            "seconds": 1.0,
            "kept_bytes": 2048,
        }
    )
    exact = summary.measures["exact"]
    assert 0.0 <= exact.low < 0.3 < exact.high <= 0.7
    assert summary.measures["seconds"].low == summary.measures["seconds"].high == pytest.approx(1.0)


def test_more_questions_make_narrower_intervals_and_a_seed_the_same_ones() -> None:
    few, many = ([RIGHT] * count + [WRONG] * count for count in (5, 500))
    (small,), (large,) = summarise(few), summarise(many)
    assert large.measures["exact"].low > small.measures["exact"].low
    assert summarise(few) == [small]


def test_modes_are_summed_up_apart_and_in_their_order() -> None:
    full = [replace(RIGHT, mode="full", lift=None)] * 2
    assert "lift" not in summarise(full)[0].measures
    assert [(s.mode, s.questions, s.measures["exact"].mean) for s in summarise([*full, WRONG])] == [
        ("state", 1, 0.0),
        ("full", 2, 1.0),
    ]


def test_recall_by_position() -> None:
    placed = [replace(RIGHT, position=place) for place in (0.0, 0.04, 0.95, 1.0)]
    parts = by_position([*placed, replace(WRONG, position=0.99), replace(RIGHT, position=None)])
    assert [(part.begin, part.end) for part in parts][:2] == [(0.0, 0.1), (0.1, 0.2)]
    counts = [sum(summary.questions for summary in part.summaries) for part in parts]
    assert counts == [2, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    assert parts[9].summaries[0].measures["exact"].mean == pytest.approx(2 / 3)


def test_updates_are_counted_over_the_answers_that_give_one_of_the_two_values() -> None:
    later, earlier = replace(RIGHT, later=True), replace(RIGHT, later=False)
    (summary,) = summarise([later, later, later, earlier, RIGHT, WRONG])
    assert summary.measures["later"].mean == pytest.approx(0.75)
    assert "later" not in summarise([RIGHT, WRONG])[0].measures
