"""What somebody else may have read: files below the allowed folders, by their own path."""

import errno
from pathlib import Path

import pytest

from dmdoc.errors import DmdocError, UsageError
from dmdoc.serve.guard import Refused, allowed_file
from dmdoc.serve.jobs import store_upload


def test_an_allowed_file_is_a_path_even_if_it_is_written_as_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for given in ("http://169.254.169.254/latest", "-", "a.txt"):
        assert allowed_file(given, [tmp_path]).is_absolute()
        with pytest.raises(Refused):
            allowed_file(given, [tmp_path / "papers"])


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "link").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(Refused):
        allowed_file(str(tmp_path / "papers" / "link"), [tmp_path / "papers"])


@pytest.mark.parametrize("given", ["a\0b", "a\ud800" * 5000])
def test_what_no_file_can_be_called_is_the_fault_of_who_asks(given: str, tmp_path: Path) -> None:
    with pytest.raises(DmdocError):
        allowed_file(given, [tmp_path / "papers"])
    with pytest.raises(UsageError):
        store_upload(given, b"")


def test_a_full_disk_is_the_fault_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DmdocError, match="No space left") as caught:
        store_upload("a.txt", b"text")
    assert not isinstance(caught.value, UsageError)
