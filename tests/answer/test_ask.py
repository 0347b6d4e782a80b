from pathlib import Path

import pytest
import torch
from command_line import Once
from tiny import tiny_reader

from dmdoc.answer.ask import ask, load_state
from dmdoc.answer.routing import FINALISTS
from dmdoc.document import Document
from dmdoc.errors import IdentityError, UsageError
from dmdoc.ingest.single import ingest
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.model.prompt import load_prompt
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

CONFIG = DeltaMemConfig(write_layout="plain", write_budget=64)
SHORT = GenerationSettings(max_tokens=6)
# Characters that neither the prompt, the question nor the chat layout has.
TEXT = "ZXZX 9876 QJQJ 5432 ZQXJ " * 8
QUESTION = "what is it?"


@pytest.fixture
def reader() -> Reader:
    return tiny_reader(CONFIG)


@pytest.fixture
def saved(tmp_path: Path, once: Once) -> SavedDocument:
    once(tmp_path / "home", save_codes)
    return Library(tmp_path / "home").get("codes")


def save_codes(folder: Path) -> None:
    document = Document(name="codes", source="/files/codes.txt", pages=(TEXT,))
    ingest(document, tiny_reader(CONFIG), Library(folder))


@pytest.mark.parametrize("sections", [1, 4])
def test_no_token_of_the_document_reaches_the_backbone(sections: int, reader: Reader, tmp_path: Path) -> None:
    text = TEXT[: 60 * sections]
    document = Document(name="codes", source="/files/codes.txt", pages=(text,))
    saved = ingest(document, reader, Library(tmp_path)).document
    state = load_state(saved, reader)
    assert state.batch == sections
    fed: list[int] = []

    def record(_module: object, args: tuple[torch.Tensor, ...]) -> None:
        fed.extend(args[0].flatten().tolist())

    handle = reader.backbone.model.get_input_embeddings().register_forward_pre_hook(record)
    before = saved.state_path.read_bytes()
    try:
        answer = ask(QUESTION, reader, state, prompt=load_prompt("answer"), settings=SHORT)
    finally:
        handle.remove()
    prompt = reader.prompt_ids(load_prompt("answer").fill(question=QUESTION))
    assert answer.prompt_tokens == len(prompt)
    # Of several sections the question chooses one: it is matched with all, and read under each of the best as far as
    # its last token. Then comes the prompt, then what the model itself said.
    asked = reader.encode(QUESTION)
    choosing = [*asked, *asked[:-1] * FINALISTS] if sections > 1 else []
    expected = [*choosing, *prompt, *answer.answer_ids]
    assert fed == expected[: len(fed)]
    assert len(fed) >= len(expected) - 1
    # One token is one byte here, so what went in can be compared with the text itself.
    assert not set(reader.encode(TEXT.replace(" ", ""))) & set(prompt)
    assert saved.state_path.read_bytes() == before


def test_an_answer_needs_no_text_at_all(reader: Reader, saved: SavedDocument) -> None:
    expected = ask(QUESTION, reader, load_state(saved, reader), prompt=load_prompt("answer"), settings=SHORT)
    (saved.folder / "pages.json").unlink()
    answer = ask(QUESTION, reader, load_state(saved, reader), prompt=load_prompt("answer"), settings=SHORT)
    assert (answer.text, answer.section) == (expected.text, expected.section)


def test_the_state_changes_the_answer(reader: Reader, saved: SavedDocument) -> None:
    settings = GenerationSettings(max_tokens=24)
    prompt = load_prompt("answer")
    with_state = ask(QUESTION, reader, load_state(saved, reader), prompt=prompt, settings=settings)
    without = ask(QUESTION, reader, reader.zero_state(), prompt=prompt, settings=settings)
    assert with_state.text != without.text


def test_the_text_streams_in_pieces_that_add_up(reader: Reader, saved: SavedDocument) -> None:
    pieces: list[str] = []
    answer = ask(
        QUESTION,
        reader,
        load_state(saved, reader),
        prompt=load_prompt("answer"),
        settings=GenerationSettings(max_tokens=24),
        on_text=pieces.append,
    )
    assert "".join(pieces) == answer.text != ""
    assert 0 < answer.first_token_seconds <= answer.seconds


def test_characters_of_several_tokens_are_streamed_whole(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = " δ-mem, 汶川 "
    tokens = reader.encode(words)

    def generate(
        _self: Reader, _ids: object, _state: object, _settings: object, on_token: object
    ) -> list[int]:
        assert callable(on_token)
        for token in tokens:
            on_token(token)
        return tokens

    monkeypatch.setattr(Reader, "generate", generate)
    pieces: list[str] = []
    answer = ask(
        QUESTION,
        reader,
        reader.zero_state(),
        prompt=load_prompt("answer"),
        settings=SHORT,
        on_text=pieces.append,
    )
    assert answer.text == "".join(pieces) == words.strip()
    assert pieces == ["δ", "-", "m", "e", "m", ",", " 汶", "川"]
    assert all("\ufffd" not in piece for piece in pieces)


def test_a_prompt_that_needs_a_question_says_so(reader: Reader) -> None:
    with pytest.raises(UsageError, match="needs a value for question"):
        ask(None, reader, reader.zero_state(), prompt=load_prompt("answer"), settings=SHORT)


def test_a_summary_needs_no_question(reader: Reader) -> None:
    assert (
        ask(None, reader, reader.zero_state(), prompt=load_prompt("summarise"), settings=SHORT).prompt_tokens
        > 0
    )


def test_a_state_of_another_adapter_is_refused(saved: SavedDocument) -> None:
    with pytest.raises(IdentityError, match="adapter"):
        load_state(saved, tiny_reader(CONFIG, seed=7))
