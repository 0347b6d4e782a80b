"""ZIP archives of XML, which DOCX, PPTX and EPUB are: opened, bounded and read without surprises.

Knows nothing about what the members mean.
"""

import lzma
import zipfile
import zlib
from io import BytesIO
from xml.etree import ElementTree

from dmdoc.document.source import Source
from dmdoc.errors import ExtractionError

MAX_UNPACKED = 1 << 30
"""Bytes that an archive may unpack to. Only the members that hold text are unpacked, one at a time."""


def member_names(data: bytes) -> frozenset[str]:
    """The names in an archive; none if `data` is not one."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return frozenset(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return frozenset()


class Archive:
    """The members of a source that is an archive.

    Raises:
        ExtractionError: it would unpack to more than `MAX_UNPACKED`.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._zip = zipfile.ZipFile(BytesIO(source.data))
        size = sum(member.file_size for member in self._zip.infolist())
        if size > MAX_UNPACKED:
            raise ExtractionError(
                f"{source.label} would unpack to {size:,} bytes, over the {MAX_UNPACKED:,} allowed; split it up"
            )
        self.names = frozenset(self._zip.namelist())

    def read(self, name: str) -> bytes:
        """The bytes of a member.

        Raises:
            ExtractionError: there is none of that name, or it is damaged or encrypted.
        """
        try:
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
