"""Mail: one message, and boxes of them."""

from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

import pytest
from linear import assert_linear

from dmdoc.document import read_document
from dmdoc.document.mail import read, read_box
from dmdoc.document.source import Source
from dmdoc.errors import ExtractionError

CASES = Path(__file__).parent.parent / "cases"


def message(subject: str, body: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Ann Otway <ann@example.org>", subject
    mail.set_content(body)
    return mail


def test_a_message_is_its_headers_and_its_body() -> None:
    document = read_document(str(CASES / "mail.eml"))
    assert document.text == (
        "Subject: Key für den Turm\nFrom: Ann Otway <ann@example.org>\nTo: bob@example.org\n"
        "Date: Mon, 2 Feb 2026 10:00:00 +0000\n\nThe key of the tower is with Mrs Quayle."
    )
    assert (document.reader, document.warnings) == ("mail", ())


def test_html_is_read_where_there_is_no_plain_text_and_attachments_are_named() -> None:
    mail = message("Map", "unused")
    mail.set_content("<h1>The map</h1><p>It is <b>attached</b>.</p>", subtype="html")
    mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="kärtchen.png")
    extracted = read(Source(mail.as_bytes(), "map.eml"))
    assert extracted.pages[0].endswith("\n\n# The map\n\nIt is attached.")
    assert extracted.warnings == ("left out: attachment kärtchen.png",)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_box_has_a_page_a_message(end: str) -> None:
    text = (
        "From ann Mon Feb  2\nFrom: ann\nSubject: One\n\nFrom here it is quoted:\n>From now on.\n\n"
        "From bob Tue Feb  3\nFrom: bob\nSubject: Two\n\nYes.\n"
    )
    pages = read_box(Source(text.replace("\n", end).encode(), "a.mbox")).pages
    assert pages == (
        "Subject: One\nFrom: ann\n\nFrom here it is quoted:\nFrom now on.",
        "Subject: Two\nFrom: bob\n\nYes.",
    )


def test_what_has_no_headers_is_no_mail(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_text("just words", encoding="utf-8")
    with pytest.raises(ExtractionError, match="is not a mail"):
        read_document(str(tmp_path / "a.eml"))


def test_mail_without_a_name_is_told_by_its_headers_and_a_letter_is_not_mail() -> None:
    assert read_document("-", stdin=BytesIO((CASES / "mail.eml").read_bytes())).reader == "mail"
    assert read_document("-", stdin=BytesIO(b"From: Ann\nTo: Bob\n\nDear Bob")).reader == "text"


@pytest.mark.parametrize("charset", ["nonsense", "utf-8", "us-ascii"])
def test_a_charset_that_is_false_is_no_fault(charset: str) -> None:
    data = f"From: a\nContent-Type: text/plain; charset={charset}\n\n".encode() + "Müller".encode("cp1252")
    assert read(Source(data, "a.eml")).pages[0].endswith("Müller")


@pytest.mark.slow
def test_a_thousand_parts_inside_one_another_are_one_line() -> None:
    data = b"Subject: deep\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(1000)
    )
    with pytest.raises(ExtractionError, match="cannot be read"):
        read_document("-", stdin=BytesIO(b"MIME-Version: 1.0\n" + data + b"\nthe end"))


def test_time_is_linear_in_the_messages() -> None:
    assert_linear(
        lambda data: read_box(Source(data, "a.mbox")), lambda n: b"From a\nSubject: x\n\nbody\n\n" * n
    )
    assert_linear(
        lambda data: read(Source(data, "a.eml")),
        lambda n: b"Subject: " + b"=?utf-8?q?=C3=BC?= " * n + b"\n\nx",
    )
