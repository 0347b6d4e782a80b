"""Generates fictional documents full of facts, each with its questions, from a seed.

Decides what a document is about and draws its facts; how they are worded is composed elsewhere. Knows nothing
about tokens.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dmdoc.errors import TrainingError
from dmdoc.fictional.catalogue import Relation, Split, frames, kinds
from dmdoc.fictional.compose import Composer, Fact, Sentence, Subject, sentence_case
from dmdoc.fictional.values import Drawer, Exhausted

FEWEST_FACTS, MOST_FACTS = 3, 8
"""Facts about one subject where the number of subjects is free."""


@dataclass(frozen=True)
class Question:
    """A question about one fact of a document."""

    question: str
    answer: str
    """Short and verbatim in the text; the later value where the fact was updated."""
    superseded: str | None
    """The value that an update replaced."""
    position: float
    """Where the sentence with the answer begins, as a share of the characters of the text: 0..1."""
    paraphrases: tuple[str, ...]
    """Other wordings of the question in the same split."""
    attribute: str = ""
    """What is asked for, of whatever: questions of one attribute are those whose answers might be mistaken."""
    about: str = ""
    """The thing of which it is asked; empty where that is the document itself."""


@dataclass(frozen=True)
class FictionalDocument:
    """A document whose every fact is invented; paragraphs are separated by an empty line."""

    title: str
    kind: str
    """The kind of the only subject, or "mixed"."""
    text: str
    questions: tuple[Question, ...]
    """One for each fact, in the order in which the answers stand in the text."""
    missing: tuple[str, ...] = ()
    """Questions about the same things that the text does not answer."""


def generate(
    seed: int,
    *,
    facts: int,
    split: Split,
    updates: float = 0.0,
    distractors: float = 0.0,
    subjects: int | None = None,
) -> FictionalDocument:
    """A document of so many facts; the same arguments give the same document.

    updates: probability that a fact is given a new value later in the text.
    distractors: sentences without an asked fact, on average for each fact; none is repeated about a subject,
    so that a high rate saturates.
    subjects: how many subjects share the facts; by default one for every 3 to 8 facts.
    Raises TrainingError where the facts cannot be shared by so many subjects.
    """
    rng = random.Random(f"{split} {seed}")
    drawer = Drawer(rng, split)
    sizes = _sizes(rng, facts, subjects)
    chosen: list[tuple[Subject, list[Fact]]] = []
    for size in sizes:
        subject = _subject(rng, drawer, split, taken={other.name for other, _ in chosen})
        chosen.append((subject, _facts(rng, drawer, subject, size, updates)))
    composer = Composer(rng, split, lambda: drawer.draw("moment"))
    paragraphs = composer.paragraphs(chosen, distractors)
    titles = frames(split).titles if len(chosen) == 1 else frames(split).mixed_titles
    title = sentence_case(rng.choice(titles).format(S=chosen[0][0].name))
    kind_name = chosen[0][0].kind.name if len(chosen) == 1 else "mixed"
    return FictionalDocument(title, kind_name, *_finish(paragraphs, composer))


def _sizes(rng: random.Random, facts: int, subjects: int | None) -> list[int]:
    """Share the facts among the subjects as evenly as chance likes."""
    if subjects is None:
        fewest = -(-facts // MOST_FACTS)
        subjects = max(1, rng.randint(fewest, max(fewest, facts // (FEWEST_FACTS + 1))))
    if not 0 < subjects <= facts <= subjects * MOST_FACTS:
        raise TrainingError(
            f"{facts} facts cannot be shared by {subjects} subjects: a subject takes 1 to {MOST_FACTS}; "
            "change one of the two"
        )
    sizes = [facts // subjects + (index < facts % subjects) for index in range(subjects)]
    for index in range(subjects - 1):  # neighbours trade one fact or two, so that paragraphs differ in length
        moved = rng.randint(0, 2)
        if sizes[index] - moved >= FEWEST_FACTS and sizes[index + 1] + moved <= MOST_FACTS:
            sizes[index] -= moved
            sizes[index + 1] += moved
    rng.shuffle(sizes)
    return sizes


def _subject(rng: random.Random, drawer: Drawer, split: Split, taken: Collection[str]) -> Subject:
    """A subject of any kind whose name no other subject has."""
    while True:
        kind = rng.choice(kinds())
        name = drawer.fill(rng.choice(kind.manner[split].subjects), repeat=True)
        if name not in taken:
            return Subject(kind, name)


def _facts(rng: random.Random, drawer: Drawer, subject: Subject, count: int, updates: float) -> list[Fact]:
    """Facts of different relations; one with an item may come twice. Values recur if pools are empty."""
    candidates: list[Relation] = rng.sample(subject.kind.relations, len(subject.kind.relations))
    candidates += [relation for relation in candidates if relation.item]
    facts: list[Fact] = []
    for repeat in (False, True):
        for relation in candidates:
            if len(facts) == count:
                return facts
            asked = {fact.item for fact in facts if fact.relation is relation}
            if asked and not relation.item:
                continue
            try:
                value = drawer.draw(relation.value, repeat=repeat)
                superseded = drawer.draw(relation.value, repeat=repeat) if rng.random() < updates else None
            except Exhausted:
                continue
            item = drawer.item(relation.item, asked) if relation.item else None
            facts.append(Fact(subject, relation, item, value, superseded))
    return facts


def _finish(paragraphs: Sequence[Sequence[Sentence]], composer: Composer) -> tuple[str, tuple[Question, ...]]:
    """Join the paragraphs and place every answer."""
    text = "\n\n".join(" ".join(sentence.text for sentence in paragraph) for paragraph in paragraphs)
    questions: list[Question] = []
    offset = 0
    for paragraph in paragraphs:
        for sentence in paragraph:
            for fact in sentence.settles:
                question, *others = composer.questions(fact)
                position = offset / len(text)
                questions.append(
                    Question(
                        question,
                        fact.value,
                        fact.superseded,
                        position,
                        tuple(others),
                        attribute=fact.relation.id,
                        about=fact.subject.name,
                    )
                )
            offset += len(sentence.text) + 1
        offset += 1  # an empty line takes one character more than a space
    return text, tuple(questions)
