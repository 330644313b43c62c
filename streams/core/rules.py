"""The policy as the core reads it: plain tables, compiled once from the policy file (`streams.policy`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.core.canonical import Quirk, ValueKind, canonical, through
from streams.model import Value

CONSENT_ROUTE = "consent"


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """How one attribute survives (R7). `priority`: platform -> place, 0 the highest; None means `latest`."""

    name: str
    kind: ValueKind
    priority: Mapping[str, int] | None = None
    min_confidence: float | None = None
    validate_with: str | None = None

    def place(self, platform: str) -> int:
        """The platform's place in the priority list; those not listed come after all others."""
        return 0 if self.priority is None else self.priority.get(platform, len(self.priority))

    def confident(self, confidence: float | None) -> bool:
        """True where the confidence meets the threshold; without one stated it counts as 0 (R7)."""
        return self.min_confidence is None or (confidence or 0.0) >= self.min_confidence


@dataclass(frozen=True, slots=True)
class PlatformRule:
    """One platform: its rank in ties, what it is told, and what it does to what it is told."""

    name: str
    connector: str
    rank: int = 0
    routes: frozenset[str] = frozenset()
    consent: bool = False
    create: bool = False
    unique: bool = False
    max_records: int | None = None
    quirks: Mapping[str, Mapping[str, Quirk]] = field(default_factory=dict)
    # Records whose id starts so are evidence that cannot be written to: they make claims and are told nothing.
    read_only_prefixes: tuple[str, ...] = ()

    def tells(self, record_id: str) -> bool:
        """True where a record of this id can be told anything."""
        return not (self.read_only_prefixes and record_id.startswith(self.read_only_prefixes))

    @property
    def written(self) -> bool:
        """True where the platform is told anything at all."""
        return bool(self.routes) or self.consent


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """What the policy says of consent: double opt-in, untrusted methods, purposes that need an opt-in."""

    double_opt_in: bool = False
    double_opt_in_ttl_ms: int = 604_800_000
    untrusted_methods: frozenset[str] = frozenset()
    requires_opt_in: Mapping[str, bool] = field(default_factory=dict)

    def needs_opt_in(self, purpose: str) -> bool:
        """True for a purpose that the policy does not name: the careful answer."""
        return self.requires_opt_in.get(purpose, True)


@dataclass(frozen=True, slots=True)
class IdentityRule:
    """Which identifiers bind, in order, and which values never do (I1, I2)."""

    match: tuple[str, ...] = ("external", "email")
    blocked: tuple[re.Pattern[str], ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one customer's state keeps, so that no customer outgrows a Kafka record."""

    sent_max: int = 12
    verified_max: int = 4
    verdicts_max: int = 16
    firsts_max: int = 32
    unanswered_max: int = 128
    requests_max: int = 64
    held_max: int = 32


@dataclass(frozen=True, slots=True)
class Policy:
    """The versioned rules. Durations are in milliseconds here, in seconds in the file."""

    version: str
    platforms: Mapping[str, PlatformRule]
    attributes: Mapping[str, AttributeRule]
    consent: ConsentRule = ConsentRule()
    identity: IdentityRule = IdentityRule()
    limits: Limits = Limits()
    clock_skew_tolerance_ms: int = 300_000
    ping_pong_limit: int = 2
    ping_pong_window_ms: int = 3_600_000
    max_change_ratio: float = 0.10
    resend_after_ms: int = 300_000
    verdict_timeout_ms: int = 86_400_000
    erasure_fence_ms: int = 7_776_000_000
    default_region: str = "US"

    def kind_of(self, attribute: str) -> ValueKind | None:
        """What kind of value an attribute has; None for one that this version of the policy does not have."""
        rule = self.attributes.get(attribute)
        return rule.kind if rule is not None else None

    def canonical(self, attribute: str, value: Value | None) -> str:
        """The canonical text of a value of this attribute."""
        return canonical(self.attributes[attribute].kind, value, self.default_region)

    def seen(self, platform: str, attribute: str, value: Value | None, canonical: str) -> str:
        """The canonical text of the value as the platform would keep it; `canonical` is the value's own."""
        if value is None:
            return ""
        rule = self.platforms.get(platform)
        quirks = rule.quirks.get(attribute) if rule is not None else None
        if not quirks:
            return canonical
        kept = through(quirks, value)
        return canonical if kept is value else self.canonical(attribute, kept)

    def rank(self, platform: str) -> int:
        """The platform's rank in ties; an unknown platform has the lowest."""
        rule = self.platforms.get(platform)
        return rule.rank if rule else -1
