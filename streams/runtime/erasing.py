"""The live side of an erasure: what the engine emits for it, and the contact points that it keeps suppressed (K3).

The erasure of a customer is one input of its row. All else follows from messages: identity rows are fenced, contact
points are withdrawn, and the hash of each goes to every partition of `customer.changes`, so that whoever shows the
contact point later finds it in the rows at hand. Between two partitions messages keep their order, and a batch that
comes again gives the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from streams.core.decide import Decision, Input
from streams.core.erasure import Erasure, buried, keyed_hash, shun, suppressed_again, waits
from streams.core.fold import ContactUpdate
from streams.core.foreign import disown, following, is_at_home
from streams.core.forgetting import messages
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.lane import Emit, Record, Rows
from streams.model import Change, Invalid, Millis, Receipt
from streams.runtime import topics
from streams.runtime.binder import encode_message
from streams.runtime.erased_contacts import withdrawals
from streams.runtime.erasure_steps import VERSION, Bury, Disown, Shun, Step, encode_step
from streams.runtime.historian import disowned_emits
from streams.runtime.ledger_markers import markers
from streams.runtime.letters import Letters
from streams.runtime.settings import PREFIX, SettingsError
from streams.runtime.tombstones import follow, tombstone

KEY: Final = f"{PREFIX}ERASURE_KEY"
KEY_BYTES_MIN: Final = 32

# The rows, in every partition of the table `customers`, that say when a contact point was erased; by its hash.
FENCE: Final = b"\x00erased:"
# The row that is there once a partition has a fence; read with every batch, so that without one nothing is looked up.
FENCES: Final = b"\x00erased"


def erasure_key(environment: Mapping[str, str]) -> bytes:
    """The key of the hashes; raises SettingsError, with the variable's name only, where it is missing or short."""
    key = environment.get(KEY, "").encode()
    if not key:
        told = f"{KEY} is missing: {KEY_BYTES_MIN} or more random bytes, the same for every engine, for ever"
        raise SettingsError([told])
    if len(key) < KEY_BYTES_MIN:
        raise SettingsError([f"{KEY}: must have {KEY_BYTES_MIN} bytes or more"])
    return key


def carried_out(state: Customer, step: Step, policy: Policy) -> Decision:
    """Take a message at its customer; one for a customer that is gone changes nothing."""
    contacts: list[ContactUpdate] = []
    if isinstance(step, Shun):
        contacts = shun(state, step.contact_point, step.channels, step.at, policy)
    elif isinstance(step, Bury) and state.erased_at is None:
        state = buried(state.customer_id, step.at)
    elif isinstance(step, Disown) and is_at_home(state, step.customer_id):
        disown(state, step.ids, policy)
    return Decision(state, [], [], [], contacts, [])


def _disowning(customer_id: str, ids: tuple[str, ...], at: Millis) -> Emit:
    value = encode_step(Disown(customer_id, ids, at))
    return Emit(topics.CUSTOMER_CHANGES, customer_id.encode(), value, timestamp_ms=at)


