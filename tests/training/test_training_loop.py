import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import ADAPTER, tiny_backbone, tiny_config

from dmdoc.errors import TrainingError
from dmdoc.memory.adapter import DeltaMemAdapter, DeltaMemConfig
from dmdoc.memory.adapter_config import CONFIG_FILE
from dmdoc.memory.adapter_file import OUR_WEIGHTS, load_adapter, save_adapter
from dmdoc.memory.attach import attention_sizes
from dmdoc.memory.judges import Judge, Logistic, read_judges, write_judges
from dmdoc.memory.reading_file import READING_WEIGHTS, load_reading
from dmdoc.memory.state_header import Identity
from dmdoc.model.backbone import Backbone
from dmdoc.model.pointer import POINTER
from dmdoc.model.reader import Reader, load_reader
from dmdoc.progress import Progress
from dmdoc.training import addresses, loop
from dmdoc.training.config import READING, Optimiser, Stage, TrainingConfig
from dmdoc.training.curriculum import Curriculum
from dmdoc.training.initial import start_as_copier
from dmdoc.training.loop import SAMPLE_DOCUMENTS, learning_rate, train
from dmdoc.training.loss import score_reads, write_batch
from dmdoc.training.measure import measure
from dmdoc.training.reads import Asking

JUDGE = Judge(Logistic(0.5, {"words": 1.0}), Logistic(-0.5, {"likelihood": 2.0}), 0.1, 0.4, 0.9)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone()


