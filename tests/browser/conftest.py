"""A headless Chromium, and the views with a customer who has something of everything."""

from __future__ import annotations

import base64
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.office import STEWARD_TOKEN, VIEW_TOKEN, Office, told
from tests.unit.web.site import NOON, open_site

WIDE, PHONE_SCREEN, SMALL = (1280, 900), (390, 844), (320, 640)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """The browser; without one its tests are skipped, under WRITEBACK_REQUIRE_ALL=1 they fail."""
    browser, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if browser is None or driver is None:
        refuse = pytest.fail if os.environ.get("WRITEBACK_REQUIRE_ALL") == "1" else pytest.skip
        refuse("browser: Chromium and its chromedriver are not installed (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    profile = str(tmp_path_factory.mktemp("chromium"))
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    try:
        running.set_page_load_timeout(20)
        yield running
    finally:
        running.quit()
        end_all(profile)


def end_all(profile: str) -> None:
    """Kill what has the profile on its command line: at times the browser outlives its driver."""
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if profile.encode() in (each / "cmdline").read_bytes():
                os.kill(int(each.name), signal.SIGKILL)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the views; nobody acts here."""
    directory = tmp_path_factory.mktemp("site")
    with open_site(directory, Office(told(), directory), now=NOON + 60_000) as url:
        yield url


class Desk(NamedTuple):
    """A console of one's own, with tokens, and the engine behind it."""

    url: str
    office: Office


@pytest.fixture
def desk(tmp_path: Path, chromium: webdriver.Chrome) -> Iterator[Desk]:
    """A console for one test; the browser forgets it afterwards."""
    office = Office(told(), tmp_path)
    tokens = {"view_token": VIEW_TOKEN, "steward_token": STEWARD_TOKEN}
    with open_site(tmp_path, office, now=NOON + 60_000, **tokens) as url:
        yield Desk(url, office)
        chromium.get("about:blank")
        chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})


_TEXTS = """
  const walker = document.createTreeWalker(document.querySelector('body'), NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const box = walker.currentNode.parentElement.getBoundingClientRect();
    if (walker.currentNode.data.trim() && box.width > 1 && box.height > 1) texts.push(walker.currentNode);
  }
"""
_CUT_OFF = (
    _TEXTS
    + """
  return texts.filter(text => {
    const range = document.createRange();
    range.selectNode(text);
    const scrolls = text.parentElement.closest('.sheet');
    if (scrolls && getComputedStyle(scrolls).overflowX === 'auto') return false;
    return range.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
  }).map(text => text.data.trim());
"""
)
_FAINT = (
    _TEXTS
    + """
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const parts = numbers(colour).slice(0, 3).map(one => one / 255)
      .map(one => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if ((numbers(colour)[3] ?? 1) === 1) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  return texts.filter(text => {
    const pair = [light(getComputedStyle(text.parentElement).color), light(behind(text.parentElement))];
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05) < 4.5;
  }).map(text => text.data.trim());
"""
)

_UNSOUND = """
  const found = [];
  const shown = one => one.getClientRects().length > 0;
  const named = one => {
    const by = (one.getAttribute('aria-labelledby') || '').split(' ').map(id => document.getElementById(id));
    const texts = [one.getAttribute('aria-label'), one.textContent, one.title,
      ...by.map(each => each && each.textContent), ...[...(one.labels || [])].map(label => label.textContent)];
    return texts.some(text => text && text.trim());
  };
  for (const one of document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')) {
    const typed = ['INPUT', 'TEXTAREA', 'SELECT'].includes(one.tagName);
    if (shown(one) && !(typed ? [...one.labels].some(label => label.textContent.trim()) : named(one)))
      found.push(`no name: ${one.tagName}`);
  }
  for (const one of document.querySelectorAll('[role=region], section[aria-labelledby], article[aria-labelledby]'))
    if (!named({getAttribute: name => one.getAttribute(name), textContent: '', title: ''}))
      found.push(`no name: ${one.tagName}`);
  const levels = [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(one => Number(one.tagName[1]));
  const firsts = levels.filter(level => level === 1).length;
  if (firsts !== 1) found.push(`not one h1: ${firsts}`);
  levels.forEach((level, place) => {
    if (place && level > levels[place - 1] + 1) found.push(`heading skips from ${levels[place - 1]} to ${level}`);
  });
  const ids = [...document.querySelectorAll('[id]')].map(one => one.id);
  for (const id of new Set(ids.filter((id, place) => ids.indexOf(id) !== place)))
    found.push(`the id is there twice: ${id}`);
  for (const one of document.querySelectorAll('[tabindex]'))
    if (one.tabIndex > 0) found.push(`order of the keyboard is changed: ${one.tagName}`);
  for (const one of document.querySelectorAll('table'))
    if (!one.caption || !one.querySelector('th[scope]')) found.push('a table without caption or scopes');
  for (const one of document.querySelectorAll('[aria-describedby], [aria-labelledby]'))
    for (const id of (one.getAttribute('aria-describedby') || one.getAttribute('aria-labelledby')).trim().split(/ +/))
      if (!document.getElementById(id)) found.push(`points to nothing: ${id}`);
  if (!document.documentElement.lang) found.push('no language');
  if (document.querySelectorAll('main').length !== 1) found.push('not one main');
  if (document.querySelector('script, [onclick], [style]')) found.push('a script or a style in an element');
  return found;
"""


