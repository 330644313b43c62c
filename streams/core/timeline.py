"""A customer's history read back: its entries, and what was golden and sendable at any time between them.

Structs are `array_like`, so the field order is the stored form: append new fields with a default, never reorder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias, TypeVar

import msgspec

from streams.core.contact_points import joined, split
from streams.core.decide import Decision
from streams.core.effective import listed_keys, reasons
from streams.core.history import BORN, ENTRY, PART, WHOLE, golden_of
from streams.core.ledger_fold import UNKNOWN
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.model import Invalid, Millis, StewardRequest, Value

# The first byte of a message about a history as a whole.
MESSAGE: Final = b"\x02"

T = TypeVar("T")


class Shown(msgspec.Struct, array_like=True, frozen=True):
    """What golden showed of an attribute. `confidence`: as the record stated it."""

    value: Value | None
    status: str
    record: str | None = None
    at: Millis | None = None
    confidence: float | None = None


class Consent(msgspec.Struct, array_like=True, frozen=True):
    """The effective consent of one (contact point, channel, purpose)."""

    contact_point: str
    channel: str
    purpose: str
    state: str
    sendable: bool
    reasons: tuple[str, ...] = ()


class Told(msgspec.Struct, array_like=True, frozen=True):
    """A command that went out, without its values. `consents`: contact point, channel, purpose, decision."""

    command_id: str
    platform: str
    record_id: str | None
    op: str
    reason: str
    attributes: tuple[str, ...] = ()
    consents: tuple[tuple[str, str, str, str], ...] = ()


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """The first fields of an entry: what it is known by when it is delivered again."""

    at: Millis
    version: int
    kind: str
    cause: str
    outcome: str | None = None


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """What one input changed. `at` is its Kafka timestamp.

    `kind`: change, receipt, steward, clock, merge or unlink. `golden`: None for an attribute that is gone.
    `other`: the customer that was merged with, or that a record was unlinked to or from.
    """

    at: Millis
    version: int
    kind: str
    cause: str
    outcome: str | None = None
    extent: int = PART
    record: str | None = None
    golden: dict[str, Shown | None] = {}
    consents: tuple[Consent, ...] = ()
    commands: tuple[Told, ...] = ()
    detail: str | None = None
    request: StewardRequest | None = None
    other: str | None = None


class Snapshot(msgspec.Struct, array_like=True):
    """What was golden and sendable at `at`; not `whole` where the entries did not reach back to the beginning."""

    at: Millis | None = None
    version: int = 0
    whole: bool = False
    golden: dict[str, Shown] = {}
    consents: dict[str, Consent] = {}


class Moved(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Under a merged customer's key: its history goes to `survivor`, entries and all."""

    survivor: str


