import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dmdoc.datasets import Question, QuestionedDocument, deal, read_dataset, read_questions, select
from dmdoc.errors import UsageError

LINES = {
    "doc_id": "7",
    "title": "Lots",
    "sections": ["Lot seven holds salt.", "Lot eight holds brine. It was sold in May."],
    "qas": [
        {"question": "What is in lot seven?", "answers": ["salt", "some salt", "salt"], "section": 0},
        {"question": "When was lot eight sold?", "answers": ["May"], "section": None},
        {"question": "What is in lot nine?", "answers": [], "section": None},
    ],
}
SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Lots",
            "paragraphs": [
                {"context": "Nothing here.", "qas": []},
                {
                    "context": "Salt, then salt again.",
                    "qas": [
                        {
                            "id": "1",
                            "question": " What came again? ",
                            "answers": [
                                {"text": "salt", "answer_start": 11},
                                {"text": "salt", "answer_start": 11},
                                {"text": "salt again", "answer_start": 11},
                            ],
                        },
                        {"id": "2", "question": "What else?", "answers": [], "is_impossible": True},
                    ],
                },
            ],
        }
    ],
}
LOCOMO = [
    {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ada",
            "speaker_b": "Bo",
            "session_10_date_time": "1:00 pm on 9 May, 2023",
            "session_10": [{"speaker": "Bo", "dia_id": "D10:1", "text": "It was in 2022."}],
            "session_2_date_time": "1:56 pm on 8 May, 2023",
            "session_2": [
                {"speaker": "Ada", "dia_id": "D2:1", "text": "Hi!"},
                {"speaker": "Bo", "dia_id": "D2:2", "text": "Look!", "blip_caption": "a grey seal"},
            ],
            "session_3_date_time": "never",
        },
        "qa": [
            {"question": "What did Bo show?", "answer": "a seal", "evidence": ["D2:2"], "category": 4},
            {"question": "When?", "answer": 2022, "evidence": ["D10:1; D2:1"], "category": 1},
            {"question": "Why?", "adversarial_answer": "no", "evidence": ["D2:1"], "category": 5},
        ],
    }
]
QASPER = {
    "1911.1": {
        "title": "Of salt",
        "abstract": "We study salt.",
        "full_text": [
            {"section_name": "Data", "paragraphs": ["Two ponds.", "Grete is the largest. Ada dug it."]},
            {"section_name": None, "paragraphs": ["The end."]},
        ],
        "qas": [
            {
                "question": "Which pond is the largest?",
                "answers": [
                    {"answer": _}
                    for _ in (
                        {
                            "extractive_spans": ["Grete", "Ada"],
                            "evidence": ["Grete is the largest. Ada dug it."],
                        },
                        {
                            "free_form_answer": "the pond Grete",
                            "extractive_spans": [],
                            "evidence": ["Two ponds."],
                        },
                        {"unanswerable": True, "extractive_spans": [], "evidence": []},
                    )
                ],
            },
            {
                "question": "Is it salt?",
                "answers": [{"answer": {"yes_no": False, "evidence": ["FLOAT SELECTED: 1"]}}],
            },
            {"question": "Why?", "answers": [{"answer": {"unanswerable": True, "evidence": []}}]},
        ],
    }
}


def write(path: Path, content: Any, *, lines: bool = False) -> Path:
    text = "\n".join(map(json.dumps, content)) if lines else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def only(path: Path) -> QuestionedDocument:
    (document,) = read_dataset(path)
    return document


