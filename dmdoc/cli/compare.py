"""`compare`: how much of a document its state recalls."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dmdoc import __version__, console
from dmdoc.cli.options import (
    JSON_SCHEMA,
    JsonOption,
    Machine,
    MaxTokensOption,
    NameOrCurrentArgument,
    named_or_current,
    open_library,
    spread,
)
from dmdoc.console.comparison import answers_table, comparison_tables, probabilities_table
from dmdoc.console.progress import progress as show_progress
from dmdoc.errors import UsageError
from dmdoc.settings.generation import MOST_SEED
from dmdoc.text.counting import counted

Family = Literal["roster", "near", "contrast", "chain", "doubled", "pronoun", "apart"]

if TYPE_CHECKING:
    from dmdoc.compare import Cases, Summary
    from dmdoc.model.reader import Reader


@dataclass(frozen=True)
class Asked:
    """The options that say which documents are asked what."""

    questions: Annotated[
        Path | None,
        typer.Option(
            "--questions",
            help="Ask the saved document NAME these questions: JSON lines of question and answer.",
        ),
    ] = None
    dataset: Annotated[
        Path | None,
        typer.Option(
            "--dataset",
            help="Ask about a data set: a file or folder of JSON lines, SQuAD, LoCoMo or QASPER.",
        ),
    ] = None
    unit: Annotated[
        Literal["document", "section"],
        typer.Option("--unit", help="Read whole documents of a data set, or each section alone."),
    ] = "document"
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Ask only this many questions of a data set.")
    ] = None
    documents: Annotated[
        int,
        typer.Option("--documents", min=1, help="Generate this many documents, if nothing else is given."),
    ] = 10
    facts: Annotated[int, typer.Option("--facts", min=1, max=60, help="Facts in a generated document.")] = 4
    family: Annotated[
        Family | None,
        typer.Option(
            "--family", help="Generate rosters: several things of one kind with the same attributes."
        ),
    ] = None
    updates: Annotated[
        float,
        typer.Option("--updates", min=0, max=1, help="The share of facts that change later in the text."),
    ] = 0.0
    distractors: Annotated[
        float, typer.Option("--distractors", min=0, help="Sentences without a fact, for each fact.")
    ] = 0.0
    refine_steps: Annotated[
        int | None,
        typer.Option(
            "--refine",
            metavar="STEPS",
            min=0,
            help="Refine states, as `ingest --refine` does. A saved document stays as it is.",
        ),
    ] = None
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            envvar="DMDOC_SEED",
            min=0,
            max=MOST_SEED,
            help="Seed of everything that is drawn or generated.",
        ),
    ] = 0

    def describe(self) -> str:
        """Whose questions they are, for a report."""
        if self.questions is not None:
            return self.questions.name
        if self.dataset is not None:
            return f"{self.dataset.name}, its {self.unit}s"
        kind = "documents" if self.family is None else f"rosters ({self.family})"
        return f"generated {kind} of {counted(self.facts, 'fact')}"

    def open(
        self, name: str | None, machine: Machine, split: Literal["train", "eval"] = "eval"
    ) -> "tuple[Cases, Reader, int]":
        """The documents, the reader for them, and the steps by which their states are refined.

        Args:
            split: the half of names and wordings that documents are generated from.

        Raises:
            UsageError: options that exclude each other, or a dataset or questions that cannot be used.
        """
        from dmdoc.compare import dataset_cases, generated_documents, saved_case
        from dmdoc.datasets import read_dataset, read_questions, select

        if self.questions is not None:
            if self.dataset is not None:
                raise UsageError(
                    "--questions is about one saved document and --dataset brings its own; give one"
                )
            saved = named_or_current(open_library(), name)
            steps = saved.header().refine_steps
            if self.refine_steps not in (None, steps):
                raise UsageError(
                    f"the state of {saved.name!r} was refined in {steps} steps a chunk; for another number "
                    f"ingest the document again with --refine {self.refine_steps}"
                )
            asked = read_questions(self.questions)
            reader = machine.open_reader(saved)
            return saved_case(saved, asked, reader), reader, steps
        if name is not None:
            raise UsageError(f"what is {name!r} to be asked? give --questions FILE")
        if self.dataset is not None:
            chosen = select(read_dataset(self.dataset), unit=self.unit, limit=self.limit, seed=self.seed)
            if chosen.unplaced and not machine.quiet:
                console.note(f"{chosen.unplaced:,} questions left out: not said which section answers them")
            documents = list(chosen.documents)
        else:
            documents = generated_documents(
                self.documents,
                self.facts,
                seed=self.seed,
                updates=self.updates,
                distractors=self.distractors,
                family=self.family,
                split=split,
            )
        reader = machine.open_reader()
        return (
            dataset_cases(documents, reader, refine_steps=self.refine_steps or 0),
            reader,
            self.refine_steps or 0,
        )


@spread
def compare(
    name: NameOrCurrentArgument = None,
    modes: Annotated[
        list[str] | None,
        typer.Option(
            "--mode",
            help="Only this mode: state, zero, donor, swap, frozen, full, evidence, spans, unread, "
            "first; may be repeated.",
        ),
    ] = None,
    max_tokens: MaxTokensOption = 32,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Keep every result in this file. Run again, it goes on from there."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write a report with plots, as one HTML file."),
    ] = None,
    as_json: JsonOption = False,
    *,
    asked: Asked,
    machine: Machine,
) -> None:
    """Measure recall: the same questions with the state, with other states, and with the text."""
    from dmdoc import compare as comparison
    from dmdoc.settings.generation import GenerationSettings

    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise UsageError(f"cannot write the report to {html}: give a file in a folder that there is")
    chosen = comparison.check_modes(modes) if modes else comparison.MODES
    cases, reader, steps = asked.open(name, machine)
    settings = {"refine_steps": steps, "max_tokens": max_tokens}
    identities = {"model": reader.backbone.identity.sha256, "adapter": reader.adapter_identity.sha256}
    names = {"model": reader.backbone.name, "adapter": reader.adapter_identity.name}
    whose = {**identities, **settings, "questions": cases.sha256}
    file = None if output is None else comparison.ResultsFile(output, whose)
    with show_progress("compare", quiet=machine.quiet) as progress:
        results, skipped = comparison.compare(
            cases,
            reader,
            settings=GenerationSettings(max_tokens=max_tokens),
            modes=chosen,
            file=file,
            progress=progress,
        )
    if not machine.quiet:
        for line in comparison.describe_skipped(skipped):
            console.note(line)
    if html is not None:
        told = {"questions": asked.describe(), **names, **settings, "seed": asked.seed, "dmdoc": __version__}
        _write(html, comparison.html_report(results, skipped, told, seed=asked.seed))
    summaries = comparison.summarise(results, seed=asked.seed)
    if as_json:
        record: dict[str, Any] = {
            "schema": JSON_SCHEMA,
            **names,
            **settings,
            "seed": asked.seed,
            "modes": {summary.mode: _as_json(summary) for summary in summaries},
            "positions": [
                {"begin": part.begin, "end": part.end, "modes": {s.mode: _as_json(s) for s in part.summaries}}
                for part in comparison.by_position(results, seed=asked.seed)
            ],
            "probabilities": {
                mode: {
                    "calibration_error": round(comparison.calibration_error(own), 4),
                    "levels": [asdict(level) for level in comparison.levels(own)],
                }
                for mode, own in comparison.rated(results).items()
            },
            "skipped": [asdict(item) for item in skipped],
            "answers": [asdict(result) for result in results],
        }
        console.write_json(record)
        return
    if machine.verbose:
        listed = "state" if any(result.mode == "state" for result in results) else results[0].mode
        answers_table([result for result in results if result.mode == listed])
    comparison_tables(summaries)
    probabilities_table(comparison.rated(results))


def _as_json(summary: "Summary") -> dict[str, Any]:
    """How many questions, then every measure with its interval."""
    measures = {name: asdict(estimate) for name, estimate in summary.measures.items()}
    return {"questions": summary.questions, **measures}


def _write(file: Path, page: str) -> None:
    """
    Raises:
        UsageError: the file cannot be written.
    """
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the report to {file}: {error.strerror or error}") from error
