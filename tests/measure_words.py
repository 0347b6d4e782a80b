"""How often words alone find the sentence with the answer, and the document, in the training sets (docs/measuring.md).

No model takes part. A sentence is right where it has an answer, in the section that the answer is from.
"""

import argparse
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from dmdoc.answer.statements import rank, statements
from dmdoc.datasets import QuestionedDocument, read_dataset
from dmdoc.text.passages import split_passages
from dmdoc.text.words import split_words, telling_words, words_query

SETS = {
    "squad-v1-train.jsonl.gz": (80, 10, 100),
    "fairytaleqa-train.jsonl.gz": (100, 8, 100),
    "qed-nq-train.jsonl.gz": (800, 1, 600),
}
"""Documents in which sentences are sought, questions of each, and documents among which one is sought."""

ASKED = 4
"""Questions of each of those, at most."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder of training sets")
    parser.add_argument("--seed", type=int, default=1, help="draws the documents and questions")
    given = parser.parse_args()
    draw = random.Random(given.seed)
    for name, (documents, asked, among) in SETS.items():
        found = [each for each in read_dataset(given.data / name) if each.questions]
        places = sentences(draw.sample(found, documents), asked, draw)
        first, three = (sum(place < most for place in places) / len(places) for most in (1, 3))
        right, number = find(draw.sample(found, among), draw)
        print(
            f"{name}: of {len(places)} questions {first:.1%} have a right sentence first, {three:.1%} among three; "
            f"of {number} {right / number:.1%} find their document among {among}"
        )


def sentences(documents: Sequence[QuestionedDocument], most: int, draw: random.Random) -> list[int]:
    """Of each question the place of the first right sentence, counted from 0; 10 where it is farther behind."""
    places = []
    for document in documents:
        written = statements(document.sections, [0])
        for each in draw.sample(document.questions, min(most, len(document.questions))):
            right = {
                (own.page, own.start)
                for own in written
                if each.section in (None, own.page - 1)
                and any(answer.casefold() in own.text.casefold() for answer in each.answers)
            }
            if right:
                best = [(own.page, own.start) for own in rank(written, each.question, 10)]
                places.append(next((place for place, own in enumerate(best) if own in right), 10))
    return places


def find(documents: Sequence[QuestionedDocument], draw: random.Random) -> tuple[int, int]:
    """How many questions find their document by its best passage, and of how many."""
    index = sqlite3.connect(":memory:")
    index.execute(
        "CREATE VIRTUAL TABLE passages USING fts5 (words, tokenize = 'porter unicode61 remove_diacritics 2')"
    )
    owners = []
    for number, document in enumerate(documents):
        for page in document.sections:
            for start, end in split_passages(page):
                owners.append(number)
                index.execute("INSERT INTO passages VALUES (?)", (" ".join(split_words(page[start:end])),))
    right, asked = 0, 0
    for number, document in enumerate(documents):
        for each in draw.sample(document.questions, min(ASKED, len(document.questions))):
            query = words_query(telling_words(each.question) or split_words(each.question))
            best = index.execute(
                "SELECT rowid FROM passages WHERE passages MATCH ? ORDER BY bm25(passages) LIMIT 1", (query,)
            ).fetchone()
            right, asked = right + (best is not None and owners[best[0] - 1] == number), asked + 1
    return right, asked


if __name__ == "__main__":
    main()
