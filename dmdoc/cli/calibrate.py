"""`calibrate`: which answers of an adapter can be believed."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from dmdoc import console
from dmdoc.cli.compare import Asked
from dmdoc.cli.options import JSON_SCHEMA, JsonOption, Machine, MaxTokensOption, spread
from dmdoc.console.progress import progress as show_progress
from dmdoc.errors import UsageError
from dmdoc.text.counting import counted


@spread
def calibrate(
    mode: Annotated[
        Literal["state", "spans", "evidence"],
        typer.Option("--recall", help="The mode whose answers are judged."),
    ] = "state",
    max_tokens: MaxTokensOption = 32,
    as_json: JsonOption = False,
    *,
    asked: Asked,
    machine: Machine,
) -> None:
    """Measure which of an adapter's answers can be believed, and keep what tells them in its folder."""
    from dmdoc.compare import calibration
    from dmdoc.memory.judges import write_judges
    from dmdoc.settings.generation import GenerationSettings
    from dmdoc.training.card import CARD

    folder = Path(machine.adapter or "")
    if machine.adapter is None or not folder.is_dir():
        raise UsageError("what is measured is kept in the adapter's folder; give that folder with --adapter")
    cases, reader, steps = asked.open(None, machine, split="train")  # the other half is there to measure with
    settings = GenerationSettings(max_tokens=max_tokens)
    with show_progress("calibrate", quiet=machine.quiet) as progress:
        answers = calibration.ask_all_kinds(
            cases, reader, mode, settings=settings, seed=asked.seed, progress=progress
        )
    found = calibration.calibrate(answers, seed=asked.seed)
    write_judges(folder, {mode: found.judge})
    card = folder / CARD
    if card.is_file():
        data = asked.describe() + (f"; states refined in {counted(steps, 'step')}" if steps else "")
        text = calibration.card_with_verdicts(card.read_text(encoding="utf-8"), mode, found, data)
        card.write_text(text, encoding="utf-8")
    if as_json:
        figures = {key: value for key, value in asdict(found).items() if key != "judge"}
        record = {"schema": JSON_SCHEMA, "adapter": reader.adapter_identity.name, "recall": mode, **figures}
        console.write_json(record)
        return
    lines = [f"fitted to {found.fitted_on:,} answers; fitted to half of the documents, on the others:"]
    lines += [f"  {word}: {count}" for word, count in found.verdicts.items()]
    lines.append(f"  {found.kept:.0%} of the right answers are sure or likely")
    lines += [
        f"  {share:.0%} of the answers to foreign questions ({kind}) are"
        for kind, share in found.foreign.items()
    ]
    lines.append(f"  expected calibration error {found.calibration_error:.3f}")
    console.write_answer("".join(f"{line}\n" for line in lines))
