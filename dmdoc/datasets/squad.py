"""SQuAD, 1.1 and 2.0: `{data: [{title, paragraphs: [{context, qas: [{question, answers: [{text, answer_start}]}]}]}]}`.

A paragraph is a section. Questions that the paragraph does not answer (2.0) are left out. The offsets may be
missing, as they are in the first release.
"""

from collections.abc import Iterator
from typing import Any

from dmdoc.datasets.document import Question, QuestionedDocument

NAME = "SQuAD"


def recognises(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("data"), list)


def documents(content: Any) -> Iterator[QuestionedDocument]:
    """An article each."""
    for article in content["data"]:
        paragraphs = article["paragraphs"]
        asked = [
            Question(
                item["question"].strip(),
                # Several people answered; most of them alike.
                tuple(dict.fromkeys(answer["text"] for answer in item["answers"])),
                section,
                item["answers"][0].get("answer_start"),
            )
            for section, paragraph in enumerate(paragraphs)
            for item in paragraph["qas"]
            if item["answers"] and not item.get("is_impossible")
        ]
        texts = tuple(paragraph["context"] for paragraph in paragraphs)
        yield QuestionedDocument(str(article["title"]), texts, tuple(asked))
