"""Command: what one platform must be told. Receipt: what the platform answered (design.md, contracts)."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from streams.model.change import Value
from streams.model.times import Millis

CommandOp: TypeAlias = Literal["update", "create", "erase", "validate"]
Reason: TypeAlias = Literal[
    "survivorship",
    "consent",
    "correction",
    "merge",
    "unlink",
    "expiry",
    "policy",
    "reconcile",
    "erasure",
    "validation",
]
Outcome: TypeAlias = Literal["applied", "refused", "failed", "superseded"]
ToldDecision: TypeAlias = Literal["opt_in", "opt_out"]


class Assignment(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The value that a record's attribute is to have, or `clear`."""

    value: Value | None = None
    clear: bool = False


class ConsentOrder(msgspec.Struct, frozen=True, gc=False):
    """The consent state that a record is to have for one (contact point, channel, purpose)."""

    contact_point: str
    channel: str
    purpose: str
    decision: ToldDecision
    decided_at: Millis
    # True only where an explicit, accepted opt-in is in force: what a platform that lifts suppressions on
    # subscribe may be called with.
    explicit: bool = False


class Command(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What one record of one platform must be told; `command_id` is a hash of what it says (R13)."""

    command_id: str
    customer_id: str
    platform: str
    record_id: str | None
    golden_version: int
    op: CommandOp
    reason: Reason
    caused_by: str
    issued_at: Millis
    attributes: dict[str, Assignment] = {}
    consents: tuple[ConsentOrder, ...] = ()


class Receipt(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What became of a command. `refused` is permanent; `failed` means that the retries are used up.

    In a replay, `platform` with `record_id` or `golden_version` may stand in for `command_id`.
    """

    outcome: Outcome
    command_id: str | None = None
    customer_id: str | None = None
    platform: str | None = None
    record_id: str | None = None
    golden_version: int | None = None
    at: Millis | None = None
    detail: str | None = None
