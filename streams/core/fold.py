"""The working set of one input: what it touched, and what came out of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from streams.core.rules import PlatformRule, Policy
from streams.core.state import Customer, Record, Slot
from streams.model import Change, Command, LedgerEntry, Millis, Note
from streams.model.command import Reason


class ContactUpdate(NamedTuple):
    """The effective consent of one key for this customer, for the published suppression of the contact point (C1)."""

    contact_point: str
    channel: str
    purpose: str
    state: str
    sendable: bool
    reasons: tuple[str, ...]


class Fold:
    """One input being folded into one customer's state; `at` is its Kafka timestamp."""

    __slots__ = (
        "at",
        "attributes",
        "cause",
        "changed",
        "commands",
        "contacts",
        "ended",
        "entered",
        "evidence",
        "holders",
        "keys",
        "ledger",
        "links",
        "notes",
        "pairs",
        "policy",
        "reason",
        "shown",
        "snapshot",
        "spoken",
        "state",
        "told",
        "withdrawn",
    )

    def __init__(self, state: Customer, policy: Policy, at: Millis, cause: str) -> None:
        self.state = state
        self.policy = policy
        self.at = at
        self.cause = cause
        self.reason: Reason | None = None
        self.snapshot = False
        self.notes: list[Note] = []
        self.ledger: list[LedgerEntry] = []
        self.commands: list[Command] = []
        self.contacts: list[ContactUpdate] = []
        # Attributes that golden shows otherwise now, in order.
        self.shown: list[str] = []
        # Attributes whose winner may differ now; (record, attribute) pairs whose shadow may differ from golden now.
        self.attributes: set[str] = set()
        self.pairs: dict[str, set[str]] = {}
        # The same for consent: keys to judge again, keys whose outcome differs, (record, key) pairs to compare,
        # records to compare whole.
        self.keys: set[str] = set()
        self.changed: set[str] = set()
        self.told: dict[str, set[str]] = {}
        self.holders: set[str] = set()
        # Records new to this customer (compared whole), contact points that appeared, records made by a create.
        self.entered: set[str] = set()
        self.spoken: set[str] = set()
        self.links: list[str] = []
        # Attributes whose golden value left with an unlinked record: what we wrote of them is taken back (I4).
        self.withdrawn: set[str] = set()
        # Commands of which some part is no longer in flight.
        self.ended: set[str] = set()
        # The evidence of new ledger entries, by the entry's identity: the state keeps only that there was some.
        self.evidence: dict[int, dict[str, Any] | None] = {}

    def touch(self, name: str, attribute: str) -> None:
        """Compare this attribute of this record with golden."""
        _add(self.pairs, name, attribute)

    def touch_consent(self, name: str, key: str) -> None:
        """Compare this consent of this record with its effective state."""
        _add(self.told, name, key)

    def note(self, kind: str, record: Record | None = None, attribute: str | None = None, detail: str = "") -> None:
        """Remember what was noticed."""
        platform = record.platform if record is not None else None
        record_id = record.record_id if record is not None else None
        self.notes.append(
            Note(kind, self.cause, platform, record_id, attribute, self.state.customer_id, detail or None)
        )


def _add(pairs: dict[str, set[str]], name: str, key: str) -> None:
    known = pairs.get(name)
    if known is None:
        pairs[name] = {key}
    else:
        known.add(key)


class Said:
    """One change as it speaks of one record: who, when (effective and for the shadow), and whether it is an echo."""

    __slots__ = ("at", "change", "echo", "name", "record", "rule", "sequence", "shadow_at", "slots", "snapshot")

    def __init__(
        self,
        change: Change,
        name: str,
        record: Record,
        rule: PlatformRule | None,
        at: Millis,
        shadow_at: Millis,
        snapshot: bool,
        echo: bool,
    ) -> None:
        self.change = change
        self.name = name
        self.rule = rule
        self.sequence = change.sequence
        self.record = record
        self.slots = record.slots
        self.at = at
        self.shadow_at = shadow_at
        self.snapshot = snapshot
        self.echo = echo


def slot_of(slots: dict[str, Slot], key: str) -> Slot:
    """The slot, made where there is none."""
    slot = slots.get(key)
    if slot is None:
        slot = slots[key] = Slot()
    return slot
