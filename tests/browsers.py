"""A real browser for tests: Debian's Chromium without a window, driven by its own driver."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    JavascriptException,
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

SCREENSHOTS = Path(__file__).parents[1] / "build" / "screenshots"
"""Where pictures of the last run stay; git ignores it."""

PATIENCE = 120
"""Seconds until something that does not appear is given up."""

NOT_THERE_YET = (NoSuchElementException, StaleElementReferenceException, JavascriptException)

PHONE = (390, 844)
DESKTOP = (1280, 900)

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # which root may not use
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--hide-scrollbars",
)


class Browser:
    """One page at a time, what it asked the network for, and what it complained of.

    Args:
        driver: A started Chromium that logs its console and its requests.
    """

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str, size: tuple[int, int] = DESKTOP) -> None:
        """Show ``url`` in a window of so many CSS pixels; what was logged before is forgotten."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", metrics | {"mobile": size == PHONE}
        )
        self.driver.get("about:blank")
        self.requests()
        self.complaints()
        self.driver.get(url)
        self.until(self._loaded, f"the whole of {url}")  # on a busy machine get() returns before

    def _loaded(self) -> bool:
        elsewhere = self.driver.current_url == "about:blank"
        return not elsewhere and self.script("return document.readyState") == "complete"

    def requests(self) -> list[str]:
        """URLs that the page wanted since this was last asked; not those that hold their data."""
        entries = (json.loads(one["message"])["message"] for one in self._log("performance"))
        sent = [one for one in entries if one["method"] == "Network.requestWillBeSent"]
        urls = [str(one["params"]["request"]["url"]) for one in sent]
        return [url for url in urls if not url.startswith(("data:", "about:"))]

    def complaints(self) -> list[str]:
        """Warnings and errors in the console since this was last asked."""
        return [str(one["message"]) for one in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.get_log(kind)
        return entries

    def all(self, selector: str) -> list[WebElement]:
        """What a CSS selector finds, in the order of the page."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self) -> str:
        """All that is to be read."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def script(self, text: str, *arguments: object) -> Any:
        """What a piece of JavaScript returns."""
        return self.driver.execute_script(text, *arguments)

    def until(self, condition: Callable[[], Any], wanted: str) -> Any:
        """Wait until ``condition`` gives something true; that. A failure leaves a picture."""
        waiting = WebDriverWait(self.driver, PATIENCE, ignored_exceptions=NOT_THERE_YET)
        try:
            return waiting.until(lambda _driver: condition())
        except TimeoutException:
            self.picture("failed.png")
            pytest.fail(f"never saw {wanted} ({self.driver.current_url}, {SCREENSHOTS})")

    def picture(self, name: str) -> None:
        """Keep what is to be seen as ``name``."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / name))


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser whose profile is a new folder; the test is skipped where there is none."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    manager = shutil.which("chromedriver")
    if not program or not manager:
        lacking = "chromedriver" if program else "Chromium"
        pytest.skip(f"no {lacking}; `make browser` installs both")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for one in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(one)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(manager))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
