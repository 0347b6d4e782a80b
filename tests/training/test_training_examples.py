import gzip
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny import tiny_reader
from tiny_training import ADAPTER, record, tiny_config, write_lines

from dmdoc.errors import TrainingError
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.training.config import Dataset, Stage, TrainingConfig
from dmdoc.training.curriculum import Curriculum
from dmdoc.training.examples import Example, FictionalSource, FileSource, read_examples


def test_sections_are_texts_of_their_own(tmp_path: Path) -> None:
    line = {
        "sections": ["One.", "Two.", "Three."],
        "qas": [
            {"question": "a?", "answers": ["1", "one"], "section": 0},
            {"question": "b?", "answers": ["3"], "section": 2},
            {"question": "c?", "answers": ["all"], "section": None},
            {"question": "d?", "answers": ["11"], "section": 0},
            {"question": "e?", "answers": [], "section": 1},
        ],
    }
    assert read_examples(write_lines(tmp_path / "d.jsonl", line)) == [
        Example("One.", (("a?", "1"), ("d?", "11")), accepted={"a?": ("1", "one")}),
        Example("Three.", (("b?", "3"),)),
        Example("One.\n\nTwo.\n\nThree.", (("c?", "all"),)),
    ]


def test_packed_files_and_empty_lines_are_read(tmp_path: Path) -> None:
    line = json.dumps(record("Ünïcode.", ("q?", "a")), ensure_ascii=False)
    path = tmp_path / "d.jsonl.gz"
    path.write_bytes(gzip.compress(f"{line}\n\n{line}\n".encode()))

    assert [example.text for example in read_examples(path)] == ["Ünïcode.", "Ünïcode."]


def _question(**changes: Any) -> dict[str, Any]:
    return {"sections": ["One."], "qas": [{"question": "q?", "answers": ["a"], "section": 0} | changes]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "line 2 is not JSON: "),
        (b"[1]", "document 2: is built otherwise: "),
        (b"{}", "document 2: lacks 'qas'"),
        (b'{"sections": ["One."]}', "document 2: lacks 'qas'"),
        (b'{"sections": ["One."], "qas": [7]}', "document 2: is built otherwise: "),
        (_question(question=""), "document 2: a question is blank or not a text: ''"),
        (_question(answers="a"), "document 2: answers are not a list of texts"),
        (_question(answers=[7]), "document 2: answers are not a list of texts"),
        (_question(section=1), "names section 1, counted from 0"),
        (_question(section=-1), "names section -1, counted from 0"),
        (_question(section=False), "names section False, counted from 0"),
    ],
)
def test_a_malformed_line_is_named_by_its_number(tmp_path: Path, line: Any, message: str) -> None:
    good = json.dumps(record("One.", ("q?", "a"))).encode()
    path = tmp_path / "d.jsonl"
    path.write_bytes(b"\n".join([good, line if isinstance(line, bytes) else json.dumps(line).encode(), good]))

    with pytest.raises(TrainingError) as caught:
        read_examples(path)
    assert str(caught.value).startswith(f"no training data: {path}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for name, content in {"plain.gz": b"{}", "cut.gz": gzip.compress(b"{}" * 99)[:-12]}.items():
        (tmp_path / name).write_bytes(content)
    for name in ("absent.jsonl", "plain.gz", "cut.gz"):
        with pytest.raises(TrainingError, match="no training data: cannot read the dataset "):
            read_examples(tmp_path / name)


def lengths_1_to_100(folder: Path, **stage: Any) -> FileSource:
    """A file of texts of 1 to 100 characters, counted as tokens."""
    lines = (record("x" * length, ("q?", "a"), ("r?", "b")) for length in range(100, 0, -1))
    values: dict[str, Any] = {
        "steps": 1,
        "documents": 3,
        "questions": 1,
    }
    path = write_lines(folder / "d.jsonl", *lines)
    return FileSource.load(path, Stage(**(values | stage)), len)


def test_texts_that_are_too_long_are_passed_over(tmp_path: Path) -> None:
    source = lengths_1_to_100(tmp_path, max_tokens=40)
    drawn = [len(example.text) for seed in range(300) for example in source.draw(random.Random(seed))]

    assert set(drawn) == set(range(1, 41))


def test_a_batch_has_texts_of_like_length_and_no_text_twice(tmp_path: Path) -> None:
    source = lengths_1_to_100(tmp_path, questions=4)
    for seed in range(50):
        batch = source.draw(random.Random(seed))
        lengths = {len(example.text) for example in batch}
        assert len(lengths) == 3
        assert max(lengths) - min(lengths) < 24
        assert {len(example.questions) for example in batch} == {2}


def test_too_few_texts_that_fit_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match="has 2 texts of at most 2 tokens, a batch needs 3; raise max_tokens"
    ):
        lengths_1_to_100(tmp_path, max_tokens=2)


def any_length(text: str) -> bool:
    return True


