"""The topics by name (design.md, topology), and how each must be created."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import msgspec

from streams.core.rules import Policy
from streams.lane import TopicSpec

CHANGES = "changes"
IDENTITY = "identity"
CUSTOMER_CHANGES = "customer.changes"
RECEIPTS = "receipts"
STEWARD = "steward"
TICKS = "ticks"
LEDGER = "consent.ledger"
SUPPRESSIONS = "suppressions"
CONTACTS = "contacts"
DEAD_LETTERS = "dead-letters"
NOTES = "notes"
REVIEWS = "reviews"
HISTORY = "history"

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
MONTH_MS = 30 * DAY_MS


class Keeping(NamedTuple):
    """How long records are kept, and when compaction may and must have removed those of an erased customer (K3)."""

    min_lag_ms: int = WEEK_MS
    max_lag_ms: int = 2 * WEEK_MS
    tombstone_ms: int = WEEK_MS
    raw_ms: int = WEEK_MS

    def aged(self, retention_ms: int) -> dict[str, str]:
        """Kept for a time; a segment is closed each day, so that it is no longer than that."""
        return {"retention.ms": str(retention_ms), "segment.ms": str(min(DAY_MS, retention_ms))}

    def erasable(self, retention_ms: int) -> dict[str, str]:
        """Keyed by a person: kept for a time, and emptied key by key where a tombstone says so."""
        return self.compacted() | {"cleanup.policy": "compact,delete", "retention.ms": str(retention_ms)}

    def compacted(self) -> dict[str, str]:
        """The newest record of each key, for ever."""
        return self.ended() | {
            "min.compaction.lag.ms": str(self.min_lag_ms),
            "delete.retention.ms": str(self.tombstone_ms),
        }

    def ended(self) -> dict[str, str]:
        """Compacted by a certain time, whatever share of the topic is worth it: also for changelogs."""
        closed_ms = max(1, min(DAY_MS, self.max_lag_ms))
        return {
            "cleanup.policy": "compact",
            "max.compaction.lag.ms": str(max(1, self.max_lag_ms)),
            "segment.ms": str(closed_ms),
        }


def raw(platform: str) -> str:
    """The platform-native topic."""
    return f"raw.{platform}"


@lru_cache(1024)
def commands(platform: str) -> str:
    """The command topic of a platform."""
    return f"commands.{platform}"


def refetch(platform: str) -> str:
    """Records of a platform whose event came without its values."""
    return f"refetch.{platform}"


def is_validator(policy: Policy, platform: str) -> bool:
    """True for a platform that answers with verdicts."""
    return any(rule.validate_with == platform for rule in policy.attributes.values())


def delivered_platforms(policy: Policy) -> list[str]:
    """Platforms that are sent commands: those with routes, the validators, and all that can erase a record (K3)."""
    return [
        name
        for name, rule in policy.platforms.items()
        if rule.written or rule.create or rule.erases or is_validator(policy, name)
    ]


def topic_specs(
    policy: Policy, partitions: int, replication: int = -1, keeping: Keeping | None = None
) -> list[TopicSpec]:
    """Every topic with its partitions, compaction and retention (docs/decisions/0006).

    All have the same number of partitions: the tables need it of what they are written from, and the rest gains
    nothing from another one. The ledger is the legal record, and loses only what an erasure has ended; raw topics are
    keyed as each platform likes, or not at all, so that only time ends what they hold.
    """
    keep = keeping if keeping is not None else Keeping()
    platforms = list(policy.platforms)
    delivered = delivered_platforms(policy)
    week, month = keep.erasable(WEEK_MS), keep.erasable(MONTH_MS)
    configured = [
        *((raw(name), keep.aged(keep.raw_ms)) for name in platforms),
        *((commands(name), week) for name in delivered),
        *((refetch(name), keep.aged(DAY_MS)) for name in delivered if not is_validator(policy, name)),
        (CHANGES, month),
        (IDENTITY, week),
        (CUSTOMER_CHANGES, month),
        (RECEIPTS, week),
        (STEWARD, keep.compacted()),
        (TICKS, keep.aged(DAY_MS)),
        (LEDGER, {"retention.ms": "-1", "segment.ms": str(DAY_MS)}),
        (SUPPRESSIONS, keep.compacted() | {"min.compaction.lag.ms": "0"}),
        (CONTACTS, week),
        (DEAD_LETTERS, month),
        (NOTES, month),
        (REVIEWS, week),
        (HISTORY, week),
    ]
    return [TopicSpec(name, partitions, config, replication) for name, config in configured]


def changelog(spec: TopicSpec, keeping: Keeping) -> TopicSpec:
    """A table's changelog, out of which erased rows are gone by a certain time too."""
    return msgspec.structs.replace(spec, config={**spec.config, **keeping.ended()})
