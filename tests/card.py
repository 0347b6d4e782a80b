"""One step of `tests/card.sh`: measures it and prints one JSON object.

With `--device cpu` every step runs on tiny sizes: a rehearsal of the same code, whose figures mean nothing.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from card_commands import COMMAND_STEPS, ROOT
from launches import of_a_layer, on_a_card, profiled, without_a_card
from released import QWEN3_4B, TINY

from dmdoc.memory.adapter import DeltaMemAdapter, DeltaMemConfig
from dmdoc.memory.attach import attention_sizes
from dmdoc.memory.state_header import Identity
from dmdoc.model.backbone import Backbone
from dmdoc.model.causal_lm import CausalLM, GenerationConfig
from dmdoc.model.decoder_config import DecoderConfig
from dmdoc.model.footprint import write_bytes
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings
from dmdoc.text.chunking import Chunk


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    found = STEPS[arguments.step](arguments.device)
    card = torch.cuda.get_device_name() if arguments.device != "cpu" else "rehearsal on the processor"
    print(json.dumps({"step": arguments.step, "card": card, "torch": torch.__version__, **found}))
    return 0


def shaped_reader(device: str, layers: int | None = None, adapted: DeltaMemConfig | None = None) -> Reader:
    """Random weights of Qwen3-4B's shape with a random adapter of the published one's, or of another kind or depth."""
    record = QWEN3_4B if device != "cpu" else TINY
    config = DecoderConfig.known(record | ({} if layers is None else {"num_hidden_layers": layers}))
    assert config is not None
    dtype = torch.bfloat16 if device != "cpu" else torch.float32
    torch.manual_seed(0)
    with torch.device("meta"):
        model = CausalLM(config, GenerationConfig())
    model = model.to_empty(device=device).to(dtype)
    model.tie()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.02) if parameter.dim() > 1 else torch.nn.init.ones_(parameter)
    model.eval().requires_grad_(False)
    adapter = DeltaMemAdapter(adapted or DeltaMemConfig(), attention_sizes(model)).requires_grad_(False)
    backbone = Backbone(
        name="shape", model=model, tokenizer=None, identity=Identity("shape", "0" * 64),  # type: ignore[arg-type]
        tokenizer_identity=Identity("shape", "0" * 64), device=torch.device(device), dtype=dtype, attention="sdpa",
    )  # fmt: skip
    return Reader(backbone, adapter.to(device, dtype), Identity("random", "0" * 64))


def seconds(run: Callable[[], object], device: str, repeats: int = 5) -> float:
    """The median of some runs after one that is not counted."""
    taken = []
    for repeat in range(repeats + 1):
        started = time.perf_counter()
        run()
        if device != "cpu":
            torch.cuda.synchronize()
        taken += [time.perf_counter() - started] if repeat else []
    return statistics.median(taken)


def ids(count: int) -> tuple[int, ...]:
    return tuple(torch.randint(5, 500, (count,)).tolist())


def shape(device: str) -> dict[str, Any]:
    """Writing and answering against the bare model."""
    reader, tokens = shaped_reader(device), 8192 if device != "cpu" else 256
    model, state = reader.backbone.model, reader.zero_state()
    whole = torch.tensor([ids(tokens)], device=device)
    found: dict[str, Any] = {}
    for size in (tokens, tokens // 4):
        chunks = [Chunk(ids(size), (0,) * size, "") for _ in range(tokens // size)]

        def write(chunks: list[Chunk] = chunks) -> None:
            with torch.no_grad():
                for chunk in chunks:
                    reader.write([chunk], state)

        def bare(size: int = size) -> None:
            with torch.no_grad():
                for start in range(0, tokens, size):
                    model.get_decoder()(whole[:, start : start + size])

        written, without = seconds(write, device), seconds(bare, device)
        found[f"ingest / bare forward, chunks of {size}"] = round(written / without, 3)
        found[f"tokens a second, chunks of {size}"] = round(tokens / written)
    prompt, first = list(ids(30)), GenerationSettings(max_tokens=1)

    def read_again() -> None:
        with torch.no_grad():
            model(whole, logits_to_keep=1)

    again, asked = seconds(read_again, device), seconds(lambda: reader.generate(prompt, state, first), device)
    if device != "cpu":
        found |= memory(reader, tokens)
    found["reading again / first token"] = round(again / asked, 1)
    found["first token, ms"] = round(asked * 1000, 1)
    return found


def memory(reader: Reader, tokens: int) -> dict[str, Any]:
    """What a write takes of the card, beside what was known before."""
    chunk, state = Chunk(ids(tokens), (0,) * tokens, ""), reader.zero_state()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    with torch.no_grad():
        reader.write([chunk], state)
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() - before
    return {"a write takes, MB": peak >> 20, "a write is estimated at, MB": write_bytes(reader, tokens) >> 20}


def decode(device: str) -> dict[str, Any]:
    """Tokens a second from a state, with recorded steps and as transformers generates."""
    reader, count = shaped_reader(device), 128 if device != "cpu" else 8
    prompt, state, settings = list(ids(30)), reader.zero_state(), GenerationSettings(max_tokens=count)
    ours = count / seconds(lambda: reader.generate(prompt, state, settings), device, 3)
    model = transformers_model(reader)
    given = torch.tensor([prompt], device=device)

    def theirs() -> None:
        model.generate(
            input_ids=given, attention_mask=torch.ones_like(given), max_new_tokens=count, do_sample=False,
            pad_token_id=0, eos_token_id=None,
        )  # fmt: skip

    plain = count / seconds(theirs, device, 3)
    return {
        "tokens a second": round(ours, 1),
        "transformers": round(plain, 1),
        "ratio": round(ours / plain, 2),
    }


def transformers_model(reader: Reader) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    record = QWEN3_4B if reader.backbone.device.type != "cpu" else TINY
    with torch.device("meta"):
        model = Qwen3ForCausalLM(Qwen3Config(**record))
    model = model.to_empty(device=reader.backbone.device).to(reader.backbone.dtype)
    model.load_state_dict(reader.backbone.model.state_dict(), strict=False)
    model.tie_weights()
    return model.eval()


def launches(device: str) -> dict[str, Any]:
    """Kernels of the memory of one layer in a writing pass, and how often the pass waits for the card."""
    count = on_a_card if device != "cpu" else without_a_card
    found = {}
    for name, corrects in (("write", False), ("write, read and correct", True)):
        config = DeltaMemConfig(corrects_while_writing=corrects)
        found[name] = of_a_layer(partial(shaped_reader, device, adapted=config), count).total()
    reader, tokens = shaped_reader(device), 1024 if device != "cpu" else 64
    chunk, state = Chunk(ids(tokens), (0,) * tokens, ""), reader.zero_state()
    with torch.no_grad():
        waits = sum("StreamSynchronize" in name for name in profiled(lambda: reader.write([chunk], state)))
    return {"launches of a layer's memory": found, "waits of a write": waits}


def tests(device: str) -> dict[str, Any]:
    """The tests marked gpu, and the kernels against the formula; a rehearsal skips the first and has only them."""
    files = ["tests/test_gpu.py"] + (["tests/memory/test_delta_rule_triton.py"] if device != "cpu" else [])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = run.stdout.strip().splitlines()
    failed = [line for line in lines if line.startswith("FAILED")]
    return {"exit": run.returncode, "summary": lines[-1] if lines else run.stderr[-500:], "failed": failed}


STEPS: dict[str, Callable[[str], dict[str, Any]]] = {
    "tests": tests, "shape": shape, "launches": launches, "decode": decode, **COMMAND_STEPS
}  # fmt: skip
"""In order of worth."""

if __name__ == "__main__":
    sys.exit(main())
