"""Names in paths, JSON or a page, and what each page shows."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import pytest

from tests.unit.web.conftest import Visit
from tests.unit.web.site import ANN, HOME, PHONE, Rows, Told

PAGE = "text/html,application/xhtml+xml,*/*;q=0.8"
ODD_NAMES = (
    "plain",
    "gid://shopify/Customer/706405506930370084",
    "a/b//c",
    "by/crm/x",
    "with:colon",
    "100%",
    "%2F",
    "%25",
    "{braces}",
    "a b+c",
    "?q=1#top",
    "Zoë Ångström 東京 🙂",
    "\x01\x7f",
    "…/../.",
    ".",
    "..",
    "...",
    "'\"<b>&amp;",
    "x" * 500,
)


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_any_id_is_found_when_it_is_percent_encoded(visit: Visit, name: str) -> None:
    told = Told()
    told.values(f"crm:{name}", 0, name, first_name="Ann")
    encoded = quote(name, safe="").replace(".", "%2E")
    async with visit(told.rows()) as visitor:
        by_id = await visitor.get(f"/customers/{encoded}")
        by_record = await visitor.get(f"/customers/by/crm/{encoded}")
        explained = await visitor.get(f"/explain/{encoded}")

    assert by_id[0] == 200, by_id[1]
    assert by_id[1] == by_record[1]
    assert (by_id[1]["customer_id"], by_id[1]["records"]) == (name, [f"crm:{name}"])
    assert explained[1]["customer_id"] == name


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_the_links_of_a_page_lead_to_its_customer(visit: Visit, name: str) -> None:
    told = Told()
    told.values(f"crm:{name}", 0, name, first_name="Ann")
    async with visit(told.rows()) as visitor:
        page = await visitor.page(f"/customers/by/crm/{quote(name, safe='').replace('.', '%2E')}")
        links = [unescape(link) for link in re.findall(r'href="(/[^"]*)"', page)]
        about = [link for link in links if not link.startswith("/reviews")]
        assert len(about) == 6
        for link in about:
            assert name in unescape(await visitor.page(link)) or link == "/"


async def test_the_last_name_of_a_path_may_hold_plain_slashes(visit: Visit) -> None:
    told = Told()
    told.values("storefront:gid://shopify/Customer/1", 0, first_name="Ann")
    async with visit(told.rows()) as visitor:
        status, body, _ = await visitor.get("/customers/by/storefront/gid://shopify/Customer/1")

    assert (status, body["records"]) == (200, ["storefront:gid://shopify/Customer/1"])


@pytest.mark.parametrize(
    ("stated", "asked"),
    [
        (ANN, "ANN@Example.COM"),
        ("a+b@example.com", "a+b%40example.com"),
        ("o'hara/x@example.com", "o'hara/x@example.com"),
        ("zoë@bücher.example", "zo%C3%AB@b%C3%BCcher.example"),
        (PHONE, "+14155550100"),
        (PHONE, "(415)%20555-0100"),
    ],
)
async def test_a_contact_point_is_found_in_any_notation(visit: Visit, stated: str, asked: str) -> None:
    told = Told()
    told.values("crm:r1", 0, **{"phone" if stated == PHONE else "email": stated})
    async with visit(told.rows()) as visitor:
        status, consents, _ = await visitor.get(f"/consents/{asked}")
        by_address = await visitor.get(f"/customers/by/email/{asked}")

    assert status == 200
    assert list(consents["customers"]) == ["C1"]
    assert by_address[1]["customer_id"] == "C1"


@pytest.mark.parametrize(
    "path",
    [
        "/customers/C2",
        "/customers/",
        "/customers/by/crm/r2",
        "/customers/by/crm/",
        "/customers/by/nowhere/r1",
        "/customers/by/@customer:C1/x",
        "/customers/by/email/bo@example.com",
        "/customers/by/email/nothing",
        "/explain/C2",
        "/consents/bo@example.com",
        "/consents/+",
        "/customers/%FF",
        "/favicon.ico",
        "/internal/rows/passwords/00",
        "/router/",
        "/graph/",
        "/table/",
        "/stats/",
    ],
)
async def test_what_is_unknown_is_one_sentence_as_json_and_as_a_page(visit: Visit, path: str) -> None:
    told = Told()
    told.values("crm:r1", 0, email=ANN)
    async with visit(told.rows()) as visitor:
        status, body, _ = await visitor.get(path)
        page = await visitor.get(path, Accept=PAGE)

    assert (status, list(body)) == (404, ["error"])
    assert re.fullmatch(r"[a-z ]+", body["error"])
    assert (page[0], page[2]["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert body["error"].capitalize() in page[1]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/html;q=0.9", "application/json"),
        ("text/html;q=0, */*", "application/json"),
        ("text/html;q=x", "application/json"),
        ("TEXT/HTML", "text/html"),
        ("text/html, application/json;q=0.5", "text/html"),
        (PAGE, "text/html"),
    ],
)
async def test_a_page_is_for_those_who_ask_for_one(visit: Visit, accept: str, kind: str) -> None:
    async with visit() as visitor:
        _, _, headers = await visitor.get("/", Accept=accept)

    assert headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert headers["Vary"] == "Accept, Authorization, Cookie"


async def test_several_holders_of_a_contact_point_are_listed(visit: Visit) -> None:
    told = Told()
    told.values("crm:r1", 0, "C1", email=ANN)
    told.values("crm:r2", 1, "C/2", email=ANN)
    async with visit(told.rows()) as visitor:
        _, body, _ = await visitor.get(f"/customers/by/email/{ANN}")
        page = await visitor.page(f"/customers/by/email/{ANN}")

    assert body == {"customers": ["C/2", "C1"]}
    assert 'href="/customers/C%2F2"' in page


async def test_the_most_restrictive_consent_over_the_customers_is_shown_first(visit: Visit) -> None:
    told = Told()
    told.values("crm:r1", 0, "C1", email=ANN)
    told.consent("crm:r1", 1, "opt_in", customer="C1", explicit=True, method="form", evidence={"form": "f"})
    told.values("crm:r2", 2, "C2", email=ANN)
    told.consent("crm:r2", 3, "opt_out", customer="C2")
    async with visit(told.rows()) as visitor:
        _, body, _ = await visitor.get(f"/consents/{ANN}")
        page = await visitor.page(f"/consents/{ANN}")

    marketing = {"channel": "email", "purpose": "marketing"}
    out = {**marketing, "state": "opted_out", "sendable": False, "reasons": ["opted_out"]}
    assert body["states"] == [out]
    assert body["customers"]["C1"] == [{**marketing, "state": "opted_in", "sendable": True, "reasons": []}]
    assert body["customers"]["C2"] == [out]
    assert page.index("must not be sent to") < page.index("may be sent to</span>")


async def test_values_are_text_and_never_markup(visit: Visit) -> None:
    told = Told()
    told.values("crm:r1", 0, "<i>C</i>", first_name="<script>alert(1)</script>", email="<b>@example.com")
    told.consent("crm:r1", 1, "opt_out", "<b>@example.com", customer="<i>C</i>", method="<u>link</u>")
    async with visit(told.rows()) as visitor:
        pages = [await visitor.page(path) for path in ("/customers/%3Ci%3EC%3C%2Fi%3E", "/explain/%3Ci%3EC%3C%2Fi%3E")]
        pages.append(await visitor.page("/consents/%3Cb%3E@example.com"))

    assert "&lt;script&gt;" in pages[0]
    for page in pages:
        assert not re.findall(r"<script|<i>|<u>|<b>", page)


async def test_an_erased_customer_is_an_id_and_nothing_else(visit: Visit) -> None:
    told = Told()
    told.values("crm:003x", 0, email=ANN, first_name="Ann", shipping_address=(HOME, 0.9))
    told.ask(5, "erase")
    async with visit(told.rows()) as visitor:
        _, body, _ = await visitor.get("/customers/C1")
        _, explained, _ = await visitor.get("/explain/C1")
        pages = await visitor.page("/customers/C1") + await visitor.page("/explain/C1")

    certificate = [{"platform": "crm", "outcome": "acked", "records": 1}]
    erased = {"customer_id": "C1", "erased": True, "erased_at": "2026-01-10T12:00:05Z", "certificate": certificate}
    assert (body, explained) == (erased, erased)
    assert "was erased" in pages
    assert not [value for value in (ANN, "003x", "Wacker") if value in pages + str(explained)]


async def test_a_customer_of_whom_nothing_is_left_has_a_page(visit: Visit) -> None:
    told = Told()
    told.values("crm:r1", 0, first_name="Ann")
    told.say("crm:r1", 1, op="delete")
    async with visit(told.rows()) as visitor:
        page = await visitor.page("/customers/C1")
        explained = await visitor.page("/explain/C1")

    assert "No contact point is known." in page
    assert "No claim is left that could win" in explained


async def test_a_head_request_has_no_body(visit: Visit) -> None:
    told = Told()
    told.values("crm:r1", 0, first_name="Ann")
    async with visit(told.rows()) as visitor:
        status, body, headers = await visitor.get("/customers/C1", "HEAD")

    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 100


async def test_other_workers_get_rows_as_they_are_stored(visit: Visit) -> None:
    rows = Rows()
    rows.stored["contacts"][b"\xff/"] = b"\x01row"
    async with visit(rows) as visitor:
        found = await visitor.get("/internal/rows/contacts/ff2f")
        missing = await visitor.get("/internal/rows/contacts/ff")
        no_key = await visitor.get("/internal/rows/contacts/zz")

    assert (found[0], found[1]) == (200, b"\x01row")
    assert (missing[0], missing[1]) == (204, b"")
    assert no_key[0] == 400
