"""`calibrate`: what it leaves in the adapter's folder, and what it says."""

from pathlib import Path

import pytest
from command_line import Invoke, checked
from test_calibration import answers_of

from dmdoc.compare import Cases, calibration, generated_documents
from dmdoc.memory.adapter_file import save_adapter
from dmdoc.memory.judges import read_judges
from dmdoc.model.reader import Reader


@pytest.fixture
def adapter(reader: Reader, tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    save_adapter(reader.adapter, folder)
    (folder / "README.md").write_text("# Adapter\n\n## Limits\n\n- Few.\n", encoding="utf-8")
    return folder


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers about forty documents whose signals tell the right ones."""
    monkeypatch.setattr(calibration, "ask_all_kinds", lambda *_, **__: answers_of(40))


@pytest.mark.slow
def test_a_judge_is_kept_with_the_adapter_and_in_its_card(
    invoke: Invoke, adapter: Path, telling: None
) -> None:
    run = invoke("calibrate", "--adapter", str(adapter), "--facts", "3", "--recall", "spans")
    assert (run.code, run.err) == (0, "")
    lines = run.out.splitlines()
    assert lines[0] == "fitted to 160 answers; fitted to half of the documents, on the others:"
    assert [line.split(":")[0].strip() for line in lines[1:5]] == [
        "sure",
        "likely",
        "doubtful",
        "not in the document",
    ]
    assert list(read_judges(adapter)) == ["spans"]
    card = (adapter / "README.md").read_text(encoding="utf-8")
    assert "## Verdicts: spans\n" in card
    assert "(generated documents of 3 facts)" in card


@pytest.mark.slow
def test_the_card_says_that_the_states_were_refined(invoke: Invoke, adapter: Path, telling: None) -> None:
    assert invoke("calibrate", "--adapter", str(adapter), "--refine", "20").code == 0
    card = (adapter / "README.md").read_text(encoding="utf-8")
    assert "(generated documents of 4 facts; states refined in 20 steps)" in card


@pytest.mark.slow
def test_calibrate_as_json(invoke: Invoke, adapter: Path, telling: None) -> None:
    record = checked("calibrate", invoke("calibrate", "--adapter", str(adapter), "--json").out)
    assert (record["recall"], record["fitted_on"]) == ("state", 160)
    assert sum(count["answers"] for count in record["verdicts"].values()) == 160


def test_an_adapter_whose_signals_say_nothing_stays_as_it_is(invoke: Invoke, adapter: Path) -> None:
    before = {path: path.read_bytes() for path in adapter.iterdir()}
    run = invoke("calibrate", "--adapter", str(adapter), "--documents", "2", "--max-tokens", "2")
    assert (run.code, run.out) == (1, "")
    assert "error: too few answers to learn from: " in run.err
    assert {path: path.read_bytes() for path in adapter.iterdir()} == before


def test_what_is_judged_by_is_never_what_recall_is_measured_with(
    invoke: Invoke, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Cases] = []

    def keep(cases: Cases, *_: object, **__: object) -> list[calibration.Judged]:
        asked.append(cases)
        return answers_of(40)

    monkeypatch.setattr(calibration, "ask_all_kinds", keep)
    options = ("--documents", "3", "--facts", "5", "--seed", "4")
    assert invoke("calibrate", "--adapter", str(adapter), *options).code == 0
    (cases,) = asked
    assert list(cases.documents) == generated_documents(3, 5, seed=4, split="train")
    assert not {each.text for each in cases.documents} & {
        each.text for each in generated_documents(3, 5, seed=4)
    }


@pytest.mark.parametrize("options", [(), ("--adapter", "smollm2-135m")])
def test_the_adapter_must_be_a_folder(options: tuple[str, ...], invoke: Invoke) -> None:
    run = invoke("calibrate", *options)
    assert (run.code, run.out) == (2, "")
    assert "give that folder with --adapter" in run.err
