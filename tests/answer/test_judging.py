"""Signals of an answer, and the verdict that is made of them."""

import math
from dataclasses import replace
from functools import partial

import pytest
from judges_of_tests import always
from tiny import tiny_reader

from dmdoc.answer.judging import best_verdict, check_judgement, check_that_answers_are_judged, judge
from dmdoc.answer.quoting import Quoted
from dmdoc.answer.recall import Recalled, recall
from dmdoc.answer.signals import FARTHEST_LEAD, signals
from dmdoc.answer.spans import Choice, Span
from dmdoc.answer.statements import Statement
from dmdoc.answer.weighing import NO_ANSWER
from dmdoc.errors import AdapterError, UnsupportedError, UsageError
from dmdoc.ingest.sections import write_text
from dmdoc.memory.judges import Judge, Judgement, Logistic, Verdict
from dmdoc.memory.state import MemoryState
from dmdoc.model.prompt import RecallMode
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

PAGES = ("Lot seven holds salt.", "The barge Sorrel was built in 1937 by Ada Quill.")
SHORT = GenerationSettings(max_tokens=4)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader()


@pytest.fixture(scope="module")
def state(reader: Reader) -> MemoryState:
    return write_text("\n\n".join(PAGES), reader)


def answered(
    question: str | None, reader: Reader, state: MemoryState, mode: RecallMode = "state"
) -> Recalled:
    return recall(question or "", reader, state, lambda: PAGES, settings=SHORT, mode=mode)


def said(recalled: Recalled, text: str) -> Recalled:
    return replace(recalled, answer=replace(recalled.answer, text=text))


@pytest.mark.parametrize(
    ("question", "words", "names"),
    [
        ("What does lot seven hold?", 1.0, 1.0),
        ("What do the lots hold?", 1.0, 1.0),
        ("When was the barge Sorrel built?", 1.0, 1.0),
        ("When was the barge Halcyon built?", 2 / 3, 0.0),
        ("Which dog sleeps there?", 0.0, 1.0),
        ("Please list all lots.", 1.0, 1.0),
        ("Was it built in 1937 or in 1938?", 2 / 3, 0.5),
        ("?", 1.0, 1.0),
    ],
)
def test_the_words_and_names_of_a_question_are_sought_in_the_text(
    question: str, words: float, names: float, reader: Reader, state: MemoryState
) -> None:
    found = signals(question, answered(question, reader, state), state, PAGES, reader)
    assert (found.words, found.names) == pytest.approx((words, names))


@pytest.mark.parametrize(
    ("question", "answer", "fits"),
    [
        ("When was it built?", "in 1937", 1.0),
        ("How many lots are there?", "seven", 1.0),
        ("How many lots are there?", "salt", 0.0),
        ("Who built it?", "Ada Quill", 1.0),
        ("Who built it?", "the salt", 0.0),
        ("Why does it hold?", "salt", 0.5),
    ],
)
def test_an_answer_is_of_the_kind_that_is_asked_for(
    question: str, answer: str, fits: float, reader: Reader, state: MemoryState
) -> None:
    recalled = said(answered(question, reader, state), answer)
    assert signals(question, recalled, state, PAGES, reader).fits == fits


@pytest.mark.parametrize(
    ("answer", "agreement"), [("built in 1937!", 1.0), ("built 1937", 0.0), ("lot", 1.0)]
)
def test_free_words_agree_where_they_stand_in_the_text(
    answer: str, agreement: float, reader: Reader, state: MemoryState
) -> None:
    recalled = said(answered("When?", reader, state), answer)
    assert signals("When?", recalled, state, PAGES, reader).agreement == agreement


