import dataclasses
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dmdoc.errors import IdentityError, StateFileError, StateShapeError, StateVersionError
from dmdoc.memory.rounding import kept_bytes, rounded
from dmdoc.memory.state import MemoryState
from dmdoc.memory.state_file import pack_state, read_header, read_state, save_state
from dmdoc.memory.state_header import Identity, Section, StateHeader, check_identity
from dmdoc.memory.token_vectors import TokenVectors

BACKBONE = Identity("example/backbone", "ab" * 32)
ADAPTER = Identity("example/adapter", "cd" * 32)
TOKENIZER = Identity("example/backbone", "ef" * 32)

HEADER = StateHeader(
    backbone=BACKBONE,
    adapter=ADAPTER,
    tokenizer=TOKENIZER,
    sections=(Section(1234, 1, 2),),
    sections_total=3,
    write_budget=8192,
    write_layout="plain",
    write_granularity="token",
    refine_steps=0,
    document_sha256="01" * 32,
    dmdoc_version="0.1.0",
    created="2025-01-31T12:00:00+00:00",
)


def random_state(layers: int = 3, heads: int = 2, rank: int = 4, *, batch: int = 1) -> MemoryState:
    generator = torch.Generator().manual_seed(0)
    made = (torch.randn(batch, heads, rank, rank, generator=generator) for _ in range(layers))
    return rounded(MemoryState(tuple(made)))


def header_of(sections: int) -> StateHeader:
    made = tuple(Section(100 + number, number, number + 1) for number in range(1, sections + 1))
    return dataclasses.replace(HEADER, sections=made, sections_total=sections)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.safetensors"
    save_state(path, random_state(), HEADER)
    return path


def split(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def write(path: Path, preamble: dict[str, Any], data: bytes) -> None:
    encoded = json.dumps(preamble).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)


