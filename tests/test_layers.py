"""Imports point one way, and only the modules that may know a library know it."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "dmdoc"

ORDER = (
    "cli console repl",
    "commands line_editor calibration",
    "chat compare verify",
    "training recall",
    "ask ingest_many bundle",
    "ingest sources",
    "sections routing ingest_task",
    "refine support",
    "practice",
    "kinds",
    "reads",
    "reader",
    "models",
    "embedded_model",
    "backbone attach adapter_file library",
    "hardware adapter adapter_config saved_document document_folders",
    "state_file",
    "delta_rule memory_state document chunking packing questions prompt fictional datasets evidence preferences",
    "gaps",
    "settings settings_files phrases",
    "normalise sentences tagger folders atomic_file errors counting",
)
"""Every module imports from its own line or from a lower one, never from a higher one."""

MAY_KNOW = {
    "typer": {"cli"},
    "rich": {"console"},
    "prompt_toolkit": {"line_editor"},
    "transformers": {"backbone"},
    "accelerate": {"training"},
    "pypdf": {"document"},
    "pypdfium2": {"document"},
    "trafilatura": {"document"},
    "mammoth": {"document"},
    "charset_normalizer": {"document"},
    "bm25s": {"evidence"},
    "textblob": {"tagger"},
}


def imports(path: Path, *, top_level: bool = False) -> set[str]:
    """The modules that a file imports; with `top_level` only what importing it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def modules() -> dict[str, list[Path]]:
    """Module or folder of the package → its files."""
    found = {path.stem: [path] for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    for folder in PACKAGE.iterdir():
        if (folder / "__init__.py").is_file():
            found[folder.name] = list(folder.glob("*.py"))
    return found


def test_imports_point_downwards() -> None:
    level = {name: number for number, line in enumerate(ORDER) for name in line.split()}
    assert set(level) == set(modules())
    for name, files in modules().items():
        for path in files:
            for imported in imports(path):
                parts = imported.split(".")
                if parts[0] == "dmdoc" and len(parts) > 1 and parts[1] in level:
                    assert level[parts[1]] >= level[name], f"{path.name} must not import {imported}"


def test_each_library_stays_in_its_module() -> None:
    for name, files in modules().items():
        for library, allowed in MAY_KNOW.items():
            if name not in allowed:
                for path in files:
                    assert not any(i.split(".")[0] == library for i in imports(path)), (
                        f"{path.name}: {library}"
                    )


def test_the_library_neither_prints_nor_reads_the_environment() -> None:
    for name, files in modules().items():
        if name in {"cli", "console", "repl"}:
            continue
        for path in files:
            nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
            assert "print" not in {node.id for node in nodes if isinstance(node, ast.Name)}, path.name
            attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            assert not attributes & {"environ", "getenv"}, path.name


def test_help_needs_neither_torch_nor_rich() -> None:
    program = (
        "import sys; from dmdoc.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('torch', 'transformers', 'rich', 'pypdf', 'pypdfium2', 'jinja2')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
