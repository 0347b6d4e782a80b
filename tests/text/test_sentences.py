"""Where sentences end, and where a full stop ends none."""

import time

import pytest

from dmdoc.text.sentences import split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["One.", "Two!", "Three?", "Four"],
        ["Mr. Orr met Dr. Strand.", "They spoke."],
        ["See e.g. Tarnby, i.e. the port.", "It is old."],
        ["J. A. Orr met J. R. Ostrem.", "She left.", "J. R. Ostrem left the U.S. Navy.", "He sailed."],
        ["It cost 3.5 million at No. 7 and Fig. 12.", "The answer was no.", "He left in Oct. 1911."],
        ["Salt, brine, etc.", "The rest followed."],
        ['"Why?" he said.', '"Because."', "(He knew.)", "It was 1998.", "12 came."],
        ["He waited...", "Then he left", "- one", "- two", "3. three is here."],
        ["2. Results", "Salt rose."],
        ["今天下雨。", "我们走吧\uff01", "好"],
        ["هذه جملة.", "وهذه جملة."],
        ["The cause was a valve in Hall B.", "The valve was replaced by J. Orr."],
        ["dmdoc. is lower case."],
    ],
    ids=lambda sentences: str(sentences[0]),
)
def test_sentences(sentences: list[str]) -> None:
    gaps = {"- one": "\n", "- two": "\n", "3. three is here.": "\n", "Salt rose.": "\n\n"}
    text = "".join(gaps.get(sentence, " ") + sentence for sentence in sentences)
    assert [text[start:end] for start, end in split_sentences(text)] == sentences


def test_a_line_break_alone_ends_no_sentence() -> None:
    assert split_sentences("wrapped\nline") == [(0, 12)]


@pytest.mark.parametrize("text", ["", " \n\n\t"])
def test_blank_text_has_no_sentences(text: str) -> None:
    assert split_sentences(text) == []


def test_only_blank_space_lies_between_sentences() -> None:
    text = '  One. "Two!" \n\n - three\n\n\n4) four...  \n'
    spans = split_sentences(text)
    outside = list(text)
    for start, end in spans:
        assert text[start:end] == text[start:end].strip()
        outside[start:end] = [" "] * (end - start)
    assert not "".join(outside).strip()
    assert spans == sorted(spans)


@pytest.mark.slow
@pytest.mark.parametrize("unit", [".", " ", "\n", "A. ", "Yes. "])
def test_time_is_linear_on_awkward_text(unit: str) -> None:
    started = time.perf_counter()
    split_sentences(unit * 100_000)
    assert time.perf_counter() - started < 5
