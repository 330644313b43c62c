"""Ledger entries: the append-only consent decisions, and the notes that say what else the core noticed."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from streams.model.change import Decision
from streams.model.times import Millis

LedgerStatus: TypeAlias = Literal[
    "accepted", "rejected_not_explicit", "rejected_no_time", "rejected_not_pending", "rejudged"
]


class LedgerEntry(msgspec.Struct, frozen=True, gc=False):
    """One row of the consent ledger: a decision, and its judgement when it was appended (C1-C3).

    `at` is the effective time; `judgement` is the new status in a row whose `status` is `rejudged`.
    """

    customer_id: str
    contact_point: str
    channel: str
    purpose: str
    decision: Decision
    at: Millis
    status: LedgerStatus
    record: str | None = None
    stated_at: Millis | None = None
    explicit: bool = False
    method: str | None = None
    evidence: dict[str, Any] | None = None
    expires_at: Millis | None = None
    caused_by: str | None = None
    judgement: str | None = None
    names: Millis | None = None
    seq: int = 0


class Note(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the core noticed and did not command: an echo, a re-assertion, a clamped clock, a review, an alert.

    The last four are the evidence of a review: the other customer, the kind of identifier (never its value), the rule
    that refused, and the changes that said so.
    """

    kind: str
    change_id: str | None = None
    platform: str | None = None
    record_id: str | None = None
    attribute: str | None = None
    customer_id: str | None = None
    detail: str | None = None
    other_id: str | None = None
    identifier: str | None = None
    rule: str | None = None
    change_ids: tuple[str, ...] = ()
