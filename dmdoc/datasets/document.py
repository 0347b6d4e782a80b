"""A document in sections, with questions about it, and where in it each answer stands."""

from dataclasses import dataclass
from typing import Any

from dmdoc.errors import UsageError

GAP = "\n\n"
"""Between two sections of the whole text, as between two pages of a saved document."""


@dataclass(frozen=True)
class Question:
    """A question with its right answers.

    Raises:
        UsageError: the question is blank or not a text, or there is no right answer.
    """

    question: str
    answers: tuple[str, ...]
    """Any of them is right; the first one is the one whose likelihood is measured."""
    section: int | None = None
    """The index of the section that holds the answer; None where that is not known."""
    offset: int | None = None
    """Characters of that section (without one: of the whole text) before the answer, where that is known."""
    superseded: str | None = None
    """A value that the right one replaced: by a later sentence of the same text, or by an exchange."""
    attribute: str = ""
    """What is asked of a thing, where that is known: answers of one attribute could stand for one another. What stands
    before a full stop in it is the kind of thing."""
    about: str = ""
    """The thing that it is asked of, if the question names one and it is known."""

    def __post_init__(self) -> None:
        if not isinstance(self.question, str) or not self.question.strip():
            raise UsageError(f"a question is blank or not a text: {self.question!r}")
        if not self.answers or not all(isinstance(answer, str) and answer.strip() for answer in self.answers):
            raise UsageError(f"the question {self.question!r} has no answer, or a blank one")


@dataclass(frozen=True)
class QuestionedDocument:
    """A document and what is asked of it.

    Raises:
        UsageError: it is asked about but has no text, or a question names a section or offset that there is not.
    """

    name: str
    sections: tuple[str, ...]
    questions: tuple[Question, ...]
    unanswered: tuple[str, ...] = ()
    """Questions about the same things that it does not answer, as far as such are known."""

    def __post_init__(self) -> None:
        if self.questions and not self.text.strip():
            raise UsageError(f"{self.name!r} has questions but no text")
        for question in self.questions:
            section = question.section
            if section is not None and (type(section) is not int or section not in range(len(self.sections))):
                raise UsageError(
                    f"{self.name!r} has {len(self.sections)} sections, and the question {question.question!r} "
                    f"names section {section!r}, counted from 0"
                )
            place = self.text if section is None else self.sections[section]
            if question.offset is not None and question.offset not in range(len(place)):
                raise UsageError(
                    f"the answer to {question.question!r} is said to stand after {question.offset!r} characters of a "
                    f"text of {len(place):,}"
                )

    @property
    def text(self) -> str:
        return GAP.join(self.sections)

    def position(self, question: Question) -> float | None:
        """Where in the text the answer stands: its characters before the answer, as a share, from 0 to 1.

        Given by the dataset, else where an answer occurs exactly once, else the middle of its section; None
        when there is no telling.
        """
        start, place = 0, self.text
        if question.section is not None:
            start = sum(len(section) + len(GAP) for section in self.sections[: question.section])
            place = self.sections[question.section]
        offset = question.offset
        if offset is None:
            offset = _only_place(place, question.answers)
        if offset is None and question.section is not None and len(self.sections) > 1:
            offset = len(place) // 2
        return None if offset is None else (start + offset) / max(1, len(self.text))


def texts(value: Any, what: str) -> tuple[str, ...]:
    """A list of strings as JSON has it; a string alone is not taken for the list of its characters.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{what} are not a list of texts")
    return tuple(value)


def _only_place(text: str, answers: tuple[str, ...]) -> int | None:
    """Where the first answer that occurs exactly once begins; None if there is none such."""
    lower = text.lower()
    once = (answer.lower() for answer in answers if lower.count(answer.lower()) == 1)
    found = next(once, None)
    return None if found is None else lower.index(found)
