"""Merge and unlink across partitions, as steps over customers' rows (I2-I4).

A merge: one customer offers itself to the other; the younger one surrenders: its row becomes an alias of the older one
for ever, and its whole state is sent there to be absorbed. An unlink: the record leaves with its own part of the state,
which is installed under a new id. Everything that comes for an alias or for a record that left goes on to where it is
now, by the same way as the state, so that it arrives behind it.

What is sent must follow from what is stored alone, or a crash in between could send one state and keep another. So a
customer agrees in one checkpoint (`Intent`) and carries it out first thing in a later one.

Here are the words; the steps are in `merging.py` and `unlinking.py`, and `move_steps.py` takes a message to its step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import msgspec

from streams.core.contact_points import appearances, split
from streams.core.decide import Decision
from streams.core.identity import Message
from streams.core.rules import Policy
from streams.core.state import PERSON, Customer, Intent, Join, Moves, OpenCase
from streams.model import Change, Invalid, Millis, Note, Receipt, StewardRequest

DAY_MS: Final = 86_400_000
REMEMBERED_MAX: Final = 256
# Cases of the review queue that a customer remembers; what it has forgotten stays open until a steward decides it.
CASES_MAX: Final = 64
# What an absorbed state takes beside itself in its message.
ENVELOPE_BYTES: Final = 2048

_NONE: Final = Moves()
_encoder: Final = msgspec.msgpack.Encoder()


class Offer(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """`offerer` is to become one with the customer whose row this is, at `at`.

    `names`: the offerer and its aliases; `open_records`: how many of each platform; `merged`: its automatic merges of
    that day; `evidence.identifier` is empty where a steward asked.
    """

    at: Millis
    offerer: str
    born_at: Millis
    names: tuple[str, ...]
    apart: tuple[str, ...]
    open_records: dict[str, int]
    size_bytes: int
    merged: int
    evidence: Join


class Absorb(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The whole state of a customer that has surrendered to this one."""

    state: Customer
    evidence: Join


