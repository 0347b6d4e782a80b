"""The modes of answering: what the model is given in each, and what is said about the answer."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from tiny import tiny_adapter, tiny_reader

from dmdoc.answer import spans
from dmdoc.answer.recall import (
    EVIDENCE_TOKENS,
    Inquiry,
    Recalled,
    recall,
    recall_all,
)
from dmdoc.answer.support import log_likelihoods, supports
from dmdoc.answer.weighing import weigh
from dmdoc.errors import UsageError
from dmdoc.ingest.sections import write_text
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.reading_file import READING_WEIGHTS, save_reading
from dmdoc.memory.state import MemoryState
from dmdoc.model.continuations import hear_continuations
from dmdoc.model.prompt import Prompt, RecallMode, load_prompt
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

CONFIG = DeltaMemConfig(write_layout="plain", write_budget=256)
SHORT = GenerationSettings(max_tokens=6)
PAGES = (
    "ZXZX holds 9876 casks. QJQJ holds 5432 casks.",
    "The ferry sails on QJQJ at 77.",
)
QUESTION = "how many casks has it?"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(CONFIG)


@pytest.fixture(scope="module")
def state(reader: Reader) -> MemoryState:
    with torch.no_grad():
        return reader.write(reader.chunks("\n\n".join(PAGES)), reader.zero_state())


def no_pages() -> tuple[str, ...]:
    raise AssertionError("the text was opened")


@contextmanager
def tokens_fed(reader: Reader) -> Iterator[list[int]]:
    fed: list[int] = []
    embeddings = reader.backbone.model.get_input_embeddings()
    handle = embeddings.register_forward_pre_hook(
        lambda _module, args: fed.extend(args[0].flatten().tolist())
    )
    try:
        yield fed
    finally:
        handle.remove()


@pytest.mark.parametrize("mode", ["state", "frozen"])
def test_two_ways_open_no_text_and_feed_none_of_it(
    mode: RecallMode, reader: Reader, state: MemoryState
) -> None:
    with tokens_fed(reader) as fed:
        recalled = recall(QUESTION, reader, state, no_pages, settings=SHORT, mode=mode)
    prompt = reader.prompt_ids(load_prompt("answer").fill(question=QUESTION))
    # One token is one byte here: what was fed, lift included, is the prompt and what the model said itself.
    assert set(fed) <= set(prompt) | set(recalled.answer.answer_ids)
    assert recalled.answer.prompt_ids == tuple(prompt)
    assert (recalled.document_tokens, recalled.evidence) == (0, ())


def test_the_lift_is_that_of_the_answer_from_the_state(reader: Reader, state: MemoryState) -> None:
    recalled = recall(QUESTION, reader, state, no_pages, settings=SHORT)
    answer = recalled.answer
    (expected,) = supports([answer.prompt_ids], [answer.answer_ids], state, reader)
    assert recalled.support == expected
    assert recalled.lift == expected.lift


@pytest.mark.parametrize("mode", ["state", "evidence", "full", "frozen"])
def test_several_at_once_are_answered_as_each_alone(
    mode: RecallMode, reader: Reader, state: MemoryState
) -> None:
    long = write_text("\n\n".join(PAGES) * 8, reader)
    assert (long.batch > 1, state.batch) == (
        True,
        1,
    )  # in the one document each question has a section of its own
    questions = [QUESTION, "when does the ferry on QJQJ sail?", "why?"]
    inquiries = [Inquiry(question, of, lambda: PAGES) for of in (long, state) for question in questions]
    together = recall_all(inquiries, reader, settings=SHORT, mode=mode)
    for inquiry, found in zip(inquiries, together, strict=True):
        alone = recall(inquiry.question, reader, inquiry.state, lambda: PAGES, settings=SHORT, mode=mode)
        assert found.answer.text == alone.answer.text
        assert found.answer.prompt_ids == alone.answer.prompt_ids
        assert found.answer.section == alone.answer.section
        assert found.lift == (None if alone.lift is None else pytest.approx(alone.lift, abs=1e-4))
        assert (found.mode, found.evidence, found.document_tokens) == (
            mode,
            alone.evidence,
            alone.document_tokens,
        )


@pytest.mark.parametrize("mode", ["full", "frozen"])
def test_without_a_state_there_is_no_lift(mode: RecallMode, reader: Reader, state: MemoryState) -> None:
    recalled = recall(QUESTION, reader, state, lambda: PAGES, settings=SHORT, mode=mode)
    other = recall(QUESTION, reader, reader.zero_state(), lambda: PAGES, settings=SHORT, mode=mode)
    assert recalled.lift is None
    assert recalled.answer.text == other.answer.text


def test_evidence_puts_the_best_passages_beside_the_state(reader: Reader, state: MemoryState) -> None:
    def answer(state: MemoryState) -> str:
        settings = GenerationSettings(max_tokens=24)
        return recall(QUESTION, reader, state, lambda: PAGES, settings=settings, mode="evidence").answer.text

    recalled = recall(QUESTION, reader, state, lambda: PAGES, settings=SHORT, mode="evidence")
    assert [(passage.page, passage.text) for passage in recalled.evidence] == [(1, PAGES[0])]
    assert recalled.document_tokens == len(PAGES[0])
    prompt = reader.decode(recalled.answer.prompt_ids)
    assert PAGES[0] in prompt
    assert PAGES[1] not in prompt
    assert answer(state) != answer(reader.zero_state())
    assert recalled.lift is not None


def test_with_passages_the_likeliest_phrase_answers_and_the_words_count_for_less(
    reader: Reader, state: MemoryState
) -> None:
    recalled = recall(QUESTION, reader, state, lambda: PAGES, settings=SHORT, mode="evidence")
    choice = recalled.choice
    assert choice is not None and choice.span is not None
    assert recalled.answer.text in PAGES[0]
    assert choice.span.score == max(each.score for each in choice.read)
    for each in choice.read:
        assert each.score == pytest.approx(weigh(each.measures) + 4 * each.log_likelihood)
    assert PAGES[0] in reader.decode(recalled.answer.prompt_ids)
    said = [*reader.encode(choice.span.text), *reader.end_ids[:1]]
    (nats,) = log_likelihoods([recalled.answer.prompt_ids], [said], state, reader).tolist()
    assert choice.span.log_likelihood == pytest.approx(nats, abs=1e-4)


def test_a_long_prompt_is_read_once_whatever_sections_the_phrases_are_from(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = tuple(
        f"Hall {number} holds {number + 40} casks of salt, says page {number}." for number in range(24)
    )
    states = write_text("\n\n".join(pages), reader)
    assert states.batch > 1
    read: list[int] = []
    monkeypatch.setattr(spans, "hear_continuations", _counting(hear_continuations, read))
    generated: list[int] = []
    monkeypatch.setattr(Reader, "generate_batch", _counting(Reader.generate_batch, generated))
    inquiry = Inquiry("How many casks of salt has hall 7?", states, lambda: pages)
    expected: dict[RecallMode, bool] = {"spans": False, "evidence": True}
    for mode, once in expected.items():
        read.clear()
        generated.clear()
        (found,) = recall_all([inquiry], reader, settings=SHORT, mode=mode, measured=False)
        assert found.choice is not None and found.choice.span is not None
        assert (len(read) == 1) == once
        assert not generated or mode == "spans"


def _counting(function: Callable[..., Any], calls: list[int]) -> Callable[..., Any]:
    def counted(*args: Any, **options: Any) -> Any:
        calls.append(1)
        return function(*args, **options)

    return counted


def test_an_answer_from_passages_is_in_the_models_own_words_where_it_is_drawn(
    reader: Reader, state: MemoryState
) -> None:
    drawn = GenerationSettings(max_tokens=4, temperature=0.5, seed=1)
    recalled = recall(QUESTION, reader, state, lambda: PAGES, settings=drawn, mode="evidence")
    assert recalled.choice is None and recalled.evidence


def _likelihoods(recalled: Recalled) -> list[float] | str:
    if recalled.choice is None:
        return recalled.answer.text
    return [each.log_likelihood for each in recalled.choice.read]


@pytest.mark.parametrize("mode", ["state", "spans", "evidence", "full"])
@pytest.mark.parametrize("known", ["spans", "evidence"])
def test_weights_for_one_recall_mode_answer_in_that_mode_alone(
    known: Literal["spans", "evidence"], mode: RecallMode, reader: Reader, tmp_path: Path
) -> None:
    path = tmp_path / READING_WEIGHTS[known]
    save_reading(tiny_adapter(reader.backbone.model, CONFIG, seed=9), reader.adapter, path)
    own = replace(reader, reading_weights={known: path})
    states = write_text("\n\n".join(PAGES) * 8, reader)
    assert states.batch > 1
    longer = GenerationSettings(max_tokens=24)
    inquiry = Inquiry(QUESTION, states, lambda: PAGES)
    (before,) = recall_all([inquiry], reader, settings=longer, mode=mode)
    (after,) = recall_all([inquiry], own, settings=longer, mode=mode)
    alone = recall(QUESTION, own, states, lambda: PAGES, settings=longer, mode=mode)

    assert alone.answer.text == after.answer.text
    assert after.answer.section == before.answer.section
    assert _likelihoods(after) == _likelihoods(before) or mode == known
    assert _likelihoods(after) != _likelihoods(before) or mode != known
    if mode == known:
        answer = alone.answer
        assert answer.section is not None
        chosen = states.rows(answer.section, answer.section + 1)
        speaker = own.speaker(mode)
        assert supports([answer.prompt_ids], [answer.answer_ids], chosen, speaker) == [alone.support]
        assert after.lift == pytest.approx(alone.lift, abs=1e-4)


@pytest.mark.slow
def test_evidence_keeps_within_its_tokens_however_many_passages(reader: Reader, state: MemoryState) -> None:
    pages = [f"Hall {number} has {number} casks. " * 40 for number in range(9)]
    for most in (1, 3, 12):
        recalled = recall(QUESTION, reader, state, lambda: pages, settings=SHORT, mode="evidence", most=most)
        assert len(recalled.evidence) == most
        assert EVIDENCE_TOKENS * 0.7 < recalled.document_tokens <= EVIDENCE_TOKENS


def test_a_gap_that_is_longer_before_a_word_is_counted(
    reader: Reader, state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As byte-level BPE parts blanks: all of them are one token at the end of a text, the last is one before a word.
    monkeypatch.setattr(Reader, "encode", lambda _, text: [0] * len(re.findall(r"\s+(?!\S)|\s|\w+", text)))
    pages = ["casks " * 24 + "casks"] * 12  # 49 tokens
    recalled = recall("casks?", reader, state, lambda: pages, settings=SHORT, mode="evidence", most=12)
    assert 0 < recalled.document_tokens <= EVIDENCE_TOKENS


def test_the_verbatim_mark_of_evidence_is_of_the_answer(
    reader: Reader, state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    for said, verbatim in (("5432 casks", True), ("5433 casks", False)):
        monkeypatch.setattr(Reader, "generate", _saying(said))
        mine = Prompt("mine", "", "{{ document }} {{ question }}")  # so that no phrase is chosen
        recalled = recall(
            QUESTION, reader, state, lambda: PAGES, settings=SHORT, mode="evidence", prompt=mine
        )
        assert recalled.choice is None
        assert [passage.verbatim for passage in recalled.evidence] == [verbatim]


def test_full_puts_the_whole_text_in_the_prompt(reader: Reader, state: MemoryState) -> None:
    recalled = recall(QUESTION, reader, state, lambda: PAGES, settings=SHORT, mode="full")
    assert "\n\n".join(PAGES) in reader.decode(recalled.answer.prompt_ids)
    assert recalled.document_tokens == len("\n\n".join(PAGES))


def test_a_text_that_is_too_long_for_full_is_refused(reader: Reader, state: MemoryState) -> None:
    with pytest.raises(UsageError, match=r"5,000 tokens and tiny takes at most 4,096.* from evidence"):
        recall(QUESTION, reader, state, lambda: ("x" * 5000,), settings=SHORT, mode="full")


def test_a_prompt_without_a_place_for_the_text_is_refused(reader: Reader, state: MemoryState) -> None:
    mine = Prompt("mine", "", "{{ question }}")
    with pytest.raises(UsageError, match=r"prompt 'mine' has no place for \{\{ document \}\}"):
        recall(QUESTION, reader, state, lambda: PAGES, settings=SHORT, mode="evidence", prompt=mine)


def _saying(text: str) -> object:
    def generate(
        self: Reader, _ids: object, _state: object, _settings: object, on_token: object
    ) -> list[int]:
        assert callable(on_token)
        for token in self.encode(text):
            on_token(token)
        return self.encode(text)

    return generate
