import pytest
import torch

from dmdoc.errors import StateShapeError
from dmdoc.memory.state import MemoryState


def random_state(
    layers: int = 3, heads: int = 2, rank: int = 4, *, batch: int = 1, seed: int = 0
) -> MemoryState:
    generator = torch.Generator().manual_seed(seed)
    return MemoryState(
        tuple(torch.randn(batch, heads, rank, rank, generator=generator) for _ in range(layers))
    )


def test_zeros_have_read_nothing() -> None:
    state = MemoryState.zeros(3, 2, 4, batch=5)
    assert state.shape == (3, 5, 2, 4)
    assert state.batch == 5
    assert state.device == torch.device("cpu")
    assert all(layer.dtype == torch.float32 and not layer.any() for layer in state.layers)


def test_zero_layers_do_not_share_memory() -> None:
    first, second = MemoryState.zeros(2, 1, 4).layers
    first += 1
    assert not second.any()


def test_numbers_counts_one_document() -> None:
    assert MemoryState.zeros(36, 1, 8).numbers == 2304
    assert MemoryState.zeros(36, 1, 8, batch=7).numbers == 2304


@pytest.mark.parametrize(
    "layers",
    [
        (),
        (torch.zeros(1, 1, 4, 4, dtype=torch.float64),),
        (torch.zeros(1, 1, 4, 4, dtype=torch.bfloat16),),
        (torch.zeros(1, 4, 4),),
        (torch.zeros(1, 1, 4, 5),),
        (torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 8, 8)),
        (torch.zeros(1, 1, 4, 4), torch.zeros(2, 1, 4, 4)),
        (torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4, device="meta")),
    ],
    ids=["none", "float64", "bfloat16", "no batch", "not square", "two ranks", "two batches", "two devices"],
)
def test_a_state_of_another_kind_is_refused(layers: tuple[torch.Tensor, ...]) -> None:
    with pytest.raises(StateShapeError) as caught:
        MemoryState(layers)
    assert "\n" not in str(caught.value)


def test_the_refusal_names_the_layer() -> None:
    with pytest.raises(StateShapeError, match=r"layer 1 is \[1, 1, 8, 8\]"):
        MemoryState((torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 8, 8)))


def test_a_state_is_frozen() -> None:
    with pytest.raises(AttributeError):
        random_state().layers = ()  # type: ignore[misc]


def test_equals_is_bit_for_bit() -> None:
    state = random_state()
    assert state.equals(random_state())
    assert not state.equals(random_state(seed=1))
    assert not state.equals(random_state(layers=2))
    changed = list(state.layers)
    changed[2] = torch.nextafter(changed[2], torch.full_like(changed[2], 1e9))
    assert not state.equals(MemoryState(tuple(changed)))


def test_to_moves_every_layer() -> None:
    assert random_state().to("meta").device == torch.device("meta")
    assert random_state().to("cpu").equals(random_state())


def test_detach_cuts_the_graph() -> None:
    source = torch.ones(1, 1, 4, 4, requires_grad=True)
    state = MemoryState((source * 2,))
    assert state.layers[0].requires_grad
    assert not state.detach().layers[0].requires_grad
    assert state.detach().equals(state)


def test_expand_repeats_one_document_without_copying() -> None:
    state = random_state()
    wide = state.expand(3)
    assert wide.shape == (3, 3, 2, 4)
    for narrow_layer, wide_layer in zip(state.layers, wide.layers, strict=True):
        assert wide_layer.data_ptr() == narrow_layer.data_ptr()
        assert all(torch.equal(row, narrow_layer[0]) for row in wide_layer)


def test_expand_refuses_several_documents() -> None:
    with pytest.raises(StateShapeError, match="this one has batch 2"):
        random_state(batch=2).expand(3)


def test_select_picks_documents_in_order() -> None:
    state = random_state(batch=3)
    picked = state.select(torch.tensor([2, 0, 2]))
    assert picked.batch == 3
    for layer, chosen in zip(state.layers, picked.layers, strict=True):
        assert torch.equal(chosen, torch.stack([layer[2], layer[0], layer[2]]))


def test_select_is_differentiable() -> None:
    layer = torch.ones(2, 1, 4, 4, requires_grad=True)
    picked = MemoryState((layer,)).select(torch.tensor([1, 1]))
    (gradient,) = torch.autograd.grad(picked.layers[0].sum(), layer)
    assert torch.equal(gradient[0], torch.zeros(1, 4, 4))
    assert torch.equal(gradient[1], torch.full((1, 4, 4), 2.0))


def test_states_in_one_batch_keep_their_order() -> None:
    one, three = random_state(seed=1), random_state(batch=3, seed=2)
    both = MemoryState.cat((one, three))
    assert both.batch == 4
    assert both.select(torch.tensor([0])).equals(one)
    assert both.select(torch.tensor([1, 2, 3])).equals(three)


@pytest.mark.parametrize(
    "other",
    [
        random_state(layers=4),
        random_state(heads=1),
        random_state(rank=8),
        MemoryState.zeros(3, 2, 4, device="meta"),
    ],
    ids=["layers", "heads", "rank", "device"],
)
def test_states_of_different_kinds_are_not_one_batch(other: MemoryState) -> None:
    with pytest.raises(StateShapeError, match="states in one batch share"):
        MemoryState.cat((random_state(), other))
