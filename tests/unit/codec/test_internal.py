"""The internal topics: a version byte, then msgpack; the human ones also take JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from streams.codec import internal
from streams.model import Change, Invalid, Receipt, StewardRequest
from tests.unit.codec import strategies


@given(strategies.changes)
def test_a_customers_change_comes_back_as_it_was(change: Change) -> None:
    assert change == internal.decode_customer_change(internal.encode(change))


@given(strategies.receipts)
def test_a_receipt_comes_back_as_it_was(receipt: Receipt) -> None:
    assert receipt == internal.decode_receipt(internal.encode(receipt))


@given(strategies.steward_requests)
def test_a_steward_request_comes_back_as_it_was(request: StewardRequest) -> None:
    assert request == internal.decode_steward(internal.encode(request))


def test_receipts_and_steward_requests_may_also_be_json() -> None:
    assert Receipt("applied", "k-1") == internal.decode_receipt(b'{"outcome": "applied", "command_id": "k-1"}')
    assert StewardRequest("pin", at=0) == internal.decode_steward(b'{"action": "pin", "at": "1970-01-01T00:00:00Z"}')


@pytest.mark.parametrize(
    ("decode", "payload", "reason"),
    [
        (internal.decode_customer_change, None, "null_value"),
        (internal.decode_customer_change, b"", "truncated"),
        (internal.decode_customer_change, b"\x02\x80", "unknown_version"),
        (internal.decode_customer_change, b"\x01", "truncated"),
        (internal.decode_customer_change, internal.encode(Change("e", "crm", "1"))[:-1], "truncated"),
        (internal.decode_customer_change, b"\x01\x80", "missing_field"),
        (internal.decode_customer_change, b"\x01\x90", "bad_field"),
        (internal.decode_customer_change, b"\x01" + b"\x91" * 100_000, "bad_field"),
        (internal.decode_receipt, b"\x01\x81\xa7outcome\xa4lost", "unknown_enum"),
        (internal.decode_receipt, b"{", "bad_json"),
        (internal.decode_steward, b'{"action": "fly"}', "unknown_enum"),
        (internal.decode_steward, None, "null_value"),
    ],
)
def test_what_is_not_a_message_is_invalid_for_a_named_reason(decode: Any, payload: bytes | None, reason: str) -> None:
    with pytest.raises(Invalid) as raised:
        decode(payload)

    assert reason == raised.value.reason
