"""Values for generated facts out of real text, so that an adapter learns to recall any words and not a pool of them.

The generator's pools are small. An adapter that has seen nothing else recalls their words and no others.
"""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dmdoc import fictional

MOST_WORDS = 4
MOST_CHARACTERS = 30


def lendable(answers: Iterable[str]) -> list[str]:
    """Answers short enough to be values, each once, without a word that the evaluation split has to itself."""
    held_out = fictional.own_words("eval")
    return [
        answer
        for answer in dict.fromkeys(answers)
        if len(answer) <= MOST_CHARACTERS
        and len(answer.split()) <= MOST_WORDS
        and held_out.isdisjoint(re.findall(r"[a-z]+", answer.lower()))
    ]


def borrow(
    document: fictional.FictionalDocument, share: float, phrases: Sequence[str], generator: random.Random
) -> fictional.FictionalDocument:
    """A document some of whose values are drawn from `phrases`: a share of those that stand in its text just once.

    What grammar asks of a value is not kept: "{S} was designed by late 1943." Positions are those of the original.
    """
    text, questions = document.text, list(document.questions)
    for number, question in enumerate(questions):
        if generator.random() >= share or question.superseded is not None:
            continue
        phrase = generator.choice(phrases)
        value = re.compile(rf"(?<!\w){re.escape(question.answer)}(?!\w)")
        asked = " ".join(wording for other in questions for wording in (other.question, *other.paraphrases))
        if len(value.findall(text)) == 1 and not value.search(asked) and phrase not in text:
            text = value.sub(phrase.replace("\\", r"\\"), text)
            questions[number] = replace(question, answer=phrase)
    return replace(document, text=text, questions=tuple(questions))
