"""What the shipped adapter's answers are weighed and judged by, fitted again to training data alone.

    ask         asks about documents, and keeps what was answered in a file; run again, it goes on from there
    weights     prints the weights of phrases (answer/weighing.py), and what they gain on documents left out
    verdicts    writes the judge of phrases beside the adapter, and its figures into the card

The documents are generated ones of the training halves, and paragraphs of SQuAD, QED and FairytaleQA for training, as
JSON lines in a folder (docs/training.md). From half of those that are prose sentences are taken out, so that some of
their questions are left open. Beside them are everyday files written to be learned from (tests/written/), with
questions that people could ask of them and that they leave open. To ask takes an hour or more of a processor, to fit a
minute; what a model has no part in (measures of phrases, signals, rules) is measured anew by each fit.
"""

import argparse
import json
import pickle
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from dmdoc.answer.weighing import WEIGHTS, Measures
from dmdoc.compare.calibration import Reply, calibrate, card_with_verdicts, replies
from dmdoc.compare.cases import training_documents, training_rosters
from dmdoc.compare.foreign import Kind, Posed, posed
from dmdoc.compare.phrase_weights import BEFORE, Choices, fit_weights, measured_again, phrases_of
from dmdoc.datasets import QuestionedDocument, read_dataset, select, with_gaps
from dmdoc.document import read_document
from dmdoc.ingest.sections import write_text
from dmdoc.memory.judges import write_judges
from dmdoc.model.prompt import RecallMode
from dmdoc.model.reader import open_reader
from dmdoc.settings.folders import cache_folder
from dmdoc.settings.generation import GenerationSettings

ADAPTER = Path(__file__).parent.parent / "dmdoc" / "model" / "adapters" / "smollm2-135m"
GENERATED, ARTICLES, PARAGRAPHS, STORIES = 96, 14, 60, 16
ASKED_OF_ARTICLE, ASKED_OF_STORY = 20, 3
DOCUMENTS = 110
"""Of all these, in an order that is drawn: what the shipped weights and verdicts were fitted to."""

ROSTERS = 3
"""Beside them, of each family."""

WRITTEN = Path(__file__).parent / "written"
ASKED_OF_OTHERS = 3
"""Questions about other files, of each of those that were written."""

FEWEST_WORDS = 25
"""Of a document from which sentences were taken; what is left of others is none."""

FOLDS = 5
SETTINGS = GenerationSettings(max_tokens=32)


Asked = tuple[QuestionedDocument, list[Reply]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["ask", "weights", "verdicts"])
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder of training sets")
    parser.add_argument("--documents", type=int, help="ask about the first so many; all unless told")
    parser.add_argument(
        "--mode", choices=["spans", "evidence"], default="spans", help="how they are answered"
    )
    parser.add_argument("--kept", type=Path, default=Path("build/answers.pickle"), help="what was answered")
    given = parser.parse_args()
    if given.what == "ask":
        given.kept.parent.mkdir(parents=True, exist_ok=True)
        work = list(drawn(given.data))
        if given.mode == "evidence":  # of these a part is enough, and each part has some of all kinds
            random.Random(0).shuffle(work)
        ask(islice(work, given.documents), given.kept, given.mode)
    elif given.what == "weights":
        fit_the_weights(read(given.kept))
    else:
        fit_the_verdicts(read(given.kept), given.mode)


def ask(work: Iterator[tuple[QuestionedDocument, list[Posed]]], kept: Path, mode: RecallMode) -> None:
    known = {document.name for document, _ in read(kept)} if kept.exists() else set()
    reader = open_reader(None, str(ADAPTER), cache=cache_folder({}))
    with kept.open("ab") as file:
        for document, asked in work:
            if document.name in known:
                continue
            state = write_text(document.text, reader, 0)
            found = list(replies(document, asked, state, reader, mode, settings=SETTINGS))
            pickle.dump((document, found), file)
            file.flush()
            print(f"{document.name}: {len(found)}", flush=True)


