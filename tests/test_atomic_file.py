"""A file is the old one or the new, goes where it was meant to, and keeps its mode."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dmdoc.atomic_file import PRIVATE, clear_temporary, write_atomically

needs_posix = pytest.mark.skipif(os.name == "nt", reason="modes and links of POSIX")


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@needs_posix
def test_a_symbolic_link_is_never_written_through(tmp_path: Path) -> None:
    """Neither in place of the file nor where dmdoc 0.1.0 put its temporary file."""
    other = tmp_path / "other"
    other.write_text("mine")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".note.tmp").symlink_to(other)
    (folder / "note").symlink_to(other)
    write_atomically(folder / "note", b"new")
    assert (other.read_text(), (folder / "note").read_text()) == ("mine", "new")
    assert not (folder / "note").is_symlink()
    assert sorted(path.name for path in folder.iterdir()) == ["note"]


@needs_posix
def test_a_link_that_is_planted_while_the_file_is_written_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, note = tmp_path / "other", tmp_path / "note"
    other.write_text("mine")
    note.write_text("old")

    def guessed(_: int) -> str:
        (tmp_path / ".note.00000000.tmp").symlink_to(other)
        return "00000000"

    monkeypatch.setattr("dmdoc.atomic_file.secrets.token_hex", guessed)
    with pytest.raises(FileExistsError):
        write_atomically(note, b"new")
    assert (other.read_text(), note.read_text()) == ("mine", "old")


@needs_posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_of_what_is_replaced_is_kept(tmp_path: Path, mode: int) -> None:
    (tmp_path / "note").write_text("old")
    (tmp_path / "note").chmod(mode)
    write_atomically(tmp_path / "note", b"new")
    assert mode_of(tmp_path / "note") == mode


@needs_posix
def test_a_new_file_has_the_mode_of_the_umask_or_is_private(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "shared", b"")
        write_atomically(tmp_path / "private", b"", mode=PRIVATE)
    finally:
        os.umask(before)
    assert (mode_of(tmp_path / "shared"), mode_of(tmp_path / "private")) == (0o640, 0o600)


def test_what_a_killed_process_left_is_cleared_away_and_what_a_living_one_writes_is_not(
    tmp_path: Path,
) -> None:
    writing = (
        "import os, sys, time; from pathlib import Path; from dmdoc import atomic_file\n"
        "def wait(*_):\n    print('writing', flush=True)\n    time.sleep(60)\n"
        "os.fsync = wait\n"
        "atomic_file.write_atomically(Path(sys.argv[1]), b'half of it')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", writing, tmp_path / "note"],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    ) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == b"writing\n"
        write_atomically(tmp_path / "note", b"whole")
        assert len(list(tmp_path.iterdir())) == 2
        writer.kill()
    clear_temporary(tmp_path, "note")
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
    assert (tmp_path / "note").read_text() == "whole"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomically(tmp_path / "note", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "note", b"new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("note", "old")]
