"""A steward's pins are about one customer: what was pinned before a merge leaves with the last record of that customer.

Otherwise an unlinked person would lose an opt-out that a steward had pinned, and leave pinned values of theirs behind.
What is pinned after the merge stays with the customer that it was pinned at.
"""

from __future__ import annotations

from typing import TypeVar

from streams.core.canonical import SEP
from streams.core.contact_points import appearances, split
from streams.core.state import Customer, Join, Pin
from streams.model import Millis

T = TypeVar("T")


def sides_of(one: dict[str, T], other: dict[str, T]) -> list[dict[str, T]]:
    """What each of two customers brings into their merge; nothing where neither brings anything."""
    return [dict(one), dict(other)] if one or other else []


def part_pins(state: Customer, moved: Customer, name: str) -> None:
    """The record `name` has left `state` for `moved`: so do the pins of the customer that had no other record."""
    first = next((one for one in state.joins if any(name in side for side in one.sides)), None)
    if first is not None:
        place = 0 if name in first.sides[0] else 1
        theirs = first.pins[place] if first.pins else {}
        if any(one in state.records for one in first.sides[place]):
            _copy_opt_outs(theirs, moved)
        else:
            _move_pins(state, moved, theirs)
            _move_appeared(state, moved, first, place)


def _copy_opt_outs(theirs: dict[str, Pin], moved: Customer) -> None:
    """Whose word it was cannot be told any more: an opt-out holds for both."""
    held = appearances(moved)
    for key, pin in theirs.items():
        if SEP in key and pin.active and split(key).contact_point in held:
            moved.pins[key] = pin


def _move_pins(state: Customer, moved: Customer, theirs: dict[str, Pin]) -> None:
    for key, pin in list(theirs.items()):
        moved.pins[key] = pin
        for join in state.joins:
            for side in join.pins:
                if key in side and _order(side[key]) == _order(pin):
                    del side[key]
        if key in state.pins and _order(state.pins[key]) == _order(pin):
            del state.pins[key]
            left = [side[key] for join in state.joins for side in join.pins if key in side]
            if left:
                state.pins[key] = max(left, key=_order)


def _order(pin: Pin) -> tuple[Millis, str]:
    """K1: pins are a register."""
    return (pin.at, pin.request_id)


def _move_appeared(state: Customer, moved: Customer, join: Join, place: int) -> None:
    """Contact points that only a pin had set."""
    if not join.appeared:
        return
    theirs, others = dict(join.appeared[place]), join.appeared[1 - place]
    for point, at in theirs.items():
        moved.appeared[point] = at
        if point in others:
            state.appeared[point] = others[point]
            continue
        for known in (state.appeared, *(side for one in state.joins for side in one.appeared)):
            if known.get(point) == at:
                del known[point]
