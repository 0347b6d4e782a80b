"""ZIP archives of XML, which DOCX, PPTX and EPUB are: opened, bounded and read without surprises.

Knows nothing about what the members mean.
"""

import lzma
import zipfile
import zlib
from collections.abc import Set
from io import BytesIO
from xml.etree import ElementTree

from dmdoc.document.source import Source
from dmdoc.errors import ExtractionError


def member_names(data: bytes) -> frozenset[str]:
    """The names in an archive; none if `data` is not one."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return frozenset(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return frozenset()


class Archive:
    """The members of a source that is an archive.

    Only what is read is unpacked, one member at a time, and all that is read counts against the limit of text.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._zip = zipfile.ZipFile(BytesIO(source.data))
        self._unpacked = 0
        self.names = frozenset(self._zip.namelist())

    def check_xml(self) -> None:
        """Check what a library that opens the archive itself would unpack.

        Raises:
            ExtractionError: the XML in it is more than the limit.
        """
        self.check({name for name in self.names if name.lower().endswith((".xml", ".rels"))})

    def check(self, names: Set[str]) -> None:
        """Check members that are to be read, before work is put into the first of them.

        Raises:
            ExtractionError: together they are more than the limit.
        """
        sizes = (member.file_size for member in self._zip.infolist() if member.filename in names)
        self._source.check_size(sum(sizes), what="unpacks to")

    def read(self, name: str) -> bytes:
        """The bytes of a member.

        Raises:
            ExtractionError: there is none of that name, it is damaged or encrypted, or it is more than is allowed.
        """
        try:
            # zipfile gives no more than the size that is written here, whatever is in the member.
            self._unpacked += self._zip.getinfo(name).file_size
            self._source.check_size(self._unpacked, what="unpacks to")
            return self._zip.read(name)
        except KeyError:
            raise self.damaged(f"{name} is missing") from None
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, OSError) as error:
            raise self.damaged(f"{name}: {error}") from error

    def read_xml(self, name: str) -> ElementTree.Element:
        """The root element of a member.

        Raises:
            ExtractionError: as `read`, or it is not XML.
        """
        try:
            return ElementTree.fromstring(self.read(name))
        except (ElementTree.ParseError, LookupError, ValueError) as error:
            raise self.damaged(f"{name}: {error}") from error

    def damaged(self, what: str) -> ExtractionError:
        """The error for something wrong inside the archive."""
        return ExtractionError(f"{self._source.label} is damaged ({what}); export it again")
