"""`dmdoc compare`, with a tiny reader."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from command_line import Invoke, Run, checked
from test_compare_summary import RIGHT

from dmdoc.cli.compare import Family
from dmdoc.compare import MODES, summarise
from dmdoc.console.comparison import comparison_tables, probabilities_table
from dmdoc.fictional import FAMILIES


@pytest.mark.slow
def test_compare_prints_every_mode(invoke: Invoke, lots: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "What is in lot seven?", "answer": "salt"}\n', encoding="utf-8")
    invoke("ingest", str(lots), "--quiet")
    run = invoke("compare", "lots", "--questions", str(questions), "--max-tokens", "4", "--verbose")
    assert run.code == 0
    for mode in set(MODES) - {"swap"}:
        assert f"\n{mode} " in run.out
    first = invoke("compare", "lots", "--questions", str(questions), "--verbose", "--mode", "first")
    assert "What is in lot seven?  salt   salt" in first.out
    assert "swap: 1 document skipped; lots: no two answers of the document can be exchanged" in run.err
    generated = invoke(
        "compare", "--documents", "2", "--facts", "2", "--max-tokens", "2", "--json", "--quiet"
    )
    record = checked("compare", generated.out)
    assert record["modes"]["state"]["questions"] == 4
    assert set(record["modes"]["state"]["exact"]) == {"mean", "low", "high"}
    assert len(record["positions"]) == 10
    in_every_mode = [answer for answer in record["answers"] if answer["mode"] != "swap"]
    assert len(in_every_mode) == 4 * (len(MODES) - 1)


def test_compare_asks_rosters_of_a_family(invoke: Invoke) -> None:
    command = (
        "compare",
        "--documents",
        "1",
        "--family",
        "near",
        "--max-tokens",
        "1",
        "--mode",
        "swap",
        "--quiet",
    )
    record = json.loads(invoke(*command, "--facts", "8", "--json").out)
    asked = [answer["document"] for answer in record["answers"]]
    assert asked and set(asked) <= {asked[0]}
    few = invoke(*command)
    assert (few.code, few.err) == (2, "error: a roster has 6 to 30 facts, got 4; change the number\n")
    changing = invoke(*command, "--facts", "8", "--updates", "1")
    assert (changing.code, len(changing.err.splitlines())) == (2, 1)


def test_the_families_of_the_option_are_those_of_the_rosters() -> None:
    assert get_args(Family) == FAMILIES


def test_compare_writes_a_report(invoke: Invoke, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    command = (
        "compare",
        "--documents",
        "1",
        "--facts",
        "1",
        "--max-tokens",
        "2",
        "--mode",
        "state",
        "--quiet",
    )
    assert invoke(*command, "--html", str(page)).code == 0
    assert "<title>state: " in page.read_text(encoding="utf-8")
    for nowhere in (tmp_path, tmp_path / "none" / "report.html"):
        run = invoke(*command[:-1], "--html", str(nowhere))
        # Before anything is asked, so that no run is lost.
        assert (run.code, len(run.err.splitlines())) == (2, 1)
        assert "cannot write the report" in run.err


def test_compare_of_a_dataset_goes_on_where_it_was(invoke: Invoke, tmp_path: Path) -> None:
    dataset, results = tmp_path / "data.jsonl", tmp_path / "results.jsonl"
    asked = [
        {"question": "What is in it?", "answers": ["salt"], "section": section} for section in (0, 1, None)
    ]
    dataset.write_text(json.dumps({"title": "Lots", "sections": ["Salt.", "Brine."], "qas": asked}))
    command = (
        "compare",
        "--dataset",
        str(dataset),
        "--unit",
        "section",
        "--max-tokens",
        "2",
        "--mode",
        "state",
    )
    first = invoke(*command, "--output", str(results), "--json")
    assert first.code == 0
    assert "1 questions left out" in first.err
    assert [answer["document"] for answer in json.loads(first.out)["answers"]] == ["Lots § 2", "Lots § 1"]
    again = invoke(*command, "--output", str(results), "--json", "--quiet")
    assert again == Run(0, first.out, "")
    other = invoke(*command, "--output", str(results), "--refine", "1", "--quiet")
    assert other.code == 2
    assert "another run (refine_steps differ)" in other.err


def test_the_tables_fit_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    result = replace(RIGHT, later=True, prompt_tokens=4096, kept_bytes=10**9, seconds=123.4)
    wrong = replace(result, exact=False, contains=False, later=False)
    for mode in MODES:
        comparison_tables(summarise([replace(r, mode=mode) for r in [result] * 6 + [wrong] * 5]))
        out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        assert max(map(len, out.splitlines())) <= 80
        row, cost = (line.split() for line in out.splitlines() if line.startswith(f"{mode} "))
        assert row == [mode, "11", *["55%", "(27–82)"] * 3, "1.00", "-0.50", "+1.50"]  # noqa: RUF001
        assert cost == [mode, "4,096", "0.10", "s", "123.40", "s", "953.7", "MB"]


def test_the_table_of_probabilities_gives_coverage_and_accuracy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    probabilities_table(
        {"spans": [(0.9, True), (0.9, True), (0.5, False), (0.1, False)], "state": [(0.1, True)]}
    )
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, out.splitlines())) <= 80
    _, spans, state = out.splitlines()
    assert spans.split() == [
        "spans",
        "0.20",
        "100%",
        "50%",
        "75%",
        "67%",
        "75%",
        "67%",
        "50%",
        "100%",
        "50%",
        "100%",
    ]
    assert state.split() == ["state", "0.90", "100%", "100%", "0%", "0%", "0%", "0%"]
    probabilities_table({})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--questions", "q.jsonl", "--dataset", "d.jsonl"), "give one"),
        (("--questions", "q.jsonl", "--refine", "3"), "refined in 0 steps a chunk"),
        (("--mode", "donkey"), "no mode 'donkey'"),
        (("lots",), "give --questions FILE"),
        (("--dataset", "none.jsonl"), "cannot read the dataset"),
    ],
)
def test_compare_refuses_what_does_not_go_together(
    invoke: Invoke, lots: Path, options: tuple[str, ...], complaint: str
) -> None:
    invoke("ingest", str(lots), "--quiet")
    run = invoke("compare", *options)
    assert (run.code, run.out) == (2, "")
    assert complaint in run.err
