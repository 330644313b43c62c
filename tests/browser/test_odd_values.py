"""Values that nobody would think of: markup, a word of thousands of letters, text from right to left, many records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browser.conftest import SMALL, WIDE, Screen
from tests.unit.web.site import ANN, NOON, Rows, Told, open_site

pytestmark = pytest.mark.browser

CUSTOMER = "odd\"<b>&'/?#% id"
MARKUP = "<script>document.title='taken over'</script>\"'><img src=x onerror=\"document.title='taken over'\">"
LEFTWARDS = "\u202eمحمد بن عبد الله\u202c"
WORD = "W" * 3000


def told() -> Rows:
    story = Told(acknowledge=False)
    strange = 'crm:a"<i>'
    story.values(strange, 0, CUSTOMER, first_name=MARKUP, last_name=LEFTWARDS, email=ANN)
    for place in range(30):
        record = f"{'crm' if place % 2 else 'esp'}:{place:02}{'x' * 60 if place % 9 == 0 else ''}"
        story.values(record, place + 1, CUSTOMER, first_name=f"n{place}", phone=f"+1415555{100 + place:04}")
    evidence = {"a<b": MARKUP, "more": {"words": [WORD]}}
    story.consent(strange, 50, "opt_in", customer=CUSTOMER, explicit=True, method=MARKUP, evidence=evidence)
    story.consent(strange, 51, "opt_out", f"{'q' * 60}@{'example.' * 10}com", customer=CUSTOMER)
    story.ask(60, "pin", customer_id=CUSTOMER, attribute="first_name", value=f"<u>{WORD}", by=MARKUP, why=WORD)
    return story.rows()


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with open_site(tmp_path_factory.mktemp("odd"), told(), now=NOON + 600_000) as url:
        yield url


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "small"])
@pytest.mark.parametrize("page", ["customers", "explain"])
def test_odd_values_are_text_that_fits_the_screen(
    chromium: webdriver.Chrome, odd: str, page: str, size: tuple[int, int]
) -> None:
    screen = Screen(chromium, odd, size, False)
    screen.problems()
    screen.open(f"/{page}/{quote(CUSTOMER, safe='')}")

    assert (screen.overflow_px, screen.cut_off(), screen.problems()) == (0, [], [])
    assert "taken over" not in chromium.title
    assert MARKUP in screen.text or page == "customers"


def test_a_very_long_value_leaves_its_platforms_beside_it(chromium: webdriver.Chrome, tmp_path: Path) -> None:
    story = Told(acknowledge=False)
    story.values("crm:1", 0, first_name="Ann")
    story.ask(1, "pin", attribute="first_name", value=WORD)
    with open_site(tmp_path, story.rows(), now=NOON + 600_000) as url:
        Screen(chromium, url, WIDE, False).open("/customers/C1")
        cell = chromium.find_element(By.CSS_SELECTOR, "td[data-label=crm]")
        assert cell.rect["x"] + cell.rect["width"] <= WIDE[0]
