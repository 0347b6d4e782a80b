import math
import random
from dataclasses import replace

import pytest
import torch
from tiny import tiny_reader
from tiny_training import ADAPTER

from dmdoc.errors import TrainingError
from dmdoc.model.packing import EMPTY_READ, Read, pack_reads
from dmdoc.model.prompt import load_prompt
from dmdoc.model.reader import Reader
from dmdoc.model.reads import CONTINUE_WORDS, WINDOW_TOKENS
from dmdoc.training.config import Stage
from dmdoc.training.examples import Example
from dmdoc.training.loss import ReadScores, score_reads, write_batch
from dmdoc.training.reads import (
    FEWEST_WORDS,
    Asking,
    Batch,
    build_batch,
    continuation,
    recitation,
    write_chunk,
)
from dmdoc.training.rivals import Contest

TEXT = "QZX XZQ QQZ ZZX QXX ZQX XQZ QZZ ZXX XXZ QZX ZZQ"
"""Its letters are in no prompt."""


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(ADAPTER)


def batch_of(reader: Reader, *, questions: int, recitations: int, seed: int = 0) -> Batch:
    examples = [
        Example(TEXT, (("where", "there"), ("what", "that"))[:questions]),
        Example(TEXT[::-1], (("where", "nowhere"),)[:questions]),
    ]
    stage = Stage(steps=1, questions=questions, recitations=recitations, max_tokens=64)
    return build_batch(examples, stage, reader, random.Random(seed))


def seen(reads: list[Read]) -> set[int]:
    packed = pack_reads([reads], pad_id=0, dtype=torch.float32)
    return set(packed.input_ids.flatten().tolist()) | set(packed.targets.flatten().tolist())


def test_answers_see_nothing_of_the_document(reader: Reader) -> None:
    batch = batch_of(reader, questions=2, recitations=0)
    letters = set(reader.encode("QZX"))

    assert all(letters <= set(chunk.token_ids) for chunk in batch.chunks)
    for row in batch.reads:
        assert not seen(list(row)) & letters


def test_shown_batches_have_the_text_once_a_document_and_recite_nothing(reader: Reader) -> None:
    examples = [
        Example(TEXT, (("where", "there"), ("what", "that"))),
        Example(TEXT[::-1], (("where", "up"),)),
    ]
    stage = Stage(steps=1, questions=2, recitations=2, shown=1.0, max_tokens=64)
    batch = build_batch(examples, stage, reader, random.Random(0))
    for text, row in zip((TEXT, TEXT[::-1]), batch.reads, strict=True):
        assert len(row) == batch.answer_slots == 2
        for read in row:
            assert read == EMPTY_READ or text in reader.decode(read.prompt_ids)
    packed = pack_reads(batch.reads, pad_id=0, dtype=torch.float32)
    assert packed.block_widths is not None
    assert packed.block_widths[0] > len(reader.encode(TEXT)) > sum(packed.block_widths[1:])


def test_questions_are_shown_what_ask_shows(reader: Reader) -> None:
    shown = {"where": "QZX XZQ", "what": ""}
    examples = [Example(TEXT, (("where", "there"), ("what", "that")))]
    stage = Stage(steps=1, questions=2, shown=1.0, max_tokens=64)
    batch = build_batch(
        examples, stage, reader, random.Random(0), Asking(lambda question, *_: shown[question])
    )
    for (question, _), read in zip(examples[0].questions, batch.reads[0], strict=True):
        evidence = load_prompt("evidence").fill(question=question, document=shown[question])
        assert list(read.prompt_ids) == reader.prompt_ids(evidence)


@pytest.mark.parametrize("seed", range(4))
def test_recitations_see_the_document_in_targets_and_given_words_alone(reader: Reader, seed: int) -> None:
    batch = batch_of(reader, questions=1, recitations=3, seed=seed)
    for text, row in zip((TEXT, TEXT[::-1]), batch.reads, strict=True):
        for read in row[batch.answer_slots :]:
            given = [word for word in reader.decode(read.prompt_ids).split() if set(word) & set("QZX")]
            said = reader.decode(read.target_ids)
            assert len(given) <= CONTINUE_WORDS
            assert " ".join(given) + said in text
            assert bool(given) != text.startswith(said)


