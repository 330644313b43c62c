"""Erased contact points at their own table: the row goes, what stays is a suppression by keyed hash (K3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from streams.codec.versioned import Versioned
from streams.core.erasure import ERASED, Erasure
from streams.lane import Emit, Record
from streams.model import Millis
from streams.model.suppression import PublishedSuppression, SendableState
from streams.runtime import topics
from streams.runtime.erasure_steps import Shun, encode_step

VERSION: Final = b"\x03"
HASHED: Final = "hash:"

Pairs: TypeAlias = tuple[tuple[str, str], ...]


class Withdraw(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """At a contact point: the customer of these ids was erased; whoever else holds it is told."""

    ids: tuple[str, ...]
    channels: tuple[str, ...]
    at: Millis


class Hashed(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """At the hash of a contact point: what it may not be sent, a (channel, purpose) each."""

    pairs: Pairs
    at: Millis


_told: Final = Versioned[Withdraw | Hashed](Withdraw | Hashed, VERSION, "withdrawal")


def withdrawals(point: str, point_hash: str, pairs: Pairs, erasure: Erasure) -> list[Emit]:
    """What the topic `contacts` is told of one contact point."""
    channels = tuple(sorted({channel for channel, _ in pairs}))
    told: dict[str, Withdraw | Hashed] = {
        point: Withdraw(erasure.ids, channels, erasure.at),
        HASHED + point_hash: Hashed(pairs, erasure.at),
    }
    return [
        Emit(topics.CONTACTS, key.encode(), _told.encode(one), timestamp_ms=erasure.at) for key, one in told.items()
    ]


def is_withdrawal(record: Record) -> bool:
    """True for one of these messages."""
    return record.value is not None and record.value[:1] == VERSION


def decode(record: Record) -> Withdraw | Hashed:
    """From the topic `contacts`; raises Invalid."""
    return _told.decode(record.value)


def shunned(record: Record, told: Withdraw, holders: Iterable[str]) -> list[Emit]:
    """What the other holders of the contact point are told: it stays suppressed for them too."""
    value = encode_step(Shun((record.key or b"").decode(), told.channels, told.at))
    at = record.timestamp_ms
    return [Emit(topics.CUSTOMER_CHANGES, one.encode(), value, timestamp_ms=at) for one in sorted(holders)]


def published(key: str, hashed: Hashed) -> PublishedSuppression:
    """What is published under the hash: nothing may be sent, whoever may hold the contact point one day."""
    states = tuple(SendableState(channel, purpose, "unknown", False, (ERASED,)) for channel, purpose in hashed.pairs)
    return PublishedSuppression(key, hashed.at, 0, states)
