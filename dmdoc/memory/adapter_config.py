"""The configuration of an adapter on disk: `delta_mem_config.json`, as it is published, and what dmdoc adds to it.

That (how the adapter was trained to be fed, how likely its supported answers are) sits under one key, `dmdoc`, absent
from published files. Knows nothing about weights.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from dmdoc.errors import AdapterError
from dmdoc.memory.adapter import DeltaMemConfig

CONFIG_FILE = "delta_mem_config.json"

OUR_FIELDS = (
    "shifts_keys",
    "traces_keys",
    "corrects_while_writing",
    "write_layout",
    "write_budget",
    "evidenced_tokens",
    "reads_states_of",
)
"""The fields of DeltaMemConfig that the public format lacks."""

_THRESHOLD = "support_threshold"
"""Measured after training by earlier versions and read no more. The identity of an adapter never depended on it."""

_SHAPING = frozenset(field.name for field in fields(DeltaMemConfig)) - frozenset(OUR_FIELDS)
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


def read_config(folder: Path) -> DeltaMemConfig:
    """The configuration of the adapter in `folder`.

    Raises:
        AdapterError: there is none, it is a PEFT adapter, or a field is unknown, retired or wrong.
    """
    return parse_config(_read_raw(folder))


def write_config(config: DeltaMemConfig, folder: Path) -> None:
    """Write the configuration of a new adapter."""
    values = {field.name: getattr(config, field.name) for field in fields(DeltaMemConfig)}
    document = {key: value for key, value in values.items() if key in _SHAPING}
    document["dmdoc"] = {key: values[key] for key in OUR_FIELDS if values[key] != ()}
    (folder / CONFIG_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def what_an_adapter_is(folder: Path) -> bytes:
    """The configuration without what was measured afterwards: the part of an adapter's identity that is no weight.

    Raises:
        AdapterError: there is no configuration.
    """
    raw = _read_raw(folder)
    ours = {key: value for key, value in raw.get("dmdoc", {}).items() if key != _THRESHOLD}
    return json.dumps({**raw, "dmdoc": ours}, sort_keys=True).encode()


def parse_config(raw: Mapping[str, Any]) -> DeltaMemConfig:
    """A configuration from its public fields and our `dmdoc` object.

    Raises:
        AdapterError: a field is unknown, retired or wrong.
    """
    ours = raw.get("dmdoc", {})
    values = {key: value for key, value in ours.items() if key in OUR_FIELDS}
    unknown = [f"dmdoc.{key}" for key in ours if key not in (*OUR_FIELDS, _THRESHOLD)]
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
        kind = int if key == "target_layers" else str
        if not isinstance(value, list) or not all(type(item) is kind for item in value):
            raise AdapterError(f"adapter config: {key} must be a list of {kind.__name__}, got {value!r}")
        return tuple(value)
    if isinstance(example, float) and type(value) is int:
        return float(value)
    if type(value) is not type(example):
        raise AdapterError(f"adapter config: {key} must be {type(example).__name__}, got {value!r}")
    return value
