"""The campaign of hostile files: a few of its cases, and that it would notice a fault."""

from pathlib import Path

import pytest
from fuzz import Target, case, targets

from dmdoc.errors import DmdocError


@pytest.mark.slow
def test_a_few_hostile_files(tmp_path: Path) -> None:
    known = targets(tmp_path)
    failures = [case(number, 1, known, tmp_path) for number in range(60)]
    assert len({name for name, _ in failures}) > 5
    assert [found for found in failures if found[1] is not None] == []


def test_a_fault_is_noticed_and_a_case_comes_again(tmp_path: Path) -> None:
    seen: list[bytes] = []

    def fail(path: Path) -> None:
        seen.append(path.read_bytes())
        raise KeyError("x")

    def ramble(_: Path) -> None:
        raise DmdocError("one\ntwo")

    for _ in range(2):
        name, failure = case(7, 3, {"a": Target(".txt", (b"some text",), fail)}, tmp_path)
        assert name == "a" and failure is not None and "KeyError" in failure
    assert seen[0] == seen[1] != b"some text"
    assert "more than one line" in str(case(0, 0, {"b": Target(".txt", (b"x",), ramble)}, tmp_path)[1])
