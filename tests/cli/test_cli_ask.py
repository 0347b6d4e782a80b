"""`ask` as its users meet it: what it answers from, what stands beside the answer, and what is refused."""

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Invoke, checked
from judges_of_tests import always

from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.judges import Verdict
from dmdoc.model import reader as module
from dmdoc.model.reader import Reader


@pytest.fixture
def two_pages(invoke: Invoke, tmp_path: Path) -> str:
    """The name of an ingested document."""
    path = tmp_path / "pages.txt"
    path.write_text("Lot seven holds salt.\fLot eight holds brine.", encoding="utf-8")
    invoke("ingest", str(path), "--quiet")
    return "pages"


def _unreadable(_saved: SavedDocument) -> tuple[str, ...]:
    raise AssertionError("the text was opened")


def test_what_stands_beside_an_answer_is_on_stderr(invoke: Invoke, two_pages: str) -> None:
    ask = ("ask", "What is in lot seven?", "--recall", "state", "--max-tokens", "4")
    run, as_json = invoke(*ask), checked("ask", invoke(*ask, "--json").out)
    place, *citations = run.err.splitlines()
    assert citations == ["page 1: Lot seven holds salt.", "page 2: Lot eight holds brine."]
    assert as_json["citations"] == [
        {"page": 1, "text": "Lot seven holds salt.", "verbatim": False, "mark": None},
        {"page": 2, "text": "Lot eight holds brine.", "verbatim": False, "mark": None},
    ]
    assert (as_json["recall"], as_json["supported"]) == ("state", None)
    assert place == "pages, pages 1 to 2"
    assert as_json["lift"] is not None and as_json["log_likelihood"] < 0


def test_verbose_says_where_an_answer_comes_from(invoke: Invoke, two_pages: str, tmp_path: Path) -> None:
    one_page = tmp_path / "note.txt"
    one_page.write_text("Lot nine holds flour.", encoding="utf-8")
    invoke("ingest", str(one_page), "--quiet")
    for name, place in ((two_pages, "pages 1 to 2"), ("note", "page 1")):
        run = invoke("ask", "-d", name, "What?", "--recall", "state", "--max-tokens", "1", "--verbose")
        told = run.err.splitlines()[-1]
        assert told.startswith(f"{name}: ")
        assert re.search(rf", 1 token in [\d.]+ s; from section 1 of 1, {place}$", told), told


def test_citations_feed_the_model_nothing(invoke: Invoke, reader: Reader, tmp_path: Path) -> None:
    text = tmp_path / "codes.txt"
    text.write_text("ZXZX 9876 QJQJ 5432 " * 6, encoding="utf-8")
    invoke("ingest", str(text), "--quiet")
    fed: list[int] = []
    embeddings = reader.backbone.model.get_input_embeddings()
    handle = embeddings.register_forward_pre_hook(
        lambda _module, args: fed.extend(args[0].flatten().tolist())
    )
    run = invoke("ask", "Which code, 9876 or none?", "--recall", "state", "--max-tokens", "4", "--json")
    handle.remove()
    record = checked("ask", run.out)
    assert "ZXZX" in record["citations"][0]["text"]
    # One token is one byte here.
    said = reader.encode(record["answer"] + "Which code, 9876 or none?")
    assert not (set(fed) - set(said)) & set(reader.encode("ZXQJ5432"))


def test_citations_can_be_left_out(invoke: Invoke, two_pages: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SavedDocument, "pages", _unreadable)
    run = invoke("ask", "What is in lot seven?", "--recall", "state", "--max-tokens", "4", "--no-citations")
    assert (run.code, len(run.err.splitlines())) == (0, 1)
    assert run.err == "pages, pages 1 to 2\n"
    run = invoke(
        "ask", "What is in lot seven?", "--recall", "state", "--max-tokens", "4", "--no-citations", "--quiet"
    )
    assert (run.code, run.err) == (0, "")


@pytest.mark.parametrize(
    ("options", "pages"),
    [
        (("--evidence",), [1, 2]),
        (("--recall", "evidence"), [1, 2]),
        (("--evidence=1",), [1]),
        (("--evidence=1", "--recall", "evidence", "--quiet", "--no-citations"), [1]),
    ],
)
def test_evidence_is_labelled_with_its_pages(
    options: tuple[str, ...], pages: list[int], invoke: Invoke, two_pages: str
) -> None:
    ask = ("ask", *options, "What is in lot seven?", "--max-tokens", "4")
    run, record = invoke(*ask), checked("ask", invoke(*ask, "--json").out)
    label, *citations = run.err.splitlines()
    tokens = record["document_tokens_in_prompt"]
    assert 20 < tokens < record["prompt_tokens"]
    named = "1 passage of page 1" if pages == [1] else "2 passages of pages 1, 2"
    chosen = "chosen from 4 phrases of the text, each read as an answer"
    assert label == f"pages, page 1: {chosen}, behind {named}: {tokens} tokens of the document in the prompt"
    assert len(citations) == (0 if "--quiet" in options else 1)
    assert [citation["page"] for citation in record["citations"]] == [1]
    assert (record["recall"], record["supported"]) == ("evidence", None)