def metrics_of(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


def checkpoint_of(output: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(output / "checkpoint.pt", weights_only=True)
    return content


class Killed(Exception):
    pass


def kill_after(step: int) -> Any:
    def progress(at: Progress) -> None:
        if at.done == step:
            raise Killed

    return progress


@pytest.mark.slow
def test_an_adapter_learns_to_tell_two_documents_apart(tmp_path: Path, backbone: Backbone) -> None:
    config = tiny_config(tmp_path, steps=60)
    reader = load_reader(backbone, train(config, backbone, tmp_path / "out"), adapter_name="trained")
    batch = Curriculum(config, reader).batch(0, 0)
    own = write_batch(batch, reader)
    donor = own.select(torch.tensor([1, 0]))

    logged = metrics_of(tmp_path / "out")
    assert logged[0]["answer"] > 4
    assert float(score_reads(batch, own, reader).answer) < 1
    assert float(score_reads(batch, donor, reader).answer) > 4
    assert [step["step"] for step in logged] == list(range(1, 61))
    scores = {"answer", "recitation", "answer_exact", "choice", "choice_right", "location"}
    assert set(logged[0]) == {"step", "rate", "norm", "seconds"} | scores
    assert set(logged[-1]["eval"]) == {"own", "donor"}


@pytest.mark.slow
@pytest.mark.parametrize("corrects_while_writing", [True, False])
@pytest.mark.parametrize("granularity", ["token", "message_mean", "sentence_mean"])
def test_every_kind_of_adapter_trains(
    tmp_path: Path, backbone: Backbone, granularity: Any, corrects_while_writing: bool
) -> None:
    adapter = replace(
        ADAPTER,
        memory_write_granularity=granularity,
        corrects_while_writing=corrects_while_writing,
        delta_heads=("q", "k", "v", "o"),
    )
    train(tiny_config(tmp_path, adapter, steps=12), backbone, tmp_path / "out")
    answers = [step["answer"] for step in metrics_of(tmp_path / "out")]
    assert answers[-1] < answers[0] - 1


@pytest.mark.slow
def test_a_killed_run_ends_bit_for_bit_as_if_it_had_not_been(tmp_path: Path, backbone: Backbone) -> None:
    config = replace(tiny_config(tmp_path, recitations=1), measure_every=4)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(config, backbone, whole)
    with pytest.raises(Killed):
        train(config, backbone, killed, progress=kill_after(5))
    with (killed / "metrics.jsonl").open("a") as log:
        log.write('{"step": 6, "ra')
    torch.manual_seed(99)
    random.seed(99)
    calls: list[tuple[float, float]] = []
    train(config, backbone, killed, resume=True, progress=lambda at: calls.append((at.done, at.total)))

    assert calls == [(done, 8) for done in range(4, 9)]
    first, second = checkpoint_of(whole), checkpoint_of(killed)
    assert all(torch.equal(tensor, second["adapter"][name]) for name, tensor in first["adapter"].items())
    for index, moments in first["optimiser"]["state"].items():
        others = second["optimiser"]["state"][index]
        assert all(torch.equal(moment, others[name]) for name, moment in moments.items())
    assert _without_time(metrics_of(whole)) == _without_time(metrics_of(killed))
    assert _weights(whole) == _weights(killed)


@pytest.mark.slow
@pytest.mark.parametrize("rounded", [True, False])
def test_a_run_that_learns_reading_alone_reads_the_states_of_its_start(
    tmp_path: Path, backbone: Backbone, rounded: bool
) -> None:
    sizes, first = attention_sizes(backbone.model), tmp_path / "first"
    dtype = torch.bfloat16 if rounded else torch.float32
    save_adapter(DeltaMemAdapter(ADAPTER, sizes), first, dtype=dtype)
    config = replace(tiny_config(tmp_path, steps=3), start=str(first), learns=READING, checkpoint_every=2)
    with pytest.raises(Killed):
        train(config, backbone, tmp_path / "out", start=first, progress=kill_after(2))
    folder = train(config, backbone, tmp_path / "out", start=first, resume=True)

    before, wrote = load_adapter(first, name="first", sizes=sizes)
    after, identity = load_adapter(folder, name="second", sizes=sizes)
    named = zip(before.named_parameters(), after.parameters(), strict=True)
    changed = {name.rpartition(".")[2] for (name, old), new in named if not torch.equal(old, new)}
    assert changed == {"memory_q_proj", "delta_q_proj", "delta_o_proj"}
    assert identity.wrote(wrote) and not wrote.wrote(identity)
    third = train(replace(config, start=str(folder)), backbone, tmp_path / "again", start=folder)
    assert load_adapter(third, name="third", sizes=sizes)[1].wrote(wrote)


def test_a_run_that_shows_the_text_leaves_its_start_and_adds_weights_for_that(
    tmp_path: Path, backbone: Backbone
) -> None:
    sizes, first = attention_sizes(backbone.model), tmp_path / "first"
    save_adapter(DeltaMemAdapter(ADAPTER, sizes), first)
    write_judges(first, {"spans": JUDGE, "evidence": JUDGE})
    shows: list[str] = []

    def show(question: str, text: str, _reader: Reader) -> str:
        shows.append(question)
        return text[:-1]

    config = replace(
        tiny_config(tmp_path, steps=3, shown=1.0), start=str(first), learns=READING, measure_every=3
    )
    folder = train(config, backbone, tmp_path / "out", asking=Asking(show), start=first)

    assert len(shows) > 6  # what is measured is shown its text as well
    for name in (OUR_WEIGHTS, CONFIG_FILE):
        assert (folder / name).read_bytes() == (first / name).read_bytes()
    assert read_judges(folder) == {"spans": JUDGE}  # nobody has measured what evidence gives now
    before, _ = load_adapter(first, name="first", sizes=sizes)
    after = load_reading(folder / READING_WEIGHTS["evidence"], before).state_dict()
    changed = {
        name.rpartition(".")[2] for name, old in before.state_dict().items() if not old.equal(after[name])
    }
    assert changed == {"memory_q_proj", "delta_q_proj", "delta_o_proj"}
    learned = checkpoint_of(tmp_path / "out")["adapter"]
    for name, tensor in learned.items():
        step = (tensor - before.state_dict()[name]).abs().max()
        assert (after[name] - tensor).abs().max() <= 0.02 * step
    card = (folder / "README.md").read_text()
    assert "with the text in the prompt by weights of its own" in card
    assert "recitation, nats" not in card


def test_a_run_that_chooses_among_the_phrases_of_ask_leaves_its_start_and_adds_weights_for_that(
    tmp_path: Path, backbone: Backbone
) -> None:
    sizes, first = attention_sizes(backbone.model), tmp_path / "first"
    save_adapter(DeltaMemAdapter(ADAPTER, sizes), first)
    (first / READING_WEIGHTS["evidence"]).write_bytes(b"of another mode")
    (first / POINTER).write_bytes(b"a pointer")
    write_judges(first, {"spans": JUDGE, "evidence": JUDGE})

    def phrases(question: str, text: str) -> list[tuple[str, float]]:
        return [(word.strip(".,"), 0.0) for word in dict.fromkeys(text.split())]

    plan = tiny_config(tmp_path, steps=3, weighed=True, rivals=3, left_open=0.2, recitations=0)
    config = replace(plan, start=str(first), learns=READING)
    assert config.mode == "spans"
    folder = train(config, backbone, tmp_path / "out", asking=Asking(phrases=phrases), start=first)

    for name in (OUR_WEIGHTS, CONFIG_FILE):
        assert (folder / name).read_bytes() == (first / name).read_bytes()
    assert read_judges(folder) == {"evidence": JUDGE}
    assert (folder / READING_WEIGHTS["evidence"]).read_bytes() == b"of another mode"
    assert (folder / POINTER).read_bytes() == b"a pointer"
    before, _ = load_adapter(first, name="first", sizes=sizes)
    after = load_reading(folder / READING_WEIGHTS["spans"], before).state_dict()
    assert any(not old.equal(after[name]) for name, old in before.state_dict().items())
    slow = replace(
        config, start=str(folder), optimiser=Optimiser(learning_rate=1e-12, final_learning_rate=0.0)
    )
    again = train(slow, backbone, tmp_path / "again", asking=Asking(phrases=phrases), start=folder)
    kept = load_reading(again / READING_WEIGHTS["spans"], before).state_dict()
    assert all(old.allclose(kept[name], atol=1e-2) for name, old in after.items())  # it went on from there
    with pytest.raises(
        TrainingError, match=r"no question of 20 batches of codes has an answer that could be chosen"
    ):
        train(config, backbone, tmp_path / "none", start=first)


def _without_time(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in step.items() if key != "seconds"} for step in metrics]


def _weights(output: Path) -> bytes:
    return (output / "adapter" / "adapter.safetensors").read_bytes()


@pytest.mark.slow
def test_a_run_killed_before_its_first_checkpoint_starts_again(tmp_path: Path, backbone: Backbone) -> None:
    config = tiny_config(tmp_path, steps=3)
    with pytest.raises(Killed):
        train(config, backbone, tmp_path / "out", progress=kill_after(2))
    with pytest.raises(TrainingError, match=r"nothing to resume: .* start a new run"):
        train(config, backbone, tmp_path / "out", resume=True)
    train(config, backbone, tmp_path / "out")

    assert [step["step"] for step in metrics_of(tmp_path / "out")] == [1, 2, 3]


@pytest.mark.slow
def test_a_finished_run_is_exported_again(tmp_path: Path, backbone: Backbone) -> None:
    config = tiny_config(tmp_path, steps=3)
    folder = train(config, backbone, tmp_path / "out")
    before = _weights(tmp_path / "out")
    (folder / "adapter.safetensors").unlink()
    (folder / "README.md").unlink()
    (tmp_path / "out" / "metrics.svg").unlink()

    train(config, backbone, tmp_path / "out", resume=True)
    assert _weights(tmp_path / "out") == before
    assert (tmp_path / "out" / "metrics.svg").is_file()
    assert (folder / "README.md").is_file()
    assert len(metrics_of(tmp_path / "out")) == 3


@pytest.mark.slow
def test_an_earlier_run_is_never_overwritten(tmp_path: Path, backbone: Backbone) -> None:
    config = tiny_config(tmp_path, steps=1)
    train(config, backbone, tmp_path / "out")
    with pytest.raises(TrainingError, match="holds an earlier run; resume it"):
        train(config, backbone, tmp_path / "out")


@pytest.mark.slow
def test_a_run_may_be_prolonged_with_other_settings(tmp_path: Path, backbone: Backbone) -> None:
    config = tiny_config(tmp_path, steps=2)
    train(config, backbone, tmp_path / "out")
    more = replace(config.stages[0], steps=2, questions=0, recitations=1)
    settings = Optimiser(learning_rate=1e-3, final_learning_rate=1e-3, warmup=0, weight_decay=0.5)
    longer = replace(config, stages=(*config.stages, more), optimiser=settings)
    train(longer, backbone, tmp_path / "out", resume=True)

    assert [step["step"] for step in metrics_of(tmp_path / "out")] == [1, 2, 3, 4]
    assert [step["recitation"] > 0 for step in metrics_of(tmp_path / "out")] == [False, False, True, True]
    (group,) = checkpoint_of(tmp_path / "out")["optimiser"]["param_groups"]
    assert (group["lr"], group["weight_decay"]) == (1e-3, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"adapter": replace(ADAPTER, alpha=8.0)}, "another adapter.alpha;"),
        (
            {"adapter": replace(ADAPTER, rank=8, num_state_heads=1)},
            "another adapter.rank, adapter.num_state_heads;",
        ),
        ({"backbone": "other"}, "another backbone;"),
    ],
)
def test_another_adapter_or_backbone_is_not_resumed(
    tmp_path: Path, backbone: Backbone, changes: dict[str, Any], named: str
) -> None:
    config = tiny_config(tmp_path, steps=1)
    train(config, backbone, tmp_path / "out")
    with pytest.raises(TrainingError, match=named):
        train(replace(config, **changes), backbone, tmp_path / "out", resume=True)


