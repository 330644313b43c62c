"""What customers that were one by mistake had written into each other's records, and its end with an erasure (I4, K3).

An unlink leaves the last commands with the record, so that their echoes are known (R11). They hold the other customer's
values, which are erased with that one: what is left is a mark, by which an echo is known and nothing can be read.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streams.core.canonical import SEP, same
from streams.core.contact_points import appearances, split
from streams.core.echoes import MARK, mark
from streams.core.in_flight import decode_command, encoder
from streams.core.orders import holds
from streams.core.rules import Policy
from streams.core.state import PERSON, Customer, Held, Join, Moves, Parting, Record, Slot, Unanswered
from streams.model import Value


class Own:
    """What a customer says of itself now: by its records' claims, its pins and its consents."""

    def __init__(self, state: Customer, policy: Policy) -> None:
        self._policy = policy
        self._values: dict[str, list[tuple[Value | None, str]]] = {}
        for record in state.records.values():
            for attribute, slot in record.slots.items():
                for claim in (slot.newest, *slot.verified):
                    if claim is not None:
                        self._add(attribute, claim.value, claim.canonical)
                        self._add(attribute, claim.standard, None)
        for key, pin in state.pins.items():
            if SEP not in key:
                self._add(key, pin.value, None)
        self.points = own_points(state)

    def _add(self, attribute: str, value: Value | None, canonical: str | None) -> None:
        if value is not None and attribute in self._policy.attributes:
            stated = canonical if canonical is not None else self._policy.canonical(attribute, value)
            self._values.setdefault(attribute, []).append((value, stated))

    def says(self, platform: str, attribute: str, seen: str) -> bool:
        """True for an own value as the platform keeps it, for no value, and for what is only a mark."""
        if not seen or seen[:1] == MARK:
            return True
        values = self._values.get(attribute, ())
        return any(same(seen, self._policy.seen(platform, attribute, *one)) for one in values)

    def seen(self, platform: str, attribute: str, value: Value) -> str:
        """The value as the platform would keep it; "" of an attribute that the policy does not have any more."""
        if attribute not in self._policy.attributes:
            return ""
        return self._policy.seen(platform, attribute, value, self._policy.canonical(attribute, value))

    def has(self, key: str) -> bool:
        """True for a consent key of an own contact point."""
        point = split(key).contact_point
        return point in self.points or point[:1] == MARK


def own_points(state: Customer) -> set[str]:
    """The contact points that the customer's records and stewards speak of, and the person as a whole."""
    words = (key for key, said in state.reach.items() if any(name in state.records for name in said))
    spoken = (key.partition(SEP)[0] for key in (*state.entries, *words, *state.pins) if SEP in key)
    return {*appearances(state), *spoken, PERSON}


def set_apart(state: Customer) -> tuple[str, ...]:
    """The customers that may hold values of this one, or this one theirs: an unlink made two of them."""
    known = state.moves.partings if state.moves is not None else []
    names = (state.customer_id, *state.aliases)
    return tuple(dict.fromkeys(one.other for one in known if one.other not in names))


def is_at_home(state: Customer, customer_id: str) -> bool:
    """False where a merge with `customer_id` was not carried out, so that what came here meanwhile goes back there."""
    moves = state.moves
    return (
        customer_id in (state.customer_id, *state.aliases)
        or moves is None
        or customer_id not in moves.returned.values()
    )


