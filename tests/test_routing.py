import pytest
import torch
from tiny import tiny_reader

from dmdoc import routing
from dmdoc.adapter import DeltaMemConfig
from dmdoc.errors import UsageError
from dmdoc.memory_state import MemoryState
from dmdoc.prompt import load_prompt
from dmdoc.reader import Reader
from dmdoc.routing import CANDIDATE_TOKENS, choose_section, choose_sections
from dmdoc.sections import write_text
from dmdoc.settings import GenerationSettings
from dmdoc.support import supports

CONFIG = DeltaMemConfig(write_layout="plain", write_budget=64)
TEXTS = ("Ada wrote the notes.", "Eleven tons of salt.", "The ferry left at noon.", "Nothing at all.")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(CONFIG)


@pytest.fixture(scope="module")
def prompt(reader: Reader) -> list[int]:
    return reader.prompt_ids(load_prompt("answer").fill(question="Who wrote it?"))


@pytest.fixture(scope="module")
def state(reader: Reader) -> MemoryState:
    return MemoryState.cat([write_text(text, reader) for text in TEXTS])


def test_the_section_is_taken_whose_state_decides_its_answer_most(
    reader: Reader, prompt: list[int], state: MemoryState
) -> None:
    lifts = []
    for row in range(state.batch):
        section = state.rows(row, row + 1)
        answer = reader.generate(prompt, section, GenerationSettings(CANDIDATE_TOKENS))
        lifts.append(supports([prompt], [answer], section, reader)[0].lift)
    assert max(lifts) > sorted(lifts)[-2] + 0.01
    chosen = choose_section(prompt, state, reader)
    assert chosen == lifts.index(max(lifts))
    order = torch.tensor([1, 2, 3, 0])
    assert choose_section(prompt, state.select(order), reader) == order.tolist().index(chosen)


def test_an_empty_section_is_not_taken(reader: Reader, prompt: list[int], state: MemoryState) -> None:
    with_empty = MemoryState.cat([reader.zero_state(3), state.rows(0, 1)])
    assert choose_section(prompt, with_empty, reader) == 3


def test_many_sections_are_read_in_several_passes_to_the_same_choice(
    reader: Reader, prompt: list[int], state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = choose_section(prompt, state, reader)
    monkeypatch.setattr(routing, "PASS_SECTIONS", 1)
    assert choose_section(prompt, state, reader) == together


def test_several_prompts_choose_at_once_each_in_its_own_state(
    reader: Reader, prompt: list[int], state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = reader.prompt_ids(load_prompt("answer").fill(question="When did the ferry leave the quay?"))
    prompts, states = (
        [prompt, longer, longer, prompt],
        [state, state.rows(1, 4), state.rows(2, 3), state.rows(0, 2)],
    )
    alone = [choose_section(*each, reader) for each in zip(prompts, states, strict=True)]
    assert choose_sections(prompts, states, reader) == alone
    monkeypatch.setattr(routing, "PASS_SECTIONS", 4)
    assert choose_sections(prompts, states, reader) == alone


def test_one_section_needs_no_choice(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reader, "reading", lambda *_: pytest.fail("the model was run"))
    assert choose_section([1, 2, 3], reader.zero_state(), reader) == 0


def test_a_prompt_beyond_the_context_says_so(state: MemoryState, prompt: list[int]) -> None:
    with pytest.raises(UsageError, match="exceed the 90 tokens of tiny"):
        choose_section(prompt, state, tiny_reader(CONFIG, context=90))
