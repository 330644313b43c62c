"""Who may look."""

from __future__ import annotations

import base64

import pytest

from streams.web.access import allowed, local_name

TOKEN = "a token: with signs"


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("given", [f"Bearer {TOKEN}", f"bearer  {TOKEN} ", basic(f"ann:{TOKEN}"), basic(f":{TOKEN}")])
def test_the_token_is_taken_as_bearer_or_as_the_password(given: str) -> None:
    assert allowed(TOKEN, given)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Digest {TOKEN}",
        TOKEN,
        basic(TOKEN),
        basic(f"{TOKEN}:"),
        "Basic %%%",
        "Basic /w==",
        "Bearer \udcff",
    ],
)
def test_nothing_else_is_the_token(given: str | None) -> None:
    assert not allowed(TOKEN, given)


def test_without_a_token_anybody_on_the_machine_may_look() -> None:
    assert allowed("", None)


@pytest.mark.parametrize("host", ["localhost", "localhost:6066", "127.0.0.1:6066", "127.8.9.1", "[::1]:6066"])
def test_a_name_of_the_machine_itself_is_local(host: str) -> None:
    assert local_name(host)


@pytest.mark.parametrize(
    "host",
    ["", "rebound.example.com", "192.0.2.7:6066", "localhost.example.com", "127.0.0.1.example.com", "[::1", "a:b"],
)
def test_a_name_that_others_chose_is_not_local(host: str) -> None:
    assert not local_name(host)


def test_the_worker_is_also_known_by_its_own_address() -> None:
    assert local_name("engine.example.com:80", "http://engine.example.com:6066")
    assert not local_name("other.example.com", "http://engine.example.com:6066")
