"""What a record has given up: its place among its customer's records, an e-mail address that it once had (K2, I1).

An e-mail address may belong to somebody else after its owner took another one. So a record that states another e-mail
of its own lets go of the one before; whoever comes later with that one is no longer taken for the same person. The row
of the address remembers who had it, and until when: what was said before that time still binds, and two customers that
meet in an address that only one of them has now are a case for a steward, never a merge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from streams.core import canonical
from streams.core.bonds import kind_of
from streams.core.repointing import Parted, customer_key, meet
from streams.core.rules import Policy
from streams.model import Change, Millis

if TYPE_CHECKING:
    from streams.core.identity import Claim, Hop, Row

EMAIL: Final = "@email:"
GIVEN_UP_MAX: Final = 64


class Past(msgspec.Struct, array_like=True):
    """What was. Of a record: since when it has its e-mail address, and the keys of those that it had before.

    Of an address: the last customer that let go of it, until when that one had it, and which records gave it up.
    """

    email_at: Millis | None = None
    given_up: list[str] = []
    customer: str = ""
    until: Millis = 0
    records: list[str] = []


class Closed(msgspec.Struct, frozen=True, array_like=True, tag=30):
    """At a customer: its platform has deleted this record, which no longer counts (I2)."""

    record: str


class GivenUp(msgspec.Struct, frozen=True, array_like=True, tag=31):
    """At an e-mail address: this record of the customer had it until then, and has another one now."""

    record: str
    customer: str
    until: Millis
    change_id: str = ""


GivingUp: TypeAlias = Closed | GivenUp


def give_up(hop: Hop, key: str, message: GivingUp, policy: Policy) -> None:
    """Take one message at its row."""
    match message:
        case Closed():
            _close(hop, message)
        case GivenUp():
            _let_go(hop, key, message, policy)


def _close(hop: Hop, closed: Closed) -> None:
    if hop.row.customer is not None:
        hop.sends.append((customer_key(hop.row.customer), closed))
        return
    names = hop.row.records.get(closed.record.partition(":")[0], [])
    if closed.record in names:
        names.remove(closed.record)


def takes(hop: Hop, key: str, change: Change, at: Millis) -> bool:
    """True where the record may claim the address `key`, which it has not claimed; it lets go of its former one.

    False where the statement comes late: the record has another address by now. `at`: when it was observed.
    """
    said = change.attributes.get("email")
    if said is None or not isinstance(said.value, str) or EMAIL + canonical.email(said.value) != key:
        return True  # the address of an act, or of an order's owner: nothing of the record's own has changed
    row = hop.row
    past = row.past if row.past is not None else Past()
    row.past = past
    if past.email_at is None or at >= past.email_at:
        past.email_at = at
        _let_go_of_others(hop, past, key, change, at)
        return True
    if key not in past.given_up:
        _remember(past, key)
        hop.sends.append((key, GivenUp(change.record, row.customer or "", past.email_at, change.change_id)))
    return False


def _let_go_of_others(hop: Hop, past: Past, key: str, change: Change, at: Millis) -> None:
    row = hop.row
    kept = {key, *(EMAIL + canonical.email(one) for one in change.identifiers.email)}
    past.given_up = [one for one in past.given_up if one not in kept]
    for other in [one for one in row.claimed if one.startswith(EMAIL) and one not in kept]:
        row.claimed.remove(other)
        _remember(past, other)
        hop.sends.append((other, GivenUp(change.record, row.customer or "", at, change.change_id)))


def _remember(past: Past, key: str) -> None:
    past.given_up = [*(one for one in past.given_up if one != key), key][-GIVEN_UP_MAX:]


def first_email(row: Row, change: Change, at: Millis) -> None:
    """The record was bound with an address of its own, which it claimed on its way."""
    said = change.attributes.get("email")
    if said is not None and isinstance(said.value, str) and EMAIL + canonical.email(said.value) in row.claimed:
        row.past = Past(at)


def still_had(row: Row, claims: tuple[str, ...]) -> tuple[str, ...]:
    """What a record claimed on its way, without what it has given up since: for an answer that comes again."""
    return claims if row.past is None else tuple(one for one in claims if one not in row.past.given_up)


def _let_go(hop: Hop, key: str, gone: GivenUp, policy: Policy) -> None:
    row = hop.row
    if gone.record in row.claimers:
        row.claimers.remove(gone.record)
        records = row.past.records if row.past is not None and row.past.customer in ("", row.customer) else []
        row.past = Past(records=[*(one for one in records if one != gone.record), gone.record][-GIVEN_UP_MAX:])
        if not any(map(policy.tells, row.claimers)):
            row.past.customer, row.past.until = row.customer or gone.customer, gone.until
            row.customer, row.claimers, row.first = None, [], ""
    elif row.customer is None or row.tentative:
        if row.past is None:
            row.past = Past(customer=gone.customer, until=gone.until, records=[gone.record])
    elif row.customer != gone.customer and not _has_left(row, gone):
        meet(hop, gone.customer, row.customer, gone.record, kind_of(key), gone.change_id, True)


def _has_left(row: Row, gone: GivenUp) -> bool:
    """True where it is known that the customer, or this very record, has no part in the address any more."""
    return row.past is not None and (row.past.customer == gone.customer or gone.record in row.past.records)


def leave(row: Row, record: str) -> None:
    """An unlinked record had the address of the customer that it was taken out of, which keeps it."""
    row.past = row.past if row.past is not None else Past()
    row.past.records = [*(one for one in row.past.records if one != record), record][-GIVEN_UP_MAX:]


def leave_past(row: Row, parted: Parted) -> bool:
    """True where all that an unlinked record has to do with an address is that it gave it up: that goes with it."""
    past = row.past
    if past is None or parted.record not in past.records or parted.record in row.claimers:
        return False
    if past.customer in parted.names:
        past.customer = parted.customer
    return True


def former(row: Row, at: Millis) -> str | None:
    """Whose an address without an owner was at that time."""
    past = row.past
    if row.customer is not None or past is None or not past.customer or at >= past.until:
        return None
    return past.customer


def given_up_by(row: Row) -> Past | None:
    """Who has let go of an address that nobody has taken in earnest since."""
    past = row.past
    return past if past is not None and past.customer and (row.customer is None or row.tentative) else None


def succeed(hop: Hop, key: str, claim: Claim, past: Past, at: Millis) -> None:
    """An address that was let go of has an owner again, at best the one that it had."""
    if past.customer == claim.customer:
        hop.row.past = None
    else:
        meet(hop, past.customer, claim.customer, claim.record, kind_of(key), claim.change_id, at >= past.until)


def is_stale(row: Row, claim: Claim, at: Millis) -> bool:
    """A claim from before its customer let go of the address, which comes late or again."""
    past = row.past
    return past is not None and past.customer == claim.customer and at < past.until


def adds_nothing(row: Row, claim: Claim, at: Millis) -> bool:
    """It comes from a record that has itself given the address up since."""
    return is_stale(row, claim, at) and row.past is not None and claim.record in row.past.records
