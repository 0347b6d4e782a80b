"""`make crash`, short: its own tests, and a hundred tries of it."""

import random
from pathlib import Path

import crash
import pytest


@pytest.mark.campaign
def test_a_hundred_tries_find_nothing() -> None:
    assert crash.campaign(100, seed=1) == (100, 0)


@pytest.mark.slow
def test_it_finds_what_is_wrong(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A rename in two steps and damage that nobody notices, both of which a few tries meet."""
    from dmdoc.library.journal import Journal

    monkeypatch.setattr(Journal, "_finish", lambda _: None)
    tried, failed = crash.campaign(12, seed=0)
    assert tried == 12 and failed > 0
    assert capsys.readouterr().out.splitlines()[-1] == f"tried 12 / failed {failed} / seed 0"


def test_damage_depends_on_the_seed_alone(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "two")]
    for seed in range(40):
        told = []
        for file in files:
            file.write_bytes(bytes(range(200)))
            told.append(crash.damage(file, random.Random(seed)))
        assert told[0] == told[1]
        assert [file.exists() for file in files] in ([True, True], [False, False])
        if files[0].exists():
            assert files[0].read_bytes() == files[1].read_bytes()
