"""Documents shared out over writers: what arrives is what one process would have written, whoever dies on the way."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from command_line import CONFIG
from tiny import save_tiny_reader, tiny_pointer, tiny_reader

from dmdoc.document import Document
from dmdoc.errors import ExtractionError
from dmdoc.ingest.many import Outcome, ingest_many
from dmdoc.ingest.share import Order, Writer, Writers, WriterSettings, Written, in_processes, share_out
from dmdoc.library.library import Library
from dmdoc.model.backbone import load_backbone
from dmdoc.model.reader import load_reader

TEXTS = {f"lot-{number}": f"Lot {number} holds salt. " * (number + 1) for number in range(6)}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> WriterSettings:
    folder = tmp_path_factory.mktemp("models")
    model, adapter = save_tiny_reader(tiny_reader(CONFIG, pointer=tiny_pointer()), folder)
    return WriterSettings(str(model), str(adapter), folder / "cache", device="cpu", threads=1)


def read(source: str) -> Document:
    if source == "broken":
        raise ExtractionError("broken is damaged")
    return Document(source, f"/files/{source}", (TEXTS[source],))


def here(settings: WriterSettings) -> Writers:
    """One writer in this process."""
    writer = Writer(settings)

    def run(orders: Iterable[Order]) -> Iterator[Written]:
        return map(writer.write, orders)

    return run


def as_one_process(settings: WriterSettings, home: Path) -> Library:
    """What `ingest` saves."""
    assert settings.model and settings.adapter
    reader = load_reader(
        load_backbone(Path(settings.model), name=settings.model, device="cpu"),
        Path(settings.adapter),
        adapter_name=settings.adapter,
    )
    library = Library(home)
    for source in TEXTS:
        list(ingest_many([source], read, reader, library, show_progress=lambda _: nullcontext()))
    return library


def states(library: Library) -> dict[str, bytes]:
    """All numbers of each, those that the pointer keeps too."""
    found = {}
    for saved in library.documents():
        state, _ = saved.state()
        assert state.vectors is not None
        tensors = (*state.layers, state.vectors.whole)
        found[saved.name] = b"".join(each.numpy().tobytes() for each in tensors)
    return found


@pytest.mark.slow
def test_an_order_whose_states_are_saved_is_not_written_again(
    settings: WriterSettings, tmp_path: Path
) -> None:
    library, writers = Library(tmp_path), here(settings)

    def statuses(force: bool = False) -> list[str]:
        found = share_out(TEXTS, read, writers, library, tags=["lots"], force=force)
        return [outcome.result.status for outcome in found if outcome.result]

    assert statuses() == ["added"] * len(TEXTS)
    assert statuses() == ["unchanged"] * len(TEXTS)
    assert statuses(force=True) == ["updated"] * len(TEXTS)
    assert {saved.tags for saved in library.documents()} == {("lots",)}


def test_what_fails_stops_no_other(settings: WriterSettings, tmp_path: Path) -> None:
    library = Library(tmp_path)
    taken = Document("lot-0", "/elsewhere", ("Rope.",))
    library.claim(taken)
    found = list(share_out(["broken", "lot-0", "lot-1"], read, here(settings), library))

    assert {outcome.source: str(outcome.error) for outcome in found if outcome.error}.keys() == {
        "broken",
        "lot-0",
    }
    assert library.names() == ("lot-1",)


@pytest.mark.slow
def test_processes_write_what_one_process_writes(settings: WriterSettings, tmp_path: Path) -> None:
    library = Library(tmp_path / "shared")
    found = list(share_out(TEXTS, read, in_processes([settings, settings]), library))

    assert sorted(outcome.source for outcome in found) == sorted(TEXTS)
    assert states(library) == states(as_one_process(settings, tmp_path / "one"))


@pytest.mark.campaign
def test_a_writer_of_a_cluster_that_is_killed_loses_nothing(settings: WriterSettings, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    from dmdoc.ingest.ray_writers import on_ray

    library, killed = Library(tmp_path / "shared"), False
    found: list[Outcome] = []
    try:
        for outcome in share_out(TEXTS, read, on_ray("local", settings, workers=2), library):
            found.append(outcome)
            if not killed:
                os.kill(writer_processes()[0], signal.SIGKILL)
                killed = True
    finally:
        ray.shutdown()

    assert sorted(outcome.source for outcome in found if outcome.result) == sorted(TEXTS)
    assert states(library) == states(as_one_process(settings, tmp_path / "one"))


def writer_processes() -> list[int]:
    """The processes of this cluster's actors, which Ray names after their class."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::Writer"):
            found.append(int(folder.name))
    return found
