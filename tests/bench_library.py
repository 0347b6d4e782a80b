"""What a library of many documents costs: bytes, finding the document of a question, `ls`, `show`, `ask`.

One document is read and saved under many names, each with a line of its own, so that questions have one document to
find. Each command is a process of its own; the best of some runs counts, after one that is not measured. Beside
the seconds on the clock are those of the processor, which a busy machine changes less.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from dmdoc.answer.finding import find_document
from dmdoc.atomic_file import PRIVATE
from dmdoc.document import Document
from dmdoc.library.describe import complete, stage_document
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument, read_saved_document
from dmdoc.memory.state_file import pack_state
from dmdoc.model.reader import Reader

SAMPLE = Path(__file__).parent.parent / "dmdoc" / "samples" / "sorrel-note.txt"


def fill(library: Library, original: SavedDocument, count: int) -> None:
    """Save a document under so many more names, `copy-0` and so on, each with a line of its own."""
    state, header = original.state()
    pages, created = original.pages(), datetime.now(UTC).isoformat(timespec="seconds")
    for number in range(count):
        name = f"copy-{number}"
        document = Document(name, f"/copies/{name}.txt", (*pages[:-1], f"{pages[-1]}\n\n{line(number)}"))
        folder = library.root / "documents" / name
        folder.mkdir(mode=0o700)
        stage_document(folder, document, created=created)
        own = replace(header, document_sha256=document.sha256)
        staged = read_saved_document(name, folder)
        staged.state_path.write_bytes(pack_state(state, own))
        staged.state_path.chmod(PRIVATE)
        complete(staged, own, ("copies",))


def line(number: int) -> str:
    """What only one of the copies says."""
    return f"The barge's berth is at quay q{number}."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[10, 1_000, 10_000], help="how many")
    parser.add_argument("--file", type=Path, default=SAMPLE, help="the document that is copied")
    parser.add_argument("--runs", type=int, default=3, help="of each command")
    options = parser.parse_args()
    os.fsync = lambda _: None  # type: ignore[assignment]  # it is thrown away
    for count in options.documents:
        with TemporaryDirectory() as folder:
            measure(Path(folder), options.file, count, options.runs)
    return 0


def measure(home: Path, file: Path, count: int, runs: int) -> None:
    environment = {**os.environ, "DMDOC_HOME": str(home)}

    def run(*arguments: str) -> tuple[float, float]:
        started, before = time.perf_counter(), processor_seconds()
        done = subprocess.run(
            [sys.executable, "-m", "dmdoc", *arguments], env=environment, capture_output=True, text=True
        )
        seconds = time.perf_counter() - started
        assert done.returncode == 0, done.stderr
        return seconds, processor_seconds() - before

    run("ingest", str(file))
    library = Library(home)
    original = library.current()
    fill(library, original, count)
    size = sum(path.stat().st_size for path in original.folder.iterdir())
    tokens = original.header().tokens_written
    print(f"{count:,} documents of {tokens} tokens and {size:,} bytes each")
    question = f"Which quay is the berth at, q{count // 2}?"
    print(f"  the indexes of them all, made once: {shown(run('ask', question))}")
    index = sum(path.stat().st_size for path in home.glob("passages.sqlite*"))
    print(f"  its size: {index / count:,.0f} bytes a document")
    print(f"  finding the document in an open process: {finding(home, question):.1f} ms of the processor")
    for arguments in (
        ("ls",),
        ("ls", "--json"),
        ("show", f"copy-{count // 2}"),
        ("ask", question),
        ("ask", "-d", f"copy-{count // 2}", question),
    ):
        run(*arguments)
        best = map(min, zip(*(run(*arguments) for _ in range(runs)), strict=True))
        print(f"  {' '.join(arguments)}: {shown(tuple(best))}", flush=True)


def finding(home: Path, question: str, runs: int = 5) -> float:
    """Milliseconds of the processor that finding the document of a question takes; the least of some runs."""
    library, taken = Library(home), list[float]()
    for _ in range(runs):
        started = time.process_time()
        find_document(question, library, None, _no_reader)
        taken.append(1_000 * (time.process_time() - started))
    return min(taken)


def _no_reader(_: SavedDocument) -> Reader:
    raise AssertionError("the words decide")


def processor_seconds() -> float:
    """What ended processes have used of it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def shown(seconds: tuple[float, ...]) -> str:
    return "{:.1f} s, {:.1f} s of the processor".format(*seconds)


if __name__ == "__main__":
    sys.exit(main())
