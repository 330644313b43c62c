"""Reads a scenario file and plays it through the pipeline that `writeback replay` and the engine share."""

from __future__ import annotations

import copy
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from streams.codec.contract import command_to_json, ledger_to_json
from streams.core.digest import digest
from streams.core.golden import golden_view
from streams.core.rules import Policy
from streams.model import ADDRESS_PARTS, format_time, parse_time
from streams.policy import policy_of
from streams.replay.pipeline import Output, Pipeline

CASES = Path(__file__).parent / "cases"
T0 = parse_time("2026-01-10T12:00:00Z")
SHORT_KEYS = {"value", "clear", "retract"}


@dataclass
class Case:
    """One scenario file."""

    id: str
    title: str
    policy: Policy
    receipts: str
    given: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    orders: list[list[str]]
    final: dict[str, Any]
    problems: list[str] = field(default_factory=list)


def names() -> list[str]:
    """Every scenario's id."""
    return sorted(path.stem for path in CASES.glob("*.yaml"))


def load(name: str) -> Case:
    """A scenario by its id."""
    parsed = yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))
    tables = tomllib.loads((CASES / f"{parsed['policy']}.toml").read_text(encoding="utf-8"))
    return Case(
        id=parsed["id"],
        title=parsed["title"],
        policy=policy_of(_over(tables, parsed.get("policy_overrides") or {})),
        receipts=parsed.get("receipts", "auto"),
        given=parsed.get("given") or [],
        steps=parsed["steps"],
        orders=parsed.get("also_in_orders") or [],
        final=parsed.get("expect_final") or {},
    )


