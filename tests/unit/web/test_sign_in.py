"""Signing in at a browser: which token opens what, where it leads, and what the cookie may do."""

from __future__ import annotations

import logging

import pytest

from streams.web.sign_in import safe_path
from streams.web.wordings import lasting
from tests.unit.web.conftest import Visit
from tests.unit.web.site import ANN, Rows, Told

VIEW, ACT = "only looking", "also acting"
PAGE = {"Accept": "text/html"}
TOKENS = {"view_token": VIEW, "steward_token": ACT}


def rows() -> Rows:
    told = Told()
    told.values("crm:r1", 0, first_name="Ann", email=ANN)
    return told.rows()


async def test_a_page_without_its_token_is_the_form_that_leads_back_to_it(visit: Visit) -> None:
    async with visit(rows(), **TOKENS) as visitor:
        status, form, headers = await visitor.get("/customers/C1?x=1", **PAGE)
        signed_in = await visitor.send("/sign-in", {"then": "/customers/C1", "view": VIEW})
        after = await visitor.get(signed_in[2]["Location"], **PAGE)

    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert 'name="then" value="/customers/C1?x=1"' in form
    assert "Ann" not in form
    assert (signed_in[0], signed_in[2]["Location"]) == (303, "/customers/C1")
    assert after[0] == 200
    assert "Ann" in after[1]


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(visit: Visit) -> None:
    async with visit(rows(), **TOKENS) as visitor:
        _, _, headers = await visitor.send("/sign-in", {"view": VIEW})
        _, _, proxied = await visitor.send("/sign-in", {"view": VIEW}, **{"X-Forwarded-Proto": "https"})

    cookie = headers["Set-Cookie"]
    assert cookie.startswith("writeback_view=")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=28800"))
    assert VIEW not in cookie
    assert "Secure" not in cookie
    assert "Secure" in proxied["Set-Cookie"]


@pytest.mark.parametrize(
    ("fields", "status", "why"),
    [
        ({"view": "another"}, 401, "That token is not the right one."),
        ({"view": ACT}, 401, "That token is not the right one."),
        ({"view": VIEW, "steward": VIEW, "by": "Sam"}, 401, "That token is not the right one."),
        ({"view": VIEW, "steward": ACT}, 422, "A steward needs a name"),
        ({"view": VIEW, "steward": ACT, "by": " "}, 422, "A steward needs a name"),
        ({"view": ""}, 200, "That token is not the right one."),
    ],
)
async def test_a_wrong_token_or_a_steward_without_a_name_is_told_so_and_gets_no_cookie(
    visit: Visit, fields: dict[str, str], status: int, why: str
) -> None:
    async with visit(rows(), **TOKENS) as visitor:
        found, text, headers = await visitor.send("/sign-in", fields)

    assert found == status
    assert why in text
    assert "Set-Cookie" not in headers


async def test_a_steward_looks_and_acts_under_a_name_and_signs_out(visit: Visit) -> None:
    async with visit(rows(), **TOKENS) as visitor:
        await visitor.send("/sign-in", {"view": VIEW, "steward": ACT, "by": "Sam O'Hara"})
        page = await visitor.page("/customers/C1")
        left = await visitor.send("/sign-out", {})
        after = await visitor.get("/customers/C1", **PAGE)

    assert "Sam O&#39;Hara" in page
    assert 'action="/console/ask"' in page
    assert left[2]["Location"] == "/"
    assert after[0] == 401


async def test_who_only_looks_sees_nothing_to_act_with(visit: Visit) -> None:
    async with visit(rows(), **TOKENS) as visitor:
        await visitor.send("/sign-in", {"view": VIEW})
        page = await visitor.page("/customers/C1")

    assert "/console/ask" not in page
    assert "Sign in to act" in page


async def test_without_tokens_one_looks_without_signing_in_and_nobody_acts(visit: Visit) -> None:
    async with visit(rows()) as visitor:
        page = await visitor.page("/customers/C1")
        form = await visitor.page("/sign-in")
        _, _, headers = await visitor.send("/sign-in", {"view": "", "steward": "", "by": "Sam"})

    assert "Sign in" not in page
    assert "WRITEBACK_STEWARD_TOKEN" in form
    assert "Set-Cookie" not in headers


async def test_the_stewards_cookie_alone_does_not_open_the_views(visit: Visit) -> None:
    async with visit(rows(), **TOKENS) as visitor:
        await visitor.send("/sign-in", {"steward": ACT, "by": "Sam"})
        status, _, _ = await visitor.get("/customers/C1", **PAGE)

    assert status == 401


async def test_signing_in_works_by_a_form_of_ours_only(visit: Visit) -> None:
    async with visit(rows(), **TOKENS) as visitor:
        foreign = await visitor.send("/sign-in", {"view": VIEW}, **{"Sec-Fetch-Site": "cross-site"})
        bad = await visitor.post("/sign-in", {"view": VIEW})
        out = await visitor.send("/sign-out", {}, **{"Sec-Fetch-Site": "same-site"})

    assert (foreign[0], bad[0], out[0]) == (403, 415, 403)
    assert "Set-Cookie" not in foreign[2]
    assert "Set-Cookie" not in out[2]


async def test_without_a_token_a_foreign_name_for_this_machine_cannot_sign_in(visit: Visit) -> None:
    async with visit(rows(), steward_token=ACT) as visitor:
        status, _, headers = await visitor.send("/sign-in", {"steward": ACT, "by": "Sam"}, Host="rebound.example.com")

    assert status == 421
    assert "Set-Cookie" not in headers


async def test_how_long_a_sign_in_lasts_and_how_large_forms_are_is_set(visit: Visit) -> None:
    limits = {"session_s": 5400, "steward_name_chars_max": 3, "form_max_bytes": 100, "form_fields_max": 4}
    async with visit(rows(), **TOKENS, **limits) as visitor:
        form = await visitor.get("/customers/C1", **PAGE)
        _, _, headers = await visitor.send("/sign-in", {"view": VIEW})
        await visitor.send("/sign-in", {"steward": ACT, "by": "Sammy"})
        page = await visitor.page("/customers/C1")
        large, _, _ = await visitor.send("/search", {"q": "x" * 100})
        many, _, _ = await visitor.send("/sign-in", dict.fromkeys("abcde", "1"))

    assert "You stay signed in for 90 minutes" in form[1]
    assert 'maxlength="3"' in form[1]
    assert "Max-Age=5400" in headers["Set-Cookie"]
    assert "Sam" in page and "Samm" not in page
    assert (large, many) == (413, 400)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((0, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (61, "2 minutes")),
        *((3600, "1 hour"), (5400, "90 minutes"), (28_800, "8 hours")),
    ],
)
def test_how_long_something_lasts_is_told_in_words(seconds: int, words: str) -> None:
    assert lasting(seconds) == words


async def test_a_token_reaches_no_log(visit: Visit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with visit(rows(), **TOKENS) as visitor:
        await visitor.send("/sign-in", {"view": VIEW, "steward": ACT, "by": "Sam"})

    assert not [secret for secret in (VIEW, ACT, "Sam", "writeback_view=") if secret in caplog.text]


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/customers/C%2F1?x=1", "/customers/C%2F1?x=1"),
        ("", "/"),
        ("customers", "/"),
        ("//evil.example.com", "/"),
        ("/\\evil.example.com", "/"),
        ("https://evil.example.com", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("/ä", "/"),
    ],
)
def test_signing_in_leads_to_pages_of_ours_only(path: str, safe: str) -> None:
    assert safe_path(path) == safe
