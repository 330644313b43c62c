"""What we wrote to a record is no identifier of its own: a platform that only repeats it verifies nothing (R11).

Otherwise an address that somebody has typed into an account of theirs would come back from another platform as a
verified one, and bind its real owner to that account. A connector cannot always tell our own writes from others', so
the record's identity row remembers them, as marks: no value of one customer is kept in the row of another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from streams.core.bonds import mark_of
from streams.core.rules import Policy
from streams.core.state import Record
from streams.model import Millis, Value

if TYPE_CHECKING:
    from streams.core.decide import Decision
    from streams.core.identity import Row

# R11: the last four of an attribute are remembered at least; there are two kinds, and room for more attributes.
WRITTEN_MAX: Final = 16


class Written(msgspec.Struct, frozen=True, array_like=True, tag=50):
    """At the row of a record: it was told these identifiers of its customer, as marks (`core/bonds.py`)."""

    marks: tuple[str, ...]


def own_writes(decision: Decision, policy: Policy) -> list[tuple[str, Written]]:
    """What records are told by these commands, or were created with, that could be an identifier; by their rows."""
    found: dict[str, list[str]] = {}
    for command in decision.commands:
        record = decision.state.records.get(f"{command.platform}:{command.record_id}") if command.attributes else None
        if record is not None:
            for attribute, told in command.attributes.items():
                found.setdefault(f"{command.platform}:{command.record_id}", []).extend(
                    _marks(record, attribute, told.value, policy)
                )
    for name in decision.links:
        record = decision.state.records[name]
        for attribute, slot in record.slots.items():
            for sent in slot.sent:
                found.setdefault(name, []).extend(_marks(record, attribute, sent.value, policy))
    return [(name, Written(tuple(marks))) for name, marks in found.items() if marks]


def _marks(record: Record, attribute: str, value: Value | None, policy: Policy) -> Iterator[str]:
    """Nothing where the record has said the same by itself: what it gets back is its own."""
    rule = policy.attributes.get(attribute)
    if rule is None or rule.kind not in policy.identity.match or not isinstance(value, str):
        return
    canonical, slot = policy.canonical(attribute, value), record.slots.get(attribute)
    if slot is None or slot.newest is None or slot.newest.canonical != canonical:
        yield mark_of(f"@{rule.kind}:{canonical}")


def remember_written(row: Row, written: Written, at: Millis) -> None:
    """Of what was told before an erasure or a deletion nothing is remembered, however late it comes."""
    if row.erased_at is None and (row.fenced_at is None or at > row.fenced_at):
        row.written = [*(one for one in row.written if one not in written.marks), *written.marks][-WRITTEN_MAX:]


def is_own_write(row: Row, key: str) -> bool:
    """True where we told the record this identifier."""
    return bool(row.written) and mark_of(key) in row.written
