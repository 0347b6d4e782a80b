"""The page in a real browser: a file is read, asked about, and its cited page shown. Without Chromium there is none."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from judges_of_tests import always
from serving import Serve, until
from tiny import save_tiny_reader

from dmdoc.library.library import Library
from dmdoc.model.reader import Reader, open_reader

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs chromium and chromedriver"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # selenium's own sockets
]


@pytest.fixture
def browser(tmp_path: Path) -> "Iterator[Chrome]":
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = str(BROWSER)
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    options.add_argument(f"--user-data-dir={tmp_path / 'browser'}")
    with Chrome(options, ChromeService(str(DRIVER))) as browser:
        yield browser


def shown(browser: "Chrome", name: str) -> str:
    return browser.find_element("id", name).text


def test_a_file_is_read_asked_about_and_shown(
    browser: "Chrome",
    serve: Serve,
    served: Library,
    served_reader: Reader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    model, adapter = save_tiny_reader(served_reader, tmp_path)
    for name, value in {"HOME": served.root, "MODEL": model, "ADAPTER": adapter}.items():
        monkeypatch.setenv(f"DMDOC_{name}", str(value))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ships = tmp_path / "ships.txt"
    ships.write_text("The ship Vega sank in 1901. Her captain was Anna Berg. 🚢 " * 5)

    reader = replace(open_reader(str(model), str(adapter), cache=tmp_path), judges={"spans": always("sure")})
    browser.get(str(serve(open_reader=lambda _: reader).base_url))
    until(lambda: "lots" in shown(browser, "document"))
    browser.find_element(By.ID, "file").send_keys(str(ships))
    until(lambda: "ships" in shown(browser, "document"), 300)
    chosen = browser.find_element(By.ID, "document").get_attribute("value")
    assert chosen == "dmdoc/ships"

    browser.find_element(By.ID, "compare").send_keys(Keys.SPACE)
    browser.find_element(By.ID, "question").send_keys("When did the ship Vega sink?", Keys.ENTER)
    until(lambda: shown(browser, "support") != "", 60)
    answer = shown(browser, "answer")
    assert answer, shown(browser, "support")
    assert answer in ships.read_text()
    assert shown(browser, "support").startswith("Sure")
    assert browser.find_element(By.CSS_SELECTOR, "#sources mark").text == answer
    until(lambda: shown(browser, "guess") != "", 60)

    browser.find_element(By.CSS_SELECTOR, "#sources button").send_keys(Keys.ENTER)
    until(lambda: "Anna Berg" in shown(browser, "page"))
    marked = browser.find_element(By.CSS_SELECTOR, "#page mark").text
    assert answer in marked and browser.switch_to.active_element.get_attribute("id") == "page"

    for width in (1000, 360):
        browser.set_window_size(width, 900)
        wide, room = browser.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= room
        if folder := os.environ.get("SCREENSHOTS"):
            browser.save_screenshot(f"{folder}/page-{width}.png")
            browser.execute_cdp_cmd(
                "Emulation.setEmulatedMedia",
                {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
            )
            browser.save_screenshot(f"{folder}/page-{width}-dark.png")
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
