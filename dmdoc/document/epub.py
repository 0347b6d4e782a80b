"""Electronic books (EPUB): the XHTML files in their reading order, one page each, usually a chapter.

The table of contents that an EPUB 3 carries for the reading device is left out and has no page.
"""

from dataclasses import replace
from posixpath import dirname, join, normpath
from urllib.parse import unquote
from xml.etree import ElementTree

from dmdoc.document.archive import Archive
from dmdoc.document.markup import markup_text
from dmdoc.document.source import Extracted, Source
from dmdoc.document.text import decode
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import normalise_text

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_MEDIA_TYPES = ("application/xhtml+xml", "text/html")


def read(source: Source) -> Extracted:
    """The text of the book.

    Raises:
        ExtractionError: it is damaged, or protected against reading.
    """
    archive = Archive(source)
    chapters = list(dict.fromkeys(_chapters(archive)))  # one that is listed again has been read
    archive.check(set(chapters))
    if locked := _encrypted(archive).intersection(chapters):
        raise ExtractionError(
            f"{source.label} is protected against copying ({min(locked)} is encrypted); give an unprotected copy"
        )
    pages = []
    for chapter in chapters:
        markup, _ = decode(replace(source, data=archive.read(chapter), label=f"{source.label}, {chapter}"))
        pages.append(normalise_text(markup_text(markup)))
    return Extracted(tuple(pages), "epub")


def _chapters(archive: Archive) -> list[str]:
    """The member names of the book's text, in reading order."""
    package = next(
        (element.get("full-path") for element in _each(archive.read_xml(_CONTAINER), "rootfile")), None
    )
    if package is None:
        raise archive.damaged(f"{_CONTAINER} names no book")
    root = archive.read_xml(package)
    items = {element.get("id"): element for element in _each(root, "item")}
    chapters = []
    for reference in _each(root, "itemref"):
        item = items.get(reference.get("idref"))
        if item is None:
            raise archive.damaged(f"{package} names no file for {reference.get('idref')}")
        contents = "nav" in item.get("properties", "").split()
        if item.get("media-type") in _MEDIA_TYPES and not contents:
            chapters.append(normpath(join(dirname(package), unquote(item.get("href", "")))))
    return chapters


def _encrypted(archive: Archive) -> set[str]:
    """The member names that are encrypted; in an unprotected book only its fonts may be."""
    if _ENCRYPTION not in archive.names:
        return set()
    references = _each(archive.read_xml(_ENCRYPTION), "CipherReference")
    return {unquote(reference.get("URI", "")) for reference in references}


def _each(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """The elements of that name in any namespace, in document order."""
    return [element for element in root.iter() if element.tag.rpartition("}")[2] == name]
