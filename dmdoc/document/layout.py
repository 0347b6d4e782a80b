"""Words with their places on a page → the page's blocks in reading order: prose, columns one after another, tables.

Knows nothing about PDF. Lengths are in the page's own unit, `size` being that of the type. What decides:

- A *gutter* is a strip without words, at least `GUTTER` wide, that two or more neighbouring rows share. Rows without
  one are prose, as they stand.
- What a gutter separates are columns if each holds running text: lines that fill their column, of which some begin in
  lower case. They are read one after the other, each in the same way.
- Else they are a table, a row a line, ` | ` between its cells. Between horizontal rules lies one row of a table.
- It is a guess, and `Arranged.doubtful` says where it may be wrong: tables whose cells go on over several lines.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from dmdoc.document.placed import GUTTER, Interval, Row, Word, rows_of
from dmdoc.document.table import table_text
from dmdoc.text.normalise import Block

LOOKAHEAD = 6
"""Rows within which a gutter has to show."""

_FEW = 3
"""Rows from which on what they share is no accident."""

_MARK = re.compile(r"[-*•‣▪◦\u2013]|\(?\w{1,4}[.)]|\[\d+\]")
"""What stands before a list item."""


@dataclass(frozen=True)
class Arranged:
    """The blocks of a page in reading order."""

    blocks: tuple[Block, ...]
    plain: bool
    """There is neither a column nor a table: the words are in the order of their rows."""
    doubtful: bool
    """Columns may be mixed."""


def arrange(words: Sequence[Word], rules: Callable[[], Sequence[float]] = tuple) -> Arranged:
    """The blocks of a page.

    Args:
        rules: the heights of the page's horizontal lines; asked for if there is a table.
    """
    rows, blocks, doubtful = rows_of(words), list[Block](), False
    waiting: list[Row] = []
    position, plain = 0, True
    while position < len(rows):
        end, gutters = _run(rows, position)
        if not gutters:
            waiting.append(rows[position])
            position += 1
            continue
        found, doubt = _parted(rows[position:end], gutters, rules)
        blocks += [*_prose(waiting), *found]
        waiting, position, plain, doubtful = [], end, False, doubtful or doubt
    return Arranged((*blocks, *_prose(waiting)), plain, doubtful)


def _run(rows: Sequence[Row], begin: int) -> tuple[int, list[Interval]]:
    """The rows from `begin` on that share gutters: the end of the run, and the gutters; none is a run of none."""
    end, gutters = _sharing(rows, begin)
    if gutters and not rows[begin].is_parted:
        # A short line above a table leaves some of its gutters free, and is no row of it.
        ahead = range(begin + 1, min(begin + LOOKAHEAD, end))
        parted = next((index for index in ahead if rows[index].is_parted), None)
        if parted is not None and len(_sharing(rows, parted)[1]) > len(gutters):
            return begin, []
    return end, gutters


def _sharing(rows: Sequence[Row], begin: int) -> tuple[int, list[Interval]]:
    """As `_run`, whatever stands ahead."""
    free, gutters, several = rows[begin].free(), list[Interval](), 0
    end = begin
    for index in range(begin, len(rows)):
        row = rows[index]
        if not gutters and index - begin >= LOOKAHEAD:
            break
        if index > begin and _far_apart(rows, index):
            break
        shared = _common(free, row.free())
        found = [gap for gap in shared[1:-1] if gap[1] - gap[0] >= GUTTER * row.size]
        if len(found) < len(gutters) and (several >= _FEW or not found):
            break
        if len(found) > len(gutters) > 0 and several > 1:
            break
        several = several + 1 if len(found) == len(gutters) else 1
        free, gutters, end = shared, found, index + 1
    run = rows[begin:end]
    least = GUTTER * (1 if len(run) >= _FEW else 1.5) * rows[begin].size
    gutters = [gap for gap in gutters if gap[1] - gap[0] >= least]
    return (end, gutters) if _sides_with_text(run, gutters) >= 1 else (begin, [])


def _far_apart(rows: Sequence[Row], index: int) -> bool:
    """Whether the first or last row of the page stands off from the others, as page headers and footers do."""
    if index not in (1, len(rows) - 1) or len(rows) < _FEW:
        return False
    pitches = [above.baseline - below.baseline for above, below in pairwise(rows)]
    return pitches[index - 1] > 2 * median(pitches)


def _sides_with_text(rows: Sequence[Row], gutters: Sequence[Interval]) -> int:
    """In how many rows each column has text, where that is least; of several rows one does not count."""
    if len(rows) < 2 or not gutters:
        return 0
    counts = [sum(bool(cell) for cell in column) for column in zip(*_cells(rows, gutters), strict=True)]
    return min(counts) if len(rows) < _FEW else min(counts) - 1


def _common(first: Sequence[Interval], second: Sequence[Interval]) -> list[Interval]:
    """What is in both of two ordered lists of intervals."""
    found, i, j = list[Interval](), 0, 0
    while i < len(first) and j < len(second):
        low, high = max(first[i][0], second[j][0]), min(first[i][1], second[j][1])
        if low < high:
            found.append((low, high))
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return found


def _cells(rows: Sequence[Row], gutters: Sequence[Interval]) -> list[list[tuple[Word, ...]]]:
    """Of each row the words of each column."""
    edges = [float("-inf"), *((left + right) / 2 for left, right in gutters), float("inf")]
    return [[row.between(left, right) for left, right in pairwise(edges)] for row in rows]


def _parted(
    rows: Sequence[Row], gutters: Sequence[Interval], rules: Callable[[], Sequence[float]]
) -> tuple[list[Block], bool]:
    """The blocks of rows that have gutters, and whether they are doubtful."""
    gutters = _without_marks(rows, gutters)
    if not gutters:
        return _prose(rows), False
    cells = _cells(rows, gutters)
    columns = [[Row(cell) for cell in column if cell] for column in zip(*cells, strict=True)]
    running = [_is_running_text(column) for column in columns]
    within = [
        y for y in rules() if rows[-1].baseline - rows[-1].size < y < rows[0].baseline + 1.5 * rows[0].size
    ]
    ruled = len(within) >= 3 and len(rows) / len(within) < 8
    if ruled and len(parts := _beside_rules(rows, within)) > 1:
        return _arranged(parts, rules)
    if (all(running) or not _are_aligned(cells)) and not ruled:
        return _arranged(columns, rules)
    of_table = [index for index, row in enumerate(cells) if any(row[1:])]
    first, end = of_table[0], of_table[-1] + 1
    # A short line above or below the table may take a column for itself.
    used = [index for index in range(len(columns)) if any(row[index] for row in cells[first:end])]
    texts = [[" ".join(word.text for word in row[index]) for index in used] for row in cells[first:end]]
    # Between two horizontal lines lies one row.
    bands = [sum(y > row.baseline for y in within) for row in rows[first:end]] if ruled else None
    doubtful = any(running[index] for index in used)
    table = Block(table_text(texts, bands), is_table=True)
    return [*_prose(rows[:first]), table, *_prose(rows[end:])], doubtful and not ruled


def _arranged(
    parts: Sequence[Sequence[Row]], rules: Callable[[], Sequence[float]]
) -> tuple[list[Block], bool]:
    """The blocks of parts that are read one after the other, and whether they are doubtful."""
    arranged = [arrange([word for row in part for word in row.words], rules) for part in parts]
    return [block for each in arranged for block in each.blocks], any(each.doubtful for each in arranged)


def _beside_rules(rows: Sequence[Row], rules: Sequence[float]) -> list[list[Row]]:
    """The rows above a ruled table, those of it, and those below: further from a rule than two rules are apart."""
    heights = sorted(rules)
    furthest = max(above - below for below, above in pairwise(heights))
    low, high = heights[0] - furthest, heights[-1] + furthest
    places = {row: (row.baseline < low) - (row.baseline > high) for row in rows}
    return [part for place in (-1, 0, 1) if (part := [row for row in rows if places[row] == place])]


def _without_marks(rows: Sequence[Row], gutters: Sequence[Interval]) -> list[Interval]:
    """The gutters without that between list items and their marks."""
    first = [row[0] for row in _cells(rows, gutters) if row[0]]
    marks = all(len(cell) == 1 and _MARK.fullmatch(cell[0].text) for cell in first)
    return list(gutters[1:] if marks else gutters)


def _is_running_text(column: Sequence[Row]) -> bool:
    """Whether most lines fill the column, and some go on in lower case."""
    texts = [row.text for row in column]
    widths = [row.words[-1].right - row.words[0].left for row in column]
    begun = sum(text[0].islower() for text in texts[1:])
    fill = median(widths) >= 0.6 * max(widths) and median(map(len, texts)) >= 15
    cased = any(letter.islower() for text in texts for letter in text)
    return fill and (len(texts) < _FEW or not cased or begun >= 0.2 * len(texts))


def _are_aligned(cells: Sequence[Sequence[tuple[Word, ...]]]) -> bool:
    """Whether the columns have their lines at the same heights, two rows of them at least."""
    several = [[cell[0] for cell in row if cell] for row in cells if sum(map(bool, row)) > 1]
    level = [
        max(w.baseline for w in row) - min(w.baseline for w in row) < 0.15 * row[0].size for row in several
    ]
    alone = sum(sum(map(bool, row)) == 1 for row in cells)
    return sum(level) >= max(2, 0.8 * len(several)) and alone <= 2 * len(several)


def _prose(rows: Sequence[Row]) -> list[Block]:
    """The block of rows that have no gutters; none if there are no rows."""
    if not rows:
        return []
    pitches = [above.baseline - below.baseline for above, below in pairwise(rows)]
    usual = median(pitches) if pitches else 0.0
    lines = [rows[0].text]
    for row, pitch in zip(rows[1:], pitches, strict=True):
        lines += [""] * (pitch > 1.35 * usual) + [row.text]
    return [Block("\n".join(lines))]
