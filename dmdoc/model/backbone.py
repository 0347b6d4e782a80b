"""A frozen model and its tokenizer, loaded from a local folder, as one thing that runs here.

The only module that imports transformers, which runs every architecture that causal_lm.py does not. It knows nothing
about where folders come from (registry.py), about δ-mem, or about documents.
"""

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dmdoc.errors import BackboneError
from dmdoc.memory.state_header import Identity
from dmdoc.model.batching import is_out_of_memory
from dmdoc.model.causal_lm import CausalLM, GenerationConfig
from dmdoc.model.decoder_config import DecoderConfig
from dmdoc.model.fingerprint import model_identity, tokenizer_identity
from dmdoc.model.hardware import choose_attention, choose_device, choose_dtype, detect_hardware
from dmdoc.model.tokenizer import TextTokenizer
from dmdoc.model.tokenizer_file import read_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Backbone:
    """A frozen causal language model, in eval mode, with its tokenizer."""

    name: str
    model: Any
    """A CausalLM, or a model of transformers, which is called alike."""
    tokenizer: TextTokenizer
    identity: Identity
    tokenizer_identity: Identity
    device: torch.device
    dtype: torch.dtype
    attention: str

    @property
    def context_length(self) -> int:
        """Most tokens that the model can attend to at once."""
        return int(self._text_config.max_position_embeddings)

    @property
    def hidden_size(self) -> int:
        return int(self._text_config.hidden_size)

    @property
    def layer_count(self) -> int:
        return int(self._text_config.num_hidden_layers)

    @property
    def feed_forward_size(self) -> int:
        """Features inside the feed-forward part of a layer."""
        return int(getattr(self._text_config, "intermediate_size", None) or 4 * self.hidden_size)

    @property
    def vocabulary(self) -> int:
        return int(self._text_config.vocab_size)

    def cache_bytes(self, tokens: int) -> int:
        """Bytes of the key-value cache of so many tokens, all of which every layer keeps."""
        config = self._text_config
        heads = int(config.num_attention_heads)
        head_size = int(getattr(config, "head_dim", None) or self.hidden_size // heads)
        pairs = int(getattr(config, "num_key_value_heads", None) or heads)
        return 2 * self.layer_count * pairs * head_size * self.dtype.itemsize * tokens

    @property
    def packs_texts(self) -> bool:
        """Texts of unequal length are read end to end, without padding: by FlashAttention 2 in decoder.py."""
        return self.attention == "flash_attention_2" and isinstance(self.model, CausalLM)

    @property
    def _text_config(self) -> Any:
        config = self.model.config
        return config if isinstance(config, DecoderConfig) else config.get_text_config()


def describe(backbone: Backbone) -> str:
    """One line: what runs, where and how."""
    dtype = str(backbone.dtype).removeprefix("torch.")
    return f"{backbone.name} on {backbone.device}, {dtype}, {backbone.attention}"


def load_backbone(
    folder: Path, *, name: str, device: str = "auto", dtype: str = "auto", attention: str = "auto"
) -> Backbone:
    """The model of a Hugging Face folder, frozen. Only safetensors are read, and no code is run.

    `device`, `dtype` and `attention` are names or `auto` (hardware.py).

    Raises:
        BackboneError: a file is missing or damaged, the architecture is unknown, or it cannot run here.
    """
    hardware = detect_hardware()
    chosen_device = choose_device(device, hardware)
    chosen_dtype = choose_dtype(dtype, chosen_device, hardware)
    chosen_attention = choose_attention(attention, chosen_device, chosen_dtype, hardware)
    identity = model_identity(name, folder)
    fast = read_tokenizer(folder)
    own = _known_config(folder) if chosen_attention != "eager" else None
    model: CausalLM | PreTrainedModel
    if own is not None:
        model = _load_own(folder, own, chosen_device, chosen_dtype)
    else:
        # sdpa by default: some architectures have eager attention alone, which transformers then takes.
        wanted = None if attention == "auto" and chosen_attention == "sdpa" else chosen_attention
        with _quiet_transformers():
            model = _load_with_transformers(folder, chosen_device, chosen_dtype, wanted)
        chosen_attention = str(model.config._attn_implementation)
    return Backbone(
        name=name,
        model=model,
        tokenizer=TextTokenizer(fast),
        identity=identity,
        tokenizer_identity=tokenizer_identity(name, folder, fast),
        device=chosen_device,
        dtype=chosen_dtype,
        attention=chosen_attention,
    )


def convert_gguf(gguf: Path, target: Path) -> None:
    """Write SmolLM2's GGUF file as a float32 safetensors folder with tokenizer and chat template.

    Done once, since unpacking takes far longer than loading what was unpacked.

    Raises:
        BackboneError: not a GGUF file that transformers can read.
    """
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    source: dict[str, Any] = {
        "gguf_file": gguf.name,
        "local_files_only": True,
        "trust_remote_code": False,
    }
    # The GGUF loader draws its own bar whatever transformers' switch says, hence the redirected stderr.
    with _quiet_transformers(), contextlib.redirect_stderr(io.StringIO()):
        try:
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **source)
            model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **source)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise BackboneError(f"cannot convert {gguf.name}: {_first_line(error)}") from error
        # SmolLM2 was trained with every digit split off first; transformers ignores that entry of the file.
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        tokenizer.model_max_length = model.config.max_position_embeddings
        # What is written is an ordinary model: transformers refuses to save one that it takes for quantised.
        del model.config.quantization_config, model.hf_quantizer
        model.is_quantized = False
        model.generation_config = GenerationConfig(
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)


