import pytest
import torch
from tiny import tiny_reader

from dmdoc.answer.support import Support, log_likelihoods, supports
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.state import MemoryState
from dmdoc.model.prompt import load_prompt
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

CONFIG = DeltaMemConfig(write_layout="plain", write_budget=64)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(CONFIG)


@pytest.fixture(scope="module")
def prompt(reader: Reader) -> list[int]:
    return reader.prompt_ids(load_prompt("answer").fill(question="Who wrote it?"))


def state_of(text: str, reader: Reader) -> MemoryState:
    with torch.no_grad():
        return reader.write(reader.chunks(text), reader.zero_state())


def one_by_one(prompt: list[int], answer: list[int], state: MemoryState, reader: Reader) -> float:
    """The mean log-probability by its definition: a pass for every token."""
    total = 0.0
    for place, token in enumerate(answer):
        with torch.no_grad(), reader.reading(state) as model:
            logits = model(input_ids=torch.tensor([[*prompt, *answer[:place]]]), use_cache=False).logits
        total += float(logits[0, -1].log_softmax(-1)[token])
    return total / len(answer)


def test_each_row_is_what_its_state_alone_gives(reader: Reader, prompt: list[int]) -> None:
    states = [state_of(text, reader) for text in ("Ada wrote the notes.", "Eleven tons of salt.", "A seal.")]
    prompts = [prompt, prompt[:30], prompt[:-5]]
    answers = [reader.encode("Ada."), reader.encode("nobody at all"), []]
    found = log_likelihoods(prompts, answers, MemoryState.cat(states), reader)
    rows = list(zip(prompts[:2], answers, states, strict=False))
    assert found.tolist() == pytest.approx([*(one_by_one(*row, reader) for row in rows), 0.0], abs=1e-5)


def test_lift_is_the_likelihood_over_that_of_an_empty_state(reader: Reader, prompt: list[int]) -> None:
    answers = [reader.encode("Ada Lovelace."), reader.encode("salt")]
    states = [state_of(text, reader) for text in ("Ada wrote the notes.", "Eleven tons of salt.")]
    found = supports([prompt, prompt], answers, MemoryState.cat(states), reader)
    for support, answer, state in zip(found, answers, states, strict=True):
        own = one_by_one(prompt, answer, state, reader)
        zero = one_by_one(prompt, answer, reader.zero_state(), reader)
        assert abs(own - zero) > 0.01
        assert support.log_likelihood == pytest.approx(own, abs=1e-5)
        assert support.lift == pytest.approx(own - zero, abs=1e-5)


def test_all_states_and_the_empty_one_are_read_in_one_pass(reader: Reader, prompt: list[int]) -> None:
    states = MemoryState.cat([state_of("Ada wrote the notes.", reader), state_of("A seal.", reader)])
    passes: list[int] = []
    handle = reader.backbone.model.register_forward_pre_hook(
        lambda _module, _args, keywords: passes.append(len(keywords["input_ids"])), with_kwargs=True
    )
    supports([prompt, prompt], [reader.encode("Ada."), reader.encode("salt")], states, reader)
    handle.remove()
    assert passes == [4]


def test_an_empty_state_lifts_nothing(reader: Reader, prompt: list[int]) -> None:
    (support,) = supports([prompt], [reader.encode("Ada.")], reader.zero_state(), reader)
    assert support.lift == 0.0
    assert support.log_likelihood < 0


def test_what_a_state_says_is_lifted_by_it_more_than_by_another(reader: Reader, prompt: list[int]) -> None:
    own, other = state_of("Ada wrote the notes.", reader), state_of("Eleven tons of salt.", reader)
    said = reader.generate(prompt, own, GenerationSettings(max_tokens=16))
    first, second = supports([prompt, prompt], [said, said], MemoryState.cat((own, other)), reader)
    assert first.lift > 0
    assert first.lift > second.lift


def test_an_empty_answer_has_no_lift(reader: Reader, prompt: list[int]) -> None:
    assert supports([prompt], [[]], state_of("Ada.", reader), reader) == [Support(0.0, 0.0)]


def test_the_frozen_backbone_has_a_likelihood_too(reader: Reader, prompt: list[int]) -> None:
    answer = reader.encode("Ada.")
    frozen = log_likelihoods([prompt], [answer], None, reader)
    with torch.no_grad():
        logits = reader.backbone.model(torch.tensor([[*prompt, *answer]])).logits[0]
    said = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    expected = said.gather(-1, torch.tensor(answer).unsqueeze(-1)).mean()
    assert frozen.tolist() == pytest.approx([float(expected)], abs=1e-5)
