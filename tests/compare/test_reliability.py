import pytest

from dmdoc.compare.reliability import Bin, Level, calibration_error, levels, reliability, risk_coverage

RATED = [(0.95, True), (0.95, True), (0.55, False), (0.55, True), (0.05, False)]


def test_answers_fall_into_parts_by_their_probability() -> None:
    found = reliability(RATED)
    assert [(part.answers, part.right) for part in found] == [(1, 0.0), (2, 0.5), (2, 1.0)]
    assert [part.probability for part in found] == pytest.approx([0.05, 0.55, 0.95])
    assert reliability([(1.0, True)]) == [Bin(1, 1.0, 1.0)]


def test_the_calibration_error_is_the_mean_gap() -> None:
    assert calibration_error(RATED) == pytest.approx(0.05)
    assert calibration_error([(1.0, False)] * 3) == 1.0


def test_levels_trade_coverage_for_accuracy() -> None:
    found = {level.threshold: level for level in levels(RATED)}
    assert found[0.0] == Level(0.0, 1.0, 0.6)
    assert found[0.5] == Level(0.5, 0.8, 0.75)
    assert found[0.9] == Level(0.9, 0.4, 1.0)
    assert levels([(0.5, True)])[-1].accuracy is None


def test_risk_grows_with_coverage() -> None:
    assert risk_coverage(RATED) == [
        (0.2, 0.0),
        (0.4, 0.0),
        (pytest.approx(0.6), pytest.approx(1 / 3)),
        (0.8, 0.25),
        (1.0, 0.4),
    ]
