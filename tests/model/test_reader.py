from dataclasses import replace
from typing import Any, Literal, cast

import pytest
import torch
from tiny import save_tiny_reader, tiny_adapter, tiny_reader
from torch import Tensor

from dmdoc.errors import AdapterError, StateShapeError, UsageError
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.reading_file import READING_WEIGHTS, save_reading
from dmdoc.memory.state import MemoryState
from dmdoc.model.backbone import load_backbone
from dmdoc.model.prompt import RecallMode
from dmdoc.model.reader import Reader, load_reader
from dmdoc.settings.generation import GenerationSettings
from dmdoc.text.chunking import LAYOUT_SENTENCE, Chunk, Layout, chunk_document

TEXT = (
    "The ferry left at nine. It carried forty crates of salt. Nobody saw it again.\n\nThe crates came back."
)
PROMPT = [{"role": "user", "content": "When did the ferry leave?"}]
SAMPLED = GenerationSettings(max_tokens=12, temperature=0.9, top_p=0.95, seed=3)


@pytest.fixture
def reader() -> Reader:
    return tiny_reader(seed=2)


def chunks_of(reader: Reader, text: str = TEXT, budget: int = 48) -> list[Chunk]:
    return chunk_document(text, reader.backbone.tokenizer, budget=budget, layout=Layout("plain"))


def write_all(reader: Reader, chunks: list[Chunk]) -> MemoryState:
    state = reader.zero_state()
    for chunk in chunks:
        state = reader.write([chunk], state)
    return state


def distance(first: MemoryState, second: MemoryState) -> float:
    return max(float((a - b).detach().abs().max()) for a, b in zip(first.layers, second.layers, strict=True))


# ── writing ──


@pytest.mark.parametrize("granularity", ["token", "message_mean", "sentence_mean"])
def test_every_chunk_changes_every_layer_of_the_state(granularity: Any) -> None:
    reader = tiny_reader(DeltaMemConfig(memory_write_granularity=granularity))
    state, chunks = reader.zero_state(), chunks_of(reader)
    assert len(chunks) == 3
    for chunk in chunks:
        after = reader.write([chunk], state)
        for before, now in zip(state.layers, after.layers, strict=True):
            assert not torch.equal(before, now)
        state = after


@pytest.mark.parametrize("granularity", ["token", "message_mean", "sentence_mean"])
def test_texts_of_unequal_length_are_written_together_as_alone(granularity: Any) -> None:
    reader = tiny_reader(DeltaMemConfig(memory_write_granularity=granularity))
    chunks = chunks_of(reader)
    together = reader.write(chunks, reader.zero_state(batch=3))
    for row, chunk in enumerate(chunks):
        alone = reader.write([chunk], reader.zero_state())
        assert distance(together.select(torch.tensor([row])), alone) < 1e-5


def test_a_message_writes_once_and_sentences_one_by_one() -> None:
    """A mean of one sentence is the mean of the message; layout tokens belong to no sentence."""
    one = Chunk(token_ids=(5, 6, 7, 8), sentence_ids=(0, 0, 0, 0), text="")
    framed = replace(one, sentence_ids=(LAYOUT_SENTENCE, 0, 0, LAYOUT_SENTENCE))
    message, sentence = (
        tiny_reader(DeltaMemConfig(memory_write_granularity=granularity))
        for granularity in ("message_mean", "sentence_mean")
    )
    expected = message.write([one], message.zero_state())

    assert sentence.write([one], sentence.zero_state()).equals(expected)
    assert not sentence.write([framed], sentence.zero_state()).equals(expected)


def test_writing_computes_no_logits_and_nothing_after_the_last_memory(reader: Reader) -> None:
    model: Any = reader.backbone.model
    first, last = model.model.layers
    ran: list[str] = []
    for name, module in {
        "first mlp": first.mlp,
        "last attention": last.self_attn.q_proj,
        "last mlp": last.mlp,
        "norm": model.model.norm,
        "logits": model.lm_head,
    }.items():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    reader.write(chunks_of(reader)[:1], reader.zero_state())

    assert ran == ["first mlp"]


def test_writing_continues_from_the_state_and_leaves_it_alone(reader: Reader) -> None:
    chunks = chunks_of(reader)
    first = reader.write(chunks[:1], reader.zero_state())
    kept = [layer.clone() for layer in first.layers]
    second = reader.write(chunks[1:2], first)

    assert all(torch.equal(old, new) for old, new in zip(kept, first.layers, strict=True))
    assert not second.equals(reader.write(chunks[1:2], reader.zero_state()))


