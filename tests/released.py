"""Qwen3-4B and its δ-mem adapter as they are released, but with random weights: their files in the Hub client's cache.

The sizes may be smaller ones. The tokenizer is the tiny one of the tests: Qwen's own is not at hand.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tiny import tiny_tokenizer
from torch import Tensor

from dmdoc.memory.adapter_config import CONFIG_FILE
from dmdoc.memory.adapter_file import PUBLIC_WEIGHTS
from dmdoc.model.causal_lm import CausalLM
from dmdoc.model.decoder_config import DecoderConfig
from dmdoc.model.registry import KNOWN

NAME = "qwen3-4b"
QWEN3_4B: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
    "bos_token_id": 151_643, "eos_token_id": 151_645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 2560,
    "initializer_range": 0.02, "intermediate_size": 9728, "max_position_embeddings": 262_144,
    "max_window_layers": 36, "model_type": "qwen3", "num_attention_heads": 32, "num_hidden_layers": 36,
    "num_key_value_heads": 8, "rms_norm_eps": 1e-6, "rope_scaling": None, "rope_theta": 5_000_000,
    "sliding_window": None, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True,
    "use_sliding_window": False, "vocab_size": 151_936,
}  # fmt: skip
"""config.json"""

TINY = QWEN3_4B | {
    "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "bos_token_id": 257, "eos_token_id": 258,
}  # fmt: skip
SHARDS = 3
COMMIT = "0123456789abcdef0123456789abcdef01234567"
"""Of the adapter, which is pinned by its first download."""


def adapter_tensors(config: dict[str, Any]) -> dict[str, Tensor]:
    """Names, shapes and number format of the published adapter; k and v deltas are zero there."""
    hidden, size = config["hidden_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * size, config["num_key_value_heads"] * size
    shapes = {
        "memory_q_proj": (8, hidden),
        "memory_k_proj": (8, hidden),
        "memory_v_proj": (8, hidden),
        "delta_q_proj": (queries, 8),
        "delta_k_proj": (keys, 8),
        "delta_v_proj": (keys, 8),
        "delta_o_proj": (hidden, 8),
        "beta_proj": (8, hidden),
        "beta_bias": (8,),
    }
    return {
        f"model.layers.{layer}.self_attn.{name}": (
            torch.zeros(shape, dtype=torch.bfloat16)
            if name in ("delta_k_proj", "delta_v_proj")
            else torch.randn(shape, dtype=torch.bfloat16)
        )
        for layer in range(config["num_hidden_layers"])
        for name, shape in shapes.items()
    }


def release(home: Path, config: dict[str, Any], device: str = "cpu") -> None:
    """Fill `HF_HOME` with both repositories, as the Hub's client leaves them."""
    for known in KNOWN:
        if known.name == NAME:
            commit = COMMIT if known.revision == "main" else known.revision
            made = home / "made" / known.kind
            made.mkdir(parents=True)
            _write_model(made, config, device) if known.kind == "backbone" else _write_adapter(made, config)
            _keep(made, home / "hub" / f"models--{known.source.replace('/', '--')}", commit)


def _keep(made: Path, repository: Path, commit: str) -> None:
    """A snapshot of links to blobs, and the branch that it is of."""
    blobs, snapshot = repository / "blobs", repository / "snapshots" / commit
    for folder in (blobs, snapshot, repository / "refs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    for path in made.iterdir():
        blob = blobs / hashlib.sha256(path.name.encode()).hexdigest()
        path.rename(blob)
        (snapshot / path.name).symlink_to(Path("..", "..", "blobs", blob.name))


def _write_adapter(folder: Path, config: dict[str, Any]) -> None:
    reference = Path(__file__).parent / "reference" / "qwen3-tsw" / CONFIG_FILE
    shutil.copyfile(reference, folder / CONFIG_FILE)
    torch.save(adapter_tensors(config), folder / PUBLIC_WEIGHTS)


def _write_model(folder: Path, config: dict[str, Any], device: str) -> None:
    known = DecoderConfig.known(config)
    assert known is not None
    with torch.device("meta"):
        model = CausalLM(known)
    model.tie()
    names = [name for name, _ in model.named_parameters()]
    shapes = {name: weight.shape for name, weight in model.named_parameters()}
    torch.manual_seed(0)

    def tensors(shard: int) -> Iterator[tuple[str, Tensor]]:
        for name in names[shard::SHARDS]:
            weight = torch.ones(shapes[name], device=device)
            if weight.dim() > 1:
                weight.normal_(std=0.02)
            yield name, weight.bfloat16().cpu()

    files = [f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors" for shard in range(SHARDS)]
    for shard, file in enumerate(files):
        save_file(dict(tensors(shard)), folder / file, {"format": "pt"})
    placed = {name: files[number % SHARDS] for number, name in enumerate(names)}
    index = {"metadata": {}, "weight_map": placed}
    tiny_tokenizer().save_pretrained(folder)
    ending = {"bos_token_id": config["bos_token_id"], "eos_token_id": [config["eos_token_id"]]}
    for name, record in {
        "config.json": config, "generation_config.json": ending, "model.safetensors.index.json": index,
    }.items():  # fmt: skip
        (folder / name).write_text(json.dumps(record, indent=2), encoding="utf-8")
