"""The policy as the core reads it: plain tables, compiled once from the policy file (`streams.policy`).

The tables are `dict`, not `Mapping`: the compiled core reads a `dict` without a call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from streams.core.canonical import Quirk, ValueKind, canonical, through
from streams.model import Value

CONSENT_ROUTE = "consent"
DEFAULT_PURPOSE = "marketing"


@dataclass(frozen=True)
class AttributeRule:
    """How one attribute survives (R7). `priority`: platform -> place, 0 the highest; None means `latest`."""

    name: str
    kind: ValueKind
    priority: dict[str, int] | None = None
    min_confidence: float | None = None
    validate_with: str | None = None
    # True for an e-mail or a phone: its values are contact points, and golden in their canonical form.
    contact: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Said once here, not at each statement."""
        object.__setattr__(self, "contact", self.kind in ("email", "phone"))

    def place(self, platform: str) -> int:
        """The platform's place in the priority list; those not listed come after all others."""
        return 0 if self.priority is None else self.priority.get(platform, len(self.priority))

    def confident(self, confidence: float | None) -> bool:
        """True where the confidence meets the threshold; without one stated it counts as 0 (R7)."""
        return self.min_confidence is None or (confidence or 0.0) >= self.min_confidence


@dataclass(frozen=True)
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
    quirks: dict[str, dict[str, Quirk]] = field(default_factory=dict)
    # Records whose id starts so are evidence that cannot be written to: they make claims and are told nothing.
    read_only_prefixes: tuple[str, ...] = ()
    # False where its connector has no way to erase a record.
    erases: bool = True

    def tells(self, record_id: str) -> bool:
        """True where a record of this id can be told anything."""
        return not (self.read_only_prefixes and record_id.startswith(self.read_only_prefixes))

    @property
    def written(self) -> bool:
        """True where the platform is told anything at all."""
        return bool(self.routes) or self.consent


@dataclass(frozen=True)
class ConsentRule:
    """What the policy says of consent: double opt-in, untrusted methods, purposes that need an opt-in."""

    double_opt_in: bool = False
    double_opt_in_ttl_ms: int = 604_800_000
    untrusted_methods: frozenset[str] = frozenset()
    requires_opt_in: dict[str, bool] = field(default_factory=dict)

    # The purposes that the policy names, in order; at least one.
    purposes: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        """Said once here, not at each change."""
        object.__setattr__(self, "purposes", tuple(sorted(self.requires_opt_in)) or (DEFAULT_PURPOSE,))

    def needs_opt_in(self, purpose: str) -> bool:
        """True for a purpose that the policy does not name: the careful answer."""
        return self.requires_opt_in.get(purpose, True)


@dataclass(frozen=True)
class IdentityRule:
    """Which identifiers bind, in order, and which values never do (I1, I2).

    `merge`: which of them join two customers that both have one, at most `merges_per_day_max` times a customer and
    day; everything else is for a steward to judge.
    """

    match: tuple[str, ...] = ("external", "email")
    blocked: tuple[re.Pattern[str], ...] = ()
    merge: tuple[str, ...] = ("external", "email")
    merges_per_day_max: int = 5


@dataclass(frozen=True)
class Limits:
    """Bounds on what one customer's state keeps, so that no customer outgrows a Kafka record."""

    sent_max: int = 12
    verified_max: int = 4
    verdicts_max: int = 16
    firsts_max: int = 32
    unanswered_max: int = 128
    requests_max: int = 64
    held_max: int = 32
    entries_max: int = 256
    appeared_max: int = 128


@dataclass(frozen=True)
class HistoryRule:
    """How much of a customer's history is kept. `max_entries` 0: none is written."""

    max_entries: int = 200
    max_age_ms: int = 63_072_000_000


@dataclass(frozen=True)
class Policy:
    """The versioned rules. Durations are in milliseconds here, in seconds in the file."""

    version: str
    platforms: dict[str, PlatformRule]
    attributes: dict[str, AttributeRule]
    consent: ConsentRule = ConsentRule()
    identity: IdentityRule = IdentityRule()
    limits: Limits = Limits()
    history: HistoryRule = HistoryRule()
    clock_skew_tolerance_ms: int = 300_000
    ping_pong_limit: int = 2
    ping_pong_window_ms: int = 3_600_000
    max_change_ratio: float = 0.10
    resend_after_ms: int = 300_000
    verdict_timeout_ms: int = 86_400_000
    erasure_fence_ms: int = 7_776_000_000
    default_region: str = "US"

    # The attributes that have a `validate_with`, in order.
    validated: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        """Said once here, not at each change."""
        validated = sorted(name for name, rule in self.attributes.items() if rule.validate_with is not None)
        object.__setattr__(self, "validated", tuple(validated))

    def records_max(self, platform: str) -> int | None:
        """I2: how many records of a platform one customer may have; None: any number."""
        rule = self.platforms.get(platform)
        if rule is None:
            return None
        return 1 if rule.unique else rule.max_records

    def tells(self, record: str) -> bool:
        """False for evidence, such as an order: it names its owner's, holds nothing itself, and is no account (I2)."""
        platform, _, record_id = record.partition(":")
        rule = self.platforms.get(platform)
        return rule is None or rule.tells(record_id)

    def is_contact(self, attribute: str) -> bool:
        """True where the values of an attribute are contact points; False also where this policy does not have it."""
        rule = self.attributes.get(attribute)
        return rule is not None and rule.contact

    def canonical(self, attribute: str, value: Value | None) -> str:
        """The canonical text of a value of this attribute."""
        return canonical(self.attributes[attribute].kind, value, self.default_region)

    def seen(self, platform: str, attribute: str, value: Value | None, canonical: str) -> str:
        """The canonical text of the value as the platform would keep it; `canonical` is the value's own."""
        return self.seen_by(self.platforms.get(platform), attribute, value, canonical)

    def seen_by(self, rule: PlatformRule | None, attribute: str, value: Value | None, canonical: str) -> str:
        """`seen`, where the platform's rule is at hand."""
        if value is None:
            return ""
        quirks = rule.quirks.get(attribute) if rule is not None else None
        if quirks is None:
            return canonical
        kept = through(quirks, value)
        return canonical if kept is value else self.canonical(attribute, kept)

    def rank(self, platform: str) -> int:
        """The platform's rank in ties; an unknown platform has the lowest."""
        rule = self.platforms.get(platform)
        return rule.rank if rule else -1