class TestFormats:
    """Each is recognised by what is in it; the name of the file says nothing."""

    def test_json_lines(self, tmp_path: Path) -> None:
        document = only(write(tmp_path / "data.json", [LINES, {**LINES, "qas": []}], lines=True))
        assert document.name == "Lots"
        assert document.text == "Lot seven holds salt.\n\nLot eight holds brine. It was sold in May."
        assert document.questions == (
            Question("What is in lot seven?", ("salt", "some salt"), 0),
            Question("When was lot eight sold?", ("May",)),
        )

    def test_json_lines_packed_or_only_one(self, tmp_path: Path) -> None:
        packed = tmp_path / "data.jsonl.gz"
        packed.write_bytes(gzip.compress(json.dumps(LINES).encode()))
        assert only(packed) == only(write(tmp_path / "one.jsonl", LINES))

    def test_squad(self, tmp_path: Path) -> None:
        document = only(write(tmp_path / "dev-v2.0.json", SQUAD))
        assert document.sections == ("Nothing here.", "Salt, then salt again.")
        assert document.questions == (Question("What came again?", ("salt", "salt again"), 1, 11),)
        assert document.position(document.questions[0]) == pytest.approx(26 / 37)

    def test_squad_without_offsets(self, tmp_path: Path) -> None:
        (paragraph,) = [p for p in SQUAD["data"][0]["paragraphs"] if p["qas"]]  # type: ignore[index]
        bare = [{"question": "What came again?", "answers": [{"text": "salt again"}]}]
        content = {"data": [{"title": "Lots", "paragraphs": [{**paragraph, "qas": bare}]}]}
        document = only(write(tmp_path / "v1.json", content))
        assert document.position(document.questions[0]) == pytest.approx(11 / 22)

    def test_locomo(self, tmp_path: Path) -> None:
        document = only(write(tmp_path / "locomo10.json", LOCOMO))
        assert document.name == "conv-1"
        assert document.sections == (
            "Date: 1:56 pm on 8 May, 2023\nAda: Hi!\nBo: Look! [shows a grey seal]",
            "Date: 1:00 pm on 9 May, 2023\nBo: It was in 2022.",
        )
        shown, when = document.questions
        assert (shown.answers, shown.section) == (("a seal",), 0)
        assert document.sections[0][shown.offset :] == "Bo: Look! [shows a grey seal]"
        # Its evidence is in two sessions, so that neither holds the answer.
        assert (when.answers, when.section, when.offset) == (("2022",), None, None)

    def test_qasper(self, tmp_path: Path) -> None:
        document = only(write(tmp_path / "qasper-dev-v0.3.json", QASPER))
        assert document.name == "Of salt"
        assert document.sections == (
            "We study salt.",
            "Data\n\nTwo ponds.\n\nGrete is the largest. Ada dug it.",
            "The end.",
        )
        largest, salt = document.questions
        assert largest.answers == ("Grete, Ada", "the pond Grete")
        assert (largest.section, largest.offset) == (1, len("Data\n\nTwo ponds.\n\n"))
        assert (salt.answers, salt.section) == (("No",), None)


class TestReading:
    def test_a_folder_is_all_its_files(self, tmp_path: Path) -> None:
        write(tmp_path / "a.jsonl", LINES)
        write(tmp_path / "b.json", LOCOMO)
        write(tmp_path / "c.json", LINES)
        (tmp_path / "README.md").write_text("not data")
        assert [document.name for document in read_dataset(tmp_path)] == ["Lots", "conv-1", "Lots (2)"]

    def test_no_two_documents_have_one_name(self, tmp_path: Path) -> None:
        names = ("Lots (2)", "Lots", "Lots", "Lots")
        lines = [json.dumps({**LINES, "title": name}) for name in names]
        (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
        found = [document.name for document in read_dataset(tmp_path)]
        assert found == ["Lots (2)", "Lots", "Lots (3)", "Lots (4)"]

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            ("{}", "not in a known format; known are JSON lines of documents, SQuAD, LoCoMo, QASPER"),
            ("", "not in a known format"),
            ('{"sections": ["a"], "qas": []}\nnonsense', r"line 2 is not JSON"),
            ('{"sections": ["a"], "qas": [{"answers": ["b"]}]}', r"document 1: lacks 'question'"),
            (
                '{"sections": ["a"], "qas": [{"question": "q", "answers": ["b"], "section": 1}]}',
                "names section 1",
            ),
            ('{"sections": ["a"], "qas": [{"question": " ", "answers": ["b"]}]}', "a question is blank"),
            ('{"sections": [" "], "qas": [{"question": "q", "answers": ["b"]}]}', "questions but no text"),
            ('{"data": [{"title": "t", "paragraphs": [7]}]}', r"SQuAD\), document 1"),
            ('{"sections": ["a"], "qas": []}', "no document has a question"),
            ('{"sections": ["a"], "qas": null}', r"document 1: is built otherwise: 'NoneType'"),
            ('{"sections": "abc", "qas": []}', "sections are not a list of texts"),
            (
                '{"sections": ["a"], "qas": [{"question": "q", "answers": "abc"}]}',
                "answers are not a list of texts",
            ),
            ('{"sections": ["a"], "qas": [{"question": 7, "answers": ["b"]}]}', "blank or not a text: 7"),
            (
                '{"data": [{"title": "t", "paragraphs": [{"context": "abc", "qas": [{"question": "q", '
                '"answers": [{"text": "c", "answer_start": 3}]}]}]}]}',
                "stand after 3 characters of a text of 3",
            ),
            (
                '{"p": {"full_text": [{"section_name": "s", "paragraphs": "abc"}], "qas": []}}',
                "paragraphs are not",
            ),
            ("[" * 100_000, "line 1 is not JSON"),
        ],
    )
    def test_what_cannot_be_used_is_named(self, tmp_path: Path, content: str, complaint: str) -> None:
        (tmp_path / "data.json").write_text(content, encoding="utf-8")
        with pytest.raises(UsageError, match=complaint):
            read_dataset(tmp_path / "data.json")

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot read the dataset"):
            read_dataset(tmp_path / "none.json")
        with pytest.raises(UsageError, match=r"no file ending in \.json"):
            read_dataset(tmp_path)
        (tmp_path / "torn.json.gz").write_bytes(gzip.compress(b"{}")[:-9])
        with pytest.raises(UsageError, match="cannot read the dataset"):
            read_dataset(tmp_path)


