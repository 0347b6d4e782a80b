"""`train`: from a configuration file to an adapter that a question can be asked with."""

import json
from pathlib import Path

import pytest
from command_line import Invoke
from tiny import save_tiny_reader, tiny_reader
from tiny_training import ADAPTER, record, two_codes, write_lines

CONFIGURATION = """
[run]
backbone = "{backbone}"
checkpoint_every = 1
[adapter]
rank = 4
num_state_heads = 2
dmdoc = {{ write_layout = "plain", write_budget = 512 }}
[[dataset]]
name = "codes"
path = "{codes}"
licence = "none"
source = "made up"
[[stage]]
steps = {steps}
data = ["codes"]
documents = 2
facts = [1, 1]
questions = 1
recitations = 0
max_tokens = 64
"""


@pytest.mark.slow
def test_a_run_is_resumed_and_leaves_an_adapter(invoke: Invoke, tmp_path: Path) -> None:
    backbone, _ = save_tiny_reader(tiny_reader(ADAPTER), tmp_path)
    config, output = tmp_path / "run.toml", tmp_path / "out"
    train = ("train", str(config), "--output", str(output))
    values = {"backbone": backbone, "codes": two_codes(tmp_path)}
    config.write_text(CONFIGURATION.format(steps=1, **values), encoding="utf-8")
    run = invoke(*train)
    assert run.code == 0, run.err
    assert "--adapter" in run.err
    assert json.loads((output / "adapter" / "delta_mem_config.json").read_text())["rank"] == 4

    refused = invoke(*train)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "resume it" in refused.err
    config.write_text(CONFIGURATION.format(steps=2, **values), encoding="utf-8")
    assert invoke(*train, "--resume").code == 0
    assert len((output / "metrics.jsonl").read_text().splitlines()) == 2


@pytest.mark.slow
def test_weights_for_phrases_alone_are_learned_beside_an_adapter(invoke: Invoke, tmp_path: Path) -> None:
    backbone, adapter = save_tiny_reader(tiny_reader(ADAPTER), tmp_path)
    text = "The barge Sorrel was built in Lund. The tug Vera carries salt to Ostrand."
    data = write_lines(
        tmp_path / "barges.jsonl", record(text, ("Which town is known for its yards?", "Lund"))
    )
    config, output = tmp_path / "run.toml", tmp_path / "out"
    plan = CONFIGURATION.format(steps=1, backbone=backbone, codes=data)
    for before, after in (
        ("[run]", f'[run]\nstart = "{adapter}"\nlearns = "reading"'),
        ("rank = 4", "rank = 4\nalpha = 16.0\ncouple_lambda = false\nrankwise_gates = false"),
        ("= 512", "= 512, corrects_while_writing = false"),
        ("documents = 2", "documents = 1"),
        ("= 64", "= 256"),
    ):
        plan = plan.replace(before, after)
    config.write_text(plan + "rivals = 3\nweighed = true\n", encoding="utf-8")

    run = invoke("train", str(config), "--output", str(output))

    assert run.code == 0, run.err
    assert (output / "adapter" / "spans.safetensors").is_file()
    (step,) = map(json.loads, (output / "metrics.jsonl").read_text().splitlines())
    assert step["choice"] > 0  # among the phrases of the text


def test_a_missing_configuration_is_one_line(invoke: Invoke, tmp_path: Path) -> None:
    run = invoke("train", str(tmp_path / "none.toml"), "--output", str(tmp_path / "out"))
    assert run.code == 1
    assert "no training configuration at" in run.err
