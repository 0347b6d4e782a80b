"""`calibrate`: what it leaves in the adapter's folder, and what it says."""

from pathlib import Path

import pytest
from command_line import Invoke, checked

from dmdoc.answer.support import Support
from dmdoc.compare import calibration
from dmdoc.compare.calibration import Judged
from dmdoc.memory.adapter_config import read_support_threshold
from dmdoc.memory.adapter_file import save_adapter
from dmdoc.model.reader import Reader


@pytest.fixture
def adapter(reader: Reader, tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    save_adapter(reader.adapter, folder)
    (folder / "README.md").write_text("# Adapter\n\n## Limits\n\n- Few.\n", encoding="utf-8")
    return folder


@pytest.fixture
def parted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers about four documents: right where they are likelier than -2 nats a token."""
    answers = [
        Judged(f"document {number}", Support(likelihood, 1.0), likelihood > -2)
        for number in range(4)
        for likelihood in (-4.0, -3.0, -1.0, 0.0)
    ]
    monkeypatch.setattr(calibration, "judge", lambda *_, **__: answers)


def test_the_threshold_is_kept_with_the_adapter_and_in_its_card(
    invoke: Invoke, adapter: Path, parted: None
) -> None:
    run = invoke("calibrate", "--adapter", str(adapter), "--facts", "3")
    assert (run.code, run.err) == (0, "")
    assert run.out == (
        "supported from a likelihood of -2.00 nats a token on, chosen on 8 answers\n"
        "on other documents: supported 4 of 4 right (100%), not supported 0 of 4 right (0%)\n"
    )
    assert read_support_threshold(adapter) == -2.0
    card = (adapter / "README.md").read_text(encoding="utf-8")
    assert "## Support\n" in card
    assert "makes it likely: -2.00 nats a token or more." in card
    assert "(generated documents of 3 facts)" in card


def test_the_card_says_that_the_states_were_refined(invoke: Invoke, adapter: Path, parted: None) -> None:
    assert invoke("calibrate", "--adapter", str(adapter), "--refine", "20").code == 0
    card = (adapter / "README.md").read_text(encoding="utf-8")
    assert "(generated documents of 4 facts; states refined in 20 steps)" in card


def test_calibrate_as_json(invoke: Invoke, adapter: Path, parted: None) -> None:
    record = checked("calibrate", invoke("calibrate", "--adapter", str(adapter), "--json").out)
    assert (record["threshold"], record["chosen_on"]) == (-2.0, 8)
    assert record["supported"] == {"answers": 4, "right": 4}


def test_an_adapter_whose_likelihood_says_nothing_stays_as_it_is(invoke: Invoke, adapter: Path) -> None:
    before = {path: path.read_bytes() for path in adapter.iterdir()}
    run = invoke("calibrate", "--adapter", str(adapter), "--documents", "2", "--max-tokens", "2")
    assert (run.code, run.out) == (1, "")
    assert "error: no threshold was set: of " in run.err
    assert {path: path.read_bytes() for path in adapter.iterdir()} == before


@pytest.mark.parametrize("options", [(), ("--adapter", "smollm2-135m")])
def test_the_adapter_must_be_a_folder(options: tuple[str, ...], invoke: Invoke) -> None:
    run = invoke("calibrate", *options)
    assert (run.code, run.out) == (2, "")
    assert "give that folder with --adapter" in run.err
