import hashlib
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import tiny_reader
from tiny_practice import (
    CONFIG,
    DONOR,
    FACTS,
    LONG,
    TEXT,
    opinionated,
    practices_of,
    windows_of,
)
from torch import Tensor

from dmdoc.document import Document
from dmdoc.errors import DmdocError, UsageError
from dmdoc.ingest.sections import write_text
from dmdoc.ingest.single import IngestProgress, ingest
from dmdoc.library.library import Library
from dmdoc.memory.rounding import rounded
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader
from dmdoc.refine import optimiser
from dmdoc.refine import steps as refine_module
from dmdoc.refine.practice import STEP_READS, Practice
from dmdoc.refine.steps import refine


@pytest.fixture
def reader() -> Reader:
    return opinionated(tiny_reader(CONFIG))


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


def document(text: str = LONG) -> Document:
    return Document(name="lots", source="/files/lots.txt", pages=(text,))


def written(text: str, reader: Reader) -> MemoryState:
    return write_text(text, reader)


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

    @pytest.mark.slow
    def test_what_was_practised_is_answered_better_and_not_by_another_state(self, reader: Reader) -> None:
        other = "The ferry Otter fetches cheese. The ferry was bought in 1962."
        (practice,), plain = practices_of(FACTS, reader), written(FACTS, reader)
        own = refine(plain, [practice], reader, 20)
        donor = refine(written(other, reader), practices_of(other, reader), reader, 20)
        before, after, elsewhere = (nats_of(practice, state, reader) for state in (plain, own, donor))
        assert before - after > 1.5 * (before - elsewhere)
        assert after < elsewhere - 0.3

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

    @pytest.mark.slow
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

    def test_steps_grow_smaller_towards_the_last(self, reader: Reader) -> None:
        added: list[dict[str, Tensor]] = []
        keep = added.append
        refine(
            written(TEXT, reader),
            windows_of(TEXT, reader),
            reader,
            4,
            keep=lambda half: keep(dict(half.tensors)),
        )
        after = [kept["added"] for kept in added]
        first, *_, last = (
            float((one - other).square().mean((-2, -1)).sqrt().max())
            for one, other in pairwise([0 * after[0], *after])
        )
        assert 0.5 < first / refine_module.LEARNING_RATE < 1
        assert 0 < last < first / 2

    @pytest.mark.slow
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

    @pytest.mark.slow
    def test_many_sections_are_read_in_several_passes_to_the_same_result(self, reader: Reader) -> None:
        plain, practices = written(LONG, reader), practices_of(LONG, reader)
        assert len(practices) > 3
        together = refine(plain, practices, reader, 2)
        apart = refine(plain, practices, reader, 2, pass_sections=1)
        for one, other in zip(together.layers, apart.layers, strict=True):
            assert float((one - other).abs().max()) < 1e-4

    @pytest.mark.slow
    def test_every_step_takes_the_next_reads_and_begins_again(self, reader: Reader) -> None:
        plain, (practice,) = written(FACTS, reader), practices_of(FACTS, reader)
        first, second = practice[:STEP_READS], practices_of(LONG, reader)[0][:STEP_READS]
        assert len(first) == len(second) == STEP_READS

        def refined(practice: Practice, steps: int) -> MemoryState:
            return refine(plain, [practice], reader, steps)

        assert refined((*first, *second), 1).equals(refined(first, 1))
        assert not refined((*first, *second), 2).equals(refined(first, 2))
        assert refined((*first, *second), 3).equals(refined((*first, *second, *first), 3))

    def test_what_was_added_decays_towards_the_write(
        self, reader: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain, practices = written(FACTS, reader), practices_of(FACTS, reader)

        def added(decay: float) -> float:
            monkeypatch.setattr(optimiser, "DECAY", decay)
            refined = refine(plain, practices, reader, 4)
            pairs = zip(refined.layers, plain.layers, strict=True)
            return math.sqrt(sum(float((after - before).square().sum()) for after, before in pairs))

        as_it_is, without = added(optimiser.DECAY), added(0.0)
        assert 0 < as_it_is < 0.98 * without

    def test_a_loss_that_is_not_finite_is_an_error(self, reader: Reader) -> None:
        broken = MemoryState(tuple(layer + float("nan") for layer in reader.zero_state().layers))
        with pytest.raises(DmdocError, match=r"the loss is nan after 0 of 3 refinement steps"):
            refine(broken, windows_of(TEXT, reader), reader, 3)

    def test_a_kernel_without_masks_is_replaced_for_the_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        kernels: list[str] = []
        reader = tiny_reader(CONFIG, transformers=True)
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
        seen: list[IngestProgress] = []
        state, header = ingest(
            document(TEXT), reader, library, refine_steps=3, progress=seen.append
        ).document.state()
        assert header.refine_steps == 3
        with torch.no_grad():
            plain = reader.write(reader.chunks(TEXT), reader.zero_state())
        assert state.equals(rounded(refine(plain, windows_of(TEXT, reader), reader, 3)))
        assert [progress.refine_step for progress in seen] == [0, 0, 1, 2, 3, 0]
        assert [progress.nats is not None for progress in seen] == [False, True, True, True, True, False]
        assert [progress.done / progress.total for progress in seen] == pytest.approx(
            [0, 0, 1 / 3, 2 / 3, 1, 1]
        )

    @pytest.mark.slow
    def test_an_interrupted_refinement_goes_on_at_its_batch(
        self, reader: Reader, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dmdoc.ingest.room.BATCH_TOKENS", 2 * CONFIG.write_budget)
        whole, _ = ingest(document(), reader, Library(tmp_path / "other"), refine_steps=2).document.state()

        def stop(progress: IngestProgress) -> None:
            if (progress.sections_written, progress.refine_step) == (2, 1):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ingest(document(), reader, library, refine_steps=2, progress=stop)
        seen: list[IngestProgress] = []
        result = ingest(document(), reader, library, refine_steps=2, progress=seen.append)
        assert result.status == "resumed"
        assert seen[0].sections_written == 2
        assert result.document.state()[0].equals(whole)

    def test_other_steps_are_another_state(self, reader: Reader, library: Library) -> None:
        statuses = [
            ingest(document(TEXT), reader, library, refine_steps=steps).status for steps in (0, 1, 1, 2, 0)
        ]
        assert statuses == ["added", "updated", "unchanged", "updated", "updated"]

    @pytest.mark.slow
    def test_a_text_is_refined_as_an_ingest_refines_it(self, reader: Reader, library: Library) -> None:
        state, _ = ingest(document(), reader, library, refine_steps=2).document.state()
        assert write_text(LONG, reader, 2).equals(state)

    def test_fewer_than_no_steps_are_refused(self, reader: Reader, library: Library) -> None:
        with pytest.raises(UsageError, match=r"refinement takes 0 or more steps, got -1"):
            ingest(document(), reader, library, refine_steps=-1)
