from collections import Counter

import pytest
import tiny_practice
from tiny import tiny_reader
from tiny_practice import (
    CONFIG,
    FACTS,
    LONG,
    TEXT,
    asked_of,
    opinionated,
    practices_of,
    questions_of,
    windows_of,
)

from dmdoc.model.reader import Reader
from dmdoc.model.reads import CONTINUE_WORDS, WINDOW_TOKENS
from dmdoc.refine import practice as practice_module
from dmdoc.refine.practice import FEW_READS


@pytest.fixture
def reader() -> Reader:
    return opinionated(tiny_reader(CONFIG))


def name_the_kind(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every phrase for one kind."""
    for module in (practice_module, tiny_practice):
        monkeypatch.setattr(module, "name_kinds", lambda phrases, reader: [kind] * len(phrases))


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
            assert len(asked) >= FEW_READS
            assert set(practice) == set(asked)

    def test_its_order_is_mixed_and_always_the_same(self, reader: Reader) -> None:
        (practice,), (again,) = practices_of(FACTS, reader), practices_of(FACTS, reader)
        assert practice == again
        assert list(practice[: len(practice) // 2]) != asked_of(FACTS, reader)[: len(practice) // 2]

    def test_no_answer_is_asked_for_more_often_than_another(
        self, reader: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name_the_kind("plant", monkeypatch)
        text = "Ida Roe was born in Tolvik. She owns 12 goats. In May 1911, Ida Roe wed Otto Lund."
        made = questions_of(text, reader)
        assert len(made["Ida Roe"].questions) > len(made["Tolvik"].questions)
        (practice,) = practices_of(text, reader)
        for start in range(0, len(practice), len(made)):
            told = [reader.decode(read.target_ids[:-1]) for read in practice[start : start + len(made)]]
            assert sorted(told) == sorted(made)

    def test_what_is_vague_is_asked_for_half_as_often(
        self, reader: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name_the_kind("thing", monkeypatch)
        text = (
            "The mill sells oats. It has 12 vines. A cook bakes pies. They eat 19 pears. Ida Roe sold wool."
        )
        made = questions_of(text, reader)
        vague = {answer for answer, asked in made.items() if asked.is_vague}
        assert vague and vague != set(made)
        (practice,) = practices_of(text, reader)
        told = Counter(reader.decode(read.target_ids[:-1]) for read in practice)
        assert {count * 2 for answer, count in told.items() if answer in vague} == {
            count for answer, count in told.items() if answer not in vague
        }
        assert set(practice) == set(asked_of(text, reader))

    def test_a_text_without_questions_is_continued(self, reader: Reader) -> None:
        assert questions_of(TEXT, reader) == {}
        (practice,), (windows,) = practices_of(TEXT, reader), windows_of(TEXT, reader)
        assert len(practice) == len(windows)
        assert set(practice) == set(windows)

    def test_few_questions_are_not_practised_alone(self, reader: Reader) -> None:
        text = "The hull is dark green. "
        (practice,), (windows,) = practices_of(text, reader), windows_of(text, reader)
        asked = asked_of(text, reader)
        assert 0 < len(asked) < FEW_READS
        assert set(practice) == {*asked, *windows}

    def test_it_asks_by_the_kind_that_the_model_names(
        self, reader: Reader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name_the_kind("material", monkeypatch)
        (practice,) = practices_of("The handle is carved from sandstone. Its lid is carved from oak.", reader)
        assert any(
            "Which material is the handle carved from?" in reader.decode(r.prompt_ids) for r in practice
        )
