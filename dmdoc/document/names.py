"""What a document may be called: a name is also a folder name. Knows nothing about what is in a document."""

import re
import unicodedata

from dmdoc.errors import UsageError

MAX_NAME_LENGTH = 100
"""Characters of a document name; file systems stop at 255 bytes."""


def slug(text: str) -> str:
    """The document name nearest to `text`: lower-case ASCII letters, digits, `-`, `_` and `.`.

    Accents are dropped, anything else becomes `-`, and a name never begins or ends with punctuation. It is ""
    when nothing of the text can be kept.
    """
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9._]+", "-", text.lower())[:MAX_NAME_LENGTH].strip("-._")


def is_name(text: str) -> bool:
    """Whether a text can be a document's name, that is, whether it is its own slug."""
    return bool(text) and slug(text) == text


def check_name(name: str) -> None:
    """Raise UsageError unless `name` can be a document's name, that is, unless it is its own slug."""
    _check(name, "name a document", "annual-report")


def check_tag(tag: str) -> None:
    """Raise UsageError unless `tag` can be a tag: tags are written as names are."""
    _check(tag, "be a tag", "contracts")


def _check(text: str, purpose: str, example: str) -> None:
    if is_name(text):
        return
    advice = f"try '{slug(text)}'" if slug(text) else f"for example '{example}'"
    raise UsageError(f"'{text}' cannot {purpose}: use lower-case letters, digits, '-', '_' and '.'; {advice}")
