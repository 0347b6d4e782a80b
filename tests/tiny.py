"""Tiny random models with obvious behaviour for the tests: one token a byte, two layers, no files needed."""

import json
from copy import deepcopy
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen3Config

from dmdoc.memory.adapter import DeltaMemAdapter, DeltaMemConfig
from dmdoc.memory.adapter_file import save_adapter
from dmdoc.memory.attach import attention_sizes
from dmdoc.memory.state_header import Identity
from dmdoc.model.backbone import Backbone
from dmdoc.model.causal_lm import CausalLM, GenerationConfig
from dmdoc.model.decoder_config import DecoderConfig
from dmdoc.model.pointer import POINTER, Pointer, PointerShape
from dmdoc.model.reader import Reader
from dmdoc.model.tokenizer import TextTokenizer

CHATML = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def tiny_tokenizer(template: str | None = CHATML) -> PreTrainedTokenizerFast:
    """Every byte is a token; what it encodes it decodes again. 256 bytes and three control tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={byte: index for index, byte in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = template
    return fast


_MODELS: dict[tuple[type, str, int], Any] = {}
"""Each model that was made, to be copied: that takes half as long as to make it."""


def tiny_model(config: Any = None, *, layers: int = 2, context: int = 4096, seed: int = 0) -> Any:
    """A frozen random model of a transformers configuration; a small Qwen3 without one."""
    if config is None:
        config = Qwen3Config(**SIZES, num_hidden_layers=layers, max_position_embeddings=context, head_dim=8)
    made = (type(config), config.to_json_string(), seed)
    if made not in _MODELS:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        _MODELS[made] = model.eval().requires_grad_(False)
    return deepcopy(_MODELS[made])


SIZES: dict[str, Any] = {
    "vocab_size": 256 + len(SPECIAL),
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 256,
    "bos_token_id": None,
    "eos_token_id": 258,
}
"""What every tiny configuration shares."""

FLOAT32: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}
"""How close two ways to one value are that reaches 70 (logits, corrections): there one rounding of float32 is 4e-6, and
each processor sums in an order of its own. What is computed wrongly differs by tenths."""


def tiny_adapter(
    model: nn.Module, config: DeltaMemConfig | None = None, *, seed: int = 1, strength: float = 0.3
) -> DeltaMemAdapter:
    """A frozen random adapter whose corrections are large enough to change what a tiny model says."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        adapter = DeltaMemAdapter(config or DeltaMemConfig(), attention_sizes(model))
        for parameter in adapter.parameters():
            parameter.data += strength * torch.randn_like(parameter)
    return adapter.requires_grad_(False).eval()


def own_model(theirs: Any) -> CausalLM:
    """dmdoc's own form of a model of transformers, with its weights: what dmdoc makes of the files of that model."""
    record = {**theirs.config.to_dict(), "architectures": [type(theirs).__name__]}
    config = DecoderConfig.known(record)
    assert config is not None
    ours = CausalLM(config, GenerationConfig(theirs.config.eos_token_id))
    ours.load_state_dict(theirs.state_dict())
    ours.tie()
    return ours.eval().requires_grad_(False)


def tiny_reader(
    config: DeltaMemConfig | None = None,
    *,
    layers: int = 2,
    context: int = 4096,
    seed: int = 0,
    transformers: bool = False,
    pointer: Pointer | None = None,
) -> Reader:
    """A Reader of a tiny Qwen3 with a random adapter, float32 on the CPU; the same arguments, the same weights.

    Args:
        transformers: with the model class of that library, as for models that dmdoc has no own form of.
    """
    made = _reader(config, layers, context, seed, transformers)
    tokenizer = made.backbone.tokenizer  # never changed, and a copy of it would forget some of its settings
    return replace(deepcopy(made, {id(tokenizer): tokenizer}), pointer=pointer)


def tiny_pointer(seed: int = 0) -> Pointer:
    """A random network that points at tokens of what a tiny reader wrote."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pointer = Pointer(
            PointerShape((0, 1), SIZES["hidden_size"], kept=8, width=16, heads=2, layers=1), "tiny"
        )
    return pointer.eval().requires_grad_(False)


def save_pointer(pointer: Pointer, path: Path, shape: object = None) -> Path:
    """Write a pointer as `load_pointer` reads it, or with a shape that it does not have."""
    said = json.dumps(asdict(pointer.shape) if shape is None else shape)
    save_file(pointer.state_dict(), path, metadata={"format": "pt", "shape": said})
    return path


@cache
def _reader(
    config: DeltaMemConfig | None, layers: int, context: int, seed: int, transformers: bool
) -> Reader:
    theirs = tiny_model(layers=layers, context=context, seed=seed)
    model = theirs if transformers else own_model(theirs)
    backbone = Backbone(
        name="tiny",
        model=model,
        tokenizer=TextTokenizer(tiny_tokenizer()),
        identity=Identity("tiny", f"{seed:064x}"),
        tokenizer_identity=Identity("tiny", "1" * 64),
        device=torch.device("cpu"),
        dtype=torch.float32,
        attention="sdpa",
    )
    adapter = tiny_adapter(model, config, seed=seed + 1)
    return Reader(backbone, adapter, Identity("tiny-adapter", f"{seed + 1:064x}"))


def save_tiny_reader(reader: Reader, folder: Path) -> tuple[Path, Path]:
    """Write a Reader as the two folders that `load_backbone` and `load_adapter` read: (model, adapter)."""
    model, adapter = folder / "model", folder / "adapter"
    ours = reader.backbone.model
    theirs = tiny_model(layers=ours.config.num_hidden_layers, context=ours.config.max_position_embeddings)
    theirs.load_state_dict(ours.state_dict())
    theirs.save_pretrained(model)
    reader.backbone.tokenizer.fast.save_pretrained(model)
    save_adapter(reader.adapter, adapter)
    if reader.pointer is not None:
        save_pointer(reader.pointer, adapter / POINTER)
    return model, adapter
