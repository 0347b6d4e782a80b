"""A page into passages: a few neighbouring sentences each. Knows nothing about documents or what is sought in them."""

from collections.abc import Callable, Iterator

from dmdoc.text.sentences import split_sentences

PASSAGE_CHARACTERS = 300
"""The most characters of a passage where nothing else is asked for: two or three sentences."""


def split_passages(
    page: str, longest: int = PASSAGE_CHARACTERS, size: Callable[[str], int] = len
) -> Iterator[tuple[int, int]]:
    """The `(start, end)` of consecutive sentences, as many at a time as `longest` allows.

    A sentence that exceeds it alone is cut at blanks, or anywhere where it has none.

    Args:
        longest: the size that no passage exceeds.
        size: of a text; in characters unless told.
    """
    begin = last = 0
    for start, end in split_sentences(page):
        for piece_start, piece_end in cut_span(page, start, end, longest, size):
            if last > begin and size(page[begin:piece_end]) > longest:
                yield begin, last
                begin = piece_start
            elif last == begin:
                begin = piece_start
            last = piece_end
    if last > begin:
        yield begin, last


def cut_span(
    page: str, start: int, end: int, longest: int, size: Callable[[str], int] = len
) -> Iterator[tuple[int, int]]:
    """A span in spans of at most `longest`, cut at a blank near the middle where there is one."""
    if end - start <= 1 or size(page[start:end]) <= longest:
        yield start, end
        return
    middle = (start + end) // 2
    blank = page.rfind(" ", start + 1, middle)
    cut, resume = (middle, middle) if blank < 0 else (blank, blank + 1)
    yield from cut_span(page, start, cut, longest, size)
    yield from cut_span(page, resume, end, longest, size)
