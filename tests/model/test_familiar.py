"""What a document of others may be asked with: what has been used here, by hash, and what everybody has."""

from pathlib import Path

import pytest

from dmdoc.errors import DmdocError
from dmdoc.memory.state_header import Identity
from dmdoc.model.familiar import FamiliarModels
from dmdoc.model.registry import canonical

MINE = Identity("/models/mine", "1" * 64)


@pytest.fixture
def familiar(tmp_path: Path) -> FamiliarModels:
    return FamiliarModels(tmp_path / "config", tmp_path / "cache")


def test_a_hash_decides_and_not_a_name(familiar: FamiliarModels) -> None:
    assert familiar.name_of(MINE, "backbone") is None
    familiar.note(MINE, "backbone")
    assert familiar.name_of(Identity("theirs", MINE.sha256), "backbone") == "/models/mine"
    assert familiar.name_of(Identity("/models/mine", "2" * 64), "backbone") is None
    assert familiar.name_of(MINE, "adapter") is None
    familiar.note(Identity("/adapters/mine", "3" * 64), "adapter")
    assert familiar.name_of(MINE, "backbone") == "/models/mine"


def test_the_embedded_pair_is_everybody_s_and_what_would_be_downloaded_is_not(
    familiar: FamiliarModels,
) -> None:
    for kind in ("backbone", "adapter"):
        assert familiar.name_of(Identity("smollm2-135m", "4" * 64), kind) == "smollm2-135m"
    assert familiar.name_of(Identity("qwen3-4b", "5" * 64), "backbone") is None


def test_an_adapter_does_not_take_the_place_of_one_whose_states_it_reads(familiar: FamiliarModels) -> None:
    shipped = Identity("smollm2-135m", "6" * 64)
    familiar.note(Identity("/adapters/mine", "7" * 64, older=(shipped.sha256,)), "adapter")
    assert familiar.name_of(shipped, "adapter") == "smollm2-135m"
    familiar.note(Identity("/models/mine", "8" * 64, older=("9" * 64,)), "backbone")
    assert familiar.name_of(Identity("mine", "9" * 64), "backbone") == "/models/mine"


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"backbone": 1}', "[" * 200_000])
def test_a_damaged_file_knows_nothing(damage: str, familiar: FamiliarModels, tmp_path: Path) -> None:
    familiar.note(MINE, "backbone")
    (tmp_path / "config" / "models.json").write_text(damage)
    assert familiar.name_of(MINE, "backbone") is None
    familiar.note(MINE, "backbone")
    assert familiar.name_of(MINE, "backbone") == "/models/mine"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DmdocError, match="cannot note"):
        FamiliarModels(tmp_path / "file", tmp_path).note(MINE, "backbone")


def test_a_folder_means_the_same_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert canonical("mine", "backbone") == canonical("./mine", "backbone") == str(tmp_path / "mine")
    for name in ("smollm2-135m", "org/name", "~nobody-at-all/x", "a\0b", "x" * 5000):
        assert canonical(name, "backbone") == name