class TestPosition:
    document = QuestionedDocument("d", ("salt and brine", "salt"), ())

    @pytest.mark.parametrize(
        ("question", "position"),
        [
            (Question("q", ("brine",)), 9 / 20),
            (Question("q", ("salt",)), None),  # it stands in two places
            (Question("q", ("tar", "BRINE")), 9 / 20),
            (Question("q", ("salt",), 1), 16 / 20),
            (Question("q", ("tar",), 1), 18 / 20),  # the middle of its section
            (Question("q", ("tar",), 0, 5), 5 / 20),
        ],
    )
    def test_where_an_answer_stands(self, question: Question, position: float | None) -> None:
        assert self.document.position(question) == position

    def test_the_middle_of_a_whole_document_says_nothing(self) -> None:
        alone = QuestionedDocument("d", ("salt and brine",), ())
        assert alone.position(Question("q", ("tar",), 0)) is None


def asked(name: str, count: int, section: int | None = 0) -> QuestionedDocument:
    questions = tuple(Question(f"{name}{number}", ("a",), section) for number in range(count))
    return QuestionedDocument(name, ("text of " + name,), questions)


class TestSelection:
    def test_the_seed_decides(self) -> None:
        documents = [asked(name, 9) for name in "abcdef"]
        first, again, other = (
            select(documents, unit="document", limit=7, seed=seed).documents for seed in (1, 1, 2)
        )
        assert first == again != other

    def test_a_limit_spreads_over_the_documents(self) -> None:
        chosen = select([asked("a", 40), asked("b", 6), asked("c", 40)], unit="document", limit=18, seed=0)
        counts = {document.name: len(document.questions) for document in chosen.documents}
        assert sum(counts.values()) == 18
        assert counts["b"] >= 5 and min(counts["a"], counts["c"]) >= 5
        few = select([asked("a", 40), asked("b", 6), asked("c", 40)], unit="document", limit=3, seed=0)
        assert [len(document.questions) for document in few.documents] == [3]

    def test_without_a_limit_everything_is_asked(self) -> None:
        chosen = select([asked("a", 40), asked("b", 6)], unit="document", limit=None, seed=0)
        assert sorted(len(document.questions) for document in chosen.documents) == [6, 40]

    def test_sections_become_documents(self, tmp_path: Path) -> None:
        chosen = select(read_dataset(write(tmp_path / "a.jsonl", LINES)), unit="section", limit=None, seed=0)
        (section,) = chosen.documents
        assert (section.name, section.text) == ("Lots § 1", "Lot seven holds salt.")
        assert section.questions == (Question("What is in lot seven?", ("salt", "some salt"), 0),)
        assert chosen.unplaced == 1

    def test_sections_need_a_dataset_that_names_them(self) -> None:
        with pytest.raises(UsageError, match="ask about whole documents"):
            select([asked("a", 3, section=None)], unit="section", limit=None, seed=0)


@pytest.mark.parametrize(
    ("sizes", "limit", "at_once", "shares"),
    [
        ([9, 9, 9], 7, 5, [5, 2, 0]),
        ([9, 2, 9], 14, 5, [7, 2, 5]),
        ([9, 2, 9], 5, 1, [2, 2, 1]),
        ([1, 2], 50, 5, [1, 2]),
        ([0, 3], 2, 1, [0, 2]),
    ],
)
def test_dealing(sizes: list[int], limit: int, at_once: int, shares: list[int]) -> None:
    assert deal(sizes, limit, at_once=at_once) == shares


class TestQuestions:
    def test_from_json_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "questions.jsonl"
        path.write_text(
            '{"question": "Q1", "answer": 7, "page": 2}\n\n{"question": "Q2", "answers": ["B", "C"]}\n'
        )
        assert read_questions(path) == (Question("Q1", ("7",), 1), Question("Q2", ("B", "C")))

    @pytest.mark.parametrize(
        "line",
        [
            "nonsense",
            '{"question": "Q"}',
            "[]",
            '{"answer": "A"}',
            '{"question": "", "answer": "A"}',
            '{"question": "Q", "answers": "salt"}',
            '{"question": "Q", "answer": null}',
            '{"question": null, "answer": "A"}',
            '{"question": "Q", "answer": "A", "page": 0}',
            '{"question": "Q", "answer": "A", "page": "2"}',
            "[" * 100_000,
        ],
        ids=range(11),
    )
    def test_a_line_that_is_no_question_is_named(self, tmp_path: Path, line: str) -> None:
        path = tmp_path / "questions.jsonl"
        path.write_text('{"question": "Q1", "answer": "A"}\n' + line)
        with pytest.raises(UsageError, match=r"questions\.jsonl line 2"):
            read_questions(path)

    def test_a_missing_file_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot read the questions"):
            read_questions(tmp_path / "none.jsonl")
