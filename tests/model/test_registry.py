"""Known models by name, folder or Hub id, fetched or found on the disk. The Hub is a fake."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import errors

from dmdoc.errors import AdapterError, BackboneError, UsageError
from dmdoc.model import reader
from dmdoc.model import registry as models
from dmdoc.model.embedded import embedded_folder
from dmdoc.model.hardware import detect_hardware

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Stands where snapshot_download stood: one repository whose `main` is COMMIT."""

    def __init__(self, folder: Path, *, error: Exception | None = None) -> None:
        self.folder, self.error = folder, error
        self.calls: list[dict[str, Any]] = []

    def __call__(self, repository: str, **options: Any) -> str:
        self.calls.append({"repository": repository, **options})
        if self.error is not None:
            raise self.error
        revision = options["revision"]
        snapshot = self.folder / (COMMIT if revision == "main" else revision)
        snapshot.mkdir(exist_ok=True)
        (snapshot / "config.json").write_text("{}")
        return str(snapshot)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHub:
    fake = FakeHub(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake)
    return fake


def _http_error(kind: type[errors.HfHubHTTPError]) -> errors.HfHubHTTPError:
    return kind(
        "said\nat length", response=httpx2.Response(404, request=httpx2.Request("GET", "https://hub"))
    )


# --- the Hub


def test_a_known_backbone_is_asked_for_by_commit(hub: FakeHub, tmp_path: Path) -> None:
    folder = models.resolve("qwen3-4b", tmp_path, kind="backbone")

    (call,) = hub.calls
    assert call["repository"] == "Qwen/Qwen3-4B-Instruct-2507"
    assert len(call["revision"]) == 40 and folder.name == call["revision"]
    assert not call["local_files_only"]
    assert not any(pattern.endswith((".bin", ".py", ".pt")) for pattern in call["allow_patterns"])


@pytest.mark.parametrize("name", ["qwen3-4b", "someone/an-adapter"])
def test_the_first_download_makes_a_pin_that_later_ones_honour(
    hub: FakeHub, tmp_path: Path, name: str
) -> None:
    models.resolve(name, tmp_path, kind="adapter")
    models.resolve(name, tmp_path, kind="adapter", offline=True)

    assert [call["revision"] for call in hub.calls] == ["main", COMMIT]
    assert [call["local_files_only"] for call in hub.calls] == [False, True]


def test_a_revision_that_was_asked_for_is_used_and_not_noted(hub: FakeHub, tmp_path: Path) -> None:
    models.resolve("someone/model@v2", tmp_path, kind="backbone")
    models.resolve("someone/model", tmp_path, kind="backbone")

    assert [call["revision"] for call in hub.calls] == ["v2", "main"]


@pytest.mark.parametrize(
    ("error", "offline", "message"),
    [
        (errors.LocalEntryNotFoundError("…"), True, "not on this disk and dmdoc is offline"),
        (errors.LocalEntryNotFoundError("…"), False, "Hub cannot be reached"),
        (errors.HFValidationError("…"), False, "no folder and no Hub repository named a/b"),
        (_http_error(errors.RepositoryNotFoundError), False, "no folder and no Hub repository named a/b"),
        (_http_error(errors.RevisionNotFoundError), False, "a/b has no revision main"),
        (_http_error(errors.GatedRepoError), False, "gated: .*hf auth login"),
        (_http_error(errors.HfHubHTTPError), False, "failed: said"),
        (httpx2.ReadTimeout("timed out"), False, "failed: timed out; run it again"),
        (OSError(28, "No space left on device"), False, "No space left on device"),
    ],
)
def test_what_the_hub_raises_becomes_one_line(
    hub: FakeHub, tmp_path: Path, error: Exception, offline: bool, message: str
) -> None:
    hub.error = error

    with pytest.raises(AdapterError, match=message) as raised:
        models.resolve("a/b", tmp_path, kind="adapter", offline=offline)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "pins").exists()


# --- names and folders


def test_a_folder_is_itself(hub: FakeHub, tmp_path: Path) -> None:
    assert models.resolve(str(tmp_path), tmp_path, kind="backbone") == tmp_path
    assert hub.calls == []


@pytest.mark.parametrize("name", ["gpt-5", "./missing", "../a/b", "/no/such/folder", "~/missing", ""])
def test_an_unknown_name_lists_the_known_ones(hub: FakeHub, tmp_path: Path, name: str) -> None:
    with pytest.raises(BackboneError, match="smollm2-135m, qwen3-4b, qwen3-8b, smollm3-3b"):
        models.resolve(name, tmp_path, kind="backbone")
    with pytest.raises(AdapterError, match="smollm2-135m, qwen3-4b, a folder"):
        models.resolve(name, tmp_path, kind="adapter")
    assert hub.calls == []


