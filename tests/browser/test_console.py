"""The console in a real browser: a person signs in, finds, compares, decides and sees what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.browser.conftest import SMALL, WIDE, Desk, Screen
from tests.browser.office import (
    ARGUED,
    BO,
    CUSTOMER,
    CY,
    CY_MAIL,
    DI,
    DIANA,
    SISTERS,
    STEWARD,
    STEWARD_TOKEN,
    VIEW_TOKEN,
)
from tests.unit.web.site import ANN

pytestmark = pytest.mark.browser

ID = quote(CUSTOMER, safe="")
HERE = f"/customers/{ID}"


class Visit(Screen):
    """A person at the console."""

    def sign_in(self) -> None:
        """With both tokens."""
        self.open("/")
        for name, typed in (("view", VIEW_TOKEN), ("steward", STEWARD_TOKEN), ("by", STEWARD)):
            self.field(name).send_keys(typed)
        self.press("Sign in")

    def field(self, name: str) -> WebElement:
        """The field of this id."""
        return self.chromium.find_element(By.ID, name)

    def press(self, label: str, within: str = "main") -> None:
        """Click the button whose words begin so, and wait for the page that follows."""
        buttons = self.chromium.find_elements(By.CSS_SELECTOR, f"{within} button")
        [button, *_] = [one for one in buttons if one.get_attribute("textContent").strip().startswith(label)]
        self.follow(button.click)

    def follow(self, act: Callable[[], object]) -> None:
        """Do something that leads to another page, and wait for it."""
        self.chromium.execute_script("window.before = true")
        act()
        self.until("return !window.before && document.readyState === 'complete'")

    def type(self, **fields: str) -> None:
        """Fill fields in, in the place of what is in them."""
        for name, typed in fields.items():
            self.field(name).clear()
            self.field(name).send_keys(typed)

    @property
    def heading(self) -> str:
        """The first heading."""
        return self.chromium.find_element(By.TAG_NAME, "h1").text

    @property
    def path(self) -> str:
        """The address without its host."""
        return self.chromium.current_url.removeprefix(self.site)


@pytest.fixture
def visit(chromium: webdriver.Chrome, desk: Desk) -> Visit:
    """A steward on a wide screen, signed in."""
    screen = Visit(chromium, desk.url, WIDE)
    screen.sign_in()
    screen.problems()
    return screen


def test_a_page_asks_for_its_token_and_then_shows_itself(chromium: webdriver.Chrome, desk: Desk) -> None:
    screen = Visit(chromium, desk.url, WIDE)
    screen.open(HERE)
    assert screen.heading == "Sign in"

    screen.type(view="a guess")
    screen.press("Sign in")
    assert screen.chromium.find_element(By.CSS_SELECTOR, "[role=alert]").text == "That token is not the right one."

    screen.type(view=VIEW_TOKEN)
    screen.press("Sign in")
    assert screen.path == HERE
    assert screen.heading == f"Customer {CUSTOMER}"
    assert chromium.execute_script("return document.cookie") == ""


@pytest.mark.parametrize("typed", [ANN.upper(), "crm:0031a00000AbCdE", "(415) 555-0100", CUSTOMER])
def test_a_customer_is_found_and_the_address_holds_only_the_id(visit: Visit, typed: str) -> None:
    visit.follow(lambda: visit.field("q").send_keys(typed, Keys.ENTER))

    assert visit.path == HERE
    assert "3 values differ" in visit.text


def test_a_contact_point_of_two_people_shows_both(visit: Visit) -> None:
    visit.follow(lambda: visit.field("q").send_keys(CY_MAIL, Keys.ENTER))

    assert visit.path == "/search"
    links = [one.text for one in visit.chromium.find_elements(By.CSS_SELECTOR, "main h3 a")]
    assert links == [BO, CY]


def test_a_pin_is_confirmed_with_its_consequence_and_then_seen(visit: Visit, desk: Desk) -> None:
    visit.open(HERE)
    visit.press("Pin the first name")
    visit.type(value="Annie")
    visit.press("Go on")

    assert visit.heading == "Pin the first name?"
    assert "Ann → Annie" in visit.text
    assert "crm:0031a00000AbCdE" in visit.text
    assert visit.field("by").get_attribute("value") == STEWARD
    assert desk.office.sent == []

    visit.type(why="she told us on the phone")
    visit.press("Pin the first name")
    assert visit.heading == "accepted The pin was carried out"
    assert len(desk.office.sent) == 1

    visit.open(HERE)
    golden = visit.chromium.find_element(By.CSS_SELECTOR, "tbody td.golden")
    assert "Annie" in golden.text and "pinned" in golden.text
    visit.press("Unpin the first name")
    visit.type(why="a mistake")
    visit.press("Take back")
    visit.open(HERE)
    assert "Annie" not in visit.chromium.find_element(By.CSS_SELECTOR, "tbody td.golden").text


def test_an_act_can_be_left_without_doing_anything(visit: Visit, desk: Desk) -> None:
    visit.open(HERE)
    visit.press("Unlink the record esp:01HX")
    assert "esp:01HX leaves" in visit.text
    visit.follow(visit.chromium.find_element(By.LINK_TEXT, "Cancel").click)

    assert visit.path == HERE
    assert desk.office.sent == []


def test_the_browser_itself_asks_for_who_and_why(visit: Visit, desk: Desk) -> None:
    visit.open(HERE)
    visit.press("Unlink the record esp:01HX")
    visit.chromium.find_element(By.CSS_SELECTOR, ".go button").click()

    invalid = visit.chromium.find_elements(By.CSS_SELECTOR, "main :invalid:not(form)")
    assert [one.get_attribute("id") for one in invalid] == ["why"]
    assert desk.office.sent == []


def test_a_refused_value_is_released_from_where_it_differs(visit: Visit, desk: Desk) -> None:
    visit.open(HERE)
    visit.press("Release")
    visit.type(why="the CRM takes it now")
    visit.press("Release")

    assert visit.heading == "accepted The release was carried out"
    assert len(desk.office.sent) == 1


def test_a_case_is_approved_with_what_it_does(visit: Visit) -> None:
    visit.open("/reviews")
    assert len(visit.chromium.find_elements(By.TAG_NAME, "article")) == 2
    assert CY_MAIL not in visit.text

    visit.press("Approve", f"#{SISTERS}")
    assert f"{CY} becomes part of {BO}" in visit.text
    visit.type(why="one person with two accounts")
    visit.press("Approve the case")
    assert visit.heading == "accepted The review was carried out"

    visit.open(f"/reviews/{SISTERS}")
    assert f"Approved by {STEWARD}" in visit.text
    assert visit.chromium.find_elements(By.CSS_SELECTOR, "main button") == []


def test_a_case_is_dismissed_and_leaves_the_queue(visit: Visit) -> None:
    visit.open("/reviews")
    visit.press("Dismiss", f"#{ARGUED}")
    visit.type(why="the CRM is right")
    visit.press("Dismiss the case")

    visit.open("/reviews")
    assert [one.get_attribute("id") for one in visit.chromium.find_elements(By.TAG_NAME, "article")] == [SISTERS]


def test_a_refusal_of_the_engine_is_told_in_words(visit: Visit, desk: Desk) -> None:
    desk.office.refuses = "records_max"
    visit.open(f"/customers/{BO}")
    visit.press("Merge")
    visit.type(**{"with": CY})
    visit.press("Go on")
    visit.type(why="one person")
    visit.press("Merge the two")

    assert visit.heading == "refused The merge was not carried out"
    assert "more records of one platform than the policy allows" in visit.text


def test_an_erasure_takes_a_tick_and_ends_with_its_certificate(visit: Visit, desk: Desk) -> None:
    visit.open(f"/customers/{BO}")
    visit.press("Erase")
    assert "There is no way back." in visit.text
    visit.type(why="request 2026-14")
    visit.chromium.find_element(By.CSS_SELECTOR, ".go button").click()
    assert desk.office.sent == []

    visit.field("sure").send_keys(Keys.SPACE)
    visit.press("Erase the customer")
    visit.open(f"/customers/{BO}")
    assert visit.heading == f"Customer {BO} was erased"
    assert "has been told and has not answered yet" in visit.text


def test_an_erased_customer_shows_what_each_platform_answered(visit: Visit) -> None:
    visit.open(f"/customers/{DI}")
    answers = [row.text.split("\n")[0] for row in visit.chromium.find_elements(By.CSS_SELECTOR, "tbody tr")]

    assert answers == ["crm acked", "esp waiting"]
    assert "di@example.com" not in visit.text


def test_the_ledger_opens_by_keyboard_and_says_what_counts(visit: Visit) -> None:
    visit.open(HERE)
    [summary] = [one for one in visit.chromium.find_elements(By.TAG_NAME, "summary") if "3 decisions" in one.text]
    summary.send_keys(Keys.ENTER)
    ledger = visit.chromium.find_element(By.CSS_SELECTOR, "details[open]").text

    assert ledger.count("opt in") == 2 and ledger.count("opt out") == 1
    assert "only an explicit opt-in counts" in ledger


def test_the_history_is_a_timeline_with_who_and_why(visit: Visit) -> None:
    visit.open(f"{HERE}/history")
    entries = visit.chromium.find_elements(By.CSS_SELECTOR, ".timeline > li")

    assert len(entries) == 3
    assert f"Pin by {STEWARD}: A phone call." in entries[0].text
    assert "It was Anna." in entries[0].text

    field = visit.field("at")
    visit.chromium.execute_script("arguments[0].value = '2026-01-10T12:00:06'", field)
    visit.press("Show")
    assert "What was golden at 2026-01-10 12:00:06 UTC" in visit.text
    assert "Anna" in visit.text


def test_everything_is_done_without_a_mouse(visit: Visit, desk: Desk) -> None:
    visit.open(HERE)
    visit.keys(Keys.TAB)
    assert visit.active.text == "Skip to the content"
    visit.keys(Keys.ENTER)
    while visit.active.get_attribute("textContent").strip() != "Pin the first name…":
        visit.keys(Keys.TAB)
    visit.follow(lambda: visit.keys(Keys.ENTER))
    visit.tab_to("value")
    visit.active.send_keys(Keys.CONTROL, "a")
    visit.follow(lambda: visit.keys("Annie", Keys.ENTER))
    visit.tab_to("why")
    visit.keys("she told us", Keys.TAB)
    assert visit.active.text == "Pin the first name"
    visit.follow(lambda: visit.keys(Keys.ENTER))

    assert visit.heading == "accepted The pin was carried out"
    assert len(desk.office.sent) == 1


# Every page, on every screen

PAGES = (
    "/",
    HERE,
    f"/explain/{ID}",
    f"{HERE}/history",
    "/reviews",
    "/reviews?state=settled",
    f"/reviews/{SISTERS}",
    f"/customers/{DI}",
    f"/customers/{DIANA}",
    "/sign-in",
)
FORMS = {
    "pin": ("Pin the first name",),
    "pin-address": ("Pin the shipping address",),
    "merge": ("Merge",),
    "unlink": ("Unlink",),
    "erase": ("Erase",),
}


def test_after_too_many_wrong_tokens_the_form_says_when_to_come_back(chromium: webdriver.Chrome, desk: Desk) -> None:
    screen = Visit(chromium, desk.url, SMALL)
    for _ in range(11):
        screen.open(HERE)
        screen.type(view="a guess")
        screen.press("Sign in")
    screen.problems()  # the answers 401 and 429 are among them

    assert screen.chromium.find_element(By.CSS_SELECTOR, "[role=alert]").text == (
        "Too many wrong tokens came from your address: try again in 5 minutes."
    )
    _sound(screen, "too-many")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "small"])
def test_every_page_of_a_steward_fits_and_is_sound(
    chromium: webdriver.Chrome, desk: Desk, size: tuple[int, int], dark: bool
) -> None:
    screen = Visit(chromium, desk.url, size, dark)
    screen.sign_in()
    screen.problems()
    for path in PAGES:
        screen.open(path)
        _sound(screen, path.strip("/").replace("/", "-") or "start")
    for name, presses in FORMS.items():
        screen.open(HERE)
        for label in presses:
            screen.press(label)
        _sound(screen, name)


def _sound(screen: Visit, name: str) -> None:
    screen.chromium.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = {
        "too wide": screen.overflow_px,
        "cut off": screen.cut_off(),
        "faint": screen.faint_text(),
        "unsound": screen.unsound(),
        "complaints": screen.problems(),
        "loaded": screen.loaded(),
    }
    directory = os.environ.get("WRITEBACK_SCREENSHOTS")
    if directory:
        screen.picture(Path(directory), f"console-{name}")

    assert found == {"too wide": 0, "cut off": [], "faint": [], "unsound": [], "complaints": [], "loaded": []}, name


def test_the_checks_themselves_find_what_is_wrong(visit: Visit) -> None:
    visit.open("/")
    visit.chromium.execute_script(
        "document.querySelector('main').innerHTML = '<h2>a</h2><h4>b</h4><input><button></button>"
        '<a href="/x">&nbsp;</a>'
        "<p id=q>c</p><p id=p>d</p><div tabindex=3>e</div>';"
        "Object.assign(document.getElementById('p').style, {color: '#999', minWidth: '3000px'})"
    )

    assert sorted(visit.unsound()) == [
        "a script or a style in an element",
        "heading skips from 2 to 4",
        "no name: A",
        "no name: BUTTON",
        "no name: INPUT",
        "not one h1: 0",
        "order of the keyboard is changed: DIV",
        "the id is there twice: q",
    ]
    assert visit.overflow_px > 0
    assert visit.faint_text() == ["d"]
