"""A platform asks that a person be erased (its own privacy request): a case for a steward, never an erasure by itself.

It goes by way of the record's identity row, which knows the customer, and which drops it where the record was erased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from streams.model import Note

if TYPE_CHECKING:
    from streams.core.identity import Hop

RULE: Final = "erase_requested"
DETAIL: Final = "the platform asks that this person be erased"


class Redact(msgspec.Struct, frozen=True, array_like=True, tag=40):
    """At the row of a record: its platform asks for an erasure."""

    change_id: str


def redaction_of_all(platform: str, change_id: str) -> Note:
    """A platform asks that everybody it has be erased: no case of one person, and nothing to approve with one word."""
    return Note("review", change_id, platform, detail="the platform asks that everybody it has be erased", rule=RULE)


def redact(hop: Hop, key: str, asked: Redact) -> None:
    """Put it to a steward; what was erased, or was never heard of, needs no erasure."""
    row = hop.row
    platform, _, record_id = key.partition(":")
    if row.erased_at is not None:
        hop.notes.append(Note("erased_drop", platform=platform))
    elif row.customer is None and not row.pending:
        hop.notes.append(Note("redact_unmatched", asked.change_id, platform))
    else:
        customer = row.customer if not row.tentative else None
        hop.notes.append(Note("review", asked.change_id, platform, record_id, None, customer, DETAIL, rule=RULE))