class Screen:
    """A browser window of one size and scheme, on one page after another."""

    def __init__(self, chromium: webdriver.Chrome, site: str, size: tuple[int, int], dark: bool = False) -> None:
        self.chromium = chromium
        self.site = site
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.name = f"{size[0]}-{'dark' if dark else 'light'}"

    def open(self, path: str) -> None:
        """Go to a page."""
        self.chromium.get(self.site + path)

    @property
    def text(self) -> str:
        """All that can be read."""
        return self.chromium.find_element(By.TAG_NAME, "body").text

    @property
    def overflow_px(self) -> int:
        """By how much the page is wider than the screen."""
        script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.chromium.execute_script(script))

    def tab_through(self) -> list[str]:
        """The addresses of the links that the Tab key reaches, in its order; "" for what is no link."""
        body = self.chromium.find_element(By.TAG_NAME, "body")
        reached: list[str] = []
        for _ in range(100):
            self.chromium.switch_to.active_element.send_keys(Keys.TAB)
            active = self.chromium.switch_to.active_element
            if active == body:
                break
            reached.append(active.get_attribute("href") or "")
        return reached

    @property
    def active(self) -> WebElement:
        """What has the keyboard."""
        return self.chromium.switch_to.active_element

    def keys(self, *typed: str) -> None:
        """Press keys, wherever the keyboard is."""
        ActionChains(self.chromium).send_keys(*typed).perform()

    def tab_to(self, name: str) -> None:
        """Press Tab until the field of this id is reached."""
        for _ in range(100):
            if self.active.get_attribute("id") == name:
                return
            self.keys(Keys.TAB)
        raise AssertionError(f"the Tab key does not reach {name}")

    def until(self, script: str) -> None:
        """Wait until a script says yes."""
        WebDriverWait(self.chromium, 10).until(lambda chromium: chromium.execute_script(script))

    def unsound(self) -> list[str]:
        """What a person with a screen reader or a keyboard would stumble over."""
        return list(self.chromium.execute_script(_UNSOUND))

    def loaded(self) -> list[str]:
        """Whatever the page has fetched beside itself."""
        return list(
            self.chromium.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
        )

    def problems(self) -> list[str]:
        """What the browser complained of since it was asked last."""
        return [entry["message"] for entry in self.chromium.get_log("browser")]

    def cut_off(self) -> list[str]:
        """Texts that stick out of the screen on the right, unless their table can be scrolled."""
        return list(self.chromium.execute_script(_CUT_OFF))

    def faint_text(self) -> list[str]:
        """Texts whose contrast with what is behind them is below 4.5 (WCAG AA)."""
        return list(self.chromium.execute_script(_FAINT))

    @property
    def outlined(self) -> bool:
        """Whether one sees which element has the keyboard."""
        self.chromium.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
        width = self.chromium.switch_to.active_element.value_of_css_property("outline-width")
        return float(width.removesuffix("px")) >= 2

    def until_at(self, path: str) -> None:
        """Wait for the page of this path to be there."""
        wanted = self.site + path
        WebDriverWait(self.chromium, 10).until(
            lambda chromium: (
                chromium.current_url == wanted and chromium.execute_script("return document.readyState") == "complete"
            )
        )

    def picture(self, directory: Path, name: str) -> Path:
        """A screenshot of the whole page."""
        height = self.chromium.execute_script("return document.documentElement.scrollHeight")
        width = self.chromium.execute_script("return document.documentElement.clientWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.chromium.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
        path = directory / f"{name}-{self.name}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        return path
