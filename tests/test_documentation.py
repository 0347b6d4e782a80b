"""What the documentation names is there: links, headings, files, and the help text of every command."""

import json
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"`((?:docs|dmdoc|prompts|tests)/[\w./-]+)`")
MOST_WORDS = 1100


def outside_code(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", outside_code(page.read_text(encoding="utf-8")), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_is_dead(page: Path) -> None:
    for link in LINK.findall(outside_code(page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_named_file_is_missing(page: Path) -> None:
    for name in NAMED.findall(outside_code(page.read_text(encoding="utf-8"))):
        assert (ROOT / name).exists(), name


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        seen.add(page)
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in seen:
                left.append(target)
    assert set(PAGES) <= seen


def test_the_readme_can_be_read_in_five_minutes() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= MOST_WORDS


def test_the_page_of_commands_is_current() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    now = runpy.run_path(str(ROOT / "docs" / "write_commands.py"))["commands_page"]()
    assert now == written, "run `make docs`"
    assert "Raises:" not in now, "end the help text with \\f before what is for programmers"


def test_the_architecture_names_every_package() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in (ROOT / "dmdoc").iterdir():
        if (path / "__init__.py").is_file():
            assert f"| `{path.name}/` |" in page, path.name


@pytest.mark.parametrize("command", ["ask", "ingest", "extract"])
def test_the_page_of_json_names_every_field(command: str) -> None:
    page = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    schema = json.loads((ROOT / "docs" / "output.schema.json").read_text(encoding="utf-8"))
    for name in schema["$defs"][command]["properties"]:
        assert f"`{name}`" in page or name == "schema", name


def test_the_readme_names_every_command() -> None:
    import typer.main

    from dmdoc import cli

    table = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in typer.main.get_command(cli.app).commands:  # type: ignore[attr-defined]
        assert re.search(rf"`(dmdoc )?{name}\b", table), name