def test_how_much_may_be_written_can_change_between_parts_of_a_run(
    tmp_path: Path, backbone: Backbone
) -> None:
    config = tiny_config(tmp_path, steps=1)
    train(config, backbone, tmp_path / "out")
    wider = replace(ADAPTER, write_budget=1024, evidenced_tokens=100)
    folder = train(replace(config, adapter=wider), backbone, tmp_path / "out", resume=True)

    reader = load_reader(backbone, folder, adapter_name="wider")
    assert reader.adapter.config == wider


@pytest.mark.slow
def test_a_run_starts_from_the_weights_of_another_adapter(tmp_path: Path, backbone: Backbone) -> None:
    config = tiny_config(tmp_path, steps=60)
    first = train(config, backbone, tmp_path / "first")
    # Warm-up keeps the first step too small to be what the answers come from.
    still = replace(config.stages[0], steps=1)
    warm = replace(config, start="first", stages=(still,), optimiser=Optimiser(learning_rate=1e-9))
    train(warm, backbone, tmp_path / "warm", start=first)

    assert metrics_of(tmp_path / "first")[0]["answer"] > 4
    assert metrics_of(tmp_path / "warm")[0]["answer"] < 1
    assert _weights(tmp_path / "warm") == _weights(tmp_path / "first")


