import random

from dmdoc.compare.cases import generated_documents
from dmdoc.compare.foreign import posed
from dmdoc.datasets import Question, QuestionedDocument, with_gaps


def document(name: str, *questions: str) -> QuestionedDocument:
    return QuestionedDocument(
        name, (f"The text of {name}.",), tuple(Question(q, ("yes",)) for q in questions)
    )


def kinds(documents: list[QuestionedDocument], number: int) -> dict[str, str]:
    """Question → kind, of one document."""
    return {each.question: each.kind for each in posed(documents, seed=1)[number]}


def test_a_question_of_another_section_of_the_work_is_a_near_miss() -> None:
    documents = [document("Bell § 1", "Who?"), document("Bell § 2", "Where?"), document("Oil § 1", "When?")]
    assert kinds(documents, 0) == {"Who?": "own", "Where?": "near miss", "When?": "other"}


def about(
    name: str, text: str, *asked: tuple[str, str, str], unanswered: tuple[str, ...] = ()
) -> QuestionedDocument:
    """A document that is asked of things: question, thing, attribute."""
    questions = tuple(Question(q, ("yes",), about=thing, attribute=what) for q, thing, what in asked)
    return QuestionedDocument(name, (text,), questions, unanswered)


def test_what_another_document_asks_of_things_is_foreign_by_name_or_by_attribute() -> None:
    documents = [
        about("a", "The Sorrel was built.", ("Who built the Sorrel?", "the Sorrel", "barge.builder")),
        about(
            "b",
            "The Halcyon was built, and the sorrel painted.",
            ("Who built the Halcyon?", "the Halcyon", "barge.builder"),
            ("Who named the Halcyon?", "the Halcyon", "barge.name"),
        ),
        about("c", "Roe sang.", ("What did Roe sing?", "Roe", "singer.song")),
    ]
    assert kinds(documents, 0) == {
        "Who built the Sorrel?": "own",
        "Who built the Halcyon?": "other name",
        "Who named the Sorrel?": "near miss",
        "What did Roe sing?": "other",
    }
    assert "Who built the Sorrel?" not in kinds(documents, 1)  # it speaks of the thing, with a small letter


def test_what_a_form_is_known_to_leave_out_are_its_near_misses() -> None:
    lease = about("a", "Rent: 7", ("What is the rent?", "", "lease.rent"), unanswered=("When does it end?",))
    other = about(
        "b", "Rent: 8", ("What is the rent?", "", "lease.rent"), ("Who lets it?", "", "lease.owner")
    )
    assert kinds([lease, other], 0) == {"What is the rent?": "own", "When does it end?": "near miss"}
    assert kinds([other, lease], 0) == {"What is the rent?": "own", "Who lets it?": "own"}


def test_foreign_questions_have_no_answer_and_are_half_as_many_of_a_kind() -> None:
    documents = generated_documents(6, 4, seed=0)
    for own, asked in zip(documents, posed(documents, seed=0), strict=True):
        assert [each.question for each in asked if each.kind == "own"] == [q.question for q in own.questions]
        foreign = [each for each in asked if each.kind != "own"]
        assert all(each.answers == () for each in foreign)
        assert (
            max(sum(each.kind == kind for each in foreign) for kind in ("near miss", "other name", "other"))
            == 2
        )
        assert not {each.question for each in foreign} & {q.question for q in own.questions}


def test_the_same_seed_draws_the_same() -> None:
    documents = generated_documents(5, 4, seed=0)
    assert posed(documents, seed=2) == posed(documents, seed=2) != posed(documents, seed=3)


def test_sentences_that_are_taken_out_leave_near_misses() -> None:
    text = "The Sorrel was built in 1937. Her captain is Quill. She carries salt, and Quill sells salt."
    asked = {"When?": "1937", "Who?": "Quill", "What?": "salt", "To whom?": "Roe"}
    whole = QuestionedDocument(
        "a", (text + " Roe pays.",), tuple(Question(q, (a,)) for q, a in asked.items())
    )
    seen = set[tuple[str, str]]()
    for seed in range(12):
        made = with_gaps(whole, random.Random(seed))
        left = {each.question for each in made.questions}
        assert all(asked[question] not in made.text for question in made.unanswered)
        assert all(asked[question] in made.text for question in left)
        assert len(made.unanswered) > 0 and len(made.text) < len(whole.text)
        assert not left & set(made.unanswered)
        if "1937" not in made.text:
            seen.update(kinds([made, document("b", "Why?")], 0).items())
    assert ("When?", "near miss") in seen


def test_a_document_that_answers_nothing_is_asked_a_near_miss() -> None:
    empty = QuestionedDocument("a", ("The Sorrel.",), (), unanswered=("When was the Sorrel built?",))
    assert kinds([empty], 0) == {"When was the Sorrel built?": "near miss"}
