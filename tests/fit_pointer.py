"""The network that points at answers (dmdoc/model/pointer.py), trained for the embedded model on training data alone.

    keep        runs the frozen model over texts and their questions, and keeps in a file what enters four of its
                layers; run again, it goes on from there
    fit         trains the network on what was kept, and writes it beside the adapter

The texts are paragraphs of SQuAD, QED and FairytaleQA for training, as JSON lines in a folder (docs/training.md), but
for what fit_answers.py fits weights and verdicts to; generated documents of the training halves; and sections of
everyday files (tests/lessons.jsonl, tests/lessons_reworded.jsonl). Of 20 articles or generated documents one is left
out, and so is tests/lessons_held_out.jsonl: `fit` says how well the network does there. To keep takes half an hour of a
core that computes fast, and 9 GB of disk and memory; to fit forty minutes.
"""

import argparse
import json
import math
import os
import pickle
import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import torch
from fit_answers import ADAPTER, drawn
from safetensors.torch import save_file
from torch import Tensor, nn

from dmdoc.compare.cases import training_documents, training_rosters
from dmdoc.datasets import QuestionedDocument, read_dataset
from dmdoc.model.pointer import POINTER, Pointer, PointerShape
from dmdoc.model.reader import Reader, open_reader
from dmdoc.settings.folders import cache_folder
from dmdoc.text.overlap import overlap

TESTS = Path(__file__).parent
INPUTS = (0, 10, 15, 20)
"""Layers whose inputs the network sees: the words, and what the middle of the model makes of them."""

SHARES = {"squad": 11, "everyday": 7, "rosters": 3, "facts": 2, "tales": 2, "qed": 2}
"""How often each kind of text has its turn."""

TEXTS, AT_A_TIME = 6, 5
"""Of a step, and questions of each text."""

LEFT_OPEN = 0.7
"""The share kept of questions that a text is known to leave open."""

MOVED = 0.12
"""How often a question is asked of another text of its article as well, which leaves it open."""

RATE, WARM_UP, DROPOUT, DECAY = 2e-3, 50, 0.1, 0.05
AVERAGED = 0.995
"""What is written is a mean of the weights of many steps: how much of it stays at each."""

UNTOLD = 0.2
"""How often it is not told which words of the text the question has: others may have put it in other words."""

LEFT_OUT = 20
MEASURED, OFTEN = 400, 12
"""Questions about texts of each kind that were left out, and how often while it is trained."""
FEWEST, MOST = 20, 700
"""Tokens of a text."""


class Asked(NamedTuple):
    question: str
    answers: tuple[str, ...]
    """None where the text leaves it open."""
    inputs: Tensor
    """float16 `[layers, words, hidden]`"""


class Kept(NamedTuple):
    """A text as the model sees it."""

    kind: str
    article: str
    text: str
    ends: list[int]
    """Of each token, in characters."""
    inputs: Tensor
    """float16 `[layers, tokens, hidden]`"""
    asked: list[Asked]

    @property
    def left_out(self) -> bool:
        return self.kind == "held out" or (
            self.kind != "everyday" and crc32(self.article.encode()) % LEFT_OUT == 0
        )


