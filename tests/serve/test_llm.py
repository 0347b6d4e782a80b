"""Simon Willison's `llm`, which knows the server from a file of its settings, asks it as it asks any other."""

import subprocess
import sys
from pathlib import Path

import pytest
from serving import Serve

pytestmark = pytest.mark.slow

MODELS = """
- model_id: lots
  model_name: dmdoc/lots
  api_base: {base}/v1
"""


@pytest.mark.parametrize("streaming", [[], ["--no-stream"]])
def test_llm_answers_from_a_document(serve: Serve, tmp_path: Path, streaming: list[str]) -> None:
    client = serve()
    (tmp_path / "extra-openai-models.yaml").write_text(MODELS.format(base=str(client.base_url).rstrip("/")))
    command = [sys.executable, "-m", "llm", "-m", "lots", "--key", "unused", "--no-log", *streaming]
    run = subprocess.run(
        [*command, "What does lot seven hold?"],
        env={"LLM_USER_PATH": str(tmp_path), "PATH": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    wanted = client.post(
        "/api/ask", json={"question": "What does lot seven hold?", "document": "lots"}
    ).json()
    assert (run.returncode, run.stdout) == (0, f"{wanted['answer']}\n"), run.stderr
