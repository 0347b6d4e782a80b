"""dmdoc against the exact outputs of the public δ-mem code: all twenty cases, under eager and SDPA attention."""

from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from dmdoc.memory.adapter import DeltaMemAdapter
from dmdoc.memory.adapter_file import load_adapter
from dmdoc.memory.attach import MemoryPass, attention_sizes
from dmdoc.memory.state import MemoryState

REFERENCE = Path(__file__).parents[1] / "reference"
CASES = sorted(folder.name for folder in REFERENCE.iterdir() if (folder / "expected.safetensors").is_file())
CHUNKS = (slice(0, 40), slice(40, 80), slice(80, 97))
LOGITS_TOLERANCE = 2e-5
STATE_TOLERANCE = 1e-5


@cache
def backbone(name: str, attention: str) -> nn.Module:
    folder = REFERENCE / f"backbone-{name}"
    model: nn.Module = AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation=attention, dtype=torch.float32
    )
    return model.eval()


class Case:
    def __init__(self, name: str, attention: str) -> None:
        self.model = backbone(name.split("-")[0], attention)
        self.adapter: DeltaMemAdapter
        self.adapter, _ = load_adapter(REFERENCE / name, name=name, sizes=attention_sizes(self.model))
        self.expected = load_file(REFERENCE / name / "expected.safetensors")
        self.zero = MemoryState.zeros(*self.adapter.state_shape)

    def forward(
        self, ids: Tensor, state: MemoryState, segments: Tensor | None, *, writes: bool
    ) -> tuple[Tensor, MemoryState]:
        mask = torch.ones_like(ids, dtype=torch.bool) if writes else None
        memory = MemoryPass(self.adapter, state, write_mask=mask, segment_ids=segments)
        with torch.no_grad(), memory.attached(self.model):
            logits = self.model(input_ids=ids, use_cache=False).logits[0]
        return logits, memory.state_out

    def segments(self, piece: slice) -> Tensor | None:
        """The segments of a piece of the document, sentences numbered from 0 within it."""
        granularity = self.adapter.config.memory_write_granularity
        if granularity == "token":
            return None
        ids = self.expected["message_ids" if granularity == "message_mean" else "sentence_ids"][:, piece]
        if granularity == "sentence_mean":
            written = ids >= 0
            ids = torch.where(written, ids - ids[written].min(), ids)
        return ids

    def expected_state(self, stacked: Tensor) -> Tensor:
        return stacked if stacked.dim() == 4 else stacked.unsqueeze(1)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, attention: str) -> Case:
    return Case(request.param, attention)


@pytest.fixture(params=[pytest.param("eager", marks=pytest.mark.slow), "sdpa"])
def attention(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def stacked(state: MemoryState) -> Tensor:
    return torch.stack([layer[0] for layer in state.layers])


def distance(actual: Tensor, expected: Tensor) -> float:
    assert actual.shape == expected.shape
    return float((actual - expected).abs().max())


def test_there_are_twenty_cases() -> None:
    assert len(CASES) == 20


def test_one_writing_pass(case: Case) -> None:
    ids = case.expected["document_ids"]
    logits, state = case.forward(ids, case.zero, case.segments(slice(0, 97)), writes=True)
    assert distance(logits, case.expected["logits_one_pass"]) < LOGITS_TOLERANCE
    assert distance(stacked(state), case.expected_state(case.expected["state_one_pass"])) < STATE_TOLERANCE


def test_three_chunks_carry_only_the_state(case: Case) -> None:
    state = case.zero
    for piece, expected in zip(CHUNKS, case.expected["states_by_chunk"], strict=True):
        ids = case.expected["document_ids"][:, piece]
        before = state
        _, state = case.forward(ids, state, case.segments(piece), writes=True)
        assert distance(stacked(state), case.expected_state(expected)) < STATE_TOLERANCE
        assert not state.equals(before)


def test_reading_from_the_state_alone(case: Case) -> None:
    question = case.expected["question_ids"]
    _, state = case.forward(
        case.expected["document_ids"], case.zero, case.segments(slice(0, 97)), writes=True
    )
    logits, after = case.forward(question, state, None, writes=False)
    assert distance(logits, case.expected["question_logits"]) < LOGITS_TOLERANCE
    assert after.equals(state)
    from_zero, _ = case.forward(question, case.zero, None, writes=False)
    assert distance(from_zero, case.expected["question_logits_zero_state"]) < LOGITS_TOLERANCE


def test_twelve_greedy_tokens_with_a_key_value_cache(case: Case) -> None:
    _, state = case.forward(
        case.expected["document_ids"], case.zero, case.segments(slice(0, 97)), writes=True
    )
    memory = MemoryPass(case.adapter, state)
    ids, cache, generated = case.expected["question_ids"], None, []
    with torch.no_grad(), memory.attached(case.model):
        for _ in range(12):
            output = case.model(input_ids=ids, past_key_values=cache, use_cache=True)
            ids, cache = output.logits[:, -1:].argmax(-1), output.past_key_values
            generated.append(int(ids))
    assert generated == case.expected["greedy_ids"].tolist()
