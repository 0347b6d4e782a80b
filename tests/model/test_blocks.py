import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dmdoc.model import blocks
from dmdoc.model.blocks import attend, cut_blocks
from dmdoc.model.packing import Read, pack_reads

ROWS = [
    [Read((1, 2, 3, 4), (5, 6), ((7,), (8, 9, 10))), Read((1, 2, 9), (3, 3, 3)), Read((1, 2, 5), (6,) * 70)],
    [Read((1, 2, 3), (5, 6)), Read((1, 2, 6, 6), (8,), ((4, 5), (2, 2, 2))), Read((1, 2, 8), (3,))],
]
ALONE = [[Read((3, 4), (5,)), Read((1, 2), (2, 2, 2))]]


def heads(rows: int, columns: int, number: int, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.randn(rows, columns, number, 8, generator=generator).to(dtype).transpose(1, 2)


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
@pytest.mark.parametrize("least", [1, 20, 1000])
@pytest.mark.parametrize("reads", [ROWS, ALONE])
def test_it_is_attention_under_the_mask_and_so_are_its_gradients(
    reads: list[list[Read]], least: int, dtype: torch.dtype, allowed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "LEAST_COLUMNS", least)
    packed = pack_reads(reads, pad_id=0, dtype=dtype)
    assert packed.block_widths is not None
    rows, columns = packed.input_ids.shape
    inputs = [heads(rows, columns, number, dtype).requires_grad_() for number in (6, 2, 2)]
    queries, keys, values = inputs
    cut = cut_blocks(packed.attention_mask, packed.block_widths)
    assert sum(cut.widths) == columns

    found = attend(queries, keys, values, cut)
    wanted = functional.scaled_dot_product_attention(
        queries, keys, values, attn_mask=packed.attention_mask, enable_gqa=True
    )
    torch.testing.assert_close(found, wanted, rtol=allowed, atol=allowed)
    direction = torch.randn(found.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    for own, masked in zip(
        torch.autograd.grad(found, inputs, direction),
        torch.autograd.grad(wanted, inputs, direction),
        strict=True,
    ):
        torch.testing.assert_close(own, masked, rtol=allowed, atol=4 * allowed)


def test_narrow_blocks_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LEAST_COLUMNS", 4)
    assert cut_blocks(torch.zeros(1, 1, 12, 12), (2, 1, 3, 5, 1)).widths == (2, 4, 5, 1)
