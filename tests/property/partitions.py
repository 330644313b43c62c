"""The engine's processors over partitions in memory: any schedule, any batches, and crashes between the steps.

Each partition of a topic keeps its order, all else is chance: which partition is read next, how many records a batch
has, and whether the worker dies after its records for others are out (its rows lost) or after its rows are written
(its offset lost). After a death what is not acknowledged is read again, in batches of other sizes, and the topics in
another order.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from streams.codec import PublicCodec
from streams.codec.internal import decode_receipt, encode
from streams.codec.state import decode_customer
from streams.core.digest import digest
from streams.core.moves import remembered
from streams.core.rules import Policy
from streams.core.state import Customer
from streams.delivery.fence import Done as Applied
from streams.delivery.fence import Fence, Passes
from streams.lane import Batch, Done, Emit, Record, Rows, partition_of
from streams.model import Change, Command, Receipt, StewardRequest
from streams.runtime import topics
from streams.runtime.binder import Binder
from streams.runtime.contacts import ContactRow, Contacts, decode_contact_row
from streams.runtime.engine import Engine
from streams.runtime.erasing import Erasing
from streams.runtime.letters import Letters
from streams.runtime.reviews import Reviews
from streams.runtime.settings import Settings
from streams.runtime.tombstones import Living

PARTITIONS = 3
LIMIT_BYTES = 1_000_000
KEY = b"k" * 32


class Store:
    """One partition of one table."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.local: dict[bytes, bytes] = {}

    def read_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        return {key: self.rows.get(key) for key in keys}

    def read(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def read_local(self, key: bytes) -> bytes | None:
        return self.local.get(key)

    def scan_local(self, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        return sorted((key, value) for key, value in self.local.items() if start <= key < stop)[:limit]

    def write(self, rows: Rows) -> None:
        for held, written in ((self.rows, rows.written), (self.local, rows.local)):
            for key, value in written.items():
                if value is None:
                    held.pop(key, None)
                else:
                    held[key] = value


class Sink:
    """Platforms that apply what the fence lets pass, and answer."""

    def __init__(self, codec: PublicCodec) -> None:
        self._codec = codec
        self.holds: dict[str, dict[str, Any]] = defaultdict(dict)
        self.told: list[Command] = []
        self.superseded: list[Command] = []

    def keys(self, batch: Batch) -> Iterable[bytes]:
        return ()

    async def process(self, batch: Batch, rows: Rows) -> Done:
        return Done([self._answer(self._codec.decode_command(record.value), record, rows) for record in batch.records])

    def _answer(self, command: Command, record: Record, rows: Rows) -> Emit:
        fence = Fence(rows)
        outcome, at = "superseded", record.timestamp_ms
        match fence.judge(command):
            case Passes(passed):
                outcome = "applied"
                self._apply(passed)
                fence.applied(passed, at, None)
            case Applied(_, at, _):
                outcome = "applied"
            case _:
                self.superseded.append(command)
        receipt = Receipt(outcome, command.command_id, command.customer_id, command.platform, command.record_id, at=at)
        return Emit(topics.RECEIPTS, command.customer_id.encode(), encode(receipt), timestamp_ms=at)

    def _apply(self, command: Command) -> None:
        self.told.append(command)
        held = self.holds[f"{command.platform}:{command.record_id}"]
        held.update({name: told.value for name, told in command.attributes.items()})


class Stack:
    """All processors of an engine, and the platforms, over partitions that live in memory."""

    def __init__(self, policy: Policy, seed: int, deaths: float = 0.0, limit_bytes: int = LIMIT_BYTES) -> None:
        self.policy, self.codec, self.deaths = policy, PublicCodec(), deaths
        self._chance = random.Random(seed)
        self._limit_bytes = limit_bytes
        letters = Letters("test", Settings(record_max_bytes=limit_bytes))
        self.sink = Sink(self.codec)
        binder = Binder(policy, self.codec, letters, PARTITIONS, KEY)
        engine = Engine(policy, self.codec, letters, limit_bytes, 100, PARTITIONS, Erasing(policy, KEY, PARTITIONS))
        engine_topics = (topics.CUSTOMER_CHANGES, topics.RECEIPTS, topics.STEWARD, topics.TICKS)
        self._agents: dict[str, tuple[str, Any]] = {
            **dict.fromkeys((topics.CHANGES, topics.IDENTITY), ("identity", Living(binder))),
            **dict.fromkeys(engine_topics, ("customers", Living(engine))),
            **dict.fromkeys((topics.NOTES, topics.REVIEWS), ("reviews", Reviews(letters, 1000, 1000))),
            topics.CONTACTS: ("contacts", Living(Contacts(self.codec, letters))),
            **{topics.commands(one): (f"fence-{one}", Living(self.sink)) for one in policy.platforms},
        }
        self.stores: dict[tuple[str, int], Store] = defaultdict(Store)
        self.logs: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self._offsets: dict[tuple[str, int], int] = defaultdict(int)
        self._committed: dict[tuple[str, int], int] = defaultdict(int)

    # Input

    def change(self, change: Change, at: int) -> None:
        """A change on the topic `changes`, keyed by its record."""
        self.send(Emit(topics.CHANGES, change.record.encode(), self.codec.encode_change(change), timestamp_ms=at))

    def ask(self, customer_id: str, request: StewardRequest, at: int) -> None:
        """A steward's request."""
        self.send(Emit(topics.STEWARD, customer_id.encode(), encode(request), timestamp_ms=at))

    def tick(self, at: int) -> None:
        """The clock, in every partition."""
        for partition in range(PARTITIONS):
            self.send(Emit(topics.TICKS, None, b"{}", partition, at))

    def send(self, emit: Emit) -> None:
        """Append a record to its partition."""
        partition = emit.partition
        if partition is None:
            partition = partition_of(emit.key, PARTITIONS) if emit.key is not None else 0
        log = self.logs[(emit.topic, partition)]
        at = emit.timestamp_ms or 0
        log.append(Record(emit.topic, partition, len(log), at, emit.key, emit.value, tuple(emit.headers)))

    # Work

    def drain(self) -> None:
        """Work until every partition has been read to its end and acknowledged."""
        steps = 0
        while self.work_once():
            steps += 1
            assert steps < 20_000, "nothing comes to rest"
        self._committed.update(self._offsets)

    def work_once(self) -> bool:
        """Take one batch of any partition; False where nothing is left to take."""
        waiting = [at for at, log in sorted(self.logs.items()) if at[0] in self._agents and self._left(at)]
        if waiting:
            self._step(*self._chance.choice(waiting))
        return bool(waiting)

    def work_through(self, topic: str) -> None:
        """Take all that is waiting on one topic now."""
        for at in [(topic, partition) for partition in range(PARTITIONS)]:
            while self._left(at):
                self._step(*at)

    def send_first(self, topic: str, key: bytes, value: bytes, at: int) -> None:
        """Put a record before everything that is not read yet in its partition."""
        place = (topic, partition_of(key, PARTITIONS))
        log, waiting = self.logs[place][: self._offsets[place]], self.logs[place][self._offsets[place] :]
        self.logs[place] = log
        self.send(Emit(topic, key, value, timestamp_ms=at))
        for record in waiting:
            self.replay(record)

    def replay(self, record: Record) -> None:
        """Append a record as it was to the partition it came from, as a dead letter is sent back."""
        self.send(Emit(record.topic, record.key, record.value, record.partition, record.timestamp_ms, record.headers))

    def _left(self, at: tuple[str, int]) -> bool:
        return self._offsets[at] < len(self.logs[at])

    def _step(self, topic: str, partition: int) -> None:
        table, processor = self._agents[topic]
        begin = self._offsets[(topic, partition)]
        records = self.logs[(topic, partition)][begin : begin + self._chance.choice((1, 1, 2, 5, 50))]
        batch = Batch(topic, partition, records, 1)
        store = self.stores[(table, partition)]
        rows = Rows(table, store, processor.keys(batch), self._limit_bytes)  # type: ignore[arg-type]
        done = _run(processor.process(batch, rows))
        dies = self._chance.random() < self.deaths
        for emit in done.emits:
            assert len(emit.key or b"") + len(emit.value or b"") <= self._limit_bytes
            self.send(emit)
        if dies and self._chance.random() < 0.5:
            self._die()
            return
        store.write(rows)
        self._offsets[(topic, partition)] += len(records) if done.done_offset is None else done.done_offset + 1 - begin
        if dies:
            self._die()
        elif self._chance.random() < 0.3:
            self._committed.update(self._offsets)

    def _die(self) -> None:
        """What was not committed is read again."""
        self._offsets = defaultdict(int, self._committed)

    # What came of it

    def state(self, customer_id: str) -> Customer | None:
        """The row of a customer, an alias too."""
        key = customer_id.encode()
        stored = self.stores[("customers", partition_of(key, PARTITIONS))].rows.get(key)
        return decode_customer(stored) if stored is not None else None

    def customers(self) -> list[Customer]:
        """All that are no alias."""
        rows = [
            decode_customer(value)
            for (table, _), store in sorted(self.stores.items())
            if table == "customers"
            for key, value in sorted(store.rows.items())
            if key[:1] != b"\x00"
        ]
        return [state for state in rows if remembered(state).survivor is None]

    def digest(self) -> str:
        """What the rules make equal for every order."""
        return digest(self.customers())

    def holders(self, contact_point: str) -> ContactRow:
        """Who holds a contact point, as it is published."""
        key = contact_point.encode()
        stored = self.stores[("contacts", partition_of(key, PARTITIONS))].rows.get(key)
        return decode_contact_row(stored) if stored is not None else ContactRow()

    def written(self, topic: str) -> list[Record]:
        """All records of a topic."""
        return [record for (name, _), log in sorted(self.logs.items()) if name == topic for record in log]

    def receipts(self) -> list[Receipt]:
        """All receipts."""
        return [decode_receipt(record.value) for record in self.written(topics.RECEIPTS)]


def _run(coroutine: Any) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("a processor waited")
