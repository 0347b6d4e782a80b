"""QASPER: papers, `{paper_id: {title, abstract, full_text: [{section_name, paragraphs}], qas: [question]}}`.

The abstract and every section of the paper are sections; the one that holds the paragraph which the first
annotator gave as evidence holds the answer. Several extracted spans are one answer, joined by commas.
Questions that all annotators found unanswerable are left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dmdoc.datasets.document import Question, QuestionedDocument, texts

NAME = "QASPER"


def recognises(content: Any) -> bool:
    first = next(iter(content.values()), None) if isinstance(content, dict) else None
    return isinstance(first, dict) and {"full_text", "qas"} <= first.keys()


def documents(content: Any) -> Iterator[QuestionedDocument]:
    """A paper each."""
    for name, paper in content.items():
        sections = _sections(paper)
        asked = []
        for item in paper["qas"]:
            given = [entry["answer"] for entry in item["answers"]]
            answers = [text for text in map(_answer, given) if text]
            if answers:
                evidence = [paragraph for answer in given for paragraph in answer.get("evidence", ())]
                asked.append(
                    Question(item["question"], tuple(dict.fromkeys(answers)), *_place(evidence, sections))
                )
        yield QuestionedDocument(str(paper.get("title") or name), sections, tuple(asked))


def _sections(paper: Mapping[str, Any]) -> tuple[str, ...]:
    parts: list[tuple[str | None, Sequence[str]]] = [(None, [paper.get("abstract") or ""])]
    parts += [(part["section_name"], texts(part["paragraphs"], "paragraphs")) for part in paper["full_text"]]
    joined = ("\n\n".join(filter(None, [heading, *paragraphs])) for heading, paragraphs in parts)
    return tuple(text for text in joined if text)


def _answer(answer: Mapping[str, Any]) -> str:
    """One annotator's answer in words; "" where there is none."""
    if answer.get("unanswerable"):
        return ""
    if answer.get("extractive_spans"):
        return ", ".join(texts(answer["extractive_spans"], "extractive spans"))
    if answer.get("free_form_answer"):
        return str(answer["free_form_answer"])
    yes = answer.get("yes_no")
    return "" if yes is None else "Yes" if yes else "No"


def _place(evidence: Sequence[str], sections: Sequence[str]) -> tuple[int | None, int | None]:
    """The section and offset of the first evidence that is text: figures and tables are not."""
    for paragraph in filter(None, evidence):
        for section, text in enumerate(sections):
            if paragraph in text:
                return section, text.index(paragraph)
    return None, None
