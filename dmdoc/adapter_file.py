"""Adapters on disk: the public format (`.pt`) and ours, which is the same configuration with safetensors.

A folder holds `delta_mem_config.json` and `adapter.safetensors` or `delta_mem_adapter.pt`. What dmdoc adds to the
configuration (how the adapter was trained to be fed, how likely its supported answers are) sits under one
key, `dmdoc`, absent from published files.
"""

import hashlib
import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dmdoc.adapter import AttentionSizes, DeltaMemAdapter, DeltaMemConfig
from dmdoc.atomic_file import write_atomically
from dmdoc.errors import AdapterError
from dmdoc.state_file import Identity

CONFIG_FILE = "delta_mem_config.json"
PUBLIC_WEIGHTS = "delta_mem_adapter.pt"
OUR_WEIGHTS = "adapter.safetensors"

_FEEDING = ("corrects_while_writing", "write_layout", "write_budget", "evidenced_tokens")
"""The fields of DeltaMemConfig that the public format lacks."""

_THRESHOLD = "support_threshold"
"""Measured after training, so it is no part of what the adapter is: its identity does not depend on it."""

_SHAPING = frozenset(field.name for field in fields(DeltaMemConfig)) - frozenset(_FEEDING)
"""The fields that it has."""

_INITIAL_ONLY = frozenset({"output_init", "output_init_scale", "base_slice_ref_width", "online_gain"})
"""Public fields that shape an untrained adapter and mean nothing for a trained one."""

RETIRED_FIELDS: Mapping[str, object] = {
    "num_memory_partitions": 1,
    "num_global_memory_partitions": 0,
    "memory_partition_routing": "soft",
    "memory_partition_basis": "shared",
    "tie_memory_partition_read_write": False,
    "memory_partition_read_mode": "softmax",
    "memory_partition_sigmoid_gate_bias_init": -2.0,
    "slot_read_top_k": 0,
    "global_memory_mode": "shared_rw",
    "global_memory_read_top_k": 0,
    "global_memory_merge_mode": "gated_residual",
    "global_memory_gate_bias_init": -2.0,
    "global_memory_read_logit_bias": 0.0,
    "memory_reader_layers": [],
    "memory_reader_hidden_size": 1024,
    "memory_reader_residual_scale": 0.1,
    "memory_reader_read_only": True,
    "memory_readout_mode": "delta",
    "memory_write_source": "learned_hidden",
    "memory_write_proposals_per_message": 2,
    "synthetic_memory_slots": 1,
    "latent_memory_layers": [],
    "latent_memory_hidden_size": 1024,
    "latent_memory_residual_scale": 0.1,
    "latent_memory_slots": 4,
    "latent_memory_init_std": 0.002,
    "latent_gate_init": 0.01,
    "target_modules": ["self_attn"],
    "delta_scale_parameterization": "alpha_over_rank",
}
"""Public fields that have one legal value: anything else asks for code that no released adapter uses."""

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
            raise AdapterError(f"{folder}: the adapter lacks the tensor {_public_name(key, adapter)}")
        if own[key].shape != tensor.shape:
            raise AdapterError(
                f"{folder}: {_public_name(key, adapter)} is {list(own[key].shape)}, but this backbone needs "
                f"{list(tensor.shape)}; the adapter was trained for another model"
            )
        if not own[key].isfinite().all():
            raise AdapterError(f"{folder}: {_public_name(key, adapter)} holds numbers that are not finite")
    adapter.load_state_dict(own, assign=True)
    adapter.to(device=device, dtype=torch.float32).requires_grad_(False).eval()
    return adapter, Identity(name=name, sha256=sha256)


