"""`ask` of several documents, and of several questions."""

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_line import CONFIG, Invoke, Once, checked
from tiny import tiny_reader

from dmdoc.answer import ask
from dmdoc.console.visible import visible
from dmdoc.document import Document
from dmdoc.ingest.single import ingest
from dmdoc.library.library import Library
from dmdoc.model.familiar import FamiliarModels
from dmdoc.model.reader import Reader
from dmdoc.settings.folders import config_folder

SHORT = ("--max-tokens", "4")


@pytest.fixture(autouse=True)
def lots(home: Path, once: Once, reader: Reader) -> None:
    """Three documents, two of them tagged."""
    once(home, save_three)
    familiar = FamiliarModels(config_folder(os.environ), home)
    familiar.note(reader.backbone.identity, "backbone")
    familiar.note(reader.adapter_identity, "adapter")


def save_three(folder: Path) -> None:
    library, reader = Library(folder), tiny_reader(CONFIG)
    for name, text in (
        ("salt", "Lot seven holds salt."),
        ("brine", "Lot eight holds brine."),
        ("sand", "Sand."),
    ):
        ingest(Document(name, f"/papers/{name}.txt", (text,)), reader, library)
        if name != "sand":
            library.tag(name, add=["wet"])


@pytest.fixture
def questions(tmp_path: Path) -> str:
    path = tmp_path / "questions.txt"
    path.write_text("What is in lot seven?\n\n  And in lot eight?\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (("-d", "sand", "-d", "salt", "--all"), ["sand", "salt"]),
        (("--tag", "wet", "--all"), ["brine", "salt"]),
        (("--all",), ["brine", "salt", "sand"]),
    ],
)
def test_one_answer_for_each_document(invoke: Invoke, chosen: tuple[str, ...], expected: list[str]) -> None:
    run = invoke("ask", "What is it?", *chosen, *SHORT)
    rows = [line.split("\t") for line in run.out.splitlines()]
    assert (run.code, run.err) == (0, "")
    assert [row[:2] for row in rows] == [[name, "What is it?"] for name in expected]
    lines = [
        checked("ask", line)
        for line in invoke("ask", "What is it?", *chosen, *SHORT, "--jsonl").out.splitlines()
    ]
    assert [record["document"] for record in lines] == expected
    assert [" ".join(visible(record["answer"]).split()) for record in lines] == [row[2] for row in rows]
    alone = checked("ask", invoke("ask", "What is it?", "-d", expected[0], *SHORT, "--json").out)
    assert {**alone, "seconds": 0} == {**lines[0], "seconds": 0, "lift": alone["lift"]}


