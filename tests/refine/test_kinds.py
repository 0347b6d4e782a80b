import pytest
import torch
from tiny import tiny_reader

from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.model.reader import Reader
from dmdoc.refine import kinds as kinds_module
from dmdoc.refine.kinds import CONTEXT_CHARACTERS, KINDS, name_kinds

PHRASES = [
    ("The handle is carved from sandstone.", "sandstone"),
    ("Ida Roe built it in a year.", "Ida Roe"),
    ("A statue of a dolphin stands there, green with age and salt.", "dolphin"),
    ("Say it.", "it"),
]


@pytest.fixture
def reader() -> Reader:
    """With a head large enough for a tiny random model to prefer some tokens over others."""
    made = tiny_reader(DeltaMemConfig(write_layout="plain", write_budget=96))
    with torch.no_grad():
        made.backbone.model.get_output_embeddings().weight.mul_(20)
    return made


def test_a_kind_is_the_likeliest_first_token_after_the_examples(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds_module, "_EXAMPLES", "A red door. red: colour\n")
    for sentence, phrase in PHRASES:
        ids = torch.tensor([reader.encode(f"A red door. red: colour\n{sentence} {phrase}:")])
        with torch.no_grad():
            logits = reader.backbone.model(input_ids=ids).logits[0, -1]
        scores = [float(logits[reader.encode(f" {kind}")[0]]) for kind in KINDS]
        (named,) = name_kinds([(sentence, phrase)], reader)
        assert scores[KINDS.index(named)] == max(scores)


def test_phrases_in_one_pass_are_named_as_alone(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds_module, "PASS_PHRASES", 3)
    together = name_kinds(PHRASES, reader)
    assert together == [name_kinds([phrase], reader)[0] for phrase in PHRASES]


def test_of_a_long_sentence_the_model_sees_what_is_near(reader: Reader) -> None:
    near = "x" * 250 + " dolphin " + "y" * 400
    assert name_kinds([("z" * 5000 + near, "dolphin")], reader) == name_kinds(
        [("w" * 900 + near, "dolphin")], reader
    )
    whole = "z" * (CONTEXT_CHARACTERS - 8) + " dolphin"
    assert kinds_module._around("dolphin", whole) == whole


def test_no_phrase_has_no_kind(reader: Reader) -> None:
    assert name_kinds([], reader) == []
