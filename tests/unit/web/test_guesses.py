"""Wrong tokens: how many may be tried from one address, and that nobody is locked out by another."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from streams.web.guesses import Guesses, network_of
from tests.unit.web.conftest import Visit
from tests.unit.web.site import Visitor
from tests.unit.web.test_sign_in import ACT, PAGE, TOKENS, VIEW, rows
from tests.unit.web.test_steward import PHONE_PIN, people

LIMITS = {**TOKENS, "sign_in_attempts_max": 3, "sign_in_window_s": 90.0}


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


async def wrong(visitor: Visitor, times: int) -> list[tuple[int, str, Any]]:
    return [await visitor.send("/sign-in", {"view": f"a guess {time}"}) for time in range(times)]


async def test_after_so_many_wrong_tokens_not_even_the_right_one_signs_in(visit: Visit) -> None:
    async with visit(rows(), **LIMITS) as visitor:
        guesses = await wrong(visitor, 4)
        status, page, headers = await visitor.send("/sign-in", {"view": VIEW})

    assert [one[0] for one in guesses] == [401, 401, 401, 429]
    assert (status, headers["Retry-After"]) == (429, "90")
    assert "Set-Cookie" not in headers
    assert "Too many wrong tokens came from your address: try again in 2 minutes." in page
    assert "<form" in page


async def test_who_has_signed_in_goes_on_working(visit: Visit) -> None:
    async with visit(rows(), **LIMITS) as visitor:
        await visitor.send("/sign-in", {"view": VIEW})
        await wrong(visitor, 4)
        page = await visitor.page("/customers/C1")

    assert "Ann" in page


async def test_right_tokens_and_forms_without_one_do_not_count(visit: Visit) -> None:
    async with visit(rows(), **LIMITS) as visitor:
        for _ in range(5):
            await visitor.send("/sign-in", {"view": VIEW})
            await visitor.send("/sign-in", {"view": ""})
            await visitor.get("/customers/C1", **PAGE)
        [guess] = await wrong(visitor, 1)

    assert guess[0] == 401


async def test_wrong_stewards_tokens_over_the_api_are_limited_and_the_right_one_always_passes(visit: Visit) -> None:
    told: list[tuple[int, str]] = []
    async with visit(people(), **LIMITS) as visitor:
        for header in ("Bearer a guess", "Bearer another", f"Bearer {VIEW}", "Bearer one more"):
            status, body = await visitor.post("/steward/pin", PHONE_PIN, Authorization=header)
            told.append((status, body["reason"]))
        right, _ = await visitor.post("/steward/pin", PHONE_PIN, Authorization=f"Bearer {ACT}")
        other, _ = await visitor.post("/steward/pin", PHONE_PIN, **{"Writeback-Steward-Token": ACT})

    assert told == [(401, "bad_token")] * 3 + [(429, "too_many_wrong_tokens")]
    assert (right, other) == (200, 200)


async def test_an_answer_of_429_says_when_to_come_back(visit: Visit) -> None:
    async with visit(people(), **LIMITS) as visitor:
        for _ in range(3):
            await visitor.get("/customers/C1", Authorization="Bearer a guess")
        status, body, headers = await visitor.get("/customers/C1", Authorization="Bearer a guess")
        right, _, _ = await visitor.get("/customers/C1", Authorization=f"Bearer {VIEW}")
        none, _, _ = await visitor.get("/customers/C1")

    assert (status, headers["Retry-After"]) == (429, "90")
    assert body["error"] == "too many wrong tokens came from your address: try again in 2 minutes"
    assert (right, none) == (200, 401)


async def test_guesses_over_the_api_and_at_the_form_are_counted_together(visit: Visit) -> None:
    async with visit(people(), **LIMITS) as visitor:
        await visitor.post("/steward/pin", PHONE_PIN, Authorization="Bearer a guess")
        await visitor.get("/customers/C1", Authorization="Bearer a guess")
        guesses = await wrong(visitor, 2)

    assert [one[0] for one in guesses] == [401, 429]


async def test_a_request_without_a_token_is_no_guess(visit: Visit) -> None:
    async with visit(people(), **LIMITS) as visitor:
        for _ in range(5):
            await visitor.post("/steward/pin", PHONE_PIN)
            await visitor.get("/customers/C1")
        [guess] = await wrong(visitor, 1)

    assert guess[0] == 401


async def test_a_header_that_a_client_made_up_does_not_change_its_address(visit: Visit) -> None:
    async with visit(rows(), **LIMITS) as visitor:
        found = [
            await visitor.send("/sign-in", {"view": "a guess"}, **{"X-Forwarded-For": f"198.51.100.{one}"})
            for one in range(4)
        ]

    assert found[-1][0] == 429


async def test_with_a_limit_of_zero_nothing_is_limited(visit: Visit) -> None:
    async with visit(rows(), **{**LIMITS, "sign_in_attempts_max": 0}) as visitor:
        guesses = await wrong(visitor, 15)

    assert {one[0] for one in guesses} == {401}


async def test_the_log_says_that_somebody_guesses_once_and_names_neither_address_nor_guess(
    visit: Visit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with visit(rows(), **LIMITS) as visitor:
        await wrong(visitor, 6)

    told = [one.getMessage() for one in caplog.records if "wrong tokens" in one.getMessage()]
    assert told == ["3 wrong tokens came from one address; it cannot sign in for 90 s"]
    assert "a guess" not in caplog.text


def test_the_window_begins_with_the_first_wrong_token_and_ends_by_itself() -> None:
    clock = Clock()
    guesses = Guesses(2, 60.0, 10, clock)
    guesses.wrong("198.51.100.1")
    clock.now_s += 50
    guesses.wrong("198.51.100.1")
    waits = [guesses.wait_s("198.51.100.1"), guesses.wait_s("198.51.100.2")]
    clock.now_s += 10

    assert waits == [10, 0]
    assert guesses.wait_s("198.51.100.1") == 0
    guesses.wrong("198.51.100.1")
    assert guesses.wait_s("198.51.100.1") == 0


def test_another_address_is_not_locked_out() -> None:
    guesses = Guesses(1, 60.0, 10, Clock())
    guesses.wrong("198.51.100.1")

    assert guesses.wait_s("198.51.100.1") == 60
    assert guesses.wait_s("198.51.100.2") == 0


def test_only_so_many_addresses_are_remembered_the_one_that_began_first_is_dropped() -> None:
    guesses = Guesses(1, 60.0, 2, Clock())
    for last in (1, 2, 3):
        guesses.wrong(f"198.51.100.{last}")

    assert [guesses.wait_s(f"198.51.100.{last}") for last in (1, 2, 3)] == [0, 60, 60]


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        (None, ""),
        ("a socket", "a socket"),
    ],
)
def test_an_ipv6_address_stands_for_its_whole_network(peer: str | None, network: str) -> None:
    assert network_of(peer) == network
