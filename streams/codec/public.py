"""The public topics' codec: Avro bodies of the schemas in `schemas/`, framed for a registry or for none."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, TypeVar

import fastavro
import msgspec

from streams.codec.change_writer import change_body
from streams.codec.command_writer import command_body
from streams.codec.framing import confluent_prefix, single_object_prefix, writer_of
from streams.codec.ledger_writer import ledger_body
from streams.codec.limits import check_change
from streams.codec.registry import SchemaRegistry
from streams.codec.schemas import SchemaName, own_fingerprints, parsed_schema, rabin, schema_text
from streams.codec.shape import shaped
from streams.model import Change, Command, Invalid, LedgerEntry
from streams.model.suppression import PublishedSuppression

T = TypeVar("T")

PERSON = "*"


class PublicCodec:
    """Model to bytes and back. With a registry every topic is a subject `<topic>-value`, registered on first use.

    Decoding takes both framings, reads with the writer's schema and fits the fields by name. Every decode raises
    Invalid (`null_value`, `truncated`, `wrong_magic`, `unknown_schema`, `wrong_schema`, `trailing_bytes`,
    `unknown_enum`, `missing_field`, `bad_field`, `bad_time`, `too_long`,
    `too_many`) or, where the registry does not answer, Retry.
    """

    def __init__(self, registry: SchemaRegistry | None = None) -> None:
        self._registry = registry
        self._prefixes: dict[tuple[SchemaName, str], bytes] = {}
        self._command_prefixes: dict[str, bytes] = {}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> PublicCodec:
        """With the registry of `SCHEMA_REGISTRY_URL`, if it is set."""
        return cls(SchemaRegistry.from_environment(environ))

    def prepare(self, name: SchemaName, *topics: str) -> None:
        """Register the topics' schema now, so that no message waits for the registry later."""
        for topic in topics:
            self._prefix(name, topic)

    def encode_change(self, change: Change, topic: str = "changes") -> bytes:
        """For the topic `changes`."""
        return change_body(change, self._prefix("change", topic))

    def encode_command(self, command: Command) -> bytes:
        """For the topic `commands.<platform>`."""
        platform = command.platform
        prefix = self._command_prefixes.get(platform)
        if prefix is None:
            prefix = self._command_prefixes[platform] = self._prefix("command", f"commands.{platform}")
        return command_body(command, prefix)

    def encode_ledger(self, entry: LedgerEntry) -> bytes:
        """For the topic `consent.ledger`; the person as a whole is `customer:<customer_id>` there (C1)."""
        return ledger_body(entry, ledger_key(entry), self._prefix("consent_ledger_entry", "consent.ledger"))

    def encode_suppression(self, row: PublishedSuppression) -> bytes:
        """For the topic `suppressions`."""
        fields = msgspec.structs.asdict(row)
        fields["states"] = [msgspec.structs.asdict(state) for state in row.states]
        return self._encoded("suppression", "suppressions", fields)

    def decode_change(self, payload: bytes | None) -> Change:
        """A Change within the limits of `streams.codec.limits`."""
        fields = self._fields(payload, "change")
        for consent in _members(fields, "consents"):
            _evidence(consent)
        return check_change(shaped(fields, Change))

    def decode_command(self, payload: bytes | None) -> Command:
        """A Command."""
        return shaped(self._fields(payload, "command"), Command)

    def decode_ledger(self, payload: bytes | None) -> LedgerEntry:
        """A LedgerEntry; `customer:<customer_id>` is the contact point `*` again."""
        fields = self._fields(payload, "consent_ledger_entry")
        _evidence(fields)
        entry = shaped(fields, LedgerEntry)
        if entry.contact_point == person_key(entry.customer_id):
            return msgspec.structs.replace(entry, contact_point=PERSON)
        return entry

    def decode_suppression(self, payload: bytes | None) -> PublishedSuppression:
        """A row of `suppressions`."""
        return shaped(self._fields(payload, "suppression"), PublishedSuppression)

    def _encoded(self, name: SchemaName, topic: str, fields: dict[str, Any]) -> bytes:
        out = io.BytesIO()
        out.write(self._prefix(name, topic))
        fastavro.schemaless_writer(out, parsed_schema(name), fields)
        return out.getvalue()

    def _prefix(self, name: SchemaName, topic: str) -> bytes:
        prefix = self._prefixes.get((name, topic))
        if prefix is None:
            prefix = self._prefixes[name, topic] = self._new_prefix(name, topic)
        return prefix

    def _new_prefix(self, name: SchemaName, topic: str) -> bytes:
        if self._registry is None:
            return single_object_prefix(rabin(parsed_schema(name)))
        return confluent_prefix(self._registry.register(f"{topic}-value", schema_text(name)))

    def _fields(self, payload: bytes | None, expected: SchemaName) -> dict[str, Any]:
        if payload is None:
            raise Invalid("null_value", "a tombstone says nothing here")
        writer, start = writer_of(payload)
        return _read(self._schema(writer, expected), payload, start)

    def _schema(self, writer: bytes | int, expected: SchemaName) -> Any:
        if isinstance(writer, bytes):
            name = own_fingerprints().get(writer)
            if name is None:
                raise Invalid("unknown_schema", f"fingerprint {writer.hex()}")
            if name != expected:
                raise Invalid("wrong_schema", f"a {name} where a {expected} belongs")
            return parsed_schema(name)
        if self._registry is None:
            raise Invalid("unknown_schema", f"id {writer}, and no SCHEMA_REGISTRY_URL to ask")
        return self._registry.schema(writer)


def ledger_key(entry: LedgerEntry) -> str:
    """The contact point by which the ledger's topic is keyed (C1)."""
    return person_key(entry.customer_id) if entry.contact_point == PERSON else entry.contact_point


def person_key(customer_id: str) -> str:
    """The ledger's key of the person as a whole, and of what an erasure says of it."""
    return f"customer:{customer_id}"


def _read(schema: Any, payload: bytes, start: int) -> dict[str, Any]:
    body = io.BytesIO(payload)
    body.seek(start)
    try:
        fields = fastavro.schemaless_reader(body, schema, None)
    except EOFError:
        raise Invalid("truncated", "the body is cut off") from None
    except Exception:  # fastavro has no family of errors for bad bytes, and nothing but the bytes can be wrong here
        raise Invalid("bad_field", "the body is not what its schema says") from None
    if body.tell() != len(payload):
        raise Invalid("trailing_bytes", "more than the schema says")
    if not isinstance(fields, dict):
        raise Invalid("bad_field", "not a record")
    return fields


def _members(fields: dict[str, Any], name: str) -> list[dict[str, Any]]:
    members = fields.get(name)
    return [member for member in members if isinstance(member, dict)] if isinstance(members, list) else []


def _evidence(fields: dict[str, Any]) -> None:
    text = fields.get("evidence")
    if isinstance(text, str):
        try:
            fields["evidence"] = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            raise Invalid("bad_field", "evidence") from None


_PLAIN = PublicCodec()
decode_change = _PLAIN.decode_change
decode_command = _PLAIN.decode_command