@pytest.mark.slow
def test_an_adapter_to_start_from_may_be_fed_otherwise_but_has_the_same_shape(
    tmp_path: Path, backbone: Backbone
) -> None:
    config = tiny_config(tmp_path, steps=1)
    first = train(config, backbone, tmp_path / "first")
    warm = replace(config, start="first", adapter=replace(ADAPTER, write_budget=1024))
    train(warm, backbone, tmp_path / "longer", start=first)
    wider = replace(config, start="first", adapter=replace(ADAPTER, num_state_heads=1, alpha=8.0))

    with pytest.raises(TrainingError, match=r"has alpha 16\.0, num_state_heads 2; give \[adapter\] the same"):
        train(wider, backbone, tmp_path / "wider", start=first)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, backbone: Backbone, content: bytes) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is damaged or not a checkpoint"):
        train(tiny_config(tmp_path), backbone, tmp_path, resume=True)


class Intruder:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, backbone: Backbone) -> None:
    torch.save({"steps": Intruder(tmp_path / "intruded")}, tmp_path / "checkpoint.pt")
    with pytest.raises(TrainingError, match="not a checkpoint"):
        train(tiny_config(tmp_path), backbone, tmp_path, resume=True)
    assert not (tmp_path / "intruded").exists()


@pytest.mark.slow
def test_a_checkpoint_is_a_plain_dictionary(tmp_path: Path, backbone: Backbone) -> None:
    train(tiny_config(tmp_path, steps=2), backbone, tmp_path / "out")
    content = checkpoint_of(tmp_path / "out")

    assert set(content) == {"steps", "adapter", "optimiser", "config"}
    assert content["steps"] == 2
    assert json.loads(content["config"])["backbone"] == "tiny"


@pytest.mark.slow
def test_the_gradients_of_several_batches_are_averaged(tmp_path: Path, backbone: Backbone) -> None:
    config = tiny_config(tmp_path, steps=1, batches=3, recitations=1)
    train(config, backbone, tmp_path / "out")

    torch.manual_seed(config.seed)
    adapter = DeltaMemAdapter(config.adapter, attention_sizes(backbone.model))
    reader = Reader(backbone, adapter, Identity("", ""))
    curriculum = Curriculum(config, reader)
    start_as_copier(adapter, reader, curriculum.sample(SAMPLE_DOCUMENTS), config.seed)
    scores = [score_reads(batch, write_batch(batch, reader), reader) for batch in _batches(curriculum)]
    loss = sum((score.answer + score.recitation for score in scores), torch.zeros(())) / 3
    gradients = torch.autograd.grad(loss, list(adapter.parameters()), allow_unused=True)
    norm = torch.stack([gradient.norm() for gradient in gradients if gradient is not None]).norm()

    logged = metrics_of(tmp_path / "out")[0]
    assert logged["norm"] == pytest.approx(float(norm), rel=1e-3)
    assert logged["answer"] == pytest.approx(sum(score.answer.item() for score in scores) / 3, abs=1e-3)


def _batches(curriculum: Curriculum) -> list[Any]:
    return [curriculum.batch(0, number) for number in range(3)]


def test_a_gradient_that_is_not_finite_stops_the_run(tmp_path: Path, backbone: Backbone) -> None:
    config = tiny_config(tmp_path, recitations=1)
    endless = replace(config, optimiser=Optimiser(recitation_weight=1e39))
    with pytest.raises(
        TrainingError, match="the gradient of step 1 is not finite; lower learning_rate and resume"
    ):
        train(endless, backbone, tmp_path / "out")
    assert metrics_of(tmp_path / "out") == []


