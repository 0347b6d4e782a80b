"""Every step from text to chunks takes time in proportion to the length, whatever the text."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from linear import assert_linear
from tiny import tiny_tokenizer

from dmdoc.model.tokenizer import TextTokenizer
from dmdoc.text.candidates import find_candidates
from dmdoc.text.chunking import Layout, chunk_document
from dmdoc.text.normalise import Block, join_paragraphs, normalise_pages, normalise_text, remove_running_lines
from dmdoc.text.sentences import split_sentences

TEXTS: dict[str, Callable[[int], str]] = {
    "prose": lambda n: "The plain evapo-\nration of brine. No. 7 is shut.\n\n" * n,
    "blanks in a line": lambda n: "a" + " " * 20 * n + "b",
    "blanks and line ends": lambda n: " \n\t" * 10 * n + "x",
    "a line of blanks and stops": lambda n: ". \t" * 10 * n + "x",
    "empty lines": lambda n: "\n" * 20 * n + "x",
    "stops": lambda n: "." * 20 * n + "x",
    "quotes": lambda n: '."' * 10 * n + "x",
    "closing brackets": lambda n: "x." + ")" * 20 * n + "x",
    "opening brackets": lambda n: "x. " + "(" * 20 * n + "-",
    "hyphens at line ends": lambda n: "a-\n" * 10 * n,
    "one word": lambda n: "a" * 20 * n,
    "marks": lambda n: "a" + "\u0301\u0323" * 10 * n,
    "soft hyphens": lambda n: "a\u00ad\n" * 10 * n,
    "invisible": lambda n: "\u200b" * 20 * n + "x",
    "paragraphs": lambda n: "A paragraph.\n\n" * n,
    "pages of dots": lambda n: "Chapter" + " ." * 10 * n + " 7\n",
    "numbers": lambda n: "1" * 20 * n + ".",
    "list items": lambda n: "- x\n" * 5 * n,
    "Chinese": lambda n: "\u3002\u4e00" * 5 * n,
}


@pytest.mark.slow
@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize("step", [normalise_text, join_paragraphs, split_sentences])
def test_a_step_is_linear(step: Callable[[str], object], make: Callable[[int], str]) -> None:
    assert_linear(step, make)


@pytest.mark.slow
@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS.keys())
def test_chunking_is_linear(make: Callable[[int], str]) -> None:
    tokenizer = TextTokenizer(tiny_tokenizer())
    layout = Layout("plain")
    assert_linear(lambda text: chunk_document(text, tokenizer, budget=64, layout=layout), make, size=50)


@pytest.mark.slow
@pytest.mark.parametrize("line", ["7 ", "salt and Mia 7 m, ", "x", "( ", "a: b; "])
def test_candidates_are_linear(line: str) -> None:
    """Of what has no end of a sentence, such as a table of numbers in one line."""
    assert_linear(find_candidates, lambda n: line * 10 * n)


@pytest.mark.parametrize(
    "step", [lambda pages: normalise_pages([[Block(page)] for page in pages]), remove_running_lines]
)
def test_pages_are_linear(step: Callable[[list[str]], object]) -> None:
    assert_linear(step, lambda n: [f"Head {i}\n\nThe well-\nknown text of it.\n\n{i}" for i in range(n)])


BROKEN = "aZ -\u00ad\u2010\n\r\t\u200b\u0301\u0344\u0323\ufb01\ufeff\ud800\udc00\u1100\u1161."


@given(st.text() | st.text(alphabet=BROKEN))
@example("a-\nb-\nc")
@example("e\u200b\u0301")
@example("a" + "\u0344" * 40)
@example("a \u200b\n\u200b\n\nb")
@example("well-\nknown")
def test_normalising_again_changes_nothing(text: str) -> None:
    clean = normalise_text(text)
    assert normalise_text(clean) == clean