def refusal(path: Path) -> str:
    with pytest.raises(StateFileError) as caught:
        read_state(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


# ── what is written is what is read ──


@pytest.mark.parametrize(("layers", "heads", "rank"), [(1, 1, 1), (3, 2, 4), (11, 4, 8), (36, 1, 8)])
def test_round_trip(tmp_path: Path, layers: int, heads: int, rank: int) -> None:
    state = random_state(layers, heads, rank)
    save_state(tmp_path / "state", state, HEADER)
    loaded, header = read_state(tmp_path / "state")
    assert loaded.equals(state)
    assert header == HEADER
    assert read_header(tmp_path / "state") == HEADER


@pytest.mark.parametrize("sections", [2, 5])
def test_sections_keep_their_order(tmp_path: Path, sections: int) -> None:
    state, header = random_state(batch=sections), header_of(sections)
    save_state(tmp_path / "state", state, header)
    loaded, found = read_state(tmp_path / "state")
    assert loaded.equals(state)
    assert found == header == read_header(tmp_path / "state")
    assert found.tokens_written == sum(100 + number for number in range(1, sections + 1))


def test_a_number_is_a_127th_of_the_largest_of_its_head_off_at_most_by_half(tmp_path: Path) -> None:
    layer = torch.randn(2, 3, 8, 8) * torch.tensor([1e-20, 1.0, 1e20]).view(3, 1, 1)
    layer[1, 2] = 0
    save_state(tmp_path / "state", MemoryState((layer,)), header_of(2))
    loaded = read_state(tmp_path / "state")[0].layers[0]
    error, largest = ((tensor.abs().amax((2, 3))) for tensor in (loaded - layer, layer))
    assert bool((error <= largest / 127 * 0.501).all())
    assert not loaded[1, 2].any()


def test_saving_what_was_read_gives_the_same_bytes(tmp_path: Path) -> None:
    for seed in range(50):
        torch.manual_seed(seed)
        state = MemoryState(tuple(torch.randn(1, 4, 5, 5) * 10 ** (seed / 5 - 5) for _ in range(3)))
        assert pack_state(rounded(state), HEADER) == pack_state(state, HEADER)


def test_a_state_of_version_2_is_read_as_it_is(tmp_path: Path) -> None:
    fixture = Path(__file__).parents[1] / "reference" / "state-version-2.safetensors"
    loaded, header = read_state(fixture)
    assert header == read_header(fixture) == HEADER
    for layer, base in zip(loaded.layers, (0, 100), strict=True):
        assert torch.equal(layer, (torch.arange(8) / 7 + base).view(1, 2, 2, 2))


def test_a_loaded_state_is_writable_memory_of_its_own(path: Path) -> None:
    loaded, _ = read_state(path)
    loaded.layers[0].add_(1)
    assert torch.equal(loaded.layers[0], random_state().layers[0] + 1)
    assert torch.equal(loaded.layers[1], random_state().layers[1])


def test_expanded_and_attached_states_can_be_saved(tmp_path: Path) -> None:
    strided = torch.randn(1, 2, 4, 4, requires_grad=True).transpose(2, 3)
    save_state(tmp_path / "state", MemoryState((strided,)), HEADER)
    assert read_state(tmp_path / "state")[0].equals(rounded(MemoryState((strided,))))


def test_any_safetensors_reader_opens_it(path: Path) -> None:
    tensors = load_file(path)
    assert sorted(tensors) == [f"{name}.{layer}" for name in ("layers", "sizes") for layer in range(3)]
    for index, layer in enumerate(random_state().layers):
        size = tensors[f"sizes.{index}"][:, :, None, None]
        assert torch.equal(tensors[f"layers.{index}"].float() * size, layer)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata.keys() == {"format", "version", "header", "sha256"}
    assert (metadata["format"], metadata["version"]) == ("dmdoc-state", "3")
    header = json.loads(metadata["header"])
    assert header["adapter"] == {"name": "example/adapter", "sha256": "cd" * 32}
    assert header["sections"] == [[1234, 1, 2]]


def test_the_same_state_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    save_state(tmp_path / "again", random_state(), HEADER)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    save_state(
        tmp_path / "later", random_state(), dataclasses.replace(HEADER, created="2025-02-01T00:00:00+00:00")
    )
    assert (tmp_path / "later").read_bytes() != path.read_bytes()


def test_a_section_of_the_shipped_adapter_takes_less_than_64_kilobytes(tmp_path: Path) -> None:
    state = random_state(15, 4, 32)
    save_state(tmp_path / "state", state, HEADER)
    assert kept_bytes(state) < (tmp_path / "state").stat().st_size
    assert (tmp_path / "state").stat().st_size < 64 * 1024


def test_every_state_has_its_section_in_the_header(tmp_path: Path) -> None:
    with pytest.raises(StateShapeError, match="got 2 states for 1 sections"):
        save_state(tmp_path / "state", random_state(batch=2), HEADER)
    assert not list(tmp_path.iterdir())


def test_a_header_is_read_without_torch(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from dmdoc.memory.state_file import read_header; "
        f"read_header(Path({str(path)!r})); assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=True)


# ── what is refused ──


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"%PDF-1.7 and so on",
        b"PK\x03\x04" + bytes(100),
        bytes(100),
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 9) + b"{garbage}",
        struct.pack("<Q", 18) + b'{"__metadata__":1}',
        struct.pack("<Q", 20) + b'{"__metadata__":{}}\xff',
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    expected = "is not a dmdoc state" if len(content) > 8 else "is truncated"
    assert expected in refusal(path)
    with pytest.raises(StateFileError, match=expected):
        read_header(path)


def test_another_safetensors_file_is_refused(tmp_path: Path) -> None:
    for metadata in (None, {"format": "pt"}, {"format": "pt", "version": "9"}):
        save_file({"layers.0": torch.zeros(1, 4, 4)}, tmp_path / "state", metadata)
        assert "is not a dmdoc state" in refusal(tmp_path / "state")


def test_every_truncation_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    for size in (*range(0, len(content), 37), 8, 9, len(content) - 1):
        path.write_bytes(content[:size])
        message = refusal(path)
        assert "is truncated" in message
        assert f"got {size};" in message
        with pytest.raises(StateFileError, match="is truncated"):
            read_header(path)
    assert f"expected {len(content)} bytes, got {len(content) - 1}; read the document again" in message


def test_every_changed_byte_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    for offset in range(0, len(content), 7):
        changed = bytearray(content)
        changed[offset] ^= 0x11
        path.write_bytes(changed)
        refusal(path)


def test_a_changed_tensor_is_called_altered(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "was altered" in refusal(path)


def test_a_changed_header_is_called_altered(path: Path) -> None:
    preamble, data = split(path)
    metadata = preamble["__metadata__"]
    metadata["header"] = metadata["header"].replace("[[1234, 1, 2]]", "[[1235, 1, 2]]")
    write(path, preamble, data)
    assert "was altered" in refusal(path)


def test_exchanged_layers_are_called_altered(path: Path) -> None:
    preamble, data = split(path)
    preamble["layers.0"], preamble["layers.1"] = preamble["layers.1"], preamble["layers.0"]
    write(path, preamble, data)
    assert "was altered" in refusal(path)


def test_an_added_byte_is_called_altered(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    assert "was altered" in refusal(path)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "[]",
        "{",
        json.dumps({**dataclasses.asdict(HEADER), "surplus": 1}),
        json.dumps({**dataclasses.asdict(HEADER), "sections_total": "many"}),
        json.dumps({**dataclasses.asdict(HEADER), "sections": 1}),
        json.dumps({**dataclasses.asdict(HEADER), "sections": [[1, 2]]}),
        json.dumps({**dataclasses.asdict(HEADER), "sections": [[1, 2, "3"]]}),
        json.dumps({**dataclasses.asdict(HEADER), "adapter": "mine"}),
        json.dumps({**dataclasses.asdict(HEADER), "adapter": {"name": 1, "sha256": 2}}),
    ],
)
def test_a_header_of_another_kind_is_called_altered(path: Path, header: str | None) -> None:
    preamble, data = split(path)
    preamble["__metadata__"]["header"] = header
    write(path, preamble, data)
    assert "was altered" in refusal(path)
    with pytest.raises(StateFileError, match="was altered"):
        read_header(path)


def test_a_newer_version_comes_before_integrity(path: Path) -> None:
    preamble, data = split(path)
    preamble["__metadata__"] = {"format": "dmdoc-state", "version": "5"}
    write(path, preamble, data[:-3])
    for read in (read_state, read_header):
        with pytest.raises(StateVersionError) as caught:
            read(path)
        assert str(caught.value) == f"{path} was written by a newer dmdoc (format 5); upgrade dmdoc"


def test_an_older_version_has_to_be_read_again(path: Path) -> None:
    preamble, data = split(path)
    preamble["__metadata__"]["version"] = "1"
    write(path, preamble, data)
    with pytest.raises(StateVersionError, match=r"an older dmdoc \(format 1\); read the document again"):
        read_state(path)


def test_the_format_comes_before_the_version(path: Path) -> None:
    preamble, data = split(path)
    preamble["__metadata__"].update(format="other", version="3")
    write(path, preamble, data)
    assert "is not a dmdoc state" in refusal(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "state")
    assert "Is a directory" in refusal(tmp_path)


# ── saving is atomic ──


class Killed(BaseException):
    """Stands for SIGKILL: nothing handles it."""


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_killed_save_leaves_the_old_state(path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, call, die)
        save_state(path, MemoryState.zeros(3, 2, 4), HEADER)
    assert read_state(path)[0].equals(random_state())
    assert len(list(path.parent.iterdir())) == 2, "the killed save left its temporary file"

    save_state(path, MemoryState.zeros(3, 2, 4), HEADER)
    assert read_state(path)[0].equals(MemoryState.zeros(3, 2, 4))
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_save_leaves_the_old_state_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateFileError, match=r"cannot write .*: No space left on device") as caught:
        save_state(path, MemoryState.zeros(3, 2, 4), HEADER)
    assert "\n" not in str(caught.value)
    assert read_state(path)[0].equals(random_state())
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StateFileError, match="No such file") as caught:
        save_state(tmp_path / "missing" / "state", random_state(), HEADER)
    assert "\n" not in str(caught.value)


