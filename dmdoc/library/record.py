"""A JSON object in a file, with the checksum of all that it says. Knows nothing about what that is.

Schema 1, which dmdoc 0.1.0 wrote, has no checksum; every later one has.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from dmdoc.atomic_file import PRIVATE, write_atomically
from dmdoc.errors import DamagedError, DmdocError

SCHEMA = 2


def write_record(path: Path, values: dict[str, Any]) -> bytes:
    """Replace the record at a path; returns the bytes of the file.

    Raises:
        OSError: it cannot be written.
    """
    record = {"schema": SCHEMA, **values}
    text = json.dumps({**record, "checksum": _checksum(record)}, ensure_ascii=False, indent=1) + "\n"
    # A source may be called what UTF-8 cannot hold; this makes a JSON escape of it.
    content = text.encode(errors="backslashreplace")
    write_atomically(path, content, mode=PRIVATE)
    return content


def read_record(path: Path) -> tuple[dict[str, Any], bytes]:
    """What the record at a path says, and the bytes of the file.

    Raises:
        FileNotFoundError: there is none.
        DmdocError: it is unreadable, damaged, or from a newer dmdoc.
    """
    try:
        content = path.read_bytes()
        record = json.loads(content.decode())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DmdocError(f"cannot read {path}: {error.strerror or error}; check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise damaged(path) from error
    if not isinstance(record, dict) or type(record.get("schema")) is not int or record["schema"] < 1:
        raise damaged(path)
    if record["schema"] > SCHEMA:
        raise DmdocError(f"{path} was written by a newer dmdoc (schema {record['schema']}); upgrade dmdoc")
    checksum = record.pop("checksum", None)
    if (record["schema"] > 1 or checksum is not None) and checksum != _checksum(record):
        raise damaged(path)
    return record, content


def damaged(path: Path) -> DamagedError:
    return DamagedError(f"{path} is damaged; remove the document and read its source again")


def _checksum(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
