"""Two processes on one machine, over gloo, against one process with twice the batches."""

import json
import multiprocessing
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import tiny_backbone, tiny_config

from dmdoc.training.config import TrainingConfig
from dmdoc.training.loop import train
from dmdoc.training.processes import Processes


def test_a_process_alone_is_the_main_one() -> None:
    alone = Processes.join(torch.device("cpu"))
    tensor = torch.tensor([1.0, 2.0])
    alone.average([tensor])
    alone.copy_from_main([tensor])

    assert alone == Processes(rank=0, count=1, device=torch.device("cpu"))
    assert alone.main
    assert tensor.tolist() == [1.0, 2.0]


def train_as(rank: int, config: TrainingConfig, output: Path, port: int) -> None:
    # What `accelerate launch` and `torchrun` tell the processes that they start.
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in told.items()})
    os.environ.update(MASTER_ADDR="127.0.0.1", OMP_NUM_THREADS="1")
    torch.set_num_threads(1)
    # What the backbone is loaded on: the processor is one, whichever process asks.
    assert Processes.join(torch.device("cpu")).device == torch.device("cpu")
    heard: list[float] = []
    train(config, tiny_backbone(), output, progress=lambda at: heard.append(at.done))
    assert heard == (list(range(1, 5)) if rank == 0 else [])
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one_with_twice_the_batches(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, steps=4, batches=1, recitations=1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(train_as, [(rank, config, tmp_path / "two", port) for rank in range(2)], chunksize=1)
    twice = replace(config, stages=(replace(config.stages[0], batches=2),))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the two: the start is fitted, and its rounding depends on the threads
    train(twice, tiny_backbone(), tmp_path / "one")
    torch.set_num_threads(threads)

    one, two = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("one", "two"))
    # AdamW makes whole steps of gradients that are nothing but rounding, so single weights may part.
    for name, tensor in one["adapter"].items():
        assert float((two["adapter"][name] - tensor).norm()) < 0.1 * float(tensor.norm()), name
    assert _losses(tmp_path / "two") == pytest.approx(_losses(tmp_path / "one"), rel=2e-3)


def _losses(output: Path) -> list[Any]:
    lines = (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["answer"] for line in lines]
