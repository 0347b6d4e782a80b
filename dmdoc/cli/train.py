"""`train`: an adapter for a backbone."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dmdoc import console
from dmdoc.cli.options import DeviceOption, OfflineOption, environment
from dmdoc.console.progress import progress as show_progress
from dmdoc.settings.folders import cache_folder
from dmdoc.settings.generation import EVIDENCE_PASSAGES

if TYPE_CHECKING:
    from dmdoc.model.reader import Reader


def train(
    config: Annotated[Path, typer.Argument(help="The training configuration, a TOML file.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for checkpoints, metrics and the adapter.")
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the output folder.")
    ] = False,
    device: DeviceOption = "auto",
    offline: OfflineOption = False,
) -> None:
    """Train an adapter."""
    from dmdoc.answer.weighing import NO_ANSWER
    from dmdoc.model import registry as models
    from dmdoc.model.backbone import load_backbone
    from dmdoc.model.hardware import choose_device, detect_hardware
    from dmdoc.training.config import READING, read_training_config
    from dmdoc.training.loop import train as train_adapter
    from dmdoc.training.processes import Processes
    from dmdoc.training.reads import Asking

    settings = read_training_config(config)
    resolve = partial(models.resolve, cache=cache_folder(environment()), offline=offline, note=console.note)
    folder = resolve(settings.backbone, kind="backbone")
    starts = settings.start and (not resume or settings.learns == READING)
    start = resolve(settings.start, kind="adapter") if starts else None
    processes = Processes.join(choose_device(device, detect_hardware()))
    # Packed reads need a mask of their own, which flash_attention_2 does not take.
    backbone = load_backbone(folder, name=settings.backbone, device=str(processes.device), attention="sdpa")
    asking = Asking(_passages_for, _phrases_for, NO_ANSWER)
    with show_progress("train") as progress:
        adapter = train_adapter(
            settings, backbone, output, asking=asking, start=start, resume=resume, progress=progress
        )
    if processes.main:
        console.note(f"adapter saved in {adapter}; use it with --adapter {adapter}")


def _passages_for(question: str, text: str, reader: "Reader") -> str:
    """What `ask --evidence` shows of a text of one page."""
    from dmdoc.answer.recall import what_is_shown

    return what_is_shown(question, reader, lambda: [text], "evidence", EVIDENCE_PASSAGES)[1]


def _phrases_for(question: str, text: str) -> list[tuple[str, float]]:
    """The phrases of a text of one section that the model reads for a question, and what their words weigh."""
    from dmdoc.answer.spans import CANDIDATES, find_phrases
    from dmdoc.answer.weighing import weigh

    return [
        (each.candidate.text, weigh(each.measures)) for each in find_phrases(question, [text])[:CANDIDATES]
    ]
