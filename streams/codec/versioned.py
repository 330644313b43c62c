"""One version byte, then msgpack: the form of every message that only we write and read."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from streams.model import Invalid

T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode


class Versioned(Generic[T]):
    """Messages of one kind (a struct or a tagged union) behind their version byte; `what` names them in errors."""

    def __init__(self, kind: Any, version: bytes, what: str) -> None:
        self.version = version
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._what = what

    def encode(self, message: T) -> bytes:
        """The payload."""
        return self.version + _encode(message)

    def decode(self, payload: bytes | None) -> T:
        """The message; raises Invalid: `unknown_version`, `bad_message`."""
        if not payload or payload[:1] != self.version:
            raise Invalid("unknown_version", self._what)
        try:
            message: T = self._decode(memoryview(payload)[1:])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Invalid("bad_message", self._what) from None
        return message
