"""The script that trains the pointer: where answers stand, and that it writes what dmdoc reads."""

from pathlib import Path

import fit_pointer
import pytest
import torch
from fit_pointer import Asked, Kept, pose

from dmdoc.model.pointer import load_pointer

TEXT = "The barge was built in Lund in 1911."


def kept(kind: str, article: str, *asked: tuple[str, tuple[str, ...]]) -> Kept:
    """A token a character."""
    draw = torch.Generator().manual_seed(0)
    made = [
        Asked(question, answers, torch.randn(4, 5, 32, generator=draw).half()) for question, answers in asked
    ]
    inputs = torch.randn(4, len(TEXT), 32, generator=draw).half()
    return Kept(kind, article, TEXT, list(range(1, len(TEXT) + 1)), inputs, made)


def test_answers_stand_where_whole_words_say_them() -> None:
    text = kept("squad", "one", ("Where was it built?", ("Lund", "in lund")), ("Who built it?", ()))
    assert pose(text, text.asked[0]).places == [(20, 26), (23, 26)]
    assert pose(text, text.asked[0]._replace(answers=("und",))).places == []
    assert pose(text, text.asked[1]).places == []


def test_what_is_trained_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("Where was it built?", ("Lund",)), ("Who built it?", ())
    texts = [kept(kind, "one", *asked) for kind in ("squad", "squad", "everyday", "held out")]
    path = tmp_path / "pointer.safetensors"
    fit_pointer.fit(texts, 0.5, path)
    pointer = load_pointer(path, hidden=32, last_input=27)
    assert pointer.shape.inputs == fit_pointer.INPUTS
    assert "left out" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["lessons.jsonl", "lessons_held_out.jsonl", "lessons_reworded.jsonl"])
def test_what_is_learned_from_is_whole(name: str) -> None:
    lessons = list(fit_pointer.lines(fit_pointer.TESTS / name, "everyday"))
    assert len({text for _, _, text, _ in lessons}) == len(lessons)
    for _, title, text, asked in lessons:
        assert any(answers for _, answers in asked), title
        said = text.lower()
        lost = [
            question for question, answers in asked if answers and not any(a.lower() in said for a in answers)
        ]
        assert not lost, (title, lost)
