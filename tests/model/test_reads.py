import pytest
import torch
from tiny import tiny_reader

from dmdoc.memory.state import MemoryState
from dmdoc.model.packing import pack_reads
from dmdoc.model.prompt import load_prompt
from dmdoc.model.reader import Reader
from dmdoc.model.reads import (
    CONTINUE_CHARACTERS,
    CONTINUE_WORDS,
    answer_read,
    continue_read,
    read_logits,
    recite_read,
)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader()


def test_a_question_is_put_as_ask_puts_it(reader: Reader) -> None:
    read = answer_read("Who?", "She.", reader)
    assert list(read.prompt_ids) == reader.prompt_ids(load_prompt("answer").fill(question="Who?"))
    assert read.target_ids == (*reader.encode("She."), reader.end_ids[0])


def test_a_recitation_is_given_nothing_of_the_text(reader: Reader) -> None:
    read = recite_read(reader.encode("QZX"), reader)
    assert not set(read.prompt_ids) & set(reader.encode("QZX"))
    assert reader.decode(read.target_ids) == "QZX"


@pytest.mark.parametrize(
    ("before", "given"),
    [
        ("one two", "one two"),
        (" ".join("abcdefghijkl"), " ".join("abcdefghijkl"[-CONTINUE_WORDS:])),
        ("汶" * 500, "汶" * CONTINUE_CHARACTERS),
    ],
)
def test_a_continuation_is_given_the_last_words(reader: Reader, before: str, given: str) -> None:
    prompt = reader.decode(continue_read(before, [1], reader).prompt_ids)
    assert prompt.partition("Continue: ")[2].split("\n")[0] == given


def test_logits_differentiate_in_the_state(reader: Reader) -> None:
    layers = tuple(layer.requires_grad_() for layer in reader.zero_state().layers)
    packed = pack_reads([[recite_read([1, 2, 3], reader)]], pad_id=0, dtype=torch.float32)
    logits = read_logits(packed, MemoryState(layers), reader)
    assert logits.shape == (1, 3, 259)
    logits.logsumexp(-1).sum().backward()  # type: ignore[no-untyped-call]
    assert all(layer.grad is not None and float(layer.grad.abs().sum()) > 0 for layer in layers)
