"""The public schemas as files, as fastavro reads them, and as fingerprints."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

import streams
from streams.model import Invalid

SchemaName: TypeAlias = Literal["change", "command", "consent_ledger_entry", "suppression"]
SCHEMA_NAMES: tuple[SchemaName, ...] = ("change", "command", "consent_ledger_entry", "suppression")

# Times stay integers: milliseconds are what the model holds. A unit that is not ours must not pass for one that is.
_FOREIGN_UNITS = frozenset(
    {
        "timestamp-micros",
        "timestamp-nanos",
        "local-timestamp-millis",
        "local-timestamp-micros",
        "local-timestamp-nanos",
    }
)


def _folder() -> Traversable:
    """`schemas/` at the top of a checkout; a wheel carries the same files as `streams/schemas/`."""
    packed = files(streams) / "schemas"
    return packed if packed.is_dir() else Path(streams.__file__).parent.parent / "schemas"


@cache
def schema_text(name: SchemaName) -> str:
    """The schema file as it is, with its documentation."""
    return (_folder() / f"{name}.avsc").read_text(encoding="utf-8")


def _without_logical_types(node: Any) -> Any:
    if isinstance(node, dict):
        if node.get("logicalType") in _FOREIGN_UNITS:
            raise Invalid("unknown_schema", "times must be timestamp-millis")
        return {key: _without_logical_types(value) for key, value in node.items() if key != "logicalType"}
    if isinstance(node, list):
        return [_without_logical_types(value) for value in node]
    return node


def parse_schema(text: str) -> Any:
    """A schema for fastavro that reads and writes times as integers; raises Invalid("unknown_schema")."""
    try:
        return fastavro.parse_schema(_without_logical_types(json.loads(text)))
    except (ValueError, KeyError, TypeError, RecursionError, fastavro.schema.SchemaParseException) as error:
        raise Invalid("unknown_schema", "the writer's schema is not Avro") from error


@cache
def parsed_schema(name: SchemaName) -> Any:
    """One of our own schemas, parsed."""
    return parse_schema(schema_text(name))


def rabin(schema: Any) -> bytes:
    """CRC-64-AVRO of the parsing canonical form, eight bytes in little-endian order as the framing has them."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


@cache
def own_fingerprints() -> dict[bytes, SchemaName]:
    """The schemas that single-object encoding can name without a registry."""
    return {rabin(parsed_schema(name)): name for name in SCHEMA_NAMES}
