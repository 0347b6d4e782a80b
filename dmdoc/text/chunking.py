"""A document's text → chunks of tokens, each of at most one write budget, cut where a reader would pause.

Knows nothing about models or states: it is given a tokenizer. Time is linear in the length of the text, which
is tokenised twice: once whole, to see how far a budget reaches, and once piece by piece, because a piece
alone may have other tokens than it had inside the whole.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Literal, Protocol, get_args

from dmdoc.errors import UsageError
from dmdoc.text.sentences import split_sentences

MIN_BUDGET = 8
"""The smallest write budget, in tokens; below it chunks are fragments of sentences."""

PARAGRAPH_WITHIN = 0.25
"""A chunk is cut at a paragraph end when one lies nearer to the end of its share than this part of the share."""

LAYOUT_SENTENCE = -1
"""The sentence id of tokens that belong to the layout and not to the text."""

LayoutName = Literal["plain", "chat"]


class Tokenizer(Protocol):
    """What chunking uses of a model's tokenizer."""

    def encode_with_ends(self, text: str) -> tuple[list[int], list[int]]:
        """The tokens of a text, and for each the position after its last character, never decreasing."""

    def around_message(self) -> tuple[list[int], list[int]]:
        """The tokens that the chat template puts before and after one message of the user."""


@dataclass(frozen=True)
class Layout:
    """What stands around the text of a chunk when it is written.

    Raises:
        UsageError: the layout has another name.
    """

    name: LayoutName
    """"plain": the text's own tokens only. "chat": one user message in the tokenizer's chat template."""

    def __post_init__(self) -> None:
        if self.name not in get_args(LayoutName):
            raise UsageError(f"a write layout is {' or '.join(get_args(LayoutName))}, got '{self.name}'")

    def frame(self, tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The token ids before and after the text of every chunk.

        Raises:
            BackboneError: the layout is "chat" and the tokenizer has no chat template that keeps the message.
        """
        if self.name == "plain":
            return (), ()
        before, after = tokenizer.around_message()
        return tuple(before), tuple(after)


@dataclass(frozen=True)
class Chunk:
    """One write: a piece of the text with its layout."""

    token_ids: tuple[int, ...]
    """All tokens of the write, layout included; at most the budget."""
    sentence_ids: tuple[int, ...]
    """For each token the index of its sentence in this chunk, from 0; `LAYOUT_SENTENCE` for layout."""
    text: str
    """The piece of the document, without the blank space at its ends."""
    start: int = 0
    """Where it begins in the document's text, in characters."""


def chunk_document(text: str, tokenizer: Tokenizer, *, budget: int, layout: Layout) -> list[Chunk]:
    """Cut `text` into chunks of at most `budget` tokens, layout included.

    Each chunk takes an even share of what is left, so that the last is no remnant: a section of two sentences
    about the subject of the one before it would be taken for the one to ask. It ends with the paragraph that
    ends nearest to its share, if one ends near it, else with the nearest sentence, else with a word; inside a
    word only if the word alone exceeds the share. The chunk texts in order are the text, less blank space at
    the cuts; blank text has no chunks.

    Raises:
        UsageError: the budget is below `MIN_BUDGET`, or leaves no room beside the layout or for a character.
    """
    if budget < MIN_BUDGET:
        raise UsageError(f"a write budget is at least {MIN_BUDGET} tokens, got {budget}")
    prefix, suffix = layout.frame(tokenizer)
    room = budget - len(prefix) - len(suffix)
    if room < 1:
        raise UsageError(
            f"the write layout '{layout.name}' alone takes {budget - room} tokens of the write budget; "
            f"give a budget above that, got {budget}"
        )
    cuts = _CutPoints(text)
    _, reach = tokenizer.encode_with_ends(text)
    chunks = []
    start = _skip_blank(text, 0)
    while start < len(text):
        piece = _fitting_piece(cuts, tokenizer, start, *_reached(reach, start, room), room)
        before, after = ((LAYOUT_SENTENCE,) * len(ids) for ids in (prefix, suffix))
        chunks.append(
            Chunk(
                token_ids=(*prefix, *piece.token_ids, *suffix),
                sentence_ids=(*before, *piece.sentence_ids, *after),
                text=piece.text,
                start=start,
            )
        )
        start = _skip_blank(text, start + len(piece.text))
    return chunks


class _CutPoints:
    """The places where a text may be cut, found once for the whole text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._end = len(text.rstrip())
        spans = split_sentences(text)
        self._sentence_starts = [start for start, _ in spans]
        self._sentence_ends = [end for _, end in spans]
        self._paragraph_ends = [end for (_, end), (after, _) in pairwise(spans) if "\n\n" in text[end:after]]

    def best(self, start: int, share_end: int, limit: int) -> int:
        """The best end, in `(start, limit]`, of a piece that begins at `start` and whose share ends at `share_end`."""
        if share_end >= self._end:
            return self._end
        paragraph_end = _nearest(self._paragraph_ends, share_end, start, limit)
        if abs(paragraph_end - share_end) <= PARAGRAPH_WITHIN * (share_end - start):
            return paragraph_end
        sentence_end = _nearest(self._sentence_ends, share_end, start, limit)
        if sentence_end > start:
            return sentence_end
        if self.text[share_end].isspace() or self.text[share_end - 1].isspace():
            return share_end
        words = self.text[start:share_end].rsplit(maxsplit=1)
        return start + len(words[0]) if len(words) == 2 else share_end

    def sentence_ids(self, start: int, token_ends: Sequence[int]) -> tuple[int, ...]:
        """The sentence of each token of a piece that begins at `start`; blanks belong to the one before."""
        first = bisect_right(self._sentence_starts, start) - 1
        # By the last character: a token may begin with the space that parts it from the sentence before.
        found = (bisect_right(self._sentence_starts, start + end - 1) - 1 - first for end in token_ends)
        return tuple(max(0, sentence) for sentence in found)


def _fitting_piece(
    cuts: _CutPoints, tokenizer: Tokenizer, start: int, share_end: int, limit: int, room: int
) -> Chunk:
    """The text from `start` to a good cut near `share_end`, not beyond `limit`, of at most `room` tokens; no layout."""
    while True:
        end = cuts.best(start, min(share_end, limit), limit)
        piece = cuts.text[start:end].rstrip()
        token_ids, token_ends = tokenizer.encode_with_ends(piece)
        if len(token_ids) <= room:
            return Chunk(tuple(token_ids), cuts.sentence_ids(start, token_ends), piece)
        if len(piece) == 1:
            raise UsageError(
                f"the character '{piece}' alone is {len(token_ids)} tokens and the write budget leaves room "
                f"for {room}; give a larger budget"
            )
        # Where the budget ends in the piece's own tokens; always at least one character less than before.
        limit = start + max(1, min(token_ends[room - 1], len(piece) - 1))


def _reached(token_ends: Sequence[int], start: int, room: int) -> tuple[int, int]:
    """How far into the text an even share of what is left reaches from `start`, and how far `room` tokens do.

    In the tokens of the whole text; shared are as few chunks of `room` tokens as hold what is left.
    """
    done = bisect_right(token_ends, start)
    left = max(1, len(token_ends) - done)
    share = ceil(left / ceil(left / room))
    ends = (token_ends[min(done + count, len(token_ends)) - 1] for count in (share, room))
    share_end, limit = (max(start + 1, end) for end in ends)
    return share_end, limit


def _nearest(positions: Sequence[int], target: int, start: int, limit: int) -> int:
    """Of the sorted positions in `(start, limit]` the one nearest to the target, which lies there; else -1."""
    index = bisect_right(positions, target)
    around = [position for position in positions[max(0, index - 1) : index + 1] if start < position <= limit]
    return min(around, key=lambda position: abs(position - target), default=-1)


def _skip_blank(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position