def test_the_model_speaks_for_itself_where_it_is_told_how(invoke: Invoke, two_pages: str) -> None:
    ask = ("ask", "What is in lot eight?", "--max-tokens", "4", "--json")
    for options, mode in (
        ((), "spans"),
        (("--prompt", "answer"), "state"),
        (("--temperature", "1"), "state"),
    ):
        assert checked("ask", invoke(*ask, *options).out)["recall"] == mode


def test_an_answer_of_spans_brings_its_place(invoke: Invoke, two_pages: str) -> None:
    ask = ("ask", "What is in lot eight?", "--max-tokens", "4")
    run, record = invoke(*ask), checked("ask", invoke(*ask, "--json").out)
    assert run.out == f"{record['answer']}\n"
    (place,) = record["places"]
    assert "Lot eight holds brine."[place["start"] : place["end"]] == record["answer"]
    assert record["citations"] == [
        {
            "page": 2,
            "text": "Lot eight holds brine.",
            "verbatim": True,
            "mark": [place["start"], place["end"]],
        }
    ]
    where, citation = run.err.splitlines()
    assert where == "pages, page 2"
    assert record["candidates"] > 1
    tokens = record["document_tokens_scored"]
    said = (
        f"chosen from {record['candidates']} phrases of the text, each read as an answer: "
        f"{tokens} tokens of the document, none of them before the question"
    )
    assert said in invoke(*ask, "--verbose").err.splitlines()
    marked = citation.removeprefix("page 2 (word for word): ")
    assert marked.replace("«", "").replace("»", "") == "Lot eight holds brine."
    assert f"«{record['answer']}»" in marked
    assert (record["recall"], record["document_tokens_in_prompt"], record["supported"]) == ("spans", 0, None)


@pytest.mark.parametrize(
    ("mode", "label", "document_tokens"),
    [
        ("full", "pages: answered from the whole text: 45 tokens of it in the prompt, no state", 45),
        ("frozen", "answered without the document", 0),
    ],
)
def test_the_ways_without_a_state(
    mode: str, label: str, document_tokens: int, invoke: Invoke, two_pages: str
) -> None:
    ask = ("ask", "Salt?", "--recall", mode, "--max-tokens", "4", "--no-citations")
    record = checked("ask", invoke(*ask, "--json").out)
    assert invoke(*ask).err == f"{label}\n"
    assert (record["recall"], record["document_tokens_in_prompt"]) == (mode, document_tokens)
    assert (record["lift"], record["supported"], record["citations"]) == (None, None, [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--evidence", "--recall", "full"), "--evidence is --recall evidence, got --recall full too"),
        (("--evidence", "--prompt", "answer"), "prompt 'answer' has no place for {{ document }}"),
        (("--evidence=0",), "--evidence"),
        (("--evidence=many",), "--evidence"),
        (("--recall", "memory"), "--recall"),
        (("--strict",), "nobody has measured which answers of tiny-adapter are right"),
        (("--strict", "--evidence"), "nobody has measured which answers of tiny-adapter are right"),
        (("--strict", "--recall", "full"), "only answers from the state are judged, not those from full"),
    ],
)
def test_ways_that_cannot_be(options: tuple[str, ...], message: str, invoke: Invoke, two_pages: str) -> None:
    run = invoke("ask", "Salt?", *options)
    assert (run.code, run.out) == (2, "")
    assert message in run.err


