from pathlib import Path

import pytest

from dmdoc.settings.folders import cache_folder, config_folder, data_folder


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"DMDOC_HOME": "/a", "XDG_DATA_HOME": "/b"}, Path("/a")),
        ({"XDG_DATA_HOME": "/b"}, Path("/b/dmdoc")),
        ({"DMDOC_HOME": "", "XDG_DATA_HOME": "/b"}, Path("/b/dmdoc")),
        ({"DMDOC_HOME": "~/papers"}, Path.home() / "papers"),
        ({"DMDOC_CACHE": "/c", "DMDOC_HOME": "/a"}, Path("/a")),
    ],
)
def test_data_folder(environ: dict[str, str], expected: Path) -> None:
    assert data_folder(environ) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"DMDOC_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, Path("/a")),
        ({"XDG_CACHE_HOME": "/b"}, Path("/b/dmdoc")),
        ({"DMDOC_CACHE": "", "XDG_CACHE_HOME": "/b"}, Path("/b/dmdoc")),
        ({"DMDOC_HOME": "/a", "XDG_CACHE_HOME": "/b", "XDG_DATA_HOME": "/c"}, Path("/b/dmdoc")),
    ],
)
def test_cache_folder(environ: dict[str, str], expected: Path) -> None:
    assert cache_folder(environ) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"DMDOC_CONFIG": "/a", "XDG_CONFIG_HOME": "/b"}, Path("/a")),
        ({"XDG_CONFIG_HOME": "/b"}, Path("/b/dmdoc")),
    ],
)
def test_config_folder(environ: dict[str, str], expected: Path) -> None:
    assert config_folder(environ) == expected


@pytest.fixture
def bare_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/reader")
    for variable in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("bare_home")
@pytest.mark.parametrize("environ", [{}, {"XDG_DATA_HOME": "", "XDG_CACHE_HOME": ""}])
def test_without_variables_the_platform_decides(environ: dict[str, str]) -> None:
    assert data_folder(environ).parts[-1] == "dmdoc"
    assert cache_folder(environ).parts[-1] == "dmdoc"
    assert data_folder(environ) != cache_folder(environ)


@pytest.mark.usefixtures("bare_home")
def test_a_relative_xdg_folder_is_ignored_as_its_specification_asks() -> None:
    environ = {"XDG_DATA_HOME": "data", "XDG_CACHE_HOME": "cache"}
    assert data_folder(environ) == data_folder({})
    assert cache_folder(environ) == cache_folder({})


def test_nothing_is_created(tmp_path: Path) -> None:
    data_folder({"DMDOC_HOME": str(tmp_path / "data")})
    cache_folder({"DMDOC_CACHE": str(tmp_path / "cache")})
    assert not list(tmp_path.iterdir())
