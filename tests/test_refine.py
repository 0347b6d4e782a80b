import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import tiny_reader

from dmdoc import refine as refine_module
from dmdoc.adapter import DeltaMemConfig
from dmdoc.document import Document
from dmdoc.errors import DmdocError, UsageError
from dmdoc.ingest import Progress, ingest
from dmdoc.kinds import name_kinds
from dmdoc.library import Library
from dmdoc.memory_state import MemoryState
from dmdoc.packing import Read
from dmdoc.questions import make_questions
from dmdoc.reader import Reader
from dmdoc.reads import CONTINUE_WORDS, WINDOW_TOKENS, answer_read
from dmdoc.refine import STEP_READS, Practice, refine, section_practice, section_windows
from dmdoc.sections import write_text

CONFIG = DeltaMemConfig(write_layout="plain", write_budget=96)
TEXT = "QZX XZQ QQZ ZZX QXX ZQX XQZ QZZ ZXX XXZ QZX ZZQ QXZ ZQQ XQQ ZXZ QQX XZZ"
DONOR = "jkw wkj jjk kkw jww kjw wjk jkk kww wwk jkw kkj jwk kjj wjj kwk jjw wkk"
FACTS = "The barge Sorrel carries grain. The barge was built in 1937."
LONG = " ".join(f"Fact number {number} is that lot {number * 7} holds salt." for number in range(8))


@pytest.fixture
def reader() -> Reader:
    return opinionated(tiny_reader(CONFIG))


def opinionated(reader: Reader) -> Reader:
    """A head large enough for a tiny random model to prefer some tokens over others."""
    with torch.no_grad():
        reader.backbone.model.get_output_embeddings().weight.mul_(20)
    return reader


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


def document(text: str = LONG) -> Document:
    return Document(name="lots", source="/files/lots.txt", pages=(text,))


def written(text: str, reader: Reader) -> MemoryState:
    return write_text(text, reader)


def windows_of(text: str, reader: Reader) -> list[Practice]:
    return [section_windows(chunk, reader) for chunk in reader.chunks(text)]


def practices_of(text: str, reader: Reader) -> list[Practice]:
    return [section_practice(chunk, reader) for chunk in reader.chunks(text)]


def questions_of(text: str, reader: Reader) -> dict[str, list[str]]:
    return make_questions(text, partial(name_kinds, reader=reader))


def asked_of(text: str, reader: Reader) -> list[Read]:
    """What a text can be asked, as reads, answer by answer."""
    return [
        answer_read(question, answer, reader)
        for answer, questions in questions_of(text, reader).items()
        for question in questions
    ]


def nats(text: str, state: MemoryState, reader: Reader) -> float:
    """Nats a token by which a state recites a text of one section."""
    (reads,) = windows_of(text, reader)
    return nats_of(reads, state, reader)


def nats_of(reads: Practice, state: MemoryState, reader: Reader) -> float:
    """Nats a token by which a state says reads, one at a time."""
    total, tokens = 0.0, 0
    for read in reads:
        ids = torch.tensor([[*read.prompt_ids, *read.target_ids]])
        with torch.no_grad(), reader.reading(state) as model:
            logits = model(input_ids=ids, use_cache=False).logits[0, len(read.prompt_ids) - 1 : -1]
        target = torch.tensor(read.target_ids)
        total += float(torch.nn.functional.cross_entropy(logits, target, reduction="sum"))
        tokens += len(target)
    return total / tokens


def digest(module: torch.nn.Module) -> str:
    hashed = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        hashed.update(name.encode() + tensor.numpy().tobytes())
    return hashed.hexdigest()


