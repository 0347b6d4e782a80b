import random

import pytest
import torch
from tiny import tiny_reader
from tiny_training import ADAPTER

from dmdoc.memory.state import MemoryState
from dmdoc.model.packing import EMPTY_READ, IGNORED, Read, pack_reads
from dmdoc.model.reader import Reader
from dmdoc.model.reads import read_logits

Rows = list[list[Read]]


@pytest.fixture
def reader() -> Reader:
    return tiny_reader(ADAPTER, transformers=True)


@pytest.fixture
def state(reader: Reader) -> MemoryState:
    generator = torch.Generator().manual_seed(3)
    zero = reader.zero_state(3)
    return MemoryState(tuple(torch.randn(layer.shape, generator=generator) for layer in zero.layers))


def random_rows(prefix: int) -> Rows:
    """Three rows of three reads of many lengths, two of them empty."""
    draw = random.Random(prefix)
    shared = [draw.randrange(256) for _ in range(prefix)]

    def read(prompt: int, target: int) -> Read:
        ids = [draw.randrange(256) for _ in range(prompt + target)]
        return Read((*shared, *ids[:prompt]), tuple(ids[prompt:]))

    return [
        [read(1, 1), read(9, 4), read(17, 30)],
        [read(6, 3), EMPTY_READ, read(2, 1)],
        [EMPTY_READ, read(1, 8), read(31, 2)],
    ]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("prefix", [0, 1, 25])
def test_a_packed_row_gives_what_separate_passes_give(
    reader: Reader, state: MemoryState, attention: str, prefix: int
) -> None:
    reader.backbone.model.set_attn_implementation(attention)
    rows = random_rows(prefix)
    packed = pack_reads(rows, pad_id=0, dtype=torch.float32)
    with torch.no_grad(), reader.reading(state) as model:
        together = model(
            input_ids=packed.input_ids,
            position_ids=packed.position_ids,
            attention_mask=packed.attention_mask,
            logits_to_keep=packed.supervised,
            use_cache=False,
        ).logits
    for row, reads in enumerate(rows):
        own = state.select(torch.tensor([row]))
        for slot, read in enumerate(reads):
            here = (packed.slots == slot) & (packed.targets[row] != IGNORED)
            assert packed.targets[row, here].tolist() == list(read.target_ids)
            if read == EMPTY_READ:
                continue
            ids = torch.tensor([[*read.prompt_ids, *read.target_ids[:-1]]])
            with torch.no_grad(), reader.reading(own) as model:
                alone = model(input_ids=ids, use_cache=False).logits[0, len(read.prompt_ids) - 1 :]
            assert float((together[row, here] - alone).abs().max()) < 1e-5


def test_rivals_give_what_separate_passes_give(reader: Reader, state: MemoryState) -> None:
    rows = [
        [Read((1, 2, 3, 4), (5, 6), ((7,), (8, 9, 10))), Read((1, 2, 9), (3, 3, 3), ((4, 5),))],
        [EMPTY_READ, Read((1, 2, 6, 6), (8,), ((4, 5), (2, 2, 2)))],
        [Read((1, 2, 3), (5, 6)), EMPTY_READ],
    ]
    packed = pack_reads(rows, pad_id=0, dtype=torch.float32)
    with torch.no_grad():
        together = read_logits(packed, state, reader)
    for row, reads in enumerate(rows):
        own = state.select(torch.tensor([row]))
        for slot, read in enumerate(reads):
            for number, target in enumerate((read.target_ids, *read.rivals)):
                here = (packed.slots == slot) & (packed.branches == number)
                here &= packed.targets[row] != IGNORED
                assert packed.targets[row, here].tolist() == list(target)
                if read == EMPTY_READ:
                    continue
                ids = torch.tensor([[*read.prompt_ids, *target[:-1]]])
                with torch.no_grad(), reader.reading(own) as model:
                    alone = model(input_ids=ids, use_cache=False).logits[0, len(read.prompt_ids) - 1 :]
                assert float((together[row, here] - alone).abs().max()) < 1e-5


def test_the_shared_prefix_stands_in_a_row_once() -> None:
    reads = [Read((7, 7, 7, 1), (2,)), Read((7, 7, 7, 3), (4, 5))]
    packed = pack_reads([reads], pad_id=0, dtype=torch.float32)

    assert packed.input_ids.tolist() == [[7, 7, 7, 1, 3, 4]]
    assert packed.position_ids.tolist() == [[0, 1, 2, 3, 3, 4]]
    assert packed.supervised.tolist() == [3, 4, 5]
    assert packed.targets.tolist() == [[2, 4, 5]]
    assert packed.slots.tolist() == [0, 1, 1]


def test_each_row_has_a_prefix_of_its_own_as_long_as_the_shortest(reader: Reader, state: MemoryState) -> None:
    rows = [
        [EMPTY_READ, Read((9, 8, 7, 1), (2,)), Read((9, 8, 7, 3), (4, 5))],
        [Read((6, 6, 5), (4, 4)), EMPTY_READ, Read((6, 6, 4, 4), (2,))],
        [EMPTY_READ] * 3,
    ]
    packed = pack_reads(rows, pad_id=0, dtype=torch.float32)
    assert packed.input_ids[:, :2].tolist() == [[9, 8], [6, 6], [9, 8]]
    assert packed.block_widths is not None and packed.block_widths[0] == 2
    with torch.no_grad():
        together = read_logits(packed, state, reader)
        alone = read_logits(pack_reads(rows[1:2], pad_id=0, dtype=torch.float32), state.rows(1, 2), reader)
    known = packed.targets[1] != IGNORED
    assert float((together[1, known] - alone[0]).abs().max()) < 1e-5


def test_the_last_token_of_a_prompt_never_becomes_prefix() -> None:
    packed = pack_reads([[Read((5, 6), (1,)), Read((5, 6), (2,))]], pad_id=0, dtype=torch.float32)

    assert packed.input_ids.tolist() == [[5, 6, 6]]
    assert packed.targets.tolist() == [[1, 2]]


def test_the_mask_is_finite_and_no_row_of_it_is_closed() -> None:
    mask = pack_reads(random_rows(2), pad_id=0, dtype=torch.bfloat16).attention_mask

    assert mask.dtype == torch.bfloat16
    assert bool(mask.isfinite().all())
    assert bool((mask == 0).any(-1).all())
