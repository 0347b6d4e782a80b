from dmdoc.compare.cases import generated_documents
from dmdoc.compare.foreign import posed
from dmdoc.datasets import Question, QuestionedDocument


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


def test_what_another_document_asks_about_its_own_subject_is_foreign_by_name_or_by_attribute() -> None:
    documents = [
        document("a", "Who built the barge Sorrel?", "When was the barge Sorrel sold?"),
        document("b", "Who built the barge Halcyon?", "Who named the barge Halcyon?"),
    ]
    assert kinds(documents, 0) == {
        "Who built the barge Sorrel?": "own",
        "When was the barge Sorrel sold?": "own",
        "Who built the barge Halcyon?": "other name",
        "Who named the barge Sorrel?": "near miss",
    }


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