def read(kept: Path) -> list[Asked]:
    """What was answered, with the measures of today; what a kill has left half written ends it."""
    found: list[Asked] = []
    with kept.open("rb") as file:
        while True:
            try:
                document, own = pickle.load(file)
            except (EOFError, pickle.UnpicklingError):
                return found
            found.append((document, [measured_again(reply, document) for reply in own]))


def drawn(data: Path) -> Iterator[tuple[QuestionedDocument, list[Posed]]]:
    """All documents with what is asked of them, in an order that is drawn; the same data gives the same."""
    draw = random.Random(0)
    generated = training_documents(GENERATED, seed=0)
    articles = draw.sample(list(read_dataset(data / "squad-v1-train.jsonl.gz")), ARTICLES)
    squad = [section for each in articles for section in sections([each], ASKED_OF_ARTICLE)]
    qed = sections(read_dataset(data / "qed-nq-train.jsonl.gz"), PARAGRAPHS, unit="document")
    stories = read_dataset(data / "fairytaleqa-train.jsonl.gz")
    fairy = sections(stories, STORIES * ASKED_OF_STORY)[:STORIES]
    work: list[tuple[QuestionedDocument, list[Posed]]] = []
    for own in (generated, squad, qed, fairy):
        group = [
            with_gaps(each, draw) if number % 2 and not each.unanswered else each
            for number, each in enumerate(own)
        ]
        group = [each for each in group if len(each.text.split()) >= FEWEST_WORDS]
        work += zip(group, posed(group, 0), strict=True)
    draw.shuffle(work)
    yield from work[:DOCUMENTS]
    rosters = training_rosters(ROSTERS, seed=1)
    yield from zip(rosters, posed(rosters, 0), strict=True)
    yield from written(draw)


def written(draw: random.Random) -> Iterator[tuple[QuestionedDocument, list[Posed]]]:
    """The everyday files, each with its own questions, all that it leaves open, and some of other files'."""
    asked: dict[str, list[Posed]] = {}
    for line in (WRITTEN / "questions.jsonl").read_text("utf-8").splitlines():
        each = json.loads(line)
        kind: Kind = "own" if each["answers"] else "near miss"
        asked.setdefault(each["document"], []).append(Posed(each["question"], tuple(each["answers"]), kind))
    for file, posed_to_it in sorted(asked.items()):
        document = read_document(str(WRITTEN / "files" / file))
        others = [each for other, own in sorted(asked.items()) if other != file for each in own]
        foreign = [Posed(each.question, (), "other") for each in draw.sample(others, ASKED_OF_OTHERS)]
        pages = tuple(page for page in document.pages if page)
        yield QuestionedDocument(document.name, pages, ()), [*posed_to_it, *foreign]


def sections(
    documents: Sequence[QuestionedDocument], limit: int, unit: Literal["section", "document"] = "section"
) -> list[QuestionedDocument]:
    return list(select(documents, unit=unit, limit=limit, seed=0).documents)


def fit_the_weights(answered: Sequence[Asked]) -> None:
    own = (
        (name.name, phrases_of(reply)) for name, found in answered for reply in found if reply.posed.answers
    )
    found = [(name, each) for name, each in own if each is not None]
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


def is_right(found: Choices, weights: Measures) -> bool:
    scores = found.measures @ found.measures.new_tensor(list(weights))
    return bool(found.right[scores.argmax()])


def fit_the_verdicts(answered: Sequence[Asked], mode: RecallMode) -> None:
    found = calibrate([reply.judged(document) for document, own in answered for reply in own])
    write_judges(ADAPTER, {mode: found.judge})
    card = ADAPTER / "README.md"
    data = "forms, rosters and facts of the training halves, SQuAD, QED and FairytaleQA for training, and tests/written"
    card.write_text(card_with_verdicts(card.read_text("utf-8"), mode, found, data), "utf-8")
    print(found)


if __name__ == "__main__":
    main()