# ── identity ──


def test_what_wrote_a_state_may_read_it() -> None:
    check_identity(HEADER, backbone=BACKBONE, adapter=ADAPTER, tokenizer=TOKENIZER)


def test_only_hashes_count() -> None:
    renamed = dataclasses.replace(BACKBONE, name="/models/a-local-copy")
    check_identity(HEADER, backbone=renamed, adapter=ADAPTER, tokenizer=TOKENIZER)


@pytest.mark.parametrize("what", ["backbone", "adapter", "tokenizer"])
def test_each_difference_is_named(what: str) -> None:
    identities = {"backbone": BACKBONE, "adapter": ADAPTER, "tokenizer": TOKENIZER}
    wrote = identities[what]
    identities[what] = Identity("example/other", "99" * 32)
    with pytest.raises(IdentityError) as caught:
        check_identity(HEADER, **identities)
    message = str(caught.value)
    assert "\n" not in message
    assert f"{what} {wrote.name} ({wrote.sha256[:8]}), not example/other (99999999)" in message
    name = "example/adapter" if what == "adapter" else "example/backbone"
    assert f"use {name}, or read the document again" in message
    assert [other for other in ("backbone", "adapter", "tokenizer") if f"{other} example" in message] == [
        what
    ]


def test_several_differences_are_all_named() -> None:
    other = Identity("example/other", "99" * 32)
    with pytest.raises(IdentityError, match=r"backbone .* adapter .* tokenizer .*use \S+ and \S+, or"):
        check_identity(HEADER, backbone=other, adapter=other, tokenizer=other)


