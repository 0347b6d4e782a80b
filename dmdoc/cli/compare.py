"""`compare`: how much of a document its state recalls."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dmdoc import console
from dmdoc.cli.options import (
    JSON_SCHEMA,
    DocumentOption,
    JsonOption,
    Machine,
    MaxTokensOption,
    RefineOption,
    SeedOption,
    named_or_current,
    open_library,
    spread,
)
from dmdoc.console.progress import comparison_progress
from dmdoc.console.tables import answers_table, comparison_table


@spread
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
    as_json: JsonOption = False,
    *,
    machine: Machine,
) -> None:
    """Measure recall: the same questions from the state, from other states, and with the whole text."""
    from dmdoc import compare as comparison
    from dmdoc.ask import load_state
    from dmdoc.settings import GenerationSettings

    if questions is None:
        reader = machine.open_reader()
        cases = comparison.generated_cases(
            reader, documents=documents, facts=facts, seed=seed, refine_steps=refine
        )
    else:
        asked = comparison.read_questions(questions)
        saved = named_or_current(open_library(), document)
        reader = machine.open_reader(saved)
        # Any other text will do: what its state gets right was not recalled from this document.
        steps = saved.header().refine_steps
        (other,) = comparison.generated_cases(reader, documents=1, facts=facts, seed=seed, refine_steps=steps)
        donor = other.state
        text = "\n\n".join(saved.pages())
        cases = [comparison.Case(text, load_state(saved, reader), donor, asked)]
    with comparison_progress(quiet=machine.quiet) as progress:
        settings = GenerationSettings(max_tokens=max_tokens, seed=seed)
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
    if machine.verbose:
        answers_table([result for result in results if result.mode == "state"])
    comparison_table(summaries)
