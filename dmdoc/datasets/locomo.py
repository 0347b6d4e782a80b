"""LoCoMo: long conversations of two people, `[{sample_id, conversation: {session_1: [turn], …}, qa: [question]}]`.

A session is a section: its date, then a line for every turn. Where all evidence of a question lies in one
session, that one holds its answer. The adversarial questions (category 5) have no answer and are left out.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dmdoc.datasets.document import Question, QuestionedDocument

NAME = "LoCoMo"

_SESSION = re.compile(r"session_(\d+)")
_TURN = re.compile(r"D\d+:\d+")
_ADVERSARIAL = 5

Place = tuple[int | None, int | None]
"""Section and offset in it, as Question has them."""


def recognises(content: Any) -> bool:
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(first, dict) and {"conversation", "qa"} <= first.keys()


def documents(content: Any) -> Iterator[QuestionedDocument]:
    """A conversation each."""
    for number, sample in enumerate(content if isinstance(content, list) else [content], start=1):
        texts: list[str] = []
        turns: dict[str, Place] = {}
        for session in _sessions(sample["conversation"]):
            text = f"Date: {sample['conversation'].get(f'{session}_date_time', 'unknown')}"
            for turn in sample["conversation"][session]:
                turns[turn["dia_id"]] = (len(texts), len(text) + 1)
                text += f"\n{turn['speaker']}: {_said(turn)}"
            texts.append(text)
        asked = [
            Question(item["question"], (str(item["answer"]),), *_place(item.get("evidence", ()), turns))
            for item in sample["qa"]
            if item.get("category") != _ADVERSARIAL
        ]
        yield QuestionedDocument(
            str(sample.get("sample_id", f"conversation {number}")), tuple(texts), tuple(asked)
        )


def _sessions(conversation: Mapping[str, Any]) -> list[str]:
    """The keys of the sessions in which something is said, in order."""
    found = [match for match in map(_SESSION.fullmatch, conversation) if match and conversation[match[0]]]
    return [match[0] for match in sorted(found, key=lambda match: int(match[1]))]


def _said(turn: Mapping[str, Any]) -> str:
    """What a turn says; of a picture there is a caption."""
    caption = turn.get("blip_caption")
    return f"{turn['text']} [shows {caption}]" if caption else str(turn["text"])


def _place(evidence: Any, turns: Mapping[str, Place]) -> Place:
    """Where the first turn of the evidence stands, if all of it is in one session."""
    # Some entries name several turns at once, and a few name none that there is.
    named = [name for entry in evidence for name in _TURN.findall(entry)]
    places = [turns[name] for name in named if name in turns]
    if not places or len({section for section, _ in places}) > 1:
        return None, None
    return places[0]