class Install(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The state of a record that left the customer of `names`; `foreign`: which attributes were golden there."""

    state: Customer
    record: str
    request: Join
    names: tuple[str, ...]
    foreign: tuple[str, ...]


class Return(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """A surrendered state that could not be absorbed: the alias is a customer again."""

    state: Customer
    request_id: str


class Wake(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """To oneself: there is something to carry out."""

    request_id: str


class Carry(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """A receipt or a steward request that came for an alias or a record that left, as it was on its topic."""

    topic: str
    value: bytes


class Propose(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Two customers met in an identifier, and the policy lets such two merge by themselves."""

    request_id: str
    at: Millis
    other_id: str
    record: str
    identifier: str
    change_id: str


class Inquire(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """The review queue has a case on this customer: is there still something to decide? See `closing.py`."""

    case: OpenCase


class Closed(NamedTuple):
    """A case with nothing left to decide: its customers are one, `became`; or one of them was erased (None)."""

    review_id: str
    key: str
    became: str | None


Move: TypeAlias = Offer | Absorb | Install | Return | Wake | Carry | Propose | Inquire


@dataclass(slots=True)
class Step:
    """What one message made of one row: the row, what was decided on it and by which request, what is to be sent.

    `sends` go to customers' rows, `told` to identity rows, and `withdrawn` are (contact point, customer) that no longer
    hold together. `refused` names why an offer came to nothing, with the offer. `answers`: by request, the reason why
    it came to nothing, None where it was carried out. `closed`: cases of the review queue that end by it.
    """

    customer_id: str
    state: Customer | None
    policy: Policy
    limit_bytes: int
    decisions: list[tuple[Decision, StewardRequest]] = field(default_factory=list)
    sends: list[tuple[str, Move]] = field(default_factory=list)
    told: list[tuple[str, Message]] = field(default_factory=list)
    withdrawn: list[tuple[str, str]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    refused: tuple[Invalid, Offer] | None = None
    answers: list[tuple[str, str | None]] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)

    def answer(self, evidence: Join, reason: str | None = None) -> None:
        """Tell who asked what became of it; None: it was done. An identifier does not ask."""
        if not evidence.identifier:
            self.answers.append((evidence.request_id, reason))

    @property
    def names(self) -> tuple[str, ...]:
        """The customer and its aliases."""
        return (self.customer_id, *(self.state.aliases if self.state is not None else ()))

    def known(self) -> Customer:
        """The row, which must be there."""
        if self.state is None:
            raise Invalid("unknown_customer", "no customer under this key")
        return self.state


def moves_of(state: Customer) -> Moves:
    """What the customer remembers of its moves, made where there is nothing yet."""
    if state.moves is None:
        state.moves = Moves()
    return state.moves


def remembered(state: Customer) -> Moves:
    """What the customer remembers of its moves, to be read only."""
    return state.moves or _NONE


# Where something goes that is no longer here


def elsewhere(state: Customer, event: Change | Receipt | StewardRequest) -> str | None:
    """The customer to whom this must go on; None where it is at home."""
    moves = remembered(state)
    if moves.survivor is not None:
        return moves.survivor
    if isinstance(event, Change):
        return _parted(state, moves, event.verdicts[0].record if event.only_verdicts else event.record)
    other = event.customer_id
    if other != state.customer_id and other in moves.returned.values() and other not in state.aliases:
        return other
    if isinstance(event, StewardRequest):
        return None
    named = f"{event.platform}:{event.record_id}"
    return _parted(state, moves, named) or _parted(state, moves, event.record_id or "")


def _parted(state: Customer, moves: Moves, name: str) -> str | None:
    return None if name in state.records else moves.parted.get(name)


# What the steps share


def asked(step: Step, request_id: str) -> Customer | None:
    """The row; None where the request was seen before."""
    state = step.known()
    return None if request_id in state.requests else state


def remember_request(state: Customer, request_id: str, policy: Policy) -> None:
    """So that the request is known when it is delivered again."""
    state.requests = [*state.requests, request_id][-policy.limits.requests_max :]


def intend(step: Step, intent: Intent) -> None:
    """Agree to something, and see to it that it is carried out."""
    moves = moves_of(step.known())
    moves.intents = [*moves.intents, intent]
    step.sends.append((step.customer_id, Wake(intent.request_id)))


def size_bytes(state: Customer) -> int:
    """How large the state is when it is stored."""
    return len(encoded(state))


def encoded(state: Customer) -> bytes:
    """The state's bytes, to measure it or to come back to it."""
    return _encoder.encode(state)


def merged_on(moves: Moves, at: Millis) -> int:
    """How many automatic merges there were on the day of `at`."""
    return moves.merged_count if moves.merged_day == at // DAY_MS else 0


def too_large(step: Step, size: int) -> bool:
    """True where a state of so many bytes cannot be sent or stored."""
    return 0 < step.limit_bytes < size + ENVELOPE_BYTES


def review(one: str, other: str, evidence: Join, rule: str, platform: str | None = None) -> Note:
    """What a steward is to judge, with the evidence: kinds and ids, no values. `platform`: the one that hinders."""
    said_by, _, record_id = evidence.record.partition(":")
    detail = "the two customers were not merged"
    changes = tuple(evidence.change_ids)
    cause = changes[0] if changes else evidence.request_id
    identifier = evidence.identifier or None
    return Note(
        "review",
        cause,
        platform or said_by or None,
        record_id if record_id and platform in (None, said_by) else None,
        None,
        one,
        detail,
        other,
        identifier,
        rule,
        changes,
    )


def kept(remembered: dict[str, str]) -> dict[str, str]:
    """The newest of what is remembered, up to its bound."""
    return dict(list(remembered.items())[-REMEMBERED_MAX:])


def held_points(state: Customer) -> set[str]:
    """The contact points that are published as held by a customer."""
    return {*appearances(state), *(split(key).contact_point for key in state.consents)} - {PERSON}


def asked_by(intent: Intent) -> Join:
    """Who asked for it, and why."""
    return intent.evidence or Join(intent.target, intent.at, intent.request_id)
