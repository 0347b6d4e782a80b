"""Adapters on disk: the public format (`.pt`) and ours, which is the same configuration with safetensors.

A folder holds `delta_mem_config.json` (adapter_config.py) and `adapter.safetensors` or `delta_mem_adapter.pt`.
"""

import hashlib
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dmdoc.errors import AdapterError
from dmdoc.memory.adapter import AttentionSizes, DeltaMemAdapter
from dmdoc.memory.adapter_config import CONFIG_FILE, read_config, what_an_adapter_is, write_config
from dmdoc.memory.state_header import Identity

PUBLIC_WEIGHTS = "delta_mem_adapter.pt"
OUR_WEIGHTS = "adapter.safetensors"

_UNUSED_HEAD = re.compile(r"^delta_[qkvo]_proj$")
_LAYER_KEY = re.compile(r"^model\.layers\.(\d+)\.self_attn\.(\w+)$")


def load_adapter(
    folder: Path, *, name: str, sizes: Sequence[AttentionSizes], device: torch.device | str = "cpu"
) -> tuple[DeltaMemAdapter, Identity]:
    """The adapter in `folder`, fitted to a backbone whose attention layers have `sizes`, float32 and frozen.

    Raises:
        AdapterError: not an adapter; a PEFT adapter; a retired field is set; a tensor is missing, unknown or does not
            fit the backbone.
    """
    config = read_config(folder)
    tensors, sha256 = _read_weights(folder)
    with torch.device("meta"):  # the file has every weight: nothing needs to be initialised
        adapter = DeltaMemAdapter(config, sizes)
    own = _to_own_names(tensors, adapter, folder)
    expected = adapter.state_dict()
    for key, tensor in expected.items():
        if key not in own:
            raise AdapterError(f"{folder}: the adapter lacks the tensor {public_name(key, adapter)}")
        if own[key].shape != tensor.shape:
            raise AdapterError(
                f"{folder}: {public_name(key, adapter)} is {list(own[key].shape)}, but this backbone needs "
                f"{list(tensor.shape)}; the adapter was trained for another model"
            )
        if not own[key].isfinite().all():
            raise AdapterError(f"{folder}: {public_name(key, adapter)} holds numbers that are not finite")
    adapter.load_state_dict(own, assign=True)
    adapter.to(device=device, dtype=torch.float32).requires_grad_(False).eval()
    return adapter, Identity(name=name, sha256=sha256, older=config.reads_states_of)


def save_adapter(adapter: DeltaMemAdapter, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
    """Write configuration and weights to `folder` under the public tensor names."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        public_name(key, adapter): tensor.detach().to("cpu", dtype).contiguous()
        for key, tensor in adapter.state_dict().items()
    }
    save_file(tensors, folder / OUR_WEIGHTS, metadata={"format": "pt"})
    write_config(adapter.config, folder)


def _read_weights(folder: Path) -> tuple[dict[str, Tensor], str]:
    ours, public = folder / OUR_WEIGHTS, folder / PUBLIC_WEIGHTS
    path = ours if ours.is_file() else public
    if not path.is_file():
        raise AdapterError(f"{folder} has neither {OUR_WEIGHTS} nor {PUBLIC_WEIGHTS}")
    try:
        loaded = load_file(path) if path == ours else _load_public(path)
    except Exception as error:  # a damaged file can fail anywhere inside the libraries, in any way
        reason = (str(error).splitlines() or ["it ends too early"])[0]
        raise AdapterError(f"{path} is damaged or not a weights file: {reason}") from error
    if not isinstance(loaded, dict) or not all(isinstance(tensor, Tensor) for tensor in loaded.values()):
        raise AdapterError(f"{path} must hold a dictionary of tensors")
    digest = hashlib.sha256(what_an_adapter_is(folder))
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return loaded, digest.hexdigest()


def _load_public(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about old ways of pickling, which are refused or read all the same
        return torch.load(path, map_location="cpu", weights_only=True)


def _to_own_names(tensors: Mapping[str, Tensor], adapter: DeltaMemAdapter, folder: Path) -> dict[str, Tensor]:
    """Public names to those of `DeltaMemAdapter`; corrections that the config leaves out must be zero or absent."""
    own: dict[str, Tensor] = {}
    expected = set(adapter.state_dict())
    for name, tensor in tensors.items():
        match = _LAYER_KEY.match(name)
        if match is None:
            lora = " (it looks like a PEFT LoRA, which is another kind of adapter)" if "lora" in name else ""
            raise AdapterError(f"{folder}: {name} is not a δ-mem tensor{lora}")
        layer, parameter = int(match[1]), match[2]
        if layer not in adapter.layer_indices:
            raise AdapterError(
                f"{folder}: {name} is for layer {layer}, which this backbone or its config does not have"
            )
        key = f"layers.{adapter.layer_indices.index(layer)}.{parameter}"
        if key in expected:
            own[key] = tensor
        elif not (_UNUSED_HEAD.match(parameter) and not tensor.any()):
            raise AdapterError(f"{folder}: {name} has no place in an adapter with this {CONFIG_FILE}")
    return own


def public_name(key: str, adapter: DeltaMemAdapter) -> str:
    """What a parameter of `adapter` is called in files."""
    _, position, parameter = key.split(".")
    return f"model.layers.{adapter.layer_indices[int(position)]}.self_attn.{parameter}"