def _known_config(folder: Path) -> DecoderConfig | None:
    return DecoderConfig.known(json.loads((folder / "config.json").read_text(encoding="utf-8")))


def _load_own(folder: Path, config: DecoderConfig, device: torch.device, dtype: torch.dtype) -> CausalLM:
    from safetensors import SafetensorError

    with torch.device(
        "meta"
    ):  # weights of the file take the place of these: nothing is made up first, nor copied
        model = CausalLM(config, _generation_config(folder))
    tensors: dict[str, torch.Tensor] = {}
    try:
        for path in sorted(folder.glob("*.safetensors")):
            tensors |= _weights(path, device, dtype)
        if config.tie_word_embeddings:
            tensors.pop("lm_head.weight", None)
        loaded = model.load_state_dict(tensors, strict=False, assign=True)
    except (OSError, RuntimeError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise
        raise BackboneError(f"cannot load the model in {folder}: {_first_line(error)}") from error
    model.tie()
    missing = {name for name, weight in model.named_parameters() if weight.is_meta}
    if missing:
        raise BackboneError(f"the model in {folder} is incomplete: no weights for {min(missing)}")
    if loaded.unexpected_keys:
        raise BackboneError(
            f"the model in {folder} has weights that no layer takes: {min(loaded.unexpected_keys)}"
        )
    return model.eval().requires_grad_(False)


def _weights(path: Path, device: torch.device, dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a file with their names; what needs no conversion stays mapped."""
    from safetensors import safe_open

    with safe_open(path, framework="pt", device=str(device)) as file:
        names = list(file.keys())
    for name in names:
        # What was read of a mapped file counts as memory until it is closed; so no more than one tensor does.
        with safe_open(path, framework="pt", device=str(device)) as file:
            yield name, file.get_tensor(name).to(dtype)


def _generation_config(folder: Path) -> GenerationConfig:
    """What ends an answer: by generation_config.json, else by config.json."""
    for name in ("generation_config.json", "config.json"):
        path = folder / name
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if record.get("eos_token_id") is not None:
            return GenerationConfig(record["eos_token_id"])
    return GenerationConfig()


def _load_with_transformers(
    folder: Path, device: torch.device, dtype: torch.dtype, attention: str | None
) -> "PreTrainedModel":
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
        model, loading = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=attention,
            device_map={"": device},  # straight onto the device: no second copy in main memory
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,  # without it transformers asks the terminal whether to run the folder's code
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise
        raise BackboneError(f"cannot load the model in {folder}: {_first_line(error)}") from error
    if loading["missing_keys"]:
        missing = min(loading["missing_keys"])
        raise BackboneError(f"the model in {folder} is incomplete: no weights for {missing}")
    frozen: PreTrainedModel = model.eval().requires_grad_(False)
    return frozen


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No bars and no advice from transformers inside; its settings are put back afterwards."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    """A library's message may run to a page; its first line says what is wrong."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
