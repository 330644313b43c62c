"""The history of any sequence of inputs tells what was golden and sendable at any time that it reaches back to."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from streams.codec.contract import change_from_json, steward_from_json
from streams.codec.state import decode_customer, encode_customer
from streams.core.decide import Input as Event
from streams.core.decide import Tick, decide
from streams.core.golden import golden_view
from streams.core.history import entry_of
from streams.core.history_view import as_of_view, timeline_view
from streams.core.state import Customer
from streams.core.timeline import Kept, clocks, decode_entry
from streams.model import Millis, Receipt, format_time
from streams.runtime.chapters import Bounds
from tests.property.histories import Mix, histories, interleaved
from tests.property.vocabulary import CUSTOMER, Input, Json, policy, steward, tick
from tests.unit.history.telling import RECORD_BYTES_MAX, Shelf

# A second purpose, which needs no opt-in: unknown and sendable at once.
RULES = policy({"consent": {"purposes": {"service": {"requires_opt_in": False}}}})
MIX = Mix(
    lanes_max=3,
    changes_max=4,
    clears=True,
    retracts=True,
    deletes=True,
    snapshots=True,
    unverified=True,
    verdicts=True,
    consents=True,
    expiries=True,
    persons=True,
    bounces=True,
)


class Moment(NamedTuple):
    """What golden was after one input."""

    at: Millis
    golden: Json
    entry: bytes | None


def lived(inputs: Sequence[Input]) -> list[Moment]:
    """One customer folds the inputs; every command is applied at once."""
    state = encode_customer(Customer(CUSTOMER, inputs[0].at))
    moments: list[Moment] = []
    waiting: list[tuple[Event, Millis]] = [(_event(one), one.at) for one in inputs]
    while waiting:
        event, at = waiting.pop(0)
        decision = decide(decode_customer(state), event, at, RULES)
        entry = entry_of(decision, event, at)
        state = encode_customer(decision.state)
        moments.append(Moment(at, golden(decode_customer(state)), entry))
        waiting = [
            *(
                (Receipt("applied", one.command_id, CUSTOMER, one.platform, one.record_id, at=at), at)
                for one in decision.commands
                if one.op != "create"
            ),
            *waiting,
        ]
    return moments


def _event(one: Input) -> Event:
    if one.topic == "clock":
        return Tick()
    return steward_from_json(one.value) if one.topic == "steward" else change_from_json(one.value)


def golden(state: Customer) -> Json:
    """Values, statuses and effective consents; what is unknown and not sendable is left out."""
    return comparable(golden_view(state, RULES))


def comparable(view: Json) -> Json:
    """The same of a golden record and of an answer of the history."""
    return {
        "attributes": {
            name: (one["value"], one["status"]) for name, one in view["attributes"].items() if one["status"] is not None
        },
        "consents": {
            (one["contact_point"], one["channel"], one["purpose"]): (one["state"], one["sendable"])
            for one in view["consents"]
            if (one["state"], one["sendable"]) != ("unknown", False)
        },
    }


def kept(moments: Sequence[Moment]) -> Kept:
    """All entries, none dropped."""
    return Kept(CUSTOMER, None, [decode_entry(one.entry) for one in moments if one.entry is not None])


@st.composite
def timed(draw: st.DrawFn) -> list[Input]:
    """Inputs in the order of their Kafka timestamps: changes, pins, ticks."""
    beginning, lanes = draw(histories(MIX))
    inputs = [*beginning, *interleaved(draw, lanes)]
    for number in range(draw(st.integers(0, 3))):
        moment = draw(st.integers(0, 900))
        action = draw(st.sampled_from(("pin", "unpin")))
        inputs.append(steward(moment, f"s{number}", action=action, attribute="first_name", value="Pinned"))
        inputs.append(tick(moment + 1))
    return sorted(inputs, key=lambda one: one.at)


@given(timed())
def test_at_any_time_it_tells_what_was_golden_and_sendable_after_the_last_input_until_then(
    inputs: list[Input],
) -> None:
    moments = lived(inputs)
    history = [kept(moments)]

    after = {moment.at: moment.golden for moment in moments}
    for at, expected in after.items():
        told = as_of_view(history, at)
        assert (told["known"], told["complete"]) == (True, True)
        assert comparable(told) == expected

    before = as_of_view(history, min(after) - 1)
    assert (before["known"], before["complete"], before["attributes"], before["consents"]) == (True, True, {}, [])


@given(timed(), st.randoms(use_true_random=False))
def test_time_never_runs_backwards_whatever_the_timestamps_do(inputs: list[Input], random: Random) -> None:
    random.shuffle(inputs)
    moments = lived(inputs)
    history = kept(moments)
    latest = clocks(None, history.entries)

    golden = [moment.golden for moment in moments if moment.entry is not None]
    for at in {moment.at for moment in moments}:
        until = sum(1 for clock in latest if clock <= at)
        if until:
            assert comparable(as_of_view([history], at)) == golden[until - 1]


@given(timed())
def test_an_input_that_changed_nothing_of_it_has_no_entry(inputs: list[Input]) -> None:
    before: Json = {"attributes": {}, "consents": {}}
    for moment in lived(inputs):
        if moment.entry is None:
            assert moment.golden == before
        before = moment.golden


@given(timed(), st.integers(1, 40), st.data())
def test_what_is_kept_tells_the_same_as_all_of_it_however_often_it_is_delivered(
    inputs: list[Input], entries_max: int, data: st.DataObject
) -> None:
    moments = lived(inputs)
    entries = [one.entry for one in moments if one.entry is not None]
    again = data.draw(st.integers(0, len(entries)))
    delivered = [*entries[:again], *entries[max(0, again - 12) : again], *entries[again:], *entries[-5:]]
    with tempfile.TemporaryDirectory() as directory:
        shelf = Shelf(Path(directory) / "rows")
        shelf.write(CUSTOMER.encode(), delivered, Bounds(entries_max, -(10**15), RECORD_BYTES_MAX))
        stored = shelf.read(CUSTOMER.encode())
        shelf.store.close()

    whole = kept(moments)
    assert list(stored[0].entries) == list(whole.entries[len(whole.entries) - len(stored[0].entries) :])
    assert min(entries_max, len(entries)) <= len(stored[0].entries) <= entries_max + 15
    for at in {moment.at for moment in moments}:
        told, expected = as_of_view(stored, at), as_of_view([whole], at)
        if told["known"]:
            assert {**told, "known_from": None} == {**expected, "known_from": None}
        else:
            assert told["known_from"] > format_time(at)


@given(timed(), st.integers(1, 7))
def test_the_pages_together_are_the_whole_newest_first(inputs: list[Input], limit: int) -> None:
    history = [kept(lived(inputs))]
    whole = timeline_view(history, 10_000)

    paged: list[Any] = []
    following: str | None = None
    while True:
        view = timeline_view(history, limit, following)
        paged += view["entries"]
        following = view["next"]
        if following is None:
            break

    assert paged == whole["entries"]
    assert [one["at"] for one in paged] == sorted((one["at"] for one in paged), reverse=True)
    assert len({one["id"] for one in paged}) == len(paged)
    assert whole["next"] is None
