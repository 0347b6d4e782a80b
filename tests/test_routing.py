import pytest
import torch
from tiny import tiny_reader

from dmdoc.adapter import DeltaMemConfig
from dmdoc.memory_state import MemoryState
from dmdoc.reader import Reader
from dmdoc.routing import choose_sections, matches
from dmdoc.sections import write_text

CONFIG = DeltaMemConfig(write_layout="plain", write_budget=64, corrects_while_writing=False)
TEXTS = ("Ada wrote the notes.", "ELEVEN TONS OF SALT", "0123 4567 89 0123 45", "zzyzx, zyx; xyzzy?")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(CONFIG)


@pytest.fixture(scope="module")
def state(reader: Reader) -> MemoryState:
    return MemoryState.cat([write_text(text, reader) for text in TEXTS])


@pytest.mark.parametrize("target_layers", [(), (1,), (1, 0)])
def test_a_match_is_the_cosine_of_what_is_recalled_and_what_would_be_written(
    target_layers: tuple[int, ...],
) -> None:
    reader = tiny_reader(DeltaMemConfig(write_layout="plain", num_state_heads=2, target_layers=target_layers))
    text, state = "Who wrote it?", write_text("Ada wrote the notes.", reader)
    model, expected = reader.backbone.model, []
    hidden = model(torch.tensor([reader.encode(text)]), output_hidden_states=True).hidden_states
    for position, index in enumerate(reader.adapter.layer_indices):
        into = model.get_decoder().layers[index].input_layernorm(hidden[index])
        written = reader.adapter.layer(position).write_inputs(into)
        for head in range(2):
            for key, value in zip(written.keys[0, head], written.values[0, head], strict=True):
                recalled = state.layers[position][0, head] @ key
                expected.append(float(recalled @ value / (recalled.norm() * value.norm())))
    (found,) = matches([text], [state], reader)
    assert found.tolist() == pytest.approx([sum(expected) / len(expected)], abs=1e-5)


@pytest.mark.parametrize("section", range(len(TEXTS)))
def test_the_section_is_taken_that_has_read_what_is_asked(
    section: int, reader: Reader, state: MemoryState
) -> None:
    order = torch.tensor([2, 0, 3, 1])
    chosen = choose_sections([TEXTS[section]] * 2, [state, state.select(order)], reader)
    assert chosen == [section, order.tolist().index(section)]


def test_an_empty_section_recalls_nothing(reader: Reader) -> None:
    (found,) = matches([TEXTS[0]], [reader.zero_state(2)], reader)
    assert found.tolist() == [0.0, 0.0]


def test_questions_of_any_length_choose_at_once_each_in_its_own_state(
    reader: Reader, state: MemoryState
) -> None:
    questions = ["Who?", " ".join([TEXTS[2]] * 5), TEXTS[1], "zyx"]
    states = [state, state.rows(1, 4), state.rows(2, 3), state.rows(2, 4)]
    alone = [
        choose_sections([question], [own], reader)[0] for question, own in zip(questions, states, strict=True)
    ]
    assert choose_sections(questions, states, reader) == alone
    assert alone[1:] == [1, 0, 1]


def test_a_question_goes_through_the_model_once_however_many_sections_there_are(
    reader: Reader, state: MemoryState
) -> None:
    passes: list[torch.Size] = []
    embeddings = reader.backbone.model.get_input_embeddings()
    hook = embeddings.register_forward_pre_hook(lambda _, ids: passes.append(ids[0].shape))
    try:
        choose_sections(["Who?"], [MemoryState.cat([state] * 5)], reader)
        assert passes == [torch.Size((1, 4))]
        choose_sections(["Who?"], [state.rows(0, 1)], reader)  # nothing to choose
        assert len(passes) == 1
    finally:
        hook.remove()
