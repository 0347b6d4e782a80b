import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from test_compare_summary import RIGHT, WRONG

from dmdoc.compare import MODES, Mode, Result, Skipped, by_position, html_report, summarise
from dmdoc.compare.charts import APART, BOTTOM, LEFT, TOP, Scale, accuracy, by_length, positions
from dmdoc.compare.charts import RIGHT as RIGHT_EDGE
from dmdoc.compare.trust_charts import MOST_MARKS, risk_chart

SKIPPED = Skipped("long", "full", "a prompt of 9,000 tokens exceeds the context")


def results() -> list[Result]:
    """Four documents of 100 to 800 tokens, in every mode; half of what state answers is right."""
    return [
        replace(
            RIGHT if mode == "state" and number % 2 else WRONG,
            mode=mode,
            document=f"document {number}",
            document_tokens=100 * 2**number,
            position=number / 4,
            first_token_seconds=0.1 * (1 + number * (mode == "full")),
        )
        for number in range(4)
        for mode in MODES
    ]


def plots(page: str) -> list[ElementTree.Element]:
    """The drawings of a page, which have to be well-formed XML."""
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    return [parsed for parsed in map(ElementTree.fromstring, drawings) if parsed.get("role") == "img"]


class TestReport:
    def test_one_file_that_needs_no_other(self) -> None:
        page = html_report(results(), [], {})
        assert page.startswith("<!doctype html>")
        assert "http" not in page
        assert not re.search(r"<(script|link|img|iframe)|@import|url\(", page)

    def test_it_draws_what_was_measured(self) -> None:
        drawn = plots(html_report(results(), [], {}))
        assert [plot.get("aria-label") for plot in drawn] == [
            "Answers that contain a right one, by mode",
            "Exact answers, by mode",
            "Answers that contain a right one, by position in the document",
            "Seconds to the first token, by the length of the document",
            "KB kept of the document, by its length",
        ]
        contains, _, place, seconds, _ = drawn
        assert contains.findtext("g/title") == "state: 50 % of 4 questions"
        assert len(list(contains.iter("title"))) == len(MODES)
        assert "state, 70% to 80% of the text: 100 % of 1 questions" in {t.text for t in place.iter("title")}
        assert len(list(seconds.iter("title"))) == 4 * 4

    def test_it_tells_every_figure_every_answer_and_the_run(self) -> None:
        odd = replace(RIGHT, question="Is <b> bold & big?", given="<script>no</script>")
        page = html_report([odd, *results()], [SKIPPED], {"model": "tiny", "refine_steps": 7})
        assert "Is &lt;b&gt; bold &amp; big?" in page
        assert "<script>" not in page
        assert "full: 1 document skipped; long: a prompt of 9,000 tokens exceeds the context" in page
        for told in ("<dt>model</dt><dd>tiny</dd>", "<dt>refine_steps</dt><dd>7</dd>", "+1.50", "-0.50"):
            assert told in page

    def test_the_same_question_twice_is_two_rows(self) -> None:
        page = html_report([RIGHT, replace(RIGHT, given="another answer")], [], {})
        assert "All 2 questions" in page
        assert page.count(">q<small>") == 2

    def test_a_column_that_nothing_was_measured_for_is_left_out(self) -> None:
        heading = "<th>later\N{NO-BREAK SPACE}wins</th>"
        assert heading not in html_report(results(), [], {})
        assert heading in html_report([replace(RIGHT, later=True), *results()], [], {})

    def test_an_answer_says_by_itself_how_it_came_about_where_a_screen_is_too_narrow_for_columns(
        self,
    ) -> None:
        page = html_report([RIGHT, replace(WRONG, mode="full", given="tar")], [], {})
        assert '<td data-mode="state" class="right">✓ a</td>' in page
        assert '<td data-mode="full" class="wrong">tar</td>' in page

    def test_without_positions_and_states_it_still_stands(self) -> None:
        page = html_report([replace(WRONG, mode="frozen", position=None, lift=None, kept_bytes=0)], [], {})
        assert len(plots(page)) == 2


