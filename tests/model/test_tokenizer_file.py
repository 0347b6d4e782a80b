"""What is read from a model's folder, against what transformers makes of the same files."""

import json
from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateError
from jinja2.exceptions import SecurityError
from tiny import CHATML, tiny_tokenizer
from transformers import AutoTokenizer

from dmdoc.errors import BackboneError
from dmdoc.model.fingerprint import fingerprint_tokenizer
from dmdoc.model.tokenizer_file import read_tokenizer

SAID = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Größe — \U0001f9c2?"}]

TEMPLATES = {
    "chatml": CHATML,
    "blocks and blanks": """{%- for message in messages %}
    {%- if loop.index > 5 %}{%- break %}{%- endif %}
    {{- bos_token }}[{{ message.role | upper }}] {{ message['content'] | trim }}{{ eos_token }}
{%- endfor %}
{% if add_generation_prompt %}
    {% generation %}> {% endgeneration %}
{% endif %}
{{ messages | tojson }}{{ enable_thinking is defined and enable_thinking }}""",
    "time": "{{ strftime_now('%Y') }}{{ messages[0]['content'] }}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fast = tiny_tokenizer()
    fast.bos_token = "<|im_start|>"
    fast.save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=list(TEMPLATES))
def test_templates_say_what_they_say_in_transformers(folder: Path, template: str) -> None:
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    ours, theirs = read_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    options: dict[str, Any] = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": False}
    rendered = ours.apply_chat_template(SAID, **options)
    assert rendered == theirs.apply_chat_template(SAID, **options)
    ids = ours.backend_tokenizer.encode(rendered, add_special_tokens=False).ids
    assert ids == theirs(rendered, add_special_tokens=False)["input_ids"]
    assert ours.decode(ids, skip_special_tokens=True) == theirs.decode(ids, skip_special_tokens=True)
    assert fingerprint_tokenizer(ours) == fingerprint_tokenizer(theirs)


@pytest.mark.parametrize(
    "given",
    ["{{ messages[0].content }}", [{"name": "default", "template": "{{ messages[0].content }}"}]],
)
def test_older_models_have_the_template_beside_the_rest(folder: Path, given: Any) -> None:
    (folder / "chat_template.jinja").unlink()
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": given}))
    ours = read_tokenizer(folder)
    assert ours.apply_chat_template(SAID) == "Be brief."
    assert ours.chat_template == AutoTokenizer.from_pretrained(folder).chat_template


@pytest.mark.parametrize(
    ("template", "refused"),
    [
        ("{{ raise_exception('no system line') }}", TemplateError),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", SecurityError),
        ("{{ messages.append(1) }}", SecurityError),
        ("{% include 'secrets' %}", TypeError),
    ],
)
def test_a_template_reaches_nothing_but_the_conversation(
    folder: Path, template: str, refused: type[Exception]
) -> None:
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(refused):
        read_tokenizer(folder).apply_chat_template(SAID)


def test_without_a_template_it_says_so(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ValueError, match="no chat template"):
        read_tokenizer(folder).apply_chat_template(SAID)


def test_a_length_that_the_file_asks_for_is_not_kept(folder: Path) -> None:
    record = json.loads((folder / "tokenizer.json").read_text())
    record["truncation"] = {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    (folder / "tokenizer.json").write_text(json.dumps(record))
    assert len(read_tokenizer(folder).backend_tokenizer.encode("salt").ids) == 4


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tokenizer.json", "{"),
        ("tokenizer_config.json", "["),
        ("tokenizer_config.json", '{"eos_token": {"a": 1}}'),
    ],
)
def test_damage_is_one_line(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(BackboneError, match="cannot read the tokenizer in"):
        read_tokenizer(folder)