def test_rows_have_equally_many_reads(reader: Reader) -> None:
    batch = batch_of(reader, questions=2, recitations=1)

    assert batch.answer_slots == 2
    assert [len(row) for row in batch.reads] == [3, 3]
    assert batch.reads[1][1] == EMPTY_READ


def test_an_answer_ends_as_the_model_ends_it(reader: Reader) -> None:
    read = batch_of(reader, questions=1, recitations=0).reads[0][0]

    assert reader.decode(read.prompt_ids).rstrip().endswith("where\nassistant")
    assert read.target_ids == (*reader.encode("there"), reader.end_ids[0])


def test_recitations_stop_at_a_window(reader: Reader) -> None:
    whole = recitation(TEXT * 9, reader)
    assert len(whole.target_ids) == WINDOW_TOKENS
    assert whole.target_ids == tuple(reader.encode(TEXT * 9))[:WINDOW_TOKENS]
    assert recitation("QZX", reader).target_ids == (*reader.encode("QZX"), reader.end_ids[0])
    assert len(continuation(TEXT * 9, reader, random.Random(0)).target_ids) == WINDOW_TOKENS
    assert continuation("unbroken", reader, random.Random(0)).target_ids[:4] == (*reader.encode("oken"),)


def test_continuations_start_from_few_words_and_from_many(reader: Reader) -> None:
    given = {
        len(
            reader.decode(continuation(TEXT, reader, random.Random(seed)).prompt_ids)
            .split("Continue: ")[1]
            .split()
        )
        for seed in range(200)
    }
    # The last word there is the role that speaks next; a text cut near its beginning gives what it has.
    assert given == set(range(FEWEST_WORDS + 1, CONTINUE_WORDS + 2))


def test_a_text_beyond_the_write_budget_is_refused(reader: Reader) -> None:
    write_chunk("Q" * 512, reader)
    with pytest.raises(
        TrainingError, match=r"a training document of 513 tokens is not one write of at most 512"
    ):
        write_chunk("Q" * 513, reader)


def test_scores_count_answers_and_recitations_apart(reader: Reader) -> None:
    answers_only = batch_of(reader, questions=2, recitations=0)
    recitations_only = batch_of(reader, questions=0, recitations=2)
    both = batch_of(reader, questions=2, recitations=2)
    state = write_batch(both, reader)

    assert float(score_reads(answers_only, state, reader).recitation) == 0
    assert float(score_reads(recitations_only, state, reader).answer) == 0
    scores = score_reads(both, state, reader)
    assert float(scores.answer) == pytest.approx(
        float(score_reads(answers_only, state, reader).answer), abs=1e-5
    )
    assert float(scores.recitation) > 1
    assert 0 <= float(scores.answer_exact) <= 1


def test_an_answer_is_chosen_when_its_tokens_are_likelier_on_average_than_those_of_its_rivals(
    reader: Reader,
) -> None:
    batch = batch_of(reader, questions=1, recitations=0)
    state = reader.zero_state(2)
    prompt = batch.reads[0][0].prompt_ids
    with torch.no_grad(), reader.reading(reader.zero_state()) as model:
        order = model(input_ids=torch.tensor([prompt])).logits[0, -1].argsort(descending=True).tolist()
    rows = (
        (Read(prompt, (order[0],), ((order[1],), (order[-1],))),),
        (Read(prompt, (order[1],), ((order[0],),)),),
    )
    scores = score_reads(Batch(batch.chunks, rows, 1, batch.places), state, reader)

    assert float(scores.choice_right) == 0.5
    assert math.log(2) / 2 < float(scores.choice) < math.log(3)
    assert float(score_reads(batch, state, reader).choice) == 0


