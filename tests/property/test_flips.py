"""The smallest change that would flip a value does flip it, and a slightly smaller one does not (R7, R10)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hypothesis import given

from streams.codec.state import decode_customer, encode_customer
from streams.core.decide import Input, decide
from streams.core.flips import Flip, Judged, Moment, Stated, flip_of
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.core.survivorship import Loser, losers
from streams.model import Address, Change, Statement, StewardRequest, Value, Verdict
from tests.property.test_order import RULES
from tests.property.test_survivorship import worlds
from tests.property.vocabulary import T0

# After everything that the histories say, in ms.
LATER = T0 + 10_000_000
# Smaller than every value of the histories: at equal time and rank the larger one wins, whatever a flip says.
FRESH: dict[str, Value] = {
    "first_name": "! Flip",
    "last_name": "! Flop",
    "email": "0flip@example.com",
    "phone": "+12015550177",
    "shipping_address": Address("0 Flip St", "", "Chicago", "IL", "60699", "US"),
    "billing_address": Address("0 Flop St", "", "Chicago", "IL", "60699", "US"),
}


class Tried(NamedTuple):
    """A state after some of a flip, and when the record's new statement would be golden."""

    state: Customer
    stated_at: int | None


def every_flip(state: Customer, policy: Policy) -> Iterator[tuple[Loser, Flip]]:
    """Each loser of a customer with its flip."""
    for attribute in policy.attributes:
        for lost in losers(state, policy, attribute, state.golden.get(attribute)):
            yield lost, flip_of(state, policy, attribute, lost)


def tried(state: Customer, policy: Policy, lost: Loser, flip: Flip) -> Tried:
    """Do what a flip says, by the messages that would do it."""
    copy = decode_customer(encode_customer(state))
    inputs, stated_at = messages(copy, lost, flip)
    for one in inputs:
        copy = decide(copy, one, LATER, policy).state
    return Tried(copy, stated_at)


def messages(state: Customer, lost: Loser, flip: Flip) -> tuple[Sequence[Input], int | None]:
    inputs: list[Input] = [said(name, LATER, flip.attribute, Statement(retract=True)) for name in flip.withdraw]
    if flip.unpin:
        inputs.append(StewardRequest("unpin", "unpinned", state.customer_id, flip.attribute, at=LATER))
    if flip.judged is not None:
        inputs.append(opinion(lost, flip, flip.judged))
    if flip.stated is None:
        return inputs, None
    at = flip.stated.after.first if flip.stated.after is not None else LATER
    statement = Statement(FRESH[flip.attribute], confidence=flip.stated.confidence)
    return [*inputs, said(lost.record, at, flip.attribute, statement)], at


def opinion(lost: Loser, flip: Flip, judged: Judged) -> Change:
    if not judged.verdict:
        return said(lost.record, LATER, flip.attribute, Statement(lost.value, confidence=judged.confidence))
    assert isinstance(lost.value, Address)
    confidence = judged.confidence if judged.confidence is not None else 0.0
    deliverable = True if judged.deliverable else None
    verdict = Verdict(lost.record, flip.attribute, lost.value, confidence, deliverable, at=LATER)
    return Change("judged", "validator", "v", observed_at=LATER, verdicts=(verdict,))


def said(record: str, at: int, attribute: str, statement: Statement) -> Change:
    platform, _, record_id = record.partition(":")
    return Change(f"flip {record}", platform, record_id, observed_at=at, attributes={attribute: statement})


def flipped(found: Tried, lost: Loser, attribute: str) -> bool:
    """True where the record is golden by the claim that it lost with, or by its new statement."""
    golden = found.state.golden.get(attribute)
    if golden is None or golden.status not in ("settled", "cleared") or golden.record != lost.record:
        return False
    if found.stated_at is None:
        return golden.at == lost.at
    return golden.canonical == RULES.canonical(attribute, FRESH[attribute])


def smaller(flip: Flip) -> Iterator[Flip]:
    """Every flip that lacks a little of this one."""
    if flip.unpin:
        yield flip._replace(unpin=False)
    for name in flip.withdraw:
        yield flip._replace(withdraw=tuple(one for one in flip.withdraw if one != name))
    if flip.judged is not None:
        yield from (flip._replace(judged=one) for one in less_judged(flip.judged))
    if flip.stated is not None:
        yield from (flip._replace(stated=one) for one in less_stated(flip.stated))


def less_judged(judged: Judged) -> Iterator[Judged | None]:
    yield None
    if judged.confidence is not None:
        yield judged._replace(confidence=judged.confidence - 0.01)


def less_stated(stated: Stated) -> Iterator[Stated | None]:
    if stated.after is not None:
        yield stated._replace(after=Moment(stated.after.first - 1, inclusive=True))
    if stated.confidence is not None:
        yield stated._replace(confidence=stated.confidence - 0.01)


@given(worlds())
def test_the_smallest_change_of_each_loser_makes_its_record_golden(played_world: tuple) -> None:
    world, _ = played_world
    state = world.state()

    for lost, flip in every_flip(state, RULES):
        assert flipped(tried(state, RULES, lost, flip), lost, flip.attribute), (lost, flip)


@given(worlds())
def test_a_slightly_smaller_change_does_not(played_world: tuple) -> None:
    world, _ = played_world
    state = world.state()

    for lost, flip in every_flip(state, RULES):
        for less in smaller(flip):
            before: Any = tried(state, RULES, lost, less)
            assert not flipped(before, lost, flip.attribute), (lost, flip, less)
