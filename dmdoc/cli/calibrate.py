"""`calibrate`: how likely an answer of an adapter has to be to count as supported."""

from dataclasses import asdict
from pathlib import Path

from dmdoc import console
from dmdoc.cli.compare import Asked
from dmdoc.cli.options import JSON_SCHEMA, JsonOption, Machine, MaxTokensOption, spread
from dmdoc.console.progress import comparison_progress
from dmdoc.errors import UsageError
from dmdoc.text.counting import counted


@spread
def calibrate(
    max_tokens: MaxTokensOption = 32,
    as_json: JsonOption = False,
    *,
    asked: Asked,
    machine: Machine,
) -> None:
    """Measure which of an adapter's answers can be believed, and keep the threshold in its folder."""
    from dmdoc.compare import calibration
    from dmdoc.memory.adapter_config import write_support_threshold
    from dmdoc.settings.generation import GenerationSettings
    from dmdoc.training.card import CARD

    folder = Path(machine.adapter or "")
    if machine.adapter is None or not folder.is_dir():
        raise UsageError("the threshold is kept in the adapter's folder; give that folder with --adapter")
    cases, reader, steps = asked.open(None, machine)
    with comparison_progress(quiet=machine.quiet) as progress:
        answers = calibration.judge(
            cases, reader, settings=GenerationSettings(max_tokens=max_tokens), progress=progress
        )
    found = calibration.calibrate(answers, seed=asked.seed)
    write_support_threshold(folder, found.threshold)
    card = folder / CARD
    if card.is_file():
        data = asked.describe() + (f"; states refined in {counted(steps, 'step')}" if steps else "")
        text = calibration.card_with_support(card.read_text(encoding="utf-8"), found, data)
        card.write_text(text, encoding="utf-8")
    if as_json:
        console.write_json({"schema": JSON_SCHEMA, "adapter": reader.adapter_identity.name, **asdict(found)})
        return
    console.write_answer(
        f"supported from a likelihood of {found.threshold:+.2f} nats a token on, chosen on {found.chosen_on} answers\n"
        f"on other documents: supported {found.supported}, not supported {found.unsupported}\n"
    )