class Graft(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Under the survivor's key: a part of the history of `customer_id`, number `source` of its parts, in order.

    `base`: what was golden before the first part, where older entries were dropped.
    """

    customer_id: str
    source: int
    entries: tuple[bytes, ...] = ()
    base: Snapshot | None = None


class Disowned(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Under the key of a customer that these records had left: they were erased with whoever they had become.

    What the customer has itself: its contact points, the values that are pinned, and the requests for them.
    """

    records: tuple[str, ...]
    points: tuple[str, ...]
    pinned: tuple[Value, ...] = ()
    requests: tuple[str, ...] = ()


Message: TypeAlias = Moved | Graft | Disowned

_encoder = msgspec.msgpack.Encoder()
_entries = msgspec.msgpack.Decoder(Entry)
_marks = msgspec.msgpack.Decoder(Mark)
_messages: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode_entry(entry: Entry) -> bytes:
    """For the topic `history`."""
    return ENTRY + _encoder.encode(entry)


def encode_message(message: Message) -> bytes:
    """For the topic `history`."""
    return MESSAGE + _encoder.encode(message)


def decode_entry(stored: bytes) -> Entry:
    """An entry; raises Invalid("bad_message")."""
    return _read(_entries, ENTRY, stored)


def mark_of(stored: bytes) -> Mark:
    """What an entry is known by; raises Invalid("bad_message")."""
    return _read(_marks, ENTRY, stored)


def decode_message(stored: bytes) -> Message:
    """A message; raises Invalid("bad_message")."""
    return _read(_messages, MESSAGE, stored)


def _read(decoder: msgspec.msgpack.Decoder[T], version: bytes, stored: bytes) -> T:
    if stored[:1] != version:
        raise Invalid("unknown_version", "history")
    try:
        return decoder.decode(memoryview(stored)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Invalid("bad_message", "history") from None


def whole_entry(
    decision: Decision,
    policy: Policy,
    at: Millis,
    kind: str,
    cause: str,
    record: str | None = None,
    other: str | None = None,
    request: StewardRequest | None = None,
) -> bytes | None:
    """The entry of a merge or an unlink, with all that is golden and sendable after it; None for an erased customer.

    `cause`: the request's id. `at`: when it was carried out, which may be after the request's own time.
    """
    state = decision.state
    if state.erased_at is not None:
        return None
    shown = {name: msgspec.convert(golden_of(state, name), Shown) for name in sorted(state.golden)}
    commands = tuple(
        Told(
            one.command_id,
            one.platform,
            one.record_id,
            one.op,
            one.reason,
            tuple(one.attributes),
            tuple((said.contact_point, said.channel, said.purpose, said.decision) for said in one.consents),
        )
        for one in decision.commands
        if one.issued_at in (at, request.at if request is not None else at)
    )
    consents = tuple(consent_of(state, policy, key) for key in listed_keys(state, policy))
    return encode_entry(
        Entry(
            at,
            state.version,
            kind,
            cause,
            None,
            WHOLE,
            record,
            {**shown},
            consents,
            commands,
            request=request,
            other=other,
        )
    )


def consent_of(state: Customer, policy: Policy, key: str) -> Consent:
    """The effective consent of a key, as golden shows it."""
    known, why = state.consents.get(key), reasons(state, policy, key)
    name, sendable = (known.state, known.sendable) if known is not None else (UNKNOWN, not why)
    return Consent(*split(key), name, sendable, why)


# Time


class Kept(NamedTuple):
    """What is kept of one customer's history: the entries in order, and what was golden before the first of them.

    `base` is None where nothing was dropped.
    """

    customer_id: str
    base: Snapshot | None
    entries: Sequence[Entry]


def follow(snapshot: Snapshot, entry: Entry) -> Snapshot:
    """The snapshot itself, after the entry. Its time never falls, whatever the Kafka timestamps do."""
    if entry.extent == WHOLE:
        snapshot.golden, snapshot.consents = {}, {}
    if entry.extent == WHOLE or (entry.extent == BORN and snapshot.at is None):
        snapshot.whole = True
    snapshot.at = entry.at if snapshot.at is None else max(snapshot.at, entry.at)
    snapshot.version = max(snapshot.version, entry.version)
    for attribute, shown in entry.golden.items():
        if shown is None:
            snapshot.golden.pop(attribute, None)
        else:
            snapshot.golden[attribute] = shown
    for one in entry.consents:
        snapshot.consents[joined(one.contact_point, one.channel, one.purpose)] = one
    return snapshot


def begun(base: Snapshot | None) -> Snapshot:
    """A snapshot to follow entries with: a copy of the base, or an empty one."""
    if base is None:
        return Snapshot()
    return Snapshot(base.at, base.version, base.whole, dict(base.golden), dict(base.consents))


def clocks(base: Snapshot | None, entries: Iterable[Entry]) -> list[Millis]:
    """When each entry counts: the largest Kafka timestamp until it."""
    latest = base.at if base is not None and base.at is not None else None
    found: list[Millis] = []
    for entry in entries:
        latest = entry.at if latest is None else max(latest, entry.at)
        found.append(latest)
    return found


def known_from(kept: Kept) -> Millis | None:
    """Since when the history can tell; None where it can from the beginning."""
    if kept.base is not None:
        return kept.base.at
    first = kept.entries[0] if kept.entries else None
    if first is None or first.extent == BORN or (first.extent == WHOLE and first.kind == "unlink"):
        return None
    return first.at


def as_of(kept: Kept, at: Millis) -> Snapshot | None:
    """What was golden after the last entry at or before `at`; None where that is older than what is kept.

    Empty, and whole, before a customer's first entry.
    """
    since = known_from(kept)
    if kept.base is None and not kept.entries:
        return None
    if since is not None and at < since:
        return None
    snapshot = begun(kept.base)
    for clock, entry in zip(clocks(kept.base, kept.entries), kept.entries, strict=True):
        if clock > at:
            break
        follow(snapshot, entry)
    if snapshot.at is None:
        snapshot.whole = True
    return snapshot


def aged(kept: Kept, cutoff: Millis) -> Kept:
    """Without the entries before `cutoff`, which are folded into the base."""
    old = sum(1 for clock in clocks(kept.base, kept.entries) if clock < cutoff)
    if not old:
        return kept
    base = begun(kept.base)
    for entry in kept.entries[:old]:
        follow(base, entry)
    return Kept(kept.customer_id, base, kept.entries[old:])
