"""The command line as its users meet it: what is on stdout, what is on stderr, and the exit code."""

import json
import re
import signal
import time
from pathlib import Path

import pypdf
import pytest
from command_line import CONFIG, TEXT, Invoke, Run, checked, start
from sample_pdf import write_pdf
from tiny import save_tiny_reader, tiny_reader

from dmdoc.console.visible import visible
from dmdoc.library.library import Library
from dmdoc.model import reader


def test_ingest_says_what_it_did_on_stderr_alone(invoke: Invoke, lots: Path) -> None:
    run = invoke("ingest", str(lots))
    assert (run.code, run.out) == (0, "")
    assert "lots: section 6/6, 264/264 tokens" in run.err
    assert "lots: added, 1 page, 264 tokens in 6 sections" in run.err
    assert "\x1b" not in run.err


def test_the_same_document_again_says_so(invoke: Invoke, lots: Path) -> None:
    invoke("ingest", str(lots))
    run = invoke("ingest", str(lots))
    assert (run.code, run.out) == (0, "")
    assert "lots: unchanged, already read" in run.err


def test_quiet_says_nothing(invoke: Invoke, lots: Path) -> None:
    assert invoke("ingest", str(lots), "--quiet") == Run(0, "", "")


def test_ingest_as_json(invoke: Invoke, lots: Path) -> None:
    run = invoke("ingest", str(lots), "--json", "--quiet")
    record = checked("ingest", run.out)
    assert record.pop("seconds") >= 0
    assert record.pop("tokens") == 264
    assert record == {
        "schema": 1,
        "document": "lots",
        "status": "added",
        "source": str(lots),
        "pages": 1,
        "sections": 6,
        "refine_steps": 0,
        "model": "tiny",
        "adapter": "tiny-adapter",
        "warnings": [],
    }


@pytest.mark.slow
def test_a_refined_ingest_says_how_far_it_is(invoke: Invoke, lots: Path) -> None:
    plain = invoke("ingest", str(lots), "--json", "--quiet")
    run = invoke("ingest", str(lots), "--refine", "2", "--json")
    assert (json.loads(plain.out)["status"], json.loads(run.out)["status"]) == ("added", "updated")
    assert json.loads(run.out)["refine_steps"] == 2
    assert re.search(r"lots: section 0/6, 0/264 tokens, refined 2/2: \d\.\d\d nats a token", run.err)
    assert "264 tokens in 6 sections, refined in 2 steps, " in run.err


def test_only_the_answer_is_on_stdout(invoke: Invoke, lots: Path) -> None:
    invoke("ingest", str(lots), "--quiet")
    plain = invoke("ask", "What is in lot seven?", "--max-tokens", "8")
    as_json = invoke("ask", "What is in lot seven?", "--max-tokens", "8", "--json")
    assert (plain.code, as_json.err) == (0, "")
    assert plain.out == visible(json.loads(as_json.out)["answer"]) + "\n"


def test_ask_as_json(invoke: Invoke, lots: Path) -> None:
    invoke("ingest", str(lots), "--quiet")
    record = checked("ask", invoke("ask", "Salt?", "-d", "lots", "--max-tokens", "4", "--json").out)
    assert (record["schema"], record["document"], record["document_tokens_in_prompt"]) == (1, "lots", 0)
    assert 1 <= record["section"] <= record["sections"] == 6
    assert record["section_pages"] == [1, 1]