def save_adapter(adapter: DeltaMemAdapter, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
    """Write configuration and weights to `folder` under the public tensor names."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        _public_name(key, adapter): tensor.detach().to("cpu", dtype).contiguous()
        for key, tensor in adapter.state_dict().items()
    }
    save_file(tensors, folder / OUR_WEIGHTS, metadata={"format": "pt"})
    values = {field.name: getattr(adapter.config, field.name) for field in fields(DeltaMemConfig)}
    document = {key: value for key, value in values.items() if key in _SHAPING}
    document["dmdoc"] = {key: values[key] for key in _FEEDING}
    (folder / CONFIG_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read_config(folder: Path) -> DeltaMemConfig:
    """The configuration of the adapter in `folder`.

    Raises:
        AdapterError: there is none, it is a PEFT adapter, or a field is unknown, retired or wrong.
    """
    return parse_config(_read_raw(folder))


def read_support_threshold(folder: Path) -> float | None:
    """The least log-likelihood of a supported answer, in nats a token; None if nobody has calibrated the adapter.

    Raises:
        AdapterError: it is not a number.
    """
    threshold = _read_raw(folder).get("dmdoc", {}).get(_THRESHOLD)
    if threshold is not None and (type(threshold) not in (int, float) or not math.isfinite(threshold)):
        raise AdapterError(f"adapter config: dmdoc.{_THRESHOLD} must be a number, got {threshold!r}")
    return None if threshold is None else float(threshold)


def write_support_threshold(folder: Path, threshold: float) -> None:
    """Keep what was calibrated in the configuration of the adapter in `folder`; all else stays as it is.

    Raises:
        AdapterError: there is no adapter.
        OSError: the folder cannot be written.
    """
    raw = _read_raw(folder)
    raw["dmdoc"] = {**raw.get("dmdoc", {}), _THRESHOLD: threshold}
    write_atomically(folder / CONFIG_FILE, (json.dumps(raw, indent=2) + "\n").encode())


def parse_config(raw: Mapping[str, Any]) -> DeltaMemConfig:
    """A configuration from its public fields and our `dmdoc` object.

    Raises:
        AdapterError: a field is unknown, retired or wrong.
    """
    ours = raw.get("dmdoc", {})
    values = {key: value for key, value in ours.items() if key in _FEEDING}
    unknown = [f"dmdoc.{key}" for key in ours if key not in (*_FEEDING, _THRESHOLD)]
    for key, value in raw.items():
        if key in _SHAPING:
            values[key] = value
        elif key in RETIRED_FIELDS:
            if value != RETIRED_FIELDS[key]:
                raise AdapterError(
                    f"adapter config: the retired field {key} is {value!r}; only {RETIRED_FIELDS[key]!r} works"
                )
        elif key not in _INITIAL_ONLY | {"dmdoc"}:
            unknown.append(key)
    if unknown:
        raise AdapterError(
            f"adapter config: unknown field {unknown[0]}; this is not a δ-mem adapter that dmdoc can read"
        )
    return DeltaMemConfig(**{key: _checked(key, value) for key, value in values.items()})


def _read_raw(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        if (folder / "adapter_config.json").is_file():
            raise AdapterError(
                f"{folder} is a PEFT adapter; dmdoc needs a δ-mem adapter ({CONFIG_FILE}), which cannot be merged"
            )
        raise AdapterError(f"{folder} is not a δ-mem adapter: it has no {CONFIG_FILE}")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AdapterError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("dmdoc", {}), dict):
        raise AdapterError(f"{path} must hold one JSON object")
    return raw


def _checked(key: str, value: Any) -> Any:
    """`value` if it has the type of the field's default; lists become tuples, integers pass as floats."""
    example = getattr(DeltaMemConfig, key)
    if isinstance(example, tuple):
        kind = str if key == "delta_heads" else int
        if not isinstance(value, list) or not all(type(item) is kind for item in value):
            raise AdapterError(f"adapter config: {key} must be a list of {kind.__name__}, got {value!r}")
        return tuple(value)
    if isinstance(example, float) and type(value) is int:
        return float(value)
    if type(value) is not type(example):
        raise AdapterError(f"adapter config: {key} must be {type(example).__name__}, got {value!r}")
    return value


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
    digest = hashlib.sha256(_without_threshold(_read_raw(folder)))
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return loaded, digest.hexdigest()


def _without_threshold(raw: Mapping[str, Any]) -> bytes:
    ours = {key: value for key, value in raw.get("dmdoc", {}).items() if key != _THRESHOLD}
    return json.dumps({**raw, "dmdoc": ours}, sort_keys=True).encode()


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


def _public_name(key: str, adapter: DeltaMemAdapter) -> str:
    _, position, parameter = key.split(".")
    return f"model.layers.{adapter.layer_indices[int(position)]}.self_attn.{parameter}"
