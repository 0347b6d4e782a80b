"""Our forward pass against that of transformers: the same weights, the same hidden states, logits and answers."""

from typing import Any

import pytest
import torch
from tiny import FLOAT32, SIZES, own_model, tiny_model
from torch import Tensor
from transformers import LlamaConfig, Qwen3Config, SmolLM3Config

from dmdoc.memory.attach import attention_sizes
from dmdoc.model.causal_lm import CausalLM, Draw
from dmdoc.model.decoder_config import DecoderConfig

CONFIGS = {
    "llama": LlamaConfig(**SIZES, num_hidden_layers=3, attention_bias=True, mlp_bias=True),
    "llama-tied": LlamaConfig(**SIZES, num_hidden_layers=2, tie_word_embeddings=True, head_dim=16),
    "qwen3": Qwen3Config(**SIZES, num_hidden_layers=2, head_dim=8),
    "smollm3": SmolLM3Config(**SIZES, num_hidden_layers=5),
}


@pytest.fixture(params=CONFIGS)
def pair(request: pytest.FixtureRequest) -> tuple[CausalLM, Any]:
    config = CONFIGS[request.param]
    theirs = tiny_model(config)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        for parameter in theirs.parameters():  # norms and biases of their own, or they would not be seen
            parameter.add_(0.1 * torch.randn_like(parameter))
        theirs.get_output_embeddings().weight.mul_(20)
    return own_model(theirs), theirs


def ids(*lengths: int) -> Tensor:
    torch.manual_seed(0)
    return torch.randint(0, 256, lengths)


@pytest.mark.parametrize("rows", [1, 2])
def test_the_weights_of_the_head_are_multiplied_where_they_lie(pair: tuple[CausalLM, Any], rows: int) -> None:
    ours, _ = pair
    with torch.profiler.profile(record_shapes=True) as seen:
        ours(ids(rows, 9), logits_to_keep=1)
    batched = [each.input_shapes for each in seen.events() or () if each.name == "aten::bmm"]
    assert not [shapes for shapes in batched if any(max(shape, default=0) >= 256 for shape in shapes)]


@pytest.mark.parametrize("time", [1, 2, 63])
def test_the_logits_are_those_of_transformers(pair: tuple[CausalLM, Any], time: int) -> None:
    ours, theirs = pair
    tokens = ids(2, time)
    torch.testing.assert_close(ours(tokens).logits, theirs(tokens).logits, **FLOAT32)
    torch.testing.assert_close(
        ours(tokens, logits_to_keep=1, use_cache=False).logits, ours(tokens).logits[:, -1:], **FLOAT32
    )
    columns = torch.tensor([time - 1, 0])
    torch.testing.assert_close(
        ours(tokens, logits_to_keep=columns).logits, ours(tokens).logits[:, columns], **FLOAT32
    )
    hidden = theirs.get_decoder()(input_ids=tokens).last_hidden_state
    torch.testing.assert_close(ours.get_decoder()(input_ids=tokens), hidden, **FLOAT32)


def test_masks_and_positions_are_taken_as_they_are_given(pair: tuple[CausalLM, Any]) -> None:
    ours, theirs = pair
    tokens = ids(1, 6)
    # Two branches behind two tokens: the second does not see the first.
    sees = torch.ones(6, 6, dtype=torch.bool).tril()
    sees[4:, 2:4] = False
    mask = torch.zeros(1, 1, 6, 6).masked_fill(~sees, torch.finfo(torch.float32).min)
    positions = torch.tensor([[0, 1, 2, 3, 2, 3]])
    options = {"attention_mask": mask, "position_ids": positions}
    torch.testing.assert_close(ours(tokens, **options).logits, theirs(tokens, **options).logits, **FLOAT32)
    torch.testing.assert_close(
        ours(tokens, **options, block_widths=(2, 2, 2)).logits, ours(tokens, **options).logits, **FLOAT32
    )
    alone = ours(tokens[:, [0, 1, 4, 5]]).logits[:, 2:]
    torch.testing.assert_close(ours(tokens, **options).logits[:, 4:], alone, **FLOAT32)


@pytest.mark.parametrize(
    "draw", [{"do_sample": False}, {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 0}]
)
def test_the_answers_are_those_of_transformers(pair: tuple[CausalLM, Any], draw: dict[str, Any]) -> None:
    ours, theirs = pair
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[1, :3] = 0
    options: dict[str, Any] = {
        "input_ids": ids(2, 7) * mask,
        "attention_mask": mask,
        "max_new_tokens": 9,
        "pad_token_id": 0,
    }
    answers = []
    for model, given in ((ours, {k: v for k, v in draw.items() if k != "top_k"}), (theirs, draw)):
        torch.manual_seed(5)
        answers.append(model.generate(**options, **given))
    assert torch.equal(*answers)


class Heard:
    def __init__(self) -> None:
        self.put_tokens: list[list[int]] = []
        self.ended = False

    def put(self, tokens: Tensor) -> None:
        self.put_tokens.append(tokens.flatten().tolist())

    def end(self) -> None:
        self.ended = True


def test_an_answer_ends_and_what_stands_beside_it_goes_on(pair: tuple[CausalLM, Any]) -> None:
    ours, _ = pair
    prompts = ids(2, 5)
    options: dict[str, Any] = {
        "attention_mask": torch.ones(2, 5, dtype=torch.long),
        "max_new_tokens": 6,
        "pad_token_id": 0,
    }
    ours.generation_config.eos_token_id = None
    free = ours.generate(input_ids=prompts, **options)
    first = free[0, 5].item()
    ours.generation_config.eos_token_id = [int(first)]
    heard = Heard()
    ended = ours.generate(input_ids=prompts, streamer=heard, **options)
    assert ended[0, 5:].tolist() == [first, 0, 0, 0, 0, 0][: ended.shape[1] - 5]
    other = free[1, 5:].tolist()
    end = other.index(first) + 1 if first in other else 6
    assert ended[1, 5:].tolist() == (other[:end] + [0] * 6)[: ended.shape[1] - 5]
    assert (
        heard.ended
        and heard.put_tokens[0] == prompts.flatten().tolist()
        and len(heard.put_tokens) == 1 + ended.shape[1] - 5
    )


def test_memories_attach_to_it(pair: tuple[CausalLM, Any]) -> None:
    ours, theirs = pair
    assert attention_sizes(ours) == attention_sizes(theirs)


def test_the_likeliest_token_is_always_left_to_draw() -> None:
    logits = torch.tensor([[0.0, 9.0, 0.0]])
    assert Draw(do_sample=True, temperature=0.5, top_p=1e-6).take(logits).tolist() == [1]


@pytest.mark.parametrize(
    "change",
    [
        {"architectures": ["GemmaForCausalLM"]},
        {"architectures": None},
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0}},
        {"rope_parameters": None},
        {"quantization_config": {"bits": 4}},
        {"hidden_size": None},
        {"use_sliding_window": True},
    ],
)
def test_what_it_does_not_know_is_left_to_transformers(change: dict[str, Any]) -> None:
    known = {**CONFIGS["qwen3"].to_dict(), "architectures": ["Qwen3ForCausalLM"]}
    assert DecoderConfig.known(known) is not None
    assert DecoderConfig.known({**known, **change}) is None


def test_positions_may_be_said_in_the_older_way() -> None:
    known = {**CONFIGS["qwen3"].to_dict(), "architectures": ["Qwen3ForCausalLM"], "rope_parameters": None}
    read = DecoderConfig.known({**known, "rope_theta": 5e5, "rope_scaling": None})
    assert read is not None and read.rope_theta == 5e5