def _over(tables: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(tables)
    for key, value in overrides.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _over(merged[key], value) if both else copy.deepcopy(value)
    return merged


@dataclass
class Play:
    """A scenario under way: the pipeline, the clock of its steps, the generated change ids."""

    case: Case
    pipeline: Pipeline
    last_at: int = 0
    count: int = 0
    customer: str = "C1"

    @classmethod
    def start(cls, case: Case) -> Play:
        """Fold what is given; its commands are acknowledged whatever the scenario says."""
        play = cls(case, Pipeline(case.policy, acknowledge=True))
        for change in case.given:
            play.take({"change": change})
        play.pipeline.acknowledge = case.receipts == "auto"
        return play

    def take(self, step: dict[str, Any]) -> Output:
        """Feed one step."""
        topic, value, at = self.line(step)
        output = self.pipeline.feed(topic, value, T0 + at * 1000)
        if output.customers and topic != "clock":
            self.customer = output.customers[0]
        return output

    def line(self, step: dict[str, Any]) -> tuple[str, Any, int]:
        """The step as an input record: topic, value, Kafka timestamp in seconds after T0."""
        self.count += 1
        if "clock" in step:
            self.last_at = step["clock"]
            return "clock", None, step["clock"]
        if "receipt" in step:
            return "receipts", *self._plain(step["receipt"])
        if "steward" in step:
            request = {"customer_id": "C1", "request_id": f"steward-{self.count}", "by": "tester", **step["steward"]}
            return "steward", *self._plain(request)
        return "changes", *self._change(dict(step["change"]))

    def _plain(self, given: dict[str, Any]) -> tuple[dict[str, Any], int]:
        value = dict(given)
        self.last_at = value["at"]
        value["at"] = _stamp(value["at"])
        return value, self.last_at

    def _change(self, change: dict[str, Any]) -> tuple[dict[str, Any], int]:
        at = change.pop("at", None)
        ingested = change.pop("ingested", None)
        if ingested is None:
            ingested = self.last_at + 1 if at is None else at + 1
        self.last_at = ingested
        value = {"change_id": f"given-{self.count}", "customer_id": "C1", "actor": "customer", **change}
        value["observed_at"] = _stamp(at)
        value["attributes"] = {name: _statement(one) for name, one in change.get("attributes", {}).items()}
        for listed in ("consents", "verdicts", "suppressions"):
            value[listed] = [_stamped(one) for one in change.get(listed, [])]
        return value, ingested


def _stamp(at: int | None) -> str | None:
    return None if at is None else format_time(T0 + at * 1000)


def _stamped(member: dict[str, Any]) -> dict[str, Any]:
    return {name: _stamp(value) if name in ("at", "expires_at") else value for name, value in member.items()}


def _statement(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) and SHORT_KEYS & set(given) else {"value": given}


def check(play: Play, expect: dict[str, Any], output: Output | None) -> list[str]:
    """What the step did other than expected, in words; empty where it did as expected."""
    problems: list[str] = []
    golden = expect.get("golden") or {}
    several = bool(golden) and all(
        isinstance(one, dict) and not set(one) & set(ADDRESS_PARTS) for one in golden.values()
    )
    for customer, wanted in golden.items() if several else [(play.customer, golden)]:
        problems += _check_golden(view(play, customer), wanted)
    shown = view(play, play.customer)
    problems += _check_detail(shown, expect.get("detail") or {})
    problems += _check_losers(shown, expect.get("losers") or {})
    problems += _check_consents(shown, expect.get("consents") or [])
    if output is not None:
        problems += _check_output(output, expect)
    return problems


def view(play: Play, customer_id: str) -> dict[str, Any]:
    """The golden view of a customer; an empty one where there is none."""
    state = play.pipeline.customer(customer_id)
    shown = golden_view(state, play.case.policy) if state is not None else {}
    return {"attributes": {}, "consents": [], **shown}


def _check_golden(shown: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    found = {name: (shown["attributes"].get(name) or {}).get("value") for name in wanted}
    return [f"golden {name}: {found[name]!r}, not {wanted[name]!r}" for name in wanted if found[name] != wanted[name]]


def _check_detail(shown: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    problems = []
    for name, details in wanted.items():
        known = shown["attributes"].get(name) or {}
        for key, value in details.items():
            value = _stamp(value) if key == "effective_at" else value
            if known.get(key) != value:
                problems.append(f"detail {name}.{key}: {known.get(key)!r}, not {value!r}")
    return problems


def _check_losers(shown: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    problems = []
    for name, expected in wanted.items():
        found = [(one["record"], one["reason"]) for one in (shown["attributes"].get(name) or {}).get("losers", [])]
        problems += [
            f"losers {name}: {one} not in {found}" for one in expected if (one["record"], one["reason"]) not in found
        ]
    return problems


def _check_consents(shown: dict[str, Any], wanted: list[dict[str, Any]]) -> list[str]:
    return [f"consents: {one} not in {shown['consents']}" for one in wanted if not _some(shown["consents"], one)]


def _some(found: list[dict[str, Any]], wanted: dict[str, Any]) -> bool:
    return any(all(one.get(key) == value for key, value in wanted.items()) for one in found)


def _check_output(output: Output, expect: dict[str, Any]) -> list[str]:
    problems = []
    if "commands" in expect:
        problems += _match("commands", [command_to_json(one) for one in output.commands], expect["commands"], _command)
    if "ledger" in expect:
        problems += _match("ledger", [ledger_to_json(one) for one in output.ledger], expect["ledger"], _subset)
    notes = [{"kind": one.kind, "platform": one.platform, "attribute": one.attribute} for one in output.notes]
    return problems + [f"notes: {one} not in {notes}" for one in expect.get("notes") or [] if not _some(notes, one)]


def _match(what: str, found: list[dict[str, Any]], wanted: list[dict[str, Any]], fits: Any) -> list[str]:
    rest = list(found)
    problems = []
    for one in wanted:
        hit = next((candidate for candidate in rest if fits(candidate, one)), None)
        if hit is None:
            problems.append(f"{what}: missing {one}")
        else:
            rest.remove(hit)
    return problems + [f"{what}: unexpected {one}" for one in rest]


def _subset(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(found.get(key) == value for key, value in wanted.items())


def _command(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    for key, value in wanted.items():
        if key == "attributes":
            if found["attributes"] != {name: _statement(one) for name, one in value.items()}:
                return False
        elif key == "consents":
            rest = list(found["consents"])
            hits = [one for want in value for one in rest if _subset(one, want)]
            if len(rest) != len(value) or len(hits) < len(value):
                return False
        elif found.get(key) != value:
            return False
    return "attributes" in wanted or "consents" not in wanted or not found["attributes"]


def run(case: Case, order: list[str] | None = None) -> tuple[list[str], str]:
    """Play a case, its changes in another order if one is given; problems, and the digest at the end."""
    play = Play.start(case)
    problems: list[str] = []
    for place, step in enumerate(_ordered(case.steps, order)):
        output = play.take(step)
        if order is None and step.get("expect"):
            problems += [f"step {place}: {one}" for one in check(play, step["expect"], output)]
    if case.final:
        problems += [f"final: {one}" for one in check(play, case.final, None)]
    return problems, digest(play.pipeline.customers())


def _ordered(steps: list[dict[str, Any]], order: list[str] | None) -> list[dict[str, Any]]:
    if order is None:
        return steps
    by_id = {step["change"]["change_id"]: step for step in steps if "change" in step}
    return [by_id[name] for name in order]
