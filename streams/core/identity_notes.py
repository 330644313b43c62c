"""What binding tells: reviews and drops, with their evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.model import Change, Note

if TYPE_CHECKING:
    from streams.core.asking import Ask


def no_further(ask: Ask, customer: str) -> Note:
    """I2: a customer has as many records of this platform as it may have."""
    detail = "no further record of this platform"
    record_id = ask.record.partition(":")[2]
    return Note(
        "review",
        platform=ask.platform,
        record_id=record_id,
        customer_id=customer,
        detail=detail,
        other_id=ask.otherwise,
        identifier=ask.by,
        rule="records_max",
    )


def note_of(kind: str, change: Change, detail: str | None = None) -> Note:
    """A note about the record of a change."""
    return Note(
        kind=kind, change_id=change.change_id, platform=change.platform, record_id=change.record_id, detail=detail
    )
