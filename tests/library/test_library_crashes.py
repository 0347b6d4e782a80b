"""Whenever a process is killed, and whoever reads meanwhile, a document is the old one or the new."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from test_library import assert_complete, assert_tidy, document, header_of, ingest, state_of

from dmdoc.document import Stamp
from dmdoc.errors import DmdocError, DocumentNotFoundError
from dmdoc.library.library import Library
from dmdoc.library.record import write_record

TESTS = Path(__file__).parents[1]

pytestmark = pytest.mark.slow  # starts processes and kills them


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "data" / "dmdoc")


# ── killed at any instant ──


class Killed(BaseException):
    """Stands for SIGKILL: nothing handles it."""


DISK_CALLS = ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync")


def kill_before(patch: pytest.MonkeyPatch, step: int) -> None:
    """Let every change to the disk but the first `step` raise Killed."""
    left = iter(range(step))

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **more: object) -> object:
            if next(left, None) is None:
                raise Killed
            return real(*args, **more)

        return call

    for name in DISK_CALLS:
        patch.setattr(os, name, dying(getattr(os, name)))


def killed_at_every_step(
    tmp_path: Path, prepare: Callable[[Library], object], act: Callable[[Library], object]
) -> list[Library]:
    """One library for every instant at which `act` can be killed, opened anew after the kill."""
    libraries: list[Library] = []
    while True:
        library = Library(tmp_path / str(len(libraries)))
        prepare(library)
        with pytest.MonkeyPatch.context() as patch:
            kill_before(patch, len(libraries))
            try:
                act(library)
            except Killed:
                pass
            else:
                return libraries
        libraries.append(Library(library.root))
        libraries[-1].tidy()  # as every command does first


def test_a_killed_first_ingest_leaves_nothing_or_the_document(tmp_path: Path) -> None:
    libraries = killed_at_every_step(tmp_path, lambda _: None, lambda library: ingest(library, document()))
    assert len(libraries) > 15
    outcomes = set()
    for library in libraries:
        outcomes.add(library.names())
        if library.names():
            assert_complete(library.get("report"), document())
        else:
            with pytest.raises(DocumentNotFoundError):
                library.get("report")
        assert_complete(ingest(library, document()), document())
        assert library.current().name == "report"
        assert_tidy(library, "report")
    assert outcomes == {(), ("report",)}


def test_a_killed_update_leaves_the_old_or_the_new_document(tmp_path: Path) -> None:
    old, new = document(), document("The new text.")
    libraries = killed_at_every_step(
        tmp_path, lambda library: ingest(library, old), lambda library: ingest(library, new)
    )
    assert len(libraries) > 15
    outcomes = []
    for library in libraries:
        assert library.names() == ("report",)
        found = library.get("report")
        outcomes.append(library.status(new))
        assert_complete(found, new if outcomes[-1] == "unchanged" else old)
        assert library.current() == found
        assert_complete(ingest(library, new), new)
        assert_tidy(library, "report")
    assert outcomes == sorted(outcomes, reverse=True), "updated … updated, unchanged … unchanged"
    assert set(outcomes) == {"updated", "unchanged"}


def test_a_killed_ingest_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    """Once a section is saved it is never written again, also when the kill falls inside finish."""
    old, new = document(), document("The new text.")
    libraries = killed_at_every_step(
        tmp_path, lambda library: ingest(library, old), lambda library: ingest(library, new)
    )
    progress = []
    for library in libraries:
        if library.status(new) == "updated":
            partial = library.begin(new).partial_state()
            progress.append(partial[0].batch if partial else 0)
    assert progress == sorted(progress)
    assert set(progress) == {0, 1, 2, 3}


def test_a_killed_remove_leaves_the_document_or_nothing(tmp_path: Path) -> None:
    def prepare(library: Library) -> None:
        ingest(library, document())
        library.begin(document("The new text."))

    libraries = killed_at_every_step(tmp_path, prepare, lambda library: library.remove("report"))
    outcomes = set()
    for library in libraries:
        outcomes.add(library.names())
        if library.names():
            assert_complete(library.get("report"), document())
            assert library.current().name == "report"
        else:
            assert_tidy(library)
            assert_no_word_of(library, "text")
            with pytest.raises(DocumentNotFoundError, match="no document is current"):
                library.current()
        assert_complete(ingest(library, document()), document())
        assert_tidy(library, "report")
    assert outcomes == {(), ("report",)}


def assert_no_word_of(library: Library, word: str) -> None:
    """Neither in a folder nor in the index of passages, nor in what SQLite keeps beside it."""
    files = [path for path in library.root.rglob("*") if path.is_file()]
    assert [path for path in files if word.encode() in path.read_bytes()] == []


def test_a_killed_remove_of_two_leaves_both_or_none(tmp_path: Path) -> None:
    def prepare(library: Library) -> None:
        for name in "abc":
            ingest(library, document(name=name))

    libraries = killed_at_every_step(tmp_path, prepare, lambda library: library.remove("c", "a"))
    outcomes = set()
    for library in libraries:
        outcomes.add(library.names())
        assert_tidy(library, *library.names())
        assert_complete(library.get("b"), document(name="b"))
    assert outcomes == {("b",), ("a", "b", "c")}


def test_a_killed_tag_leaves_the_old_or_the_new_tags(tmp_path: Path) -> None:
    libraries = killed_at_every_step(
        tmp_path,
        lambda library: ingest(library, document()),
        lambda library: library.tag("report", add=["salt", "sand"]),
    )
    outcomes = set()
    for library in libraries:
        outcomes.add(library.get("report").tags)
        assert_complete(library.get("report"), document())
        assert_tidy(library, "report")
    assert outcomes == {(), ("salt", "sand")}


def test_reading_a_text_again_is_one_step(tmp_path: Path) -> None:
    """Its tags, what its file is like, and that it is the current one: all of it or none."""
    stamp = Stamp(1, 2, "3" * 64)

    def prepare(library: Library) -> None:
        for name in ("report", "other"):
            ingest(library, document(name=name))

    libraries = killed_at_every_step(
        tmp_path, prepare, lambda library: library.keep("report", tags=["salt"], file=stamp)
    )
    outcomes = set()
    for library in libraries:
        saved = library.get("report")
        outcomes.add((saved.tags, saved.file, library.current().name))
        assert_complete(saved, document())
        assert_tidy(library, "other", "report")
    assert outcomes == {((), None, "other"), (("salt",), stamp, "report")}


def test_a_file_that_moved_is_followed_in_one_step(tmp_path: Path) -> None:
    libraries = killed_at_every_step(
        tmp_path,
        lambda library: ingest(library, document()),
        lambda library: library.rename("report", "thesis", source="/papers/thesis.txt"),
    )
    found = {(saved.name, saved.source) for library in libraries for saved in library.documents()}
    assert found == {("report", "/papers/report.txt"), ("thesis", "/papers/thesis.txt")}


def test_a_document_and_its_tags_are_published_at_once(tmp_path: Path) -> None:
    def publish(library: Library) -> None:
        staged = library.begin(document())
        library.finish(staged, state_of(document()), header_of(document()), tags=["salt"])

    outcomes = set()
    for library in killed_at_every_step(tmp_path, lambda _: None, publish):
        outcomes |= {saved.tags for saved in library.documents()}
    assert outcomes == {("salt",)}


def test_a_killed_rename_leaves_one_complete_document(tmp_path: Path) -> None:
    libraries = killed_at_every_step(
        tmp_path,
        lambda library: ingest(library, document()),
        lambda library: library.rename("report", "thesis"),
    )
    outcomes = set()
    for library in libraries:
        (name,) = library.names()
        outcomes.add(name)
        assert_complete(library.get(name), document(name=name))
        assert library.current().name == name
        assert_tidy(library, name)
    assert outcomes == {"report", "thesis"}


def test_what_an_older_dmdoc_left_is_put_right(library: Library) -> None:
    """It kept lock files, had no journal, and left the text in .removed-NAME."""
    saved = ingest(library, document())
    documents = library.root / "documents"
    os.rename(saved.folder, documents / ".old-report")
    (library.root / "locks" / "report.lock").touch()
    (library.root / "locks" / "gone.lock").touch()
    (library.root / "locks" / ".current.lock").touch()
    (documents / ".removed-secret").mkdir()
    (documents / ".removed-secret" / "pages.json").write_text("secret")
    (library.root / ".current.tmp").write_text("rep")
    library.tidy()
    assert_complete(library.get("report"), document())
    assert_tidy(library, "report")


def test_what_a_living_process_holds_is_left_alone(library: Library) -> None:
    ingest(library, document())
    with library.lock("report"):
        staged = library.begin(document("The new text."))
        (staged.folder / ".state.safetensors.01234567.tmp").write_text("half")
        Library(library.root).tidy()
        assert (staged.folder / ".state.safetensors.01234567.tmp").exists()
        assert [path.name for path in (library.root / "locks").iterdir()] == ["report.lock"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"schema": 2}', b"\xff", b'{"schema": 99}'])
def test_a_damaged_journal_stops_nothing(library: Library, content: bytes) -> None:
    ingest(library, document())
    (library.root / "journal").write_bytes(content)
    library.tidy()
    assert_complete(library.get("report"), document())
    assert_tidy(library, "report")


def test_a_journal_moves_nothing_out_of_the_library(library: Library, tmp_path: Path) -> None:
    ingest(library, document())
    for target in ("../../../stolen", "/tmp/stolen", ".."):
        moves = [["report", target]]
        record = {"moves": moves, "names": ["report"], "current": None, "always": False}
        write_record(library.root / "journal", record)
        library.tidy()
        assert_complete(library.get("report"), document())
        assert_tidy(library, "report")


@pytest.mark.parametrize("description", [["../../stolen", {}], ["report"], "report", [7, {}], ["report", 7]])
def test_a_journal_describes_no_other_place(library: Library, description: object) -> None:
    ingest(library, document())
    record = {"moves": [], "names": ["report"], "current": None, "always": False, "description": description}
    write_record(library.root / "journal", record)
    library.tidy()
    assert_complete(library.get("report"), document())
    assert_tidy(library, "report")


SCRIPT = """
import os, signal, sys
os.fsync = lambda _: None
from pathlib import Path
sys.path[:0] = sys.argv[1].split(os.pathsep)
from test_library import Library, document, ingest
library = Library(Path(sys.argv[2]))
for script in sys.argv[4:]:
    if not os.fork():
        exec(script)
        os._exit(0)
