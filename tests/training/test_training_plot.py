from typing import Any
from xml.etree import ElementTree

from dmdoc.training.plot import plot_run

SVG = "{http://www.w3.org/2000/svg}"


def run(steps: int, *, measured: int) -> list[dict[str, Any]]:
    """A log whose losses fall in a straight line, measured every so many steps."""
    log: list[dict[str, Any]] = []
    for step in range(1, steps + 1):
        loss = 4 * (1 - step / steps)
        log.append({"step": step, "answer": loss, "recitation": 0.0, "answer_exact": step / steps})
        if step % measured == 0:
            own, donor = {"answer": loss, "answer_exact": 0.5}, {"answer": 4.0, "answer_exact": 0.0}
            log[-1]["eval"] = {"own": own, "donor": donor}
    return log


def curves(log: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Name → points in pixels, losses first."""
    root = ElementTree.fromstring(plot_run(log))
    lines = [line.attrib for line in root.iter(f"{SVG}polyline")]
    named = [text for text in root.iter(f"{SVG}text") if "fill" in text.attrib]
    found = {}
    for line, text in zip(lines, named, strict=True):
        assert line["stroke"] == text.attrib["fill"]
        points = [point.split(",") for point in line["points"].split()]
        found[str(text.text)] = [(float(x), float(y)) for x, y in points]
    return found


def test_every_measurement_is_a_point_of_its_curve() -> None:
    drawn = curves(run(300, measured=100))

    assert list(drawn) == [
        "answer, training",
        "recitation, training",
        "answer, unseen, own state",
        "answer, unseen, donor state",
        "training",
        "unseen, own state",
        "unseen, donor state",
    ]
    own, donor = drawn["answer, unseen, own state"], drawn["answer, unseen, donor state"]
    assert [x for x, _ in own] == [x for x, _ in donor] == [230.0, 400.0, 570.0]
    heights = [y for _, y in own]
    assert heights == sorted(heights)  # pixels count downwards, the loss falls
    assert len({y for _, y in donor}) == 1


def test_a_training_curve_is_smoothed_to_a_few_points() -> None:
    drawn = curves(run(300, measured=100))["answer, training"]

    assert len(drawn) == 50
    assert drawn == sorted(drawn)


def test_a_run_that_was_never_measured_still_has_a_picture() -> None:
    drawn = curves(run(2, measured=5))

    assert len(drawn["answer, training"]) == 2
    assert drawn["unseen, own state"] == []