@pytest.mark.parametrize("corrects", [True, False])
def test_what_is_read_trains_what_was_written(corrects: bool) -> None:
    reader = tiny_reader(DeltaMemConfig(corrects_while_writing=corrects))
    reader.adapter.requires_grad_(True)
    state = reader.write(chunks_of(reader)[:1], reader.zero_state())
    with reader.reading(state) as model:
        logits = model(input_ids=torch.tensor([reader.prompt_ids(PROMPT)])).logits
    logits.logsumexp(-1).sum().backward()

    for name, parameter in reader.adapter.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name
    assert all(parameter.grad is None for parameter in reader.backbone.model.parameters())


def test_writing_needs_one_state_for_each_chunk(reader: Reader) -> None:
    with pytest.raises(StateShapeError):
        reader.write(chunks_of(reader), reader.zero_state(batch=2))


# ── reading ──


@pytest.mark.parametrize("settings", [GenerationSettings(max_tokens=12), SAMPLED])
def test_the_stream_is_exactly_what_is_returned(settings: GenerationSettings, reader: Reader) -> None:
    heard: list[int] = []
    state, prompt = write_all(reader, chunks_of(reader)), reader.prompt_ids(PROMPT)
    answer = reader.generate(prompt, state, settings, heard.append)

    assert heard == answer
    assert 0 < len(answer) <= 12
    assert reader.generate(prompt, state, settings) == answer


def test_the_token_that_ends_an_answer_is_neither_streamed_nor_returned(reader: Reader) -> None:
    state, prompt = reader.zero_state(), reader.prompt_ids(PROMPT)
    whole = reader.generate(prompt, state, GenerationSettings(max_tokens=12))
    end = next(token for token in whole if token != whole[0])
    reader.backbone.model.generation_config.eos_token_id = [end, 258]
    heard: list[int] = []
    answer = reader.generate(prompt, state, GenerationSettings(max_tokens=12), heard.append)

    assert heard == answer == whole[: whole.index(end)]


def test_a_model_without_an_end_token_stops_at_the_limit(reader: Reader) -> None:
    reader.backbone.model.generation_config.eos_token_id = None
    answer = reader.generate(reader.prompt_ids(PROMPT), reader.zero_state(), GenerationSettings(max_tokens=4))
    assert len(answer) == 4


def test_the_first_token_is_the_likeliest_after_reading_the_state(reader: Reader) -> None:
    state, prompt = write_all(reader, chunks_of(reader)), reader.prompt_ids(PROMPT)
    with torch.no_grad(), reader.reading(state) as model:
        logits: Tensor = model(input_ids=torch.tensor([prompt])).logits[0, -1]

    assert reader.generate(prompt, state, GenerationSettings(max_tokens=1)) == [int(logits.argmax())]


def test_the_answer_depends_on_what_was_written(reader: Reader) -> None:
    prompt, settings = reader.prompt_ids(PROMPT), GenerationSettings(max_tokens=12)
    states = [write_all(reader, chunks_of(reader, text)) for text in (TEXT, "Seven geese. " * 12)]
    answers = [reader.generate(prompt, state, settings) for state in (*states, reader.zero_state())]
    assert len({tuple(answer) for answer in answers}) > 1


def test_a_draw_follows_its_seed_and_leaves_the_global_generator_alone(reader: Reader) -> None:
    state, prompt = reader.zero_state(), reader.prompt_ids(PROMPT)
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first = reader.generate(prompt, state, SAMPLED)
    assert torch.equal(torch.get_rng_state(), before)

    torch.manual_seed(12)
    assert reader.generate(prompt, state, SAMPLED) == first
    assert reader.generate(prompt, state, replace(SAMPLED, seed=4)) != first


@pytest.mark.parametrize("settings", [GenerationSettings(max_tokens=5), SAMPLED])
def test_reading_leaves_every_byte_of_the_state(settings: GenerationSettings, reader: Reader) -> None:
    state = write_all(reader, chunks_of(reader))
    before = [layer.numpy().tobytes() for layer in state.layers]
    reader.generate(reader.prompt_ids(PROMPT), state, settings)
    assert [layer.numpy().tobytes() for layer in state.layers] == before


def test_prompts_of_unequal_length_are_answered_together_as_alone(reader: Reader) -> None:
    settings = GenerationSettings(max_tokens=12)
    states = [write_all(reader, chunks_of(reader, text)) for text in (TEXT, "Seven geese. " * 12, "No.")]
    questions = ("When?", "When did the ferry leave?", "How many crates of salt did the ferry carry?")
    prompts = [reader.prompt_ids([{"role": "user", "content": question}]) for question in questions]
    first = reader.generate(prompts[0], states[0], settings)
    # One of the answers ends before the others do.
    reader.backbone.model.generation_config.eos_token_id = [first[4], 258]
    alone = [reader.generate(prompt, state, settings) for prompt, state in zip(prompts, states, strict=True)]

    assert len({len(answer) for answer in alone}) > 1
    assert reader.generate_batch(prompts, MemoryState.cat(states), settings) == alone
    frozen = [reader.generate(prompt, None, settings) for prompt in prompts]
    assert reader.generate_batch(prompts, None, settings) == frozen


