"""A path or standard input → a Document: named, normalised pages of text.

`formats` tells the format and holds its reader, one module each: text, pdf, html, docx, epub, pptx. What
normalised text looks like is decided in normalise.py. Knows nothing about models, tokens or saved documents.
"""

from dmdoc.document.document import Document, Extraction
from dmdoc.document.names import MAX_NAME_LENGTH, check_name, check_tag, is_name, slug
from dmdoc.document.read import STDIN, read_document

__all__ = [
    "MAX_NAME_LENGTH",
    "STDIN",
    "Document",
    "Extraction",
    "check_name",
    "check_tag",
    "is_name",
    "read_document",
    "slug",
]
