"""The network that points at answers: what it keeps, that padding changes nothing, and which files it refuses."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny import save_pointer, tiny_pointer, tiny_reader

from dmdoc.errors import AdapterError
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.model.pointer import STEP, Pointer, PointerShape, load_pointer
from dmdoc.model.reader import Reader
from dmdoc.refine.steps import refine

TEXTS = ("The barge was built in Lund.", "It sails.")
QUESTION = "Where was it built?"
CONFIG = DeltaMemConfig(rank=4, corrects_while_writing=False)


@pytest.fixture
def reader() -> Reader:
    return tiny_reader(CONFIG, pointer=tiny_pointer())


def asked(reader: Reader, pointer: Pointer) -> torch.Tensor:
    inputs = reader.layer_inputs([reader.encode(QUESTION)], pointer.shape.inputs)
    return pointer.vectors([each[0] for each in inputs])


def test_vectors_have_a_mean_square_of_one_and_lose_half_a_step_when_they_are_kept() -> None:
    pointer = tiny_pointer()
    vectors = pointer.vectors([torch.randn(7, 32) for _ in pointer.shape.inputs])
    assert vectors.shape == (7, 8)
    assert torch.allclose(vectors.square().mean(-1), torch.ones(7), atol=1e-3)
    kept = pointer.rounded(vectors)
    assert kept.dtype == torch.int8
    assert (kept.float() * STEP - vectors).abs().max() <= STEP / 2


def test_what_is_said_of_a_text_is_a_probability_of_each_token_and_of_no_answer(reader: Reader) -> None:
    pointer = tiny_pointer()
    (said,) = pointer.point(asked(reader, pointer), [torch.ones(5, 8, dtype=torch.int8)], [[0, 1, 2, 0, 0]])
    for each in said:
        assert each.shape == (6,)
        assert torch.allclose(each.exp().sum(), torch.tensor(1.0))


def test_texts_beside_it_change_nothing(reader: Reader) -> None:
    pointer, draw = tiny_pointer(), torch.Generator().manual_seed(0)
    texts = [torch.randint(-100, 100, (size, 8), generator=draw, dtype=torch.int8) for size in (9, 4)]
    standing = [[0] * 9, [2, 0, 0, 1]]
    question = asked(reader, pointer)
    together = pointer.point(question, texts, standing)
    for number in range(2):
        (alone,) = pointer.point(question, texts[number : number + 1], standing[number : number + 1])
        assert torch.allclose(alone.starts, together[number].starts, atol=1e-5)
        assert torch.allclose(alone.ends, together[number].ends, atol=1e-5)


def test_how_words_stand_to_the_question_counts(reader: Reader) -> None:
    pointer, text = tiny_pointer(), torch.ones(4, 8, dtype=torch.int8)
    question = asked(reader, pointer)
    (one,), (other,) = (pointer.point(question, [text], [each]) for each in ([0, 0, 0, 0], [0, 2, 0, 0]))
    assert not torch.allclose(one.starts, other.starts)


def test_a_text_that_is_written_keeps_what_each_token_means_where_it_stands(reader: Reader) -> None:
    pointer, chunks = reader.pointer, [*reader.chunks(TEXTS[0]), *reader.chunks(TEXTS[1])]
    assert pointer is not None
    kept = reader.write(chunks, reader.zero_state(2)).vectors
    assert kept is not None and kept.maker == pointer.fingerprint
    for chunk, row in zip(chunks, kept.rows, strict=True):
        inputs = reader.layer_inputs([chunk.token_ids], pointer.shape.inputs)
        expected = pointer.rounded(pointer.vectors([each[0] for each in inputs]))
        start = chunk.sentence_ids.index(0)
        own = expected[start : start + len(reader.encode(chunk.text))]
        assert row is not None and row.shape == own.shape
        assert (row.int() - own.int()).abs().max() <= 1


def test_the_states_are_those_that_are_written_without_a_pointer(reader: Reader) -> None:
    chunks = reader.chunks(TEXTS[0])
    own, other = (each.write(chunks, each.zero_state()) for each in (reader, tiny_reader(CONFIG)))
    assert other.vectors is None
    assert all(torch.equal(one, two) for one, two in zip(own.layers, other.layers, strict=True))


def test_refinement_leaves_vectors_as_they_are(reader: Reader) -> None:
    state = reader.write(reader.chunks(TEXTS[0]), reader.zero_state())
    assert state.vectors is not None
    assert state.vectors.equals(refine(state, [], reader, 0).vectors)
    assert state.vectors.equals(state.with_layers([layer + 1 for layer in state.layers]).vectors)


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    pointer = tiny_pointer()
    found = load_pointer(save_pointer(pointer, tmp_path / "pointer.safetensors"), hidden=32, last_input=1)
    assert found.shape == pointer.shape and len(found.fingerprint) == 16
    for one, two in zip(found.state_dict().values(), pointer.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    assert not any(parameter.requires_grad for parameter in found.parameters())


def _garbage(path: Path) -> None:
    path.write_bytes(b"no weights")


def _cut(path: Path) -> None:
    save_pointer(tiny_pointer(), path)
    path.write_bytes(path.read_bytes()[:-8])


def _no_shape(path: Path) -> None:
    save_file(tiny_pointer().state_dict(), path)


def _odd_shape(path: Path) -> None:
    save_pointer(tiny_pointer(), path, {"inputs": [0], "hidden": 32, "kept": "8"})


def _other_shape(path: Path) -> None:
    save_pointer(tiny_pointer(), path, asdict(PointerShape((0, 1), 32, kept=16, width=16, heads=2, layers=1)))


def _huge_shape(path: Path) -> None:
    save_pointer(tiny_pointer(), path, asdict(tiny_pointer().shape) | {"width": 2**40})


def _many_layers(path: Path) -> None:
    save_pointer(tiny_pointer(), path, asdict(tiny_pointer().shape) | {"layers": 16_000})


def _deep(path: Path) -> None:
    save_pointer(tiny_pointer(), path, asdict(PointerShape((0, 7), 32, kept=8, width=16, heads=2, layers=1)))


def _infinite(path: Path) -> None:
    pointer = tiny_pointer()
    with torch.no_grad():
        pointer.no_answer[0] = torch.inf
    save_pointer(pointer, path)


def _out_of_order(path: Path) -> None:
    save_pointer(tiny_pointer(), path, asdict(tiny_pointer().shape) | {"inputs": [1, 0]})


def _twice(path: Path) -> None:
    save_pointer(tiny_pointer(), path, asdict(tiny_pointer().shape) | {"inputs": [0, 0]})


@pytest.mark.parametrize(
    "damage",
    [
        _out_of_order,
        _twice,
        _garbage,
        _cut,
        _no_shape,
        _odd_shape,
        _other_shape,
        _huge_shape,
        _many_layers,
        _deep,
        _infinite,
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "pointer.safetensors"
    damage(path)
    with pytest.raises(AdapterError) as caught:
        load_pointer(path, hidden=32, last_input=1)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
