"""Writes facts as sentences and paragraphs: phrasing, references, updates, remarks, order.

Knows nothing about how the facts were drawn.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dmdoc.fictional.catalogue import Kind, Relation, Split, frames
from dmdoc.fictional.values import article, with_article

_REFERENCE_RATE = 0.45
_JOINT_RATE = 0.12
_OPENING_RATE = 0.08
_INTRODUCED_RATE = 0.12
_OWN_UPDATE_RATE = 0.6
_LATE_RATE = 0.4


@dataclass(frozen=True)
class Subject:
    """Somebody or something that facts are about."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class Fact:
    """A value of a subject, and the value it had before if it was updated."""

    subject: Subject
    relation: Relation
    item: str | None
    value: str
    superseded: str | None


@dataclass(frozen=True)
class Sentence:
    """A piece of a document that ends with a full stop and the facts whose final value it states."""

    text: str
    settles: tuple[Fact, ...]


@dataclass(frozen=True)
class _Draft:
    """A sentence before the order is known, which decides whether it names its subject in full."""

    write: Callable[[str], str]
    """From the mention of the subject to the sentence, without the capital at its start."""
    settles: tuple[Fact, ...]
    joinable: bool


class Composer:
    """Words facts in the manner of one split."""

    def __init__(self, rng: random.Random, split: Split, when: Callable[[], str]) -> None:
        """`when` names a span of time that is no value of the document."""
        self._rng = rng
        self._split = split
        self._frames = frames(split)
        self._when = when

    def paragraphs(
        self, subjects: Sequence[tuple[Subject, Sequence[Fact]]], distractors: float
    ) -> list[list[Sentence]]:
        """One paragraph for each subject, in that order, and perhaps a last one with late updates."""
        late: list[Sentence] = []
        paragraphs = []
        for subject, facts in subjects:
            statements = [self._statement(fact) for fact in facts]
            drafts = [*statements, *self._remarks(subject, len(facts), distractors)]
            self._rng.shuffle(drafts)
            for fact, statement in zip(facts, statements, strict=True):
                if fact.superseded is None:
                    continue
                update = self._update(fact, fact.superseded)
                if self._rng.random() < _LATE_RATE:
                    late.append(Sentence(sentence_case(update.write(subject.name)), update.settles))
                else:
                    drafts.insert(self._rng.randint(drafts.index(statement) + 1, len(drafts)), update)
            paragraphs.append(self._paragraph(subject, drafts))
        self._rng.shuffle(late)
        return [*paragraphs, late] if late else paragraphs

    def questions(self, fact: Fact) -> list[str]:
        """Every wording of the question for a fact, in random order; a phrase may introduce the first."""
        wording = fact.relation.wording[self._split]
        noun = fill(self._rng.choice(wording.nouns), fact.subject.name, fact.item, fact.value)
        questions = [fill(each, fact.subject.name, fact.item, fact.value) for each in wording.questions]
        first, *others = self._rng.sample(questions, len(questions))
        if self._rng.random() < _INTRODUCED_RATE:
            others.append(first)
            first = self._rng.choice(self._frames.introductions) + first
        others += [request.format(noun=noun) for request in self._frames.requests]
        return [sentence_case(question) for question in (first, *others)]

    def _paragraph(self, subject: Subject, drafts: Sequence[_Draft]) -> list[Sentence]:
        """Name the subject in full first, later perhaps in short; some neighbours become one sentence."""
        sentences: list[Sentence] = []
        joinable = False
        for draft in drafts:
            short = self._reference(subject)
            if joinable and draft.joinable and self._rng.random() < _JOINT_RATE:
                previous = sentences.pop()
                text = previous.text.removesuffix(".") + self._frames.joint + draft.write(short)
                sentences.append(Sentence(text, previous.settles + draft.settles))
                joinable = False
                continue
            mention = short if sentences and self._rng.random() < _REFERENCE_RATE else subject.name
            sentences.append(Sentence(sentence_case(draft.write(mention)), draft.settles))
            joinable = draft.joinable
        return sentences

    def _reference(self, subject: Subject) -> str:
        short = self._rng.choice(subject.kind.manner[self._split].references)
        return short.replace("{last}", subject.name.split()[-1])

    def _statement(self, fact: Fact) -> _Draft:
        """The sentence that first states a fact."""
        template = self._rng.choice(fact.relation.wording[self._split].facts)
        opening = ""
        if template.startswith(("{", "The ")) and self._rng.random() < _OPENING_RATE:
            opening = self._rng.choice(self._frames.openings)
        value = fact.superseded or fact.value

        def write(mention: str) -> str:
            return opening + fill(template, mention, fact.item, value)

        return _Draft(write, settles=() if fact.superseded else (fact,), joinable=not opening)

    def _update(self, fact: Fact, old: str) -> _Draft:
        """The sentence that gives a fact its later value in the place of the old one."""
        wording = fact.relation.wording[self._split]
        if wording.updates and self._rng.random() < _OWN_UPDATE_RATE:
            template = self._rng.choice(wording.updates)
            new = "{V}"
        else:
            shared = self._frames.corrections if fact.relation.fixed else self._frames.changes
            template = self._rng.choice(shared).replace("{noun}", self._rng.choice(wording.nouns))
            old, new = with_article(old, fact.relation.value), with_article(fact.value, fact.relation.value)
        template = template.replace("{when}", self._when()).replace("{old}", old).replace("{V}", new)

        def write(mention: str) -> str:
            return fill(template, mention, fact.item, fact.value)

        return _Draft(write, settles=(fact,), joinable=False)

    def _remarks(self, subject: Subject, facts: int, rate: float) -> list[_Draft]:
        """Sentences without an asked fact: on average `rate` for each fact, none twice about one subject."""
        pool = subject.kind.manner[self._split].remarks + self._frames.remarks
        wanted = sum(int(rate) + (self._rng.random() < rate % 1) for _ in range(facts))
        return [_remark(template) for template in self._rng.sample(pool, min(wanted, len(pool)))]


def _remark(template: str) -> _Draft:
    return _Draft(lambda mention: fill(template, mention, None, ""), settles=(), joinable=False)


def fill(template: str, subject: str, item: str | None, value: str) -> str:
    """Put a subject, an item and a value into a template; without the capital that starts a sentence."""
    start = template[:1].lower() + template[1:]
    determiner = article(value) if value else ""
    return start.replace("{A}", "{a}").format(S=subject, I=item, V=value, a=determiner)


def sentence_case(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]
