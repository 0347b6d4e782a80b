from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dmdoc.errors import AdapterError
from dmdoc.memory.adapter import AttentionSizes, DeltaMemAdapter, DeltaMemConfig, is_of_reading
from dmdoc.memory.reading_file import RANK, READING_WEIGHTS, load_reading, save_reading

SIZES = [AttentionSizes(hidden=96, q=80, k=8, v=8, o=96)] * 2
CONFIG = DeltaMemConfig(rank=32, num_state_heads=2, delta_o_rmsnorm=True, trainable_delta_scale=True)


def random_adapter(seed: int, config: DeltaMemConfig = CONFIG) -> DeltaMemAdapter:
    torch.manual_seed(seed)
    adapter = DeltaMemAdapter(config, SIZES)
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter)
    return adapter.requires_grad_(False).eval()


def trained(adapter: DeltaMemAdapter, rank: int) -> DeltaMemAdapter:
    """Reads otherwise than `adapter`, by so many directions a matrix, and writes otherwise, too."""
    other = random_adapter(1, adapter.config)
    for key, own in adapter.state_dict().items():
        changed = other.state_dict()[key]
        if own.ndim == 2 and is_of_reading(key):
            changed.copy_(own + changed[:, :rank] @ torch.randn(rank, own.shape[1]))
    return other


@pytest.fixture
def adapter() -> DeltaMemAdapter:
    return random_adapter(0)


@pytest.fixture
def path(adapter: DeltaMemAdapter, tmp_path: Path) -> Path:
    save_reading(trained(adapter, RANK), adapter, tmp_path / READING_WEIGHTS["evidence"])
    return tmp_path / READING_WEIGHTS["evidence"]


def test_what_was_trained_to_read_is_loaded_and_nothing_else(adapter: DeltaMemAdapter, path: Path) -> None:
    before = {key: tensor.clone() for key, tensor in adapter.state_dict().items()}
    loaded, right = load_reading(path, adapter).state_dict(), trained(adapter, RANK).state_dict()
    for key, own in adapter.state_dict().items():
        assert torch.equal(own, before[key])
        if is_of_reading(key):
            assert loaded[key].dtype == own.dtype
            assert not torch.allclose(loaded[key], own, atol=0.1)
            assert torch.allclose(loaded[key], right[key], rtol=0.02, atol=0.1), key
        else:
            assert loaded[key].data_ptr() == own.data_ptr()
    assert {tensor.dtype for tensor in load_file(path).values()} == {torch.bfloat16}


def test_of_more_directions_the_strongest_are_kept(adapter: DeltaMemAdapter, tmp_path: Path) -> None:
    more = trained(adapter, RANK + 6)
    save_reading(more, adapter, tmp_path / READING_WEIGHTS["evidence"])
    loaded = load_reading(tmp_path / READING_WEIGHTS["evidence"], adapter)
    key = "layers.0.memory_q_proj"
    own, right, found = (each.state_dict()[key] for each in (adapter, more, loaded))
    left_out = torch.linalg.svdvals(right - own)[RANK:].norm()
    assert left_out > 1
    assert (found - right).norm() == pytest.approx(float(left_out), rel=0.1)


def test_it_takes_the_type_of_the_adapter(adapter: DeltaMemAdapter, path: Path) -> None:
    loaded = load_reading(path, adapter.to(torch.bfloat16))
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.bfloat16}
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


NAME = "model.layers.1.self_attn.delta_o_proj"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda given: given.pop(f"{NAME}.up"), f"lacks the tensor {NAME}.up"),
        (lambda given: given.update(another=torch.zeros(1)), "'another' has no place in this adapter"),
        (
            lambda given: given.update({f"{NAME}.down": torch.zeros(3, 64)}),
            r"is \[3, 64\], but .* needs \[44, 64\]",
        ),
        (lambda given: given[f"{NAME}.down"].fill_(torch.nan), "no finite number"),
        (
            lambda given: given.update({"\x1b[31m\n" * 99: torch.zeros(1)}),
            r"'\\x1b\[31m.{,160}' has no place",
        ),
        *(
            (
                lambda given, dtype=dtype: given.update({f"{NAME}.up": torch.zeros(96, RANK, dtype=dtype)}),
                "no finite number",
            )
            for dtype in (torch.int8, torch.float8_e4m3fn)
        ),
        (
            lambda given: given.update(
                {f"{NAME}.up": torch.full((96, RANK), 3e30), f"{NAME}.down": torch.full((RANK, 64), 3e30)}
            ),
            "no finite number",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    adapter: DeltaMemAdapter, path: Path, change: Callable[[dict[str, Tensor]], object], said: str
) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    with pytest.raises(AdapterError, match=said) as raised:
        load_reading(path, adapter)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("damage", [lambda _: b"", lambda _: b"\xff" * 64, lambda whole: whole[:-1]])
def test_a_damaged_file_is_named(
    adapter: DeltaMemAdapter, path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(AdapterError, match=r"evidence\.safetensors is damaged") as raised:
        load_reading(path, adapter)
    assert "\n" not in str(raised.value)
