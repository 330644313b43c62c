"""Bytes of any topic as a person reads them: each topic's own decoding, a guess for all others."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from streams.model import Invalid

if TYPE_CHECKING:
    from streams.codec import PublicCodec
    from streams.lane import Headers
    from streams.runtime.settings import Settings

SHOWN_BYTES_MAX = 256


class Decoding:
    """Values by topic. What cannot be decoded is shown as such: looking at a topic never fails because of a record."""

    def __init__(self, codec: PublicCodec) -> None:
        from streams.codec import contract, internal
        from streams.runtime import topics

        self._by_topic: dict[str, Callable[[bytes], Any]] = {
            topics.CHANGES: lambda value: contract.change_to_json(codec.decode_change(value)),
            topics.CUSTOMER_CHANGES: lambda value: contract.change_to_json(internal.decode_customer_change(value)),
            topics.RECEIPTS: lambda value: contract.receipt_to_json(internal.decode_receipt(value)),
            topics.STEWARD: lambda value: contract.steward_to_json(internal.decode_steward(value)),
            topics.LEDGER: lambda value: contract.ledger_to_json(codec.decode_ledger(value)),
            topics.SUPPRESSIONS: lambda value: contract.suppression_to_json(codec.decode_suppression(value)),
        }
        self._command = lambda value: contract.command_to_json(codec.decode_command(value))

    def value(self, topic: str, value: bytes | None) -> Any:
        """A JSON value; `{"undecodable": reason, "bytes": size, "hex": the first of them}` for what is none."""
        if value is None:
            return None
        decode = self._by_topic.get(topic) or (self._command if topic.startswith("commands.") else guessed)
        try:
            return decode(value)
        except Invalid as invalid:
            return undecodable(value, str(invalid))


def decoding(settings: Settings) -> Decoding:
    """With the schema registry of the settings, if there is one."""
    from streams.codec import PublicCodec

    return Decoding(PublicCodec.from_environment({**os.environ, "SCHEMA_REGISTRY_URL": settings.schema_registry_url}))


def guessed(value: bytes) -> Any:
    """JSON, our msgpack, text, else bytes."""
    for decode in (msgspec.json.decode, _msgpack, _text):
        try:
            return decode(value)
        except (ValueError, RecursionError):  # msgspec's and Unicode's errors are ValueErrors
            continue
    return undecodable(value, "neither JSON, msgpack nor text")


def undecodable(value: bytes, why: str) -> dict[str, Any]:
    """How bytes are shown that are not what they should be."""
    return {"undecodable": why, "bytes": len(value), "hex": value[:SHOWN_BYTES_MAX].hex()}


def text(value: bytes | None) -> str | None:
    """A key or a header, with what is not UTF-8 escaped."""
    return None if value is None else value.decode("utf-8", "backslashreplace")


def headers_of(headers: Headers) -> dict[str, str | None]:
    """Headers as text; of two of one name the later."""
    return {name: text(value) for name, value in headers}


def _msgpack(value: bytes) -> Any:
    from streams.codec.internal import VERSION

    if value[:1] != VERSION:
        raise ValueError("another version")
    return msgspec.msgpack.decode(memoryview(value)[1:])


def _text(value: bytes) -> str:
    found = value.decode("utf-8")
    if not found.isprintable():
        raise ValueError("control characters")
    return found
