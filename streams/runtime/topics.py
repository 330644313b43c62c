"""The topics by name (design.md, topology), and how each must be created."""

from __future__ import annotations

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
HISTORY = "history"

DAY_MS = 86_400_000
_KEEP_FOR_EVER = {"retention.ms": "-1"}
_COMPACTED = {"cleanup.policy": "compact"}
_WEEK = {"retention.ms": str(7 * DAY_MS)}
_MONTH = {"retention.ms": str(30 * DAY_MS)}
_DAY = {"retention.ms": str(DAY_MS)}


def raw(platform: str) -> str:
    """The platform-native topic."""
    return f"raw.{platform}"


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
    """Platforms that are sent commands: those with routes, and the validators."""
    return [
        name for name, rule in policy.platforms.items() if rule.written or rule.create or is_validator(policy, name)
    ]


def topic_specs(policy: Policy, partitions: int, replication: int = -1) -> list[TopicSpec]:
    """Every topic with its partitions, compaction and retention.

    All have the same number of partitions: the tables need it of what they are written from, and the rest gains
    nothing from another one. The ledger is the legal record and is kept for ever.
    """
    platforms = list(policy.platforms)
    delivered = delivered_platforms(policy)
    configured = [
        *((raw(name), _WEEK) for name in platforms),
        *((commands(name), _WEEK) for name in delivered),
        *((refetch(name), _DAY) for name in delivered if not is_validator(policy, name)),
        (CHANGES, _MONTH),
        (IDENTITY, _WEEK),
        (CUSTOMER_CHANGES, _MONTH),
        (RECEIPTS, _WEEK),
        (STEWARD, _KEEP_FOR_EVER),
        (TICKS, _DAY),
        (LEDGER, _KEEP_FOR_EVER),
        (SUPPRESSIONS, _COMPACTED),
        (CONTACTS, _WEEK),
        (DEAD_LETTERS, _MONTH),
        (NOTES, _MONTH),
        (HISTORY, _WEEK),
    ]
    return [TopicSpec(name, partitions, config, replication) for name, config in configured]
