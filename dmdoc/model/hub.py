"""Models and adapters of the Hugging Face Hub: fetched once, and of one commit from then on.

A repository is pinned by its first download here: the commit that `main` then pointed to is noted in the cache, and
only that commit is used from then on. Another revision may be asked for; it notes nothing.
Knows nothing about which repositories are known.
"""

from pathlib import Path
from typing import Literal

from dmdoc.atomic_file import write_atomically
from dmdoc.errors import AdapterError, BackboneError
from dmdoc.memory.reading_file import READING_WEIGHTS
from dmdoc.model.pointer import POINTER

Kind = Literal["backbone", "adapter"]

ERRORS = {"backbone": BackboneError, "adapter": AdapterError}
_FILES = {
    "backbone": ["*.json", "*.safetensors", "*.jinja", "merges.txt"],
    "adapter": [
        "delta_mem_config.json",
        "delta_mem_adapter.pt",
        "adapter.safetensors",
        *READING_WEIGHTS.values(),
        POINTER,
    ],
}


def fetch_from_hub(repository: str, revision: str, cache: Path, *, kind: Kind, offline: bool) -> Path:
    """The folder of a repository on this disk, fetched if need be.

    Raises:
        BackboneError, AdapterError: by kind: there is none of this name or revision, it cannot be reached or kept.
    """
    import httpx2
    import huggingface_hub
    from huggingface_hub import errors

    pinned = pin(repository, revision, cache)
    failed = ERRORS[kind]
    try:
        folder = huggingface_hub.snapshot_download(
            repository, revision=pinned, allow_patterns=_FILES[kind], local_files_only=offline
        )
    except errors.GatedRepoError as error:
        terms = f"accept its terms on https://huggingface.co/{repository}, then run `hf auth login`"
        raise failed(f"{repository} is gated: {terms}") from error
    except errors.RevisionNotFoundError as error:
        raise failed(f"{repository} has no revision {pinned}; name another with @REVISION") from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise failed(f"no folder and no Hub repository named {repository}; check the spelling") from error
    except errors.LocalEntryNotFoundError as error:
        reason = "dmdoc is offline" if offline else "the Hugging Face Hub cannot be reached"
        raise failed(f"{repository} is not on this disk and {reason}; fetch it while online") from error
    except httpx2.HTTPError as error:  # also what a connection that breaks in mid-download raises
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise failed(f"the download of {repository} failed: {first}; run it again to go on") from error
    except OSError as error:
        raise failed(f"cannot store {repository}: {error}; free some space") from error
    if revision == "main":
        _note_pin(repository, Path(folder).name, cache)
    return Path(folder)


def pin(repository: str, revision: str, cache: Path) -> str:
    """The revision to use: for `main` the commit that a first download noted, if there was one."""
    note = _pin_file(repository, cache)
    return note.read_text(encoding="utf-8") if revision == "main" and note.is_file() else revision


def _note_pin(repository: str, commit: str, cache: Path) -> None:
    note = _pin_file(repository, cache)
    if not note.is_file():
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(note, commit.encode())


def _pin_file(repository: str, cache: Path) -> Path:
    return cache / "pins" / repository.replace("/", "--")