def test_generated_documents_follow_the_stage() -> None:
    stage = Stage(steps=1, documents=5, facts=(2, 3), questions=2)
    train = FictionalSource(stage, "train", any_length).draw(random.Random(1))

    assert len(train) == 5
    assert all(len(example.questions) == 2 for example in train)
    assert all(answer in example.text for example in train for _, answer in example.questions)
    assert train == FictionalSource(stage, "train", any_length).draw(random.Random(1))
    assert train != FictionalSource(stage, "eval", any_length).draw(random.Random(1))


WEIGHED: dict[str, Any] = {"steps": 1, "documents": 1, "questions": 8, "rivals": 3, "weighed": True}


def test_a_share_of_the_questions_is_such_as_the_text_leaves_open(tmp_path: Path) -> None:
    line = record("The Sorrel is old.", ("What is old?", "The Sorrel"))
    line["qas"].append({"question": "How old is it?", "answers": []})
    known = FileSource.load(write_lines(tmp_path / "a.jsonl", line), Stage(**WEIGHED, left_open=0.9), len)

    (example,) = known.draw(random.Random(0))
    assert (example.questions, example.left_open) == ((("What is old?", "The Sorrel"),), ("How old is it?",))
    (example,) = replace(known, stage=Stage(**WEIGHED)).draw(random.Random(0))
    assert (len(example.questions), example.left_open) == (1, ())


def test_texts_that_leave_nothing_open_lose_the_sentences_of_some_answers(tmp_path: Path) -> None:
    facts = {"Who?": "Ada", "When?": "1931", "Where?": "Oslo", "How?": "quietly", "Why?": "for salt"}
    text = " ".join(f"It was so: {answer}." for answer in facts.values())
    path = write_lines(tmp_path / "a.jsonl", record(text, *facts.items()))
    source = FileSource.load(path, Stage(**WEIGHED, left_open=0.5), len)
    texts = set[str]()
    for seed in range(20):
        (example,) = source.draw(random.Random(seed))
        texts.add(example.text)
        assert all(answer in example.text for _, answer in example.questions)
        assert not any(facts[question] in example.text for question in example.left_open)
    assert text in texts and len(texts) > 2


def test_a_generated_document_that_fits_no_write_is_drawn_again() -> None:
    stage = Stage(steps=1, documents=4, facts=(2, 2), questions=2)
    lengths = {
        len(example.text) for example in FictionalSource(stage, "train", any_length).draw(random.Random(1))
    }
    limit = max(lengths)
    drawn = FictionalSource(stage, "train", lambda text: len(text) < limit).draw(random.Random(1))
    assert len(drawn) == 4
    assert max(len(example.text) for example in drawn) < limit


def test_batches_depend_on_seed_step_and_number_alone(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, data=("fictional",), steps=4, batches=2, max_tokens=512)
    reader = tiny_reader(ADAPTER)
    late, early = Curriculum(config, reader), Curriculum(config, reader)
    places = [(step, number) for step in range(4) for number in range(2)]
    batches = [early.batch(*place) for place in places]

    assert [late.batch(*place) for place in reversed(places)] == batches[::-1]
    assert len({batch.chunks for batch in batches}) == len(batches)


def test_data_take_turns_over_the_batches_of_all_steps(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, data=("codes", "codes", "fictional"), max_tokens=512)
    curriculum = Curriculum(config, tiny_reader(ADAPTER))
    drawn = [curriculum.batch(step, 0).chunks[0].text.startswith("The code is") for step in range(6)]
    assert drawn == [True, True, False] * 2


def _with_layout(config: TrainingConfig) -> Curriculum:
    return Curriculum(config, tiny_reader(config.adapter))


def test_a_limit_that_leaves_no_room_for_the_layout_is_refused_at_once(tmp_path: Path) -> None:
    chat = DeltaMemConfig(rank=4, write_layout="chat", write_budget=64)
    with pytest.raises(TrainingError, match=r"max_tokens 64 and the .* tokens of the write layout exceed"):
        _with_layout(tiny_config(tmp_path, chat))


def test_a_generated_document_beyond_the_budget_stops_the_run(tmp_path: Path) -> None:
    short = DeltaMemConfig(rank=4, write_layout="plain", write_budget=64)
    curriculum = _with_layout(tiny_config(tmp_path, short, data=("fictional",), facts=(6, 6)))
    with pytest.raises(
        TrainingError, match="is not one write of at most 64; raise write_budget, or lower facts"
    ):
        curriculum.batch(0, 0)


def test_a_stage_with_nothing_to_borrow_is_refused_at_once(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "long.jsonl", record("A text.", ("What?", "an answer of many more words than four"))
    )
    config = tiny_config(tmp_path, data=("fictional",), batches=2)
    data = Dataset("long", str(path), "", "")
    stage = replace(config.stages[0], data=("fictional", "long"), documents=1, borrowed=0.5)
    with pytest.raises(
        TrainingError, match="no answer of the stage's datasets is short enough to be borrowed"
    ):
        _with_layout(replace(config, datasets=(data,), stages=(stage,)))
