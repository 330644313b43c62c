"""What an erasure does to the identity rows of a customer: its records are fenced, the rest is forgotten (K3).

A fenced row knows no customer any more: `erased_at`, and `closed_at`, the end of the fence. What its record said
before that end is dropped for ever; what it says later is a new link to a new customer. The row of the customer itself
stays as a mark that sends whoever asks to join it to another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from streams.core.rules import Policy
from streams.model import Change, Millis, Note

if TYPE_CHECKING:
    from streams.core.erasure import Erasure
    from streams.core.identity import Hop, Row

CUSTOMER: Final = "@customer:"
DROPPED: Final = "erased_drop"


class Erase(msgspec.Struct, frozen=True, array_like=True, tag=20):
    """The customer of these ids was erased at `at`; its records are fenced until `until`."""

    ids: tuple[str, ...]
    at: Millis
    until: Millis


def messages(erasure: Erasure, policy: Policy) -> list[tuple[str, Erase]]:
    """What identity rows are told of an erasure: the customer's own, and those of its records."""
    told = Erase(erasure.ids, erasure.at, erasure.at + policy.erasure_fence_ms)
    keys = [*(f"{CUSTOMER}{one}" for one in erasure.ids), *erasure.records]
    return [(key, told) for key in keys]


def forget(hop: Hop, key: str, erase: Erase) -> None:
    """Take the message at one row: a customer's, a record's or an identifier's."""
    row = hop.row
    if key.startswith(CUSTOMER):
        _forget_customer(hop, erase)
    elif row.customer is not None and row.customer not in erase.ids:
        return  # it is somebody else's
    else:
        _pass_on(hop, row.claimed, erase)
        _reset(row)
        if not key.startswith("@"):
            row.erased_at, row.closed_at = erase.at, erase.until


def _forget_customer(hop: Hop, erase: Erase) -> None:
    """Its members hear of it too: one may be bound here and not have spoken there yet."""
    row = hop.row
    _pass_on(hop, [name for names in row.records.values() for name in names], erase)
    row.records = {}
    if row.customer is None:  # an alias goes on naming the customer that it became
        row.erased_at = erase.at


def _pass_on(hop: Hop, keys: list[str], erase: Erase) -> None:
    hop.sends.extend((key, erase) for key in keys)


def _reset(row: Row) -> None:
    row.customer, row.joined, row.pending, row.tentative = None, False, False, False
    row.parked, row.claimed, row.records, row.claimers = [], [], {}, []
    row.bond, row.first = "", ""


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


def only_late(hop: Hop, erased_at: Millis, claims: tuple[str, ...]) -> bool:
    """Drop what a record said before the erasure of the customer that it asked for; True where nothing else waited.

    Then the record stays unbound, and what it claimed on its way is free again.
    """
    from streams.core.identity import minted  # identity's steps call this one

    row = hop.row
    late = [one for one in row.parked if _observed(one.change, one.at) <= erased_at]
    row.parked = [one for one in row.parked if _observed(one.change, one.at) > erased_at]
    for one in late:
        _drop(hop, one.change)
    if row.parked or not late or row.joined:
        return False
    _pass_on(hop, list(claims), Erase((minted(claims[0]),) if claims else (), erased_at, erased_at))
    _reset(row)
    return True


def _observed(change: Change, at: Millis) -> Millis:
    return change.observed_at if change.observed_at is not None else at


def _drop(hop: Hop, change: Change) -> None:
    """Nothing of the change goes on; the note names the platform alone."""
    hop.notes.append(Note(kind=DROPPED, platform=change.platform))
