"""What a session remembers, what it leaves alone, and what it costs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from canned import INTERRUPT, canned_reader
from tiny import tiny_reader

from dmdoc.chat.session import ChatSession
from dmdoc.document import Document
from dmdoc.errors import DmdocError, IdentityError, UsageError
from dmdoc.ingest.single import ingest
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.rounding import rounded
from dmdoc.memory.state import MemoryState
from dmdoc.model.prompt import RecallMode, load_prompt
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

REPORT = "The ferry Halvorsen left at noon.\n\nIts cargo was eleven tons of salt."
SHORT = GenerationSettings(max_tokens=6)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader()


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "library")


def saved_report(library: Library, reader: Reader, text: str = REPORT, name: str = "report") -> SavedDocument:
    document = Document(name=name, source=f"/papers/{name}.txt", pages=(text,))
    return ingest(document, reader, library).document


@pytest.fixture
def report(library: Library, reader: Reader) -> SavedDocument:
    return saved_report(library, reader)


def session_of(reader: Reader, document: SavedDocument | None, *, remember: bool = True) -> ChatSession:
    return ChatSession(reader, document, remember=remember, settings=SHORT)


@contextmanager
def prompts_seen(reader: Reader) -> Iterator[list[list[int]]]:
    """The token ids of every prompt that an answer is drawn from."""
    prompts: list[list[int]] = []

    def record(module: Any, arguments: Any, options: dict[str, Any]) -> None:
        ids = arguments[0] if arguments else options["input_ids"]
        # Later calls hold one new token each; several rows choose a section or measure a lift.
        if ids.shape[1] > 1 and len(ids) == 1:
            prompts.append(ids[0].tolist())

    hook = reader.backbone.model.register_forward_pre_hook(record, with_kwargs=True)
    try:
        yield prompts
    finally:
        hook.remove()


def test_every_turn_changes_the_sessions_state_and_never_a_saved_byte(
    reader: Reader, library: Library, report: SavedDocument
) -> None:
    before = {path: path.read_bytes() for path in library.root.rglob("*") if path.is_file()}
    session = session_of(reader, report)
    states = [session.state]
    for question in ("My dog is called Rex.", "What is my dog called?", "And the ferry?"):
        session.ask(question)
        states.append(session.state)
    assert all(not one.equals(other) for i, one in enumerate(states) for other in states[:i])
    assert {path: path.read_bytes() for path in library.root.rglob("*") if path.is_file()} == before


def test_turn_ten_has_the_prompt_of_turn_two(reader: Reader, report: SavedDocument) -> None:
    session = session_of(reader, report)
    asked = "What did I say about the dog?"
    questions = ["My dog is called Rex.", asked, *(f"Filler number {n}." for n in range(7)), asked]
    with prompts_seen(reader) as prompts:
        answers = [session.ask(question).answer for question in questions]
    assert len(prompts) == 10
    assert prompts[9] == prompts[1]
    assert answers[9].prompt_tokens == len(prompts[9])
    assert "Rex" in reader.decode(prompts[0])
    assert "Rex" not in reader.decode(prompts[9])
    assert "ferry" not in reader.decode(prompts[9])


def test_a_written_turn_changes_how_likely_answers_are(reader: Reader, report: SavedDocument) -> None:
    session = session_of(reader, report)
    prompt_ids = reader.prompt_ids(load_prompt("answer").fill(question="What is my dog called?"))
    session.ask("My dog is called Rex.")
    document, conversation = session.state.rows(0, 1), session.state.rows(1, 2)
    assert document.equals(report.state()[0])
    with reader.reading(MemoryState.cat((conversation, reader.zero_state()))) as model:
        own, zero = model(input_ids=reader.pad([prompt_ids] * 2, 0)).logits[:, -1]
    assert (own - zero).abs().max() > 1e-4


def test_a_turn_is_written_behind_the_turns_before_it(reader: Reader, report: SavedDocument) -> None:
    session = session_of(reader, report)
    session.ask("My dog is called Rex.")
    session.ask("And my cat Tom.")
    expected = reader.zero_state()
    with torch.no_grad():
        for turn in session.turns:
            expected = reader.write(reader.chunks(turn.text), expected)
    assert session.state.batch == 2
    assert session.state.rows(1, 2).equals(rounded(expected))


def test_a_turn_is_written_as_the_question_and_its_answer(library: Library) -> None:
    reader = canned_reader({"Who wrote it?": "Ada\u00a0Lovelace."})
    session = session_of(reader, saved_report(library, reader))
    session.ask("Who wrote it?")
    (turn,) = session.turns
    assert turn.text == "User: Who wrote it?\nAssistant: Ada Lovelace."
    (chunk,) = reader.chunks(turn.text)  # in the layout of documents
    assert turn.tokens == len(chunk.token_ids)


def test_forget_goes_back_to_the_document_bit_for_bit(reader: Reader, report: SavedDocument) -> None:
    session = session_of(reader, report)
    session.ask("One?")
    session.ask("Two?")
    session.forget()
    assert session.state.equals(report.state()[0])
    assert session.turns == ()
    session.ask("One?")
    assert not session.state.equals(report.state()[0])


def test_without_remembering_nothing_is_written(reader: Reader, report: SavedDocument) -> None:
    session = session_of(reader, report, remember=False)
    first, second = session.ask("Same?").answer, session.ask("Same?").answer
    assert session.state.equals(report.state()[0])
    assert session.turns == ()
    assert first.text == second.text


def test_a_saved_session_is_a_document_that_another_session_takes_up(
    reader: Reader, library: Library, report: SavedDocument
) -> None:
    session = session_of(reader, report)
    session.ask("One?")
    session.ask("Two?")
    session.save(library, "talk")
    talk = library.get("talk")
    other = session_of(tiny_reader(), talk)
    assert other.state.equals(session.state)
    assert talk.source == "chat:report"
    assert talk.pages() == (*report.pages(), "\n\n".join(turn.text for turn in session.turns))
    header, before = talk.header(), report.header()
    assert header.tokens_written == before.tokens_written + sum(turn.tokens for turn in session.turns)
    assert header.sections[:-1] == before.sections
    assert header.sections[-1][1:] == (2, 2)
    assert len(header.sections) == header.sections_total == 2
    assert header.document_sha256 == talk.sha256 != report.sha256
    assert other.stats().document_tokens == header.tokens_written
    session.ask("Three?")  # the session goes on, and what was saved stays
    assert other.state.equals(talk.state()[0])


def test_a_session_over_a_saved_session_can_be_saved_too(
    reader: Reader, library: Library, report: SavedDocument
) -> None:
    session = session_of(reader, report)
    session.ask("One?")
    later = session_of(reader, session.save(library, "talk"))
    later.ask("Two?")
    saved = later.save(library, "talk-2")
    assert saved.source == "chat:talk"
    assert saved.page_count == 3
    later.forget()
    assert later.state.equals(library.get("talk").state()[0])


@pytest.mark.parametrize(
    ("name", "message"),
    [("report", "the name 'report' is taken"), ("My Talk", "cannot name a document")],
)
def test_a_session_is_never_saved_under_a_taken_or_impossible_name(
    name: str, message: str, reader: Reader, library: Library, report: SavedDocument
) -> None:
    before = report.state_path.read_bytes()
    session = session_of(reader, report)
    session.ask("One?")
    with pytest.raises(UsageError, match=message):
        session.save(library, name)
    assert report.state_path.read_bytes() == before
    assert library.names() == ("report",)


def test_a_saved_session_is_not_overwritten_by_the_next_save(
    reader: Reader, library: Library, report: SavedDocument
) -> None:
    session = session_of(reader, report)
    session.ask("One?")
    session.save(library, "talk")
    session.ask("Two?")
    with pytest.raises(UsageError, match="'talk' is taken"):
        session.save(library, "talk")
    assert (
        library.get("talk").header().tokens_written
        < session.stats().document_tokens + session.stats().turn_tokens
    )


@pytest.mark.parametrize("remember", [True, False])
def test_without_a_remembered_turn_there_is_nothing_to_save(
    remember: bool, reader: Reader, library: Library, report: SavedDocument
) -> None:
    session = session_of(reader, report, remember=remember)
    if not remember:
        session.ask("One?")
    with pytest.raises(UsageError, match="no turn is remembered"):
        session.save(library, "talk")


def test_an_interrupted_answer_is_not_remembered(library: Library) -> None:
    reader = canned_reader({"Long?": f"The ferry {INTERRUPT}left.", "Short?": "Yes."})
    session = session_of(reader, saved_report(library, reader))
    before = session.state
    heard: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        session.ask("Long?", heard.append)
    assert "".join(heard) == "The ferry"
    assert session.state is before
    assert session.turns == ()
    assert session.ask("Short?").answer.text == "Yes."
    assert len(session.turns) == 1


def test_an_interrupt_inside_the_model_leaves_no_hook_behind(reader: Reader, report: SavedDocument) -> None:
    session = session_of(reader, report)
    expected = session_of(reader, report).ask("Again?").answer.text

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.ask("Again?", interrupt)
    assert session.ask("Again?").answer.text == expected


def test_a_turn_that_is_interrupted_while_it_is_written_leaves_no_trace(
    reader: Reader, report: SavedDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_of(reader, report)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Reader, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        session.ask("One?")
    assert session.state.equals(report.state()[0])
    assert session.turns == ()


def test_a_turn_that_cannot_be_written_leaves_no_trace(
    reader: Reader, report: SavedDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ChatSession(reader, report, remember=True, settings=SHORT)

    def fail(*_: object) -> None:
        raise UsageError("too long")

    monkeypatch.setattr(session, "_write", fail)
    with pytest.raises(UsageError, match="too long"):
        session.ask("Who?")
    assert (session.turns, session.last_answer) == ((), None)


def test_a_session_without_a_document_remembers_but_has_nothing_to_save(
    reader: Reader, library: Library
) -> None:
    session = session_of(reader, None)
    assert session.state.equals(reader.zero_state())
    session.ask("My dog is called Rex.")
    assert not session.state.equals(reader.zero_state())
    with pytest.raises(UsageError, match="nothing has been read yet"):
        session.save(library, "talk")
    session.forget()
    assert session.state.equals(reader.zero_state())


def test_another_document_takes_the_place_of_the_first_and_its_turns(
    reader: Reader, library: Library, report: SavedDocument
) -> None:
    other = saved_report(library, reader, "Quite another text.", "other")
    session = session_of(reader, report)
    session.ask("One?")
    session.use(other)
    assert session.state.equals(other.state()[0])
    assert session.stats().document == "other"
    assert session.turns == ()


def test_a_document_of_another_model_is_refused_and_the_session_stays(
    reader: Reader, library: Library, report: SavedDocument
) -> None:
    foreign = saved_report(library, tiny_reader(seed=7), "Quite another text.", "foreign")
    session = session_of(reader, report)
    session.ask("One?")
    before = session.state
    with pytest.raises(IdentityError):
        session.use(foreign)
    assert session.state is before
    assert session.stats().document == "report"
    assert len(session.turns) == 1


def test_saving_refuses_when_the_document_was_replaced_meanwhile(
    reader: Reader, library: Library, report: SavedDocument
) -> None:
    session = session_of(reader, report)
    session.ask("One?")
    saved_report(library, reader, "The report has a new text now.")
    with pytest.raises(DmdocError, match="replaced"):
        session.save(library, "talk")
    assert library.names() == ("report",)


def test_the_statistics_count_what_was_read_said_and_written(reader: Reader, report: SavedDocument) -> None:
    session = session_of(reader, report)
    assert session.stats().last_answer is None
    answers = [session.ask("One?").answer, session.ask("Two?").answer]
    stats = session.stats()
    assert (stats.document, stats.document_tokens) == ("report", report.header().tokens_written)
    assert (stats.turns, stats.turn_tokens) == (2, sum(turn.tokens for turn in session.turns))
    assert (stats.sections, stats.state_numbers, stats.state_bytes) == (2, 2 * 2 * 8 * 8, 2 * 2 * (8 * 8 + 4))
    assert stats.last_answer == answers[1]


def test_a_session_keeps_the_state_it_began_with(
    reader: Reader, library: Library, report: SavedDocument
) -> None:
    session = session_of(reader, report)
    began = report.state()[0]
    saved_report(library, reader, "The report has a new text now.")
    session.ask("One?")
    session.forget()
    assert session.state.equals(began)


@pytest.mark.parametrize("mode", ["evidence", "full"])
def test_a_session_answers_in_the_way_it_is_told_and_remembers_all_the_same(
    mode: RecallMode, reader: Reader, report: SavedDocument
) -> None:
    session = session_of(reader, report)
    session.mode = mode
    with prompts_seen(reader) as prompts:
        recalled = session.ask("What was the cargo?")
    assert "eleven tons" in reader.decode(prompts[0])
    assert recalled.mode == mode
    assert session.stats().turns == 1


@pytest.mark.parametrize("mode", ["evidence", "full"])
def test_without_a_document_there_is_no_text_to_show(mode: RecallMode, reader: Reader) -> None:
    session = session_of(reader, None)
    session.mode = mode
    with pytest.raises(UsageError, match=f"there is no text for {mode}"):
        session.ask("What was the cargo?")
    assert session.stats().turns == 0


def test_a_session_chooses_its_answers_among_the_phrases_of_the_document(
    reader: Reader, report: SavedDocument
) -> None:
    session = session_of(reader, report)
    session.mode = "spans"
    recalled = session.ask("What was the cargo?")
    assert recalled.choice is not None and recalled.choice.span is not None
    span = recalled.choice.span
    assert report.pages()[span.statement.page - 1][span.start : span.end] == recalled.answer.text
    assert session.stats().turns == 1