exec(sys.argv[3])
codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in sys.argv[4:]]
assert not any(codes), codes
"""
"""Imports once what is slow to import, for as many processes as there are scripts."""


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(library: Library) -> Iterator[Start]:
    """Run scripts on the library, each in a process of its own; the last of them to end ends the one that is given."""
    with ExitStack() as processes:

        def run(*scripts: str) -> "subprocess.Popen[bytes]":
            command = [
                sys.executable,
                "-W",
                "error",
                "-c",
                SCRIPT,
                os.pathsep.join((str(TESTS), str(TESTS / "library"))),
                str(library.root),
                *scripts,
            ]
            process = processes.enter_context(subprocess.Popen(command, cwd=TESTS.parent))
            processes.callback(process.kill)
            return process

        yield run


def test_a_process_killed_between_the_two_renames(library: Library, start: Start) -> None:
    ingest(library, document())
    script = """
real = os.rename
def rename(source, target):
    if ".staging-" in str(source):
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)
os.rename = rename
ingest(library, document("The new text."))
"""
    assert start(script).wait() == -signal.SIGKILL
    assert not (library.root / "documents" / "report").exists(), "killed where it should be"
    assert library.names() == ("report",)
    assert_complete(library.get("report"), document())
    assert_complete(ingest(library, document("The new text.")), document("The new text."))
    assert_tidy(library, "report")


def test_a_process_killed_while_it_scrubs_the_index(library: Library, start: Start) -> None:
    """The words are deleted in the log that SQLite writes ahead, and still stand in its file."""
    ingest(library, document("A quixotic tenant."))
    ingest(library, document(name="other"))
    script = """
