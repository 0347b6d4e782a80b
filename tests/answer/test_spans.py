"""Answers chosen from the text: which phrase is taken, what the model is fed, and where the answer stands."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from judges_of_tests import always
from tiny import tiny_reader

from dmdoc.answer import spans
from dmdoc.answer.judging import judge
from dmdoc.answer.recall import Inquiry, cite, recall, recall_all
from dmdoc.answer.support import supports
from dmdoc.answer.written import as_written
from dmdoc.ingest.sections import write_text
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.state import MemoryState
from dmdoc.model.continuations import Heard
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

PAGES = (
    "The barge Sorrel was built in Lund. It sails at 07:50.",
    "",
    "The ferry office sells tickets in Oslo.",
)
TEXT = "\n\n".join(page for page in PAGES if page)
SHORT = GenerationSettings(max_tokens=6)
QUESTION = "Where was the barge Sorrel built?"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(DeltaMemConfig(write_layout="plain", write_budget=256))


@pytest.fixture(scope="module")
def state(reader: Reader) -> MemoryState:
    return write_text(TEXT, reader)


class Likes:
    """Scores that favour one text, and keep what was scored."""

    def __init__(self, reader: Reader, text: str) -> None:
        self.favourite = reader.encode(text)
        self.heard: list[list[int]] = []

    def __call__(
        self, prompt: Sequence[int], answers: Sequence[list[int]], state: MemoryState | None, reader: Reader
    ) -> Heard:
        assert state is not None and state.batch == 1
        self.heard += answers
        return Heard(torch.tensor([0.0 if ids[:-1] == self.favourite else -9.0 for ids in answers]), ())


def _indifferent(
    _prompt: Sequence[int], answers: Sequence[list[int]], _state: MemoryState | None, _reader: Reader
) -> Heard:
    return Heard(torch.zeros(len(answers)), ())


def ask(reader: Reader, state: MemoryState, question: str = QUESTION) -> spans.Choice:
    choice = recall(question, reader, state, lambda: PAGES, settings=SHORT, mode="spans").choice
    assert choice is not None
    return choice


def test_the_likeliest_phrase_is_the_answer_and_brings_its_place(
    reader: Reader, state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "hear_continuations", Likes(reader, "Lund"))
    heard: list[str] = []
    recalled = recall(
        QUESTION, reader, state, lambda: PAGES, settings=SHORT, mode="spans", on_text=heard.append
    )
    assert (recalled.answer.text, heard) == ("Lund", ["Lund"])
    assert recalled.answer.answer_ids == tuple(reader.encode("Lund"))
    assert recalled.choice is not None and recalled.choice.span is not None
    span = recalled.choice.span
    assert PAGES[span.statement.page - 1][span.start : span.end] == "Lund"
    (passage,) = cite(QUESTION, recalled, lambda: PAGES)
    assert (passage.page, passage.verbatim) == (1, True)
    assert passage.mark is not None
    assert passage.text[slice(*passage.mark)] == "Lund"
    (expected,) = supports([recalled.answer.prompt_ids], [recalled.answer.answer_ids], state, reader)
    assert recalled.support == expected


def test_each_candidate_is_read_as_an_answer_with_its_end(
    reader: Reader, state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    likes = Likes(reader, "Lund")
    monkeypatch.setattr(spans, "hear_continuations", likes)
    choice = ask(reader, state)
    assert [ids[-1] for ids in likes.heard] == [reader.end_ids[0]] * choice.candidates
    said = [reader.decode(ids) for ids in likes.heard]
    assert "Lund" in said
    assert "barge Sorrel" not in said  # it repeats the question
    assert choice.document_tokens == sum(map(len, said))  # one character is one token here


def test_what_the_free_answer_nearly_says_is_preferred(
    reader: Reader, state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "hear_continuations", _indifferent)
    question = "Where does the ferry office sell tickets?"
    free = replace(recall(question, reader, state, lambda: PAGES, settings=SHORT).answer, text="Os1o")
    search = spans.search_statements(question, as_written(PAGES, state, reader))
    chosen, choice = search.read(free.prompt_ids, 0, state, reader).choose(free, reader)
    assert (choice.free, chosen.text) == ("Os1o", "Oslo")


@pytest.mark.slow
def test_the_state_decides(reader: Reader, state: MemoryState) -> None:
    questions = [f"what of {letter}?" for letter in "abcdefgh"]
    own = [ask(reader, state, question).span for question in questions]
    empty = [ask(reader, reader.zero_state(), question).span for question in questions]
    assert [span and span.text for span in own] != [span and span.text for span in empty]


def test_the_words_of_the_question_find_the_section(reader: Reader) -> None:
    pages = (
        "The barge left at noon, and it rained all day. " * 8,
        "The barge Sorrel was built in Oslo. " * 8,
    )
    state = write_text("\n\n".join(pages), reader)
    assert state.batch > 1
    written = as_written(pages, state, reader)
    sections = [chunk.text for chunk in reader.chunks("\n\n".join(pages))]
    assert all(each.text in sections[each.section] for each in written.statements)
    recalled = recall(QUESTION, reader, state, lambda: pages, settings=SHORT, mode="spans")
    assert recalled.choice is not None and recalled.choice.span is not None
    assert recalled.choice.span.statement.text == "The barge Sorrel was built in Oslo."
    assert recalled.answer.section == recalled.choice.span.statement.section > 0
    row = state.rows(recalled.answer.section, recalled.answer.section + 1)
    free = recall(QUESTION, reader, row, lambda: pages, settings=SHORT)
    assert recalled.choice.free == free.answer.text


def test_without_a_shared_word_the_state_finds_the_section(reader: Reader) -> None:
    pages = (
        "The barge left at noon, and it rained all day. " * 8,
        "The barge Sorrel was built in Oslo. " * 8,
    )
    state = write_text("\n\n".join(pages), reader)
    recalled = recall("Warum?", reader, state, lambda: pages, settings=SHORT, mode="spans")
    routed = recall("Warum?", reader, state, lambda: pages, settings=SHORT)
    assert recalled.answer.section == routed.answer.section
    assert recalled.choice is not None and recalled.choice.candidates > 0
    assert recalled.choice.free == routed.answer.text


def test_where_there_is_no_phrase_the_free_answer_stands(reader: Reader, state: MemoryState) -> None:
    recalled = recall("ab?", reader, state, lambda: ("ab",), settings=SHORT, mode="spans")
    free = recall("ab?", reader, state, lambda: ("ab",), settings=SHORT)
    assert recalled.choice == spans.Choice(None, free.answer.text, 0)
    assert (recalled.answer.text, recalled.answer.section) == (free.answer.text, 0)


def test_what_was_said_in_a_conversation_has_no_phrases(reader: Reader, state: MemoryState) -> None:
    free = recall("Warum?", reader, state, lambda: PAGES, settings=SHORT).answer
    search = spans.search_statements("Warum?", as_written(PAGES, state, reader))
    turns = MemoryState.cat((state, state))
    assert search.read(free.prompt_ids, 1, turns, reader).spans == ()


def test_a_document_that_was_cut_into_fewer_sections_is_read_all_the_same(reader: Reader) -> None:
    pages = ("The barge Sorrel was built in Oslo. " * 8,)
    state = write_text(pages[0], reader)
    assert state.batch > 1
    assert {each.section for each in as_written(pages, state.rows(0, 1), reader).statements} == {0}


def test_no_more_phrases_are_read_than_are_allowed(
    reader: Reader, state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "CANDIDATES", 3)
    choice = ask(reader, state)
    assert choice.candidates == 3
    # Those that the rest speaks for: the name of a place near what was asked.
    assert choice.span is not None and "Lund" in choice.span.text


def test_several_at_once_are_chosen_as_each_alone(reader: Reader, state: MemoryState) -> None:
    asked = [QUESTION, "When does it sail?"]
    inquiries = [Inquiry(question, state, lambda: PAGES) for question in asked]
    together = recall_all(inquiries, reader, settings=SHORT, mode="spans")
    for question, found in zip(asked, together, strict=True):
        choice = ask(reader, state, question)
        assert found.choice is not None
        assert (found.choice.free, found.choice.candidates) == (choice.free, choice.candidates)
        assert found.answer.text == (choice.span.text if choice.span else choice.free)


def test_a_question_for_yes_or_no_is_answered_with_a_sentence(reader: Reader, state: MemoryState) -> None:
    question = "Was the barge Sorrel built in Oslo?"
    recalled = recall(question, reader, state, lambda: PAGES, settings=SHORT, mode="spans")
    choice = recalled.choice
    assert choice is not None and choice.span is None
    assert recalled.answer.text == "The barge Sorrel was built in Lund."
    assert choice.places == (spans.Place(1, 0, len(recalled.answer.text)),)
    assert (choice.candidates, choice.document_tokens) == (0, 0)
    (passage,) = cite(question, recalled, lambda: PAGES)
    assert (passage.text, passage.verbatim, passage.mark) == (recalled.answer.text, True, None)
    free = recall(question, reader, state, lambda: PAGES, settings=SHORT)
    assert choice.free == free.answer.text


def test_a_question_for_yes_or_no_about_nothing_in_the_text_is_answered_freely(
    reader: Reader, state: MemoryState
) -> None:
    choice = ask(reader, state, "Is parking free?")
    assert not choice.quoted.sentences


def test_headings_give_no_phrases_and_labels_that_are_asked_for_do(reader: Reader) -> None:
    page = "Meeting of Rowers\n\nPlace: boathouse\n\nRules\n\nThe meeting of rowers is short."
    state = write_text(page, reader)
    search = spans.search_statements(
        "Where was the meeting of the rowers?", as_written((page,), state, reader)
    )
    assert "Place: boathouse" in [each.text for each in search.best]
    recalled = recall(search.question, reader, state, lambda: (page,), settings=SHORT, mode="spans")
    assert recalled.choice is not None
    assert {span.statement.text for span in recalled.choice.read}.isdisjoint({"Meeting of Rowers", "Rules"})
    assert "boathouse" in [span.text for span in recalled.choice.read]


OARS = "Four oars belong to each boat of the club. "
PAGE = f"# Boats\n\n- Kittiwake\n- Puffin\n\n# Rules\n\n{OARS}The harbour has cranes."


@pytest.mark.parametrize(
    ("question", "text", "missing"),
    [
        ("How many boats are listed?", "2", ""),
        ("How many oars belong to each boat?", "Four", ""),
        ("How many cranes has the harbour?", None, "number"),
        ("Why has the harbour cranes?", "The harbour has cranes.", "reason"),
    ],
)
def test_what_no_sentence_says_is_counted_or_said_to_be_missing(
    question: str, text: str | None, missing: str, reader: Reader
) -> None:
    page = PAGE.replace(OARS, "") if text is None else PAGE
    state = write_text(page, reader)
    recalled = recall(question, reader, state, lambda: (page,), settings=SHORT, mode="spans")
    assert recalled.choice is not None and recalled.choice.missing == missing
    assert text is None or recalled.answer.text == text
    judged = replace(reader, judges={"spans": always("sure")})
    judgement = judge(question, recalled, state, lambda: (page,), judged)
    assert judgement is not None and judgement.holds == (not missing)
