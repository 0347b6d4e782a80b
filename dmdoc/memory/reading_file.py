"""How an adapter reads in one recall mode: a file of its own beside its weights, such as `evidence.safetensors`.

Queries and corrections that were trained for that mode. Of each matrix W the file has two factors of what is added
to it, W + up · down; whatever is no matrix it has as it is. Keys, values and gates are the adapter's own, and with
them all states. The file is no part of what an adapter is: what was written without it can be read with it.
"""

from copy import deepcopy
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from dmdoc.errors import AdapterError
from dmdoc.memory.adapter import DeltaMemAdapter, is_of_reading
from dmdoc.memory.adapter_file import public_name

READING_WEIGHTS: dict[Literal["spans", "evidence"], str] = {
    "spans": "spans.safetensors",
    "evidence": "evidence.safetensors",
}
"""The files' names, by the recall modes that they are for."""

FLOATING = ("BF16", "F16", "F32", "F64")
"""The types of numbers that a file may have."""

MOST_OF_NAME = 80
"""Characters of a strange tensor's name that an error repeats."""

RANK = 44
"""The most columns of `up` and rows of `down`: the directions that are left out add least."""


def load_reading(path: Path, adapter: DeltaMemAdapter) -> DeltaMemAdapter:
    """`adapter` as it reads with the file: a new one, which shares all other weights with it.

    Raises:
        AdapterError: the file is damaged, or was made for another adapter.
    """
    own = {key: tensor for key, tensor in adapter.state_dict().items() if is_of_reading(key)}
    shapes = {
        name: shape
        for key, tensor in own.items()
        for name, shape in _shapes(public_name(key, adapter), tensor).items()
    }
    given = _read(path, shapes)
    weights: dict[str, Tensor] = {}
    for key, tensor in own.items():
        name = public_name(key, adapter)
        if tensor.ndim == 1:
            weights[key] = given[name].to(tensor)
        else:
            weights[key] = tensor + (given[f"{name}.up"].float() @ given[f"{name}.down"].float()).to(tensor)
        if not weights[key].isfinite().all():
            raise AdapterError(f"{path}: {name} holds what is no finite number")
    reading = deepcopy(adapter, {id(parameter): parameter for parameter in adapter.parameters()})
    reading.load_state_dict(weights, strict=False, assign=True)
    return reading.requires_grad_(False)


def save_reading(reading: DeltaMemAdapter, adapter: DeltaMemAdapter, path: Path) -> None:
    """Write what `reading`, of the same shape, has of its own beside `adapter`, in bfloat16."""
    tensors: dict[str, Tensor] = {}
    own = adapter.state_dict()
    for key, trained in reading.state_dict().items():
        if not is_of_reading(key):
            continue
        name = public_name(key, adapter)
        if trained.ndim == 1:
            tensors[name] = trained
            continue
        left, sizes, right = torch.linalg.svd((trained - own[key]).float(), full_matrices=False)
        roots = sizes[:RANK].sqrt()
        tensors[f"{name}.up"] = left[:, :RANK] * roots
        tensors[f"{name}.down"] = roots.unsqueeze(1) * right[:RANK]
    rounded = {
        name: tensor.detach().to("cpu", torch.bfloat16).contiguous() for name, tensor in tensors.items()
    }
    save_file(rounded, path, metadata={"format": "pt"})


def _shapes(name: str, own: Tensor) -> dict[str, tuple[int, ...]]:
    """What the file has of one weight of the adapter: the shapes of its tensors by their names."""
    if own.ndim == 1:
        return {name: tuple(own.shape)}
    rank = min(RANK, *own.shape)
    return {f"{name}.up": (len(own), rank), f"{name}.down": (rank, own.shape[1])}


def _read(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The tensors of a file, which are looked at before one is read.

    Raises:
        AdapterError: the file is damaged, or has others.
    """
    try:
        with safe_open(path, "pt") as file:
            found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
            if missing := sorted(shapes.keys() - found.keys()):
                raise AdapterError(f"{path} lacks the tensor {missing[0]}")
            if others := sorted(found.keys() - shapes.keys()):
                raise AdapterError(f"{path}: {others[0][:MOST_OF_NAME]!r} has no place in this adapter")
            for name, shape in shapes.items():
                if found[name].get_shape() != list(shape):
                    raise AdapterError(
                        f"{path}: {name} is {found[name].get_shape()}, but this adapter needs {list(shape)}; "
                        "the file was made for another adapter"
                    )
                if found[name].get_dtype() not in FLOATING:
                    raise AdapterError(f"{path}: {name} holds what is no finite number")
            return {name: file.get_tensor(name) for name in shapes}
    except AdapterError:
        raise
    except Exception as error:  # a damaged file can fail anywhere inside the library, in any way
        reason = (str(error).splitlines() or ["it ends too early"])[0]
        raise AdapterError(f"{path} is damaged or not a weights file: {reason}") from error
