"""A document with values exchanged in pairs: an answer must follow that was recalled, and not guessed by its kind."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dmdoc.datasets.document import Question, QuestionedDocument
from dmdoc.errors import UsageError


def swap_values(document: QuestionedDocument) -> QuestionedDocument:
    """The text with as many right answers exchanged as can be, and the questions about these alone.

    Two answers change places where they are of one attribute, or look alike ("12 metres" and "340 metres"), and each
    stands in the text once and in no question. What was right is `superseded` then.

    Raises:
        UsageError: no two answers can be exchanged.
    """
    alike = defaultdict[str, dict[str, Question]](dict)
    for question in document.questions:
        answer = question.answers[0]
        if _stands_once(answer, document):
            alike[question.attribute or _shape(answer)].setdefault(answer, question)
    pairs = [pair for group in alike.values() for pair in _pairs(list(group.values()))]
    if not pairs:
        raise UsageError(
            "no two answers of the document can be exchanged: it takes two of one kind that each stand there once"
        )
    new = {one.answers[0]: other.answers[0] for pair in pairs for one, other in (pair, pair[::-1])}
    questions = tuple(
        replace(asked, answers=(new[asked.answers[0]],), superseded=asked.answers[0], offset=None)
        for asked in document.questions
        if asked.answers[0] in new
    )
    sections = tuple(_exchanged(section, new) for section in document.sections)
    return QuestionedDocument(document.name, sections, questions)


def _pairs(questions: Sequence[Question]) -> list[tuple[Question, Question]]:
    return list(zip(questions[::2], questions[1::2], strict=False))


def _shape(answer: str) -> str:
    """What words and numbers look like: "340 metres" is "0 a", "Ada Brook" "A A"."""
    kinds = ((r"\d[\d.,:]*", "0"), (r"[^\W\d_a-z]\w*", "A"), (r"[a-z]\w*", "a"))
    for pattern, sign in kinds:
        answer = re.sub(rf"\b{pattern}", sign, answer)
    return answer


def _stands_once(answer: str, document: QuestionedDocument) -> bool:
    standing = _standing([answer])
    asked = any(standing.search(question.question) for question in document.questions)
    return not asked and len(standing.findall(document.text)) == 1


def _standing(answers: Sequence[str]) -> re.Pattern[str]:
    """Any of the answers as words of their own, not inside a longer number; the longest first."""
    longest = sorted(map(re.escape, answers), key=len, reverse=True)
    return re.compile(rf"(?<![\w,.:])(?:{'|'.join(longest)})(?!\w|[,.:]\d)")


def _exchanged(text: str, new: Mapping[str, str]) -> str:
    return _standing(list(new)).sub(lambda found: new[found[0]], text)
