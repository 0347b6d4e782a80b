"""What `make everyday` counts, and that its questions are about its files."""

import json
from typing import Any

from everyday import FILES, report

QUESTIONS = [
    json.loads(line) for line in (FILES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
]


def test_each_kind_of_question_is_counted_by_itself() -> None:
    asked: list[dict[str, Any]] = [
        {"document": "a b.txt", "question": "?", "answers": ["9 May", "May"]},
        {"document": "a b.txt", "question": "?", "answers": ["Lund"]},
        {"document": "a b.txt", "question": "?", "answers": ["Lund"]},
        {"document": "a b.txt", "question": "?", "answers": []},
        {"document": None, "question": "?", "answers": []},
    ]
    answers = [
        {"document": "a-b", "answer": "on 9 May", "verdict": "sure"},
        {"document": "c", "answer": "Lund", "verdict": "doubtful"},
        {"document": "a-b", "answer": "Oslo", "verdict": "likely"},
        {"document": "a-b", "answer": "Oslo", "verdict": "likely"},
        {"document": "c", "answer": "Oslo", "verdict": "not in the document"},
    ]
    assert report(asked, answers) == [
        "the right document: 2 of 3",
        "the right document and a right answer: 1 of 3",
        "of the sure and likely answers right: 1 of 2",
        "near miss: 1 of 1 supported, 0 not in the document",
        "other subject: 0 of 1 supported, 1 not in the document",
    ]


def test_the_set_is_whole() -> None:
    files = {path.name: path.read_text(encoding="utf-8") for path in (FILES / "files").iterdir()}
    assert (len(files), len(QUESTIONS), len({each["question"] for each in QUESTIONS})) == (10, 60, 60)
    assert sum(bool(each["answers"]) for each in QUESTIONS) == 40
    assert {each["document"] for each in QUESTIONS} == {*files, None}
    for each in QUESTIONS:
        stands = [answer in files[each["document"]] for answer in each["answers"]]
        counted = each["question"].startswith("How many")
        assert not stands or any(stands) or counted, each["question"]
