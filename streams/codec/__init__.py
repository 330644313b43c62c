"""Bytes to model and back: Avro for the public topics, msgpack for the internal ones, JSON for the contracts."""

from streams.codec.contract import (
    change_from_json,
    change_to_json,
    command_to_json,
    ledger_to_json,
    note_to_json,
    receipt_from_json,
    receipt_to_json,
    steward_from_json,
    steward_to_json,
    suppression_to_json,
)
from streams.codec.public import PublicCodec, decode_change, decode_command
from streams.codec.registry import RegistryRefused, SchemaRegistry

__all__ = [
    "PublicCodec",
    "RegistryRefused",
    "SchemaRegistry",
    "change_from_json",
    "change_to_json",
    "command_to_json",
    "decode_change",
    "decode_command",
    "ledger_to_json",
    "note_to_json",
    "receipt_from_json",
    "receipt_to_json",
    "steward_from_json",
    "steward_to_json",
    "suppression_to_json",
]
