"""Which backbones and adapters are known, where they come from, and the folder of one on this disk.

The embedded backbone is pinned by the SHA-256 of its file, the known backbones of the Hugging Face Hub by
commit, any other one by its first download (hub.py). `ORG/NAME@REVISION` asks for a revision.

Knows nothing about loading: what is in a folder is the business of backbone.py and adapter_file.py.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dmdoc.errors import AdapterError, BackboneError, UsageError
from dmdoc.model import embedded as embedded_model
from dmdoc.model.hub import ERRORS, Kind, fetch_from_hub, pin

Note = Callable[[str], None]
"""Told, in one line, of every step that takes a while. The Hub's own downloads draw their bars on stderr."""

SHIPPED_ADAPTERS = Path(__file__).with_name("adapters")

_HUB_ID = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True)
class KnownModel:
    """A backbone or an adapter that has a short name."""

    name: str
    kind: Kind
    source: str
    """A repository of the Hugging Face Hub, or where else it comes from."""
    revision: str
    """The pinned commit or version; `main` where the first download here makes the pin."""
    licence: str
    download_bytes: int
    """About how much a first use downloads."""

    @property
    def on_hub(self) -> bool:
        return _HUB_ID.fullmatch(self.source) is not None


KNOWN = (
    KnownModel(
        embedded_model.NAME,
        "backbone",
        f"PyPI {embedded_model.PACKAGE}",
        embedded_model.VERSION,
        "Apache-2.0",
        92_871_040,
    ),
    KnownModel(
        "qwen3-4b",
        "backbone",
        "Qwen/Qwen3-4B-Instruct-2507",
        "cdbee75f17c01a7cc42f958dc650907174af0554",
        "Apache-2.0",
        8_060_917_568,
    ),
    KnownModel(
        "qwen3-8b",
        "backbone",
        "Qwen/Qwen3-8B",
        "b968826d9c46dd6066d109eabc6255188de91218",
        "Apache-2.0",
        16_400_000_000,
    ),
    KnownModel(
        "smollm3-3b",
        "backbone",
        "HuggingFaceTB/SmolLM3-3B",
        "a07cc9a04f16550a088caea529712d1d335b0ac1",
        "Apache-2.0",
        6_200_000_000,
    ),
    KnownModel(embedded_model.NAME, "adapter", "shipped with dmdoc", "this version", "Apache-2.0", 0),
    KnownModel(
        "qwen3-4b", "adapter", "declare-lab/delta-mem_qwen3_4b-instruct", "main", "CC-BY-4.0", 11_000_000
    ),
)


@dataclass(frozen=True)
class ModelStatus:
    """A known model and what of it is on this disk."""

    model: KnownModel
    revision: str
    """The pin in force, which a first download may have made."""
    on_disk: int | None
    """Bytes, or None if it has not been fetched."""


def default_pair(cuda_bf16: bool, available: Callable[[str], bool]) -> tuple[str, str]:
    """The names of the backbone and adapter to use when the user names none.

    `available` says whether a backbone is on this disk or may be downloaded.
    """
    name = "qwen3-4b" if cuda_bf16 and available("qwen3-4b") else embedded_model.NAME
    return name, name


def available(name: str, *, cache: Path, offline: bool) -> bool:
    """Whether a known backbone is on this disk, or may be downloaded: not where HF_HUB_OFFLINE is set either."""
    from huggingface_hub import is_offline_mode

    return not (offline or is_offline_mode()) or any(
        known.on_disk is not None
        for known in status(cache)
        if known.model.name == name and known.model.kind == "backbone"
    )


def adapter_for(backbone: str) -> str:
    """The known adapter of a known backbone.

    Raises:
        BackboneError: the name stands for no backbone at all.
        AdapterError: there is none.
    """
    if _is_known(backbone, "adapter"):
        return backbone
    if not (_is_known(backbone, "backbone") or _is_folder(backbone)):
        _parse_hub_id(backbone, "backbone")
    raise AdapterError(f"no adapter is known for {backbone}; name an adapter, or train one")


