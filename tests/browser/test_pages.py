"""The pages in a real browser: wide and narrow, light and dark, by keyboard."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import PHONE_SCREEN, WIDE, Screen
from tests.browser.office import CUSTOMER
from tests.unit.web.site import ANN, PHONE

pytestmark = pytest.mark.browser

ID = quote(CUSTOMER, safe="")
PAGES = {
    "start": "/",
    "customer": f"/customers/{ID}",
    "explain": f"/explain/{ID}",
    "consents": f"/consents/{ANN}",
    "missing": "/customers/nobody",
}
Show = Callable[..., Screen]


@pytest.fixture
def show(chromium: webdriver.Chrome, site: str) -> Show:
    """`show("customer", PHONE_SCREEN, dark=True)`: a page on a screen."""

    def shown(page: str, size: tuple[int, int] = WIDE, dark: bool = False) -> Screen:
        screen = Screen(chromium, site, size, dark)
        screen.problems()
        screen.open(PAGES[page])
        return screen

    return shown


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE_SCREEN], ids=["wide", "phone"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_its_screen_and_can_be_read(show: Show, page: str, size: tuple[int, int], dark: bool) -> None:
    screen = show(page, size, dark)

    assert screen.overflow_px == 0
    assert screen.cut_off() == []
    assert screen.faint_text() == []
    directory = os.environ.get("WRITEBACK_SCREENSHOTS")
    if directory:
        assert screen.picture(Path(directory), page).stat().st_size > 1000


@pytest.mark.parametrize("page", [page for page in PAGES if page != "missing"])
def test_the_browser_has_nothing_to_complain_of(show: Show, page: str) -> None:
    assert show(page).problems() == []


@pytest.mark.parametrize("size", [WIDE, PHONE_SCREEN], ids=["wide", "phone"])
def test_golden_stands_beside_what_each_platform_holds(show: Show, size: tuple[int, int]) -> None:
    screen = show("customer", size)
    differing = screen.chromium.find_elements(By.CSS_SELECTOR, "td.differs")

    assert [cell.get_attribute("data-label") for cell in differing] == ["crm", "crm", "crm"]
    assert "Anna" in differing[0].text
    assert "refused" in differing[0].text
    assert "875 N Michigan Ave" in differing[1].text
    assert "waits for its verdict" in differing[1].text
    assert "3 values differ" in screen.text
    assert screen.text.count("must not be sent to") == 2


def test_differences_stand_out_from_what_is_the_same(show: Show) -> None:
    screen = show("customer")

    grounds = {
        kind: screen.chromium.find_element(By.CSS_SELECTOR, f"td.{kind}").value_of_css_property("background-color")
        for kind in ("golden", "same", "differs")
    }
    assert len(set(grounds.values())) == 3


def test_the_reasons_can_be_read(show: Show) -> None:
    text = show("explain", PHONE_SCREEN).text

    for reason in (
        "Its confidence 0.50 is below shipping_address.min_confidence 0.80.",
        "The platform refused it for good",
        "after an opt-out or an expiry only an explicit opt-in counts, and this one is not.",
        "Opted out at 2026-01-10 12:00:08 UTC",
        "policy default-1",
    ):
        assert reason in text


@pytest.mark.parametrize("size", [WIDE, PHONE_SCREEN], ids=["wide", "phone"])
def test_every_link_is_reached_with_the_tab_key_and_shows_that_it_is(show: Show, size: tuple[int, int]) -> None:
    screen = show("customer", size)
    links = [one.get_attribute("href") for one in screen.chromium.find_elements(By.TAG_NAME, "a")]
    reached = screen.tab_through()

    assert [link for link in reached if link] == links
    assert len(links) > 10
    assert len(reached) - len(links) >= len(
        screen.chromium.find_elements(By.CSS_SELECTOR, "button, summary, input[id]")
    )
    assert screen.outlined


def test_a_customer_is_found_by_typing_and_explained_with_one_more_key(show: Show) -> None:
    screen = show("start", PHONE_SCREEN)
    screen.chromium.find_element(By.NAME, "q").send_keys("crm:0031a00000AbCdE", Keys.ENTER)
    screen.until_at(f"/customers/{ID}")
    assert CUSTOMER in screen.text

    screen.chromium.find_element(By.LINK_TEXT, "Why it is so").send_keys(Keys.ENTER)
    screen.until_at(f"/explain/{ID}")
    assert "Still to do" in screen.text


def test_the_reasons_of_one_value_are_one_key_away(show: Show) -> None:
    screen = show("customer", PHONE_SCREEN)
    screen.chromium.find_element(By.CSS_SELECTOR, "td.golden a").send_keys(Keys.ENTER)

    screen.until_at(f"/explain/{ID}#first_name")


def test_a_contact_point_leads_to_its_consents_and_back_without_being_in_an_address(show: Show) -> None:
    screen = show("customer")
    screen.chromium.find_element(By.XPATH, f"//button[.='{PHONE}']").click()
    screen.until_at("/search")
    assert "may be sent to" in screen.text

    screen.chromium.find_element(By.LINK_TEXT, CUSTOMER).click()
    screen.until_at(f"/customers/{ID}")


def test_a_customer_who_is_not_there_is_one_clear_sentence(show: Show) -> None:
    assert show("missing").chromium.find_element(By.TAG_NAME, "h1").text == "No customer has this id."
