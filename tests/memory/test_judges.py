import json
from pathlib import Path

import pytest
from judges_of_tests import always

from dmdoc.errors import AdapterError
from dmdoc.memory.judges import JUDGES_FILE, Judge, Judgement, Logistic, Verdict, read_judges, write_judges

JUDGE = Judge(
    answerable=Logistic(-2.0, {"words": 4.0}),
    right=Logistic(0.5, {"words": 0.0, "likelihood": 1.0}),
    least_answerable=0.3,
    likely=0.4,
    sure=0.6,
)


@pytest.mark.parametrize(
    ("words", "likelihood", "verdict"),
    [
        (1.0, 0.0, "sure"),
        (1.0, -0.5, "likely"),
        (1.0, -2.0, "doubtful"),
        (0.0, 0.0, "not in the document"),
        (0.3, 0.0, "sure"),
    ],
)
def test_thresholds_make_a_word_of_probabilities(words: float, likelihood: float, verdict: Verdict) -> None:
    found = JUDGE.judge({"words": words, "likelihood": likelihood, "other": 9.0})
    assert found.verdict == verdict
    assert found.holds is (verdict in ("sure", "likely"))


def test_probabilities_are_logistic() -> None:
    found = JUDGE.judge({"words": 0.5, "likelihood": -0.5})
    assert found == Judgement("likely", 0.5, 0.5)
    assert Logistic(1e9, {})({}) == pytest.approx(1)
    assert Logistic(-1e9, {})({}) == pytest.approx(0)


def test_what_is_not_there_is_no_more_probable_than_that_it_is() -> None:
    found = JUDGE.judge({"words": 0.0, "likelihood": 0.0})
    assert found.verdict == "not in the document"
    assert found.probability == found.answerable < JUDGE.least_answerable


def test_what_is_lowered_is_less_probable_than_what_is_likely_and_keeps_its_order() -> None:
    sure, likely = (
        JUDGE.judge({"words": 1.0, "likelihood": each}).lowered("doubtful", 0.4) for each in (0, -0.5)
    )
    assert (sure.verdict, likely.verdict) == ("doubtful", "doubtful")
    assert JUDGE.likely > sure.probability > likely.probability > 0
    nowhere = JUDGE.judge({"words": 0.0, "likelihood": 0.0})
    assert nowhere.lowered("doubtful", 0.4).verdict == "not in the document"


def test_judges_are_kept_by_their_way(tmp_path: Path) -> None:
    assert read_judges(tmp_path) == {}
    write_judges(tmp_path, {"state": JUDGE})
    write_judges(tmp_path, {"spans": always("sure")})
    assert read_judges(tmp_path) == {"state": JUDGE, "spans": always("sure")}
    write_judges(tmp_path, {"state": always("doubtful")})
    assert read_judges(tmp_path) == {"state": always("doubtful"), "spans": always("sure")}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "3",
        '{"modes": 3}',
        '{"modes": {"state": {}}}',
        json.dumps({"modes": {"state": {"answerable": {"bias": True, "weights": {}}}}}),
    ],
)
def test_what_is_damaged_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / JUDGES_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(AdapterError, match=r"judges\.json is damaged; .* calibrate the adapter again"):
        read_judges(tmp_path)


@pytest.mark.parametrize("bias", ["NaN", "Infinity", '"high"', "null"])
def test_what_is_no_number_is_refused(bias: str, tmp_path: Path) -> None:
    write_judges(tmp_path, {"state": JUDGE})
    path = tmp_path / JUDGES_FILE
    path.write_text(path.read_text(encoding="utf-8").replace("-2.0", bias), encoding="utf-8")
    with pytest.raises(AdapterError, match="damaged"):
        read_judges(tmp_path)
