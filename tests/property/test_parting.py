"""After an unlink both customers are what they would have been had the record never been joined, consent included."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.golden import golden_view
from streams.replay import Pipeline
from tests.property.vocabulary import Json, policy, stamp, steward, tick

RULES = policy({"ping_pong_limit": 100, "consent": {"purposes": {"service": {"requires_opt_in": False}}}})
HOMES = {"storefront:9": "A", "esp:5": "B", "crm:1": "B", "loyalty:4": "X"}
# One that is all of its customer, and one that leaves another record of its customer behind.
LEAVING = ("loyalty:4", "crm:1")
POINTS = (("ann@example.com", "email"), ("lee@example.com", "email"), ("+14155550190", "sms"), ("*", "email"))
MERGES = (
    (("A", "B"), ("A", "X")),
    (("A", "X"), ("A", "B")),
    (("B", "X"), ("A", "B")),
    (("A", "B"), ("B", "X")),
    (("A", "X"),),
    (("B", "X"),),
)


class Said(NamedTuple):
    """What one record says, at a second after the start."""

    record: str
    at: float
    said: Json


class Story(NamedTuple):
    """What is said, and which customers are merged when; the loyalty record's is X."""

    said: list[Said]
    merges: list[tuple[float, tuple[str, str]]]
    unlinked_at: float
    pins: list[tuple[float, str, Json]]
    leaves: str


def own(record: str, attribute: str, count: int) -> Any:
    """A value that no other record states (R11 would take it for an echo)."""
    place = list(HOMES).index(record)
    texts = {"email": f"p{place}.{count}@example.com", "phone": f"+1415555{100 + place * 20 + count:04}"}
    return {"value": texts.get(attribute, f"{'ABXY'[place]}n {count}")}


@st.composite
def consents(draw: st.DrawFn, at: float) -> Json:
    (point, channel), decision = draw(st.sampled_from(POINTS)), draw(st.sampled_from(("opt_in", "opt_in", "opt_out")))
    ends = draw(st.sampled_from((None, None, None, stamp(at + 30)))) if decision == "opt_in" else None
    act = {"explicit": draw(st.booleans()), "method": "form", "evidence": {"form": "f1"}, "expires_at": ends}
    purpose = draw(st.sampled_from(("marketing", "service", "surveys")))
    said = {"contact_point": point, "channel": channel, "purpose": purpose, "decision": decision, "at": stamp(at)}
    return {"consents": [{**said, **act}]}


@st.composite
def stories(draw: st.DrawFn) -> Story:
    shared = draw(st.booleans())
    said = []
    for place, record in enumerate(HOMES):
        email = {"value": "ann@example.com"} if shared else own(record, "email", 10)
        said.append(Said(record, place / 10, {"attributes": {"email": email, "first_name": own(record, "", 11)}}))
    for count in range(draw(st.integers(1, 7))):
        record, at = draw(st.sampled_from(list(HOMES))), draw(st.integers(10, 400)) + count / 100
        attribute = draw(st.sampled_from(("first_name", "email", "phone", "", "", "", "")))
        values = {"attributes": {attribute: own(record, attribute, count)}} if attribute else draw(consents(at))
        said.append(Said(record, at, values))
    first = draw(st.integers(50, 300)) + 0.5
    merges = list(zip((first, first + draw(st.integers(1, 100))), draw(st.sampled_from(MERGES)), strict=False))
    leaves = draw(st.sampled_from(LEAVING))
    # Of a customer of which one record leaves it cannot be told whose its pins are.
    pinned = [one for one in draw(pins()) if one[1] != "B" or leaves == "loyalty:4"]
    return Story(said, merges, draw(st.integers(420, 500)), pinned, leaves)


@st.composite
def pins(draw: st.DrawFn) -> list[tuple[float, str, Json]]:
    """What stewards pin at one of the customers before any merge."""
    found: list[tuple[float, str, Json]] = []
    for count, customer in enumerate(draw(st.lists(st.sampled_from("AABX"), max_size=4))):
        point, channel = draw(st.sampled_from(POINTS))
        consent = {"contact_point": point, "channel": channel, "purpose": "marketing", "value": "opt_out"}
        value = {"value": f"pinned{count}@example.com", "attribute": "email"}
        name = {"value": f"Pinned {count}", "attribute": "first_name"}
        action = draw(st.sampled_from(("pin", "pin", "unpin")))
        found.append((20 + count, customer, {"action": action, **draw(st.sampled_from((consent, value, name)))}))
    return found


def played(story: Story, records: set[str], merges: list[tuple[float, tuple[str, str]]]) -> dict[tuple[str, ...], Json]:
    """What is golden and sendable of each customer in the end, by its records; only these records speak."""
    inputs = [(one.at, "changes", _change(one)) for one in story.said if one.record in records]
    for at, (one, other) in merges:
        asked = {"customer_id": one, "action": "merge", "with": other}
        inputs.append((at, "steward", steward(at, f"merge {at}", **asked).value))
    present = {HOMES[record] for record in records}
    for at, customer, asked in story.pins:
        if customer in present:
            inputs.append((at, "steward", steward(at, f"pin {at}", **{**asked, "customer_id": customer}).value))
    if len(records) == len(HOMES):
        asked = {"customer_id": HOMES[story.leaves], "action": "unlink", "record": story.leaves}
        inputs.append((story.unlinked_at, "steward", steward(story.unlinked_at, "unlink", **asked).value))
    pipeline = Pipeline(RULES)
    for at, topic, value in sorted(inputs, key=lambda one: one[0]):
        pipeline.feed(topic, value, tick(at).at + 1)
    pipeline.feed("clock", None, tick(600).at)
    return {tuple(sorted(one.records)): _shown(golden_view(one, RULES)) for one in pipeline.customers()}


def _change(one: Said) -> Json:
    platform, _, record_id = one.record.partition(":")
    named = {"change_id": f"{one.record} {one.at}", "platform": platform, "record_id": record_id}
    return {**named, "customer_id": HOMES[one.record], "observed_at": stamp(one.at), **one.said}


def _shown(view: Json) -> Json:
    return {
        "attributes": {name: (one["value"], one["status"], one["record"]) for name, one in view["attributes"].items()},
        "consents": {
            (one["contact_point"], one["channel"], one["purpose"]): (one["state"], one["sendable"])
            for one in view["consents"]
            if (one["state"], one["sendable"]) != ("unknown", False)
        },
    }


def without(story: Story) -> list[tuple[float, tuple[str, str]]]:
    """The merges that there would have been, had the record been nobody: none with X, where it was all of X."""
    if story.leaves != "loyalty:4":
        return story.merges
    direct = [at for at, pair in story.merges if pair == ("A", "B")]
    return [(direct[0], ("A", "B"))] if direct else []


@settings(max_examples=100, deadline=None)
@given(stories())
def test_an_unlink_leaves_both_as_if_the_record_had_never_been_joined(story: Story) -> None:
    found = played(story, set(HOMES), story.merges)

    rest = played(story, set(HOMES) - {story.leaves}, without(story))
    assert found == {**rest, **played(story, {story.leaves}, [])}
