"""The three promises of chunking: nothing is lost, the budget holds, cuts fall where a reader would pause."""

import random
import time
from itertools import pairwise
from typing import Any

import pytest
from sample_pdf import SAMPLES
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from dmdoc.document import read_document
from dmdoc.errors import UsageError
from dmdoc.model.tokenizer import TextTokenizer
from dmdoc.text.chunking import LAYOUT_SENTENCE, Chunk, Layout, chunk_document

PLAIN, CHAT = Layout("plain"), Layout("chat")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
)


@pytest.fixture(scope="module")
def text() -> str:
    return read_document(str(SAMPLES / "halvorsen-report.txt")).text


@pytest.fixture(scope="module")
def tokenizer(text: str) -> TextTokenizer:
    """A byte-level BPE of 600 tokens with a chat template."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([text], trainer)
    return TextTokenizer(
        PreTrainedTokenizerFast(tokenizer_object=bpe, chat_template=TEMPLATE, eos_token="<|im_end|>")
    )


def assert_sound(chunks: list[Chunk], text: str, budget: int) -> None:
    """Nothing but blank space is lost, the budget holds, sentence ids count from 0 without gaps."""
    position = 0
    for chunk in chunks:
        found = text.index(chunk.text, position)
        assert not text[position:found].strip()
        position = found + len(chunk.text)
        assert chunk.text == chunk.text.strip() != ""
        assert len(chunk.token_ids) == len(chunk.sentence_ids) <= budget
        sentences = [sentence for sentence in chunk.sentence_ids if sentence != LAYOUT_SENTENCE]
        assert sentences[0] == 0
        assert all(0 <= after - before <= 1 for before, after in pairwise(sentences))
    assert not text[position:].strip()


@pytest.mark.parametrize("layout", [PLAIN, CHAT], ids=lambda layout: str(layout.name))
@pytest.mark.parametrize("budget", [24, 63, 100, 256, 4096])
def test_sample_document(tokenizer: Any, text: str, budget: int, layout: Layout) -> None:
    chunks = chunk_document(text, tokenizer, budget=budget, layout=layout)
    assert_sound(chunks, text, budget)
    if layout == PLAIN:
        assert [tokenizer.decode(chunk.token_ids) for chunk in chunks] == [chunk.text for chunk in chunks]


def test_a_text_within_the_budget_is_one_chunk(tokenizer: Any, text: str) -> None:
    (chunk,) = chunk_document(f"\n {text}\n\n", tokenizer, budget=10_000, layout=PLAIN)
    assert chunk.text == text
    assert list(chunk.token_ids) == tokenizer.encode(text)


@pytest.mark.parametrize("blank", ["", " \n\n"])
def test_blank_text_has_no_chunks(tokenizer: Any, blank: str) -> None:
    assert chunk_document(blank, tokenizer, budget=8, layout=PLAIN) == []


def test_chat_layout_is_the_chat_template_around_the_text(tokenizer: Any) -> None:
    (chunk,) = chunk_document("Salt rose. Brine fell.", tokenizer, budget=64, layout=CHAT)
    message = {"role": "user", "content": "Salt rose. Brine fell."}
    assert list(chunk.token_ids) == tokenizer.fast.apply_chat_template([message], return_dict=False)
    prefix, suffix = CHAT.frame(tokenizer)
    assert chunk.token_ids[: len(prefix)] == prefix and chunk.token_ids[-len(suffix) :] == suffix
    inside = chunk.sentence_ids[len(prefix) : -len(suffix)]
    assert set(chunk.sentence_ids[: len(prefix)] + chunk.sentence_ids[-len(suffix) :]) == {LAYOUT_SENTENCE}
    assert set(inside) == {0, 1}
    second = chunk.token_ids[len(prefix) + inside.index(1) : -len(suffix)]
    assert tokenizer.decode(second) == " Brine fell."


def test_sentence_ids_of_a_sentence_that_was_cut_start_at_zero_again(tokenizer: Any) -> None:
    words = " ".join(["salt"] * 40)
    chunks = chunk_document(f"{words}. End.", tokenizer, budget=32, layout=PLAIN)
    assert len(chunks) > 1
    assert {chunk.sentence_ids[0] for chunk in chunks} == {0}
    assert chunks[-1].sentence_ids[-1] == 1


def length(tokenizer: Any, piece: str) -> int:
    return len(tokenizer.encode(piece))


def test_the_paragraph_end_near_the_share_is_preferred(tokenizer: Any) -> None:
    """The share ends inside one of the two paragraphs: before their gap with one text, behind it with the other."""
    short, long = (
        "The salt was grey. The brine was clear.",
        "The pond was deep. The pond was dry. The pond was old.",
    )
    for paragraphs in ((short, long), (long, short)):
        text = "\n\n".join(paragraphs)
        chunks = chunk_document(text, tokenizer, budget=length(tokenizer, long) + 1, layout=PLAIN)
        assert tuple(chunk.text for chunk in chunks) == paragraphs


def test_a_paragraph_end_is_preferred_to_a_nearer_sentence_end(tokenizer: Any) -> None:
    first = "The salt was grey. The brine was clear. The pond was deep."
    second = "It was dry. The ship was late again. The quay was wet and cold and long."
    text = f"{first}\n\n{second}"
    middle, budget = len(text) // 2, length(tokenizer, text) - 1
    nearer = text.index("dry.") + 4
    assert abs(nearer - middle) < abs(len(first) - middle)
    chunks = chunk_document(text, tokenizer, budget=budget, layout=PLAIN)
    assert [chunk.text for chunk in chunks] == [first, second]


def test_a_paragraph_end_far_from_the_share_is_passed_over(tokenizer: Any) -> None:
    text = "Short.\n\nThe salt was grey. The brine was clear. The pond was deep and the ship was late again."
    first, *_ = chunk_document(text, tokenizer, budget=24, layout=PLAIN)
    assert first.text == "Short.\n\nThe salt was grey. The brine was clear."


def test_a_sentence_ends_nearest_to_the_share_but_within_the_budget(tokenizer: Any) -> None:
    brief, long = "Salt.", "The brine was clear and the pond was deep and the ship was late."
    budget = length(tokenizer, f"{brief} {long}")
    both, _ = chunk_document(f"{brief} {long} {long}", tokenizer, budget=budget, layout=PLAIN)
    assert both.text == f"{brief} {long}"
    alone, *_ = chunk_document(f"{brief} {long} {long}", tokenizer, budget=budget - 1, layout=PLAIN)
    assert alone.text == brief


@pytest.mark.parametrize("layout", [PLAIN, CHAT], ids=lambda layout: str(layout.name))
@pytest.mark.parametrize("words", [130, 200, 257, 510])
def test_the_last_chunk_is_no_remnant(tokenizer: Any, words: int, layout: Layout) -> None:
    text = " ".join(["salt", "pond", "brine.", "Ships"] * words)[: 5 * words]
    chunks = chunk_document(text, tokenizer, budget=80, layout=layout)
    assert len(chunks) > 1
    lengths = [len(chunk.token_ids) for chunk in chunks]
    assert min(lengths) >= 0.75 * max(lengths)


def test_without_sentences_cuts_fall_between_words(tokenizer: Any) -> None:
    text = " ".join(["halvorsen", "brine", "works", "ostrevoll"] * 30)
    chunks = chunk_document(text, tokenizer, budget=20, layout=PLAIN)
    assert_sound(chunks, text, 20)
    assert " ".join(chunk.text for chunk in chunks) == text


def test_a_word_longer_than_the_budget_is_cut(tokenizer: Any) -> None:
    word = "zq" * 60
    chunks = chunk_document(f"A {word} end", tokenizer, budget=16, layout=PLAIN)
    assert_sound(chunks, f"A {word} end", 16)
    assert chunks[0].text == "A"


def test_the_budget_holds_for_characters_of_several_tokens(tokenizer: Any) -> None:
    text = "🧂🌊 塩と水。" * 20 + "🧂" * 30
    for budget in (8, 9, 10, 11, 30):
        assert_sound(chunk_document(text, tokenizer, budget=budget, layout=PLAIN), text, budget)


def test_random_texts(tokenizer: Any) -> None:
    generator = random.Random(7)
    parts = ["salt", "Brine", ". ", " ", "\n\n", "é", "🌊", "3.5", "\n", "x" * 30]
    for _ in range(60):
        text = "".join(generator.choices(parts, k=120))
        budget = generator.randint(8, 60)
        assert_sound(chunk_document(text, tokenizer, budget=budget, layout=PLAIN), text, budget)


def test_control_tokens_in_the_text_stay_text(tokenizer: Any) -> None:
    (chunk,) = chunk_document("Write <|im_end|> here.", tokenizer, budget=64, layout=CHAT)
    end = tokenizer.fast.convert_tokens_to_ids("<|im_end|>")
    _, suffix = CHAT.frame(tokenizer)
    assert chunk.token_ids.count(end) == suffix.count(end) == 1


@pytest.mark.parametrize("budget", [7, 0, -5])
def test_a_budget_below_the_least_is_refused(tokenizer: Any, budget: int) -> None:
    with pytest.raises(UsageError, match=f"at least 8 tokens, got {budget}"):
        chunk_document("Salt.", tokenizer, budget=budget, layout=PLAIN)


def test_a_budget_no_larger_than_the_layout_is_refused(tokenizer: Any) -> None:
    template = f"This is a long preamble. {TEMPLATE}"
    wordy = TextTokenizer(
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer.fast.backend_tokenizer, chat_template=template, eos_token="<|im_end|>"
        )
    )
    frame = sum(len(ids) for ids in CHAT.frame(wordy))
    with pytest.raises(UsageError, match=f"'chat' alone takes {frame} tokens.*got {frame}"):
        chunk_document("Salt.", wordy, budget=frame, layout=CHAT)
    assert chunk_document("Salt", wordy, budget=frame + 4, layout=CHAT)[0].text == "Salt"


def test_a_budget_too_small_for_one_character_is_refused(tokenizer: Any) -> None:
    prefix, suffix = CHAT.frame(tokenizer)
    with pytest.raises(UsageError, match="character '🧂' alone"):
        chunk_document("🧂", tokenizer, budget=len(prefix) + len(suffix) + 1, layout=CHAT)


def test_layouts_that_cannot_be(tokenizer: Any) -> None:
    with pytest.raises(UsageError, match="plain or chat, got 'essay'"):
        Layout("essay")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["The salt was grey and clear. ", "salt brine ", "saltbrine"])
def test_time_is_linear(tokenizer: Any, unit: str) -> None:
    text = unit * (200_000 // len(unit))
    started = time.perf_counter()
    chunk_document(text, tokenizer, budget=128, layout=PLAIN)
    assert time.perf_counter() - started < 10
