"""`ingest` and `extract` of URLs, from a server on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Invoke, checked
from web_server import Page, Site, running

from dmdoc.library.library import Library

PAGE = Page(b"Lot seven holds salt.", headers={"ETag": '"1"'})


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        site.pages["/lots.txt"] = PAGE
        yield site


@pytest.mark.slow
def test_a_second_run_is_not_sent_the_page(invoke: Invoke, site: Site, home: Path) -> None:
    url = site.url("/lots.txt")
    first = checked("ingest", invoke("ingest", url, "--allow-private", "--json").out)
    assert (first["document"], first["status"], first["source"]) == ("lots", "added", url)
    again = invoke("ingest", url, "--allow-private", "--verbose")
    assert f"{url}: 21 characters unchanged, as the server says" in again.err
    assert [headers.get("if-none-match") for _, headers in site.asked] == [None, '"1"']
    assert "unchanged" in again.err

    named = invoke("ingest", url, "--allow-private", "--name", "other", "--json")
    assert checked("ingest", named.out)["document"] == "other"
    assert site.asked[-1][1].get("if-none-match") == '"1"'

    invoke("ingest", url, "--allow-private", "--force")
    assert site.asked[-1][1].get("if-none-match") is None
    site.pages["/lots.txt"] = Page(b"Lot eight holds brine.", headers={"ETag": '"2"'})
    assert "updated" in invoke("ingest", url, "--allow-private").err
    assert Library(home).get("lots").pages() == ("Lot eight holds brine.",)


def test_another_version_with_the_same_text_is_remembered(invoke: Invoke, site: Site) -> None:
    invoke("ingest", site.url("/lots.txt"), "--allow-private")
    site.pages["/lots.txt"] = Page(PAGE.data, headers={"ETag": '"2"'})
    assert "unchanged" in invoke("ingest", site.url("/lots.txt"), "--allow-private").err
    invoke("ingest", site.url("/lots.txt"), "--allow-private")
    assert site.asked[-1][1]["if-none-match"] == '"2"'


def test_a_page_that_is_unchanged_is_written_again_when_that_is_asked(invoke: Invoke, site: Site) -> None:
    invoke("ingest", site.url("/lots.txt"), "--allow-private")
    run = invoke("ingest", site.url("/lots.txt"), "--allow-private", "--budget", "16", "--json")
    assert checked("ingest", run.out)["status"] == "updated"


def test_nothing_private_is_read_unless_that_is_said(invoke: Invoke, site: Site, home: Path) -> None:
    run = invoke("ingest", site.url("/lots.txt"))
    assert (run.code, run.out) == (5, "")
    assert "has the address 127.0.0.1, which is private" in run.err
    assert len(run.err.splitlines()) == 1
    for command in ("ingest", "extract"):
        run = invoke(command, "--offline", "--allow-private", site.url("/lots.txt"))
        assert (run.code, site.asked) == (2, [])
        assert "--offline forbids" in run.err


def test_one_that_fails_stops_no_other(invoke: Invoke, site: Site, home: Path, lots: Path) -> None:
    run = invoke("ingest", site.url("/none"), site.url("/lots.txt"), str(lots), "--allow-private", "--jsonl")
    assert run.code == 7
    assert {json.loads(line)["source"] for line in run.out.splitlines()} == {
        site.url("/none"),
        site.url("/lots.txt"),
        str(lots),
    }
    assert len(Library(home).names()) == 2


def test_it_is_shown_with_its_url(invoke: Invoke, site: Site) -> None:
    url = site.url("/lots.txt")
    invoke("ingest", url, "--allow-private")
    listed = invoke("ls", "--json")
    assert json.loads(listed.out)["documents"][0]["source"] == url
    shown = checked("show", invoke("show", "--json").out)
    assert (shown["source"], shown["file"]) == (url, None)
    assert "changed since" not in invoke("ls").err
    extracted = checked("extract", invoke("extract", url, "--allow-private", "--json").out)
    assert (extracted["source"], extracted["pages"]) == (url, ["Lot seven holds salt."])


@pytest.mark.slow
def test_syncing_a_folder_never_touches_it(
    invoke: Invoke, site: Site, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "same.txt").write_text("Lot seven holds salt.", encoding="utf-8")
    invoke("ingest", site.url("/lots.txt"), "--allow-private")
    site.pages.clear()
    monkeypatch.chdir(tmp_path)
    for folder in ("papers", "."):
        assert invoke("ingest", folder, "--sync", "--prune", "--yes", "--glob", "same.txt").code == 0
        assert Library(home).get("lots").source == site.url("/lots.txt")
    run = invoke("ingest", site.url("/lots.txt"), "--sync")
    assert run.code == 2
    assert "give folders" in run.err


def test_its_bundle_tells_nothing_of_the_place(
    invoke: Invoke, site: Site, home: Path, tmp_path: Path
) -> None:
    site.pages["/lots.txt?key=secret"] = PAGE
    invoke("ingest", site.url("/lots.txt?key=secret"), "--allow-private", "--name", "lots")
    invoke("export", "lots", "--output", str(tmp_path / "lots.dmdoc"))
    invoke("rm", "lots")
    invoke("import", str(tmp_path / "lots.dmdoc"))
    assert Library(home).get("lots").source == "lots.txt"
