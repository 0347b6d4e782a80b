"""A module or a function that grows long is asking to be two; the longer ones each have a reason here."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "dmdoc"
MODULE_LINES = 250
FUNCTION_LINES = 40
"""Without the signature and the docstring."""

LONG_MODULES = {
    "library/library.py": "every way in takes the same locks in the same order, which is seen best in one place",
    "memory/adapter.py": "the adapter's maths, formula by formula, half of it shapes and sources",
    "memory/delta_rule_triton.py": "one kernel and its gradient, read side by side",
    "memory/state_file.py": "the header and its checks, read and written side by side",
    "model/backbone.py": "all that is known of transformers' models",
    "model/reader.py": "one class, all of whose methods need the backbone and the adapter",
    "model/registry.py": "known models, and the three places that one may come from",
    "training/config.py": "one file format: dataclasses with a docstring for each field",
}
LONG_FUNCTIONS = {
    "cli/ask.py ask": "the command's options and the order of what it prints",
    "cli/compare.py compare": "the command's options and the order of what it prints",
    "cli/ingest.py ingest": "the command's options and the order of what it prints",
    "memory/delta_rule_triton.py _gradients": "one kernel, which cannot call another",
    "memory/delta_rule.py delta_rule_chunked": "one derivation, whose steps share all their names",
}


def test_modules_and_functions_are_short_or_have_a_reason() -> None:
    modules, functions = set(), set()
    for path in PACKAGE.rglob("*.py"):
        name, text = path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")
        if len(text.splitlines()) > MODULE_LINES:
            modules.add(name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > FUNCTION_LINES:
                functions.add(f"{name} {node.name}")
    assert modules == set(LONG_MODULES)
    assert functions == set(LONG_FUNCTIONS)


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of its body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return function.body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]
