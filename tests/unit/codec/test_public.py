"""The public topics: every message survives, and the hand-written writers are a general writer's equal."""

from __future__ import annotations

import io

import fastavro
import msgspec
import pytest
from hypothesis import given

from streams.codec.change_writer import change_body, evidence_text
from streams.codec.command_writer import command_body
from streams.codec.public import PublicCodec, ledger_key
from streams.codec.schemas import parsed_schema
from streams.model import Change, Command, Invalid, LedgerEntry
from streams.model.suppression import PublishedSuppression
from tests.unit.codec import strategies

CODEC = PublicCodec()
CHANGE = Change("e-1", "crm", "003a1")


def general(name: str, fields: dict) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed_schema(name), fields)
    return out.getvalue()


def plain(message: object) -> object:
    """A struct as fastavro takes it: every field, addresses as mappings."""
    if isinstance(message, msgspec.Struct):
        return {name: plain(getattr(message, name)) for name in message.__struct_fields__}
    if isinstance(message, dict):
        return {key: plain(value) for key, value in message.items()}
    if isinstance(message, tuple):
        return [plain(value) for value in message]
    return message


@given(strategies.commands)
def test_a_command_is_written_byte_for_byte_as_a_general_avro_writer_would(command: Command) -> None:
    expected = general("command", plain(command))

    assert expected == command_body(command)


@given(strategies.changes)
def test_a_change_is_written_byte_for_byte_as_a_general_avro_writer_would(change: Change) -> None:
    fields = plain(change)
    for member, consent in zip(fields["consents"], change.consents, strict=True):
        member["evidence"] = evidence_text(consent.evidence)

    assert general("change", fields) == change_body(change)


@given(strategies.commands)
def test_a_command_comes_back_as_it_was(command: Command) -> None:
    assert command == CODEC.decode_command(CODEC.encode_command(command))


@given(strategies.changes)
def test_a_change_comes_back_as_it_was(change: Change) -> None:
    assert change == CODEC.decode_change(CODEC.encode_change(change))


@given(strategies.ledger_entries)
def test_a_ledger_entry_comes_back_as_it_was(entry: LedgerEntry) -> None:
    assert entry == CODEC.decode_ledger(CODEC.encode_ledger(entry))


@given(strategies.published)
def test_a_suppression_comes_back_as_it_was(row: PublishedSuppression) -> None:
    assert row == CODEC.decode_suppression(CODEC.encode_suppression(row))


def test_the_person_as_a_whole_is_named_by_customer_on_the_ledger_topic() -> None:
    entry = LedgerEntry("C1", "*", "email", "marketing", "opt_out", 0, "accepted")

    assert ledger_key(entry) == "customer:C1"
    assert b"customer:C1" in CODEC.encode_ledger(entry)


def payload_with(**fields: object) -> bytes:
    """A Change that no writer of ours would make, under a schema of ours."""
    return CODEC.encode_change(CHANGE)[:10] + general("change", {**plain(CHANGE), **fields})


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "null_value"),
        (b"", "truncated"),
        (b"\xc3", "truncated"),
        (b"\xc3\x01abc", "truncated"),
        (b"\x00\x00\x01", "truncated"),
        (b'{"change_id": "e-1"}', "wrong_magic"),
        (b"\xc3\x02abcdefgh", "wrong_magic"),
        (b"\xc3\x01abcdefgh", "unknown_schema"),
        (b"\x00\x00\x00\x00\x07body", "unknown_schema"),
        (CODEC.encode_change(CHANGE)[:-1], "truncated"),
        (CODEC.encode_change(CHANGE) + b"\x00", "trailing_bytes"),
        (CODEC.encode_command(Command("k", "C1", "crm", "1", 1, "update", "merge", "e", 0)), "wrong_schema"),
        (payload_with(record_id="9" * 513), "too_long"),
        (payload_with(customer_id="x" * 4097), "too_long"),
        (payload_with(record_id=""), "missing_field"),
        (payload_with(observed_at=2**62), "bad_time"),
        (payload_with(identifiers={"email": ["ann@example.com"] * 65, "phone": [], "external": []}), "too_many"),
        (payload_with(attributes={"phone": {"value": "1", "confidence": 1.5}}), "bad_field"),
        (payload_with(attributes={"phone": {"value": "1", "confidence": float("nan")}}), "bad_field"),
        (payload_with(attributes={"phone": {"value": "1", "clear": True}}), "bad_field"),
        (CODEC.encode_change(CHANGE)[:10] + b"\x02a\x02b\x02c\x09", "bad_field"),
    ],
)
def test_what_is_not_a_change_is_invalid_for_a_named_reason(payload: bytes | None, reason: str) -> None:
    with pytest.raises(Invalid) as raised:
        CODEC.decode_change(payload)

    assert reason == raised.value.reason


def test_evidence_that_is_not_a_json_object_is_invalid() -> None:
    consent = {"contact_point": "a", "channel": "email", "purpose": "m", "decision": "opt_in", "explicit": True}

    for evidence in ("[1]", "{", "1" * 5000):
        with pytest.raises(Invalid) as raised:
            CODEC.decode_change(payload_with(consents=[{**consent, "evidence": evidence}]))
        assert raised.value.reason == "bad_field"
