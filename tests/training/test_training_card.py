from dataclasses import replace
from pathlib import Path
from typing import Any

from tiny import tiny_reader
from tiny_training import ADAPTER

from dmdoc.training.card import _interval, model_card
from dmdoc.training.config import Dataset, Stage, TrainingConfig, config_as_toml, read_training_config

CONFIG = TrainingConfig(backbone="smollm2-135m", adapter=ADAPTER, stages=(Stage(steps=2, facts=(3, 4)),))

SCORES = {"answer": 0.5, "answer_exact": 0.25, "recitation": 0.75, "recitation_right": 0.5}
METRICS: list[dict[str, Any]] = [
    {
        "step": 1,
        "seconds": 60.4,
        "eval": {"own": dict.fromkeys(SCORES, 9.0), "donor": dict.fromkeys(SCORES, 9.0)},
    },
    {
        "step": 2,
        "seconds": 61.0,
        "eval": {"own": SCORES, "donor": dict.fromkeys(SCORES, 1.5) | {"answer_exact": 0.0}},
    },
]


def card(config: TrainingConfig = CONFIG, metrics: list[dict[str, Any]] | None = None) -> str:
    return model_card(config, tiny_reader(ADAPTER).adapter, METRICS if metrics is None else metrics)


def test_the_front_matter_is_what_model_hubs_read() -> None:
    before, front, body = card().split("---\n", 2)

    assert before == ""
    assert front.splitlines()[:3] == [
        'base_model: "smollm2-135m"',
        "library_name: dmdoc",
        "license: apache-2.0",
    ]
    assert body.startswith("\n# δ-mem adapter for smollm2-135m\n")


def test_the_card_says_what_was_run_and_measured() -> None:
    text = card()

    assert "a state of 64 numbers (2 layers, 2 heads of 4 by\n4)" in text
    assert "- 2 steps: generated documents of 3 to 4 facts\n" in text
    assert "\nlicense: apache-2.0\n" in text
    assert (
        "2 steps, 121 seconds on the machine that ran them: 16 documents written, up to\n80 questions" in text
    )
    assert "recitations read. Started as a copier. Save the configuration" in text
    assert "    dmdoc train adapter.toml --output trained\n" in text
    assert "After step 2, on 56 questions about generated documents" in text
    assert "| answer, nats a token | 0.500 | 1.500 |" in text
    assert "| recited tokens right, teacher-forced | 0.500 | 1.500 |" in text
    # Wilson's intervals of 16 and of 0 answers among 56.
    assert "(95 % interval) | 0.250 (0.16 to 0.38) | 0.000 (0.00 to 0.06) |" in text
    assert "Recall was looked at up to 8,192 written tokens." in text


def test_the_configuration_in_the_card_can_be_run_again(tmp_path: Path) -> None:
    toml = card().split("```toml\n")[1].split("```")[0]
    (tmp_path / "adapter.toml").write_text(toml, encoding="utf-8")

    assert toml == config_as_toml(CONFIG)
    assert read_training_config(tmp_path / "adapter.toml") == CONFIG


def test_an_interval_stays_between_0_and_1() -> None:
    for count in range(1, 100):
        assert 0 <= _interval(0.0, count)[0] < _interval(1.0, count)[1] <= 1
        assert f"{_interval(0.0, count)[0]:.2f}" == "0.00"


def test_datasets_are_named_with_their_source_and_licence() -> None:
    squad = Dataset(
        name="squad", path="data/squad.jsonl.gz", licence="CC-BY-SA-4.0", source="Rajpurkar et al."
    )
    mixed = Stage(steps=5, data=("fictional", "squad"), batches=2, facts=(3, 9), borrowed=0.4, max_tokens=100)
    text = card(replace(CONFIG, stages=(*CONFIG.stages, mixed), datasets=(squad,)))

    generated = "generated documents of 3 to 9 facts (40% of their values borrowed from real answers)"
    assert f"- 5 steps: {generated}, squad (texts to 100 tokens)\n" in text
    assert "- squad: Rajpurkar et al.; licence: CC-BY-SA-4.0\n" in text
    assert "\nlicense: other\n" in text


def test_the_weights_that_a_run_started_from_are_named() -> None:
    assert "Started from the weights of `smollm2-135m`." in card(replace(CONFIG, start="smollm2-135m"))


def test_a_run_without_a_measurement_claims_nothing() -> None:
    text = card(metrics=[{"step": 1, "seconds": 1.0}])

    assert "## Figures\n\nNot measured.\n" in text
