"""What the shipped adapter's answers are weighed and judged by, fitted again to training data alone.

    weights     prints the weights of phrases (answer/weighing.py), and what they gain on documents left out
    verdicts    writes the judge of phrases beside the adapter, and its figures into the card

Both ask about the same documents: generated ones of the training halves, and paragraphs of SQuAD, QED and FairytaleQA
for training, as JSON lines in a folder (docs/training.md). Each takes about half an hour of a processor.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from dmdoc.answer.weighing import WEIGHTS, Measures
from dmdoc.compare.calibration import Judged, ask_all_kinds, calibrate, card_with_verdicts
from dmdoc.compare.cases import dataset_cases, training_documents
from dmdoc.compare.phrase_weights import BEFORE, Choices, choices, fit_weights
from dmdoc.datasets import QuestionedDocument, read_dataset, select
from dmdoc.memory.judges import write_judges
from dmdoc.model.reader import Reader, open_reader
from dmdoc.settings.folders import cache_folder
from dmdoc.settings.generation import GenerationSettings

ADAPTER = Path(__file__).parent.parent / "dmdoc" / "model" / "adapters" / "smollm2-135m"
GENERATED, ARTICLES, PARAGRAPHS, STORIES = 96, 14, 60, 16
ASKED_OF_ARTICLE, ASKED_OF_STORY = 20, 3
DOCUMENTS = 208
"""Of all these, in an order that is drawn: what the shipped weights and verdicts were fitted to."""

FOLDS = 5
SETTINGS = GenerationSettings(max_tokens=32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["weights", "verdicts"])
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder of training sets")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help="how many")
    given = parser.parse_args()
    groups = drawn(given.data, given.documents)
    reader = open_reader(None, str(ADAPTER), cache=cache_folder({}))
    if given.what == "weights":
        fit_the_weights(groups, reader)
    else:
        fit_the_verdicts(groups, reader)


def drawn(data: Path, most: int) -> list[list[QuestionedDocument]]:
    """So many documents, by where they are from; the same data gives the same."""
    draw = random.Random(0)
    generated = training_documents(GENERATED, seed=0)
    articles = draw.sample(list(read_dataset(data / "squad-v1-train.jsonl.gz")), ARTICLES)
    squad = [section for each in articles for section in sections([each], ASKED_OF_ARTICLE)]
    qed = sections(read_dataset(data / "qed-nq-train.jsonl.gz"), PARAGRAPHS, unit="document")
    stories = read_dataset(data / "fairytaleqa-train.jsonl.gz")
    fairy = sections(stories, STORIES * ASKED_OF_STORY)[:STORIES]
    groups = [generated, squad, qed, fairy]
    work = [(group, document) for group, own in enumerate(groups) for document in own]
    draw.shuffle(work)
    return [[document for at, document in work[:most] if at == group] for group in range(len(groups))]


def sections(
    documents: Sequence[QuestionedDocument], limit: int, unit: Literal["section", "document"] = "section"
) -> list[QuestionedDocument]:
    return list(select(documents, unit=unit, limit=limit, seed=0).documents)


def fit_the_weights(groups: Sequence[Sequence[QuestionedDocument]], reader: Reader) -> None:
    found = [(own.name, each) for group in groups for own in group for each in read(own, reader)]
    won = lost = 0
    names = sorted({name for name, _ in found})
    for fold in range(FOLDS):
        out = set(names[fold::FOLDS])
        fitted = fit_weights([each for name, each in found if name not in out])
        for _, each in (one for one in found if one[0] in out):
            new, old = is_right(each, fitted), is_right(each, BEFORE)
            won, lost = won + (new and not old), lost + (old and not new)
    print(
        f"{len(found)} questions; on documents left out {won} more are right than before, and {lost} no longer"
    )
    print(fit_weights([each for _, each in found]))
    print(f"those that ship: {WEIGHTS}")


def read(document: QuestionedDocument, reader: Reader) -> Iterator[Choices]:
    return choices(dataset_cases([document], reader), reader, settings=SETTINGS)


def is_right(found: Choices, weights: Measures) -> bool:
    scores = found.measures @ found.measures.new_tensor(list(weights))
    return bool(found.right[scores.argmax()])


def fit_the_verdicts(groups: Sequence[Sequence[QuestionedDocument]], reader: Reader) -> None:
    answers: list[Judged] = []
    for group in groups:
        answers += ask_all_kinds(dataset_cases(group, reader), reader, "spans", settings=SETTINGS)
    found = calibrate(answers)
    write_judges(ADAPTER, {"spans": found.judge})
    card = ADAPTER / "README.md"
    data = "generated documents of the training halves, SQuAD, QED and FairytaleQA for training"
    card.write_text(card_with_verdicts(card.read_text("utf-8"), "spans", found, data), "utf-8")
    print(found)


if __name__ == "__main__":
    main()