def test_what_the_words_of_phrases_weigh_counts_beside_their_likelihood(reader: Reader) -> None:
    phrases = [("there", 2.0), ("elsewhere", 1.0), ("nowhere", 0.5)]
    examples = [Example(TEXT, (("where", "There!"), ("what", "that"))), Example(TEXT, (("what", "that"),))]
    stage = Stage(steps=1, questions=2, rivals=2, weighed=True, recitations=0, max_tokens=64)
    asking = Asking(phrases=lambda question, _: phrases if question == "where" else [])
    batch = build_batch(examples, stage, reader, random.Random(0), asking)

    contest = Contest(tuple(phrases), answered=True)
    assert batch.contests == ((contest,), ())  # the other question has no phrase that says its answer
    (read,), (empty,) = batch.reads
    assert empty == EMPTY_READ
    assert [reader.decode(each[:-1]) for each in (read.target_ids, *read.rivals)] == [
        each for each, _ in phrases
    ]
    state = write_batch(batch, reader)

    def weighing(worth: float) -> ReadScores:
        weighed = contest._replace(
            phrases=((phrases[0][0], worth), *((each, 0.0) for each, _ in phrases[1:]))
        )
        return score_reads(replace(batch, contests=((weighed,), ())), state, reader)

    plain = score_reads(replace(batch, contests=()), state, reader)
    heavy, light = weighing(100.0), weighing(-100.0)
    assert float(heavy.choice) < 1e-6 < float(plain.choice) < 90 < float(light.choice)
    assert float(heavy.choice_right) == 1 and float(light.choice_right) == 0


def test_phrases_weigh_less_than_no_answer_where_a_question_is_left_open(reader: Reader) -> None:
    phrases = [("there", 2.0), ("elsewhere", 1.0)]
    examples = [Example(TEXT, (("where", "there"),), left_open=("whence",))]
    stage = Stage(steps=1, questions=2, rivals=2, weighed=True, left_open=0.5, recitations=0, max_tokens=64)
    batch = build_batch(examples, stage, reader, random.Random(0), Asking(phrases=lambda *_: phrases))
    assert batch.contests == ((Contest(tuple(phrases), True), Contest(tuple(phrases), False)),)
    assert batch.open_slots == {(0, 1)}
    state = write_batch(batch, reader)

    def giving_none(worth: float) -> ReadScores:
        return score_reads(replace(batch, nothing=worth), state, reader)

    never, always = giving_none(-100.0), giving_none(100.0)
    assert float(never.choice_right) == float(always.choice_right) == 0.5
    assert min(float(never.choice), float(always.choice)) > 40
    assert float(never.answer) == float(always.answer)
    ((answered, _),) = batch.reads
    alone = replace(batch, reads=((answered,),), answer_slots=1, contests=(batch.contests[0][:1],))
    assert float(score_reads(alone, state, reader).answer) == pytest.approx(float(never.answer), abs=1e-4)


def test_an_answer_is_exact_when_every_token_is_the_likeliest(reader: Reader) -> None:
    batch = batch_of(reader, questions=1, recitations=0)
    state = reader.zero_state(2)
    likely: list[int] = []
    prompt = batch.reads[0][0].prompt_ids
    for _ in range(3):
        with torch.no_grad(), reader.reading(reader.zero_state()) as model:
            likely.append(int(model(input_ids=torch.tensor([[*prompt, *likely]])).logits[0, -1].argmax()))
    wrong = (*likely[:2], (likely[2] + 1) % 256)
    rows = ((Read(prompt, tuple(likely)),), (Read(prompt, wrong),))

    assert float(score_reads(Batch(batch.chunks, rows, 1, batch.places), state, reader).answer_exact) == 0.5


def test_refined_states_recite_better_and_the_write_still_learns() -> None:
    reader = tiny_reader(ADAPTER)
    reader.adapter.requires_grad_(True)
    batch = batch_of(reader, questions=1, recitations=2)
    plain, refined = write_batch(batch, reader), write_batch(batch, reader, refine_steps=3)
    before, after = score_reads(batch, plain, reader), score_reads(batch, refined, reader)

    assert float(after.recitation.detach()) < float(before.recitation.detach())
    after.recitation.backward()  # type: ignore[no-untyped-call]
    written = reader.adapter.layer(0).memory_v_proj.grad
    assert written is not None and float(written.abs().sum()) > 0
