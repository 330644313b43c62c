"""The same input gives the same bytes, and no history makes a customer's state grow without end (R13, limits)."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import blake2b
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.codec.state import decode_customer, encode_customer
from streams.core.decide import decide
from streams.model import Change, Statement
from tests.property.histories import Mix, histories, interleaved
from tests.property.test_order import EVERYTHING, RULES
from tests.property.vocabulary import CUSTOMER, T0, Input, World, change, played, policy, stamp, written

# Enough for every register, log and memory to reach its limit several times over.
ALTERNATIONS = 300
SMALL = {"limits": {"entries_max": 32, "appeared_max": 32, "unanswered_max": 32}}
STATE_BYTES_MAX = 40_000


@given(st.data())
def test_two_pipelines_agree_to_the_byte(data: st.DataObject) -> None:
    beginning, lanes = data.draw(histories(Mix(**EVERYTHING)))
    history = [*beginning, *interleaved(data.draw, lanes)]

    ends = []
    for _ in range(2):
        world = World(RULES)
        outputs = [written(world.take(one)) for one in history]
        ends.append((msgspec.json.encode(outputs), encode_customer(world.state())))

    assert ends[0] == ends[1]


@given(st.data())
def test_the_stored_state_reads_back_as_it_was(data: st.DataObject) -> None:
    beginning, lanes = data.draw(histories(Mix(**EVERYTHING)))
    state = played([*beginning, *interleaved(data.draw, lanes)], RULES).state()

    assert decode_customer(encode_customer(state)) == state
    assert encode_customer(decode_customer(encode_customer(state))) == encode_customer(state)


@given(st.data())
def test_versions_never_fall_and_no_two_commands_share_an_id(data: st.DataObject) -> None:
    beginning, lanes = data.draw(histories(Mix(**EVERYTHING)))
    world = World(RULES)
    versions = [0]
    for one in [*beginning, *interleaved(data.draw, lanes)]:
        world.take(one)
        versions.append(world.state().version if world.pipeline.customers() else 0)

    assert versions == sorted(versions)
    ids = [command.command_id for command in world.commands]
    assert len(ids) == len(set(ids))


@given(st.data())
def test_without_receipts_an_id_that_comes_again_says_the_same(data: st.DataObject) -> None:
    beginning, lanes = data.draw(histories(Mix(**EVERYTHING)))
    history = [*beginning, *interleaved(data.draw, lanes)]

    one, other = (played([*history, *history], RULES, acknowledge=False) for _ in range(2))

    said: dict[str, Any] = {}
    for command in one.commands:
        assert said.setdefault(command.command_id, command) == command
    assert one.commands == other.commands


def test_another_seed_of_pythons_hashes_changes_no_byte() -> None:
    code = "from tests.property.test_determinism import fingerprint; print(fingerprint())"

    prints = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(prints) == 1


def fingerprint() -> str:
    """A hash of all that a crowded history gives, to the byte."""
    world = World(RULES)
    found = blake2b()
    for one in crowd():
        found.update(msgspec.json.encode(written(world.take(one))))
    found.update(encode_customer(world.state()))
    return found.hexdigest()


def crowd() -> list[Input]:
    """Several records that state everything at once."""
    inputs = []
    for place, record in enumerate(("storefront:9", "crm:1", "esp:7", "loyalty:44", "crm:2")):
        for turn in range(3):
            at = place * 7 + turn * 60
            said = {
                "first_name": {"value": f"Ann {place}{turn}"},
                "last_name": {"value": f"Lee {place}{turn}"},
                "email": {"value": f"ann{place}{turn}@example.com"},
                "phone": {"value": f"+14155550{place}{turn}1"},
            }
            points = (f"ann{place}{turn}@example.com", f"+14155550{place}{turn}1", "*")
            consents = [
                {
                    "contact_point": point,
                    "channel": "sms" if point.startswith("+") else "email",
                    "purpose": purpose,
                    "decision": "opt_out" if turn == 1 else "opt_in",
                    "at": stamp(at),
                    "method": "form",
                }
                for point in points
                for purpose in ("marketing", "service")
            ]
            inputs.append(change(record, at, at + 1, f"{record} {turn}", attributes=said, consents=consents))
    return inputs


# Bounds


def alternated(world: World, each: Any) -> list[int]:
    """The size of the state, in bytes, while something goes to and fro without end."""
    sizes = []
    for turn in range(ALTERNATIONS):
        for one in each(turn):
            world.take(one)
        sizes.append(len(encode_customer(world.state())))
    return sizes


def to_and_fro(turn: int) -> list[Input]:
    """Two records that contradict each other, for ever."""
    return [
        change(
            record, turn * 100 + place, turn * 100 + place + 1, f"{record} {turn}", attributes=said(record, turn % 2)
        )
        for place, record in enumerate(("storefront:9", "crm:1"))
    ]


def ever_new(turn: int) -> list[Input]:
    """A record that never says the same twice."""
    told = {
        "phone": {"value": f"+1415555{turn % 10_000:04}"},
        "email": {"value": f"ann{turn}@example.com"},
        "shipping_address": {"value": {**HOME, "line1": f"{turn} Main St"}, "confidence": 0.5 if turn % 3 else 0.9},
    }
    return [change("crm:1", turn * 100, turn * 100 + 1, f"new {turn}", attributes=told)]


def untimed(turn: int) -> list[Input]:
    """A record whose changes have no time."""
    return [change("crm:1", None, turn * 100, f"untimed {turn}", attributes=said("crm:1", turn % 5))]


def changing_mind(turn: int) -> list[Input]:
    """A person who subscribes and unsubscribes, for ever."""
    decision = "opt_out" if turn % 2 else "opt_in"
    consent = {
        "contact_point": "ann@example.com",
        "channel": "email",
        "purpose": "marketing",
        "decision": decision,
        "at": stamp(turn * 100),
        "explicit": True,
        "method": "checkbox",
        "evidence": {"form": "f1"},
    }
    return [change("crm:1", turn * 100, turn * 100 + 1, f"mind {turn}", consents=[consent])]


def judged(turn: int) -> list[Input]:
    """A validator that judges another address each time."""
    verdict = {
        "record": "crm:1",
        "attribute": "shipping_address",
        "input": {**HOME, "line1": f"{turn} Main St"},
        "confidence": 0.9,
    }
    return [*ever_new(turn), change("validator:v", turn * 100, turn * 100 + 2, f"verdict {turn}", verdicts=[verdict])]


HOME = {
    "line1": "233 S Wacker Dr",
    "line2": "",
    "city": "Chicago",
    "region": "IL",
    "postal_code": "60606",
    "country": "US",
}


def said(record: str, which: int) -> dict[str, Any]:
    return {
        "phone": {"value": f"+1415555010{which}" if record == "crm:1" else f"+1415555011{which}"},
        "first_name": {"value": f"{record} {which}"},
    }


@pytest.mark.parametrize("acknowledge", [True, False], ids=["answered", "unanswered"])
@pytest.mark.parametrize("each", [to_and_fro, ever_new, untimed, changing_mind, judged], ids=lambda one: one.__name__)
def test_the_state_stops_growing_however_long_it_goes_on(each: Any, acknowledge: bool) -> None:
    world = World(policy(SMALL), acknowledge)
    for record in ("storefront:9", "esp:7", "loyalty:44"):
        world.take(change(record, -100, -99, f"{record} enters"))

    sizes = alternated(world, each)

    assert max(sizes) < STATE_BYTES_MAX
    assert max(sizes[ALTERNATIONS * 2 // 3 :]) <= max(sizes[: ALTERNATIONS * 2 // 3]) * 1.05


@given(st.data())
def test_a_pruned_ledger_folds_to_the_state_that_the_whole_one_folds_to(data: st.DataObject) -> None:
    history = data.draw(minds())
    whole, pruned = (played(history, policy({"limits": {"entries_max": most}})) for most in (1000, 16))

    assert max(len(entries) for entries in pruned.state().entries.values()) <= 16
    assert whole.view()["consents"] == pruned.view()["consents"]


@st.composite
def minds(draw: st.DrawFn) -> list[Input]:
    """Two contact points of one person about whom many decisions are made, in the order of their times."""
    history = []
    for turn in range(draw(st.integers(17, 60))):
        point = draw(st.sampled_from(("ann@example.com", "ann@example.com", "lee@example.com")))
        consent = {
            "contact_point": point,
            "channel": "email",
            "purpose": "marketing",
            "decision": draw(st.sampled_from(("opt_in", "opt_in", "opt_out"))),
            "at": stamp(turn * 100),
            "explicit": draw(st.booleans()),
            "method": draw(st.sampled_from(("checkbox", "import"))),
            "evidence": {"form": "f1"},
        }
        if draw(st.integers(1, 4)) == 1:
            consent["expires_at"] = stamp(turn * 100 + draw(st.sampled_from((50, 500))))
        history.append(change("crm:1", turn * 100, turn * 100 + 1, f"mind {turn}", consents=[consent]))
    return history


def test_decide_needs_nothing_but_its_arguments() -> None:
    rules = policy()
    stated = Change("E1", "crm", "1", customer_id=CUSTOMER, attributes={"phone": Statement("+14155550101")})
    empty = encode_customer(World(rules).pipeline.customer(CUSTOMER) or decode_customer(_new()))

    ends = [decide(decode_customer(empty), stated, T0, rules) for _ in range(2)]

    assert encode_customer(ends[0].state) == encode_customer(ends[1].state)
    assert ends[0][1:] == ends[1][1:]


def _new() -> bytes:
    from streams.core.state import Customer

    return encode_customer(Customer(CUSTOMER, T0))
