"""Any exception of the codec but Invalid is a bug, whatever the bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.codec import change_from_json, internal, receipt_from_json, steward_from_json
from streams.codec.public import PublicCodec
from streams.codec.schemas import SCHEMA_NAMES, parsed_schema, rabin
from streams.model import Invalid
from tests.unit.codec import strategies

CODEC = PublicCodec()
DECODERS: list[Callable[[bytes], object]] = [
    CODEC.decode_change,
    CODEC.decode_command,
    CODEC.decode_ledger,
    CODEC.decode_suppression,
    internal.decode_customer_change,
    internal.decode_receipt,
    internal.decode_steward,
]

headers = st.sampled_from(
    [
        b"",
        b"\0",
        b"\0\0\0\0\1",
        b"\xc3\x01",
        b"\x01",
        b"{",
        *(b"\xc3\x01" + rabin(parsed_schema(n)) for n in SCHEMA_NAMES),
    ]
)
whole = st.one_of(
    strategies.changes.map(CODEC.encode_change),
    strategies.commands.map(CODEC.encode_command),
    strategies.ledger_entries.map(CODEC.encode_ledger),
    strategies.published.map(CODEC.encode_suppression),
    (strategies.changes | strategies.receipts | strategies.steward_requests).map(internal.encode),
)
KEYS = """change_id platform record_id kind op observed_at sequence identifiers email attributes value confidence clear
    consents evidence at verdicts input suppressions outcome action"""
keys = st.sampled_from(KEYS.split())
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8) | st.just("\ud800")
)
json_values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A whole message with some bytes overwritten, cut, or put in."""
    payload = bytearray(draw(whole))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=4)):
        payload[place % len(payload)] = byte
    cut = draw(st.integers(0, len(payload)))
    return bytes(payload[:cut] + draw(st.binary(max_size=4)) + payload[cut + draw(st.integers(0, 3)) :])


def attempt(decode: Callable[[Any], object], message: Any) -> None:
    try:
        decode(message)
    except Invalid as invalid:
        assert invalid.reason


@pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: decode.__name__)
@given(headers, st.binary(max_size=200))
def test_arbitrary_bytes_are_a_message_or_invalid(decode: Any, header: bytes, body: bytes) -> None:
    attempt(decode, header + body)


@pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: decode.__name__)
@given(damaged())
def test_a_damaged_message_is_a_message_or_invalid(decode: Any, payload: bytes) -> None:
    attempt(decode, payload)


@pytest.mark.parametrize("read", [change_from_json, receipt_from_json, steward_from_json])
@given(json_values)
def test_arbitrary_json_is_a_contract_or_invalid(read: Any, obj: Any) -> None:
    attempt(read, obj)


@given(st.dictionaries(keys, json_values, max_size=6))
def test_a_change_with_arbitrary_fields_is_a_change_that_every_codec_can_write_or_invalid(
    extra: dict[str, Any],
) -> None:
    obj = {"change_id": "e", "platform": "crm", "record_id": "1", **extra}
    try:
        change = change_from_json(obj)
    except Invalid:
        return

    assert change == CODEC.decode_change(CODEC.encode_change(change))
    assert change == internal.decode_customer_change(internal.encode(change))