def test_the_document_that_the_question_is_about_is_asked(invoke: Invoke, lots: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.md"
    other.write_text("# Other\n\nNothing here.", encoding="utf-8")
    invoke("ingest", str(lots), "--quiet")
    invoke("ingest", str(other), "--quiet")
    ask = ("ask", "Salt?", "--max-tokens", "2", "--json")
    assert json.loads(invoke(*ask).out)["document"] == "lots"
    assert json.loads(invoke("ask", "Nothing?", *ask[2:]).out)["document"] == "other"


def test_sampling_follows_the_seed(invoke: Invoke, lots: Path) -> None:
    invoke("ingest", str(lots), "--quiet")
    draw = (
        "ask",
        "Salt?",
        "--max-tokens",
        "12",
        "--temperature",
        "1.5",
        "--top-p",
        "0.9",
        "--json",
        "--seed",
    )
    answers = [json.loads(invoke(*draw, seed).out)["answer"] for seed in ("1", "1", "2")]
    assert answers[0] == answers[1] != answers[2]


def test_a_pdf_keeps_its_pages(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    write_pdf(tmp_path / "three.pdf", ["First page here.", "Second page here.", "Third page here."])
    invoke("ingest", str(tmp_path / "three.pdf"), "--quiet")
    pages = Library(home).get("three").pages()
    assert [page.split()[0] for page in pages] == ["First", "Second", "Third"]


def test_extract_prints_what_would_be_ingested_and_its_report(
    invoke: Invoke, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "three.pdf"
    write_pdf(path, ["First page here.", "", "Third page here."])
    warning = "no text on page 2; scanned pages need OCR"
    assert invoke("extract", str(path)) == Run(
        0,
        "--- page 1 ---\nFirst page here.\n--- page 2 ---\n--- page 3 ---\nThird page here.\n",
        f"warning: three: {warning}\n",
    )
    invoke("ingest", str(path), "--quiet")
    saved = Library(home).get("three")
    assert checked("extract", invoke("extract", str(path), "--json").out) == {
        "schema": 1,
        "source": str(path),
        "sha256": saved.sha256,
        "extraction": {
            "reader": "pypdfium2",
            "pages": 3,
            "empty_pages": [2],
            "warnings": [warning],
            "confidence": [],
            "characters": [16, 0, 16],
        },
        "pages": list(saved.pages()),
    }


def test_a_password_opens_a_pdf(invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "secret.pdf"
    write_pdf(path, ["Secret salt."])
    writer = pypdf.PdfWriter(clone_from=path)
    writer.encrypt(user_password="salt", algorithm="RC4-128")
    writer.write(path)
    assert invoke("extract", str(path)).code == 5
    assert invoke("extract", str(path), "--password", "salt").out == "--- page 1 ---\nSecret salt.\n"
    assert invoke("ingest", str(path), "--password", "salt", "--quiet") == Run(0, "", "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("ask", "Salt?"), 3, "the library is empty"),
        (("ask", "Salt?", "-d", "nothing"), 3, "there is no saved document 'nothing'"),
        (("ask",), 2, "there is no question; give one"),
        (("ask", "Salt?", "--prompt", "poem"), 2, "poem"),
        (("ask", "Salt?", "--max-tokens", "0"), 2, "max_tokens must be at least 1, got 0"),
        (("ask", "Salt?", "--top-p", "2"), 2, "top_p must be above 0"),
        (("ask", "Salt?", "--temperature", "-1"), 2, "temperature must be a number, 0 or more"),
        (("ingest", "missing.txt"), 5, "missing.txt"),
        (("extract", "missing.txt"), 5, "missing.txt"),
        (("ingest", __file__, "--refine", "-1"), 2, "refinement takes 0 or more steps, got -1"),
        (("train", "missing.toml", "--output", "out"), 1, "missing.toml"),
        (("models", "pull", "no-such-model"), 2, "no-such-model"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(
    invoke: Invoke, arguments: tuple[str, ...], code: int, message: str
) -> None:
    run = invoke(*arguments)
    assert (run.code, run.out) == (code, "")
    assert message in run.err
    assert run.err.startswith("error: ")
    assert run.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [("ask", "--nope"), ("no-such-command",), ("ingest",)])
def test_a_wrong_call_is_exit_code_2(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    run = invoke(*arguments)
    assert (run.code, run.out) == (2, "")
    assert "Usage:" in run.err


def test_a_state_of_another_model_is_exit_code_6(
    invoke: Invoke, lots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("ingest", str(lots), "--quiet")
    other = tiny_reader(CONFIG, seed=9)
    monkeypatch.setattr(reader, "open_reader", lambda *_args, **_options: other)
    run = invoke("ask", "Salt?")
    assert run.code == 6
    assert "adapter" in run.err


def test_a_damaged_state_is_one_line(invoke: Invoke, lots: Path, home: Path) -> None:
    invoke("ingest", str(lots), "--quiet")
    state = Library(home).get("lots").state_path
    state.write_bytes(state.read_bytes()[:-4])
    run = invoke("ask", "Salt?")
    assert (run.code, run.out) == (1, "")
    assert "truncated" in run.err
    assert run.err.count("\n") == 1


def test_documents_are_listed_and_removed(invoke: Invoke, lots: Path) -> None:
    assert "nothing is saved yet" in invoke("ls").err
    invoke("ingest", str(lots), "--quiet")
    assert invoke("ls").out.split("\n")[1].startswith("lots")
    (record,) = checked("ls", invoke("ls", "--json").out)["documents"]
    assert (record["name"], record["tokens"], record["source"]) == ("lots", 264, str(lots))
    assert invoke("rm", "lots") == Run(0, "", "")
    assert json.loads(invoke("ls", "--json").out) == {"schema": 1, "documents": [], "damaged": []}
    assert invoke("rm", "lots").code == 3


def test_models_lists_what_is_known(invoke: Invoke) -> None:
    run = invoke("models")
    assert run.code == 0
    for name in ("smollm2-135m", "qwen3-4b", "qwen3-8b", "smollm3-3b"):
        assert name in run.out


def test_version(invoke: Invoke) -> None:
    assert invoke("--version").out.startswith("dmdoc 0.")


@pytest.mark.slow
def test_killed_and_started_again_a_real_process_goes_on_and_another_answers(tmp_path: Path) -> None:
    models = save_tiny_reader(tiny_reader(CONFIG, layers=4), tmp_path)
    home, lots = tmp_path / "home", tmp_path / "lots.txt"
    lots.write_text(TEXT * 120, encoding="utf-8")
    process = start("ingest", str(lots), home=home, models=models)
    partial = home / "documents" / ".staging-lots" / "partial-0.safetensors"
    deadline = time.monotonic() + 120
    while not partial.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert partial.exists()
    assert not (home / "documents" / "lots").exists()

    resumed = start("ingest", str(lots), "--json", home=home, models=models)
    out, err = resumed.communicate(timeout=240)
    assert resumed.returncode == 0, err
    assert json.loads(out)["status"] == "resumed"

    asked = start("ask", "Salt?", "--max-tokens", "4", "-v", home=home, models=models)
    out, err = asked.communicate(timeout=240)
    assert asked.returncode == 0, err
    assert "none of them the document's" in err
    assert out.endswith("\n")
