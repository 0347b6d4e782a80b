import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from dmdoc.memory.rounding import kept_bytes, rounded
from dmdoc.memory.state import MemoryState

NUMBERS = some.lists(some.floats(-(2.0**99), 2.0**99, width=32), min_size=16, max_size=16)


@settings(deadline=None)
@given(NUMBERS)
def test_rounding_again_changes_nothing(numbers: list[float]) -> None:
    state = MemoryState((torch.tensor(numbers).view(2, 2, 2, 2),))
    once = rounded(state)
    assert once.equals(rounded(once))
    largest = state.layers[0].abs().amax((2, 3), keepdim=True)
    assert bool(((once.layers[0] - state.layers[0]).abs() <= largest * 0.00395 + 1e-44).all())


def test_each_head_of_each_text_has_steps_of_its_own() -> None:
    layer = torch.tensor([1.0, 1000.0]).view(2, 1, 1, 1) * torch.tensor([1.0, 0.5]).view(1, 1, 1, 2).expand(
        2, 1, 2, 2
    )
    found = rounded(MemoryState((layer,))).layers[0]
    assert torch.allclose(found, layer, rtol=0.01)
    assert kept_bytes(MemoryState((layer,))) == 8 + 2 * 4