@pytest.mark.parametrize("name", ["smollm3-3b", "someone/a-model", "."])
def test_a_backbone_without_a_known_adapter_asks_for_one(name: str) -> None:
    with pytest.raises(AdapterError, match=r"no adapter is known for .*; name an adapter"):
        models.adapter_for(name)


def test_a_backbone_that_does_not_exist_is_named_before_its_adapter_is_missed() -> None:
    with pytest.raises(BackboneError, match="no backbone named 'smollm': expected one of smollm2-135m, "):
        models.adapter_for("smollm")


def test_the_shipped_adapter_comes_with_the_package(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "SHIPPED_ADAPTERS", tmp_path)
    with pytest.raises(AdapterError, match="missing from this installation"):
        models.resolve("smollm2-135m", tmp_path, kind="adapter")

    (tmp_path / "smollm2-135m").mkdir()
    assert models.resolve("smollm2-135m", tmp_path, kind="adapter") == tmp_path / "smollm2-135m"
    assert hub.calls == []


@pytest.mark.parametrize(
    ("cuda_bf16", "available", "name"),
    [
        (True, lambda name: name == "qwen3-4b", "qwen3-4b"),
        (True, lambda name: False, "smollm2-135m"),
        (False, lambda name: True, "smollm2-135m"),
    ],
)
def test_the_default_is_the_largest_pair_that_can_run(
    cuda_bf16: bool, available: Callable[[str], bool], name: str
) -> None:
    assert models.default_pair(cuda_bf16, available) == (name, name)


@pytest.mark.parametrize("hub_offline", [True, False])
def test_what_is_not_on_disk_is_available_only_with_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub_offline: bool
) -> None:
    nothing_there = FakeHub(tmp_path, error=errors.LocalEntryNotFoundError("not there"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", nothing_there)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", hub_offline)

    assert models.available("qwen3-4b", cache=tmp_path, offline=False) is not hub_offline
    assert not models.available("qwen3-4b", cache=tmp_path, offline=True)


# --- pull and status


def test_pull_fetches_the_backbone_and_its_adapter(hub: FakeHub, tmp_path: Path) -> None:
    assert len(models.pull("qwen3-4b", tmp_path)) == 2
    assert [call["repository"].split("/")[0] for call in hub.calls] == ["Qwen", "declare-lab"]


def test_pull_knows_only_short_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model named 'gpt-5': expected one of smollm2-135m, qwen3-4b"):
        models.pull("gpt-5", tmp_path)


def test_pull_takes_what_model_takes(hub: FakeHub, tmp_path: Path) -> None:
    (folder,) = models.pull("org/name", tmp_path)
    assert hub.calls[0]["repository"] == "org/name" and folder.name == COMMIT
    for wrong in ("./folder", "~/folder", "a b/c"):
        with pytest.raises(UsageError, match="or ORG/NAME on the Hub"):
            models.pull(wrong, tmp_path)


def test_without_a_name_the_device_decides_and_not_the_card_beside_it(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def pair(cuda_bf16: bool, _: object) -> tuple[str, str]:
        asked.append(cuda_bf16)
        raise BackboneError("enough")

    card = replace(detect_hardware(), cuda=True, cuda_bf16=True)
    monkeypatch.setattr(reader, "detect_hardware", lambda: card)
    monkeypatch.setattr(models, "default_pair", pair)
    for device in ("cpu", "auto"):
        with pytest.raises(BackboneError, match="enough"):
            reader.open_reader(None, None, cache=tmp_path, device=device)
    assert asked == [False, True]


def test_status_says_what_is_on_disk_and_downloads_nothing(hub: FakeHub, tmp_path: Path) -> None:
    embedded = embedded_folder(tmp_path)
    embedded.mkdir(parents=True)
    (embedded / "model.safetensors").write_bytes(b"weights")
    hub.error = errors.LocalEntryNotFoundError("…")
    found = {(row.model.name, row.model.kind): row for row in models.status(tmp_path)}

    assert found["smollm2-135m", "backbone"].on_disk == len(b"weights")
    assert found["qwen3-4b", "backbone"].on_disk is None
    assert found["qwen3-4b", "adapter"].revision == "main"
    assert all(call["local_files_only"] for call in hub.calls)

    hub.error = None
    models.resolve("qwen3-4b", tmp_path, kind="adapter")
    found = {(row.model.name, row.model.kind): row for row in models.status(tmp_path)}
    assert found["qwen3-4b", "adapter"].revision == COMMIT
    assert found["qwen3-4b", "adapter"].on_disk == len("{}")
