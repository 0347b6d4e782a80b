from dataclasses import replace
from pathlib import Path

import pytest
from tiny_training import tiny_config

import dmdoc.training
from dmdoc.errors import TrainingError
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.training.config import (
    Dataset,
    Optimiser,
    Stage,
    TrainingConfig,
    config_as_toml,
    read_training_config,
)

SHIPPED = Path(dmdoc.training.__file__).with_name("smollm2-135m.toml")

SQUAD = Dataset(name="squad", path="squad.jsonl", licence="CC-BY-SA-4.0", source="somebody")
MINIMAL = '[run]\nbackbone = "b"\n[[stage]]\nsteps = 3\n'


def read(folder: Path, text: str) -> TrainingConfig:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return read_training_config(path)


def test_a_minimal_file_has_defaults_for_the_rest(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL)

    assert config == TrainingConfig(backbone="b", adapter=DeltaMemConfig(), stages=(Stage(steps=3),))
    assert config.optimiser == Optimiser()


def test_every_section_is_read(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        [run]
        backbone = "b"
        seed = 4
        [adapter]
        rank = 4
        delta_heads = ["o"]
        dmdoc = { write_layout = "plain" }
        [optimiser]
        learning_rate = 1
        [[stage]]
        steps = 2
        facts = [1, 3]
        [[dataset]]
        name = "squad"
        path = "squad.jsonl"
        licence = "CC-BY-SA-4.0"
        source = "somebody"
        [[stage]]
        steps = 5
        batches = 2
        data = ["fictional", "squad"]
        [[stage]]
        steps = 1
        data = "squad"
        """,
    )
    assert config.seed == 4
    assert (config.adapter.rank, config.adapter.delta_heads, config.adapter.write_layout) == (
        4,
        ("o",),
        "plain",
    )
    assert config.optimiser.learning_rate == 1.0
    assert [stage.facts for stage in config.stages] == [(1, 3), (4, 4), (4, 4)]
    assert [stage.data for stage in config.stages] == [("fictional",), ("fictional", "squad"), ("squad",)]
    assert config.datasets == (SQUAD,)
    assert config.steps == 8


def test_stages_follow_one_another() -> None:
    stages = (Stage(steps=2), Stage(steps=3, documents=1))
    config = TrainingConfig(backbone="b", adapter=DeltaMemConfig(), stages=stages)

    assert [config.stage_at(step).documents for step in range(7)] == [8, 8, 1, 1, 1, 1, 1]


def test_a_configuration_survives_its_own_toml(tmp_path: Path) -> None:
    config = TrainingConfig(
        backbone='a "quoted" \\ näme',
        adapter=DeltaMemConfig(rank=3, target_layers=(0, 2), write_layout="plain", couple_lambda=False),
        stages=(Stage(steps=1, facts=(2, 5)), Stage(steps=2, data=("squad",), updates=0.25)),
        datasets=(SQUAD,),
        optimiser=Optimiser(learning_rate=1e-5),
    )
    assert read(tmp_path, config_as_toml(config)) == config


@pytest.mark.parametrize("path", sorted(SHIPPED.parent.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_configurations_can_be_read(path: Path) -> None:
    config = read_training_config(path)

    assert config.backbone == "smollm2-135m"
    own = {"smollm2-135m-spans": "spans", "smollm2-135m-evidence": "evidence"}
    assert config.mode == own.get(path.stem)
    assert all(stage.max_tokens <= config.adapter.write_budget for stage in config.stages)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[run", "is not valid TOML: "),
        (MINIMAL + "[model]\n", ": unknown section model; known are adapter, dataset, optimiser, run, stage"),
        ('[run]\nbackbone = "b"\n', "there is no stage, so there is nothing to train on"),
        ('stage = 3\n[run]\nbackbone = "b"\n', " [[stage]] must be an array of tables, got 3"),
        (MINIMAL + "data = 7\n", ": data must be a name or a list of names, got 7"),
        (MINIMAL + 'data = "squad"\n', ": no dataset is named squad; known are fictional"),
        (
            MINIMAL + 'data = ["fictional", "rosters"]\nbatches = 3\nfacts = [6, 8]\n',
            ": batches must be a multiple or a divisor of the 2 data",
        ),
        (MINIMAL + '[[dataset]]\nname = "x"\n', " [[dataset]] 1: the field path is missing"),
        (
            MINIMAL + '[[dataset]]\nname = "fictional"\npath = ""\nlicence = ""\nsource = ""\n',
            "fictional names generated documents; give the dataset another name",
        ),
        ("stage = [3]\n", " [[stage]] 1 must be a table of fields, got 3"),
        ("run = 3\n[[stage]]\nsteps = 1", " [run] must be a table of fields, got 3"),
        ("[[stage]]\nsteps = 1\n", " [run]: the field backbone is missing"),
        ('[run]\nbackbone = "b"\n[[stage]]\n', " [[stage]] 1: the field steps is missing"),
        (
            '[run]\nbackbone = "b"\nrank = 4\n[[stage]]\nsteps = 1',
            " [run]: unknown field rank; known are backbone,",
        ),
        (
            '[run]\nbackbone = "b"\nstages = 4\n[[stage]]\nsteps = 1',
            " [run]: unknown field stages; known are ",
        ),
        ("[run]\nbackbone = 7\n[[stage]]\nsteps = 1", " [run]: backbone must be str, got 7"),
        (MINIMAL + 'documents = "8"\n', " [[stage]] 1: documents must be int, got '8'"),
        (MINIMAL + "documents = true\n", " [[stage]] 1: documents must be int, got True"),
        (MINIMAL + "facts = 4\n", " [[stage]] 1: facts must be two integers, got 4"),
        (MINIMAL + "facts = [4, 4.5]\n", " [[stage]] 1: facts must be two integers, got [4, 4.5]"),
        (
            MINIMAL + "facts = [5, 4]\n",
            " [[stage]] 1: facts must be [fewest, most] with fewest from 1, got [5, 4]",
        ),
        (MINIMAL + "documents = 0\n", " [[stage]] 1: documents must be at least 1, got 0"),
        (MINIMAL + "weighed = 1\n", " [[stage]] 1: weighed must be bool, got 1"),
        *(
            (MINIMAL + f"weighed = true\n{others}", " [[stage]] 1: weighed phrases are rivals of an answer")
            for others in ("", "rivals = 3\nquestions = 0\n", "rivals = 3\nshown = 0.5\n")
        ),
        (
            MINIMAL + "left_open = 0.3\n",
            " [[stage]] 1: left_open is a share of weighed questions: set weighed",
        ),
        (MINIMAL + "updates = 2\n", " [[stage]] 1: updates must be at most 1, got 2.0"),
        (MINIMAL + "borrowed = 2\n", " [[stage]] 1: borrowed must be at most 1, got 2.0"),
        (MINIMAL + "shown = 1.5\n", " [[stage]] 1: shown must be at most 1, got 1.5"),
        (
            MINIMAL + "borrowed = 0.5\n",
            " [[stage]] 1: borrowed takes values from answers of datasets: name fictional or rosters and",
        ),
        (MINIMAL + "distractors = nan\n", " [[stage]] 1: distractors must be at least 0, got nan"),
        (MINIMAL + "questions = 0\nrecitations = 0\n", " [[stage]] 1: questions and recitations are both 0"),
        (MINIMAL + "max_tokens = 9000\n", " [run]: max_tokens 9000 exceeds the write_budget 8192"),
        (
            MINIMAL + "[[stage]]\nsteps = 1\nsize = 2\n",
            " [[stage]] 2: unknown field size; known are batches,",
        ),
        (MINIMAL + "[optimiser]\nclip = 0\n", " [optimiser]: clip must be above 0, got 0.0"),
        (MINIMAL + "[optimiser]\nwarmup = 1.5\n", " [optimiser]: warmup must be int, got 1.5"),
        (MINIMAL + '[adapter]\nrank = "8"\n', " [adapter]: adapter config: rank must be int, got '8'"),
        (MINIMAL + "[adapter]\nranks = 8\n", " [adapter]: adapter config: unknown field ranks"),
        (MINIMAL + "[adapter]\ndmdoc = 3\n", " [adapter]: dmdoc must be a table of fields, got 3"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TrainingError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert str(tmp_path / "run.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no training configuration at "):
        read_training_config(tmp_path / "absent.toml")
    with pytest.raises(TrainingError, match="cannot read the training configuration "):
        read_training_config(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"\xff")
    with pytest.raises(TrainingError, match="is not valid TOML"):
        read_training_config(tmp_path / "latin.toml")


def test_a_run_needs_a_stage() -> None:
    config = TrainingConfig(backbone="b", adapter=DeltaMemConfig(), stages=(Stage(steps=1),))
    with pytest.raises(TrainingError, match="there is no stage"):
        replace(config, stages=())


def test_places_are_sought_with_traced_keys_alone(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    with pytest.raises(TrainingError, match="location_weight is for adapters that trace their keys"):
        replace(config, optimiser=Optimiser(location_weight=0.3))
    traced = replace(config.adapter, shifts_keys=True, traces_keys=True)
    assert replace(config, adapter=traced, optimiser=Optimiser(location_weight=0.3)).adapter.traces_keys


def test_reading_alone_is_learned_from_a_start_that_writes_without_corrections(tmp_path: Path) -> None:
    config = replace(tiny_config(tmp_path), start="first")
    assert replace(config, learns="reading").learns == "reading"
    correcting = replace(config.adapter, corrects_while_writing=True)
    for changes in ({"start": ""}, {"adapter": correcting}):
        with pytest.raises(TrainingError, match="only reading is learned from the start of an adapter"):
            replace(config, learns="reading", **changes)
    with pytest.raises(TrainingError, match="learns must be everything or reading, got 'writing'"):
        replace(config, learns="writing")
