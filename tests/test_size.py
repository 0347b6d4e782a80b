"""A module of much more than 250 lines, or a function of much more than 40, is asking to be two.

Those that are longer have a reason here. An entry that is no longer needed does no harm until somebody sees it.
"""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "dmdoc"
MODULE_LINES = 275
FUNCTION_LINES = 45
"""Without the signature and the docstring."""

LONG_MODULES = {
    "cli/options.py": "the options that commands share, mostly declarations",
    "library/library.py": "every way in takes the same locks in the same order, which is seen best in one place",
    "memory/adapter.py": "the adapter's maths, formula by formula, half of it shapes and sources",
    "memory/delta_rule_triton.py": "one kernel and its gradient, read side by side",
    "model/reader.py": "one class, all of whose methods need the backbone and the adapter",
    "training/config.py": "one file format: dataclasses with a docstring for each field",
}
LONG_FUNCTIONS = {
    "cli/ask.py ask": "the command's options and the order of what it prints",
    "cli/compare.py compare": "the command's options and the order of what it prints",
    "cli/ingest.py ingest": "the command's options and the order of what it prints",
    "memory/delta_rule.py delta_rule_chunked": "one derivation, whose steps share all their names",
    "memory/delta_rule_triton.py _gradients": "one kernel, which cannot call another",
}


def test_long_modules_have_a_reason() -> None:
    long = {name: len(text.splitlines()) for name, text in sources() if len(text.splitlines()) > MODULE_LINES}
    without = {name: lines for name, lines in long.items() if name not in LONG_MODULES}
    assert not without, "split these, or give the reason in LONG_MODULES"


def test_long_functions_have_a_reason() -> None:
    without = {}
    for name, text in sources():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                function = f"{name} {node.name}"
                if body_lines(node) > FUNCTION_LINES and function not in LONG_FUNCTIONS:
                    without[function] = body_lines(node)
    assert not without, "split these, or give the reason in LONG_FUNCTIONS"


def test_what_has_a_reason_is_there() -> None:
    files = dict(sources())
    assert set(LONG_MODULES) <= set(files)
    for entry in LONG_FUNCTIONS:
        name, function = entry.split()
        assert f"def {function}(" in files[name]


def sources() -> list[tuple[str, str]]:
    """The modules: path in the package, text."""
    return [
        (path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of its body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