class TestCharts:
    @pytest.mark.parametrize(
        ("log", "value", "place"),
        [(False, 1, 0.0), (False, 50.5, 50.0), (True, 10, 50.0), (True, 100, 100.0)],
    )
    def test_scales(self, log: bool, value: float, place: float) -> None:
        assert Scale(1, 100, 0, 100, log=log)(value) == place

    def test_bars_end_where_the_share_is(self) -> None:
        chart = accuracy(summarise([RIGHT, WRONG, WRONG, WRONG]), "exact")
        (bar,) = chart.bars
        zero, quarter = chart.ticks[:2]
        assert (bar.end, bar.label, quarter.label) == (quarter.at, "25 %", "25 %")
        assert zero.at <= bar.low < bar.end < bar.high

    def test_positions_run_from_left_to_right_and_share_a_scale(self) -> None:
        placed = [replace(RIGHT, position=0.05), replace(WRONG, position=0.95)]
        other: Mode = "full"
        chart = positions(by_position([*placed, replace(WRONG, mode=other, position=0.5)]), "exact", MODES)
        assert chart is not None
        state, full = chart.series
        assert [(mark.x, mark.y) for mark in state.marks] == [(56.8, TOP), (332.2, BOTTOM)]
        assert [mark.y for mark in full.marks] == [BOTTOM]
        assert full.marks[0].x - state.marks[0].x == pytest.approx(0.5 * (RIGHT_EDGE - LEFT) + APART)
        assert [tick.label for tick in chart.y_ticks] == ["0 %", "25 %", "50 %", "75 %", "100 %"]

    def test_a_low_recall_gets_a_closer_look(self) -> None:
        few = [replace(RIGHT, position=0.5)] + [replace(WRONG, position=0.5)] * 19
        chart = positions(by_position(few), "exact", MODES)
        assert chart is not None
        assert [tick.label for tick in chart.y_ticks] == ["0 %", "2.5 %", "5 %", "7.5 %", "10 %"]

    def test_a_mark_for_each_document_by_its_length(self) -> None:
        chart = by_length(results(), lambda result: result.first_token_seconds, ("state", "full"))
        assert chart is not None
        state, full = chart.series
        assert (
            [mark.x for mark in state.marks]
            == [mark.x for mark in full.marks]
            == sorted(m.x for m in full.marks)
        )
        assert all(LEFT < mark.x < RIGHT_EDGE and TOP < mark.y < BOTTOM for mark in full.marks)
        # Equal factors are equal steps.
        assert full.marks[1].x - full.marks[0].x == pytest.approx(full.marks[3].x - full.marks[2].x, abs=0.2)
        assert len({mark.y for mark in state.marks}) == 1
        assert full.marks[3].y < full.marks[0].y
        assert {"100", "200", "500"} <= {tick.label for tick in chart.x_ticks}
        (alone,) = by_length(results()[:1], lambda result: result.seconds, MODES).series[0].marks  # type: ignore[union-attr]
        assert (alone.x, alone.y) == ((LEFT + RIGHT_EDGE) / 2, (TOP + BOTTOM) / 2)
        large = by_length(results(), lambda result: 3e4 * result.document_tokens, MODES)
        assert large is not None
        assert {"5M", "10M"} <= {tick.label for tick in large.y_ticks}
        assert by_length([], lambda result: result.seconds, MODES) is None


def test_probabilities_are_drawn_where_answers_are_judged() -> None:
    assert "calibration error" not in html_report(results(), [], {})
    judged = [
        replace(each, probability=0.9 if each.contains else 0.3) if each.mode in ("state", "spans") else each
        for each in results()
    ]
    page = html_report(judged, [], {})
    assert "Expected calibration error: state 0.20, spans 0.30." in page
    drawn = {drawing.get("aria-label"): ElementTree.tostring(drawing, "unicode") for drawing in plots(page)}
    honest = drawn["Share of right answers, by the probability that was told"]
    assert "state: of 2 answers with about 90 % 100 % are right" in honest
    assert 'class="guide"' in honest and 'class="band' not in honest
    risk = drawn["Share of wrong answers, by the share of answers that is given"]
    assert "state: the surest 50 % of the answers are wrong in 0 %" in risk
    assert "spans: the surest 100 % of the answers are wrong in 100 %" in risk


def test_a_curve_of_many_answers_is_drawn_by_some_of_them() -> None:
    curve = risk_chart({"spans": [(number / 500, True) for number in range(500)]})
    assert len(curve.series[0].marks) <= MOST_MARKS + 1
    assert curve.series[0].marks[-1].title.startswith("spans: the surest 100 %")