class Posed(NamedTuple):
    text: Kept
    asked: Asked
    places: list[tuple[int, int]]
    """First and last token of each right answer."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["keep", "fit"])
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder of training sets")
    parser.add_argument("--texts", type=int, default=9000, help="how many are kept")
    parser.add_argument("--minutes", type=float, default=40, help="of training")
    parser.add_argument(
        "--kept", type=Path, default=Path("build/pointer.pickle"), help="what the model made of them"
    )
    parser.add_argument("--output", type=Path, default=ADAPTER / POINTER)
    given = parser.parse_args()
    if given.what == "keep":
        given.kept.parent.mkdir(parents=True, exist_ok=True)
        keep(given.data, given.kept, given.texts)
    else:
        fit(read(given.kept), given.minutes * 60, given.output)


def keep(data: Path, kept: Path, most: int) -> None:
    known = {(each.article, each.text) for each in read(kept)} if kept.exists() else set()
    if kept.exists():
        drop_the_half_written(kept)
    reader = open_reader(None, str(ADAPTER), cache=cache_folder({}))
    with kept.open("ab") as file:
        for number, (kind, article, text, asked) in enumerate(mixed(data)):
            if number == most:
                return
            ids, ends = reader.backbone.tokenizer.encode_with_ends(text)
            if (article, text) in known or not FEWEST < len(ids) <= MOST:
                continue
            questions = [
                Asked(question, answers, seen(reader.encode(question), reader)) for question, answers in asked
            ]
            pickle.dump(Kept(kind, article, text, ends, seen(ids, reader), questions), file)
            file.flush()
            if number % 50 == 0:
                print(number, flush=True)


def seen(ids: Sequence[int], reader: Reader) -> Tensor:
    inputs = [each[0] for each in reader.layer_inputs([ids], INPUTS)]
    return torch.stack(inputs).to(torch.float16)


def read(kept: Path) -> list[Kept]:
    """What was kept; what a kill has left half written ends it."""
    found: list[Kept] = []
    with kept.open("rb") as file:
        while True:
            try:
                found.append(pickle.load(file))
            except (EOFError, pickle.UnpicklingError):
                return found


def drop_the_half_written(kept: Path) -> None:
    """What stands behind it would never be read."""
    end = 0
    with kept.open("r+b") as file, suppress(EOFError, pickle.UnpicklingError):
        while True:
            end = file.tell()
            pickle.load(file)
    os.truncate(kept, end)


Source = tuple[str, str, str, list[tuple[str, tuple[str, ...]]]]


def mixed(data: Path) -> Iterator[Source]:
    """Kind, article, text and questions, the kinds in turn; the same data gives the same."""
    used = {document.name.split(" §")[0] for document, _ in drawn(data)}
    draw = random.Random(1)
    everyday = [
        *lines(TESTS / "lessons_held_out.jsonl", "held out"),
        *lines(TESTS / "lessons.jsonl", "everyday"),
        *lines(TESTS / "lessons_reworded.jsonl", "everyday"),
    ]
    sources: dict[str, list[Source]] = {
        "squad": sections(data / "squad-v1-train.jsonl.gz", "squad", used),
        "tales": sections(data / "fairytaleqa-train.jsonl.gz", "tales", used),
        "qed": sections(data / "qed-nq-train.jsonl.gz", "qed", used),
        "rosters": [whole(each, "rosters") for each in training_rosters(10, seed=77)],
        "facts": [whole(each, "facts") for each in training_documents(150, seed=78)],
    }
    for name in ("squad", "tales", "qed"):
        draw.shuffle(sources[name])
    turns = {name: iter(own) for name, own in sources.items()} | {"everyday": iter(everyday)}
    while turns:
        for name in [name for name, share in SHARES.items() for _ in range(share)]:
            if (found := next(turns.get(name, iter(())), None)) is not None:
                yield found
            else:
                turns.pop(name, None)


def sections(path: Path, kind: str, used: set[str]) -> list[Source]:
    found: list[Source] = []
    for document in read_dataset(path):
        if document.name in used:
            continue
        for number, text in enumerate(document.sections):
            asked = [
                (each.question, each.answers)
                for each in document.questions
                if each.section == number or len(document.sections) == 1
            ]
            if asked:
                found.append((kind, document.name, text, asked))
    return found


def whole(document: QuestionedDocument, kind: str) -> Source:
    own = [(each.question, each.answers) for each in document.questions]
    return kind, document.name, document.text, [*own, *((each, ()) for each in document.unanswered)]


def lines(path: Path, kind: str) -> Iterator[Source]:
    for line in path.read_text("utf-8").splitlines():
        record = json.loads(line)
        asked = [(each["question"], tuple(each["answers"])) for each in record["qas"]]
        yield kind, record["title"], "\n\n".join(record["sections"]), asked


def fit(kept: Sequence[Kept], seconds: float, output: Path) -> None:
    torch.manual_seed(0)
    draw = random.Random(0)
    learned = {kind: [each for each in kept if each.kind == kind and not each.left_out] for kind in SHARES}
    turns = [kind for kind, share in SHARES.items() for _ in range(share) if learned[kind]]
    articles: dict[str, list[Kept]] = {}
    for each in kept:
        articles.setdefault(each.article, []).append(each)
    apart = questions_left_out(kept)
    print({kind: len(own) for kind, own in (learned | apart).items()}, flush=True)
    pointer = Pointer(PointerShape(INPUTS, kept[0].inputs.shape[-1]), dropout=DROPOUT)
    averaged = deepcopy(pointer)
    optimiser = torch.optim.AdamW(pointer.parameters(), RATE, betas=(0.9, 0.98), weight_decay=DECAY)
    started, step, mean, shown = time.monotonic(), 0, 0.0, 0
    while (gone := (time.monotonic() - started) / seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARM_UP) * (0.02 + 0.49 * (1 + math.cos(math.pi * gone)))
        texts = [draw.choice(learned[kind]) for kind in draw.choices(turns, k=TEXTS)]
        lost = learn([list(some(text, articles, draw)) for text in texts], pointer, optimiser)
        with torch.no_grad():
            for own, new in zip(averaged.parameters(), pointer.parameters(), strict=True):
                own.lerp_(new, 1 - AVERAGED)
        step, mean = step + 1, lost if step == 0 else 0.99 * mean + 0.01 * lost
        if gone * OFTEN > shown + 1:
            shown += 1
            print(f"step {step}, {mean:.2f} nats; {figures(averaged, apart)}", flush=True)
            write(averaged, output)
    print(f"step {step}, {mean:.2f} nats; {figures(averaged, apart)}")
    write(averaged, output)


def learn(groups: Sequence[Sequence[Posed]], pointer: Pointer, optimiser: torch.optim.Optimizer) -> float:
    """A step. Each text goes through alone, so that none is padded for another."""
    number, total = max(1, sum(map(len, groups))), 0.0
    optimiser.zero_grad()
    for group in filter(None, groups):
        lost = nats(*logits(pointer, group), group).sum() / number
        lost.backward()  # type: ignore[no-untyped-call]
        total += lost.item()
    nn.utils.clip_grad_norm_(pointer.parameters(), 1.0)
    optimiser.step()
    return total


def questions_left_out(kept: Sequence[Kept]) -> dict[str, list[Posed]]:
    """Questions about texts that are not learned from: everyday ones, and others."""
    found: dict[str, list[Posed]] = {"everyday files left out": [], "others left out": []}
    for text in (each for each in kept if each.left_out):
        posed = [pose(text, asked) for asked in text.asked]
        own = found["everyday files left out" if text.kind == "held out" else "others left out"]
        own += [each for each in posed if each.places or not each.asked.answers]
    return {name: random.Random(0).sample(own, min(MEASURED, len(own))) for name, own in found.items()}


def write(pointer: Pointer, output: Path) -> None:
    weights = {
        name: tensor.detach().to(torch.bfloat16).contiguous() for name, tensor in pointer.state_dict().items()
    }
    save_file(weights, output, metadata={"format": "pt", "shape": json.dumps(asdict(pointer.shape))})


def some(text: Kept, articles: dict[str, list[Kept]], draw: random.Random) -> Iterator[Posed]:
    """Questions of a text, and some of them asked of another text of its article."""
    for asked in draw.sample(text.asked, min(AT_A_TIME, len(text.asked))):
        posed = pose(text, asked)
        if asked.answers and not posed.places:  # not in its words
            continue
        if asked.answers or draw.random() < LEFT_OPEN:
            yield posed
        others = articles[text.article]
        if asked.answers and len(others) > 1 and draw.random() < MOVED:
            other = draw.choice(others)
            if other is not text and not (moved := pose(other, asked)).places:
                yield moved


def pose(text: Kept, asked: Asked) -> Posed:
    places = set()
    for answer in asked.answers:
        for found in re.finditer(rf"(?<!\w){re.escape(answer.strip().lower())}(?!\w)", text.text.lower()):
            if found.end() > found.start():
                first = next(at for at, end in enumerate(text.ends) if end > found.start())
                last = next(
                    (at for at, end in enumerate(text.ends) if end >= found.end()), len(text.ends) - 1
                )
                places.add((first, last))
    return Posed(text, asked, sorted(places))


def nats(starts: Tensor, ends: Tensor, batch: Sequence[Posed]) -> Tensor:
    """Of where the right answers begin and end, of each question."""
    right = [torch.zeros_like(starts, dtype=torch.bool) for _ in range(2)]
    for row, posed in enumerate(batch):
        for first, last in [(at + 1, to + 1) for at, to in posed.places] or [(0, 0)]:
            right[0][row, first] = right[1][row, last] = True
    lost = [
        own.logsumexp(1) - own.masked_fill(~chosen, -1e9).logsumexp(1)
        for own, chosen in zip((starts, ends), right, strict=True)
    ]
    return lost[0] + lost[1]


def logits(pointer: Pointer, batch: Sequence[Posed]) -> tuple[Tensor, Tensor]:
    """For questions of one text."""
    text = batch[0].text
    rows, tokens = len(batch), len(text.ends)
    pad = nn.utils.rnn.pad_sequence
    vectors = pointer.vectors(list(text.inputs)).expand(rows, -1, -1)
    questions = pad([pointer.vectors(list(each.asked.inputs)) for each in batch], batch_first=True)
    words = torch.tensor([each.asked.inputs.shape[1] for each in batch])
    ends = tuple(text.ends)
    standing = torch.stack([stands(text.text, ends, each.asked.question) for each in batch]).long()
    if pointer.training:
        standing = standing * (torch.rand(rows, 1) >= UNTOLD)
    found: tuple[Tensor, Tensor] = pointer(
        questions,
        torch.arange(questions.shape[1]) < words[:, None],
        vectors,
        torch.ones(rows, tokens, dtype=torch.bool),
        standing,
    )
    return found


@cache
def stands(text: str, ends: tuple[int, ...], question: str) -> Tensor:
    """How the words of a text stand to a question's, uint8 `[tokens]`: found once, since a step comes back to it."""
    return torch.tensor(overlap(text, ends, question), dtype=torch.uint8)


def figures(pointer: Pointer, apart: dict[str, list[Posed]]) -> str:
    """Nats; how often the likeliest start and end are right; how often it is seen that there is no answer."""
    pointer.eval()
    said = []
    for name, posed in apart.items():
        lost: list[float] = []
        exact: list[bool] = []
        answered: list[float] = []
        left_open: list[float] = []
        with torch.no_grad():
            for each in posed:
                starts, ends = logits(pointer, [each])
                lost.append(float(nats(starts, ends, [each])))
                place = int(starts[0, 1:].argmax()), int(ends[0, 1:].argmax())
                exact += [place in each.places] if each.places else []
                none = float(starts.softmax(1)[0, 0] * ends.softmax(1)[0, 0])
                (answered if each.places else left_open).append(none)
        below = sum(one < other for one in answered for other in left_open)
        told = below / max(1, len(answered) * len(left_open))
        mean = sum(lost) / max(1, len(lost))
        said.append(f"{name} {mean:.2f} nats, {sum(exact) / max(1, len(exact)):.0%} exact, open {told:.2f}")
    pointer.train()
    return "; ".join(said)


if __name__ == "__main__":
    main()