def with_vectors(sections: int = 3) -> MemoryState:
    generator = torch.Generator().manual_seed(1)
    rows = tuple(
        None
        if number == 1
        else torch.randint(-127, 127, (number + 2, 8), generator=generator, dtype=torch.int8)
        for number in range(sections)
    )
    return dataclasses.replace(random_state(batch=sections), vectors=TokenVectors.of("maker", rows))


def test_vectors_of_tokens_are_read_as_they_were_saved(path: Path) -> None:
    state = with_vectors()
    save_state(path, state, header_of(3))
    found, header = read_state(path)
    assert found.equals(state) and header == header_of(3)
    assert read_header(path) == header
    assert path.read_bytes() == pack_state(found, header)
    assert load_file(path)["vectors"].shape == (6, 8)


def test_a_state_without_vectors_is_written_as_before(path: Path) -> None:
    assert split(path)[0]["__metadata__"]["version"] == "3"
    assert read_state(path)[0].vectors is None


@pytest.mark.parametrize(
    "said",
    [
        {"tokens": [2, None]},
        {"tokens": [2, None, 5]},
        {"tokens": [3, None, 3]},
        {"tokens": [-1, None, 7]},
        {"tokens": "abc"},
        {"size": 0},
        {"size": 4},
        {"size": True},
        {"maker": 7},
        {"maker": "another"},
    ],
    ids=str,
)
def test_vectors_that_were_altered_are_refused(path: Path, said: dict[str, Any]) -> None:
    save_state(path, with_vectors(), header_of(3))
    preamble, data = split(path)
    record = json.loads(preamble["__metadata__"]["vectors"])
    preamble["__metadata__"]["vectors"] = json.dumps(record | said)
    write(path, preamble, data)
    with pytest.raises(StateFileError, match="altered"):
        read_state(path)


def test_a_changed_byte_of_vectors_is_seen(path: Path) -> None:
    save_state(path, with_vectors(), header_of(3))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(StateFileError, match="altered"):
        read_state(path)


@pytest.mark.parametrize(
    "said",
    ["[" * 100_000, json.dumps({"maker": "maker", "size": 10**30, "tokens": [0, None, 0]})],
    ids=["deep", "huge"],
)
def test_what_is_said_of_vectors_is_not_believed_blindly(path: Path, said: str) -> None:
    save_state(path, with_vectors(), header_of(3))
    preamble, data = split(path)
    preamble["__metadata__"]["vectors"] = said
    preamble["vectors"] = {**preamble["vectors"], "shape": [0, 8]}
    write(path, preamble, data)
    with pytest.raises(StateFileError, match="altered"):
        read_state(path)


def test_tensors_are_found_by_their_names_in_whatever_order_they_are_named(path: Path) -> None:
    state = with_vectors()
    save_state(path, state, header_of(3))
    preamble, data = split(path)
    write(path, dict(reversed(preamble.items())), data)
    assert read_state(path)[0].equals(state)


def test_a_state_whose_texts_have_no_vectors_is_read_as_it_was_saved(path: Path) -> None:
    state = dataclasses.replace(random_state(batch=2), vectors=TokenVectors.of("maker", [None, None]))
    save_state(path, state, header_of(2))
    assert read_state(path)[0].equals(state)
