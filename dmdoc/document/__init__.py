"""A file or standard input → a Document: named, clean pages of text.

`formats` tells the format and names its reader; each format has a module.
May import: errors, text.
Knows nothing about models, tokens or saved documents.
"""

from dmdoc.document.document import Document, Extraction
from dmdoc.document.isolated import IsolatedReader
from dmdoc.document.names import MAX_NAME_LENGTH, check_name, check_tag, is_name, slug
from dmdoc.document.read import STDIN, read_document
from dmdoc.document.source import Limits
from dmdoc.document.stamp import Change, Stamp

__all__ = [
    "MAX_NAME_LENGTH",
    "STDIN",
    "Change",
    "Document",
    "Extraction",
    "IsolatedReader",
    "Limits",
    "Stamp",
    "check_name",
    "check_tag",
    "is_name",
    "read_document",
    "slug",
]
