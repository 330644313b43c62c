"""Histories of one customer: what several records say, each in its own order, with fixed Kafka timestamps.

Each record states values of its own that no other record ever states. That is the one inherent dependence on the order
of arrival that every history here leaves out: R11 takes a value for an echo where we had commanded it to that record,
and whether we had depends on which of two records was heard first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.property.vocabulary import Input, Json, change, stamp

LANES = ("storefront:9", "crm:1", "crm:2", "loyalty:44", "esp:7", "idp:u1", "helpdesk:h3")
BASE = "wms:0"
NAMES = ("Ann", "Bo", "Cy", "Di", "Ed", "Flo", "Gus", "Hal")
ATTRIBUTES = ("first_name", "last_name", "email", "phone", "shipping_address", "billing_address")
CLEAR: Json = {"clear": True}
POINTS = (("ann@example.com", "email"), ("lee@example.com", "email"), ("+14155550190", "sms"))
METHODS = ("checkbox", "form", "import", "batch")


@dataclass(frozen=True)
class Mix:
    """What may occur in a history. `base`: a record that is never told anything states every attribute first."""

    attributes: Sequence[str] = ATTRIBUTES
    lanes_max: int = 4
    changes_max: int = 5
    base: bool = True
    clears: bool = False
    retracts: bool = False
    deletes: bool = False
    snapshots: bool = False
    restates: bool = False
    partials: bool = False
    unverified: bool = False
    verdicts: bool = False
    untimed: bool = False
    sequences: bool = False
    consents: bool = False
    expiries: bool = False
    persons: bool = False
    bounces: bool = False


def own_value(lane: str, attribute: str, count: int) -> Any:
    """The value number `count` that only this record states."""
    place = (*LANES, BASE).index(lane)
    match attribute:
        case "phone":
            return f"+1415555{100 + place * 12 + count % 12:04}"
        case "email":
            return f"{NAMES[place].lower()}{count}@example.com"
        case "shipping_address" | "billing_address":
            return {
                "line1": f"{place + 1}{count:02} Main St",
                "line2": f"Apt {count}" if count % 2 else "",
                "city": "Chicago",
                "region": "IL",
                "postal_code": f"606{place}{count % 10}",
                "country": "US",
            }
        case _:
            return f"{NAMES[place]} {count}"


def beginning(lanes: Sequence[str], mix: Mix) -> list[Input]:
    """Every record is known before the history starts; the base states something of everything.

    Contact points appear here too, so that no late word of an earlier appearance takes a carried opt-out back: who was
    told of it meanwhile would depend on the order (C5). The records come last, so that none has held a contact point
    that it does not hold now: of such a one it is told opt-outs, but no opt-in (C9).
    """
    first = []
    if mix.base:
        said: Json = {name: {"value": own_value(BASE, name, 0), "confidence": 0.9} for name in mix.attributes}
        first.append(change(BASE, -1900, -1899, "base", attributes=said))
    if mix.consents:
        first.append(change("wms:1", -1850, -1849, "other", attributes={"email": {"value": POINTS[1][0]}}))
        known: Json = {"email": {"value": POINTS[0][0]}, "phone": {"value": POINTS[2][0]}}
        first.append(change("wms:2", -1800, -1799, "contacts", attributes=known))
    return [*first, *(change(lane, -1700, -1699, f"{lane} enters") for lane in lanes)]


class _Writer:
    """Draws the changes of one record."""

    def __init__(self, draw: st.DrawFn, lane: str, mix: Mix, clears: bool) -> None:
        self.draw, self.lane, self.mix, self.clears = draw, lane, mix, clears
        self.counts: dict[str, int] = {}
        self.said: dict[str, Json] = {}
        self.sequence = 0
        self.ingested = -1000.0
        self.moment = 0
        self.latest = 0
        self.stored = False
        self.addresses: list[Json] = []

    def flip(self, allowed: bool, once_in: int = 3) -> bool:
        return allowed and self.draw(st.integers(1, once_in)) == 1

    def times(self) -> tuple[float | None, float]:
        moment = self.draw(st.integers(0, 60)) * 10
        if self.mix.partials:
            # What a partial address completes is what was said by then, so that nothing may come late (R6).
            moment = self.moment = self.moment + 1 + moment // 10
        self.latest = max(self.latest, moment + 900)
        at: float | None = moment
        ingested: float = moment
        if self.flip(self.mix.untimed, 6):
            at, ingested = None, moment + 1
        elif self.flip(self.mix.untimed, 8):
            at = moment + 5000
        else:
            ingested = moment + self.draw(st.sampled_from((1, 1, 1, 5, 90, 900, 0, -200)))
        if self.mix.restates:
            # A full view is as new as its Kafka timestamp, also for what the record had not spoken of before.
            ingested = self.ingested = max(self.ingested + 1, ingested)
        return at, ingested

    def inputs(self, count: int) -> Iterator[Input]:
        for number in range(count):
            yield self.write(number)
            if self.addresses and self.flip(self.mix.verdicts):
                yield self.verdict(number)

    def write(self, number: int) -> Input:
        at, ingested = self.times()
        name = f"{self.lane} {number}"
        said: Json = {}
        if self.mix.sequences and self.draw(st.booleans()):
            self.sequence += 1
            said["sequence"] = self.sequence
        if self.flip(self.mix.deletes, 8):
            return change(self.lane, at, ingested, name, op="delete", **said)
        snapshot = self.flip(self.mix.snapshots)
        restate = self.flip(self.mix.restates, 5)
        said["kind"] = "snapshot" if snapshot else "event"
        said["op"] = "restate" if restate else "upsert"
        if self.mix.attributes:
            said["attributes"] = self.statements(snapshot or restate)
        if self.mix.consents:
            said["consents"] = self.consents(at, ingested, snapshot or restate)
        if self.mix.bounces and self.flip(True):
            said["suppressions"] = [self.bounce(at)]
        return change(self.lane, at, ingested, name, **said)

    def statements(self, snapshot: bool) -> Json:
        names = self.draw(st.lists(st.sampled_from(self.mix.attributes), min_size=0, max_size=2, unique=True))
        return {name: self.statement(name, snapshot) for name in names}

    def statement(self, attribute: str, snapshot: bool) -> Json:
        if self.flip(self.clears and self.said.get(attribute) != CLEAR, 5):
            self.said[attribute] = CLEAR
            return CLEAR
        if self.flip(self.mix.retracts, 5):
            return {"retract": True}
        known = self.said.get(attribute)
        if known is not None and snapshot and self.draw(st.booleans()):
            return known
        count = self.counts.get(attribute, 0)
        self.counts[attribute] = count + 1
        value = own_value(self.lane, attribute, count)
        if attribute.endswith("address") and self.flip(self.mix.partials, 4):
            return {"value": {"line1": value["line1"], "postal_code": value["postal_code"]}}
        said: Json = {"value": value}
        if attribute == "shipping_address":
            self.addresses.append(value)
            said["confidence"] = 0.5 if self.flip(self.mix.unverified) else 0.9
        self.said[attribute] = said
        return said

    def verdict(self, number: int) -> Input:
        """A validator's word on an address of this record, from after all that the record has said until then.

        Otherwise it could not be told from the confidences alone which of them a re-assertion came with (R4, R8).
        """
        at = self.latest + number + 1
        judged = self.addresses.pop(self.draw(st.integers(0, len(self.addresses) - 1)))
        said: Json = {"record": self.lane, "attribute": "shipping_address", "input": judged}
        said["confidence"] = self.draw(st.sampled_from((0.1, 0.85, 0.99)))
        said["deliverable"] = self.draw(st.sampled_from((None, True, False)))
        if self.flip(True):
            said["standardized"] = {**judged, "line1": judged["line1"].replace("St", "Street")}
        if self.flip(True):
            said["at"] = stamp(at)
        given = change("validator:v1", at, at + 1, f"{self.lane} verdict {number}", verdicts=[said])
        return given._replace(lane=self.lane)

    # Consent

    def consents(self, at: float | None, ingested: float, snapshot: bool) -> list[Json]:
        moment = at if at is not None else ingested
        if snapshot:
            return self.initial_load(moment)
        points = [*POINTS, ("*", "email")] if self.mix.persons else list(POINTS)
        return [self.consent(moment, *self.draw(st.sampled_from(points))) for _ in range(self.draw(st.integers(0, 2)))]

    def initial_load(self, at: float) -> list[Json]:
        """One contact point of its own, once: what is stored elsewhere counts only where nobody has spoken (C2, D1)."""
        if self.stored:
            return []
        self.stored = True
        return [self.consent(at, f"{self.lane.replace(':', '.')}@stored.example.com", "email")]

    def consent(self, at: float, point: str, channel: str) -> Json:
        explicit = self.draw(st.booleans())
        said: Json = {
            "contact_point": point,
            "channel": channel,
            "purpose": "marketing",
            "decision": self.draw(st.sampled_from(("opt_in", "opt_in", "opt_out"))),
            "explicit": explicit,
            "method": self.draw(st.sampled_from(METHODS)),
        }
        if explicit and self.draw(st.booleans()):
            said["evidence"] = {"form": "f1"}
        if not self.flip(self.mix.untimed, 5):
            said["at"] = stamp(at - self.draw(st.sampled_from((0, 0, 50, 300))))
        if self.flip(self.mix.expiries):
            said["expires_at"] = stamp(at + self.draw(st.sampled_from((10, 100, 400))))
        return said

    def bounce(self, at: float | None) -> Json:
        point, channel = self.draw(st.sampled_from(POINTS))
        said: Json = {"contact_point": point, "channel": channel, "active": self.draw(st.booleans())}
        if at is not None:
            said["at"] = stamp(at)
        return said


@st.composite
def histories(draw: st.DrawFn, mix: Mix) -> tuple[list[Input], list[list[Input]]]:
    """The beginning, and one list of inputs for each record."""
    lanes = draw(st.lists(st.sampled_from(LANES), min_size=2, max_size=mix.lanes_max, unique=True))
    written = []
    for lane in lanes:
        writer = _Writer(draw, lane, mix, clears=mix.clears and lane == lanes[0])
        written.append(list(writer.inputs(draw(st.integers(1, mix.changes_max)))))
    return beginning(lanes, mix), written


def interleaved(draw: st.DrawFn, lanes: Sequence[Sequence[Input]]) -> list[Input]:
    """The inputs in one of the orders that keep each record's own."""
    turns = draw(st.permutations([place for place, lane in enumerate(lanes) for _ in lane]))
    waiting = [iter(lane) for lane in lanes]
    return [next(waiting[place]) for place in turns]
