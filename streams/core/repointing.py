"""Identity rows follow a merge or an unlink, and two customers that meet in one identifier are judged (I1-I4).

A row may name an old customer for a while: an alias forwards for ever, so that pointing elsewhere is only shorter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec

from streams.core.bonds import NAMED, UNLINKED
from streams.core.rules import Policy
from streams.model import Millis, Note

if TYPE_CHECKING:
    from streams.core.identity import Hop

CUSTOMER: Final = "@customer:"
CLAIMERS_MAX: Final = 256


class Joined(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """At the row of a customer that was merged: it is an alias of `survivor`, and its records belong there.

    `names`: the customer and its own aliases; `records`: those that its state knew; `closed`: those of them that their
    platforms have deleted.
    """

    survivor: str
    names: tuple[str, ...]
    records: tuple[str, ...]
    closed: tuple[str, ...] = ()


class Adopt(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """At the row of a customer: these records are its own now."""

    records: tuple[str, ...]


class Moved(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """At the row of a record or an identifier: `survivor` in the place of any of `names`."""

    survivor: str
    names: tuple[str, ...]


class Parted(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """An unlinked record belongs to `customer` in the place of any of `names`, with what it alone had claimed."""

    record: str
    customer: str
    names: tuple[str, ...]


class Met(msgspec.Struct, frozen=True, array_like=True, tag=14):
    """Two customers have the same identifier, or a record of `one` names `other`; at the row of `one`.

    It visits both rows, so that aliases are resolved: `resolved` is True at the second. `former`: one of the two
    has let go of the identifier.
    """

    one: str
    other: str
    record: str
    identifier: str
    change_id: str
    resolved: bool = False
    former: bool = False


Repointing: TypeAlias = Joined | Adopt | Moved | Parted | Met


class Proposal(NamedTuple):
    """An automatic merge that the policy allows by the kind of its identifier; see `core/moves.py`."""

    customer_id: str
    other_id: str
    record: str
    identifier: str
    change_id: str
    at: Millis


def customer_key(customer_id: str) -> str:
    """The row of a customer."""
    return CUSTOMER + customer_id


def repoint(hop: Hop, key: str, message: Repointing, at: Millis, policy: Policy) -> None:
    """Take one message at its row."""
    match message:
        case Joined():
            _joined(hop, key, message)
        case Adopt():
            _adopt(hop, message)
        case Moved():
            _moved(hop, message)
        case Parted():
            _parted(hop, key, message)
        case Met():
            _met(hop, key, message, at, policy)


def _joined(hop: Hop, key: str, joined: Joined) -> None:
    row = hop.row
    known = {name for names in row.records.values() for name in names}
    records = tuple(sorted(known.union(joined.records)))
    row.customer, row.records = joined.survivor, {}
    counted = tuple(name for name in records if name in known or name not in joined.closed)
    if counted:
        hop.sends.append((customer_key(joined.survivor), Adopt(counted)))
    hop.sends.extend((record, Moved(joined.survivor, joined.names)) for record in records)


def _adopt(hop: Hop, adopt: Adopt) -> None:
    row = hop.row
    if row.customer is not None:
        hop.sends.append((customer_key(row.customer), adopt))
        return
    for record in adopt.records:
        known = row.records.setdefault(record.partition(":")[0], [])
        if record not in known:
            known.append(record)


def _moved(hop: Hop, moved: Moved) -> None:
    row = hop.row
    if row.customer in moved.names:
        row.customer = moved.survivor
        hop.sends.extend((claimed, moved) for claimed in row.claimed)
        if row.past is not None:
            hop.sends.extend((had, moved) for had in row.past.given_up)
    if row.past is not None and row.past.customer in moved.names:
        row.past.customer = moved.survivor


def _parted(hop: Hop, key: str, parted: Parted) -> None:
    row = hop.row
    if key.startswith(CUSTOMER):
        _forget_member(hop, parted)
    elif key == parted.record:
        if row.customer is None or row.customer in parted.names:
            row.customer, row.bond = parted.customer, UNLINKED
            given_up = row.past.given_up if row.past is not None else []
            hop.sends.extend((one, parted) for one in (*row.claimed, *given_up))
            hop.sends.append((customer_key(parted.names[0]), parted))
            hop.sends.append((customer_key(parted.customer), Adopt((parted.record,))))
    else:
        _part_identifier(hop, key, parted)


def _part_identifier(hop: Hop, key: str, parted: Parted) -> None:
    """What another record of the old customer has claimed too stays with it; so does the past that others had."""
    from streams.core.given_up import leave, leave_past  # whose steps call `meet`

    row = hop.row
    if leave_past(row, parted) or row.joined or row.customer not in parted.names:
        return
    row.claimers = [name for name in row.claimers if name != parted.record]
    if not row.claimers:
        row.customer, row.claimers = parted.customer, [parted.record]
    elif key.startswith("@email:"):
        leave(row, parted.record)


def _forget_member(hop: Hop, parted: Parted) -> None:
    row = hop.row
    if row.customer is not None:
        hop.sends.append((customer_key(row.customer), parted))
        return
    names = row.records.get(parted.record.partition(":")[0], [])
    if parted.record in names:
        names.remove(parted.record)


def meet(hop: Hop, one: str, other: str, record: str, identifier: str, change_id: str, former: bool = False) -> None:
    """Two customers were found to be one person, as far as one identifier says; let it be judged."""
    hop.sends.append((customer_key(one), Met(one, other, record, identifier, change_id, former=former)))


def _met(hop: Hop, key: str, met: Met, at: Millis, policy: Policy) -> None:
    survivor = hop.row.customer
    if survivor is not None:
        hop.sends.append((customer_key(survivor), msgspec.structs.replace(met, one=survivor)))
    elif met.one == met.other:
        return
    elif not met.resolved:
        turned = msgspec.structs.replace(met, one=met.other, other=met.one, resolved=True)
        hop.sends.append((customer_key(met.other), turned))
    else:
        _judge(hop, met, at, policy)


def _judge(hop: Hop, met: Met, at: Millis, policy: Policy) -> None:
    if met.former:
        hop.notes.append(_note("review", met, "given_up", "one of the two had this identifier before, and gave it up"))
    elif met.identifier in policy.identity.merge:
        hop.proposals.append(Proposal(met.one, met.other, met.record, met.identifier, met.change_id, at))
    elif met.identifier == NAMED:
        hop.notes.append(_note("rebind_refused", met))
        hop.notes.append(_note("review", met, "bound", "a bound record names another customer"))
    else:
        detail = "an identifier of this record belongs to another customer"
        hop.notes.append(_note("review", met, "not_automatic", detail))


def _note(kind: str, met: Met, rule: str | None = None, detail: str | None = None) -> Note:
    platform, _, record_id = met.record.partition(":")
    changes = (met.change_id,) if met.change_id else ()
    one, other = sorted((met.one, met.other))
    return Note(
        kind, met.change_id or None, platform, record_id, None, one, detail, other, met.identifier, rule, changes
    )