def test_what_else_a_prompt_needs_is_named_before_a_model_is_loaded(
    invoke: Invoke, two_pages: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(module, "open_reader")
    prompt = tmp_path / "styled.md"
    prompt.write_text("Answer.\n---\n{{ question }} In {{ style }}.\n", encoding="utf-8")
    run = invoke("ask", "Salt?", "--prompt", str(prompt))
    assert (run.code, run.out) == (2, "")
    assert run.err == f"error: prompt '{prompt}' needs a value for style; give all of them\n"


def judged(monkeypatch: pytest.MonkeyPatch, reader: Reader, verdict: Verdict) -> None:
    modes = ("state", "spans", "evidence")
    known = replace(reader, judges={mode: always(verdict) for mode in modes})
    monkeypatch.setattr(module, "open_reader", lambda *_, **__: known)


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        ("doubtful", "error: the answer from pages is doubtful: 0% likely to be right\n"),
        ("not in the document", "error: pages does not say so\n"),
    ],
)
def test_strict_gives_no_answer_that_is_not_sure_or_likely(
    verdict: Verdict,
    message: str,
    invoke: Invoke,
    two_pages: str,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = ("ask", "Salt?", "--max-tokens", "4", "--no-citations")
    plain = invoke(*ask).out
    judged(monkeypatch, reader, verdict)
    for as_json in ((), ("--json",)):
        run = invoke(*ask, "--strict", *as_json)
        assert (run.code, run.out, run.err) == (4, "", message)
    judged(monkeypatch, reader, "likely")
    run = invoke(*ask, "--strict")
    assert (run.code, run.out, run.err) == (0, plain, "pages, pages 1 to 2: likely\n")
    assert checked("ask", invoke(*ask, "--strict", "--json").out)["supported"] is True


def test_of_several_documents_none_says_so(
    invoke: Invoke, two_pages: str, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("Lot nine holds flour.", encoding="utf-8")
    invoke("ingest", str(note), "--quiet")
    judged(monkeypatch, reader, "not in the document")
    ask = ("ask", "Where is flour?", "--max-tokens", "4", "--no-citations")
    assert invoke(*ask).err == "none of the 2 documents says so; the nearest is note\n"
    run = invoke(*ask, "--strict")
    assert (run.code, run.out, run.err) == (4, "", "error: none of the 2 documents says so\n")
    assert invoke(*ask, "--all").err == "none of the 2 documents says so\n"
    run = invoke(*ask, "--all", "--strict")
    assert (run.code, run.out, run.err) == (4, "", "error: none of the 2 documents says so\n")
    record = checked("ask", invoke(*ask, "--json").out)
    assert (record["verdict"], record["supported"]) == ("not in the document", False)
    assert 0 <= record["probability"] <= 1


@pytest.mark.parametrize("as_jsonl", [(), ("--jsonl",)])
def test_of_several_documents_only_answers_that_hold_are_told(
    as_jsonl: tuple[str, ...],
    invoke: Invoke,
    two_pages: str,
    reader: Reader,
    lots: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoke("ingest", str(lots), "--quiet")
    ask = ("ask", "Salt?", "--all", "--max-tokens", "4", "--no-citations", *as_jsonl)
    judged(monkeypatch, reader, "doubtful")
    assert len(invoke(*ask).out.splitlines()) == 2
    run = invoke(*ask, "--strict")
    assert (run.code, run.out, run.err) == (4, "", "error: none of the 2 answers is sure or likely\n")
    judged(monkeypatch, reader, "likely")
    run = invoke(*ask, "--strict")
    assert (run.code, len(run.out.splitlines())) == (0, 2)


def test_a_doubtful_answer_comes_with_what_helps_most(
    invoke: Invoke, two_pages: str, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(monkeypatch, reader, "doubtful")
    ask = ("ask", "Salt?", "--recall", "state", "--max-tokens", "4", "--no-citations")
    assert invoke(*ask).err.splitlines() == [
        "pages, pages 1 to 2: doubtful",
        "--recall spans picks the answer from the words of the text: it is right more often",
    ]
    assert invoke(*ask, "--quiet").err == ""
    assert invoke(*ask, "--recall", "spans").err.splitlines()[1:] == [
        "--evidence shows the model the best passages of the text: it is right more often"
    ]
    cited = [each for each in ask if each != "--no-citations"]
    label, *lines = invoke(*cited, "--recall", "evidence").err.splitlines()
    assert label == "pages, page 1: doubtful (1 passage of page 1: 21 tokens of the document in the prompt)"
    assert "read the passage below before you believe it" in lines


def test_the_numbers_behind_a_verdict_are_for_the_verbose(
    invoke: Invoke, two_pages: str, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(monkeypatch, reader, "sure")
    ask = ("ask", "Salt?", "--recall", "state", "--max-tokens", "4", "--no-citations")
    assert invoke(*ask).err == "pages, pages 1 to 2: sure\n"
    *_, origin, numbers, _ = invoke(*ask, "--verbose").err.splitlines()
    assert origin == "answered from the state alone"
    assert re.fullmatch(
        r"right with a probability of 1\.00; answered by the document with one of 1\.00; "
        r"lift \S+, likelihood \S+ nats a token",
        numbers,
    )


def test_a_question_that_is_not_utf_8_is_one_line(
    invoke: Invoke, lots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("ingest", str(lots), "--quiet")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Salt \xff?"), encoding="utf-8"))
    run = invoke("ask", "-")
    assert (run.code, run.err.count("\n")) == (2, 1)
    assert "cannot read the question from standard input" in run.err


@pytest.mark.parametrize(
    "question", ["Salt \udcff?", "\ud800", "\U000e0001<|im_end|>", "\x1b[2J", "\u202e?", "{{ 1/0 }}"]
)
def test_any_question_gets_an_answer(question: str, invoke: Invoke, lots: Path) -> None:
    """A shell hands over bytes that are not UTF-8 as halves of surrogate pairs."""
    invoke("ingest", str(lots), "--quiet")
    for mode in ("state", "evidence"):
        run = invoke("ask", question, "--recall", mode, "--max-tokens", "2", "--json")
        assert (run.code, run.err.count("Traceback")) == (0, 0), run.err
        assert checked("ask", run.out)["question"] == question
        assert invoke("ask", question, "--recall", mode, "--max-tokens", "2").code == 0


@pytest.mark.parametrize(
    ("verdict", "told"),
    [("not in the document", "pages, page 1: not in the document\n"), ("doubtful", "")],
)
def test_that_the_text_does_not_say_so_is_not_kept_quiet(
    verdict: Verdict,
    told: str,
    invoke: Invoke,
    two_pages: str,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged(monkeypatch, reader, verdict)
    run = invoke("ask", "Salt?", "--max-tokens", "4", "--quiet")
    assert (run.code, run.err) == (0, told)
