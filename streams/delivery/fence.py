"""The fence of a sink (R14): no record is told anything older than what it was told last, and nothing twice.

A command of which only some keys are stale is not refused whole: the stale keys are left out and the rest is
delivered, since golden would otherwise stay untold for the others. The receipt is `applied`, and its detail names
the keys that were left out; that is safe because acknowledgements are ordered by golden_version, key by key (R11a).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, Protocol, TypeAlias

import msgspec

from streams.model import Command, ConsentOrder, Millis

KEYS_MAX: Final = 256
DONE_MAX: Final = 32

_VERSION: Final = b"\x01"
_FLOOR: Final = "*"  # a floor under all keys: a record's erasure; under a customer's name, what made or erased a record


class Rows(Protocol):
    """The part of a table that the fence needs; what is put counts with the batch's checkpoint."""

    def get(self, key: bytes) -> bytes | None: ...

    def put(self, key: bytes, value: bytes) -> None: ...


class Done(msgspec.Struct, frozen=True, array_like=True):
    """An applied command, to be answered again in the same words: the same `at`, or it would look like news (R11a)."""

    command_id: str
    at: Millis
    record_id: str | None


class _Row(msgspec.Struct, array_like=True):
    """What one record was told last: versions by attribute or consent key, and the last applied commands."""

    versions: dict[str, int] = {}
    done: list[Done] = []


class Passes(msgspec.Struct, frozen=True):
    """Deliver `command`: the command without its stale keys, whose count is `left_out`."""

    command: Command
    left_out: tuple[str, ...] = ()


class Superseded(msgspec.Struct, frozen=True):
    """Every key of the command is stale."""


Judgement: TypeAlias = Passes | Superseded | Done

_decoder: Final = msgspec.msgpack.Decoder(_Row)
_encoder: Final = msgspec.msgpack.Encoder()


def fence_keys(commands: Iterable[Command]) -> list[bytes]:
    """The rows that the fence will read for these commands."""
    return list({_row_key(command, command.record_id): None for command in commands})


class Fence:
    """Judges commands against the rows of their partition, and keeps the rows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def judge(self, command: Command) -> Judgement:
        """Whether the command was applied before, is stale, or is to be delivered, and with what in it."""
        row = self._row(_row_key(command, command.record_id))
        for done in row.done:
            if done.command_id == command.command_id:
                return done
        if command.op == "validate":
            return Passes(command)
        return _fenced(command, row.versions)

    def applied(self, command: Command, at: Millis, record_id: str | None) -> None:
        """Remember that the platform took this (as it was delivered) at `at`; `record_id`: a created record's."""
        done = Done(command.command_id, at, record_id)
        told = _row_key(command, record_id or command.record_id)
        row = self._row(told)
        if command.op != "validate":
            _raise_versions(row.versions, command)
        self._put(told, row, done)
        if command.op in ("create", "erase"):
            self._no_older_creation(command, done)

    def not_told(self, command: Command) -> None:
        """Remember the opt-outs of a command that was refused or given up: nothing older may undo them (C3)."""
        opt_outs = tuple(order for order in command.consents if order.decision == "opt_out")
        if not opt_outs:
            return
        key = _row_key(command, command.record_id)
        row = self._row(key)
        _raise_versions(row.versions, msgspec.structs.replace(command, attributes={}, consents=opt_outs))
        self._rows.put(key, _VERSION + _encoder.encode(row))

    def _no_older_creation(self, command: Command, done: Done) -> None:
        """A create is asked under the customer's name: one that was overtaken is stale whole, whatever it says."""
        asked = _row_key(command, None)
        row = self._row(asked)
        row.versions[_FLOOR] = max(command.golden_version, row.versions.get(_FLOOR, 0))
        self._put(asked, row, done)

    def _row(self, key: bytes) -> _Row:
        raw = self._rows.get(key)
        if raw is None:
            return _Row({}, [])
        if raw[:1] != _VERSION:
            raise ValueError("a fence row of an unknown version")
        return _decoder.decode(memoryview(raw)[1:])

    def _put(self, key: bytes, row: _Row, done: Done) -> None:
        row.done = [*(kept for kept in row.done if kept.command_id != done.command_id), done][-DONE_MAX:]
        self._rows.put(key, _VERSION + _encoder.encode(row))


def _row_key(command: Command, record_id: str | None) -> bytes:
    """The record's name; of a record that is not there yet, the customer's at that platform."""
    if record_id is None:
        return f"{command.platform}:+{command.customer_id}".encode()
    return f"{command.platform}:{record_id}".encode()


def _consent_key(order: ConsentOrder) -> str:
    """A digest: a contact point must not outlive its customer in a key."""
    name = "\x1f".join((order.contact_point, order.channel, order.purpose))
    return "consent-" + blake2b(name.encode(), digest_size=8).hexdigest()


def _fenced(command: Command, versions: dict[str, int]) -> Passes | Superseded:
    version = command.golden_version
    if version < versions.get(_FLOOR, 0):
        return Superseded()
    stale = {key for key, last in versions.items() if version < last}
    attributes = {name: told for name, told in command.attributes.items() if name not in stale}
    consents = tuple(order for order in command.consents if _consent_key(order) not in stale)
    asked = len(command.attributes) + len(command.consents)
    kept = len(attributes) + len(consents)
    if kept == asked:
        return Passes(command)
    if not kept:
        return Superseded()
    names = [name for name in command.attributes if name in stale]
    names += ["consent"] * (len(command.consents) - len(consents))
    return Passes(msgspec.structs.replace(command, attributes=attributes, consents=consents), tuple(names))


def _raise_versions(versions: dict[str, int], command: Command) -> None:
    keys = [*command.attributes, *map(_consent_key, command.consents)]
    if command.op == "erase":
        versions.clear()
        keys = [_FLOOR]
    for key in keys:
        versions[key] = max(command.golden_version, versions.get(key, 0))
    while len(versions) > KEYS_MAX:
        del versions[min(versions, key=versions.__getitem__)]
