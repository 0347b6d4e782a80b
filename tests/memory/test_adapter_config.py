import json
from pathlib import Path
from typing import Any

import pytest

from dmdoc.errors import AdapterError
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.adapter_config import (
    CONFIG_FILE,
    RETIRED_FIELDS,
    parse_config,
    read_config,
    what_an_adapter_is,
    write_config,
)

PUBLIC = Path(__file__).parents[1] / "reference" / "qwen3-tsw"
PUBLIC_CONFIG = PUBLIC / CONFIG_FILE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_config(DeltaMemConfig(rank=2, delta_heads=("q", "v")), tmp_path)
    return tmp_path


def test_what_is_written_is_read(folder: Path) -> None:
    assert read_config(folder) == DeltaMemConfig(rank=2, delta_heads=("q", "v"))


def test_the_public_configuration_is_understood_whole() -> None:
    assert read_config(PUBLIC) == DeltaMemConfig()
    assert RETIRED_FIELDS.keys() <= json.loads(PUBLIC_CONFIG.read_text()).keys()


@pytest.mark.parametrize("field", RETIRED_FIELDS)
def test_every_retired_field_is_refused_by_name(field: str) -> None:
    public = json.loads(PUBLIC_CONFIG.read_text())
    other: Any = {bool: not public[field], str: "other", list: [0]}.get(type(public[field]))
    public[field] = public[field] + 1 if other is None else other

    with pytest.raises(AdapterError, match=f"retired field {field} is"):
        parse_config(public)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"rank": "8"}, "rank must be int, got '8'"),
        ({"rank": True}, "rank must be int"),
        ({"couple_lambda": 1}, "couple_lambda must be bool"),
        ({"alpha": None}, "alpha must be float"),
        ({"delta_heads": "qo"}, "delta_heads must be"),
        ({"delta_heads": [1]}, "delta_heads"),
        ({"delta_heads": [["q"]]}, "delta_heads"),
        ({"target_layers": ["0"]}, "target_layers"),
        ({"target_layers": [0.5]}, "target_layers"),
        ({"state_update_mode": "tsw"}, "state_update_mode must be one of"),
        ({"peft_type": "LORA"}, "unknown field peft_type"),
        ({"dmdoc": {"bogus": 1}}, "unknown field dmdoc.bogus"),
        ({"dmdoc": {"rank": 4}}, "unknown field dmdoc.rank"),
        ({"write_budget": 100}, "unknown field write_budget"),
    ],
)
def test_a_field_that_is_unknown_or_wrong_is_refused_by_name(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(AdapterError, match=message):
        parse_config(raw)


def test_an_integer_passes_where_a_number_is_needed() -> None:
    assert parse_config({"alpha": 8}).alpha == 8.0


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"dmdoc": 3}', "\x00\xff"])
def test_a_configuration_that_is_not_one_is_refused(content: str, folder: Path) -> None:
    (folder / CONFIG_FILE).write_text(content, encoding="latin-1")
    with pytest.raises(AdapterError, match=CONFIG_FILE):
        read_config(folder)


def test_the_threshold_of_an_earlier_version_is_no_part_of_what_an_adapter_is(folder: Path) -> None:
    before, identity = read_config(folder), what_an_adapter_is(folder)
    path = folder / CONFIG_FILE
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["dmdoc"]["support_threshold"] = -0.5
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert read_config(folder) == before
    # Saved states name the adapter that wrote them by its hash.
    assert what_an_adapter_is(folder) == identity