class TestWindows:
    def test_they_say_the_whole_text_in_order(self, reader: Reader) -> None:
        (windows,) = windows_of(TEXT, reader)
        said = reader.decode([token for read in windows for token in read.target_ids])
        assert len(windows) > 1
        assert said == TEXT

    def test_the_first_is_recited_and_the_others_continue(self, reader: Reader) -> None:
        ((first, *others),) = windows_of(TEXT, reader)
        said = reader.decode(first.target_ids)
        assert "Recite the document." in reader.decode(first.prompt_ids)
        for read in others:
            start = (
                reader.decode(read.prompt_ids)
                .partition("Continue: ")[2]
                .removesuffix("\nassistant\n")
                .strip()
            )
            assert start == " ".join(said.split()[-CONTINUE_WORDS:])
            said += reader.decode(read.target_ids)

    def test_every_section_stands_for_itself(self, reader: Reader) -> None:
        sections = windows_of(LONG, reader)
        assert len(sections) > 3
        for windows, chunk in zip(sections, reader.chunks(LONG), strict=True):
            assert (windows,) == tuple(windows_of(chunk.text, reader))

    def test_only_the_last_ends_as_an_answer_ends(self, reader: Reader) -> None:
        (reads,) = windows_of(TEXT, reader)
        assert [reader.end_ids[0] in read.target_ids for read in reads] == [False] * (len(reads) - 1) + [True]

    def test_they_are_short_and_begin_at_a_blank_where_there_is_one(self, reader: Reader) -> None:
        (reads,) = windows_of(TEXT, reader)
        assert all(len(read.target_ids) <= WINDOW_TOKENS + 1 for read in reads)
        assert all(reader.decode(read.target_ids).startswith(" ") for read in reads[1:])

    @pytest.mark.parametrize("text", ["Q" * 80, "汶川" * 12, "short", "one two " * 9])
    def test_text_without_blanks_is_covered_too(self, reader: Reader, text: str) -> None:
        (reads,) = windows_of(text, reader)
        ids = [token for read in reads for token in read.target_ids]
        assert reader.decode(ids) == text.strip()
        assert all(len(read.target_ids) <= WINDOW_TOKENS + 3 for read in reads)

    def test_control_tokens_in_a_text_are_said_as_characters(self, reader: Reader) -> None:
        ((read,),) = windows_of("a <|im_end|> b", reader)
        assert read.target_ids.count(reader.end_ids[0]) == 1
        assert reader.decode(read.target_ids) == "a <|im_end|> b"


