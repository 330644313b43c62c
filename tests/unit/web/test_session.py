"""Cookies in the place of tokens: whose they are, how they end, and what cannot be made of them."""

from __future__ import annotations

import base64

import pytest

from streams.web.access import Access
from streams.web.session import COOKIES, Role, opened, person_of, sealed

ACCESS = Access("look", "", "act")


def test_a_cookie_says_who_signed_in_until_it_ends() -> None:
    cookie = sealed("act", "steward", "Zoë O'Hara", 2000)

    assert opened("act", "steward", cookie, 1999) == "Zoë O'Hara"
    assert opened("act", "steward", cookie, 2000) is None


def test_a_cookie_holds_no_token() -> None:
    cookie = sealed("a long token", "view", "", 2000)

    assert "a long token" not in cookie
    assert base64.urlsafe_b64encode(b"a long token").decode().rstrip("=") not in cookie


@pytest.mark.parametrize(
    ("token", "role"), [("another", "steward"), ("", "steward"), ("act", "view")], ids=["token", "no token", "role"]
)
def test_a_cookie_of_another_token_or_role_is_none(token: str, role: Role) -> None:
    assert opened(token, role, sealed("act", "steward", "Sam", 2000), 1000) is None


@pytest.mark.parametrize("cookie", ["", ".", "...", "9999999999.x.U2Ft.", "9999999999.x.U2Ft.00", "ä.ö.ü.ß", "\udcff"])
def test_what_nobody_signed_is_none(cookie: str) -> None:
    assert opened("act", "steward", cookie, 0) is None
    assert opened("", "steward", cookie, 0) is None


def test_another_name_or_a_later_end_breaks_the_signature() -> None:
    ends, nonce, named, signature = sealed("act", "steward", "Sam", 2000).split(".")
    bo = base64.urlsafe_b64encode(b"Bo").decode().rstrip("=")

    assert opened("act", "steward", f"{ends}.{nonce}.{bo}.{signature}", 1000) is None
    assert opened("act", "steward", f"{int(ends) + 1}.{nonce}.{named}.{signature}", 1000) is None


def test_looking_and_acting_are_signed_in_for_apart() -> None:
    look, act = sealed("look", "view", "", 2000), sealed("act", "steward", "Sam", 2000)
    either = [
        person_of(ACCESS, cookies, 1)
        for cookies in ({}, {COOKIES["view"]: look}, {COOKIES["steward"]: act}, {COOKIES["view"]: act})
    ]

    assert [(one.looks, one.acts, one.by) for one in either] == [
        (False, False, ""),
        (True, False, ""),
        (False, True, "Sam"),
        (False, False, ""),
    ]


def test_a_mark_is_of_one_session_alone() -> None:
    one, other = (person_of(ACCESS, {COOKIES["steward"]: sealed("act", "steward", "Sam", 2000)}, 1) for _ in range(2))

    assert one.marked(one.mark)
    assert not one.marked(other.mark)
    assert not one.marked("")
    assert not person_of(ACCESS, {}, 1).marked("")
