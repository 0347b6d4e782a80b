"""Which models decoder.py can run, and their sizes and switches, from the record of a config.json. Knows no torch."""

from dataclasses import dataclass
from typing import Any

ARCHITECTURES = ("LlamaForCausalLM", "Qwen3ForCausalLM", "SmolLM3ForCausalLM")


@dataclass(frozen=True)
class DecoderConfig:
    """The sizes and switches of a model, under the names that config.json has for them."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    rms_norm_eps: float
    rope_theta: float
    rotated: tuple[bool, ...]
    """For each layer whether its queries and keys are told their positions."""
    normed: bool = False
    """Whether queries and keys are normalised, a head at a time."""
    attention_bias: bool = False
    mlp_bias: bool = False
    tie_word_embeddings: bool = False

    @classmethod
    def known(cls, record: dict[str, Any]) -> "DecoderConfig | None":
        """The configuration that config.json describes; None where it asks for anything that is not here."""
        architecture = (record.get("architectures") or [""])[0]
        rope = record.get("rope_parameters") or {"rope_theta": record.get("rope_theta")}
        plain = (
            architecture in ARCHITECTURES
            and record.get("hidden_act") == "silu"
            and not any(
                record.get(key) for key in ("rope_scaling", "quantization_config", "use_sliding_window")
            )
            and rope.get("rope_type", "default") == "default"
            and rope.get("rope_theta")
            and rope.get("partial_rotary_factor", 1.0) == 1.0
        )
        try:
            return cls._read(record, architecture, float(rope["rope_theta"])) if plain else None
        except (KeyError, TypeError, ValueError):
            return None

    @classmethod
    def _read(cls, record: dict[str, Any], architecture: str, theta: float) -> "DecoderConfig":
        layers, heads = int(record["num_hidden_layers"]), int(record["num_attention_heads"])
        rotated = (True,) * layers
        if architecture == "SmolLM3ForCausalLM":
            rotated = tuple(map(bool, record["no_rope_layers"]))  # which says of each that it has them
        if len(rotated) != layers:
            raise ValueError(f"positions for {len(rotated)} of {layers} layers")
        return cls(
            vocab_size=int(record["vocab_size"]),
            hidden_size=int(record["hidden_size"]),
            intermediate_size=int(record["intermediate_size"]),
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=int(record.get("num_key_value_heads") or heads),
            head_dim=int(record.get("head_dim") or int(record["hidden_size"]) // heads),
            max_position_embeddings=int(record["max_position_embeddings"]),
            rms_norm_eps=float(record["rms_norm_eps"]),
            rope_theta=theta,
            rotated=rotated,
            normed=architecture == "Qwen3ForCausalLM",
            attention_bias=bool(record.get("attention_bias", False)),
            mlp_bias=bool(record.get("mlp_bias", False)),
            tie_word_embeddings=bool(record["tie_word_embeddings"]),
        )