def test_the_backbone_stays_as_it_was(tmp_path: Path, backbone: Backbone) -> None:
    before = {name: tensor.clone() for name, tensor in backbone.model.state_dict().items()}
    train(tiny_config(tmp_path, steps=2), backbone, tmp_path / "out")

    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.model.state_dict().items())
    assert all(parameter.grad is None for parameter in backbone.model.parameters())


def test_an_exported_adapter_is_the_checkpoint_in_bfloat16(tmp_path: Path, backbone: Backbone) -> None:
    folder = train(tiny_config(tmp_path, steps=2), backbone, tmp_path / "out")
    adapter, identity = load_adapter(folder, name="trained", sizes=attention_sizes(backbone.model))

    assert folder == tmp_path / "out" / "adapter"
    assert adapter.config == ADAPTER
    assert identity.name == "trained"
    for name, tensor in checkpoint_of(tmp_path / "out")["adapter"].items():
        assert torch.equal(adapter.state_dict()[name], tensor.to(torch.bfloat16).float())


@pytest.mark.slow
def test_eager_attention_trains_to_the_same_losses(tmp_path: Path, backbone: Backbone) -> None:
    config = tiny_config(tmp_path, steps=2, recitations=1)
    train(config, backbone, tmp_path / "sdpa")
    train(config, tiny_backbone(attention="eager"), tmp_path / "eager")

    sdpa, eager = metrics_of(tmp_path / "sdpa"), metrics_of(tmp_path / "eager")
    assert [step["answer"] for step in eager] == pytest.approx([step["answer"] for step in sdpa], abs=1e-3)


def test_an_attention_kernel_without_masks_is_refused(tmp_path: Path, backbone: Backbone) -> None:
    flash = replace(backbone, attention="flash_attention_2")
    with pytest.raises(TrainingError, match="load the backbone with sdpa"):
        train(tiny_config(tmp_path), flash, tmp_path / "out")


def test_an_output_that_cannot_be_made_is_named(tmp_path: Path, backbone: Backbone) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot make the folder "):
        train(tiny_config(tmp_path), backbone, tmp_path / "file")


def test_the_learning_rate_rises_then_falls_along_half_a_cosine() -> None:
    config = TrainingConfig(
        backbone="b",
        adapter=DeltaMemConfig(),
        stages=(Stage(steps=10), Stage(steps=11)),
        optimiser=Optimiser(learning_rate=1.0, final_learning_rate=0.2, warmup=4),
    )
    rates = [learning_rate(config, step) for step in range(21)]

    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert 0.2 < rates[-1] < 0.21


@pytest.mark.slow
def test_a_measurement_never_takes_a_document_for_its_own_donor(tmp_path: Path, backbone: Backbone) -> None:
    config = tiny_config(tmp_path, steps=20)
    reader = load_reader(backbone, train(config, backbone, tmp_path / "out"), adapter_name="trained")
    shape = Stage(steps=1, data=("codes",), documents=1, facts=(1, 1), questions=0, recitations=1)
    scores = measure(shape, reader, seed=0)

    assert scores["own"] != scores["donor"]
    assert scores["own"]["answer"] > 0
    assert scores == measure(shape, reader, seed=0)


@pytest.mark.slow
def test_traced_keys_are_fitted_before_the_first_step_and_once(
    tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "STEPS", 3)
    monkeypatch.setattr(loop, "ADDRESS_BATCHES", 4)
    traced = replace(ADAPTER, shifts_keys=True, traces_keys=True)
    config = replace(
        tiny_config(tmp_path, traced, steps=2),
        optimiser=Optimiser(learning_rate=1e-2, warmup=2, location_weight=0.5),
    )
    heard: list[tuple[str, float]] = []
    trained = train(config, backbone, tmp_path / "out", progress=lambda at: heard.append((at.unit, at.done)))
    train(
        replace(config, start="first"),
        backbone,
        tmp_path / "on",
        start=trained,
        progress=lambda at: heard.append((at.unit, at.done)),
    )

    layers = len(load_adapter(trained, name="", sizes=attention_sizes(backbone.model))[0].layer_indices)
    fitted = [("layers fitted", number + 1) for number in range(layers)]
    assert heard == [*fitted, ("steps", 1), ("steps", 2), ("steps", 1), ("steps", 2)]
    assert metrics_of(tmp_path / "out")[0]["location"] > 0
