"""The rules that turn extracted text into the text that is hashed, chunked and cited."""

import pytest

from dmdoc.text.normalise import Block, join_paragraphs, normalise_pages, normalise_text, remove_running_lines


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("caf\u0065\u0301", "café"),
        ("\ufb01nd \ufb02oor, o\ufb00 sta\ufb03ng ba\ufb04e \ufb06", "find floor, off staffing baffle st"),
        ("so\u00adft hy\u00ad\n  phen", "soft hyphen"),
        ("evapo-\nration hall", "evaporation hall"),
        ("evapo\u2010\n   ration", "evaporation"),
        ("Anglo-\nNorse", "Anglo-\nNorse"),
        ("1990-\nto", "1990-\nto"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("blanks  \t\nend\u00a0", "blanks\nend"),
        ("no\u00a0break\u202fspace", "no break space"),
        ("\n\none\n\n\n\n two\n", "one\n\n two"),
        ("zero\u200bwidth\x07bell", "zerowidthbell"),
        ("pair \ud83d\ude00 lone \ud83d.", "pair \U0001f600 lone \ufffd."),
        ("| a\tb |\n    code", "| a\tb |\n    code"),
        ("  \n\t\n", ""),
    ],
)
def test_text_is_cleaned(raw: str, clean: str) -> None:
    assert normalise_text(raw) == clean
    assert normalise_text(clean) == clean


def test_running_lines_go_and_page_text_stays() -> None:
    pages = [f"The Report {n}\nConfidential\n\nBody of {word}.\n\n- {n} -" for n, word in enumerate("abcd")]
    assert remove_running_lines(pages) == ("Body of a.", "Body of b.", "Body of c.", "Body of d.")


def test_page_numbers_that_begin_again_or_lack_some_go() -> None:
    numbers = [1, 2, 3, 4, 1, 2, 3, 9]
    pages = [f"Part, page {n} of 9\nBody {word}." for n, word in zip(numbers, "abcdefgh", strict=True)]
    assert remove_running_lines(pages) == tuple(f"Body {word}." for word in "abcdefgh")
    alternate = [f"{n} Report\nBody." if n % 2 else f"Body {n}." for n in range(1, 8)]
    assert "Report" not in "".join(remove_running_lines(alternate))


@pytest.mark.parametrize(
    "pages",
    [
        ["Header\none", "Header\ntwo"],
        ["Header\none", "Header\ntwo", "Header\nthree", "a\nfour", "b\nfive", "c\nsix"],
        ["one\nMiddle\nx", "two\nMiddle\ny", "three\nMiddle\nz"],
        [f"Invoice {number}\nThe sum is {number % 7}." for number in (1001, 1007, 1012, 1020)],
        [f"Lot {'9' * 5_000}{number}\nIt holds {number} barrels." for number in (5, 1, 8)],
    ],
    ids=["two pages only", "half of the pages", "not at the edge", "numbers of invoices", "long numbers"],
)
def test_lines_that_are_not_running_stay(pages: list[str]) -> None:
    assert remove_running_lines(pages) == tuple(pages)


def test_a_page_of_nothing_but_running_lines_becomes_empty_and_keeps_its_place() -> None:
    pages = ["Header\nfirst text", "Header", "", "Header\nlast text"]
    assert normalise_pages([[Block(page)] for page in pages]) == ("first text", "", "", "last text")


FULL = "This line of prose goes all the way over to the margin of its"


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        ([FULL, "page and on."], f"{FULL} page and on."),
        ([FULL, "page.", FULL, "page."], f"{FULL} page.\n\n{FULL} page."),
        (["Heading", FULL, "page."], f"Heading\n\n{FULL} page."),
        ([FULL, "", "Next part"], f"{FULL}\n\nNext part"),
        ([FULL, "- one thing", "- another"], f"{FULL}\n\n- one thing\n- another"),
        ([FULL, "1. one thing", "wrapped", "2. another"], f"{FULL}\n\n1. one thing wrapped\n\n2. another"),
        ([FULL, "", "Salt 12", "Brine 14", "Sum 26"], f"{FULL}\n\nSalt 12\nBrine 14\nSum 26"),
        ([FULL + " Anglo-", "Norse port."], f"{FULL} Anglo-Norse port."),
        ([FULL, "short", "but lower case"], f"{FULL} short but lower case"),
    ],
)
def test_lines_broken_by_the_margin_are_joined(lines: list[str], joined: str) -> None:
    assert join_paragraphs("\n".join(lines)) == joined


def test_blocks_stand_apart_and_rows_are_not_put_together() -> None:
    rows = "Ferrow | 1902\nmarl | 1911"
    ends = ["one.", "and two.", "and then three."]
    pages = [[Block(f"Head\n{end}"), Block(rows, is_table=True), Block(f"{FULL}\n{end}\n7")] for end in ends]
    assert normalise_pages(pages) == tuple(f"{end}\n\n{rows}\n\n{FULL} {end}" for end in ends)