def test_a_chosen_phrase_brings_its_own_signals(reader: Reader, state: MemoryState) -> None:
    question = "When was the barge Sorrel built?"
    recalled = answered(question, reader, state, "spans")
    assert recalled.choice is not None and recalled.choice.span is not None
    span, found = recalled.choice.span, signals(question, recalled, state, PAGES, reader)
    assert found.likelihood == max(-6.0, span.log_likelihood)
    assert 0 <= found.agreement <= 1
    free = replace(recalled, choice=replace(recalled.choice, free=span.text))
    assert signals(question, free, state, PAGES, reader).agreement == 1
    assert -1 <= found.match <= 1


def test_there_is_a_verdict_where_the_way_has_a_judge(reader: Reader, state: MemoryState) -> None:
    judged = replace(reader, judges={"spans": always("likely")})
    expected: dict[RecallMode, Verdict | None] = {"state": None, "spans": "likely", "evidence": None}
    for mode, verdict in expected.items():
        recalled = answered("Which barge?", judged, state, mode)
        found = judge("Which barge?", recalled, state, lambda: PAGES, judged)
        assert (None if found is None else found.verdict) == verdict
    shown = replace(reader, judges={"evidence": always("likely")})
    recalled = answered("Which barge?", shown, state, "evidence")
    assert (found := judge("Which barge?", recalled, state, lambda: PAGES, shown)) is not None
    assert found.verdict == "likely"
    free = replace(recalled, choice=None)  # in the model's own words
    assert judge("Which barge?", free, state, lambda: PAGES, shown) is None
    recalled = answered("Which barge?", judged, state, "spans")
    assert judge(None, recalled, state, lambda: PAGES, judged) is None


def test_the_text_stays_closed_where_there_is_no_verdict(reader: Reader, state: MemoryState) -> None:
    recalled = answered("Which barge?", reader, state)
    assert judge("Which barge?", recalled, state, lambda: pytest.fail("opened"), reader) is None


