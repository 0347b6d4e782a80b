"""A file, a URL or standard input → a Document: named, clean pages of text.

`formats` tells the format and names its reader; each format has a module.
May import: errors, text.
Knows nothing about models, tokens or saved documents.
"""

from dmdoc.document.document import Document, Extraction
from dmdoc.document.isolated import IsolatedReader
from dmdoc.document.names import MAX_NAME_LENGTH, check_name, check_tag, is_name, slug
from dmdoc.document.read import read_document
from dmdoc.document.source import Limits
from dmdoc.document.stamp import Change, Stamp, WebStamp, read_stamp
from dmdoc.document.url import STDIN, bare_source, full_source, is_url

__all__ = [
    "MAX_NAME_LENGTH",
    "STDIN",
    "Change",
    "Document",
    "Extraction",
    "IsolatedReader",
    "Limits",
    "Stamp",
    "WebStamp",
    "bare_source",
    "check_name",
    "check_tag",
    "full_source",
    "is_name",
    "is_url",
    "read_document",
    "read_stamp",
    "slug",
]
