"""Change: the canonical form of one raw message; what one record says, and when (design.md, contracts)."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from streams.model.times import Millis

Kind: TypeAlias = Literal["event", "snapshot"]
Op: TypeAlias = Literal["upsert", "delete", "restate"]
Actor: TypeAlias = Literal["customer", "agent", "integration", "import", "system", "unknown"]
Origin: TypeAlias = Literal["writeback"]
Decision: TypeAlias = Literal["opt_in", "opt_out", "confirm", "expire"]
SuppressionReason: TypeAlias = Literal["hard_bounce"]

ADDRESS_PARTS = ("line1", "line2", "city", "region", "postal_code", "country")


class Address(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A postal address: one value that wins or loses whole (R6); an empty part of a partial one says nothing."""

    line1: str = ""
    line2: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""

    def parts(self) -> dict[str, str]:
        """All six parts by name, as golden records and commands show them."""
        return {part: getattr(self, part) for part in ADDRESS_PARTS}


Value: TypeAlias = str | Address


class Statement(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a change says of one attribute: a value, `clear` or `retract`; none of them is no statement (R5)."""

    value: Value | None = None
    clear: bool = False
    retract: bool = False
    confidence: float | None = None
    verified_by: str | None = None


class ConsentStatement(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One consent decision as a platform states it; `at` is its own time, None where it gave none (C3)."""

    contact_point: str
    channel: str
    purpose: str
    decision: Decision
    at: Millis | None = None
    explicit: bool = False
    method: str | None = None
    evidence: dict[str, Any] | None = None
    expires_at: Millis | None = None


class Verdict(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An address validator's answer about one claim, matched by (record, attribute, canonical input) (R8)."""

    record: str
    attribute: str
    input: Address
    confidence: float
    deliverable: bool | None = None
    standardized: Address | None = None
    at: Millis | None = None


class Suppression(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A platform's word that a contact point cannot be reached, or can again (`active = false`) (C6)."""

    contact_point: str
    channel: str
    reason: SuppressionReason = "hard_bounce"
    active: bool = True
    at: Millis | None = None


class Identifiers(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Verified values by which a record may be bound to a customer (I1)."""

    email: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    external: tuple[str, ...] = ()


NO_IDENTIFIERS = Identifiers()


class Change(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What one record says. Only `change_id`, `platform` and `record_id` are required."""

    change_id: str
    platform: str
    record_id: str
    kind: Kind = "event"
    op: Op = "upsert"
    observed_at: Millis | None = None
    sequence: int | None = None
    actor: Actor = "unknown"
    origin: Origin | None = None
    customer_id: str | None = None
    identifiers: Identifiers = NO_IDENTIFIERS
    attributes: dict[str, Statement] = {}
    consents: tuple[ConsentStatement, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    suppressions: tuple[Suppression, ...] = ()

    @property
    def record(self) -> str:
        """The record's name, `<platform>:<record_id>`."""
        return f"{self.platform}:{self.record_id}"

    def observed(self, at: Millis) -> Millis:
        """When it was observed; where it does not say, the Kafka timestamp `at` (R2)."""
        return self.observed_at if self.observed_at is not None else at

    @property
    def only_verdicts(self) -> bool:
        """True where the change belongs to the customer of the verdicts' record, not of its own (R8)."""
        return bool(self.verdicts) and not (self.attributes or self.consents or self.suppressions)
