"""Binding: which customer a record belongs to (I1, I2), as steps over rows that may live on different partitions.

A row is keyed by what it is about: a record or an external id by its name (`crm:003xx`), an e-mail by `@email:…`,
a phone by `@phone:…`, a customer by `@customer:…`. Each step reads and writes one row and sends messages to others,
so that the same code serves the partitioned engine and the replay. A record that is bound passes in one step; an
unknown one waits in its row (`parked`) while its identifiers are visited in the policy's order.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import msgspec

from streams.core import canonical
from streams.core.asking import Ask
from streams.core.bonds import ALONE, CLAIMED, EXTERNAL, NAMED, REFUSED, evidence, kind_of, mark_of
from streams.core.forgetting import Erase, Forgetting, Free, Gone, Left, forget, refused, turn_away
from streams.core.given_up import (
    Closed,
    GivenUp,
    GivingUp,
    Past,
    adds_nothing,
    first_email,
    former,
    give_up,
    given_up_by,
    is_stale,
    still_had,
    succeed,
    takes,
)
from streams.core.identifiers import identifier_keys, ignored_identifiers
from streams.core.identity_notes import no_further, note_of
from streams.core.own_writes import Written, is_own_write, remember_written
from streams.core.redaction import Redact, redact
from streams.core.repointing import CLAIMERS_MAX, Proposal, Repointing, customer_key, meet, repoint
from streams.core.rules import Policy
from streams.model import Change, Millis, Note

PARKED_MAX = 256


class Parked(msgspec.Struct, array_like=True, frozen=True):
    """A change that waits for its record to be bound, with its Kafka timestamp."""

    change: Change
    at: Millis


class Row(msgspec.Struct, array_like=True):
    """What is known under one key. `joined` is False where a customer only claimed a record that never spoke.

    `tentative`: a record on its way claimed the row for a customer that it may yet find to be another.
    `fenced_at`: the deletion that ended the link before this one. `bond` and `first` are evidence (`core/bonds.py`):
    what bound this record, and who named this key first. `customer` in a customer's own row: it was merged into that
    one. `claimers`: the records that claim this identifier for its customer. `erased_at`: see `core/forgetting.py`,
    `past`: see `core/given_up.py`, `written`: see `core/own_writes.py`.
    """

    customer: str | None = None
    joined: bool = False
    pending: bool = False
    parked: list[Parked] = []
    closed_at: Millis | None = None
    claimed: list[str] = []
    records: dict[str, list[str]] = {}
    closings: int = 0
    tentative: bool = False
    fenced_at: Millis | None = None
    bond: str = ""
    first: str = ""
    erased_at: Millis | None = None
    claimers: list[str] = []
    past: Past | None = None
    written: list[str] = []


class Arrive(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """A change at the row of its record."""

    change: Change


class Visit(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """An unbound record asks the row of its next identifier; `claims` are the ones it has claimed so far.

    `at`: when it was observed; 0: not said. `gone`: all that is known of it is that it was deleted.
    """

    record: str
    platform: str
    mint: str
    remaining: tuple[str, ...]
    claims: tuple[str, ...] = ()
    at: Millis = 0
    gone: bool = False


class Bound(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The answer, at the row of the record; `by` and `claims` are the asking's."""

    customer: str
    by: str = ALONE
    claims: tuple[str, ...] = ()