class Erasing:
    """What one engine knows of erasures: the key, and how many partitions to tell."""

    def __init__(self, policy: Policy, key: bytes, partitions: int) -> None:
        self._policy = policy
        self._key = key
        self._partitions = partitions
        self._delivered = topics.delivered_platforms(policy)

    def checked(self, decision: Decision, rows: Rows) -> Decision:
        """The decision with the contact points suppressed that were erased; only new or changed ones are looked up."""

        def erased_at(contact_point: str) -> Millis | None:
            found = rows.get(FENCE + keyed_hash(self._key, contact_point).encode())
            return None if found is None else _time_of(found)

        return suppressed_again(decision, self._policy, erased_at)

    def keep(self, key: bytes, records: Sequence[Record], rows: Rows, letters: Letters) -> tuple[list[Emit], int]:
        """Fences told to every partition, the latest holds; dead letters of what is none, and their number."""
        bad = [one for one in records if not _is_fence(one)]
        values = [rows.get(key), *(one.value for one in records if _is_fence(one))]
        latest = max((one for one in values if one is not None), default=None)
        if latest is not None:
            rows.put(key, latest)
            rows.put(FENCES, VERSION)
        invalid = Invalid("bad_message", "fence")
        return [letters.refuse(one, invalid, "VALUE_CONVERTER", __name__) for one in bad], len(bad)

    def emits(self, record: Record, event: Input | Step, decision: Decision) -> list[Emit]:
        """What follows from an input of an erased customer, or from the erasure itself."""
        state, emits = decision.state, list[Emit]()
        if decision.erasure is not None:
            emits += self._spread(decision.erasure, state)
        if isinstance(event, Receipt):
            emits += follow(record)
            if event.platform in self._delivered and not waits(state, event.platform):
                for one in (state.customer_id, *state.aliases):
                    emits += self._commands_end(event.platform, one, record.timestamp_ms)
        elif isinstance(event, Change):
            emits += follow(record)
        return emits

    def refused(self, record: Record, invalid: Invalid, state: Customer | None, letters: Letters) -> list[Emit]:
        """The dead letter of a record that cannot be taken: of an erased customer's its place and the reason alone."""
        if state is None or state.erased_at is None:
            return [letters.refuse(record, invalid, "TASK_PUT", __name__)]
        return [letters.refuse(record, invalid, "TASK_PUT", __name__, keep=False), *follow(record)]

    def passed_on(self, state: Customer, step: Step) -> list[Emit]:
        """What follows where a customer is told of the erasure of one that it was one with.

        What lies under its key from that time ends; whoever was set apart from it may hold what was erased too.
        """
        if not isinstance(step, Disown):
            return []
        told = following(state, step.customer_id, step.ids)
        emits = [_disowning(one, ids, step.at) for one, ids in told]
        lost = disowned_emits(state, step.ids, step.at) if is_at_home(state, step.customer_id) else []
        if lost:
            for one in (state.customer_id, *state.aliases):
                emits += [tombstone(topic, one.encode(), step.at) for topic in (topics.RECEIPTS, topics.STEWARD)]
                for platform in self._delivered:
                    emits += self._commands_end(platform, one, step.at)
        return emits + lost

    def _spread(self, erasure: Erasure, state: Customer) -> list[Emit]:
        at = erasure.at
        emits = [
            Emit(topics.IDENTITY, key.encode(), encode_message(told), timestamp_ms=at)
            for key, told in messages(erasure, self._policy)
        ]
        for point, pairs in erasure.points.items():
            point_hash = keyed_hash(self._key, point)
            emits += withdrawals(point, point_hash, pairs, erasure)
            emits += self._fences(point_hash, at)
        emits += [tombstone(topics.DEAD_LETTERS, key.encode(), at) for key in _names(erasure)]
        for topic in (topics.NOTES, topics.REVIEWS):
            emits += [tombstone(topic, key.encode(), at) for key in (*erasure.ids, *erasure.records)]
        emits += markers(erasure, state, self._key)
        for one in erasure.ids:
            emits += self._ends(one, state, at)
        emits += [_disowning(one, erasure.ids, at) for one in erasure.apart]
        return emits + [
            Emit(topics.CUSTOMER_CHANGES, one.encode(), encode_step(Bury(at)), timestamp_ms=at)
            for one in erasure.ids[1:]
        ]

    def _ends(self, customer_id: str, state: Customer, at: Millis) -> list[Emit]:
        """The commands of a platform that still has to answer are ended with its answer: the sink must read them."""
        named = [topics.CUSTOMER_CHANGES, topics.RECEIPTS, topics.STEWARD, topics.HISTORY]
        emits = [tombstone(topic, customer_id.encode(), at) for topic in named]
        for platform in self._delivered:
            if not waits(state, platform):
                emits += self._commands_end(platform, customer_id, at)
        return emits

    def _commands_end(self, platform: str, customer_id: str, at: Millis) -> list[Emit]:
        """In every partition: a record's commands stay where they began, also after a merge (R14)."""
        topic, key = topics.commands(platform), customer_id.encode()
        return [tombstone(topic, key, at, one) for one in range(self._partitions)]

    def _fences(self, point_hash: str, at: Millis) -> list[Emit]:
        key, value = FENCE + point_hash.encode(), VERSION + at.to_bytes(8, "big")
        return [Emit(topics.CUSTOMER_CHANGES, key, value, one, at) for one in range(self._partitions)]


_FENCE_BYTES: Final = 9


def _is_fence(record: Record) -> bool:
    key, value = record.key or b"", record.value or b""
    return key.startswith(FENCE) and value[:1] == VERSION and len(value) == _FENCE_BYTES


def _time_of(fence: bytes) -> Millis:
    return int.from_bytes(fence[1:], "big")


def _names(erasure: Erasure) -> list[str]:
    """The keys under which messages of the customer lie in the dead letters, if any do.

    Not its contact points: our own messages alone are keyed by them, and a tombstone would say them once more.
    """
    names = list(erasure.ids)
    for record in erasure.records:
        names += [record, record.partition(":")[2]]  # a platform's own messages are keyed by the id alone
    return names
