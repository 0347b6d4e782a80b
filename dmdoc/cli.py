"""The command line: parse, call the library, print. Nothing else happens here.

Only typer is imported at the top, so that `--help` and completion are instant; torch comes with the first
command that needs it. A value comes from its option, else from its DMDOC_* variable, else from the default.
"""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dmdoc import __version__, console
from dmdoc.errors import EXIT_INTERRUPTED, DmdocError
from dmdoc.folders import cache_folder, data_folder

if TYPE_CHECKING:
    from dmdoc.library import Library
    from dmdoc.reader import Reader
    from dmdoc.saved_document import SavedDocument
    from dmdoc.settings import GenerationSettings

app = typer.Typer(
    help="Read a long document once into a δ-mem state, then ask it anything, without sending it again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would double the time of --help
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="The known backbones and adapters.", invoke_without_command=True)
app.add_typer(models_app, name="models")

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="DMDOC_MODEL",
        help="Backbone: a known name, a folder, or ORG/NAME on the Hub.",
    ),
]
AdapterOption = Annotated[
    str | None,
    typer.Option(
        "--adapter", "-a", envvar="DMDOC_ADAPTER", help="δ-mem adapter: a known name, a folder, or ORG/NAME."
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", envvar="DMDOC_DEVICE", help="auto, cpu, cuda or cuda:N.")
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", envvar="DMDOC_OFFLINE", help="Never use the network.")
]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say what runs, where and how.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
DocumentOption = Annotated[
    str | None,
    typer.Option("--document", "-d", help="The saved document; the last ingested one if not given."),
]
MaxTokensOption = Annotated[int, typer.Option("--max-tokens", help="The most tokens of an answer.")]
TemperatureOption = Annotated[
    float, typer.Option("--temperature", "-t", help="0 is greedy; higher is more varied.")
]
TopPOption = Annotated[
    float, typer.Option("--top-p", help="Draw from the likeliest tokens of this total probability.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the draw, above temperature 0.")]
PromptOption = Annotated[
    str, typer.Option("--prompt", "-p", help="A built-in prompt (answer, summarise, list) or a prompt file.")
]
FileArgument = Annotated[
    str,
    typer.Argument(help="A text, HTML, PDF, DOCX, EPUB or PPTX file; - reads standard input."),
]
PasswordOption = Annotated[str | None, typer.Option("--password", help="Opens an encrypted PDF.")]
RefineOption = Annotated[
    int,
    typer.Option("--refine", metavar="STEPS", help="After each chunk, so many gradient steps on the state."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

JSON_SCHEMA = 1
"""Version of every JSON object that commands print."""


@dataclass(frozen=True)
class Machine:
    """The options that say what runs and where."""

    model: str | None
    adapter: str | None
    device: str
    offline: bool
    verbose: bool
    quiet: bool

    def open_reader(self, saved: "SavedDocument | None" = None) -> "Reader":
        """Load the reader: of the options, or the one that wrote `saved`."""
        from dmdoc.backbone import describe
        from dmdoc.reader import open_reader

        model, adapter = self.model, self.adapter
        if saved is not None:
            header = saved.header()
            if model is None:
                model, adapter = header.backbone.name, adapter or header.adapter.name
        progress: Callable[[str], None] | None = None if self.quiet else console.note
        reader = open_reader(
            model,
            adapter,
            cache=cache_folder(os.environ),
            device=self.device,
            offline=self.offline,
            progress=progress,
        )
        if self.verbose:
            console.note(f"{describe(reader.backbone)}; adapter {reader.adapter_identity.name}")
        return reader


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dmdoc {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def ingest(
    file: FileArgument,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Save it under this name.")] = None,
    password: PasswordOption = None,
    budget: Annotated[int | None, typer.Option("--budget", help="Tokens a chunk, at most.")] = None,
    refine: RefineOption = 0,
    force: Annotated[bool, typer.Option("--force", "-f", help="Read it again although it is saved.")] = False,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    device: DeviceOption = "auto",
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Read a document once and save its state."""
    from dmdoc.document import read_document
    from dmdoc.ingest import ingest as ingest_document

    document = read_document(file, name=name, password=password, stdin=sys.stdin.buffer)
    if verbose:
        console.note(f"{document.name}: {len(document.text):,} characters extracted by {document.reader}")
    reader = Machine(model, adapter, device, offline, verbose, quiet).open_reader()
    with console.ingest_progress(document.name, quiet=quiet) as progress:
        result = ingest_document(
            document, reader, _library(), budget=budget, refine_steps=refine, force=force, progress=progress
        )
    if not quiet:
        console.ingest_summary(result)
    if as_json:
        console.write_json(
            {
                "schema": JSON_SCHEMA,
                "document": result.document.name,
                "status": result.status,
                "source": result.document.source,
                "pages": result.document.page_count,
                "tokens": result.tokens,
                "chunks": result.chunks,
                "refine_steps": refine,
                "model": reader.backbone.name,
                "adapter": reader.adapter_identity.name,
                "warnings": list(result.warnings),
                "seconds": round(result.seconds, 3),
            }
        )


@app.command()
def extract(
    file: FileArgument,
    password: PasswordOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the text that would be ingested, page by page."""
    from dmdoc.document import read_document

    document = read_document(file, password=password, stdin=sys.stdin.buffer)
    if as_json:
        console.write_json(
            {
                "schema": JSON_SCHEMA,
                "source": document.source,
                "sha256": document.sha256,
                "extraction": asdict(document.extraction),
                "pages": list(document.pages),
            }
        )
        return
    for number, page in enumerate(document.pages, start=1):
        console.write_answer(f"--- page {number} ---\n{page}\n" if page else f"--- page {number} ---\n")


@app.command()
def ask(
    question: Annotated[
        str | None, typer.Argument(help="The question; - reads it from standard input.")
    ] = None,
    document: DocumentOption = None,
    prompt: PromptOption = "answer",
    max_tokens: MaxTokensOption = 256,
    temperature: TemperatureOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = 0,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    device: DeviceOption = "auto",
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer a question from the saved state of a document."""
    from dmdoc.prompt import load_prompt

    settings = _generation(max_tokens, temperature, top_p, seed)
    asked = sys.stdin.read().strip() if question == "-" else question
    template = load_prompt(prompt)
    if asked is None or not asked.strip():
        template.fill()  # names what is missing, before a model is loaded
        asked = None
    saved = _saved(_library(), document)

    from dmdoc.ask import ask as answer_question
    from dmdoc.ask import load_state

    reader = Machine(model, adapter, device, offline, verbose, quiet).open_reader(saved)
    answer = answer_question(
        asked,
        reader,
        load_state(saved, reader),
        prompt=template,
        settings=settings,
        on_text=None if as_json else console.write_answer,
    )
    if as_json:
        console.write_json(
            {
                "schema": JSON_SCHEMA,
                "answer": answer.text,
                "document": saved.name,
                "model": reader.backbone.name,
                "adapter": reader.adapter_identity.name,
                "prompt_tokens": answer.prompt_tokens,
                "document_tokens_in_prompt": 0,
                "answer_tokens": answer.answer_tokens,
                "seconds": round(answer.seconds, 3),
            }
        )
        return
    console.write_answer("\n")
    if verbose:
        console.note(
            f"{saved.name}: {answer.prompt_tokens} prompt tokens, none of them the document's; first token after "
            f"{answer.first_token_seconds:.2f} s, {answer.answer_tokens} tokens in {answer.seconds:.2f} s"
        )


@app.command()
def chat(
    name: Annotated[
        str | None, typer.Argument(help="The saved document; the last ingested one if not given.")
    ] = None,
    remember: Annotated[
        bool,
        typer.Option("--remember/--no-remember", help="Write finished turns into the session's own state."),
    ] = True,
    max_tokens: MaxTokensOption = 256,
    temperature: TemperatureOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = 0,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    device: DeviceOption = "auto",
    offline: OfflineOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Talk with a document. It remembers the conversation in a state of its own."""
    from dmdoc import repl

    settings = _generation(max_tokens, temperature, top_p, seed)
    library = _library()
    saved = _saved(library, name) if name is not None or library.names() else None
    reader = Machine(model, adapter, device, offline, verbose, False).open_reader(saved)
    history = data_folder(os.environ) / "history"
    repl.chat(
        reader, library, saved.name if saved else None, remember=remember, settings=settings, history=history
    )


@app.command("ls")
def list_documents(as_json: JsonOption = False) -> None:
    """List the saved documents."""
    documents = _library().documents()
    if not as_json:
        console.documents_table(documents)
        return
    records = []
    for saved in documents:
        header = saved.header()
        records.append(
            {
                "name": saved.name,
                "source": saved.source,
                "pages": saved.page_count,
                "characters": saved.characters,
                "tokens": header.tokens_written,
                "model": header.backbone.name,
                "adapter": header.adapter.name,
                "created": saved.created,
                "sha256": saved.sha256,
            }
        )
    console.write_json({"schema": JSON_SCHEMA, "documents": records})


@app.command("rm")
def remove_document(name: Annotated[str, typer.Argument(help="The saved document.")]) -> None:
    """Remove a saved document: its state and its extracted text."""
    _library().remove(name)


@app.command()
def compare(
    questions: Annotated[
        Path | None,
        typer.Option("--questions", help="JSON lines of question and answer, about a saved document."),
    ] = None,
    document: DocumentOption = None,
    documents: Annotated[
        int, typer.Option("--documents", min=2, help="Generated documents, without questions.")
    ] = 10,
    facts: Annotated[int, typer.Option("--facts", min=1, max=60, help="Facts of a generated document.")] = 4,
    refine: RefineOption = 0,
    max_tokens: MaxTokensOption = 32,
    seed: SeedOption = 0,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    device: DeviceOption = "auto",
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure recall: the same questions from the state, from other states, and with the whole text."""
    from dmdoc import compare as comparison
    from dmdoc.ask import load_state

    machine = Machine(model, adapter, device, offline, verbose, quiet)
    if questions is None:
        reader = machine.open_reader()
        cases = comparison.generated_cases(
            reader, documents=documents, facts=facts, seed=seed, refine_steps=refine
        )
    else:
        asked = comparison.read_questions(questions)
        saved = _saved(_library(), document)
        reader = machine.open_reader(saved)
        # Any other text will do: what its state gets right was not recalled from this document.
        steps = saved.header().refine_steps
        (other,) = comparison.generated_cases(reader, documents=1, facts=facts, seed=seed, refine_steps=steps)
        donor = other.state
        text = "\n\n".join(saved.pages())
        cases = [comparison.Case(text, load_state(saved, reader), donor, asked)]
    with console.comparison_progress(quiet=quiet) as progress:
        settings = _generation(max_tokens, 0.0, 1.0, seed)
        results = comparison.compare(cases, reader, settings=settings, progress=progress)
    summaries = comparison.summarise(results, seed=seed)
    if as_json:
        console.write_json(
            {
                "schema": JSON_SCHEMA,
                "model": reader.backbone.name,
                "adapter": reader.adapter_identity.name,
                "modes": {summary.mode: asdict(summary) for summary in summaries},
                "answers": [asdict(result) for result in results],
            }
        )
        return
    if verbose:
        console.answers_table([result for result in results if result.mode == "state"])
    console.comparison_table(summaries)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="The training configuration, a TOML file.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for checkpoints, metrics and the adapter.")
    ],
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the output folder.")] = False,
    device: DeviceOption = "auto",
    offline: OfflineOption = False,
) -> None:
    """Train a δ-mem adapter for a backbone."""
    from dmdoc import models
    from dmdoc.backbone import load_backbone
    from dmdoc.training.config import read_training_config
    from dmdoc.training.loop import train as train_adapter

    settings = read_training_config(config)
    folder = models.resolve(
        settings.backbone, cache_folder(os.environ), kind="backbone", offline=offline, progress=console.note
    )
    # Packed reads need a mask of their own, which flash_attention_2 does not take.
    backbone = load_backbone(folder, name=settings.backbone, device=device, attention="sdpa")
    with console.training_progress() as progress:
        adapter = train_adapter(settings, backbone, output, resume=resume, progress=progress)
    console.note(f"adapter saved in {adapter}; use it with --adapter {adapter}")


@models_app.callback()
def _models(context: typer.Context) -> None:
    """List the known backbones and adapters, and what of them is on this disk."""
    if context.invoked_subcommand is None:
        from dmdoc import models

        console.models_table(models.status(cache_folder(os.environ)))


@models_app.command()
def pull(name: Annotated[str, typer.Argument(help="A known name, or ORG/NAME on the Hub.")]) -> None:
    """Fetch a model, and the adapter that is known for it."""
    from dmdoc import models

    for folder in models.pull(name, cache_folder(os.environ), progress=console.note):
        console.note(f"{name}: {folder}")


def main() -> None:
    """Run the command line; every expected error becomes one line on stderr and its exit code."""
    # Damage that a reader of documents can read around is not worth a line; what it cannot raises.
    for library in ("pypdf", "trafilatura"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        app(prog_name="dmdoc")
    except DmdocError as failure:
        console.error(str(failure))
        sys.exit(failure.exit_code)
    except SystemExit as leaving:
        if leaving.code == EXIT_INTERRUPTED:
            console.note("interrupted; what is saved stays saved, and an ingest goes on where it was")
        raise


def _library() -> "Library":
    from dmdoc.library import Library

    return Library(data_folder(os.environ))


def _saved(library: "Library", name: str | None) -> "SavedDocument":
    return library.current() if name is None else library.get(name)


def _generation(max_tokens: int, temperature: float, top_p: float, seed: int) -> "GenerationSettings":
    from dmdoc.settings import GenerationSettings

    return GenerationSettings(max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed)