def resolve(name: str, cache: Path, *, kind: Kind, offline: bool = False, note: Note | None = None) -> Path:
    """The local folder of a known name, a folder, or ORG/NAME[@REVISION] on the Hub, fetched if need be.

    A known name wins over a folder of that name; write ./NAME for the folder. HF_HUB_OFFLINE and HF_HOME are
    honoured by huggingface_hub itself.

    Raises:
        BackboneError, AdapterError: by kind; unknown name, not found, not on this disk and no network.
    """
    known = next((model for model in KNOWN if model.name == name and model.kind == kind), None)
    if known is not None:
        return _fetch(known, cache, offline=offline, note=note or _silent)
    if _is_folder(name):
        return Path(name).expanduser()
    repository, revision = _parse_hub_id(name, kind)
    return fetch_from_hub(repository, revision, cache, kind=kind, offline=offline)


def canonical(name: str, kind: Kind) -> str:
    """A name that means the same from every folder: that of a folder becomes an absolute path."""
    if _is_known(name, kind) or not _is_folder(name):
        return name
    return os.path.abspath(os.path.expanduser(name))


def is_on_disk(name: str, kind: Kind, cache: Path) -> bool:
    """Whether a name is a known one, all of which has been fetched."""
    found = (model for model in KNOWN if model.name == name and model.kind == kind)
    return any(_bytes_on_disk(model, cache) is not None for model in found)


def pull(name: str, cache: Path, *, note: Note | None = None) -> tuple[Path, ...]:
    """Fetch what a short name stands for, backbone and adapter, or a backbone of the Hub: later runs need no network.

    Raises:
        UsageError: neither a known name nor ORG/NAME.
        BackboneError, AdapterError: as `resolve`.
    """
    named = [model for model in KNOWN if model.name == name]
    if not named:
        if not _HUB_ID.fullmatch(name) or name.startswith((".", "/", "~")):
            names = ", ".join(dict.fromkeys(model.name for model in KNOWN))
            raise UsageError(f"no model named {name!r}: expected one of {names}, or ORG/NAME on the Hub")
        return (resolve(name, cache, kind="backbone", note=note),)
    return tuple(_fetch(model, cache, offline=False, note=note or _silent) for model in named)


def status(cache: Path) -> list[ModelStatus]:
    """Every known model, in the order of `KNOWN`, with what of it is on this disk. Never downloads."""
    return [
        ModelStatus(model, pin(model.source, model.revision, cache), _bytes_on_disk(model, cache))
        for model in KNOWN
    ]


def _is_known(name: str, kind: Kind) -> bool:
    return any(model.name == name and model.kind == kind for model in KNOWN)


def _is_folder(name: str) -> bool:
    return bool(name) and os.path.isdir(os.path.expanduser(name))


def _parse_hub_id(name: str, kind: Kind) -> tuple[str, str]:
    """Repository and revision; raises by kind where the name cannot be on the Hub either."""
    hub = _HUB_ID.fullmatch(name)
    if hub is None or name.startswith((".", "/", "~")):
        names = ", ".join(model.name for model in KNOWN if model.kind == kind)
        expected = f"one of {names}, a folder, or ORG/NAME on the Hub"
        raise ERRORS[kind](f"no {kind} named {name!r}: expected {expected}")
    return hub["repository"], hub["revision"] or "main"


def _fetch(model: KnownModel, cache: Path, *, offline: bool, note: Note) -> Path:
    if model.on_hub:
        return fetch_from_hub(model.source, model.revision, cache, kind=model.kind, offline=offline)
    if model.kind == "backbone":
        return embedded_model.fetch_embedded(cache, offline=offline, note=note)
    folder = SHIPPED_ADAPTERS / model.name
    if not folder.is_dir():
        raise AdapterError(f"the adapter {model.name} is missing from this installation; reinstall dmdoc")
    return folder


def _bytes_on_disk(model: KnownModel, cache: Path) -> int | None:
    if model.name == embedded_model.NAME and model.kind == "backbone":
        folder = embedded_model.embedded_folder(cache)
        if not folder.is_dir():
            return None
    else:
        try:
            folder = _fetch(model, cache, offline=True, note=_silent)
        except (BackboneError, AdapterError):
            return None
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _silent(_: str) -> None:
    pass
