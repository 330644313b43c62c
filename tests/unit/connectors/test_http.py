"""The HTTP that the clients share: limits, Retry-After, bodies, redirects."""

from __future__ import annotations

import pytest

from streams.connectors.base import Later
from streams.connectors.http import LIMIT_SETTINGS, Http, Limits, Reply, retry_after_s
from streams.model import Invalid, parse_time

NOW = parse_time("2026-01-09T12:00:00Z")


@pytest.mark.parametrize(
    ("text", "after_s"),
    [
        ("7", 7.0),
        ("2.0", 2.0),
        ("-5", 0.0),
        ("99999", 3600.0),
        ("inf", 3600.0),
        ("nan", None),
        ("Fri, 09 Jan 2026 12:00:30 GMT", 30.0),
        ("Fri, 09 Jan 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_is_bounded(text: str | None, after_s: float | None):
    assert retry_after_s(text, NOW, 3600.0) == after_s


def test_limits_come_from_settings_by_their_names():
    assert Limits.of({}) == Limits()
    assert Limits.of({"TOTAL_TIMEOUT_S": "1.5", "BODY_MAX_BYTES": "10", "ACCESS_TOKEN": "x"}) == Limits(
        total_timeout_s=1.5, body_max_bytes=10
    )


def test_the_declared_limits_and_their_defaults_are_the_limits():
    declared = {setting.name: setting.default for setting in LIMIT_SETTINGS}

    assert {name.lower() for name in declared} == set(Limits.__struct_fields__)
    assert Limits.of({name: value for name, value in declared.items() if value}) == Limits()


@pytest.mark.parametrize("wrong", ["soon", "0", "-1", "nan", "inf"])
def test_a_limit_that_is_none_is_a_bad_setting(wrong: str):
    with pytest.raises(Invalid, match="bad_setting"):
        Limits.of({"TOTAL_TIMEOUT_S": wrong})


def test_a_token_with_a_line_break_is_a_bad_setting_that_names_no_token():
    with pytest.raises(Invalid) as raised:
        Http("http://127.0.0.1", {"X-Token": "secret\n"})

    assert (raised.value.reason, raised.value.detail) == ("bad_setting", "X-Token")


def test_a_client_that_was_not_opened_is_a_bug():
    with pytest.raises(RuntimeError, match="not open"):
        import asyncio

        asyncio.run(Http("http://127.0.0.1").request("GET", "/"))


async def test_nobody_listening_is_a_network_fault():
    http = Http("http://127.0.0.1:1")
    await http.open()
    try:
        assert await http.request("GET", "/") == Later("network")
    finally:
        await http.close()


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_read_as_such(body: bytes):
    assert Reply(200, {}, body).object() == Later("unreadable_answer", whole_platform=False)
