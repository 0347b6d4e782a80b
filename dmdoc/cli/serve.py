"""`serve`: the answers of `ask` over HTTP, from one process that has the model loaded."""

import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmdoc import console
from dmdoc.cli import resident
from dmdoc.cli.ask_many import answer_record
from dmdoc.cli.library import record
from dmdoc.cli.options import Machine, open_library, spread
from dmdoc.cli.subject import Target
from dmdoc.errors import DmdocError, UsageError
from dmdoc.settings.folders import runtime_folder

if TYPE_CHECKING:
    from dmdoc.serve.engine import Answered

LOCAL = "http.sock"
"""The server's Unix socket, in the runtime folder."""

STOP_SECONDS = 40.0
"""In which a server that is told to end has finished its answers."""


@dataclass(frozen=True)
class Listening:
    """The options that say where it listens and who may ask."""

    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1"
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on.")] = 8080
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            envvar="DMDOC_API_KEY",
            help="Answer only requests that have this key; needed for any address but this machine's own.",
        ),
    ] = None
    api_key_file: Annotated[
        Path | None, typer.Option("--api-key-file", help="Read the key from this file.")
    ] = None
    root: Annotated[
        list[Path] | None,
        typer.Option("--root", help="Requests may name files in this folder to be read; may be given again."),
    ] = None
    most_waiting: Annotated[
        int, typer.Option("--max-waiting", min=1, help="Questions that may wait; more are refused.")
    ] = 64


@dataclass(frozen=True)
class Staying:
    """The options that say how long it runs, and those about one that does."""

    background: Annotated[
        bool, typer.Option("--background", help="Start it and leave it running; then --idle is 30m.")
    ] = False
    idle: Annotated[
        str | None, typer.Option("--idle", metavar="TIME", help="End when nobody asked for as long as 30m.")
    ] = None
    status: Annotated[bool, typer.Option("--status", help="Say whether a server runs.")] = False
    stop: Annotated[bool, typer.Option("--stop", help="End the server that runs.")] = False


@spread
def serve(listening: Listening, staying: Staying, machine: Machine) -> None:
    """Answer over HTTP, with the model loaded once."""
    folder = runtime_folder(os.environ)
    idle = None if staying.idle is None else resident.idle_seconds(staying.idle)
    if sum((staying.background, staying.status, staying.stop)) > 1:
        raise UsageError("give one of --background, --status and --stop")
    if staying.stop:
        resident.stop(folder / LOCAL, STOP_SECONDS)
        console.note("the server has ended")
    elif staying.status:
        _tell(resident.running(folder / LOCAL))
    elif staying.background:
        arguments = [each for each in sys.argv[sys.argv.index("serve") + 1 :] if each != "--background"]
        arguments += [] if idle else ["--idle", resident.IDLE]
        _tell(resident.start(arguments, folder / LOCAL, folder / "serve.log"))
    else:
        _serve(listening, folder, idle, machine)


def _tell(health: dict[str, Any]) -> None:
    console.note(", ".join(f"{name} {value}" for name, value in health.items()))
    if health["status"] == "failed":
        raise DmdocError("the server cannot answer; `dmdoc serve --stop` ends it")


def _serve(given: Listening, folder: Path, idle: float | None, machine: Machine) -> None:
    try:
        from dmdoc.serve.run import Activity, bind, bind_unix, check_key, run

        key = _key(given.api_key, given.api_key_file)
        check_key(given.host, key)
        from dmdoc.serve.app import Server, Settings  # and with it torch
        from dmdoc.serve.engine import Engine
        from dmdoc.serve.handover import SOCKET
    except ImportError as error:
        raise DmdocError(f"{error.name} is missing; pip install 'dmdoc[serve]'") from error
    listening, own = bind(given.host, given.port), folder / LOCAL
    sockets = [listening, bind_unix(own)]
    at = f"[{given.host}]" if ":" in given.host else given.host
    address = f"http://{at}:{listening.getsockname()[1]}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the server has its own way to end
    try:
        _share_model(folder, machine, sockets, address)
        engine = Engine(open_library(), machine.open_reader, most_waiting=given.most_waiting)
        settings = Settings(answer_record_of, record, key, tuple(given.root or ()), address=address)
        if not machine.quiet:
            console.note(f"listening on {address}; Ctrl-C ends it")
        server = Server(engine, settings)
        run(Activity(server.app(), folder / SOCKET, lambda: server.busy), sockets, idle=idle)
    finally:
        own.unlink(missing_ok=True)


def _share_model(folder: Path, machine: Machine, sockets: "list[socket.socket]", address: str) -> None:
    """Load the model, then start the process that answers `ask`, `chat` and `ingest` with it; it ends with this one.

    On a card there is none: its memory cannot be handed to a copy of a process. A model that cannot be loaded is told
    of by the server.
    """
    import torch

    from dmdoc.model.hardware import choose_device, detect_hardware
    from dmdoc.serve.run import telling_of_loading

    if not hasattr(os, "fork") or choose_device(machine.device, detect_hardware()).type != "cpu":
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # no pool of threads, which a copy of this process would not have
    with telling_of_loading(sockets, address):
        loaded = _is_loaded(machine)
    if loaded:  # and no other thread is there any more, which a copy would not have either
        _serve_commands(folder, machine, sockets, threads)
    torch.set_num_threads(threads)


def _is_loaded(machine: Machine) -> bool:
    try:
        machine.open_reader()
    except DmdocError:
        return False
    return True


def _serve_commands(folder: Path, machine: Machine, others: "list[socket.socket]", threads: int) -> None:
    """In a copy of this process."""
    from dmdoc.cli import main
    from dmdoc.cli.rehearsal import rehearse
    from dmdoc.serve.sessions import serve_commands

    reads, _writes = os.pipe()  # whose other end is closed when this process ends, however it does
    if os.fork() != 0:
        os.close(reads)
        return
    os.close(_writes)
    for each in others:
        each.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal ends this one by the pipe

    def prepare() -> None:
        if any(rehearse(machine, main)):
            console.warn(
                "the first command of each kind will take longer: a rehearsal of ingest and ask failed"
            )

    try:
        serve_commands(folder, prepare, main, environ=os.environ, alive=reads, threads=threads)
    finally:
        os._exit(0)


def answer_record_of(answered: "Answered") -> dict[str, Any]:
    """What JSON says of an answer."""
    finding = answered.finding
    target = Target(answered.question.text, finding.document, finding.by, finding.among)
    return answer_record(target, answered.recalled, answered.judgement, answered.found, answered.reader)


def _key(key: str | None, file: Path | None) -> str | None:
    if file is None:
        return key
    if key is not None:
        raise UsageError("give --api-key or --api-key-file, not both")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the key in {file}: {error}") from error