def test_questions_come_from_a_file_or_standard_input(
    invoke: Invoke, questions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = invoke("ask", "--questions", questions, "-d", "salt", *SHORT)
    assert [line.split("\t")[:2] for line in run.out.splitlines()] == [
        ["salt", "What is in lot seven?"],
        ["salt", "And in lot eight?"],
    ]
    monkeypatch.setattr(sys, "stdin", io.StringIO(Path(questions).read_text(encoding="utf-8")))
    assert invoke("ask", "--questions", "-", "-d", "salt", *SHORT) == run


def test_questions_that_are_answered_together_share_their_seconds(
    invoke: Invoke, questions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "time", SimpleNamespace(monotonic=iter(range(0, 800, 8)).__next__))
    run = invoke("ask", "--questions", questions, "-d", "salt", *SHORT, "--jsonl")
    seconds = [checked("ask", line)["seconds"] for line in run.out.splitlines()]
    assert seconds == [4, 4]


def test_every_document_is_asked_every_question(invoke: Invoke, questions: str) -> None:
    run = invoke("ask", "--questions", questions, "--tag", "wet", "--all", *SHORT, "--jsonl")
    found = [
        (record["document"], record["question"])
        for record in (checked("ask", line) for line in run.out.splitlines())
    ]
    assert found == [
        (document, question)
        for document in ("brine", "salt")
        for question in ("What is in lot seven?", "And in lot eight?")
    ]


def test_each_question_finds_its_document(invoke: Invoke, questions: str) -> None:
    run = invoke("ask", "--questions", questions, *SHORT)
    assert [line.split("\t")[:2] for line in run.out.splitlines()] == [
        ["salt", "What is in lot seven?"],
        ["brine", "And in lot eight?"],
    ]


@pytest.mark.parametrize(
    ("question", "chosen", "document", "by", "among"),
    [
        ("What does lot seven hold?", (), "salt", "words", 3),
        ("What does lot eight hold?", (), "brine", "words", 3),
        ("What does lot eight hold?", ("--tag", "wet"), "brine", "words", 2),
        ("What does lot eight hold?", ("-d", "salt", "-d", "sand"), "salt", "words", 2),
        ("What does lot eight hold?", ("-d", "salt"), "salt", "given", 1),
    ],
)
def test_a_question_finds_its_document(
    question: str, chosen: tuple[str, ...], document: str, by: str, among: int, invoke: Invoke
) -> None:
    record = checked("ask", invoke("ask", question, *chosen, *SHORT, "--json").out)
    assert (record["document"], record["found_by"], record["found_among"]) == (document, by, among)
    told = invoke("ask", question, *chosen, *SHORT, "--no-citations").err
    assert told == (f"{document}\n" if among == 1 else f"{document} (of {among} documents)\n")


def test_states_choose_where_no_text_has_a_word_of_the_question(invoke: Invoke, home: Path) -> None:
    record = checked("ask", invoke("ask", "Quelle heure?", *SHORT, "--json").out)
    assert record["found_by"] == "states"
    for name in ("salt", "brine", "sand"):
        if name != record["document"]:
            state = Library(home).get(name).state_path
            state.write_bytes(state.read_bytes()[:-4])
    again = checked("ask", invoke("ask", "Quelle heure?", *SHORT, "--json").out)
    assert again["document"] == record["document"]


def test_without_a_question_the_last_ingested_document_is_asked(invoke: Invoke) -> None:
    record = checked("ask", invoke("ask", "--prompt", "summarise", *SHORT, "--json").out)
    assert (record["document"], record["question"]) == ("sand", None)


def test_a_damaged_document_stops_no_other(invoke: Invoke, home: Path) -> None:
    state = Library(home).get("salt").state_path
    state.write_bytes(state.read_bytes()[:-4])
    run = invoke("ask", "What is it?", "--all", *SHORT)
    assert (run.code, [line.split("\t")[0] for line in run.out.splitlines()]) == (7, ["brine", "sand"])
    first, last = run.err.splitlines()
    assert first.startswith("error: salt: ") and "truncated" in first
    assert last == "error: 1 of 3 documents could not be asked"


def test_what_the_model_was_shown_is_said(invoke: Invoke) -> None:
    run = invoke("ask", "What is in lot seven?", "--tag", "wet", "--all", "--evidence", *SHORT, "--quiet")
    assert len(run.out.splitlines()) == 2
    assert [line.split(":")[0] for line in run.err.splitlines()] == ["brine", "salt"]
    assert "of the document in the prompt" in run.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("Salt?", "-d", "salt", "--tag", "wet"), 2, "give --document or --tag, not both"),
        (
            ("--prompt", "summarise", "--tag", "wet"),
            2,
            "without a question no document can be chosen; give --all",
        ),
        (("Salt?", "--tag", "dry"), 3, "no document is tagged 'dry'"),
        (("Salt?", "-d", "salt", "-d", "nothing"), 3, "there is no saved document 'nothing'"),
        (("Salt?", "--all", "--json"), 2, "--jsonl says of each"),
        (("Salt?", "--all", "--strict"), 2, "nobody has measured which answers of tiny-adapter are right"),
        (("--questions", __file__, "--strict", "-d", "nothing"), 2, "--jsonl says of each"),
        (("Salt?", "--questions", "x"), 2, "give a question or --questions, not both"),
        (("--questions", "missing"), 2, "cannot read the questions in missing"),
        (("--questions", "/dev/null"), 2, "there is no question in /dev/null"),
        (("--all",), 2, "there is no question; give one"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(
    invoke: Invoke, arguments: tuple[str, ...], code: int, message: str
) -> None:
    run = invoke("ask", *arguments)
    assert (run.code, run.out, run.err.count("\n")) == (code, "", 1)
    assert message in run.err
