"""The state of one customer: a join of registers, keyed by record and attribute (R1, R3, R11a).

Structs are `array_like`, so the field order is the stored form: append new fields with a default, never reorder.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from streams.core import registers
from streams.model import Address, Millis, Value

VALUE: Final = 0
CLEAR: Final = 1
RETRACT: Final = 2
DELETE: Final = 3

UNANSWERED: Final = 0
APPLIED: Final = 1
REFUSED: Final = 2
FAILED: Final = 3
SUPERSEDED: Final = 4


class Struct(msgspec.Struct, array_like=True, gc=False):
    """A piece of state."""


class Claim(Struct):
    """The statement of one record about one attribute. `kind` is VALUE, CLEAR, RETRACT or DELETE.

    `raised_at`: when a re-assertion brought the confidence; a verdict from before that does not lower it.
    """

    at: Millis
    sequence: int | None
    kind: int
    canonical: str
    value: Value | None = None
    confidence: float | None = None
    complete: bool = True
    verified_by: str | None = None
    deliverable: bool | None = None
    standard: Address | None = None
    raised_at: Millis | None = None

    def key(self) -> tuple[int, bool, int, int, str]:
        """R3: (effective time, sequence, kind, canonical value); an absent sequence is the smallest."""
        return registers.claim_key(self)

    def gives(self) -> bool:
        """True where the claim says something golden could be: a value or a clear."""
        return self.kind <= CLEAR


class Judgement(Struct):
    """A verdict remembered for one canonical input of one record's attribute (R8)."""

    canonical: str
    at: Millis
    confidence: float
    deliverable: bool | None
    standard: Address | None

    def key(self) -> tuple[int, float, bool, list[str]]:
        """Of two verdicts on one input the later holds; at equal time the less confident one."""
        standard = list(self.standard.parts().values()) if self.standard is not None else []
        return (self.at, -self.confidence, self.deliverable is False, standard)


class Held(Struct):
    """One side of a shadow register: what the platform stated, or what it acknowledged (R11a).

    `known` is False after a retract; `seen` is "" where the platform is known to hold nothing.
    """

    at: Millis
    sequence: int | None
    seen: str
    value: Value | None = None
    known: bool = True
    version: int = 0


class Sent(Struct):
    """One value that was commanded, remembered to recognise its echo and to count contradictions (R11, R15)."""

    command_id: str
    version: int
    at: Millis
    seen: str
    value: Value | None
    compared_at: Millis = 0
    outcome: int = UNANSWERED
    acked_at: Millis | None = None
    ended: bool = False
    differed_at: Millis | None = None
    contradicted: bool = False

    def since(self) -> Millis:
        """When it took effect at the earliest: not before the shadow that it was compared with (R11a)."""
        return registers.since(self)

    def in_flight(self) -> bool:
        """Commanded, no receipt yet, nothing different stated since (R12)."""
        return self.outcome == UNANSWERED and not self.ended


class Slot(Struct):
    """All that is known of one attribute, or one consent key, of one record."""

    newest: Claim | None = None
    verified: list[Claim] = []
    confirmed: tuple[Millis, bool, int, str] | None = None
    stated: Held | None = None
    acked: Held | None = None
    sent: list[Sent] = []
    refused: str | None = None
    quarantined: str | None = None
    repairs: int = 0
    repairs_version: int = -1
    asked_at: Millis | None = None
    asked: list[str] = []
    judgements: list[Judgement] = []
    repeat_at: Millis | None = None

    def shadow(self) -> Held | None:
        """R11a: the later of stated and acknowledged, at equal time the acknowledgement; None = unknown."""
        return registers.shadow_of(self)

    def spoken_at(self) -> Millis:
        """The time of the shadow register, also where what it says is that the shadow is unknown."""
        return registers.spoken_at(self)

    def latest_before(self, at: Millis) -> Sent | None:
        """The last command that took effect before `at`; at equal time the command holds, as its receipt does."""
        return registers.latest_before(self, at)

    def pending(self) -> Sent | None:
        """The command in flight, if any: only the last one can be."""
        return registers.pending_of(self)


class Record(Struct):
    """One customer's row in one platform. `open` is False after its deletion; late changes are fenced by it.

    `viewed`: the last full view, which says of every attribute not yet spoken of that there is nothing (R5).
    `home`: the customer under which it was commanded first, where that is another one by now; its commands stay on
    that customer's partition, where its fence is (R14).
    `heard_at`: the Kafka timestamp of its first change, which is its age should it become a customer alone (I3).
    """

    platform: str
    record_id: str
    slots: dict[str, Slot] = {}
    consents: dict[str, Slot] = {}
    open: bool = True
    last_at: Millis = 0
    deleted_at: Millis | None = None
    held: list[str] = []
    appeared: dict[str, Millis] = {}
    firsts: dict[str, Millis] = {}
    viewed: Held | None = None
    home: str | None = None
    heard_at: Millis | None = None


class Golden(Struct):
    """The value that won, and why. `status`: settled, provisional, pinned, cleared."""

    value: Value | None
    canonical: str
    status: str
    record: str | None = None
    at: Millis | None = None
    confidence: float | None = None


