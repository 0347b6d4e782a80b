"""Progress: a bar on a terminal, lines elsewhere, nothing where it is to be quiet."""

from io import StringIO

import pytest
from rich.console import Console

from dmdoc.console import progress as shown
from dmdoc.progress import Counted


def test_a_terminal_has_a_bar_with_what_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = StringIO()
    monkeypatch.setattr(shown, "stderr", lambda: Console(file=screen, force_terminal=True, width=100))
    with shown.progress("report [final]\x1b[2J") as report:
        assert report is not None
        report(Counted(1, 4, "steps"))
        report(Counted(3, 4, "steps", "0.25 nats"))
    written = screen.getvalue()
    assert "report [final]^[[2J" in written, "a name is neither markup nor a command to the terminal"
    assert "3/4 steps: 0.25 nats" in written
    assert "\x1b[2J" not in written


def test_elsewhere_a_line_is_written_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with shown.progress("report") as report:
        assert report is not None
        for done in range(101):
            report(Counted(done, 100, "steps"))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"report: {done}/100 steps" for done in range(0, 101, 10)]


def test_quiet_shows_nothing() -> None:
    with shown.progress("report", quiet=True) as report:
        assert report is None
