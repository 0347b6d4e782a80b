"""Sessions as scripts with their exact output, and the two loops that feed them lines."""

import io
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from canned import INTERRUPT, canned_reader
from command_line import Once
from tiny import tiny_reader

from dmdoc import console
from dmdoc.answer.support import Support
from dmdoc.chat import commands, repl
from dmdoc.chat.commands import Reply
from dmdoc.chat.repl import Repl, run_lines, run_terminal
from dmdoc.chat.session import ChatSession
from dmdoc.document import Document
from dmdoc.errors import DmdocError, UsageError
from dmdoc.ingest.single import ingest
from dmdoc.library.library import Library
from dmdoc.settings.generation import GenerationSettings

ANSWERS = {
    "Who wrote it?": "Ada Lovelace.",
    "When left the ferry?": "At noon.",
    "When?": "At noon,\nin May.",
    "Nothing?": "",
    "Long?": f"The ferry {INTERRUPT}left.",
}
REPORT = "The ferry Halvorsen left at noon."
NOTES = "Eleven tons of salt."

HELP = """\
/help              list the commands
/docs              list the saved documents; * is the one in use
/use NAME          talk with one saved document alone
/ingest FILE       read a document and talk with it
/stats             what the session has read, and what the last answer took
/save NAME         keep the document and what was said as a document of its own
/forget            forget what was said; the document stays
/recall MODE       what to answer from: state, spans, evidence, full or frozen
/ab on|off|report  two answers to every question, from the state and without it
/prefer a|b        which of the last two answers is the better one
/quit              leave
Anything else is a question. Alt-Enter, or a backslash at the end of a line, begins another line.
Tab completes; Ctrl-C stops an answer or drops the line; Ctrl-D leaves.
"""

SAID = "from what was said\n"
"""An answer from the turns before has no page."""

