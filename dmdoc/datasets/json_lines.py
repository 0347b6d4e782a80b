"""JSON lines: `{doc_id, title, sections: [text], qas: [{question, answers: [text], section}]}`, one document a line.

`section` may be null or missing, and `answers` empty: such questions the document does not answer. Questions alone,
about a document that is given otherwise, are lines of `{question, answer}` or `{question, answers}`, with the page of
the answer if it is known.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dmdoc.datasets.document import Question, QuestionedDocument, texts
from dmdoc.errors import UsageError

NAME = "JSON lines of documents"


def recognises(content: Any) -> bool:
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(first, dict) and {"sections", "qas"} <= first.keys()


def documents(content: Any) -> Iterator[QuestionedDocument]:
    """The documents of parsed lines, or of the one object of a file that has a single line."""
    for record in content if isinstance(content, list) else [content]:
        asked = [
            Question(
                item["question"], tuple(dict.fromkeys(texts(item["answers"], "answers"))), item.get("section")
            )
            for item in record["qas"]
            if item["answers"]
        ]
        unanswered = tuple(str(item["question"]) for item in record["qas"] if not item["answers"])
        name = str(record.get("title") or record.get("doc_id") or "untitled")
        yield QuestionedDocument(name, texts(record["sections"], "sections"), tuple(asked), unanswered)


def read_questions(path: Path) -> tuple[Question, ...]:
    """The questions of a file of lines, their pages being the sections of the document.

    Raises:
        UsageError: the file cannot be read, or a line is something else.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the questions in {path}: {error}") from error
    return tuple(
        _parse_question(line, f"{path} line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )


def _parse_question(line: str, where: str) -> Question:
    try:
        record = json.loads(line)
        answers = record["answers"] if "answers" in record else [record["answer"]]
        if not isinstance(answers, list) or not all(
            isinstance(answer, str | int | float) for answer in answers
        ):
            raise UsageError("an answer is a text or a number, and answers are a list of them")
        page = record.get("page")
        if page is not None and (type(page) is not int or page < 1):
            raise UsageError(f"a page is a number from 1 on, got {page!r}")
        return Question(record["question"], tuple(map(str, answers)), None if page is None else page - 1)
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise UsageError(f"{where} is not an object with question and answer") from error
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
