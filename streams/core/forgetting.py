"""What an erasure does to the identity rows of a customer: its records are fenced, the rest is forgotten (K3).

A fenced row knows no customer any more: `erased_at`, and `closed_at`, the end of the fence. What its record said
before that end is dropped for ever; what it says later is a new link to a new customer. The row of the customer itself
stays as a mark that sends whoever asks to join it to another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from streams.core.asking import Ask
from streams.core.rules import Policy
from streams.model import Change, Millis, Note

if TYPE_CHECKING:
    from streams.core.erasure import Erasure
    from streams.core.identity import Bound, Hop, Row

CUSTOMER: Final = "@customer:"
DROPPED: Final = "erased_drop"


class Erase(msgspec.Struct, frozen=True, array_like=True, tag=20):
    """The customer of these ids was erased at `at`; its records are fenced until `until`.

    `left`: hashes of the names of records that an unlink had taken out of it, which their own rows may hear of later.
    """

    ids: tuple[str, ...]
    at: Millis
    until: Millis
    left: tuple[str, ...] = ()


class Gone(msgspec.Struct, frozen=True, array_like=True, tag=21):
    """At a record: the customer that it asked for was erased at `at`; who asks later becomes the `successor`.

    It follows from the erasure, so that all who ask meet again. The rest is the asking's.
    """

    at: Millis
    successor: str
    platform: str
    claims: tuple[str, ...]
    by: str


class Left(msgspec.Struct, frozen=True, array_like=True, tag=22):
    """At a customer that has bound a record: it was erased meanwhile."""

    record: str


class Free(msgspec.Struct, frozen=True, array_like=True, tag=23):
    """At an identifier: the record that tried for it joins nobody."""


Forgetting: TypeAlias = Erase | Gone | Left | Free


def messages(erasure: Erasure, policy: Policy) -> list[tuple[str, Erase]]:
    """What identity rows are told of an erasure: the customer's own, and those of its records."""
    left = tuple(_hashed(name) for name in erasure.left)
    told = Erase(erasure.ids, erasure.at, erasure.at + policy.erasure_fence_ms, left)
    keys = [*(f"{CUSTOMER}{one}" for one in erasure.ids), *erasure.records]
    return [(key, told) for key in keys]


def forget(hop: Hop, key: str, message: Forgetting) -> bool:
    """Take a message at one row; True where what waits in it is to begin anew."""
    match message:
        case Erase():
            _erase(hop, key, message)
        case Gone():
            _gone(hop, key, message)
        case Left():
            _leave(hop, message)
        case Free():
            return _free(hop)
    return False


def _erase(hop: Hop, key: str, erase: Erase) -> None:
    row = hop.row
    if key.startswith(CUSTOMER):
        _erase_customer(hop, erase)
    elif row.customer is not None and row.customer not in erase.ids and not row.tentative:
        return  # it is somebody else's; what is only tried for is claimed again in earnest
    else:
        given_up = row.past.given_up if row.past is not None else []
        hop.sends.extend((one, erase) for one in (*row.claimed, *given_up))
        _reset(row)
        if not key.startswith("@"):
            row.erased_at, row.closed_at = erase.at, erase.until


def _erase_customer(hop: Hop, erase: Erase) -> None:
    """Its members hear of it too: one may be bound here and not have spoken there yet.

    An alias goes on naming the customer that it became, which knows who comes after it.
    """
    row = hop.row
    members = [name for names in row.records.values() for name in names]
    hop.sends.extend((name, erase) for name in members if _hashed(name) not in erase.left)
    row.records, row.erased_at = {}, erase.at


def _hashed(name: str) -> str:
    return blake2b(name.encode(), digest_size=16).hexdigest()


def _reset(row: Row) -> None:
    """The row knows nobody, and nothing waits in it."""
    row.customer, row.joined, row.pending, row.tentative = None, False, False, False
    row.parked, row.claimed, row.records, row.claimers, row.written = [], [], {}, [], []
    row.bond, row.first, row.past = "", "", None


# What comes late


def refused(hop: Hop, change: Change, observed: Millis) -> bool:
    """True where a change at a fenced row is dropped; the fence ends with the first one that was observed after it."""
    row = hop.row
    if row.erased_at is None:
        return False
    if change.only_verdicts or change.op == "delete" or observed <= (row.closed_at or row.erased_at):
        _drop(hop, change)
        return True
    row.closings += 1
    row.fenced_at, row.closed_at, row.erased_at = row.closed_at, None, None
    return False


def _gone(hop: Hop, key: str, gone: Gone) -> None:
    """What was said before the erasure is dropped; the rest asks the customer that takes the erased one's place."""
    row = hop.row
    late = [one for one in row.parked if one.change.observed(one.at) <= gone.at]
    if row.erased_at is None and row.pending:
        row.parked = [one for one in row.parked if one not in late]
        for one in late:
            _drop(hop, one.change)
        if row.parked:
            asked = Ask(key, gone.platform, "", gone.claims, gone.by)
            hop.sends.append((CUSTOMER + gone.successor, asked))
            return
        _reset(row)
    _let_go(hop, gone.claims)


def turn_away(hop: Hop, key: str, bound: Bound) -> None:
    """A record was erased while the answer was on its way, or before the answer came again."""
    _let_go(hop, bound.claims)
    hop.sends.append((CUSTOMER + bound.customer, Left(key)))


def _let_go(hop: Hop, claims: Iterable[str]) -> None:
    """What a record tried for, for a customer that it does not become."""
    hop.sends.extend((key, Free()) for key in claims)


def _free(hop: Hop) -> bool:
    row = hop.row
    if not row.tentative:
        return False
    row.customer, row.tentative = None, False
    if not row.parked or row.pending:
        return False
    row.pending = True
    return True


def _leave(hop: Hop, left: Left) -> None:
    for platform, names in list(hop.row.records.items()):
        if left.record in names:
            names.remove(left.record)
        if not names:
            del hop.row.records[platform]


def _drop(hop: Hop, change: Change) -> None:
    """Nothing of the change goes on; the note names the platform alone."""
    hop.notes.append(Note(kind=DROPPED, platform=change.platform))
