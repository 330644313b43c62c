"""What the properties speak of: inputs as a replay reads them, a fixed beginning, and a world that plays them."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from streams.codec.contract import command_to_json, ledger_to_json, note_to_json
from streams.core.digest import digest
from streams.core.golden import golden_view
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.model import Command, LedgerEntry, Note, format_time, parse_time
from streams.policy import policy_of
from streams.replay.pipeline import Output, Pipeline

T0 = parse_time("2026-01-10T12:00:00Z")
CUSTOMER = "C1"
_TABLES = tomllib.loads((Path(__file__).parents[1] / "scenarios" / "cases" / "p0.toml").read_text(encoding="utf-8"))

Json = dict[str, Any]


class Input(NamedTuple):
    """One input of a replay. `lane` is the record whose own order is kept; `at` is the Kafka timestamp in ms."""

    lane: str
    topic: str
    value: Any
    at: int


def stamp(at_s: float) -> str:
    """Seconds after T0 as the contract writes a time."""
    return format_time(T0 + round(at_s * 1000))


def change(record: str, at_s: float | None, ingested_s: float, change_id: str, **said: Any) -> Input:
    """A change of one record of the customer C1, observed at `at_s` and ingested at `ingested_s` after T0."""
    platform, _, record_id = record.partition(":")
    value = {"change_id": change_id, "platform": platform, "record_id": record_id, "customer_id": CUSTOMER, **said}
    if at_s is not None:
        value["observed_at"] = stamp(at_s)
    return Input(record, "changes", value, T0 + round(ingested_s * 1000))


def steward(at_s: float, request_id: str, **asked: Any) -> Input:
    """A request of a person about the customer C1."""
    value = {"request_id": request_id, "customer_id": CUSTOMER, "at": stamp(at_s), "by": "tester", **asked}
    return Input("steward", "steward", value, T0 + round(at_s * 1000))


def receipt(command: Command, outcome: str, at_s: float, **more: Any) -> Input:
    """What a platform answers to a command."""
    value = {
        "command_id": command.command_id,
        "customer_id": command.customer_id,
        "platform": command.platform,
        "record_id": command.record_id,
        "outcome": outcome,
        "at": stamp(at_s),
        **more,
    }
    return Input("receipts", "receipts", value, T0 + round(at_s * 1000))


def tick(at_s: float) -> Input:
    """The clock reaches `at_s` after T0."""
    return Input("clock", "clock", None, T0 + round(at_s * 1000))


def policy(overrides: Mapping[str, Any] | None = None) -> Policy:
    """The scenarios' policy p0, with `overrides` merged over it table by table."""
    return policy_of(_over(_TABLES, overrides or {}))


def _over(tables: Mapping[str, Any], overrides: Mapping[str, Any]) -> Json:
    merged = copy.deepcopy(dict(tables))
    for key, value in overrides.items():
        known = merged.get(key)
        merged[key] = _over(known, value) if isinstance(value, Mapping) and isinstance(known, Mapping) else value
    return merged


@dataclass
class World:
    """A pipeline, and all that came out of it."""

    policy: Policy
    acknowledge: bool = True
    commands: list[Command] = field(default_factory=list)
    ledger: list[LedgerEntry] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pipeline = Pipeline(self.policy, self.acknowledge)

    def take(self, *inputs: Input) -> Output:
        """Feed inputs; what they caused together."""
        joint = Output()
        for one in inputs:
            output = self.pipeline.feed(one.topic, one.value, one.at)
            joint.commands += output.commands
            joint.ledger += output.ledger
            joint.notes += output.notes
            joint.customers += output.customers
        self.commands += joint.commands
        self.ledger += joint.ledger
        self.notes += joint.notes
        return joint

    def state(self, customer_id: str = CUSTOMER) -> Customer:
        """The customer's state."""
        state = self.pipeline.customer(customer_id)
        assert state is not None
        return state

    def view(self) -> Json:
        """The golden record as people read it."""
        return golden_view(self.state(), self.policy)

    def digest(self) -> str:
        """The digest over all customers."""
        return digest(self.pipeline.customers())

    def golden(self, attribute: str) -> Any:
        """The golden value of an attribute, None where there is none."""
        return (self.view()["attributes"].get(attribute) or {}).get("value")

    def losers(self, attribute: str) -> dict[str, str]:
        """Why each record's claim lost."""
        shown = self.view()["attributes"].get(attribute) or {}
        return {one["record"]: one["reason"] for one in shown.get("losers", [])}

    def consent(self, contact_point: str, channel: str = "email", purpose: str = "marketing") -> Json:
        """The effective consent of one key."""
        key = (contact_point, channel, purpose)
        found = [
            one for one in self.view()["consents"] if (one["contact_point"], one["channel"], one["purpose"]) == key
        ]
        return found[0] if found else {"state": "unlisted", "sendable": False, "reasons": []}


def played(inputs: Iterable[Input], rules: Policy, acknowledge: bool = True) -> World:
    """A world after these inputs."""
    world = World(rules, acknowledge)
    world.take(*inputs)
    return world


def joined(world: World) -> Json:
    """What the rules make equal for every order, without shadows: these also depend on what was commanded when.

    Claims, golden values with provenance and losers, the ledger as a set, effective consents, suppressions.
    """
    state, view = world.state(), world.view()
    return {
        "attributes": {
            name: {key: value for key, value in shown.items() if key != "policy_version"}
            for name, shown in view["attributes"].items()
        },
        "records": view["records"],
        "consents": view["consents"],
        "ledger": {
            key: sorted(repr(one.identity()) + one.status for one in entries) for key, entries in state.entries.items()
        },
        "suppressions": {key: sorted(words) for key, words in state.reach.items()},
    }


def told(output: Output) -> list[Json]:
    """The commands of an output, as JSON without what only tells them apart."""
    apart = ("command_id", "golden_version", "caused_by", "issued_at", "customer_id", "reason")
    return [{key: value for key, value in command_to_json(one).items() if key not in apart} for one in output.commands]


def written(output: Output) -> Json:
    """An output as its files have it."""
    return {
        "commands": [command_to_json(one) for one in output.commands],
        "ledger": [ledger_to_json(one) for one in output.ledger],
        "notes": [note_to_json(one) for one in output.notes],
    }
