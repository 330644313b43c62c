"""The golden record beside what each record's platform holds: one cell for each pair, and how the two compare."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

from streams.core.canonical import same
from streams.core.contact_points import joined
from streams.core.golden import value_view
from streams.core.rules import CONSENT_ROUTE, PlatformRule, Policy
from streams.core.state import Customer, Record, Slot

Kind: TypeAlias = Literal["same", "differs", "unknown", "held"]
"""`same`: as golden, seen through the platform's quirks. `held`: there is nothing to compare it with."""


class Cell(NamedTuple):
    """What one record's platform is known to hold, and what to say about it."""

    record: str
    kind: Kind
    value: Any
    notes: tuple[str, ...] = ()


class Comparison(NamedTuple):
    """Records in the policy's order; cells by attribute, and by consent in the order of the view."""

    records: list[str]
    attributes: dict[str, list[Cell]]
    consents: list[list[Cell]]

    @property
    def differing(self) -> int:
        """How many cells differ from golden."""
        rows = [*self.attributes.values(), *self.consents]
        return sum(1 for cells in rows for cell in cells if cell.kind == "differs")

    def label(self, record: str) -> str:
        """A short name: the platform, and where it has several records the end of the id."""
        platform, _, record_id = record.partition(":")
        several = sum(1 for name in self.records if name.startswith(f"{platform}:")) > 1
        return f"{platform} …{record_id[-6:]}" if several else platform


def compare(state: Customer, policy: Policy, explained: dict[str, Any]) -> Comparison:
    """The comparison of a customer; `explained` is its explain view."""
    names = _in_order(state, policy)
    held: dict[tuple[str, str], list[str]] = {}
    for one in explained["open"]:
        held.setdefault((one["record"], one["what"]), []).append(one["state"])
    attributes = {
        attribute: [_attribute(state, policy, name, attribute, shown, held) for name in names]
        for attribute, shown in explained["attributes"].items()
    }
    consents = [[_consent(state, policy, name, one, held) for name in names] for one in explained["consents"]]
    return Comparison(names, attributes, consents)


def _in_order(state: Customer, policy: Policy) -> list[str]:
    """Open records, by the policy's order of platforms."""
    place = {platform: number for number, platform in enumerate(policy.platforms)}
    found = [(place.get(record.platform, len(place)), name) for name, record in state.records.items() if record.open]
    return [name for _, name in sorted(found)]


def _attribute(
    state: Customer,
    policy: Policy,
    name: str,
    attribute: str,
    shown: dict[str, Any],
    held: dict[tuple[str, str], list[str]],
) -> Cell:
    record, golden = state.records[name], state.golden.get(attribute)
    slot = record.slots.get(attribute)
    wanted = policy.seen(record.platform, attribute, golden.value, golden.canonical) if golden is not None else None
    kind, value = _held(slot, wanted)
    notes = list(held.get((name, attribute), ()))
    if kind == "differs" and not notes:
        notes = _unwritten(policy, record, attribute) or ([shown["status"]] if shown["status"] == "provisional" else [])
    return Cell(name, kind, value, tuple(notes))


def _consent(
    state: Customer, policy: Policy, name: str, shown: dict[str, Any], held: dict[tuple[str, str], list[str]]
) -> Cell:
    what = (shown["contact_point"], shown["channel"], shown["purpose"])
    key = joined(*what)
    record, known = state.records[name], state.consents.get(key)
    kind, value = _held(record.consents.get(key), known.told if known is not None else None)
    notes = list(held.get((name, " ".join(what)), ()))
    if kind == "differs" and not notes:
        notes = _unwritten(policy, record, CONSENT_ROUTE)
    return Cell(name, kind, value, tuple(notes))


def _held(slot: Slot | None, wanted: str | None) -> tuple[Kind, Any]:
    shadow = slot.shadow() if slot is not None else None
    if shadow is None:
        return "unknown", None
    value = value_view(shadow.value) if shadow.value is not None else None
    if wanted is None:
        return "held", value
    return ("same" if same(shadow.seen, wanted) else "differs"), value


def _unwritten(policy: Policy, record: Record, route: str) -> list[str]:
    """Why nothing is on its way although it differs."""
    rule: PlatformRule | None = policy.platforms.get(record.platform)
    if rule is None or not rule.tells(record.record_id):
        return ["never written to"]
    routed = rule.consent if route == CONSENT_ROUTE else route in rule.routes
    return [] if routed else ["not written by this policy"]
