"""What a steward's act would do, before it is asked for: the core decides it on a copy that nobody keeps."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from streams.core.decide import Decision, decide
from streams.core.erasure import erased_view
from streams.core.golden import golden_view, value_view
from streams.core.joining import merge, open_records, part, refuses_merge, settle_apart
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.model import Command, Millis, StewardRequest

# A name in the place of the id that an unlink makes: it is not made up yet.
NEW: Final = "a new customer"
TOLD_MAX: Final = 50


class Change(NamedTuple):
    """What golden shows otherwise afterwards: an attribute's value, or a consent's state in words; None for nothing."""

    what: str
    before: Any
    after: Any
    status: str = ""


class Telling(NamedTuple):
    """One thing that one record (or platform) would be told: `op`, what it is about, and the value or the decision."""

    record: str
    op: str
    what: str = ""
    value: Any = None


class Foreseen(NamedTuple):
    """`hindered`: why it will be refused, "" where nothing is known to be in the way; `more`: tellings left out.

    `unknown`: what it changes cannot be said now.
    """

    changes: list[Change]
    tellings: list[Telling]
    more: int = 0
    hindered: str = ""
    untold: tuple[str, ...] = ()
    unknown: bool = False


def foresee(request: StewardRequest, state: Customer, other: Customer | None, policy: Policy, now: Millis) -> Foreseen:
    """What would come of a checked request; takes over the states that it is given, to be thrown away."""
    if request.action == "merge" and other is not None:
        return _merged(request, *oldest_first(state, other), policy, now)
    if request.action == "unlink" and request.record in state.records:
        return _parted(request, state, policy, now)
    before = golden_view(state, policy)
    decision = decide(state, request, now, policy)
    if request.action == "erase":
        certificate = erased_view(decision.state)["certificate"]
        untold = tuple(one["platform"] for one in certificate if one["outcome"] == "unsupported")
        return _foreseen([], decision.commands, untold=untold)
    return _foreseen(_changes(before, golden_view(decision.state, policy)), _caused(decision, request))


def oldest_first(one: Customer, other: Customer) -> tuple[Customer, Customer]:
    """I3: the older one survives; of equal age the smaller id."""
    first, second = sorted((one, other), key=lambda state: (state.born_at, state.customer_id))
    return first, second


def _merged(request: StewardRequest, survivor: Customer, other: Customer, policy: Policy, now: Millis) -> Foreseen:
    platform = refuses_merge(open_records(survivor, policy), open_records(other, policy), policy)
    if platform is not None:
        most = policy.records_max(platform)
        return Foreseen([], [], hindered=f"the two have more records of {platform} than a customer may have ({most})")
    before = golden_view(survivor, policy)
    decision = merge(survivor, other, now, request.request_id or "", policy)
    return _foreseen(_changes(before, golden_view(decision.state, policy)), _caused(decision, request))


def _parted(request: StewardRequest, state: Customer, policy: Policy, now: Millis) -> Foreseen:
    before, request_id = golden_view(state, policy), request.request_id or ""
    parted = part(state, request.record or "", NEW, now, request_id, policy)
    apart = settle_apart(parted.moved, parted.foreign, now, request_id, policy)
    commands = [*_caused(parted.stays, request), *_caused(apart, request)]
    return _foreseen(_changes(before, golden_view(parted.stays.state, policy)), commands)


def _caused(decision: Decision, request: StewardRequest) -> list[Command]:
    """Without those in flight, which are only sent again."""
    return [one for one in decision.commands if one.caused_by == request.request_id]


def _foreseen(changes: list[Change], commands: list[Command], untold: tuple[str, ...] = ()) -> Foreseen:
    found = [telling for command in commands for telling in _tellings(command)]
    return Foreseen(changes, found[:TOLD_MAX], max(0, len(found) - TOLD_MAX), untold=untold)


def _tellings(command: Command) -> list[Telling]:
    record = f"{command.platform}:{command.record_id}" if command.record_id else command.platform
    if command.op in ("erase", "validate"):
        return [Telling(record, command.op)]
    told = [
        Telling(record, "clear" if one.clear else command.op, name, value_view(one.value))
        for name, one in command.attributes.items()
    ]
    said = [
        Telling(record, one.decision, f"{one.purpose} by {one.channel}", one.contact_point) for one in command.consents
    ]
    return told + said


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    had, has = before["attributes"], after["attributes"]
    nothing = {"value": None, "status": None}
    found = [
        Change(name, old["value"], new["value"], new["status"] or "")
        for name in dict.fromkeys((*had, *has))
        if _shown(old := had.get(name, nothing)) != _shown(new := has.get(name, nothing))
    ]
    consents = {_consent(one): one["state"].replace("_", " ") for one in after["consents"]}
    known = {_consent(one): one["state"].replace("_", " ") for one in before["consents"]}
    return found + [
        Change(name, known.get(name), consents.get(name))
        for name in dict.fromkeys((*known, *consents))
        if known.get(name) != consents.get(name)
    ]


def _shown(one: dict[str, Any]) -> tuple[Any, Any]:
    return one["value"], one["status"]


def _consent(one: dict[str, Any]) -> str:
    point = "the person as a whole" if one["contact_point"] == "*" else one["contact_point"]
    return f"{point}, {one['purpose']} by {one['channel']}"
