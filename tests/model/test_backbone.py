import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, Gemma2Config, PreTrainedTokenizerFast
from transformers.utils import logging

from dmdoc.errors import BackboneError
from dmdoc.model import backbone
from dmdoc.model.backbone import convert_gguf, describe, load_backbone
from dmdoc.model.batching import memory_told
from dmdoc.model.causal_lm import CausalLM
from dmdoc.model.decoder_config import DecoderConfig

QWEN3 = Path(__file__).parents[1] / "reference" / "backbone-qwen3"
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A random 3-layer Qwen3 with a tokenizer of single words."""
    target = tmp_path / "tiny"
    target.mkdir()
    for source in QWEN3.iterdir():
        shutil.copyfile(source, target / source.name)
    words = {"<pad>": 0, "<unk>": 1, "<eos>": 2, "hello": 3, "world": 4}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(target)
    return target


def test_a_folder_becomes_a_frozen_backbone(folder: Path) -> None:
    backbone = load_backbone(folder, name="tiny", device="cpu", dtype="float32")

    assert not backbone.model.training
    assert not any(parameter.requires_grad for parameter in backbone.model.parameters())
    assert {parameter.dtype for parameter in backbone.model.parameters()} == {torch.float32}
    assert (backbone.context_length, backbone.hidden_size, backbone.layer_count) == (2048, 32, 3)
    assert backbone.tokenizer.encode("hello world") == [3, 4]
    assert backbone.identity.name == backbone.tokenizer_identity.name == "tiny"
    assert describe(backbone) == "tiny on cpu, float32, sdpa"


def test_the_requested_number_format_and_attention_are_used(folder: Path) -> None:
    backbone = load_backbone(folder, name="tiny", device="cpu", dtype="bfloat16", attention="eager")

    assert {parameter.dtype for parameter in backbone.model.parameters()} == {torch.bfloat16}
    assert backbone.model.config._attn_implementation == "eager"
    assert describe(backbone) == "tiny on cpu, bfloat16, eager"


def test_flash_attention_reads_texts_end_to_end_where_the_decoder_is_ours(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not load_backbone(folder, name="tiny").packs_texts
    monkeypatch.setattr(backbone, "choose_attention", lambda *_: "flash_attention_2")
    ours = load_backbone(folder, name="tiny")

    assert isinstance(ours.model, CausalLM)
    assert ours.packs_texts


PEAK = """
import re, sys
from pathlib import Path
from dmdoc.model.backbone import load_backbone
def peak(): return 1024 * int(re.search("VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1])
before = peak()
load_backbone(Path(sys.argv[1]), name="large", device="cpu", dtype="bfloat16")
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much memory a process had")
@pytest.mark.slow
def test_while_a_model_is_converted_it_is_not_in_memory_twice(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"num_hidden_layers": 12, "hidden_size": 512, "intermediate_size": 4096}
    config |= {"num_attention_heads": 16, "layer_types": ["full_attention"] * 12}
    (folder / "config.json").write_text(json.dumps(config))
    known = DecoderConfig.known(config)
    assert known is not None
    with torch.device("meta"):
        shapes = {name: weight.shape for name, weight in CausalLM(known).named_parameters()}
    weights = folder / "model.safetensors"
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, weights)
    run = subprocess.run([sys.executable, "-c", PEAK, folder], capture_output=True, text=True, check=True)
    converted = weights.stat().st_size / 2
    assert 150e6 < converted < int(run.stdout) < 1.7 * converted


def test_a_model_without_sdpa_gets_the_attention_it_has(folder: Path) -> None:
    sizes = {"vocab_size": 8, "hidden_size": 16, "intermediate_size": 16, "head_dim": 8}
    config = Gemma2Config(**sizes, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2)
    AutoModelForCausalLM.from_config(config, attn_implementation="eager").save_pretrained(folder)

    backbone = load_backbone(folder, name="gemma", device="cpu", dtype="float32")

    assert backbone.attention == backbone.model.config._attn_implementation == "eager"


def test_loading_prints_nothing_and_leaves_transformers_settings_alone(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logging.enable_progress_bar()
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load_backbone(folder, name="tiny", device="cpu")

    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_the_chat_template_belongs_to_the_tokenizer_identity(folder: Path) -> None:
    before = load_backbone(folder, name="tiny", device="cpu")
    (folder / "chat_template.jinja").write_text(TEMPLATE + "!")
    after = load_backbone(folder, name="tiny", device="cpu")

    assert after.identity == before.identity
    assert after.tokenizer_identity != before.tokenizer_identity


def _cut_off(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:50_000])


def _empty_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def _another_layer(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"num_hidden_layers": 4, "layer_types": ["full_attention"] * 4}
    (folder / "config.json").write_text(json.dumps(config))


def _unknown_architecture(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "none-such"}')


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "is not a model"),
        (lambda folder: (folder / "config.json").write_text("[]"), "is not a model"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no .safetensors"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot read the tokenizer"),
        (_cut_off, "is damaged: .* is cut off"),
        (_empty_weights, "is damaged"),
        (_another_layer, r"incomplete: no weights for model\.layers\.3"),
        (_unknown_architecture, "none-such"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(
    folder: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(folder)

    with pytest.raises(BackboneError, match=message) as raised:
        load_backbone(folder, name="tiny", device="cpu")
    assert "\n" not in str(raised.value)


def test_a_model_that_does_not_fit_into_memory_is_not_called_damaged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: object) -> None:
        raise RuntimeError(
            "unable to mmap 9 bytes from file <model.safetensors>: Cannot allocate memory (12)"
        )

    monkeypatch.setattr("dmdoc.model.backbone._weights", too_large)
    with pytest.raises(BackboneError, match="not enough memory for tiny; close"), memory_told("tiny"):
        load_backbone(folder, name="tiny", device="cpu")


def test_a_file_that_is_not_gguf_is_refused(tmp_path: Path) -> None:
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"not a model" * 100)

    with pytest.raises(BackboneError, match=r"cannot convert model\.gguf"):
        convert_gguf(gguf, tmp_path / "target")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card")
def test_a_card_gets_the_model_in_bfloat16(folder: Path) -> None:
    backbone = load_backbone(folder, name="tiny")

    assert {parameter.device.type for parameter in backbone.model.parameters()} == {"cuda"}
    assert backbone.dtype == torch.bfloat16


@pytest.mark.parametrize("attention", ["sdpa", "eager"])  # without transformers, and with it
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_no_code_of_a_model_folder_runs_whatever_the_terminal_says(
    file: str, attention: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers asks "Do you wish to run the custom code? [y/N]" where nobody tells it not to."""
    ran = folder / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Evil: ...\n")
    config = json.loads((folder / file).read_text())
    config |= {"tokenizer_class": None} if "tokenizer" in file else {"model_type": "evil"}
    config["auto_map"] = {
        "AutoConfig": "evil.Evil",
        "AutoModelForCausalLM": "evil.Evil",
        "AutoTokenizer": ["evil.Evil", "evil.Evil"],
    }
    (folder / file).write_text(json.dumps(config))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with contextlib.suppress(BackboneError):
        load_backbone(folder, name="evil", device="cpu", dtype="float32", attention=attention)
    assert not ran.exists()


def test_weights_beside_safetensors_are_not_read(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "others.safetensors")
    torch.save(load_file(folder / "others.safetensors"), folder / "pytorch_model.bin")
    with pytest.raises(BackboneError, match="cannot load the model"):
        load_backbone(folder, name="tiny", device="cpu", attention="eager")
