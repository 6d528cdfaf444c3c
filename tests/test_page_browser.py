"""The interactive page in a real browser; run with `--browser`, as scripts/browser_tests does.

Wanted: Chromium with its driver on the PATH (`apt-get install chromium chromium-driver`) and selenium.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

import archdsl
from archdsl import library
from archdsl.emit.page import Page

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1280,800"
).split()


# How many boxes don't lie in the box around them, or lie on a neighbour.
OVERLAPS = """
const tree = document.getElementById("tree");
const inside = (one, other) => one.left >= other.left - 1 && one.right <= other.right + 1
  && one.top >= other.top - 1 && one.bottom <= other.bottom + 1;
const apart = (one, other) => one.right <= other.left + 1 || other.right <= one.left + 1
  || one.bottom <= other.top + 1 || other.bottom <= one.top + 1;
let wrong = 0;
for (const outer of [tree, ...document.querySelectorAll(".box[aria-expanded=true]")]) {
  const around = (box) => box.parentElement.closest(".box") || tree;
  const own = [...outer.querySelectorAll(".box")].filter((box) => around(box) === outer);
  const frames = own.map((box) => box.getBoundingClientRect());
  frames.forEach((one, k) => {
    if (!inside(one, outer.getBoundingClientRect())) wrong += 1;
    for (const other of frames.slice(k + 1)) if (!apart(one, other)) wrong += 1;
  });
}
return wrong;
"""


class Browser:
    """A browser with a page in it."""

    def __init__(self, folder: Path) -> None:
        options = webdriver.ChromeOptions()
        binary, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
        if binary is None or driver is None:
            pytest.fail("--browser needs chromium and chromedriver on the PATH")
        options.binary_location = binary
        for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self._file = folder / "page.html"
        self.driver.get("about:blank")
        self.asked_for()  # by the browser's own first page

    def open(self, page: Page | str) -> None:
        self._file.write_text(page if isinstance(page, str) else page.html, encoding="utf-8")
        self.driver.get(self._file.as_uri())

    def asked_for(self) -> list[str]:
        """What was requested since the last call, other than the page itself and what it has in it."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if url != self._file.as_uri() and not url.startswith("data:")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        """What was written since the last call."""
        entries: list[dict[str, Any]] = self.driver.execute("getLog", {"type": kind})["value"]
        return entries

    def complaints(self) -> list[str]:
        """What is on the console since the last call."""
        return [entry["message"] for entry in self._log("browser")]

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def box(self, path: str) -> WebElement:
        """A box by the beginning of what is read aloud of it: its path."""
        return self.one(f'.box[aria-label="{path}"], .box[aria-label^="{path}, "]')

    def click(self, path: str) -> None:
        head = self.box(path).find_element(By.CSS_SELECTOR, ".head")
        self.driver.execute_script("arguments[0].click()", head)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focused(self) -> str:
        return (self.driver.switch_to.active_element.get_attribute("aria-label") or "").partition(",")[0]

    def details(self) -> dict[str, str]:
        names, values = self.all("#details dt"), self.all("#details dd")
        return {name.text: value.text for name, value in zip(names, values, strict=True)}

    def rows(self) -> list[list[str]]:
        """The cells of the rows that are on the page."""
        rows = "[...document.querySelectorAll('tbody tr[data-box]')]"
        script = f"return {rows}.map((row) => [...row.cells].map((cell) => cell.textContent))"
        found: list[list[str]] = self.driver.execute_script(script)
        return found

    def media(self, **features: str) -> None:
        told = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": told})

    def colour(self) -> str:
        ground = "return getComputedStyle(document.body).backgroundColor"
        return str(self.driver.execute_script(ground))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("browser"))
    yield started
    started.driver.quit()


@pytest.fixture
def googlenet(browser: Browser) -> Browser:
    browser.open(archdsl.load("googlenet").page())
    return browser


@pytest.mark.parametrize("name", library.names())
def test_every_network_opens_quietly(browser: Browser, name: str) -> None:
    """Without a complaint or a request, and each box lies in the one around it and on no neighbour."""
    network = archdsl.load(name)
    browser.open(network.page())
    assert browser.one("h1").text == network.name
    for _ in range(3):
        browser.press("+")
    boxes = browser.driver.execute_script("return document.querySelectorAll('.box').length")
    assert boxes
    assert browser.rows()
    assert browser.driver.execute_script(OVERLAPS) == 0
    assert browser.complaints() == []
    assert browser.asked_for() == []


def test_the_policy_is_in_force(browser: Browser) -> None:
    """A test of the tests: a request that a page tries is stopped, and a complaint seen."""
    page = archdsl.load("lenet").page().html
    planted = '<img src="https://example.org/x.png"><script>document.title = "x"</script>'
    browser.open(page.replace("</body>", f"{planted}</body>"))
    assert browser.driver.title == "lenet"
    assert any("Content Security Policy" in line for line in browser.complaints())
    browser.asked_for()


def test_blocks_open_and_close(googlenet: Browser) -> None:
    assert googlenet.box("inception3a").get_attribute("aria-expanded") == "false"
    googlenet.click("inception3a")
    assert googlenet.box("inception3a").get_attribute("aria-expanded") == "true"
    assert len(googlenet.box("inception3a").find_elements(By.CSS_SELECTOR, ".fork > .branch")) == 4
    googlenet.click("inception3a.branch2")
    assert googlenet.box("inception3a.branch2.1").is_displayed()
    googlenet.click("inception3a")
    assert not googlenet.all('.box[aria-label^="inception3a."]')


def test_levels_open_and_close(googlenet: Browser) -> None:
    first = len(googlenet.all(".box"))
    googlenet.one("#more").click()
    second = len(googlenet.all(".box"))
    googlenet.one("#less").click()
    assert first < second
    assert len(googlenet.all(".box")) == first


def test_details_follow_pointer_and_focus(googlenet: Browser) -> None:
    googlenet.click("inception4a")
    told = googlenet.details()
    assert told["Parameters"].startswith("364,512 ")
    assert told["Output"].startswith("512 × 14 × 14")
    assert told["Spec"].startswith("googlenet.yaml:")
    over = "arguments[0].dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))"
    googlenet.driver.execute_script(over, googlenet.box("conv1").find_element(By.CSS_SELECTOR, ".head"))
    assert googlenet.one("#details h2").text == "conv1"
    googlenet.driver.execute_script("arguments[0].dispatchEvent(new MouseEvent('mouseleave'))", googlenet.one("#tree"))
    assert googlenet.one("#details h2").text == "inception4a"


def test_keys_walk_through_the_tree(googlenet: Browser) -> None:
    googlenet.click("maxpool1")
    assert googlenet.focused() == "maxpool1"
    googlenet.press(Keys.ARROW_DOWN)
    assert googlenet.focused() == "conv2"
    googlenet.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert googlenet.focused() == "conv2.conv"
    googlenet.press(Keys.ARROW_DOWN, Keys.ESCAPE)
    assert googlenet.focused() == "conv2"
    googlenet.press(Keys.ENTER)
    assert googlenet.box("conv2").get_attribute("aria-expanded") == "false"
    googlenet.press(Keys.END)
    assert googlenet.focused() == "fc"
    googlenet.press(Keys.HOME, Keys.ARROW_UP)
    assert googlenet.focused() == "conv1"
    assert len(googlenet.all('.box[tabindex="0"]')) == len(googlenet.all('.box[aria-selected="true"]')) == 1


def test_search_finds_by_name_operation_and_shape(googlenet: Browser) -> None:
    total = 215
    for query, check in (
        ("linear", lambda row: row[1] == "linear"),
        ("inception5b conv", lambda row: "inception5b" in row[0]),
        ("832 × 7 × 7", lambda row: True),
    ):
        googlenet.press("/")
        assert googlenet.driver.switch_to.active_element.get_attribute("id") == "search"
        googlenet.press(query)
        rows = googlenet.rows()
        assert 0 < len(rows) < total
        assert all(check(row) for row in rows)
        googlenet.press(Keys.ENTER)
        assert googlenet.one("#found").text.startswith("1 of ")
        selected = googlenet.one('.box[aria-selected="true"]')
        assert "hit" in (selected.get_attribute("class") or "")
        assert selected.find_element(By.CSS_SELECTOR, ".head").is_displayed()
        googlenet.press(Keys.ESCAPE)
        assert googlenet.one("tfoot").text.startswith(f"{total} rows")
    googlenet.press("/", "no such layer")
    assert googlenet.one("#found").text == "0 found"
    assert googlenet.rows() == []


def number(cell: str) -> int:
    return int(cell.replace(",", "") or 0)


def test_the_table_sorts_by_any_column(googlenet: Browser) -> None:
    for column, head in enumerate(googlenet.all("thead th button")):
        googlenet.driver.execute_script("arguments[0].click()", head)
        cell = googlenet.all("thead th")[column]
        first, once = cell.get_attribute("aria-sort"), googlenet.rows()
        googlenet.driver.execute_script("arguments[0].click()", head)
        assert {first, cell.get_attribute("aria-sort")} == {"ascending", "descending"}
        if column in (3, 4):
            for rows, back in ((once, first == "descending"), (googlenet.rows(), first != "descending")):
                numbers = [number(row[column]) for row in rows]
                assert numbers == sorted(numbers, reverse=back)
    assert googlenet.rows()[0][7] == ""


def test_table_and_diagram_follow_each_other(googlenet: Browser) -> None:
    rows = "[...document.querySelectorAll('tbody tr[data-box]')]"
    click = f"{rows}.find((row) => row.cells[0].textContent === arguments[0]).click()"
    googlenet.driver.execute_script(click, "inception3a.branch1.conv")
    assert googlenet.box("inception3a.branch1.conv").get_attribute("aria-selected") == "true"
    assert googlenet.box("inception3a.branch1.conv").is_displayed()
    googlenet.click("fc")
    (marked,) = googlenet.all('tbody tr[aria-selected="true"]')
    assert marked.text.startswith("fc linear")
    assert marked.is_displayed()


def test_the_spec_shows_the_line(googlenet: Browser) -> None:
    googlenet.one("#tab-spec").click()
    googlenet.click("inception4b")
    (line,) = googlenet.all("#spec li.here")
    assert line.text.strip() == "- inception4b: inception 160, 112, 224, 24, 64, 64"
    (line,) = [item for item in googlenet.all("#spec li.used") if item.text.strip() == "- fc: linear classes"]
    googlenet.driver.execute_script("arguments[0].click()", line)
    assert googlenet.box("fc").get_attribute("aria-selected") == "true"


def test_light_and_dark(browser: Browser) -> None:
    browser.media(prefers_color_scheme="dark")
    browser.open(archdsl.load("lenet").page())
    dark = browser.colour()
    browser.one("#theme").click()
    light = browser.colour()
    assert (dark, light) == ("rgb(22, 24, 29)", "rgb(255, 255, 255)")
    browser.media(prefers_color_scheme="light")
    browser.open(archdsl.load("lenet").page())
    assert browser.colour() == light


def test_a_narrow_screen_scrolls_in_one_direction(browser: Browser) -> None:
    size: dict[str, Any] = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.open(archdsl.load("googlenet").page())
    assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= 390
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_it_prints_with_the_whole_table(googlenet: Browser) -> None:
    count = "document.title = document.querySelectorAll('tbody tr').length"
    googlenet.driver.execute_script(f"addEventListener('beforeprint', () => {{ {count} }})")
    told = googlenet.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(told["data"]) > 50_000
    assert googlenet.driver.title == "215"


def test_a_long_network_opens_quickly(browser: Browser) -> None:
    rows = "\n".join(f"  c{k}: conv 1x1, {8 + k % 5}" for k in range(30_000))
    browser.open(archdsl.loads(f"net long\n  input 3x8x8\n{rows}\n").page())
    took = browser.driver.execute_script("return performance.timing.loadEventEnd - performance.timing.navigationStart")
    assert took < 5000
    browser.press("/", "c29999", Keys.ENTER)
    assert browser.box("c29999").is_displayed()
    assert len(browser.all(".box")) < 1000
    assert browser.complaints() == []


def test_the_frame_of_a_notebook_works(browser: Browser) -> None:
    frame = archdsl.load("lenet").page()._repr_html_()
    browser.open(f"<!DOCTYPE html><title>cell</title>{frame}")
    browser.driver.switch_to.frame(browser.one("iframe"))
    assert browser.one("h1").text == "lenet"
    assert browser.all(".box")
    browser.driver.switch_to.default_content()
    assert browser.complaints() == []
