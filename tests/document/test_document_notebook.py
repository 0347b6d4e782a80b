"""Jupyter notebooks."""

import json
from pathlib import Path

import pytest

from dmdoc.document import read_document
from dmdoc.document.notebook import read
from dmdoc.document.source import Source
from dmdoc.errors import ExtractionError

CASES = Path(__file__).parent.parent / "cases"


def test_cells_are_read_and_pictures_are_left_out() -> None:
    document = read_document(str(CASES / "nb.ipynb"))
    assert document.text == (
        "# Tides\nThe highest tide at Port Isbel is 6.2 metres.\n\n```\nimport math\nprint(6.2)\n```"
    )
    assert (document.reader, document.warnings) == ("notebook", ("left out: 1 picture",))


def test_what_a_cell_printed_stands_under_it() -> None:
    outputs = [
        {"output_type": "stream", "text": ["\x1b[31m6.2\x1b[0m\n"]},
        {"output_type": "execute_result", "data": {"text/plain": "7"}},
        {"output_type": "error", "ename": "ValueError", "evalue": "too high", "traceback": ["..."]},
    ]
    cells = [{"cell_type": "code", "source": "tide()", "outputs": outputs}]
    extracted = read(Source(json.dumps({"cells": cells}).encode(), "a.ipynb"))
    assert extracted.pages == ("```\ntide()\n```\n\n6.2\n\n7\n\nValueError: too high",)


def test_an_old_notebook_is_read() -> None:
    cells = [{"cell_type": "code", "input": ["tide()"], "outputs": [{"text": "6.2"}, {"png": "aGk="}]}]
    extracted = read(Source(json.dumps({"worksheets": [{"cells": cells}]}).encode(), "a.ipynb"))
    assert extracted.pages == ("```\ntide()\n```\n\n6.2",)
    assert extracted.warnings == ("left out: 1 picture",)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"cells": [1]}', '{"cells": 7}', "[" * 200_000])
def test_what_is_no_notebook_is_refused(content: str) -> None:
    with pytest.raises(ExtractionError, match="is not a Jupyter notebook"):
        read(Source(content.encode(), "a.ipynb"))
