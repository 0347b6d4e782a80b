"""Imports point one way, and only the modules that may know a library know it."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "dmdoc"

MAY_IMPORT = {
    "errors": "",
    "atomic_file": "",
    "progress": "",
    "settings": "errors atomic_file",
    "text": "errors",
    "fictional": "errors",
    "document": "errors text",
    "datasets": "errors text",
    "memory": "errors atomic_file",
    "model": "errors atomic_file settings text memory",
    "library": "errors atomic_file text document memory",
    "refine": "errors text memory model",
    "ingest": "errors progress text document memory model library refine",
    "answer": "errors settings text memory model library",
    "serve": "errors settings memory model library answer",
    "training": "errors atomic_file progress text fictional datasets memory model refine",
    "compare": "errors atomic_file progress settings text fictional datasets memory model library ingest answer",
    "console": "errors progress text memory model library ingest answer compare",
    "chat": "errors settings text document memory model library ingest answer console",
    "cli": "errors settings text document datasets memory model library ingest answer training compare console chat "
    "serve",
}
"""What each entry of the package may import beside itself: only entries that stand above it here."""

INSIDE = {
    "settings": "generation folders trust files",
    "text": "counting thesaurus words overlap opposites labels spelling normalise sentences passages tagger phrases "
    "cells candidates around shapes asked chunking",
    "memory": "token_vectors vectors_file state copying end_to_end rounding delta_rule_triton delta_rule key_trace "
    "state_header state_file adapter_triton adapter adapter_config adapter_file reading_file judges attach",
    "model": "pointer fingerprint hardware tokenizer tokenizer_file decoder_config blocks frozen_norm decoder steps "
    "causal_lm places batching backbone embedded hub registry familiar prompt packing reader footprint reads "
    "continuations",
    "library": "record document_folders saved_document describe index_file passages catalogue locks journal shelf "
    "library bundle repair",
    "refine": "gaps questions kinds practice optimiser steps",
    "ingest": "ahead ignored sources sync task refining room sections single many share ray_writers",
    "answer": "evidence statements links tally extremes quoting written weighing phrases pointing support routing ask "
    "finding spans recall signals judging verify",
    "chat": "preferences line_editor session commands repl",
    "serve": "states engine guard openai_form api_form metrics jobs tools page openapi app run handover sessions",
}
"""The modules of a package from the ground up: each imports only those that stand before it."""

MAY_KNOW = {
    "typer": {"cli"},
    "watchfiles": {"cli"},
    "ray": {"ingest"},
    "rich": {"console"},
    "prompt_toolkit": {"chat"},
    "transformers": {"model"},
    "triton": {"memory"},
    "flash_attn": {"model"},
    "accelerate": {"training"},
    "httpcore2": {"document"},
    "pypdf": {"document"},
    "pytesseract": {"document"},
    "pypdfium2": {"document"},
    "trafilatura": {"document"},
    "mammoth": {"document"},
    "openpyxl": {"document"},
    "pathspec": {"ingest"},
    "striprtf": {"document"},
    "charset_normalizer": {"document"},
    "bm25s": {"answer"},
    "sklearn": {"compare"},
    "sqlite3": {"library"},
    "textblob": {"text"},
    "starlette": {"serve"},
    "uvicorn": {"serve"},
    "mcp": {"serve"},
    "prometheus_client": {"serve"},
}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path, *, top_level: bool = False) -> frozenset[str]:
    """The modules that a file imports; with `top_level` only what importing it imports."""
    tree = parsed(path)
    found: set[str] = set()
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def modules() -> dict[str, list[Path]]:
    """Module or folder of the package → its files."""
    found = {path.stem: [path] for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    for folder in PACKAGE.iterdir():
        if (folder / "__init__.py").is_file():
            found[folder.name] = list(folder.glob("*.py"))
    return found


def test_a_package_imports_only_what_stands_above_it() -> None:
    assert set(MAY_IMPORT) == set(modules())
    names = list(MAY_IMPORT)
    for name, files in modules().items():
        allowed = set(MAY_IMPORT[name].split())
        assert allowed <= set(names[: names.index(name)])
        for path in files:
            found = {parts[1] for parts in parted(path) if parts[1] in MAY_IMPORT} - {name}
            assert found <= allowed, f"{name}/{path.name} must not import {found - allowed}"


def test_the_table_lists_no_import_that_nobody_makes() -> None:
    for name, files in modules().items():
        found = {parts[1] for path in files for parts in parted(path)}
        assert set(MAY_IMPORT[name].split()) <= found, name


def test_each_package_says_what_it_may_import_and_what_it_does_not_know() -> None:
    for name, files in modules().items():
        for path in [path for path in files if path.stem == "__init__"]:
            said = " ".join((ast.get_docstring(parsed(path)) or "").split())
            assert f"May import: {', '.join(MAY_IMPORT[name].split())}." in said, name
            assert "Knows nothing about " in said, name


def test_modules_of_a_package_import_only_those_before_them() -> None:
    for package, line in INSIDE.items():
        order = line.split()
        assert set(order) == {path.stem for path in modules()[package]} - {"__init__"}
        for path in modules()[package]:
            if path.stem != "__init__":
                own = [parts[2] for parts in parted(path) if parts[1] == package and len(parts) > 2]
                later = set(own) & set(order[order.index(path.stem) :])
                assert not later, f"{package}/{path.name} must not import {later}"


def parted(path: Path) -> list[list[str]]:
    """The parts of the names that a file imports from the package."""
    return [parts for i in imports(path) if (parts := i.split("."))[0] == "dmdoc" and len(parts) > 1]


def test_no_module_takes_a_private_name_from_another() -> None:
    for files in modules().values():
        for path in files:
            private = [
                i for i in imports(path) if i.split(".")[0] == "dmdoc" and "._" in i.replace(".__", ".")
            ]
            assert not private, f"{path.name}: {private}"


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
        if name in {"cli", "console"}:
            continue
        for path in [path for path in files if path.stem != "repl"]:
            nodes = list(ast.walk(parsed(path)))
            assert "print" not in {node.id for node in nodes if isinstance(node, ast.Name)}, path.name
            attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            assert not attributes & {"environ", "getenv"}, path.name


def test_the_errors_of_the_library_know_no_option_names() -> None:
    """What an error advises holds for every client; the command line adds its options."""
    for name, files in modules().items():
        if name in {"cli", "console", "chat", "serve"}:
            continue
        for path in files:
            for node in ast.walk(parsed(path)):
                if isinstance(node, ast.Raise):
                    said = ast.unparse(node).replace("qpdf --decrypt", "")
                    assert " --" not in said and "`dmdoc" not in said, f"{path.name}: {said}"


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
