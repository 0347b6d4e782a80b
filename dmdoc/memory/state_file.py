"""The states of a document's sections as one .safetensors file whose header says what wrote them.

A number takes a byte (rounding.py); version 2 kept float32 numbers, and is read as it is. Version 4 has vectors of the
texts' tokens behind the states (token_vectors.py); where there are none, version 3 is written.
Knows nothing about documents, models or where the file lies. torch is imported only to load tensors, so
that reading a header costs nothing. The container is written by hand because the safetensors library orders
metadata at random, and the same state must give the same bytes; any safetensors reader opens the result.
"""

import hashlib
import io
import json
import os
import struct
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dmdoc.atomic_file import PRIVATE, write_atomically
from dmdoc.errors import StateFileError, StateShapeError, StateVersionError
from dmdoc.memory.state_header import READ_AGAIN, StateHeader
from dmdoc.memory.vectors_file import pack_vectors, parse_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from dmdoc.memory.state import MemoryState

FORMAT = "dmdoc-state"
VERSION = 4
_WITHOUT_VECTORS = 3
_OLDEST_READ = 2

VECTORS = "vectors"
"""The tensor of all vectors, and what metadata say of it."""

_LARGEST_PREAMBLE = (
    16_000_000  # bytes; a million sections take that, so a larger claim is a file of another kind
)


def save_state(path: Path, state: "MemoryState", header: StateHeader) -> None:
    """Write one document's states, a section a row, rounded, atomically, to a file that only its owner reads.

    Raises:
        StateShapeError: as `pack_state`.
        StateFileError: the file cannot be written.
    """
    content = pack_state(state, header)
    try:
        write_atomically(path, content, mode=PRIVATE)
    except OSError as error:
        raise StateFileError(
            f"cannot write {path}: {error.strerror or error}; check its folder and its disk"
        ) from error


def pack_state(state: "MemoryState", header: StateHeader) -> bytes:
    """The bytes of a state file; the same states, rounded or not, always give the same ones.

    Raises:
        StateShapeError: there are more or fewer states than sections in the header.
    """
    if state.batch != len(header.sections):
        raise StateShapeError(
            f"a state file holds a state for each section of its header, got {state.batch} states "
            f"for {len(header.sections)} sections"
        )
    from dmdoc.memory.rounding import to_bytes

    pairs = [to_bytes(layer.cpu()) for layer in state.layers]
    blobs = [size.numpy().astype("<f4").tobytes() for size, _ in pairs]
    blobs += [steps.contiguous().numpy().tobytes() for _, steps in pairs]
    shape = list(state.layers[0].shape)  # [sections, heads, rank, rank]
    version = _WITHOUT_VECTORS if state.vectors is None else VERSION
    metadata = {"format": FORMAT, "version": str(version), "header": header.to_json()}
    table = _tensor_table(version, shape, len(pairs))
    if state.vectors is not None:
        metadata[VECTORS], whole = pack_vectors(state.vectors)
        _append(table, VECTORS, list(whole.shape))
        blobs.append(whole.numpy().tobytes())
    metadata["sha256"] = _digest(metadata["header"], shape, blobs, metadata.get(VECTORS, ""))
    preamble = {"__metadata__": metadata, **table}
    encoded = json.dumps(preamble, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)  # the format asks that tensors start on a multiple of 8 bytes
    return struct.pack("<Q", len(encoded)) + encoded + b"".join(blobs)


def read_state(path: Path) -> "tuple[MemoryState, StateHeader]":
    """The states, a section a row, on the CPU, and their header. Checks format, then version, then integrity.

    Raises:
        StateFileError: not a dmdoc state, truncated, altered, or unreadable.
        StateVersionError: written by a newer dmdoc, or by one from before sections.
    """
    return _states(path, *_read(path, tensors=True))


def unpack_state(content: bytes, path: Path) -> "tuple[MemoryState, StateHeader]":
    """What `pack_state` packed, as `read_state`; the path is what the errors name."""
    return _states(path, *_read_open(path, io.BytesIO(content), tensors=True))


def _states(path: Path, preamble: dict[str, Any], data: bytes) -> "tuple[MemoryState, StateHeader]":
    from dmdoc.memory.state import MemoryState

    metadata = preamble.pop("__metadata__")
    header = _parse_header(path, metadata)
    try:
        version, shape = int(metadata["version"]), [int(size) for size in preamble["layers.0"]["shape"]]
        # [sections, heads, rank, rank]
        if len(shape) != 4 or min(shape) < 1 or shape[2] != shape[3] or shape[0] != len(header.sections):
            raise _altered(path)
        layers = sum(name.startswith("layers.") for name in preamble)
        expected, kept = _tensor_table(version, shape, layers), None
        if version > _WITHOUT_VECTORS:
            kept = parse_vectors(metadata[VECTORS], shape[0])
            _append(expected, VECTORS, kept.shape)
        if preamble != expected:
            raise _altered(path)
        blobs = [data[slice(*table["data_offsets"])] for table in expected.values()]
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _altered(path) from error
    if metadata.get("sha256") != _digest(metadata["header"], shape, blobs, metadata.get(VECTORS, "")):
        raise _altered(path)
    vectors = None if kept is None else kept.unpack(blobs.pop())
    found = tuple(_layers(version, shape, blobs))
    if not all(
        layer.isfinite().all() for layer in found
    ):  # whoever wrote them: nothing can be read from them
        raise _altered(path)
    return MemoryState(found, vectors), header


