"""A fingerprint tells models apart, and not the ways in which a library writes one down."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from tiny import CHATML, tiny_model, tiny_tokenizer
from tokenizers import AddedToken

from dmdoc.memory.state_header import Identity
from dmdoc.model.backbone import load_backbone
from dmdoc.model.fingerprint import fingerprint_model, fingerprint_tokenizer, model_in_0_1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    return tmp_path


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(dict(reversed((config | changes).items())), indent=1))


def rewrite_weights(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors, reverse=True)
    half = len(names) // 2
    save_file({name: tensors[name] for name in names[:half]}, folder / "a.safetensors", {"by": "another"})
    save_file({name: tensors[name] for name in names[half:]}, folder / "b.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: change_config(folder, transformers_version="9.9", dtype="bfloat16", new_default=None),
        lambda folder: change_config(folder, rope_parameters=None, rope_theta=10_000.0, rope_scaling=None),
        rewrite_weights,
    ],
    ids=["config", "rotary", "weights"],
)
def test_how_a_model_is_written_down_does_not_matter(folder: Path, change: Callable[[Path], None]) -> None:
    before = fingerprint_model(folder)
    change(folder)
    assert fingerprint_model(folder) == before


def flip_the_last_bit(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: change_config(folder, rms_norm_eps=1e-5),
        lambda folder: change_config(folder, num_attention_heads=2),
        lambda folder: change_config(
            folder, rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10_000.0}
        ),
        flip_the_last_bit,
    ],
    ids=["norm", "heads", "rotary", "weights"],
)
def test_what_changes_its_arithmetic_does(folder: Path, change: Callable[[Path], None]) -> None:
    before = fingerprint_model(folder)
    change(folder)
    assert fingerprint_model(folder) != before


def test_how_a_tokenizer_is_written_down_does_not_matter(folder: Path) -> None:
    before = load_backbone(folder, name="tiny", device="cpu").tokenizer_identity
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    (folder / "tokenizer.json").write_text(json.dumps(content, indent=7), encoding="utf-8")
    after = load_backbone(folder, name="tiny", device="cpu").tokenizer_identity
    assert after == before and after.older != before.older


def test_a_tokenizer_that_splits_otherwise_is_another() -> None:
    plain, more = tiny_tokenizer(), tiny_tokenizer()
    assert fingerprint_tokenizer(plain) == fingerprint_tokenizer(tiny_tokenizer())
    more.backend_tokenizer.add_tokens([AddedToken("lazy", normalized=False)])
    assert fingerprint_tokenizer(more) != fingerprint_tokenizer(plain)
    assert fingerprint_tokenizer(tiny_tokenizer(CHATML + " ")) != fingerprint_tokenizer(plain)


def test_a_state_that_an_earlier_version_named_otherwise_is_its_own(folder: Path) -> None:
    identity = load_backbone(folder, name="tiny", device="cpu").identity
    (known_before,) = identity.older
    assert known_before != identity.sha256
    assert identity.wrote(Identity("tiny", known_before))
    assert not identity.wrote(Identity("tiny", "0" * 64))


def test_the_fingerprint_of_0_1_is_what_it_was(folder: Path) -> None:
    (folder / "config.json").write_text('{"b": [1], "a": 2, "dtype": "float32"}')
    (folder / "model.safetensors").write_bytes(b"\x02" + b"\x00" * 7 + b"{}" + bytes(range(256)) * 300)
    assert model_in_0_1(folder) == "396cbef60c17a4c5384f64178252796844219f519c4c6115768c5f868f8b2658"
