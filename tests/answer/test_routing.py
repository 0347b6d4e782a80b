import pytest
import torch
from tiny import tiny_reader

from dmdoc.answer.routing import FINALISTS, choose_sections, matches
from dmdoc.answer.support import log_likelihoods
from dmdoc.ingest.sections import write_text
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader

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
    config = DeltaMemConfig(write_layout="plain", num_state_heads=2, target_layers=target_layers)
    reader = tiny_reader(config, transformers=True)
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
def test_a_section_matches_best_what_it_has_read(section: int, reader: Reader, state: MemoryState) -> None:
    (match,) = matches([TEXTS[section]], [state], reader)
    assert int(match.argmax()) == section


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
    assert alone[2] == 0


def test_what_is_chosen_does_not_depend_on_the_order_of_the_sections(
    reader: Reader, state: MemoryState
) -> None:
    order = torch.tensor([2, 0, 3, 1])
    for text in TEXTS:
        first, second = choose_sections([text] * 2, [state, state.select(order)], reader)
        assert order.tolist().index(first) == second


@pytest.mark.parametrize("worth", [0.0, 4.0, 1000.0])
def test_of_the_sections_that_match_best_match_and_likelihood_of_the_question_choose(
    worth: float, reader: Reader, state: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dmdoc.answer.routing.MATCH_NATS", worth)
    for question in ("Who wrote it?", "How much salt?", "zyx"):
        tokens = reader.encode(question)
        (match,) = matches([question], [state], reader)
        said = log_likelihoods([tokens[:1]] * state.batch, [tokens[1:]] * state.batch, state, reader)
        score = said + worth * match
        finalists = sorted(range(state.batch), key=lambda row: float(match[row]))[1:]
        expected = max(finalists, key=lambda row: float(score[row]))
        assert choose_sections([question], [state], reader) == [expected]


def test_where_a_question_is_one_token_the_best_match_is_taken(reader: Reader, state: MemoryState) -> None:
    (match,) = matches(["?"], [state], reader)
    assert choose_sections(["?"], [state], reader) == [int(match.argmax())]


def test_a_question_is_read_by_few_sections_however_many_there_are(
    reader: Reader, state: MemoryState
) -> None:
    passes: list[torch.Size] = []
    embeddings = reader.backbone.model.get_input_embeddings()
    hook = embeddings.register_forward_pre_hook(lambda _, ids: passes.append(ids[0].shape))
    try:
        choose_sections(["Who?"], [MemoryState.cat([state] * 5)], reader)
        # To match it with all of them, then as far as its last token under those that match best.
        assert passes == [torch.Size((1, 4)), torch.Size((FINALISTS, 3))]
        choose_sections(["Who?"], [state.rows(0, 1)], reader)  # nothing to choose
        assert len(passes) == 2
    finally:
        hook.remove()