def following(state: Customer, customer_id: str, ids: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Who is to hear of the erasure of one of `ids` behind this customer, and of whom each is told."""
    if not is_at_home(state, customer_id):
        return [(customer_id, ids)]
    known = tuple(dict.fromkeys((*ids, state.customer_id, *state.aliases)))
    return [(one, known) for one in set_apart(state) if one not in known]


def remember_parting(moves: Moves, parting: Parting, most: int) -> None:
    """So that what was told before can be told from what was told after."""
    moves.partings = [*(one for one in moves.partings if one != parting), parting][-most:]


def disown(state: Customer, ids: Iterable[str], policy: Policy) -> None:
    """Of what was told before this customer parted from one of `ids`, keep what it says by itself, and marks.

    Doing it again changes nothing.
    """
    gone = set(ids)
    partings = [one for one in state.moves.partings if one.other in gone] if state.moves is not None else []
    if state.erased_at is not None or not partings:
        return
    own = Own(state, policy)
    for name, record in state.records.items():
        before = [one for one in partings if one.record in ("", name)]
        if before:
            bound = Parting("", max(one.version for one in before), max(one.at for one in before))
            _disown_record(name, record, bound, own, policy)
    _disown_commands(state, partings, own)
    whole = [one.version for one in partings if not one.record]
    if whole:
        _disown_creates(state, max(whole))
        _disown_keys(state, own)


def _disown_record(name: str, record: Record, bound: Parting, own: Own, policy: Policy) -> None:
    for attribute, slot in record.slots.items():
        _disown_slot(name, record.platform, attribute, slot, bound, own)
    for key in [one for one in record.consents if not own.has(one)]:
        slot = record.consents.pop(key)
        point, channel, purpose = split(key)
        if slot.sent:
            slot.stated = None
            record.consents[SEP.join((mark(name, point), channel, purpose))] = slot
    held = {*own.points, *holds(policy, record)}
    record.held = [one for one in record.held if one in held]


def _disown_slot(name: str, platform: str, attribute: str, slot: Slot, bound: Parting, own: Own) -> None:
    foreign = {
        sent.seen for sent in slot.sent if sent.version < bound.version and not own.says(platform, attribute, sent.seen)
    }
    for sent in slot.sent:
        if sent.seen in foreign:
            sent.seen, sent.value = mark(name, sent.seen), None
    acked, stated = slot.acked, slot.stated
    if acked is not None and (acked.version < bound.version or acked.seen in foreign):
        slot.acked = _marked(name, platform, attribute, acked, own)
    if stated is not None and (stated.at <= bound.at or stated.seen in foreign):
        slot.stated = _marked(name, platform, attribute, stated, own)
    if slot.refused is not None and not own.says(platform, attribute, slot.refused):
        slot.refused = mark(name, slot.refused)
    if slot.quarantined is not None and not own.says(platform, attribute, slot.quarantined):
        slot.quarantined = mark(name, slot.quarantined)


def _marked(name: str, platform: str, attribute: str, held: Held, own: Own) -> Held:
    if own.says(platform, attribute, held.seen):
        return held
    return msgspec.structs.replace(held, seen=mark(name, held.seen), value=None)


def _disown_commands(state: Customer, partings: list[Parting], own: Own) -> None:
    """What is emitted again says nothing foreign any more; a command that said nothing else is given up."""
    for command_id, kept in list(state.unanswered.items()):
        name = f"{kept.platform}:{kept.record_id}"
        versions = [one.version for one in partings if one.record in ("", name)]
        if kept.op not in ("update", "create") or not versions:
            continue
        shorter = _without_foreign(kept, max(versions), own)
        if shorter is None:
            del state.unanswered[command_id]
        else:
            state.unanswered[command_id] = shorter


def _without_foreign(kept: Unanswered, version: int, own: Own) -> Unanswered | None:
    command = decode_command(kept.payload)
    if command.golden_version >= version:
        return kept
    attributes = {
        attribute: told
        for attribute, told in command.attributes.items()
        if told.value is None or own.says(kept.platform, attribute, own.seen(kept.platform, attribute, told.value))
    }
    consents = tuple(one for one in command.consents if one.contact_point in own.points)
    if len(attributes) == len(command.attributes) and len(consents) == len(command.consents):
        return kept
    if kept.op == "update" and not attributes and not consents:
        return None
    payload = encoder.encode(msgspec.structs.replace(command, attributes=attributes, consents=consents))
    keys = [one for one in kept.consents if own.has(one)]
    return msgspec.structs.replace(kept, attributes=list(attributes), consents=keys, payload=payload)


def _disown_creates(state: Customer, version: int) -> None:
    """What a record was to be made with: that it was asked for is all that counts."""
    for platform, slot in state.creates.items():
        for sent in slot.sent:
            if sent.version < version and sent.seen[:1] != MARK:
                sent.seen, sent.value = mark(platform, sent.seen), None
        if slot.acked is not None and slot.acked.version < version and slot.acked.seen[:1] != MARK:
            slot.acked = msgspec.structs.replace(slot.acked, seen=mark(platform, slot.acked.seen))
        if slot.refused is not None and slot.refused[:1] != MARK:
            slot.refused = mark(platform, slot.refused)


def _disown_keys(state: Customer, own: Own) -> None:
    """Contact points that this customer does not have: those of a record that left."""
    state.reach = {key: words for key, words in state.reach.items() if key.partition(SEP)[0] in own.points}
    state.pruned = [key for key in state.pruned if own.has(key)]
    state.consents = {key: known for key, known in state.consents.items() if own.has(key)}
    for join in state.joins:
        _disown_join(state, join, own)


def _disown_join(state: Customer, join: Join, own: Own) -> None:
    """What each side of a merge had pinned goes with the pin, and with the contact point."""
    for pins in join.pins:
        for key in [one for one in pins if one not in state.pins or state.pins[one] != pins[one]]:
            del pins[key]
    for appeared in join.appeared:
        for point in [one for one in appeared if one not in own.points]:
            del appeared[point]