class Pin(Struct):
    """A steward's word on an attribute or a consent key, ordered by (`at`, `request_id`) (K1)."""

    at: Millis
    request_id: str
    active: bool
    value: Value | None = None
    by: str | None = None
    why: str | None = None


class Entry(Struct):
    """One consent decision as the fold needs it; the ledger row keeps its evidence whole."""

    decision: str
    at: Millis
    record: str | None
    stated_at: Millis | None = None
    explicit: bool = False
    evidence: bool = False
    method: str | None = None
    expires_at: Millis | None = None
    change_id: str | None = None
    status: str = "accepted"
    expired: bool = False

    def identity(self) -> tuple[str | None, str, Millis | None, str | None]:
        """C2: the same (record, decision, stated time) is one entry; with no time, the same change is."""
        return (self.record, self.decision, self.stated_at, self.change_id if self.stated_at is None else None)


class ConsentState(Struct):
    """The effective state of one key as of the last input, and what records are told of it."""

    state: str
    sendable: bool
    told: str | None = None
    decided_at: Millis = 0
    explicit: bool = False
    carried_at: Millis | None = None
    deadline: Millis | None = None
    lapsed: bool = False


class Reach(Struct):
    """One record's word on whether a contact point can be reached (C6)."""

    at: Millis
    active: bool


class Unanswered(Struct):
    """A command in flight, kept whole in `payload` so that it can be emitted again as it was (R12)."""

    op: str
    platform: str
    record_id: str | None
    caused_by: str
    issued_at: Millis
    since: Millis
    attributes: list[str]
    consents: list[str]
    payload: bytes


class Join(Struct):
    """How another customer became part of this one: which request, by whom and why, and on what evidence (I4).

    `identifier`: the kind that both had, `rule`: what allowed it, `change_ids`: the changes that said so, of `record`;
    all empty where a steward asked for it on no evidence of ours. `sides`: the records of the one and of the other;
    `pins` and `appeared`: what each of the two had of these.
    """

    other_id: str
    at: Millis
    request_id: str
    by: str | None = None
    why: str | None = None
    identifier: str = ""
    rule: str = ""
    change_ids: list[str] = []
    record: str = ""
    sides: list[list[str]] = []
    pins: list[dict[str, Pin]] = []
    appeared: list[dict[str, Millis]] = []


class Intent(Struct):
    """What was agreed to in one checkpoint and is carried out first thing in a later one (`core/moves.py`).

    With a `record` that leaves for `target`, otherwise the whole customer surrenders to `target`.
    """

    request_id: str
    at: Millis
    target: str
    record: str = ""
    evidence: Join | None = None


class OpenCase(Struct):
    """A case of the review queue on these customers, and the key under which it lies there."""

    review_id: str
    key: str
    customers: tuple[str, ...]


class Parting(Struct):
    """From `other` this customer was set apart by an unlink at `at`: commands of before have a version below `version`.

    They may hold the other's values: those to `record`, or, where that is empty, to any record.
    """

    other: str
    version: int
    at: Millis
    record: str = ""


class Moves(Struct):
    """What a customer that took part in a merge or an unlink must remember of it, so that nothing on its way is lost.

    `survivor` makes it an alias; `request_id` is the merge that did. `parted`: unlinked records, and where they went.
    `apart`: customers from which an unlink set it apart, so that only a steward joins them again. `returned`: merges
    that could not be finished, by request, with the customer that was given back. `merged_day` and `merged_count`:
    automatic merges in the last day (days since the epoch) that had any. `cases`: of the review queue, on this customer
    and another one, newest last. `buried_with`: of an alias's tombstone, whom it had become. `partings`: of unlinks.
    """

    survivor: str | None = None
    request_id: str = ""
    parted: dict[str, str] = {}
    apart: list[str] = []
    intents: list[Intent] = []
    returned: dict[str, str] = {}
    merged_day: int = 0
    merged_count: int = 0
    cases: list[OpenCase] = []
    buried_with: str | None = None
    partings: list[Parting] = []


class Customer(Struct):
    """The keyed state. Consent keys are `contact point SEP channel SEP purpose`; see `ConsentKey`.

    `pruned`: keys whose oldest entries are only in the ledger any more. `appeared`: contact points that a pin set.
    `joins`: the customers that became part of this one. `moves`: None but for a customer that took part in one.
    """

    customer_id: str
    born_at: Millis
    version: int = 0
    clock: Millis = 0
    policy_version: str = ""
    records: dict[str, Record] = {}
    golden: dict[str, Golden] = {}
    pins: dict[str, Pin] = {}
    entries: dict[str, list[Entry]] = {}
    consents: dict[str, ConsentState] = {}
    reach: dict[str, dict[str, Reach]] = {}
    unanswered: dict[str, Unanswered] = {}
    creates: dict[str, Slot] = {}
    requests: list[str] = []
    seq: int = 0
    due_at: Millis | None = None
    aliases: list[str] = []
    erased_at: Millis | None = None
    certificate: dict[str, str] = {}
    pruned: list[str] = []
    appeared: dict[str, Millis] = {}
    joins: list[Join] = []
    moves: Moves | None = None


class ConsentKey(NamedTuple):
    """What one consent decision is about (C1)."""

    contact_point: str
    channel: str
    purpose: str


PERSON: Final = "*"