@pytest.mark.parametrize(
    ("verdict", "among", "message"),
    [
        ("not in the document", 9, "none of the 9 documents says so"),
        ("not in the document", 1, "lots does not say so"),
        ("doubtful", 9, "the answer from lots is doubtful: 12% likely to be right"),
    ],
)
def test_strict_says_why(verdict: Verdict, among: int, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        check_judgement(Judgement(verdict, 0.12, 0.5), "lots", among)


def test_what_is_sure_or_likely_passes() -> None:
    check_judgement(Judgement("sure", 0.95, 1.0), "lots", 1)
    check_judgement(Judgement("likely", 0.5, 1.0), "lots", 1)
    with pytest.raises(UnsupportedError, match="nobody has measured how far such an answer"):
        check_judgement(None, "lots", 1)


def test_strict_needs_a_judge(reader: Reader) -> None:
    with pytest.raises(UsageError, match=r"nobody has measured .* tiny-adapter .* calibrate the adapter"):
        check_that_answers_are_judged("state", reader)
    with pytest.raises(UsageError, match="only answers from the state are judged, not those from full"):
        check_that_answers_are_judged("full", replace(reader, judges={"state": always("sure")}))
    check_that_answers_are_judged("state", replace(reader, judges={"state": always("sure")}))


@pytest.mark.parametrize("verdict", ["sure", "doubtful", "not in the document"])
def test_of_sentences_it_is_judged_whether_the_document_answers_at_all(
    verdict: Verdict, reader: Reader, state: MemoryState
) -> None:
    question = "Was the barge Sorrel built in 1937?"
    judged = replace(reader, judges={"spans": always(verdict)})
    recalled = answered(question, judged, state, "spans")
    assert recalled.choice is not None and recalled.choice.quoted
    found = judge(question, recalled, state, lambda: PAGES, judged)
    assert found is not None
    assert found.verdict == (verdict if verdict == "not in the document" else "likely")
    assert found.probability == found.answerable


@pytest.mark.parametrize(
    ("question", "verdict"),
    [
        ("When does the lease begin?", "sure"),
        ("When does the lease end?", "doubtful"),
        ("What was the previous date of the lease?", "not in the document"),
    ],
)
def test_what_speaks_of_the_opposite_is_not_likely(question: str, verdict: Verdict, reader: Reader) -> None:
    pages = ("The lease begins on 1 April 2024.", "Either party may end it by a note.")
    state, judged = write_text(pages[0], reader), replace(reader, judges={"spans": always("sure")})
    recalled = recall(question, judged, state, lambda: pages[:1], settings=SHORT, mode="spans")
    found = judge(question, recalled, state, lambda: pages, judged)
    assert found is not None and found.verdict == verdict
    assert (found.probability > 0.5) == (verdict == "sure")


@pytest.mark.parametrize(
    ("question", "verdict"),
    [
        ("When does the museum open?", "sure"),
        ("When does the theatre open?", "doubtful"),
        ("How much does the ferry cost?", "doubtful"),
        ("How old is Ada Quill?", "doubtful"),
        ("What is the e-mail address of Ada Quill?", "doubtful"),
        ("When does the harbour open?", "sure"),
    ],
)
def test_what_is_said_of_something_else_is_not_likely(
    question: str, verdict: Verdict, reader: Reader
) -> None:
    pages = ("Harbour news\n\nThe museum opens at 10:30. The tour costs 12 crowns. Dear Ada Quill,",)
    state, judged = write_text(pages[0], reader), replace(reader, judges={"spans": always("sure")})
    recalled = recall(question, judged, state, lambda: pages, settings=SHORT, mode="spans")
    assert recalled.choice is not None and recalled.choice.span is not None
    found = judge(question, recalled, state, lambda: pages, judged)
    assert found is not None and found.verdict == verdict, recalled.answer.text


def test_a_cell_has_the_signals_of_its_row_and_heading(reader: Reader) -> None:
    pages = ("- Article: Oak plank; Price: 38.50\n- Article: Pine board; Price: 12.90",)
    state = write_text(pages[0], reader)
    named, other = (
        signals(
            asked,
            recall(asked, reader, state, lambda: pages, settings=SHORT, mode="spans"),
            state,
            pages,
            reader,
        )
        for asked in ("What is the price of the oak plank?", "Who sold walnut shelves?")
    )
    assert (named.label, named.covers, named.rank) == pytest.approx((1, 1, 1))
    assert other.label < 1
    assert -FARTHEST_LEAD < named.lead <= FARTHEST_LEAD


def test_a_phrase_is_held_against_the_likeliest_other_and_against_what_is_asked(reader: Reader) -> None:
    pages = ("The barge Sorrel lies in Marlbridge. The barge Sorrel carries grain.",)
    state, asked = write_text(pages[0], reader), "Where does the barge Sorrel lie?"
    recalled = recall(asked, reader, state, lambda: pages, settings=SHORT, mode="spans")
    assert recalled.choice is not None and recalled.choice.span is not None
    chosen = recalled.choice.span
    others = [each.log_likelihood for each in recalled.choice.read if each.text != chosen.text]
    found = signals(asked, recalled, state, pages, reader)
    assert found.margin == pytest.approx(chosen.log_likelihood - max(others))
    together = math.log(sum(math.exp(each.score) for each in recalled.choice.read)) - NO_ANSWER
    assert found.outweighs == pytest.approx(max(-FARTHEST_LEAD, min(FARTHEST_LEAD, together)))
    poor = replace(recalled, choice=replace(recalled.choice, read=(_unlikely(chosen),)))
    assert signals(asked, poor, state, pages, reader).outweighs < found.outweighs
    assert (found.places, found.counts) == (1, 0)
    assert (found.length, found.echo, found.noun) == (
        chosen.measures.words,
        chosen.measures.echo,
        chosen.measures.noun,
    )
    other = signals("How many barges are there?", recalled, state, pages, reader)
    assert (other.places, other.counts) == (0, 1)


def _unlikely(span: Span) -> Span:
    return replace(span, measures=span.measures._replace(likelihood=-20.0))


def test_a_phrase_that_had_no_other_beside_it_leads_nothing(reader: Reader) -> None:
    found = []
    for page in ("Sorrel: 1937", "Sorrel: 1937. Halcyon: Ada Quill."):
        asked, state = "When was the Sorrel built?", write_text(page, reader)
        recalled = recall(
            asked, reader, state, partial(tuple[str, ...], (page,)), settings=SHORT, mode="spans"
        )
        assert recalled.choice is not None
        alone = replace(recalled, choice=replace(recalled.choice, read=recalled.choice.read[:1]))
        found.append(signals(asked, alone, state, (page,), reader).lead)
        assert recalled.choice.candidates == 1 or signals(asked, recalled, state, (page,), reader).lead != 0
    assert found == [0, 0]


@pytest.mark.parametrize(
    ("question", "verdict"),
    [
        ("How often does the ferry sail?", "sure"),
        ("How often does the tour start?", "doubtful"),
        ("Who is the captain of the Halcyon?", "not in the document"),
        ("Who is the captain of the ferry?", "sure"),
    ],
)
def test_what_cannot_be_it_is_not_believed(question: str, verdict: Verdict, reader: Reader) -> None:
    pages = ("Ada Quill is the captain of the ferry. The ferry sails twice a day. The tour starts at noon.",)
    state, judged = write_text(pages[0], reader), replace(reader, judges={"spans": always("sure")})
    recalled = recall(question, judged, state, lambda: pages, settings=SHORT, mode="spans")
    found = judge(question, recalled, state, lambda: pages, judged)
    assert found is not None and found.verdict == verdict, recalled.answer.text
    assert (found.probability >= 0.9) == (verdict == "sure")


@pytest.mark.parametrize(
    ("question", "said", "beside"),
    [
        ("Who built the barge Sorrel?", 1.0, 0.0),
        ("Who painted the barge Sorrel?", 0.5, 0.0),
        ("Who painted the ferry?", 0.0, 1.0),
    ],
)
def test_what_is_asked_of_a_thing_may_stand_nowhere(
    question: str, said: float, beside: float, reader: Reader, state: MemoryState
) -> None:
    pages = ("A harbour.", PAGES[1])
    recalled = recall(question, reader, state, lambda: pages, settings=SHORT, mode="spans")
    found = signals(question, recalled, state, pages, reader)
    assert (found.said, found.beside) == (said, beside)
    named = signals(question, recalled, state, pages, reader, name="painted-ferry")
    assert (named.said, named.beside) == (1, 0)


def test_one_line_alone_is_no_count_to_believe() -> None:
    line = Statement(0, 1, 0, "Windows: Roe cleans those of the hall.")
    for lines, best in (((line,), "doubtful"), ((line, line), None)):
        choice = Choice(None, "", 0, quoted=Quoted(lines, len(lines)))
        assert best_verdict("How many windows does the hall have?", choice, [line.text]) == best


def test_an_answer_in_the_model_s_own_words_has_no_signals_of_a_phrase(reader: Reader) -> None:
    state = write_text(PAGES[0], reader)
    recalled = answered("Who?", reader, state, "state")
    found = signals("Who?", recalled, state, PAGES, reader)
    assert (found.label, found.covers, found.rank, found.lead) == (0, 0, 0, -FARTHEST_LEAD)


def test_a_judge_that_looks_at_something_else_is_named(reader: Reader, state: MemoryState) -> None:
    stranger = Judge(Logistic(0.0, {"words": 1.0}), Logistic(0.0, {"mood": 1.0}), 0.1, 0.5, 0.9)
    judged = replace(reader, judges={"state": stranger})
    recalled = answered("What does lot seven hold?", judged, state)

    with pytest.raises(
        AdapterError, match=r"look at 'mood', which this dmdoc does not measure; remove judges\.json"
    ):
        judge("What does lot seven hold?", recalled, state, lambda: PAGES, judged)
