"""The built-in prompts as they reach a model, and prompt files that cannot be used."""

from pathlib import Path

import pytest

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
        ("summarise", {"question": "salt"}, "Summarise the document in a few sentences. Focus on: salt"),
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


def test_only_a_variable_tested_with_is_defined_is_optional() -> None:
    tested = Prompt("p", "", "A{% if b is defined %}{{ b }}{% endif %}{% if c is not defined %}C{% endif %}")
    assert tested.required_variables() == frozenset()
    assert tested.fill()[0]["content"] == "AC"
    assert Prompt("p", "", "{% if b %}{{ b }}{% endif %}").required_variables() == {"b"}


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
        (b"{% if %}", "not a valid template"),
        (b"\xff", "cannot read the prompt file"),
    ],
)
def test_files_that_are_no_prompt(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.md"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        load_prompt(str(path))


def test_a_template_that_fails_while_it_is_filled() -> None:
    with pytest.raises(UsageError, match="'p' cannot be filled"):
        Prompt("p", "", "{{ question.author.name }}").fill(question="q")
