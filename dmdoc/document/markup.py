"""HTML → plain text in the manner of Markdown: `# ` headings, `- ` items, ` | ` between the cells of a row.

Every word is kept; what belongs to the main text is for the caller to say. Bold, links and pictures leave no
trace. Time is linear in the length of the markup, but for tags without end that are closed by the wrong name, over
and over. Knows nothing about files.
"""

import re

from lxml import etree

_SKIPPED = frozenset(["title", "script", "style", "template", "noscript", "iframe", "object", "svg"])
_BLOCKS = (
    frozenset({"address", "blockquote", "dd", "div", "dl", "dt", "hr", "ol", "p", "pre", "table", "ul"})
    | frozenset({"article", "aside", "body", "footer", "form", "header", "main", "nav", "section"})
    | frozenset({"caption", "details", "figcaption", "figure", "summary"})
)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_DEEPEST = 10
"""Lists in lists that are indented; what is nested deeper stands under it."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_EMPTY = re.compile(r"<(title|script|style|template|noscript|iframe|object|svg)\b([^<>]*)/>", re.IGNORECASE)
_DECLARATION = re.compile(r"\s*<\?xml[^>]*>")


def markup_text(markup: str) -> str:
    """The text of an HTML or XHTML document or fragment, blocks separated by blank lines."""
    # XHTML: <title/> and <script/> are empty and hide nothing.
    declaration = _DECLARATION.match(markup)
    markup = _EMPTY.sub(r"<\1\2></\1>", markup[declaration.end() :] if declaration else markup)
    text = _Text()
    parser = etree.HTMLParser(target=text, huge_tree=True, encoding="utf-8")
    parser.feed(_SURROGATES.sub("\ufffd", markup).encode())
    parser.close()
    return text.text()


class _Text:
    """Hears of tags and text in their order; libxml2 closes what the markup leaves open."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._skipped = 0
        """Open elements from the outermost on whose text is not wanted."""
        self._preformatted = 0
        self._lists: list[int | None] = []
        """Of the open lists: the number of the last item, None for a list without numbers."""
        self._cells = 0
        """Open table cells."""
        self._row_begun = False
        self._marked = False
        """The last piece is the mark of a heading or item, which its text follows on the same line."""

    def text(self) -> str:
        return "".join(self._pieces).strip("\n")

    def close(self) -> None:
        """The parser calls it at the end."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._skipped or tag in _SKIPPED:
            self._skipped += 1
        elif tag == "br":
            self._append(" " if self._cells else "\n")
        elif tag in _HEADINGS:
            self._break(2)
            self._append_mark(_HEADINGS[tag])
        elif tag == "li":
            self._begin_item()
        elif tag == "tr":
            self._break(1)
            self._row_begun = False
        elif tag in ("td", "th"):
            self._cells += 1
            if self._row_begun and self._pieces:
                self._pieces[-1] = self._pieces[-1].rstrip(" ")
                self._append(" | ")
            self._row_begun = True
        elif tag in _BLOCKS:
            self._begin_block(tag)

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif tag in ("td", "th"):
            self._cells -= 1
        elif tag in ("tr", "li"):
            self._break(1)
        elif tag in _HEADINGS or tag in _BLOCKS:
            if tag == "pre":
                self._preformatted -= 1
            if tag in ("ul", "ol"):
                self._lists.pop()
            self._break(1 if self._lists else 2)

    def data(self, data: str) -> None:
        if self._preformatted and not self._cells:
            self._append(data)
            return
        text = _BLANKS.sub(" ", data)
        if not self._pieces or self._pieces[-1].endswith((" ", "\n")):
            text = text.removeprefix(" ")
        self._append(text)

    def _begin_block(self, tag: str) -> None:
        # A list in a list stands directly under its item.
        self._break(1 if self._lists else 2)
        if tag == "pre":
            self._preformatted += 1
        if tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)

    def _begin_item(self) -> None:
        self._break(1)
        depth = min(max(0, len(self._lists) - 1), _DEEPEST)
        mark = "- "
        if self._lists and (number := self._lists[-1]) is not None:
            self._lists[-1] = number + 1
            mark = f"{number + 1}. "
        self._append_mark("  " * depth + mark)

    def _append(self, text: str) -> None:
        if text and not self._skipped:
            self._pieces.append(text)
            self._marked = False

    def _append_mark(self, mark: str) -> None:
        if not self._cells:
            self._append(mark)
            self._marked = True

    def _break(self, lines: int) -> None:
        """End the line if one is begun, and leave `lines` - 1 blank lines; inside a cell, only a space."""
        if not self._pieces or self._marked:
            return
        if self._cells:
            self._append("" if self._pieces[-1].endswith((" ", "\n")) else " ")
            return
        tail = "".join(self._pieces[-2:])
        self._append("\n" * (lines - (len(tail) - len(tail.rstrip("\n")))))
