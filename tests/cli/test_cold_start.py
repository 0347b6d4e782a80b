"""What `dmdoc ask` imports before it answers: a user waits for every module, each time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import CONFIG, TEXT, start
from tiny import save_tiny_reader, tiny_reader

NEVER = (
    "accelerate",
    "bm25s",
    "huggingface_hub",
    "nltk",
    "pypdf",
    "pypdfium2",
    "sklearn",
    "sympy",
    "textblob",
    "torch._dynamo",
    "torch.distributed.tensor",
    "trafilatura",
    "transformers",
    "triton",
)

PROGRAM = """
import json, sys
from dmdoc.cli import main
options = ["--recall", "state", "--no-citations", "--max-tokens", "3", "--model", {model!r}, "--adapter", {adapter!r}]
sys.argv = ["dmdoc", "ask", "What does lot seven hold?", *options]
try:
    main()
except SystemExit as left:
    print()
    print(json.dumps([left.code, [name for name in {never!r} if name in sys.modules]]))
"""


@pytest.mark.slow
def test_an_answer_imports_nothing_that_it_does_not_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, adapter = save_tiny_reader(tiny_reader(CONFIG), tmp_path)
    source = tmp_path / "lots.txt"
    source.write_text(TEXT, encoding="utf-8")
    ingest = start("ingest", str(source), home=tmp_path / "home", models=(model, adapter))
    _, said = ingest.communicate()
    assert ingest.returncode == 0, said
    monkeypatch.setenv("DMDOC_HOME", str(tmp_path / "home"))
    program = PROGRAM.format(model=str(model), adapter=str(adapter), never=NEVER)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout.splitlines()[-1]) == [0, []], run.stderr
