"""`ls`, `show` and `ask` say when the file of a document has changed since it was read."""

import json
from pathlib import Path

from command_line import Invoke

SAID = "warning: the file of lots has changed since; `dmdoc ingest` reads it again\n"


def test_it_is_said_until_the_file_is_read_again(invoke: Invoke, lots: Path) -> None:
    invoke("ingest", str(lots), "--quiet")
    assert SAID not in invoke("ls").err
    before = lots.read_bytes()
    lots.write_bytes(before + b"\n \n")  # the same text
    assert SAID in invoke("ls").err
    assert SAID in invoke("show").err
    assert json.loads(invoke("show", "--json").out)["file"] == "changed"
    assert SAID in invoke("ask", "Who?", "--max-tokens", "1").err
    assert SAID not in invoke("ask", "Who?", "--max-tokens", "1", "--quiet").err
    assert "unchanged" in invoke("ingest", str(lots)).err
    assert SAID not in invoke("ls").err
    assert json.loads(invoke("show", "--json").out)["file"] == "unchanged"
    lots.unlink()
    assert json.loads(invoke("show", "--json").out)["file"] == "gone"
    assert SAID not in invoke("ls").err
