"""Every parser of markup takes time in proportion to the length of what it reads, whatever that is."""

import json
import time
from collections.abc import Callable

import pytest
from linear import assert_linear
from test_document_archives import book, presentation, shape, slide, word, word_paragraph

from dmdoc.document.formats import reader_for
from dmdoc.document.markup import markup_text
from dmdoc.document.source import Source

MARKUP: dict[str, Callable[[int], str]] = {
    "paragraphs": lambda n: "<p>Salt rose.</p>\n" * n,
    "tags without end": lambda n: "<a " * n,
    "comments without end": lambda n: "<!--" * n,
    "nested lists": lambda n: "<ul><li>x" * n,
    "nested blocks": lambda n: "<div>" * n,
    "cells": lambda n: "<table><tr>" + "<td>x" * n,
    "breaks": lambda n: "<br>" * n,
    "characters by name": lambda n: "&amp;" * n,
    "blanks": lambda n: "<p>a" + " " * 10 * n + "b",
    "sections of SGML": lambda n: "<![x[ y ]]>" * n,
    "empty scripts": lambda n: "<script " * n + "/>",
}


@pytest.mark.slow
@pytest.mark.parametrize("make", MARKUP.values(), ids=MARKUP.keys())
def test_markup_is_linear(make: Callable[[int], str]) -> None:
    assert_linear(markup_text, make)


@pytest.mark.parametrize("make", MARKUP.values(), ids=MARKUP.keys())
def test_telling_a_format_takes_no_time(make: Callable[[int], str]) -> None:
    data = make(50_000).encode()
    started = time.process_time()
    reader_for(Source(data, "standard input"))
    assert time.process_time() - started < 0.5


def cells(n: int) -> bytes:
    return json.dumps({"cells": [{"cell_type": "markdown", "source": "Salt."}] * n}).encode()


READ: dict[str, Callable[[int], bytes]] = {
    "a.docx": lambda n: word(word_paragraph("Salt rose.") * n),
    "a.pptx": lambda n: presentation([slide(shape("Salt rose.\nIt fell.") * n)]),
    "a.epub": lambda n: book({"a.html": "<p>Salt rose.</p>" * n}),
    "a.ipynb": cells,
    "a.html": lambda n: b"<html><body>" + b"<p>Salt rose by a tenth, and brine fell.</p>" * n,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", READ)
def test_a_reader_is_linear(name: str) -> None:
    def read(data: bytes) -> object:
        source = Source(data, name)
        return reader_for(source)(source)

    read(READ[name](1))  # what it imports takes time once
    assert_linear(read, READ[name], size=20)
