"""How an adapter reads in one recall mode: a file of its own beside its weights, such as `evidence.safetensors`.

Queries and corrections that were trained for that mode. Of each matrix W the file has two factors of what is added
to it, W + up · down; whatever is no matrix it has as it is. Keys, values and gates are the adapter's own, and with
them all states. The file is no part of what an adapter is: what was written without it can be read with it.
"""

from copy import deepcopy
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from dmdoc.errors import AdapterError
from dmdoc.memory.adapter import DeltaMemAdapter, is_of_reading
from dmdoc.memory.adapter_file import public_name

READING_WEIGHTS = {"spans": "spans.safetensors", "evidence": "evidence.safetensors"}
"""The files' names, by the recall modes that they are for."""

RANK = 44
"""The most columns of `up` and rows of `down`: the directions that are left out add least."""


def load_reading(path: Path, adapter: DeltaMemAdapter) -> DeltaMemAdapter:
    """`adapter` as it reads with the file: a new one, which shares all other weights with it.

    Raises:
        AdapterError: the file is damaged, or was made for another adapter.
    """
    try:
        with safe_open(path, "pt") as file:
            given = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except Exception as error:  # a damaged file can fail anywhere inside the library, in any way
        reason = (str(error).splitlines() or ["it ends too early"])[0]
        raise AdapterError(f"{path} is damaged or not a weights file: {reason}") from error
    weights: dict[str, Tensor] = {}
    for key, own in adapter.state_dict().items():
        if not is_of_reading(key):
            continue
        name = public_name(key, adapter)
        if own.ndim == 1:
            weights[key] = _taken(given, name, own.shape, path).to(own)
            continue
        rank = min(RANK, *own.shape)
        up = _taken(given, f"{name}.up", (len(own), rank), path)
        down = _taken(given, f"{name}.down", (rank, own.shape[1]), path)
        weights[key] = own + (up.float() @ down.float()).to(own)
    if given:
        raise AdapterError(f"{path}: {min(given)} has no place in this adapter")
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


def _taken(given: dict[str, Tensor], name: str, shape: tuple[int, ...], path: Path) -> Tensor:
    """The tensor of that name, which `given` has no more.

    Raises:
        AdapterError: it is missing, has another shape, or holds what is no finite number.
    """
    tensor = given.pop(name, None)
    if tensor is None:
        raise AdapterError(f"{path} lacks the tensor {name}")
    if tensor.shape != shape:
        raise AdapterError(
            f"{path}: {name} is {list(tensor.shape)}, but this adapter needs {list(shape)}; "
            "the file was made for another adapter"
        )
    if not tensor.is_floating_point() or not tensor.isfinite().all():
        raise AdapterError(f"{path}: {name} holds what is no finite number")
    return tensor
