"""After a power loss a document is the old one or the new, though the disk forgot all that was not synced.

`ForgetfulDisk` stands between the library and a real folder. It knows of each file the bytes that were synced, and of
each folder the names that were; `left` makes the folder that is there after the power came back.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from test_library import assert_complete, assert_tidy, document, ingest

from dmdoc.library.library import Library


class PowerLoss(BaseException):
    """Nothing handles it."""


class ForgetfulDisk:
    """The names and bytes under a folder that were synced; the power fails before the call of number `last`.

    A folder is durable in its parent once that was synced; so are a rename and a removal.
    """

    def __init__(self, root: Path, last: int, patch: pytest.MonkeyPatch) -> None:
        self._root, self._left = root, iter(range(last))
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, int]] = {}
        self._kept: list[int] = []  # open, so that no number of a file is given to another
        self.keep_everything()
        for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
            patch.setattr(os, name, self._failing(getattr(os, name)))
        patch.setattr(os, "fsync", self._failing(self._sync))

    def keep_everything(self) -> None:
        """What is there now was synced long ago."""
        for path in (self._root, *self._root.rglob("*")):
            self._remember(path)

    def left(self, folder: Path) -> None:
        """Write what is durable into an empty folder."""
        self._restore(self._root.stat().st_ino, folder)

    def _failing(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **more: object) -> object:
            if next(self._left, None) is None:
                raise PowerLoss
            return real(*arguments, **more)

        return call

    def _sync(self, descriptor: int) -> None:
        self._remember(Path(os.readlink(f"/proc/self/fd/{descriptor}")))

    def _remember(self, path: Path) -> None:
        if not path.is_relative_to(self._root):
            return
        found = path.stat()
        self._kept.append(os.open(path, os.O_RDONLY))
        if stat.S_ISDIR(found.st_mode):
            self._folders[found.st_ino] = {entry.name: entry.stat().st_ino for entry in os.scandir(path)}
            for entry in os.scandir(path):
                self._kept.append(os.open(entry.path, os.O_RDONLY))
                if entry.is_dir():
                    self._folders.setdefault(entry.stat().st_ino, {})
                else:
                    self._files.setdefault(entry.stat().st_ino, b"")
        else:
            self._files[found.st_ino] = path.read_bytes()

    def _restore(self, number: int, folder: Path) -> None:
        for name, inner in self._folders.get(number, {}).items():
            if inner in self._folders:
                (folder / name).mkdir()
                self._restore(inner, folder / name)
            else:
                (folder / name).write_bytes(self._files[inner])

    def close(self) -> None:
        for descriptor in self._kept:
            os.close(descriptor)


def after_every_loss(
    tmp_path: Path, prepare: Callable[[Library], object], act: Callable[[Library], object]
) -> list[Library]:
    """One library for every call before which the power can fail, as it is when it is back; last that after the end."""
    found: list[Library] = []
    ended = False
    while not ended:
        root = tmp_path / f"{len(found)}" / "home"
        root.mkdir(parents=True)
        prepare(Library(root))
        with pytest.MonkeyPatch.context() as patch:
            disk = ForgetfulDisk(root, len(found), patch)
            try:
                act(Library(root))
                ended = True
            except PowerLoss:
                pass
        back = tmp_path / f"{len(found)}" / "back"
        back.mkdir()
        disk.left(back)
        disk.close()
        found.append(Library(back))
        found[-1].tidy()
    return found


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="knows an open file by its link in /proc"),
]


def test_a_replaced_document_is_the_old_or_the_new(tmp_path: Path) -> None:
    old, new = document(), document("The new text.")
    libraries = after_every_loss(
        tmp_path, lambda library: ingest(library, old), lambda library: ingest(library, new)
    )
    outcomes = []
    for library in libraries:
        assert library.names() == ("report",)
        outcomes.append(library.status(new))
        assert_complete(library.get("report"), new if outcomes[-1] == "unchanged" else old)
        assert library.current().name == "report"
        assert_complete(ingest(library, new), new)
        assert_tidy(library, "report")
    assert outcomes == sorted(outcomes, reverse=True), "updated … updated, unchanged … unchanged"
    assert set(outcomes) == {"updated", "unchanged"}, "and what was said to be done is done"


def test_two_are_removed_or_none(tmp_path: Path) -> None:
    def prepare(library: Library) -> None:
        for name in "abc":
            ingest(library, document(name=name))

    outcomes = []
    for library in after_every_loss(tmp_path, prepare, lambda library: library.remove("a", "c")):
        outcomes.append(library.names())
        assert_tidy(library, *library.names())
    assert set(outcomes) == {("b",), ("a", "b", "c")}
    assert outcomes[-1] == ("b",)


def test_a_renamed_document_has_one_of_its_names(tmp_path: Path) -> None:
    outcomes = []
    for library in after_every_loss(
        tmp_path,
        lambda library: ingest(library, document()),
        lambda library: library.rename("report", "thesis"),
    ):
        (name,) = library.names()
        outcomes.append(name)
        assert_complete(library.get(name), document(name=name))
        assert library.current().name == name
    assert set(outcomes) == {"report", "thesis"}
    assert outcomes[-1] == "thesis"


def test_the_disk_forgets_what_was_not_synced(tmp_path: Path) -> None:
    root, back = tmp_path / "home", tmp_path / "back"
    root.mkdir()
    back.mkdir()
    (root / "old").write_text("old")
    with pytest.MonkeyPatch.context() as patch:
        disk = ForgetfulDisk(root, 100, patch)
        (root / "new").write_text("new")
        (root / "old").write_text("other")
        disk.left(back)
        assert {path.name: path.read_text() for path in back.iterdir()} == {"old": "old"}
        disk.close()


def test_a_library_that_syncs_no_folder_loses_what_it_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the order of the writes the tests above fail."""
    for module in ("atomic_file", "library.journal"):
        monkeypatch.setattr(f"dmdoc.{module}.sync_folder", lambda _: None)
    root, back = tmp_path / "home", tmp_path / "back"
    root.mkdir()
    back.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        disk = ForgetfulDisk(root, 10_000, patch)
        ingest(Library(root), document())
        disk.left(back)
        disk.close()
    assert Library(back).names() == ()