class TestPractice:
    def test_it_asks_what_the_text_of_the_section_answers(self, reader: Reader) -> None:
        sections = practices_of(LONG, reader)
        assert len(sections) > 3
        for practice, chunk in zip(sections, reader.chunks(LONG), strict=True):
            asked = asked_of(chunk.text, reader)
            assert len(asked) >= STEP_READS
            assert set(practice) == set(asked)

    def test_its_order_is_mixed_and_always_the_same(self, reader: Reader) -> None:
        (practice,), (again,) = practices_of(FACTS, reader), practices_of(FACTS, reader)
        assert practice == again
        assert list(practice[: len(practice) // 2]) != asked_of(FACTS, reader)[: len(practice) // 2]

    def test_no_answer_is_asked_for_more_often_than_another(self, reader: Reader) -> None:
        text = "Ida Roe was born in Tolvik. She owns 12 goats. In May 1911, Ida Roe wed Otto Lund."
        made = questions_of(text, reader)
        assert len(made["Ida Roe"]) > len(made["Tolvik"])
        (practice,) = practices_of(text, reader)
        for start in range(0, len(practice), len(made)):
            told = [reader.decode(read.target_ids[:-1]) for read in practice[start : start + len(made)]]
            assert sorted(told) == sorted(made)

    def test_a_text_without_questions_is_continued(self, reader: Reader) -> None:
        assert questions_of(TEXT, reader) == {}
        (practice,), (windows,) = practices_of(TEXT, reader), windows_of(TEXT, reader)
        assert len(practice) == len(windows)
        assert set(practice) == set(windows)

    def test_few_questions_are_not_practised_alone(self, reader: Reader) -> None:
        text = "The hull is dark green. "
        (practice,), (windows,) = practices_of(text, reader), windows_of(text, reader)
        asked = asked_of(text, reader)
        assert 0 < len(asked) < STEP_READS
        assert set(practice) == {*asked, *windows}

    def test_what_was_practised_is_answered_better_and_not_by_another_state(self, reader: Reader) -> None:
        other = "The ferry Otter fetches cheese. The ferry was bought in 1962."
        (practice,), plain = practices_of(FACTS, reader), written(FACTS, reader)
        own = refine(plain, [practice], reader, 20)
        donor = refine(written(other, reader), practices_of(other, reader), reader, 20)
        before, after, elsewhere = (nats_of(practice, state, reader) for state in (plain, own, donor))
        assert before - after > 1.5 * (before - elsewhere)
        assert after < elsewhere - 0.3


class TestRefine:
    @pytest.mark.parametrize("granularity", ["token", "message_mean", "sentence_mean"])
    def test_the_document_is_recited_better_and_another_is_not(self, granularity: Any) -> None:
        reader = opinionated(tiny_reader(replace(CONFIG, memory_write_granularity=granularity)))
        plain = written(TEXT, reader)
        losses: list[float] = []
        refined = refine(
            plain, windows_of(TEXT, reader), reader, 12, on_step=lambda _, nats: losses.append(nats)
        )
        own, donor = (nats(text, refined, reader) - nats(text, plain, reader) for text in (TEXT, DONOR))
        assert len(losses) == 13
        assert losses[0] == pytest.approx(nats(TEXT, plain, reader), abs=1e-3)
        assert min(losses) == pytest.approx(nats(TEXT, refined, reader), abs=1e-3)
        assert own < -0.3
        assert donor > own / 2

    def test_nothing_but_the_state_changes(self, reader: Reader) -> None:
        reader.adapter.requires_grad_(True)  # as in training
        plain = written(TEXT, reader)
        kept = MemoryState(tuple(layer.clone() for layer in plain.layers))
        before = digest(reader.backbone.model), digest(reader.adapter)
        refined = refine(plain, windows_of(TEXT, reader), reader, 3)
        assert (digest(reader.backbone.model), digest(reader.adapter)) == before
        assert all(parameter.grad is None for parameter in reader.adapter.parameters())
        assert plain.equals(kept)
        assert refined.shape == plain.shape
        assert not refined.equals(plain)
        assert not any(layer.requires_grad for layer in refined.layers)

    def test_no_steps_give_the_state_itself(self, reader: Reader) -> None:
        plain = written(TEXT, reader)
        assert refine(plain, windows_of(TEXT, reader), reader, 0) is plain

    def test_steps_that_make_it_worse_are_not_kept(
        self, reader: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        windows = windows_of(TEXT, reader)
        good = refine(written(TEXT, reader), windows, reader, 20)
        monkeypatch.setattr(refine_module, "LEARNING_RATE", 30.0)
        losses: list[float] = []
        refined = refine(good, windows, reader, 3, on_step=lambda _, nats: losses.append(nats))
        assert min(losses[1:]) > losses[0]
        assert refined.equals(good)

    def test_sections_in_a_batch_are_refined_as_each_would_be_alone(self, reader: Reader) -> None:
        texts = (TEXT, DONOR[:30], DONOR)  # of unequal length, so that some windows are empty
        windows = [section for text in texts for section in windows_of(text, reader)]
        plain = MemoryState.cat([written(text, reader) for text in texts])
        together = refine(plain, windows, reader, 4)
        for row, text in enumerate(texts):
            alone = refine(written(text, reader), windows_of(text, reader), reader, 4)
            for one, other in zip(together.rows(row, row + 1).layers, alone.layers, strict=True):
                assert float((one - other).abs().max()) < 1e-3

    def test_each_section_keeps_its_own_best_state(
        self, reader: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (good, windows), other = (written(TEXT, reader), windows_of(TEXT, reader)), written(DONOR, reader)
        good = refine(good, windows, reader, 20)
        monkeypatch.setattr(refine_module, "LEARNING_RATE", 0.5)
        both = MemoryState.cat((good, other))
        refined = refine(both, [*windows, *windows_of(DONOR, reader)], reader, 1)
        kept = [refined.rows(row, row + 1).equals(both.rows(row, row + 1)) for row in (0, 1)]
        assert kept == [True, False]

    def test_many_sections_are_read_in_several_passes_to_the_same_result(
        self, reader: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain, practices = written(LONG, reader), practices_of(LONG, reader)
        assert len(practices) > 3
        together = refine(plain, practices, reader, 2)
        monkeypatch.setattr(refine_module, "PASS_SECTIONS", 1)
        apart = refine(plain, practices, reader, 2)
        for one, other in zip(together.layers, apart.layers, strict=True):
            assert float((one - other).abs().max()) < 1e-4

    def test_every_step_takes_the_next_reads_and_begins_again(self, reader: Reader) -> None:
        plain, (practice,) = written(FACTS, reader), practices_of(FACTS, reader)
        first, second = practice[:STEP_READS], practices_of(LONG, reader)[0][:STEP_READS]
        assert len(first) == len(second) == STEP_READS

        def refined(practice: Practice, steps: int) -> MemoryState:
            return refine(plain, [practice], reader, steps)

        assert refined((*first, *second), 1).equals(refined(first, 1))
        assert not refined((*first, *second), 2).equals(refined(first, 2))
        assert refined((*first, *second), 3).equals(refined((*first, *second, *first), 3))

    def test_a_loss_that_is_not_finite_is_an_error(self, reader: Reader) -> None:
        broken = MemoryState(tuple(layer + float("nan") for layer in reader.zero_state().layers))
        with pytest.raises(DmdocError, match=r"the loss is nan after 0 of 3 refinement steps"):
            refine(broken, windows_of(TEXT, reader), reader, 3)

    def test_a_kernel_without_masks_is_replaced_for_the_while(
        self, reader: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kernels: list[str] = []
        model = reader.backbone.model
        monkeypatch.setattr(type(model), "set_attn_implementation", lambda _, name: kernels.append(name))
        flash = replace(reader, backbone=replace(reader.backbone, attention="flash_attention_2"))
        refine(written(TEXT, reader), windows_of(TEXT, reader), flash, 1)
        assert kernels == ["sdpa", "flash_attention_2"] * 2  # for a step, and for the look at what it gave


class TestIngest:
    def test_no_refinement_is_the_plain_write(self, reader: Reader, library: Library) -> None:
        state, header = ingest(document(), reader, library, refine_steps=0).document.state()
        assert header.refine_steps == 0
        assert state.equals(written(LONG, reader))

    def test_the_saved_state_is_refined_and_says_so(self, reader: Reader, library: Library) -> None:
        seen: list[Progress] = []
        state, header = ingest(
            document(TEXT), reader, library, refine_steps=3, progress=seen.append
        ).document.state()
        assert header.refine_steps == 3
        assert state.equals(refine(written(TEXT, reader), windows_of(TEXT, reader), reader, 3))
        assert [progress.refine_step for progress in seen] == [0, 0, 1, 2, 3, 0]
        assert [progress.nats is not None for progress in seen] == [False, True, True, True, True, False]
        assert [progress.share for progress in seen] == pytest.approx([0, 0, 1 / 3, 2 / 3, 1, 1])

    def test_an_interrupted_refinement_goes_on_at_its_batch(
        self, reader: Reader, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dmdoc.sections.BATCH_TOKENS", 2 * CONFIG.write_budget)
        whole, _ = ingest(document(), reader, Library(tmp_path / "other"), refine_steps=2).document.state()

        def stop(progress: Progress) -> None:
            if (progress.sections_written, progress.refine_step) == (2, 1):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ingest(document(), reader, library, refine_steps=2, progress=stop)
        seen: list[Progress] = []
        result = ingest(document(), reader, library, refine_steps=2, progress=seen.append)
        assert result.status == "resumed"
        assert seen[0].sections_written == 2
        assert result.document.state()[0].equals(whole)

    def test_other_steps_are_another_state(self, reader: Reader, library: Library) -> None:
        statuses = [
            ingest(document(TEXT), reader, library, refine_steps=steps).status for steps in (0, 1, 1, 2, 0)
        ]
        assert statuses == ["added", "updated", "unchanged", "updated", "updated"]

    def test_a_text_is_refined_as_an_ingest_refines_it(self, reader: Reader, library: Library) -> None:
        state, _ = ingest(document(), reader, library, refine_steps=2).document.state()
        assert write_text(LONG, reader, 2).equals(state)

    def test_fewer_than_no_steps_are_refused(self, reader: Reader, library: Library) -> None:
        with pytest.raises(UsageError, match=r"--refine takes 0 or more steps, got -1"):
            ingest(document(), reader, library, refine_steps=-1)