def test_prompt_and_answer_must_fit_the_context() -> None:
    reader = tiny_reader(context=64)
    state = reader.zero_state()
    assert len(reader.generate([5] * 60, state, GenerationSettings(max_tokens=4))) <= 4
    with pytest.raises(UsageError, match="prompt of 61 tokens and an answer of 4 exceed the 64 tokens"):
        reader.generate([5] * 61, state, GenerationSettings(max_tokens=4))


# ── tokens ──


def test_prompts_are_chat_messages_that_end_where_the_answer_begins(reader: Reader) -> None:
    prompt = reader.prompt_ids(PROMPT)
    rendered = "<|im_start|>user\nWhen did the ferry leave?<|im_end|>\n<|im_start|>assistant\n"
    assert reader.backbone.tokenizer.fast.decode(prompt) == rendered


def test_text_survives_encoding(reader: Reader) -> None:
    text = "Größe: 7 µm, naïve — 100 %"
    assert reader.decode(reader.encode(text)) == text


def test_rows_are_padded_on_the_right(reader: Reader) -> None:
    assert reader.pad([[1, 2, 3], [4]], -1).tolist() == [[1, 2, 3], [4, -1, -1]]


# ── loading ──


def test_a_reader_from_two_folders_writes_the_same_state(reader: Reader, tmp_path: Any) -> None:
    model, adapter = save_tiny_reader(reader, tmp_path)
    backbone = load_backbone(model, name="saved", device="cpu", dtype="float32")
    loaded = load_reader(backbone, adapter, adapter_name="saved-adapter")

    assert loaded.adapter_identity.name == "saved-adapter"
    assert distance(write_all(loaded, chunks_of(loaded)), write_all(reader, chunks_of(reader))) < 1e-6


def test_in_a_bfloat16_reader_only_the_state_stays_float32(reader: Reader, tmp_path: Any) -> None:
    model, adapter = save_tiny_reader(reader, tmp_path)
    backbone = load_backbone(model, name="saved", device="cpu", dtype="bfloat16")
    loaded = load_reader(backbone, adapter, adapter_name="saved-adapter")
    state = write_all(loaded, chunks_of(loaded))

    assert {parameter.dtype for parameter in loaded.adapter.parameters()} == {torch.bfloat16}
    assert {layer.dtype for layer in state.layers} == {torch.float32}
    assert loaded.generate(loaded.prompt_ids(PROMPT), state, GenerationSettings(max_tokens=3))


def test_an_adapter_of_another_backbone_is_refused(reader: Reader, tmp_path: Any) -> None:
    _, adapter = save_tiny_reader(tiny_reader(layers=3), tmp_path)
    with pytest.raises(AdapterError, match="layer 2"):
        load_reader(reader.backbone, adapter, adapter_name="other")


@pytest.mark.parametrize("mode", ["spans", "evidence"])
def test_weights_for_one_recall_mode_are_used_in_that_mode_alone(
    mode: Literal["spans", "evidence"], reader: Reader, tmp_path: Any
) -> None:
    _, folder = save_tiny_reader(reader, tmp_path)
    without = load_reader(reader.backbone, folder, adapter_name="plain")
    save_reading(tiny_adapter(reader.backbone.model, seed=9), reader.adapter, folder / READING_WEIGHTS[mode])
    loaded = load_reader(reader.backbone, folder, adapter_name="plain")

    assert without.speaker(mode) is without
    others = {"state", "spans", "evidence", "full", "frozen"} - {mode}
    assert all(loaded.speaker(cast(RecallMode, other)) is loaded for other in others)
    speaker = loaded.speaker(mode)
    assert speaker is loaded.speaker(mode)  # loaded once
    assert speaker.speaker(mode) is speaker
    assert speaker.adapter_identity == loaded.adapter_identity == without.adapter_identity
    for name, same in (("memory_q_proj", False), ("delta_o_proj", False), ("memory_k_proj", True)):
        own, other = (each.adapter.get_parameter(f"layers.0.{name}") for each in (loaded, speaker))
        assert torch.equal(own, other) == same


def test_damaged_weights_for_passages_stop_nothing_else(reader: Reader, tmp_path: Any) -> None:
    _, folder = save_tiny_reader(reader, tmp_path)
    (folder / READING_WEIGHTS["evidence"]).write_bytes(b"damaged")
    loaded = load_reader(reader.backbone, folder, adapter_name="plain")

    assert loaded.speaker("state").generate(loaded.prompt_ids(PROMPT), None, GenerationSettings(max_tokens=3))
    with pytest.raises(AdapterError, match="is damaged"):
        loaded.speaker("evidence")
