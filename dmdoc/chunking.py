"""A document's text → chunks of tokens, each of at most one write budget, cut where a reader would pause.

Knows nothing about models or states: it is given a tokenizer. Time is linear in the length of the text, which
is tokenised twice: once whole, to see how far a budget reaches, and once piece by piece, because a piece
alone may have other tokens than it had inside the whole.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Protocol, get_args

from dmdoc.errors import UsageError
from dmdoc.sentences import split_sentences

MIN_BUDGET = 8
"""The smallest write budget, in tokens; below it chunks are fragments of sentences."""

PARAGRAPH_CUT_FROM = 0.75
"""A chunk is cut at a paragraph end when one lies beyond this share of the text that its budget reaches."""

LAYOUT_SENTENCE = -1
"""The sentence id of tokens that belong to the layout and not to the text."""

LayoutName = Literal["plain", "chat"]

# Any text that no chat template contains; its neighbours in the rendered template are the layout.
_PLACEHOLDER = "dmdoc-text-goes-here"


class Tokenizer(Protocol):
    """What chunking uses of a transformers fast tokenizer."""

    def __call__(self, text: str, **options: Any) -> Mapping[str, Any]: ...

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any: ...


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
            UsageError: the layout is "chat" and the tokenizer has no chat template that keeps the message.
        """
        if self.name == "plain":
            return (), ()
        message = {"role": "user", "content": _PLACEHOLDER}
        try:
            rendered = tokenizer.apply_chat_template([message], tokenize=False)
        except ValueError as error:
            raise UsageError("this tokenizer has no chat template; use the write layout 'plain'") from error
        before, found, after = str(rendered).partition(_PLACEHOLDER)
        if not found:
            raise UsageError("this tokenizer's chat template drops the message; use the write layout 'plain'")
        # Unlike the text, the template's own control tokens are meant as control tokens.
        prefix, suffix = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (before, after))
        return tuple(prefix), tuple(suffix)


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

    Each chunk takes as much as fits and ends with a paragraph if one ends in the last quarter of its reach,
    else with a sentence, else with a word; inside a word only if the word alone exceeds the budget. The chunk
    texts in order are the text, less blank space at the cuts; blank text has no chunks. Control tokens that
    the text spells out (`<|im_end|>`) are encoded as the characters that they are.

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
    _, reach = tokenise(tokenizer, text)
    chunks = []
    start = _skip_blank(text, 0)
    while start < len(text):
        piece = _fitting_piece(cuts, tokenizer, start, _reached(reach, start, room), room)
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


def tokenise(tokenizer: Tokenizer, text: str) -> tuple[list[int], list[int]]:
    """Token ids, and for each token the position after its last character, never decreasing.

    Control tokens that the text spells out are encoded as the characters that they are.
    """
    # verbose=False: a text longer than the model's window is the point here, not worth a warning.
    encoded = tokenizer(
        text,
        add_special_tokens=False,
        split_special_tokens=True,
        return_offsets_mapping=True,
        verbose=False,
    )
    ends: list[int] = []
    for _, end in encoded["offset_mapping"]:
        ends.append(max(end, ends[-1]) if ends else end)
    return encoded["input_ids"], ends


class _CutPoints:
    """The places where a text may be cut, found once for the whole text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._end = len(text.rstrip())
        spans = split_sentences(text)
        self._sentence_starts = [start for start, _ in spans]
        self._sentence_ends = [end for _, end in spans]
        self._paragraph_ends = [end for (_, end), (after, _) in pairwise(spans) if "\n\n" in text[end:after]]

    def last_before(self, start: int, limit: int) -> int:
        """The best end, in `(start, limit]`, of a piece that begins at `start`."""
        if limit >= self._end:
            return self._end
        paragraph_end = _last_at_most(self._paragraph_ends, limit)
        if paragraph_end > start + PARAGRAPH_CUT_FROM * (limit - start):
            return paragraph_end
        sentence_end = _last_at_most(self._sentence_ends, limit)
        if sentence_end > start:
            return sentence_end
        if self.text[limit].isspace() or self.text[limit - 1].isspace():
            return limit
        words = self.text[start:limit].rsplit(maxsplit=1)
        return start + len(words[0]) if len(words) == 2 else limit

    def sentence_ids(self, start: int, token_ends: Sequence[int]) -> tuple[int, ...]:
        """The sentence of each token of a piece that begins at `start`; blanks belong to the one before."""
        first = bisect_right(self._sentence_starts, start) - 1
        # By the last character: a token may begin with the space that parts it from the sentence before.
        found = (bisect_right(self._sentence_starts, start + end - 1) - 1 - first for end in token_ends)
        return tuple(max(0, sentence) for sentence in found)


def _fitting_piece(cuts: _CutPoints, tokenizer: Tokenizer, start: int, limit: int, room: int) -> Chunk:
    """The text from `start` to a good cut at or before `limit`, of at most `room` tokens; no layout."""
    while True:
        end = cuts.last_before(start, limit)
        piece = cuts.text[start:end].rstrip()
        token_ids, token_ends = tokenise(tokenizer, piece)
        if len(token_ids) <= room:
            return Chunk(tuple(token_ids), cuts.sentence_ids(start, token_ends), piece)
        if len(piece) == 1:
            raise UsageError(
                f"the character '{piece}' alone is {len(token_ids)} tokens and the write budget leaves room "
                f"for {room}; give a larger budget"
            )
        # Where the budget ends in the piece's own tokens; always at least one character less than before.
        limit = start + max(1, min(token_ends[room - 1], len(piece) - 1))


def _reached(token_ends: Sequence[int], start: int, room: int) -> int:
    """How far into the text `room` tokens reach from `start`, in the tokens of the whole text."""
    last = bisect_right(token_ends, start) + room - 1
    return max(start + 1, token_ends[min(last, len(token_ends) - 1)])


def _last_at_most(positions: Sequence[int], limit: int) -> int:
    """The last of the sorted positions that is not beyond the limit; -1 if there is none."""
    index = bisect_right(positions, limit)
    return positions[index - 1] if index else -1


def _skip_blank(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position