class Claim(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """A bound record's verified identifier; `instead_of` is a customer that was minted and not used.

    `change_id`: the change that named it, "" where it is not at hand; `at`: when it was observed, 0: not said.
    """

    customer: str
    record: str
    instead_of: str | None = None
    change_id: str = ""
    at: Millis = 0


Message: TypeAlias = Arrive | Visit | Ask | Bound | Claim | Forgetting | Repointing | GivingUp | Redact | Written


class Forward(NamedTuple):
    """A change on its way to its customer."""

    customer_id: str
    change: Change
    at: Millis


class Hop(NamedTuple):
    """What one step made of one row."""

    row: Row
    sends: list[tuple[str, Message]]
    forwards: list[Forward]
    notes: list[Note]
    proposals: list[Proposal]


def row_key(change: Change) -> str:
    """The row at which a change arrives: its record's, or that of the record its verdicts are about (R8)."""
    return change.verdicts[0].record if change.only_verdicts else change.record


def minted(*names: str) -> str:
    """A customer id that follows from the names alone, so that a replay mints the same one."""
    return f"c-{blake2b(canonical.SEP.join(names).encode(), digest_size=10).hexdigest()}"


def step(key: str, row: Row, message: Message, at: Millis, policy: Policy) -> Hop:
    """Take one message at its row; `at` is the Kafka timestamp of the change that started it."""
    hop = Hop(row, [], [], [], [])
    match message:
        case Arrive():
            _arrive(hop, message.change, at, policy)
        case Visit():
            _visit(hop, key, message, at)
        case Ask():
            _ask(hop, key, message, policy)
        case Bound():
            _bound(hop, key, message, policy)
        case Claim():
            _claim(hop, key, message, at, policy)
        case Erase() | Gone() | Left() | Free():
            if forget(hop, key, message):
                _start(hop, row.parked[0].change, policy)
        case Closed() | GivenUp():
            give_up(hop, key, message, policy)
        case Redact():
            redact(hop, key, message)
        case Written():
            remember_written(row, message, at)
        case _:
            repoint(hop, key, message, at, policy)
    return hop


def _arrive(hop: Hop, change: Change, at: Millis, policy: Policy) -> None:
    row = hop.row
    if row.erased_at is not None and refused(hop, change, change.observed(at)):
        return
    if row.fenced_at is not None and not change.only_verdicts and change.observed(at) <= row.fenced_at:
        # K2: it belongs to a link that has ended; read again, it must not end or feed the one there is now.
        hop.notes.append(note_of("deleted_drop", change))
        return
    if row.joined and row.customer is not None and not _reopens(row, change, at):
        _forward(hop, row.customer, change, at, policy)
        return
    if change.only_verdicts and not row.pending:
        hop.notes.append(note_of("verdict_unmatched", change))
        return
    row.parked = [*row.parked, Parked(change, at)]
    if row.pending or row.tentative:
        if len(row.parked) >= PARKED_MAX:
            _bind_without_answer(hop, change, policy)
        return
    row.pending = True
    _start(hop, change, policy)


def _reopens(row: Row, change: Change, at: Millis) -> bool:
    """K2: a change observed after the record's deletion is a new link."""
    if row.closed_at is None or change.op == "delete":
        return False
    return change.observed(at) > row.closed_at


def _start(hop: Hop, change: Change, policy: Policy) -> None:
    row, record = hop.row, change.record
    if row.closed_at is not None:
        row.closings += 1
        row.fenced_at = row.closed_at
        row.customer, row.joined, row.closed_at, row.claimed = None, False, None, []
    alone = minted(record, str(row.closings)) if row.closings else minted(record)
    if change.customer_id is not None:
        hop.sends.append((customer_key(change.customer_id), Ask(record, change.platform, "", by=NAMED)))
        return
    if row.customer is not None:
        otherwise = "" if change.op == "delete" else alone
        hop.sends.append((customer_key(row.customer), Ask(record, change.platform, otherwise, by=CLAIMED)))
        return
    keys = identifier_keys(change, policy)
    hop.notes.extend(note_of("identifier_ignored", change, why) for why in ignored_identifiers(change, policy))
    if not keys:
        hop.sends.append((customer_key(alone), Ask(record, change.platform, "")))
        return
    said_at, gone = change.observed_at or 0, change.op == "delete"
    hop.sends.append((keys[0], Visit(record, change.platform, minted(keys[0]), tuple(keys), (), said_at, gone)))


def _bind_without_answer(hop: Hop, change: Change, policy: Policy) -> None:
    """The row is full: the record becomes a customer of its own rather than stall or lose a change."""
    hop.notes.append(note_of("review", change, "binding took too long: the record became a customer of its own"))
    alone = minted(change.record)
    hop.sends.append((customer_key(alone), Ask(change.record, change.platform, "")))
    _bound(hop, change.record, Bound(alone), policy)


def _visit(hop: Hop, key: str, visit: Visit, at: Millis) -> None:
    row = hop.row
    owner = row.customer if row.customer is not None else former(row, visit.at or at)
    if owner is not None and (row.customer is None or owner != visit.mint):
        asked = Ask(visit.record, visit.platform, _otherwise(visit), visit.claims, kind_of(key))
        hop.sends.append((customer_key(owner), asked))
        return
    claims, past = visit.claims, row.past
    if past is not None and row.customer is None and not claims:
        # The customer that follows from the address may be the one that has let go of it.
        visit = msgspec.structs.replace(visit, mint=minted(key, str(past.until)))
    if row.customer is None:
        row.customer, row.tentative = visit.mint, True
        claims = (*claims, key)
    elif not claims:
        # Another record was minted from this same identifier: it is this record's customer.
        asked = Ask(visit.record, visit.platform, _otherwise(visit), by=kind_of(key))
        hop.sends.append((customer_key(visit.mint), asked))
        return
    remaining = visit.remaining[1:]
    if remaining:
        following = Visit(visit.record, visit.platform, visit.mint, remaining, claims, visit.at, visit.gone)
        hop.sends.append((remaining[0], following))
    else:
        hop.sends.append((customer_key(visit.mint), Ask(visit.record, visit.platform, _otherwise(visit), claims)))


def _otherwise(visit: Visit) -> str:
    """A record that is gone is never one too many (I2)."""
    return "" if visit.gone else minted(visit.record)


def _ask(hop: Hop, key: str, ask: Ask, policy: Policy) -> None:
    """I2: a platform with `unique` allows one record per customer; what is refused goes to review."""
    if hop.row.customer is not None:
        hop.sends.append((customer_key(hop.row.customer), ask))
        return
    customer = key.removeprefix("@customer:")
    if hop.row.erased_at is not None:
        # K3: the id never comes back to life. Its successor follows from the erasure, so that all who ask meet again.
        successor = minted(customer, str(hop.row.erased_at))
        hop.sends.append((ask.record, Gone(hop.row.erased_at, successor, ask.platform, ask.claims, ask.by)))
        return
    known = hop.row.records.setdefault(ask.platform, [])
    most = policy.records_max(ask.platform) if policy.tells(ask.record) else None
    if ask.otherwise and ask.record not in known and most is not None and sum(map(policy.tells, known)) >= most:
        hop.notes.append(no_further(ask, customer))
        hop.sends.append((customer_key(ask.otherwise), Ask(ask.record, ask.platform, "", ask.claims, REFUSED)))
        return
    if ask.record not in known:
        known.append(ask.record)
    hop.sends.append((ask.record, Bound(customer, ask.by, ask.claims)))


def _bound(hop: Hop, key: str, bound: Bound, policy: Policy) -> None:
    """Claims follow the first change of a customer: whoever meets it in an identifier finds it there."""
    row = hop.row
    if row.erased_at is not None:
        turn_away(hop, key, bound)
        return
    if row.joined and not row.pending:
        _claim_all(hop, key, row.customer or "", still_had(row, bound.claims), "")
        if row.customer != bound.customer:
            meet(hop, row.customer or "", bound.customer, key, bound.by, "")
        return
    claimed_for = row.customer if not row.tentative else None
    row.customer, row.joined, row.pending, row.tentative = bound.customer, True, False, False
    parked, row.parked = row.parked, []
    cause = parked[0].change.change_id if parked else ""
    if claimed_for is not None and claimed_for != bound.customer:
        # While it was on its way, another record has named this one for its own customer.
        meet(hop, claimed_for, bound.customer, key, EXTERNAL, cause)
    row.bond = evidence(bound.by, cause, mark_of(_matched(bound, parked, policy)))
    row.claimed = [*row.claimed, *bound.claims]
    observed = parked[0].change.observed(parked[0].at) if parked else 0
    _claim_all(hop, key, bound.customer, bound.claims, cause, observed)
    if parked:
        first_email(row, parked[0].change, observed)
    for one in parked:
        _forward(hop, bound.customer, one.change, one.at, policy)


def _matched(bound: Bound, parked: list[Parked], policy: Policy) -> str:
    """The identifier that led the record to its customer: the first that it had not claimed on its way."""
    keys = identifier_keys(parked[0].change, policy) if parked and bound.by in policy.identity.match else []
    return next((key for key in keys if key not in bound.claims), "")


def _claim_all(hop: Hop, record: str, customer: str, claims: tuple[str, ...], change_id: str, at: Millis = 0) -> None:
    """What the record claimed on its way, for a customer that it may not have become."""
    hop.sends.extend((key, Claim(customer, record, minted(claims[0]), change_id, at)) for key in claims)


def _forward(hop: Hop, customer: str, change: Change, at: Millis, policy: Policy) -> None:
    row = hop.row
    if change.customer_id is not None and change.customer_id != customer and not change.only_verdicts:
        meet(hop, customer, change.customer_id, change.record, NAMED, change.change_id)
    for key in _unclaimed(row, change, policy):
        if takes(hop, key, change, change.observed(at)):
            row.claimed = [*row.claimed, key][-PARKED_MAX:]
            claim = Claim(customer, change.record, change_id=change.change_id, at=change.observed(at))
            hop.sends.append((key, claim))
    if change.op == "delete":
        observed = change.observed(at)
        row.closed_at = max(row.closed_at or observed, observed)
        hop.sends.append((customer_key(customer), Closed(change.record)))
    hop.forwards.append(Forward(customer, change, at))


def _unclaimed(row: Row, change: Change, policy: Policy) -> Iterator[str]:
    """What the record claims now. R11: what a platform repeats of our own writes is nobody's claim."""
    if change.origin == "writeback":
        return
    if change.identifiers.email or change.identifiers.phone or change.identifiers.external:
        for key in identifier_keys(change, policy):
            if key not in row.claimed and not is_own_write(row, key):
                yield key


def _claim(hop: Hop, key: str, claim: Claim, at: Millis, policy: Policy) -> None:
    """The first customer keeps an identifier, and a bound record its customer; two that meet here are judged.

    A tentative claim, by a record that may yet find another customer, gives way to any that is made in earnest.
    """
    row, said_at = hop.row, claim.at or at
    if adds_nothing(row, claim, said_at):
        return
    past = given_up_by(row)
    if row.customer is None or row.tentative:
        row.customer = claim.customer
        if past is not None:
            succeed(hop, key, claim, past, said_at)
    if row.customer != claim.customer:
        stale = is_stale(row, claim, said_at)
        meet(hop, row.customer, claim.customer, claim.record, kind_of(key), claim.change_id, stale)
        return
    if claim.record not in row.claimers:
        row.claimers = [*row.claimers, claim.record][-CLAIMERS_MAX:]
    if not row.first and claim.change_id:
        row.first = evidence(claim.record, claim.change_id)
    if row.tentative:
        row.tentative = False
        if row.parked and not row.pending:
            row.pending = True
            _start(hop, row.parked[0].change, policy)
