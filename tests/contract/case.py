"""What a vendor's folder hands to the contract suite: `tests/contract/<vendor>/case.py` defines `CASE`.

Payloads are JSON files in that folder with invented people; `message()` reads one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from streams.connectors import connector
from streams.connectors.base import Connector
from streams.model import Command, Millis

HERE = Path(__file__).parent
NOW: Millis = 1_767_960_000_000  # 2026-01-09T12:00:00Z, the clock of every case


@dataclass(frozen=True)
class Request:
    """One request as the fake platform got it; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What the fake platform answers; `body` is sent as JSON unless it is bytes."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answering: TypeAlias = Callable[[Request], Reply]


@dataclass(frozen=True)
class Message:
    """One webhook or raw message; `records` are the record ids that its changes speak of, in order."""

    name: str
    headers: Mapping[str, str]
    body: bytes
    records: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """A vendor's own way to say no (`detail` of `Refused`) or not now (`reason` of `Later`)."""

    name: str
    answer: Answering
    refused: str | None = None
    later: str | None = None
    after_s: float | None = None
    commands: tuple[Command, ...] | None = None  # None: every command of the case


@dataclass(frozen=True)
class Case:
    """Everything that the suite needs to know of one vendor.

    `sign(headers, body, now)` gives the headers with a right signature for `settings`; None: it sends no webhooks.
    `settings` lack the URL: the suite puts the fake platform's address under each name of `url_settings`.
    `success` answers every request of `commands` so that each is `Applied`; `fetched` is a record that it knows too,
    `gone` answers for a record that is not there any more (both None where the platform has no records).
    """

    vendor: str
    platform: str
    settings: Mapping[str, str]
    commands: tuple[Command, ...]
    success: Answering
    messages: tuple[Message, ...] = ()
    sign: Callable[[Mapping[str, str], bytes, Millis], Mapping[str, str]] | None = None
    unknown: Message | None = None
    faults: tuple[Fault, ...] = ()
    url_settings: tuple[str, ...] = ("BASE_URL",)
    fetched: str | None = None
    gone: Answering | None = None
    # Bodies of a 200 that look empty and still are an answer, such as a validator's "no such address".
    bare_successes: tuple[bytes, ...] = ()

    @property
    def connector(self) -> Connector:
        return connector(self.vendor)


def cases() -> Sequence[Case]:
    """The case of every vendor that has a folder here."""
    return [import_module(f"tests.contract.{path.parent.name}.case").CASE for path in sorted(HERE.glob("*/case.py"))]


def message(
    vendor: str, name: str, headers: Mapping[str, str], *records: str, ignored: tuple[str, ...] = ()
) -> Message:
    """The message whose body is `tests/contract/<vendor>/<name>.json`."""
    return Message(name, headers, (HERE / vendor / f"{name}.json").read_bytes(), records, ignored)
