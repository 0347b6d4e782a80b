"""Ten short everyday files, 40 questions about them and 20 that none of them answers: what `ask` says to each.

`make everyday` reads the files anew with the embedded model, asks every question of all of them, and prints how many
answers are right and how many foreign questions were answered as supported. The files and questions were written to
measure with: look at no single failure of them to make a rule. `--show` prints the answers all the same.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from dmdoc.document import slug
from dmdoc.text.words import contains

FILES = Path(__file__).parent / "everyday"
SUPPORTED = ("sure", "likely")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--folder", type=Path, default=FILES, help="another such set: files/ and questions.jsonl"
    )
    parser.add_argument("--show", action="store_true", help="print every answer")
    given = parser.parse_args()
    lines = (given.folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line) for line in lines]
    answers = _answers(given.folder / "files", [each["question"] for each in asked])
    if given.show:
        for each, answer in zip(asked, answers, strict=True):
            print(_outcome(each, answer), each["question"], answer["answer"], answer["verdict"], sep="\t")
    for line in report(asked, answers):
        print(line)


def report(asked: list[dict[str, Any]], answers: list[dict[str, Any]]) -> list[str]:
    """The figures of a set, a line each.

    Args:
        asked: `document` (a file; None for another subject), `question`, and `answers`, of which there are none where
            the document does not say.
        answers: what `ask --jsonl` said to each.
    """
    counts: Counter[str] = Counter()
    for each, answer in zip(asked, answers, strict=True):
        kind = _kind(each)
        counts[kind] += 1
        counts[f"{kind}: {answer['verdict']}"] += 1
        if kind != "own":
            continue
        found = answer["document"] == slug(each["document"].rpartition(".")[0])
        right = _right(each, answer)
        counts["found"] += found
        counts["right"] += found and right
        if answer["verdict"] in SUPPORTED:
            counts["supported"] += 1
            counts["supported and right"] += right
    own = counts["own"]
    lines = [
        f"the right document: {counts['found']} of {own}",
        f"the right document and a right answer: {counts['right']} of {own}",
        f"of the sure and likely answers right: {counts['supported and right']} of {counts['supported']}",
    ]
    for kind in ("near miss", "other subject"):
        wrong = sum(counts[f"{kind}: {word}"] for word in SUPPORTED)
        absent = counts[f"{kind}: not in the document"]
        lines.append(f"{kind}: {wrong} of {counts[kind]} supported, {absent} not in the document")
    return lines


def _kind(asked: dict[str, Any]) -> str:
    if asked["answers"]:
        return "own"
    return "near miss" if asked["document"] else "other subject"


def _right(asked: dict[str, Any], answer: dict[str, Any]) -> bool:
    return any(contains(answer["answer"], right) for right in asked["answers"])


def _outcome(asked: dict[str, Any], answer: dict[str, Any]) -> str:
    if not asked["answers"]:
        return "wrong" if answer["verdict"] in SUPPORTED else "right"
    return "right" if _right(asked, answer) else "wrong"


def _answers(files: Path, questions: list[str]) -> list[dict[str, Any]]:
    """What `ask` says to each question, one at a time chosen among all of the files."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "DMDOC_HOME": home}

        def dmdoc(*arguments: str, said: str = "") -> str:
            command = [sys.executable, "-m", "dmdoc", *arguments]
            run = subprocess.run(
                command, env=environment, input=said, stdout=subprocess.PIPE, text=True, check=True
            )
            return run.stdout

        dmdoc("ingest", "--quiet", str(files))
        said = dmdoc("ask", "--quiet", "--questions", "-", "--jsonl", said="\n".join(questions))
    return [json.loads(line) for line in said.splitlines()]


if __name__ == "__main__":
    main()
