"""The schema files, the structs and the contracts say the same."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any, get_args

import fastavro
import msgspec
import pytest

import streams.model as model
from streams.codec.framing import single_object_prefix
from streams.codec.schemas import SCHEMA_NAMES, parse_schema, parsed_schema, rabin, schema_text
from streams.model import change, command, ledger, suppression

# Made once with Apache Avro Java 1.12.0 from exactly this text: `SchemaNormalization.parsingFingerprint("CRC-64-AVRO",
# schema)`, and `new BinaryMessageEncoder<>(GenericData.get(), schema).encode(record)` of the record below.
JAVA_SCHEMA = """{"type":"record","name":"Parcel","namespace":"vector","doc":"left out of the canonical form","fields":[
{"name":"parcel_id","type":"string","doc":"d"},
{"name":"sent_at","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"default":null},
{"name":"size","type":{"type":"enum","name":"Size","symbols":["small","large"]},"default":"small"}]}"""
JAVA_RECORD = {"parcel_id": "p-1", "sent_at": 1768046400000, "size": "large"}
JAVA_FINGERPRINT = "6ef5871d742295bf"
JAVA_MESSAGE = "c3016ef5871d742295bf06702d310280c8b8fcf46602"

# The same Java call on the files in `schemas/`. A new number here is a new wire shape.
JAVA_FINGERPRINTS = {
    "change": "97705b91918e1a1f",
    "command": "e037373e5bdf6f29",
    "consent_ledger_entry": "e9f54241c994747f",
    "suppression": "dca3bcc9e3ba8253",
}

STRUCTS: dict[str, type[msgspec.Struct]] = {
    "writeback.Address": model.Address,
    "writeback.Assignment": model.Assignment,
    "writeback.Change": model.Change,
    "writeback.Command": model.Command,
    "writeback.ConsentLedgerEntry": model.LedgerEntry,
    "writeback.ConsentOrder": model.ConsentOrder,
    "writeback.ConsentStatement": model.ConsentStatement,
    "writeback.Identifiers": model.Identifiers,
    "writeback.SendableState": suppression.SendableState,
    "writeback.Statement": model.Statement,
    "writeback.Suppression": suppression.PublishedSuppression,
    "writeback.SuppressionStatement": model.Suppression,
    "writeback.Verdict": model.Verdict,
}
ENUMS = {
    "writeback.Actor": change.Actor,
    "writeback.ChangeOp": change.Op,
    "writeback.CommandOp": command.CommandOp,
    "writeback.ConsentState": suppression.ConsentState,
    "writeback.Decision": change.Decision,
    "writeback.Kind": change.Kind,
    "writeback.LedgerStatus": ledger.LedgerStatus,
    "writeback.Origin": change.Origin,
    "writeback.Reason": command.Reason,
    "writeback.SuppressionReason": change.SuppressionReason,
    "writeback.ToldDecision": command.ToldDecision,
}


def types_in(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a schema, depth first."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for member in node:
            yield from types_in(member)


def named(kind: str) -> dict[str, dict[str, Any]]:
    """The records or enums of all files, by full name."""
    every = [node for name in SCHEMA_NAMES for node in types_in(parsed_schema(name))]
    return {node["name"]: node for node in every if node.get("type") == kind}


def test_the_fingerprint_is_the_one_that_avro_java_computes() -> None:
    assert rabin(parse_schema(JAVA_SCHEMA)).hex() == JAVA_FINGERPRINT


def test_a_single_object_message_is_the_one_that_avro_java_writes() -> None:
    schema = parse_schema(JAVA_SCHEMA)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, JAVA_RECORD)

    assert (single_object_prefix(rabin(schema)) + out.getvalue()).hex() == JAVA_MESSAGE


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_a_public_schema_keeps_its_fingerprint(name: Any) -> None:
    assert JAVA_FINGERPRINTS[name] == rabin(parsed_schema(name)).hex()


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_type_and_field_of_a_schema_is_documented(name: Any) -> None:
    documented = [node for node in types_in(json.loads(schema_text(name))) if "name" in node]

    assert [node["name"] for node in documented if not node.get("doc", "").strip()] == []


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_times_are_timestamp_millis(name: Any) -> None:
    suffixes = ("_at", "names")
    fields = [node for node in types_in(json.loads(schema_text(name))) if isinstance(node.get("name"), str)]
    times = [field for field in fields if field["name"] == "at" or field["name"].endswith(suffixes)]

    assert times
    assert all("timestamp-millis" in json.dumps(field["type"]) for field in times)


def test_the_records_have_exactly_the_fields_of_the_structs() -> None:
    records = named("record")

    assert {name: {field["name"] for field in node["fields"]} for name, node in records.items()} == {
        name: set(struct.__struct_fields__) for name, struct in STRUCTS.items()
    }


def test_the_enums_have_exactly_the_symbols_of_the_types_in_their_order() -> None:
    assert {name: tuple(node["symbols"]) for name, node in named("enum").items()} == {
        name: get_args(alias) for name, alias in ENUMS.items()
    }


def test_a_field_with_a_default_has_the_same_one_in_struct_and_schema() -> None:
    for name, node in named("record").items():
        defaults = {field.name: field.default for field in msgspec.structs.fields(STRUCTS[name])}
        for field in node["fields"]:
            if isinstance(field.get("default"), str | bool | int) and field["name"] in defaults:
                assert field["default"] == defaults[field["name"]], (name, field["name"])


@pytest.mark.parametrize("unit", ["timestamp-micros", "local-timestamp-millis"])
def test_a_foreign_unit_of_time_is_not_taken_for_milliseconds(unit: str) -> None:
    text = json.dumps(
        {"type": "record", "name": "R", "fields": [{"name": "at", "type": {"type": "long", "logicalType": unit}}]}
    )

    with pytest.raises(model.Invalid) as raised:
        parse_schema(text)

    assert raised.value.reason == "unknown_schema"


@pytest.mark.parametrize("text", ["{", '"nonsense"', '{"type": "record"}', "[" * 100_000])
def test_text_that_is_no_schema_is_invalid(text: str) -> None:
    with pytest.raises(model.Invalid) as raised:
        parse_schema(text)

    assert raised.value.reason == "unknown_schema"
