"""What may be sent to one contact point, as it is published: derived from the ledger, never stored by hand (C1)."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from streams.model.times import Millis

ConsentState: TypeAlias = Literal["opted_in", "opted_out", "pending", "unknown"]


class SendableState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state for one channel and purpose; `reasons` are stable words, empty where sendable (C4)."""

    channel: str
    purpose: str
    state: ConsentState
    sendable: bool
    reasons: tuple[str, ...] = ()


class PublishedSuppression(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of the topic `suppressions`: all states of a contact point.

    The topic is compacted by contact point, so each row says everything: the most restrictive over the
    `customer_count` customers that hold the contact point.
    """

    contact_point: str
    updated_at: Millis
    customer_count: int = 1
    states: tuple[SendableState, ...] = ()