def _layers(version: int, shape: list[int], blobs: list[bytes]) -> "Iterator[Tensor]":
    import numpy
    import torch

    from dmdoc.memory.rounding import from_bytes

    def floats(blob: bytes, shape: list[int]) -> "Tensor":
        return torch.from_numpy(numpy.frombuffer(blob, "<f4").astype(numpy.float32).reshape(shape))

    if version == _OLDEST_READ:
        yield from (floats(blob, shape) for blob in blobs)
        return
    half = len(blobs) // 2
    for size, steps in zip(blobs[:half], blobs[half:], strict=True):
        whole = torch.from_numpy(numpy.frombuffer(steps, numpy.int8).reshape(shape).copy())
        yield from_bytes(floats(size, shape[:2]), whole)


def read_header(path: Path) -> StateHeader:
    """The header alone: no tensor is read, so an altered tensor goes unnoticed here; a missing byte does not.

    Raises:
        StateFileError, StateVersionError: as `read_state`.
    """
    preamble, _ = _read(path, tensors=False)
    return _parse_header(path, preamble["__metadata__"])


def _tensor_table(version: int, shape: list[int], layers: int) -> dict[str, Any]:
    """The safetensors description of the tensors of so many layers, one after the other: first how much steps are."""
    kinds = [("layers", "F32", shape, 4)]
    if version > _OLDEST_READ:
        kinds = [("sizes", "F32", shape[:2], 4), ("layers", "I8", shape, 1)]
    table, end = dict[str, Any](), 0
    for name, dtype, each, width in kinds:
        for layer in range(layers):
            start, end = end, end + width * prod(each)
            table[f"{name}.{layer}"] = {"dtype": dtype, "shape": each, "data_offsets": [start, end]}
    return table


def _append(table: dict[str, Any], name: str, shape: list[int]) -> None:
    """One more tensor of bytes, behind all others."""
    start = max(each["data_offsets"][1] for each in table.values())
    table[name] = {"dtype": "I8", "shape": shape, "data_offsets": [start, start + prod(shape)]}


def _digest(header: str, shape: list[int], blobs: list[bytes], vectors: str) -> str:
    """One hash over all that a state is: header, shape, and the bytes of its tensors in layer order."""
    said = [header, len(blobs), shape, *([vectors] if vectors else [])]
    digest = hashlib.sha256(json.dumps(said).encode())
    for blob in blobs:
        digest.update(blob)
    return digest.hexdigest()


def _read(path: Path, *, tensors: bool) -> tuple[dict[str, Any], bytes]:
    """The checked safetensors preamble and, if asked for, the bytes after it."""
    try:
        with path.open("rb") as file:
            return _read_open(path, file, tensors=tensors)
    except OSError as error:
        raise StateFileError(
            f"cannot read {path}: {error.strerror or error}; {READ_AGAIN} if it is lost"
        ) from error


def _read_open(path: Path, file: BinaryIO, *, tensors: bool) -> tuple[dict[str, Any], bytes]:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(9)
    if len(start) < 9:
        raise _truncated(path, "at least 9", size)
    (length,) = struct.unpack("<Q", start[:8])
    if not 1 <= length <= _LARGEST_PREAMBLE or start[8:] != b"{":
        raise _foreign(path)
    if size < 8 + length:
        raise _truncated(path, f"at least {8 + length}", size)
    try:
        preamble = json.loads(start[8:] + file.read(length - 1))
        metadata = preamble["__metadata__"]
        ours, version = metadata["format"] == FORMAT, int(metadata["version"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise _foreign(path) from error
    if not ours:
        raise _foreign(path)
    if version > VERSION:
        raise StateVersionError(f"{path} was written by a newer dmdoc (format {version}); upgrade dmdoc")
    if version < _OLDEST_READ:
        raise StateVersionError(f"{path} was written by an older dmdoc (format {version}); {READ_AGAIN}")
    try:
        end = max(int(table["data_offsets"][1]) for name, table in preamble.items() if name != "__metadata__")
    except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise _altered(path) from error
    if size < 8 + length + end:
        raise _truncated(path, str(8 + length + end), size)
    if size > 8 + length + end:
        raise _altered(path)
    return preamble, file.read() if tensors else b""


def _parse_header(path: Path, metadata: dict[str, Any]) -> StateHeader:
    try:
        return StateHeader.from_json(metadata["header"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _altered(path) from error


def _foreign(path: Path) -> StateFileError:
    return StateFileError(f"{path} is not a dmdoc state; {READ_AGAIN} to replace it")


def _truncated(path: Path, expected: str, got: int) -> StateFileError:
    return StateFileError(f"{path} is truncated: expected {expected} bytes, got {got}; {READ_AGAIN}")


def _altered(path: Path) -> StateFileError:
    return StateFileError(f"{path} was altered: its content does not match its checksum; {READ_AGAIN}")
