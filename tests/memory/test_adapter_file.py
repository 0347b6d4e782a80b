import importlib
import pickle
import pkgutil
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from released import QWEN3_4B, adapter_tensors
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Qwen3Config, Qwen3ForCausalLM

import dmdoc
from dmdoc.errors import AdapterError
from dmdoc.memory.adapter import AttentionSizes, DeltaMemAdapter, DeltaMemConfig
from dmdoc.memory.adapter_config import CONFIG_FILE
from dmdoc.memory.adapter_file import OUR_WEIGHTS, PUBLIC_WEIGHTS, load_adapter, save_adapter
from dmdoc.memory.attach import attention_sizes

REFERENCE = Path(__file__).parents[1] / "reference"
PUBLIC_CONFIG = REFERENCE / "qwen3-tsw" / CONFIG_FILE
SIZES = [AttentionSizes(hidden=6, q=10, k=4, v=5, o=7)] * 3
QKVO = DeltaMemConfig(rank=2, delta_heads=("q", "k", "v", "o"), couple_lambda=False)


def random_adapter(config: DeltaMemConfig = QKVO) -> DeltaMemAdapter:
    torch.manual_seed(0)
    adapter = DeltaMemAdapter(config, SIZES)
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter)
    return adapter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved adapter of rank 2 with every kind of tensor."""
    save_adapter(random_adapter(), tmp_path / "adapter")
    return tmp_path / "adapter"


def load(folder: Path, sizes: list[AttentionSizes] = SIZES) -> DeltaMemAdapter:
    return load_adapter(folder, name="test", sizes=sizes)[0]


def edit_tensors(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / OUR_WEIGHTS)
    change(tensors)
    save_file(tensors, folder / OUR_WEIGHTS)


def refusal(folder: Path, sizes: list[AttentionSizes] = SIZES) -> str:
    with pytest.raises(AdapterError) as raised:
        load(folder, sizes)
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "config",
    [
        QKVO,
        DeltaMemConfig(num_state_heads=4, rankwise_gates=False, memory_write_granularity="sentence_mean"),
        DeltaMemConfig(
            delta_o_rmsnorm=True, trainable_delta_scale=True, delta_scale_granularity="head", alpha=3.5
        ),
        DeltaMemConfig(
            target_layers=(2, 0),
            shifts_keys=True,
            corrects_while_writing=False,
            write_layout="plain",
            write_budget=512,
            evidenced_tokens=77,
            reads_states_of=("ab12", "cd34"),
        ),
    ],
)
def test_what_is_saved_is_loaded(config: DeltaMemConfig, tmp_path: Path) -> None:
    adapter = random_adapter(config)
    save_adapter(adapter, tmp_path)
    loaded = load(tmp_path)

    assert loaded.config == config
    assert loaded.state_dict().keys() == adapter.state_dict().keys()
    for name, tensor in adapter.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert not loaded.training and not any(parameter.requires_grad for parameter in loaded.parameters())


def test_bfloat16_on_disk_is_float32_in_memory(tmp_path: Path) -> None:
    adapter = random_adapter()
    save_adapter(adapter, tmp_path, dtype=torch.bfloat16)
    on_disk = load_file(tmp_path / OUR_WEIGHTS)
    loaded = load(tmp_path)

    assert {tensor.dtype for tensor in on_disk.values()} == {torch.bfloat16}
    for name, tensor in adapter.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.bfloat16().float())


def test_our_file_uses_the_public_names(folder: Path) -> None:
    parameters = {"memory_q_proj", "memory_k_proj", "memory_v_proj", "beta_proj", "beta_bias"}
    parameters |= {
        "delta_q_proj",
        "delta_k_proj",
        "delta_v_proj",
        "delta_o_proj",
        "lambda_proj",
        "lambda_bias",
    }
    expected = {f"model.layers.{layer}.self_attn.{name}" for layer in range(3) for name in parameters}
    assert load_file(folder / OUR_WEIGHTS).keys() == expected


def test_the_identity_covers_weights_and_configuration(folder: Path, tmp_path: Path) -> None:
    _, identity = load_adapter(folder, name="one", sizes=SIZES)
    shutil.copytree(folder, tmp_path / "copy")
    assert load_adapter(tmp_path / "copy", name="two", sizes=SIZES)[1].sha256 == identity.sha256
    assert identity.name == "one"

    edit_tensors(folder, lambda tensors: tensors["model.layers.0.self_attn.beta_bias"].add_(1))
    config = tmp_path / "copy" / CONFIG_FILE
    config.write_text(config.read_text().replace('"alpha": 16.0', '"alpha": 8.0'))
    changed = {load_adapter(path, name="one", sizes=SIZES)[1].sha256 for path in (folder, tmp_path / "copy")}
    assert len(changed | {identity.sha256}) == 3


# ── the public format ──


def qwen3_4b() -> list[AttentionSizes]:
    """Of Qwen3-4B-Instruct-2507, whose weights are not needed for that."""
    config = Qwen3Config(**QWEN3_4B)
    with torch.device("meta"):
        return attention_sizes(Qwen3ForCausalLM(config))


@pytest.mark.slow
def test_the_published_adapter_fits_qwen3_4b(tmp_path: Path) -> None:
    tensors = adapter_tensors(QWEN3_4B)
    assert len(tensors) == 324
    torch.save(tensors, tmp_path / PUBLIC_WEIGHTS)
    shutil.copyfile(PUBLIC_CONFIG, tmp_path / CONFIG_FILE)
    sizes = qwen3_4b()
    assert set(sizes) == {AttentionSizes(hidden=2560, q=4096, k=1024, v=1024, o=2560)}

    adapter = load(tmp_path, sizes)
    assert adapter.state_shape == (36, 1, 8)
    assert (
        adapter.config == DeltaMemConfig()
    )  # and so corrects while writing, as a chat message, 8,192 tokens
    for name in ("memory_k_proj", "delta_q_proj", "beta_bias"):
        loaded = adapter.layer(35).get_parameter(name)
        assert torch.equal(loaded, tensors[f"model.layers.35.self_attn.{name}"].float())


def test_the_published_adapter_is_refused_beside_another_backbone(tmp_path: Path) -> None:
    torch.save(adapter_tensors(QWEN3_4B), tmp_path / PUBLIC_WEIGHTS)
    shutil.copyfile(PUBLIC_CONFIG, tmp_path / CONFIG_FILE)
    sizes = [AttentionSizes(hidden=4096, q=4096, k=1024, v=1024, o=4096)] * 36

    message = refusal(tmp_path, sizes)
    assert "model.layers.0.self_attn.memory_q_proj is [8, 2560], but this backbone needs [8, 4096]" in message
    assert "layer 35" in refusal(tmp_path, qwen3_4b()[:35])


def test_a_correction_that_the_configuration_leaves_out_must_be_zero(tmp_path: Path) -> None:
    config = DeltaMemConfig(rank=2)
    save_adapter(random_adapter(config), tmp_path)
    name = "model.layers.1.self_attn.delta_k_proj"
    edit_tensors(tmp_path, lambda tensors: tensors.update({name: torch.zeros(4, 2)}))
    assert load(tmp_path).config == config

    edit_tensors(tmp_path, lambda tensors: tensors.update({name: torch.ones(4, 2)}))
    assert name in refusal(tmp_path)


# ── other files ──


def test_a_peft_adapter_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 8}')
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    save_file({name: torch.zeros(8, 6)}, tmp_path / "adapter_model.safetensors")
    assert "PEFT" in refusal(tmp_path)

    shutil.copyfile(PUBLIC_CONFIG, tmp_path / CONFIG_FILE)
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / OUR_WEIGHTS)
    message = refusal(tmp_path)
    assert "PEFT LoRA" in message and name in message


def test_a_folder_without_configuration_or_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / OUR_WEIGHTS).unlink()
    assert PUBLIC_WEIGHTS in refusal(folder)
    assert CONFIG_FILE in refusal(tmp_path / "nowhere")


def test_a_missing_tensor_is_named(folder: Path) -> None:
    edit_tensors(folder, lambda tensors: tensors.pop("model.layers.2.self_attn.lambda_bias"))
    assert "lacks the tensor model.layers.2.self_attn.lambda_bias" in refusal(folder)


@pytest.mark.parametrize("name", ["lm_head.weight", "model.layers.0.self_attn.q_proj.weight"])
def test_a_tensor_of_a_model_is_named(name: str, folder: Path) -> None:
    edit_tensors(folder, lambda tensors: tensors.update({name: torch.zeros(1)}))
    assert f"{name} is not a δ-mem tensor" in refusal(folder)


def test_a_tensor_that_has_no_place_is_named(folder: Path) -> None:
    name = "model.layers.0.self_attn.memory_slots"
    edit_tensors(folder, lambda tensors: tensors.update({name: torch.zeros(1)}))
    assert name in refusal(folder)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_tensor_that_is_not_finite_is_named(number: float, folder: Path) -> None:
    name = "model.layers.1.self_attn.delta_q_proj"
    edit_tensors(folder, lambda tensors: tensors[name][0].fill_(number))
    assert f"{name} holds numbers that are not finite" in refusal(folder)


def test_shapes_that_do_not_fit_are_both_named(folder: Path) -> None:
    sizes = [SIZES[0], SIZES[1]._replace(v=9), SIZES[2]]
    message = refusal(folder, sizes)
    assert "model.layers.1.self_attn.delta_v_proj is [5, 2], but this backbone needs [9, 2]" in message


@pytest.mark.parametrize("keep", [0, 7, 100, 0.9])
@pytest.mark.parametrize("weights", [OUR_WEIGHTS, PUBLIC_WEIGHTS])
def test_a_weights_file_that_is_cut_off_is_refused(weights: str, keep: float, folder: Path) -> None:
    path = folder / weights
    if weights == PUBLIC_WEIGHTS:
        torch.save(load_file(folder / OUR_WEIGHTS), path)
        (folder / OUR_WEIGHTS).unlink()
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep >= 1 or keep == 0 else keep * len(content))])
    assert "damaged" in refusal(folder)


@pytest.mark.parametrize("content", [b"not weights at all", b"\x80\x04N.", b"PK\x03\x04 not a zip"])
def test_a_file_of_another_kind_is_refused(content: bytes, folder: Path) -> None:
    (folder / OUR_WEIGHTS).unlink()
    (folder / PUBLIC_WEIGHTS).write_bytes(content)
    assert PUBLIC_WEIGHTS in refusal(folder)


class Intruder:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("dump", [pickle.dump, lambda value, file: torch.save(value, file)])
def test_code_in_a_weights_file_is_not_run(
    dump: Callable[[Any, Any], None], folder: Path, tmp_path: Path
) -> None:
    (folder / OUR_WEIGHTS).unlink()
    with (folder / PUBLIC_WEIGHTS).open("wb") as file:
        dump({"model.layers.0.self_attn.beta_bias": Intruder(tmp_path / "intruded")}, file)

    assert PUBLIC_WEIGHTS in refusal(folder)
    assert not (tmp_path / "intruded").exists()


@pytest.mark.parametrize(
    "content", [[torch.zeros(1)], {"model.layers.0.self_attn.beta_bias": 3}, torch.zeros(2)]
)
def test_weights_that_are_not_a_dictionary_of_tensors_are_refused(content: Any, folder: Path) -> None:
    (folder / OUR_WEIGHTS).unlink()
    torch.save(content, folder / PUBLIC_WEIGHTS)
    assert "dictionary of tensors" in refusal(folder)


@pytest.mark.slow
def test_nothing_in_dmdoc_can_merge_an_adapter_into_a_model() -> None:
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(dmdoc.__path__, "dmdoc.")
        if not module.name.endswith("__main__")
    ]
    names = [
        f"{module.__name__}.{name}.{inner}"
        for module in modules
        for name, value in vars(module).items()
        if str(getattr(value, "__module__", "")).startswith("dmdoc")
        for inner in ("", *(vars(value) if isinstance(value, type) else ()))
    ]
    assert len(names) > 100
    assert [name for name in names if "merge" in name.lower()] == []