CITED = "page 1: The ferry Halvorsen left at noon.\n"
"""What is said of "When?", whose answer shares a word with the report."""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, once: Once) -> Library:
    """Two saved documents, of 33 and 20 tokens and the 8 of the layout; the clock stands still, lifts are 1."""
    monkeypatch.setattr("dmdoc.answer.ask.time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr("dmdoc.answer.recall.supports", lambda *_: [Support(-1.0, 1.0)])
    once(tmp_path / "library", save_two)
    return Library(tmp_path / "library")


def save_two(folder: Path) -> None:
    for name, text in (("notes", NOTES), ("report", REPORT)):
        document = Document(name=name, source=f"/papers/{name}.txt", pages=(text,))
        ingest(document, canned_reader({}), Library(folder))


def repl_of(library: Library, name: str | None = "report", *, remember: bool = True) -> Repl:
    document = None if name is None else library.get(name)
    session = ChatSession(
        canned_reader(ANSWERS, frozen="I cannot say."),
        document,
        remember=remember,
        settings=GenerationSettings(max_tokens=32),
    )
    return Repl(session, library, on_text=console.write_answer)


SCRIPTS: dict[str, tuple[str, str, str]] = {
    "a question": ("Who wrote it?\n", "Ada Lovelace.\n", ""),
    "no line end at the end": ("Who wrote it?", "Ada Lovelace.\n", ""),
    "thanks and greetings": (
        "Hello!\nok, thanks a lot\nWho wrote it?\n",
        "Ada Lovelace.\n",
        "that asks nothing; ask about the document, or /help lists the commands\n" * 2,
    ),
    "blank lines": ("\n  \nWho wrote it?\n\n", "Ada Lovelace.\n", ""),
    "two questions": ("Who wrote it?\nWhen?\n", "Ada Lovelace.\nAt noon,\nin May.\n", SAID + CITED),
    "several lines": ("Please, say:\\\nWho wrote it?\n", "Ada Lovelace.\n", ""),
    "a backslash at the very end": ("Who wrote it?\\", "Ada Lovelace.\n", ""),
    "an empty answer": ("Nothing?\n", "\n", "the answer is empty\n"),
    "help": ("/help\n", "", HELP),
    "documents": ("/docs\n", "", "  notes   1 page\n* report  1 page\n"),
    "another document": (
        "/use notes\n/docs\n",
        "",
        "notes, 28 tokens read\n* notes   1 page\n  report  1 page\n",
    ),
    "another document after a turn": (
        "When?\n/use notes\n",
        "At noon,\nin May.\n",
        f"{CITED}notes, 28 tokens read; 1 turn forgotten\n",
    ),
    "no such document": (
        "/use notez\nWho wrote it?\n",
        "Ada Lovelace.\n",
        "error: there is no saved document 'notez'; did you mean 'notes'? saved: notes, report\n",
    ),
    "statistics": (
        "/stats\nWho wrote it?\n/stats\n",
        "Ada Lovelace.\n",
        "document  report, 41 tokens\n"
        "turns     0 remembered, 0 tokens\n"
        "states    1, 128 numbers, 136 bytes\n"
        "document  report, 41 tokens\n"
        "turns     1 remembered, 52 tokens\n"
        "states    2, 256 numbers, 272 bytes\n"
        "answer    87 prompt tokens, 13 answer tokens, 0.00 s\n",
    ),
    "forget": (
        "/forget\nWhen?\nWhen?\n/forget\n",
        "At noon,\nin May.\nAt noon,\nin May.\n",
        f"report, 41 tokens read\n{CITED}{CITED}report, 41 tokens read; 2 turns forgotten\n",
    ),
    "save": (
        "Who wrote it?\n/save talk\n/docs\n/use talk\n",
        "Ada Lovelace.\n",
        "saved as talk; the session goes on with report\n"
        "  notes   1 page\n* report  1 page\n  talk    2 pages\n"
        "talk, 93 tokens read; 1 turn forgotten\n",
    ),
    "save over a document": (
        "Who wrote it?\n/save notes\n",
        "Ada Lovelace.\n",
        "error: the name 'notes' is taken; choose another, or `dmdoc rm notes` first\n",
    ),
    "nothing to save": (
        "/save talk\n",
        "",
        "error: no turn is remembered, so the session is still 'report'; ask something first\n",
    ),
    "recall": (
        "/recall evidence\nWhen?\nWho wrote it?\n/recall full\nWho wrote it?\n/recall frozen\nWho wrote it?\n",
        "noon\nHalvorsen\nI cannot say.\nI cannot say.\n",
        "answers come from: evidence\n"
        "report: chosen from 3 phrases of the text, each read as an answer: 28 tokens of the document, none of them "
        "before the question\n"
        "page 1 (word for word): The ferry Halvorsen left at «noon».\n"
        "report: chosen from 3 phrases of the text, each read as an answer: 28 tokens of the document, none of them "
        "before the question\n"
        "page 1 (word for word): The ferry «Halvorsen» left at noon.\n"
        "answers come from: full\n"
        "answered from the whole text: 33 tokens of it in the prompt, no state\n"
        "answers come from: frozen\n"
        "answered without the document\n",
    ),
    "recall from a passage": (
        "/recall evidence\nWhen left the ferry?\n",
        "noon\n",
        "answers come from: evidence\n"
        "report: chosen from 3 phrases of the text, each read as an answer, behind 1 passage of page 1: 33 tokens of "
        "the document in the prompt\n"
        "page 1 (word for word): The ferry Halvorsen left at «noon».\n",
    ),
    "no such mode": (
        "/recall memory\n",
        "",
        "error: /recall takes one of state, spans, evidence, full, frozen, got 'memory'\n",
    ),
    "two answers": (
        "/ab on\nWho wrote it?\n/prefer b\n/prefer a\nWhen?\n/prefer a\nWho wrote it?\n/recall full\n"
        "/ab report\n/ab off\nWhen?\n",
        "a: I cannot say.\nb: Ada Lovelace.\na: At noon,\nin May.\nb: I cannot say.\n"
        "a: I cannot say.\nb: Ada Lovelace.\nAt noon,\nin May.\n",
        "every question gets two answers, a and b: from the state and by the frozen model, in any order\n"
        "/prefer a or /prefer b says which is better\n"
        "preferred: b, which is from: state\n"
        "preferred: a, which is from: frozen\n"
        "/prefer a or /prefer b says which is better\n"
        "preferred: a, which is from: state\n"
        "/prefer a or /prefer b says which is better\n"
        "error: every question is answered from the state and by the frozen model; first say /ab off\n"
        "3 questions answered twice; preferred: state 1, frozen 1, not judged 1\n"
        "  frozen      Who wrote it?\n"
        "  state       When?\n"
        "  not judged  Who wrote it?\n"
        f"answers come from: state\n{SAID}{CITED}",
    ),
    "nothing to prefer": (
        "/prefer a\n/ab report\n/ab maybe\n/ab on\nWho wrote it?\n/prefer c\n",
        "a: I cannot say.\nb: Ada Lovelace.\n",
        "error: there are no two answers to choose from; /ab on gives two to every question\n"
        "no question has been answered twice; /ab on begins\n"
        "error: /ab takes on, off or report, got 'maybe'\n"
        "every question gets two answers, a and b: from the state and by the frozen model, in any order\n"
        "/prefer a or /prefer b says which is better\n"
        "error: /prefer takes a or b, got 'c'\n",
    ),
    "quit": ("/quit\nWho wrote it?\n", "", ""),
    "a command that there is not": (
        "/sats\n/xyzzy\nWho wrote it?\n",
        "Ada Lovelace.\n",
        "error: there is no command /sats; did you mean /stats? /help lists them\n"
        "error: there is no command /xyzzy; /help lists them\n",
    ),
    "no argument": (
        "/use\n/ingest  \n",
        "",
        "error: /use needs NAME; /help says what it does\n"
        "error: /ingest needs FILE; /help says what it does\n",
    ),
    "a URL": (
        '/ingest "https://example.org/a b"\n',
        "",
        "error: /ingest reads files; `dmdoc ingest URL` reads what is on the web, then /use NAME asks it\n",
    ),
    "an argument too much": (
        "/stats all\n",
        "",
        "error: /stats takes nothing, got 'all'; /help says what it does\n",
    ),
}


@pytest.mark.parametrize(("lines", "stdout", "stderr"), SCRIPTS.values(), ids=SCRIPTS.keys())
def test_script(
    lines: str, stdout: str, stderr: str, library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    run_lines(repl_of(library), io.StringIO(lines))
    assert capsys.readouterr() == (stdout, stderr)


def test_a_script_without_remembering(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    run_lines(repl_of(library, remember=False), io.StringIO("Who wrote it?\n/stats\n"))
    stdout, stderr = capsys.readouterr()
    assert stdout == "Ada Lovelace.\n"
    assert "turns     not remembered\n" in stderr


@pytest.mark.slow
def test_a_file_is_read_and_talked_with(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a new file.txt"
    file.write_text("Salt was dear that year.")
    session = repl_of(library)
    run_lines(session, io.StringIO(f"When?\n/ingest {file}\n/ingest {file}\nWho wrote it?\n"))
    assert capsys.readouterr() == (
        "At noon,\nin May.\nAda Lovelace.\n",
        f"{CITED}a-new-file: section 0/1, 0/32 tokens\na-new-file: section 1/1, 32/32 tokens\n"
        "added: a-new-file, 32 tokens read; 1 turn forgotten\n"
        f"unchanged: a-new-file, 32 tokens read\n",
    )
    assert library.current().name == "a-new-file"
    assert session.prompt == "a-new-file> "


def test_a_file_that_is_not_there_leaves_the_session_as_it_was(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_lines(repl_of(library), io.StringIO("/ingest -\nWho wrote it?\n"))
    assert capsys.readouterr() == (
        "Ada Lovelace.\n",
        f"error: no such file: {tmp_path}/-; give a document's path, or - for stdin\n",
    )


def test_an_empty_library_begins_with_nothing_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = repl_of(Library(tmp_path / "empty"), None)
    assert session.prompt == "dmdoc> "
    run_lines(session, io.StringIO("/docs\nWho wrote it?\n/stats\n/save talk\n/forget\n"))
    stdout, stderr = capsys.readouterr()
    assert stdout == "Ada Lovelace.\n"
    told = stderr.splitlines()
    assert told[:2] == [
        "nothing is read yet: /ingest FILE reads a document, /help lists the commands",
        "the library is empty: /ingest FILE reads a document",
    ]
    assert told[2] == "document  none"
    assert stderr.splitlines()[-2:] == [
        "error: nothing has been read yet; read a document first, then save the session",
        "nothing is read; 1 turn forgotten",
    ]


def test_an_interrupted_answer_ends_its_line_and_the_session_goes_on(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    session = repl_of(library)
    reply = session.handle_line("Long?")
    assert reply == Reply("interrupted; this turn is not remembered", interrupted=True)
    assert session.handle_line("Who wrote it?") == Reply()
    assert capsys.readouterr().out == "The ferry\nAda Lovelace.\n"
    assert session.session.stats().turns == 1


@pytest.mark.slow
def test_an_interrupted_ingest_goes_on_with_the_same_command(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "long.txt"
    file.write_text("Salt was dear that year.")
    session = repl_of(library)
    with monkeypatch.context() as patched:
        patched.setattr(Library, "finish", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
        reply = session.handle_line(f"/ingest {file}")
    assert reply == Reply("interrupted; the same command goes on", interrupted=True)
    assert session.prompt == "report> "
    assert session.handle_line(f"/ingest {file}") == Reply("resumed: long, 32 tokens read")


def test_of_two_answers_that_from_the_state_is_remembered(library: Library) -> None:
    session = repl_of(library)
    session.handle_line("/ab on")
    session.handle_line("Who wrote it?")
    assert [turn.text for turn in session.session.turns] == ["User: Who wrote it?\nAssistant: Ada Lovelace."]


def test_two_answers_that_are_interrupted_leave_no_trace(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    session = repl_of(library)
    session.handle_line("/ab on")
    reply = session.handle_line("Long?")
    assert reply == Reply("interrupted; this turn is not remembered", interrupted=True)
    assert capsys.readouterr().out == "a: I cannot say.\nb: The ferry\n"
    assert session.session.stats().turns == 0
    assert session.report == ""


def test_ctrl_c_ends_a_script(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_lines(repl_of(library), io.StringIO("Long?\nWho wrote it?\n"))
    assert capsys.readouterr() == ("The ferry\n", "interrupted; this turn is not remembered\n")


def test_lines_that_are_not_utf8_are_refused(library: Library) -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        run_lines(repl_of(library), (line.decode() for line in [b"When?\n", b"\xff\xfe\n"]))


def test_answers_stream(library: Library) -> None:
    heard: list[str] = []
    session = ChatSession(tiny_reader(), None, remember=True, settings=GenerationSettings(max_tokens=12))
    Repl(session, library, on_text=heard.append).handle_line("Who?")
    assert session.last_answer is not None
    assert "".join(heard) == session.last_answer.text + "\n"
    assert len(heard) > 2


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("/s", ("/stats", "/save")),
        ("/use ", ("/use notes", "/use report")),
        ("/use r", ("/use report",)),
        ("/use x", ()),
        ("/recall f", ("/recall full", "/recall frozen")),
        ("/stats ", ()),
        ("", ()),
        ("Who", ()),
    ],
)
def test_completions(text: str, lines: tuple[str, ...], library: Library) -> None:
    assert repl_of(library).completions(text) == lines


def test_a_terminal_is_asked_with_the_documents_name_until_ctrl_d(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    typed: list[str | type[BaseException]] = [
        "Who wrote it?",
        KeyboardInterrupt,
        "Long?",
        "/use notes",
        EOFError,
    ]
    prompts = []

    def read(prompt: str) -> str:
        prompts.append(prompt)
        line = typed.pop(0)
        if isinstance(line, str):
            return line
        raise line

    run_terminal(repl_of(library), read)
    assert prompts == ["report> "] * 4 + ["notes> "]
    assert capsys.readouterr() == (
        "Ada Lovelace.\nThe ferry\n",
        "report, 41 tokens read; /help lists the commands\n"
        "interrupted; this turn is not remembered\n"
        "notes, 28 tokens read; 1 turn forgotten\n",
    )


def test_each_question_finds_its_own_document_until_one_is_named(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {"Which ferry?": "Halvorsen", "How much salt?": "eleven tons", "And then?": "no more"}
    session = ChatSession(
        canned_reader(answers), library.current(), remember=True, settings=GenerationSettings(max_tokens=32)
    )
    found = Repl(session, library, on_text=console.write_answer, finds=True)
    assert found.prompt == "dmdoc> "
    assert found.greeting.startswith("2 documents saved, each question finds its own; /use NAME")
    for question, name in (("Which ferry?", "report"), ("How much salt?", "notes"), ("And then?", "notes")):
        reply = found.handle_line(question)
        assert session.document is not None and session.document.name == name
        # No text has a word of the last one: the document and what was said are asked.
        assert reply.text.startswith(f"{name} (of 2 documents)") or reply.text == SAID.strip()
    assert session.stats().turns == 3
    found.handle_line("/use notes")
    found.handle_line("Which ferry?")
    assert session.document is not None and session.document.name == "notes"
    assert found.prompt == "notes> "


def test_quit_leaves_a_terminal(library: Library) -> None:
    lines = iter(["/quit"])
    run_terminal(repl_of(library), lambda prompt: next(lines))  # reading on would raise StopIteration


def test_chat_reads_piped_lines(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Who wrote it?\n/stats\n")))
    repl.chat(
        canned_reader(ANSWERS),
        library,
        "notes",
        remember=True,
        citations=False,
        settings=GenerationSettings(max_tokens=32),
        history=tmp_path / "history",
    )
    stdout, stderr = capsys.readouterr()
    assert stdout.strip() in NOTES
    assert stderr.startswith("document  notes, 28 tokens\nturns     1 remembered, ")
    assert not (tmp_path / "history").exists()


def test_a_chat_chooses_its_answers_among_the_phrases_of_the_text_unless_they_are_drawn(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(temperature: float) -> str:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"When left the ferry?\n")))
        settings = GenerationSettings(max_tokens=32, temperature=temperature)
        reader, history = canned_reader(ANSWERS), tmp_path / "history"
        repl.chat(
            reader, library, "report", remember=True, citations=True, settings=settings, history=history
        )
        return capsys.readouterr().out.strip()

    assert answer(0.0) in REPORT
    assert answer(0.7) == ANSWERS["When left the ferry?"]


def test_a_chat_without_citations_that_compared_answers_ends_with_its_report(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = b"When?\n/ab on\nWhen?\n/prefer b\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    repl.chat(
        canned_reader(ANSWERS, frozen="I cannot say."),
        library,
        "report",
        remember=True,
        citations=False,
        settings=GenerationSettings(max_tokens=32),
        history=tmp_path / "history",
    )
    assert capsys.readouterr().err == (
        "every question gets two answers, a and b: from the state and by the frozen model, in any order\n"
        "/prefer a or /prefer b says which is better\n"
        "preferred: b, which is from: state\n"
        "1 question answered twice; preferred: state 1, frozen 0, not judged 0\n"
        "  state       When?\n"
    )


def test_chat_with_a_document_that_there_is_not(library: Library, tmp_path: Path) -> None:
    with pytest.raises(DmdocError, match="there is no saved document 'nots'; did you mean 'notes'"):
        repl.chat(
            canned_reader(ANSWERS),
            library,
            "nots",
            remember=True,
            citations=True,
            settings=GenerationSettings(),
            history=tmp_path / "history",
        )


@pytest.mark.parametrize(
    ("said", "meant"), [('"a b.txt"', "a b.txt"), ("'a'", "a"), ('"a', '"a'), ("'\"", "'\"")]
)
def test_a_quoted_name_is_the_name(said: str, meant: str) -> None:
    assert commands._unquoted(said) == meant


def test_that_there_are_no_phrases_to_choose_from_is_said_once(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = repl_of(library, None)
    talk.session.mode = "spans"
    run_lines(talk, ["Who wrote it?", "Who wrote it?"])
    said = capsys.readouterr().err
    assert said.count("answers are in the model's own words") == 1
    talk = repl_of(library, None)
    run_lines(talk, ["Who wrote it?"])
    assert "own words" not in capsys.readouterr().err
