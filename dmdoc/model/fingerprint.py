"""What tells one frozen model, and one tokenizer, from another: by what they are, not by how a file was written.

A library of another version writes the same model with other keys in config.json, other white space and another
order of tensors; the fingerprint stays the same. Knows nothing about how models are loaded.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dmdoc.errors import BackboneError
from dmdoc.memory.state_header import Identity

SAMPLES = 3
SAMPLE_BYTES = 4 * 1024
"""At the beginning, in the middle and at the end of every tensor."""
LARGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors format
TOKENS = 512
EDGE = 64
"""Tokens of a vocabulary that are looked at: evenly spaced, and at its beginning and its end."""
PROBES = (
    "The quick brown fox didn't jump over 1,234.50 lazy dogs — 'twas 7 o'clock!",
    "  two  spaces\n\nand\ttabs\r\n",
    "Größe, naïve, Łódź, Ελλάδα, Москва, 東京, 서울, العربية, हिन्दी, 👩‍🚀",
    "def f(x): return {'a': [x ** 2 // 3, \"b\"]}  # <tag/> &amp; https://a.b/c?d=1",
)
"""Texts that tokenizers split differently."""


class Tensor(NamedTuple):
    """A tensor of a safetensors file, in whose data it lies from `start` to `end`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    end: int


def model_identity(name: str, folder: Path) -> Identity:
    """
    Raises:
        BackboneError: as `fingerprint_model`.
    """
    return Identity(name, fingerprint_model(folder), older=(model_in_0_1(folder),))


def tokenizer_identity(name: str, folder: Path, tokenizer: Any) -> Identity:
    """Of a loaded tokenizer, which came from the folder."""
    return Identity(name, fingerprint_tokenizer(tokenizer), older=(tokenizer_in_0_1(folder, tokenizer),))


def fingerprint_model(folder: Path) -> str:
    """SHA-256 over what tells two models apart, without reading gigabytes.

    Covered: of config.json what the weights do not show (architecture, attention heads, rotary embedding), and of
    every tensor its name, format, shape and 4 KiB at its beginning, middle and end. This is a fingerprint, not a
    checksum: it tells any two trainings apart, but weights altered by hand between two samples go unnoticed.

    Raises:
        BackboneError: no config.json, no .safetensors file, or one that is damaged.
    """
    digest = hashlib.sha256()
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        digest.update(json.dumps(_architecture(config), sort_keys=True).encode())
        tied = bool(config.get("tie_word_embeddings"))
        tensors = sorted(_tensors(folder))
        for tensor in tensors:
            if not (
                tied and tensor.name == "lm_head.weight"
            ):  # a copy of the embedding, which some versions write
                digest.update(f"{tensor.name} {tensor.dtype} {list(tensor.shape)} ".encode())
                _sample(tensor, digest)
    except FileNotFoundError as error:
        raise BackboneError(f"{folder} is not a model: no {Path(error.filename).name} in it") from error
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise BackboneError(f"{folder} is not a model: {str(error).partition(chr(10))[0]}") from error
    if not tensors:
        raise BackboneError(f"{folder} is not a model: no .safetensors file in it")
    return digest.hexdigest()


def fingerprint_tokenizer(tokenizer: Any) -> str:
    """SHA-256 over what tells two tokenizers apart, as quickly as that of a model.

    Covered: the size of the vocabulary, the tokens at its beginning and end (where control tokens are) and others
    between, how a few texts are split, and the chat template (text, texts by name, or None).
    """
    backend = tokenizer.backend_tokenizer
    size = backend.get_vocab_size()
    ids = sorted(
        {*range(min(EDGE, size)), *range(0, size, max(1, size // TOKENS)), *range(max(0, size - EDGE), size)}
    )
    known = [
        size,
        [backend.id_to_token(token) for token in ids],
        [backend.encode(text, add_special_tokens=False).ids for text in PROBES],
        tokenizer.chat_template,
    ]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _architecture(config: dict[str, Any]) -> dict[str, Any]:
    """What changes the model's arithmetic without changing its weights, whichever keys a version has for it."""
    rotary = config.get("rope_parameters") or {
        "rope_theta": config.get("rope_theta"),
        **(config.get("rope_scaling") or {}),
    }
    rotary = {("rope_type" if key == "type" else key): value for key, value in rotary.items()}
    if rotary.get("rope_type") in (None, "default"):
        rotary = {"rope_theta": rotary.get("rope_theta")}
    return {
        "model_type": config.get("model_type"),
        "num_attention_heads": config.get("num_attention_heads"),
        "hidden_act": config.get("hidden_act"),
        "rms_norm_eps": f"{config.get('rms_norm_eps') or 0:.6g}",  # of some files a float32 that became a float64
        "rotary": rotary,
    }


def _tensors(folder: Path) -> Iterator[Tensor]:
    """The tensors of all .safetensors files: an 8-byte length, a header of that length, then data."""
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        with path.open("rb") as file:
            prefix = file.read(8)
            length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else size
            if length > min(size - 8, LARGEST_HEADER):
                raise BackboneError(f"{path} is damaged: not a safetensors file, or cut off")
            header = json.loads(file.read(length))
        begin = 8 + length
        for name, entry in header.items():
            if name != "__metadata__":
                start, end = entry["data_offsets"]
                if not 0 <= start <= end <= size - begin:
                    raise BackboneError(f"{path} is damaged: {name} is cut off")
                yield Tensor(name, entry["dtype"], tuple(entry["shape"]), path, begin + start, begin + end)


def _sample(tensor: Tensor, digest: "hashlib._Hash") -> None:
    spare = max(0, tensor.end - tensor.start - SAMPLE_BYTES)
    with tensor.file.open("rb") as file:
        for index in range(SAMPLES):
            file.seek(tensor.start + spare * index // (SAMPLES - 1))
            digest.update(file.read(min(SAMPLE_BYTES, tensor.end - tensor.start)))


def model_in_0_1(folder: Path) -> str:
    """The fingerprint by which dmdoc 0.1 knew a model: over its files as they were written."""
    volatile = {"_model_name_or_path", "_name_or_path", "dtype", "torch_dtype", "transformers_version"}
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in config.items() if key not in volatile}
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode())
    samples, size = 64, 64 * 1024
    for path in sorted(folder.glob("*.safetensors")):
        whole = path.stat().st_size
        with path.open("rb") as file:
            prefix = file.read(8)
            header = file.read(struct.unpack("<Q", prefix)[0])
            digest.update(f"{path.name} {whole} ".encode() + prefix + header)
            for index in range(samples):
                file.seek(max(0, whole - size) * index // (samples - 1))
                digest.update(file.read(size))
    return digest.hexdigest()


def tokenizer_in_0_1(folder: Path, tokenizer: Any) -> str:
    digest = hashlib.sha256((folder / "tokenizer.json").read_bytes())
    digest.update(json.dumps(tokenizer.chat_template, sort_keys=True).encode())
    return digest.hexdigest()
