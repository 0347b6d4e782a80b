"""The built-in prompts as they reach a model, and prompt files that cannot be used."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmdoc.errors import UsageError
from dmdoc.model.prompt import Prompt, list_prompts, load_prompt

SYSTEM = {"role": "system", "content": "You have read a document. Answer from memory."}


@pytest.mark.parametrize(
    ("name", "variables", "user"),
    [
        ("answer", {"question": "Who sails?"}, "Who sails?"),
        ("recite", {}, "Recite the document."),
        ("continue", {"start": "The ship"}, "Continue: The ship"),
        ("list", {"question": "the ships"}, "List the ships. One item a line."),
        ("summarise", {}, "Summarise the document in a few sentences."),
        ("summarise", {"question": "salt"}, "Summarise the document in a few sentences.\nFocus on: salt"),
    ],
)
def test_built_in_prompts(name: str, variables: dict[str, str], user: str) -> None:
    assert load_prompt(name).fill(**variables) == [SYSTEM, {"role": "user", "content": user}]


def test_a_turn_is_one_message() -> None:
    messages = load_prompt("turn").fill(question="Who?", answer="Ivo.")
    assert messages == [{"role": "user", "content": "User: Who?\nAssistant: Ivo."}]


def test_every_built_in_prompt_loads() -> None:
    assert list_prompts() == ("answer", "continue", "evidence", "full", "list", "recite", "summarise", "turn")
    for name in list_prompts():
        assert load_prompt(name).name == name


def test_values_are_not_templates_and_are_not_escaped() -> None:
    question = "What is {{ x }} & <y>?"
    assert load_prompt("answer").fill(question=question)[1]["content"] == question


def test_all_missing_variables_are_named_at_once() -> None:
    prompt = Prompt("mine", system="For {{ reader }}.", user="{{ question }} {{ style }} {{ question }}")
    with pytest.raises(UsageError, match="'mine' needs a value for question, reader, style;"):
        prompt.fill()
    with pytest.raises(UsageError, match="needs a value for style;"):
        prompt.fill(question="q", reader="r")


def test_a_line_with_an_optional_blank_is_left_out_where_it_is_not_given() -> None:
    prompt = Prompt("p", "", "A\nB {{ b? }}\n{{a}} C")
    assert prompt.required_variables() == {"a"}
    assert prompt.uses("b") and not prompt.uses("c")
    assert prompt.fill(a="1")[0]["content"] == "A\n1 C"
    assert prompt.fill(a="1", b="2")[0]["content"] == "A\nB 2\n1 C"


@pytest.mark.parametrize(
    "wrong",
    [
        "{{ 1/0 }}",
        "{{ question.author.name }}",
        "{{ question|upper }}",
        "{{ cycler.__init__.__globals__.os.popen('touch hacked').read() }}",
        "{{ lipsum() }}",
        "{{ question['__class__'] }}",
        "{{ }}",
        "{{ question",
        "{{ question\n}}",
        "{{ zahl\u0661 }}",
        "{% if %}",
        "{% include '/etc/passwd' %}",
        "{% for i in range(10) %}x{% endfor %}",
        "{# a remark #}",
    ],
)
def test_what_is_no_blank_is_refused_in_one_line(wrong: str) -> None:
    for system, user in ((wrong, "{{ question }}"), ("", f"Say {wrong}")):
        with pytest.raises(UsageError, match=r"prompt 'p' has .*a prompt has blanks such as") as raised:
            Prompt("p", system, user)
        assert "\n" not in str(raised.value)


@given(st.text(), st.text(st.sampled_from("{}%# ?_\nquestiona1/0.()'|")))
def test_any_text_is_a_prompt_or_one_line(question: str, written: str) -> None:
    """What is filled in stands there as it is; nothing that is written is carried out."""
    try:
        prompt = Prompt("p", "", written)
    except UsageError as error:
        assert "\n" not in str(error)
        return
    names = {name: question for name in prompt.required_variables()}
    (message,) = prompt.fill(**names)
    assert names or message["content"] in written or "?" in written
    assert not names or question in message["content"]


def test_a_prompt_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_text("Be brief.\n\n ---\nSay {{ word }}.\n---\nNow.\n", encoding="utf-8")
    prompt = load_prompt(str(path))
    assert prompt == Prompt(str(path), "Be brief.", "Say {{ word }}.\n---\nNow.")


def test_a_file_does_not_hide_a_built_in_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "answer").write_text("Mine.", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_prompt("answer").user == "{{ question }}"
    assert load_prompt("./answer").user == "Mine."


def test_a_missing_prompt_names_the_built_in_ones(tmp_path: Path) -> None:
    for missing in ("anwser", str(tmp_path / "none.md"), str(tmp_path)):
        with pytest.raises(
            UsageError, match="answer, continue, evidence, full, list, recite, summarise, turn"
        ):
            load_prompt(missing)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no user part"),
        (b"Only a system part.\n---\n", "no user part"),
        (b"{% if %}", "nothing else in such braces"),
        (b"x" * (2**20 + 1), "more than 1,048,576 bytes"),
        (b"\xff", "cannot read the prompt file"),
    ],
)
def test_files_that_are_no_prompt(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.md"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        load_prompt(str(path))