from dmdoc.library import index_file
class Dying:
    def __init__(self, index): self.index = index
    def __enter__(self): return self.index
    def __exit__(self, *_):
        (_, _, file), *_ = self.index.execute("PRAGMA database_list")
        if file.endswith("passages.sqlite"): os.kill(os.getpid(), signal.SIGKILL)
        self.index.close()
index_file.closing = Dying
library.remove("report")
"""
    assert start(script).wait() == -signal.SIGKILL
    assert b"quixot" in (library.root / "passages.sqlite").read_bytes(), "killed where it should be"
    library.tidy()
    assert_no_word_of(library, "quixot")
    assert_tidy(library, "other")


# ── several processes ──


@pytest.mark.slow
def test_two_processes_take_turns_and_a_reader_never_sees_a_mix(library: Library, start: Start) -> None:
    ingest(library, document("version a0"))
    script = """
for number in range(10):
    ingest(library, document(f"version LETTER{number}"))
"""
    writers = start(*(script.replace("LETTER", letter) for letter in "ab"))
    versions = set()
    while writers.poll() is None:
        saved = library.get("report")
        assert library.names() == ("report",)
        try:
            pages = saved.pages()
            state, header = saved.state()
        except DmdocError as error:
            assert "not the one that was looked up" in str(error)
            continue
        version = document(pages[0])
        assert header == header_of(version)
        assert state.equals(state_of(version))
        versions.add(pages[0])
    assert writers.returncode == 0
    assert len(versions) > 1, "the reader looked while the writers wrote"
    assert library.get("report").pages()[0] in ("version a9", "version b9")
    assert_tidy(library, "report")


@pytest.mark.slow
def test_eight_processes_lose_nothing(library: Library, start: Start) -> None:
    """Each adds, renames and removes documents of its own and replaces and tags one that all share."""
    ingest(library, document("version 0", name="shared"))
    script = """
for number in range(4):
    ingest(library, document(f"mine {number}", name=f"own-NUMBER-{number}"))
    ingest(library, document(f"version NUMBER-{number}", name="shared"))
    library.tag("shared", add=[f"tag-NUMBER-{number}"])
library.remove("own-NUMBER-0")
library.rename("own-NUMBER-1", "renamed-NUMBER")
"""
    assert start(*(script.replace("NUMBER", str(number)) for number in range(8))).wait() == 0
    own = {f"own-{n}-{k}": f"mine {k}" for n in range(8) for k in (2, 3)}
    own |= {f"renamed-{n}": "mine 1" for n in range(8)}
    assert_tidy(library, "shared", *own)
    for name, text in own.items():
        assert_complete(library.get(name), document(text, name=name))
    shared = library.get("shared")
    assert shared.tags == tuple(sorted(f"tag-{n}-{k}" for n in range(8) for k in range(4)))
    assert_complete(shared, document(shared.pages()[0], name="shared"))
