"""Which of many phrases the model reads: those that their words and their first tokens speak for."""

import pytest
import torch
from tiny import tiny_reader

from dmdoc.answer import phrases, spans
from dmdoc.answer.recall import recall
from dmdoc.ingest.sections import write_text
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

PAGE = "The fair opens. " + " ".join(
    f"Stall {number} sells Ware{number} to Guest{number}." for number in range(60)
)
QUESTION = "Who plays the ~organ at the fair?"
SHORT = GenerationSettings(max_tokens=4)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(DeltaMemConfig(write_layout="plain", write_budget=2048))


def read(reader: Reader, pages: tuple[str, ...] = (PAGE,)) -> list[str]:
    state = write_text("\n\n".join(pages), reader)
    choice = recall(QUESTION, reader, state, lambda: pages, settings=SHORT, mode="spans").choice
    assert choice is not None
    return [span.text for span in choice.read]


def test_of_many_phrases_those_are_read_whose_first_token_the_state_expects(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = torch.full((1, 256), -20.0)
    looked: list[int] = []

    def hear(prompt: object, state: object, _reader: Reader) -> torch.Tensor:
        looked.append(1)
        return expected

    monkeypatch.setattr(phrases, "hear_next", hear)
    by_words = read(reader)
    assert len(by_words) == spans.CANDIDATES and looked == [1]
    likes, (first, *_) = expected.clone(), reader.encode("Ware")
    likes[0, first] = 0.0
    monkeypatch.setattr(phrases, "hear_next", lambda *_: likes)
    wares = {text for text in read(reader) if text.startswith("Ware")}
    assert len(wares) > len({text for text in by_words if text.startswith("Ware")})


def test_where_all_can_be_read_nobody_looks(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrases, "hear_next", None)
    assert 0 < len(read(reader, ("The fair opens at noon, and Ada Roe plays there.",))) < spans.CANDIDATES
