"""Known records: the rows that binding and folding leave of people who have spoken before, and what they say next.

The rows are made by the product's own steps for a few people; those of all the others are the same with other names in
them, which `check` shows. Every second customer has three records, the others two.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice, product
from string import ascii_lowercase

from benchmarks import generate
from benchmarks.subject import fold
from streams.codec import PublicCodec, change_from_json
from streams.codec.internal import encode
from streams.codec.state import encode_row
from streams.core.identity import Arrive, Message, Row, row_key, step
from streams.lane import Batch, Record, Rows, partition_of
from streams.model import Change, ConsentStatement, Identifiers, Statement
from streams.policy import load_policy
from streams.runtime import topics
from streams.runtime.contacts import Contacts
from streams.runtime.letters import Letters
from streams.runtime.settings import Settings

FIRST = 1_000_000
RECORDS_PER_CUSTOMER = 2.5
TABLES = ("identity", "customers", "contacts")
"""What is left, by the names of the engine's tables."""

Left = dict[str, dict[bytes, bytes]]

_MODELS = (9_876_542, 9_876_543)  # nobody's numbers; an even one and an odd one
_CHECKED = 20
_BORN_MS = generate.START_MS - 86_400_000
_MARKS = ["".join(pair) for pair in product(ascii_lowercase, repeat=2)]
_ROW_MAX_BYTES = 1_000_000


class People:
    """The people whose `records` are known, on topics of `partitions`.

    All records of one customer lie on one partition, so that the order of its changes, and with it all that the engine
    writes, does not depend on which partition is read first.
    """

    def __init__(self, records: int, partitions: int) -> None:
        self.records = records
        self.customers = round(records / RECORDS_PER_CUSTOMER)
        self._partitions = partitions
        self._known_names: dict[int, list[bytes]] = {}

    @property
    def numbers(self) -> range:
        """One number for each customer."""
        return range(FIRST, FIRST + self.customers)

    def rows(self, table: str) -> Iterator[tuple[bytes, bytes, int]]:
        """Key and row of everybody, with a timestamp, as the table's changelog has them."""
        for number in self.numbers:
            model = _MODELS[number % 2]
            swaps = list(zip(self._names(model), self._names(number), strict=True))
            for key, row in self._left[number % 2][table].items():
                yield _swapped(key, swaps), _swapped(row, swaps), _BORN_MS

    def check(self) -> None:
        """Raise AssertionError unless the rows of some people are, to the byte, what the product's steps make."""
        some = random.Random(7).sample(self.numbers, min(_CHECKED, self.customers))
        for number in (*some, *self.numbers[:2], *self.numbers[-2:]):
            swaps = list(zip(self._names(_MODELS[number % 2]), self._names(number), strict=True))
            for table, rows in self._left[number % 2].items():
                made = {_swapped(key, swaps): _swapped(row, swaps) for key, row in rows.items()}
                assert made == self.left(number)[table], f"{table}: the rows of {number} are others"

    def left(self, number: int) -> Left:
        """What the product's steps leave of one customer's first changes, by table."""
        told = [self._first(platform, number) for platform in _platforms(number)]
        customer, contacts = _folded(told)
        return {
            "identity": _bound(told),
            "customers": {_customer(number).encode(): customer},
            "contacts": asyncio.run(_held(contacts)),
        }

    def changes(self, count: int) -> Iterator[tuple[bytes, bytes, int]]:
        """Key, value and timestamp of `count` changes of random known records, for the topic `changes`."""
        codec = PublicCodec()
        for at, change in islice(self._said(), count):
            yield change.record.encode(), codec.encode_change(change), at

    def _said(self) -> Iterator[tuple[int, Change]]:
        """What people say who have more than one record, which is seldom one after the other."""
        for keyed in generate.changes(1 << 40, self.customers, first=FIRST):
            number, platform = int(keyed.customer_id[1:]), keyed.change["platform"]
            if platform in _platforms(number):
                named = {**keyed.change, "record_id": self._record_id(platform, number)}
                yield keyed.timestamp_ms, change_from_json(named)

    @cached_property
    def _left(self) -> list[Left]:
        return [self.left(model) for model in _MODELS]

    def _names(self, number: int) -> list[bytes]:
        """What tells one customer's rows from another's, all of the same length; the number last, as others hold it."""
        found = self._known_names.get(number)
        if found is None:
            records = [self._record_id(platform, number).encode() for platform in _platforms(number)]
            found = self._known_names[number] = [*records, _phone(number).encode(), b"%d" % number]
        return found

    def _record_id(self, platform: str, number: int) -> str:
        home = number % self._partitions
        plain = f"{platform[:2]}{number}"
        for mark in _MARKS:
            if partition_of(f"{platform}:{plain}{mark}".encode(), self._partitions) == home:
                return plain + mark
        raise AssertionError("no such name")

    def _first(self, platform: str, number: int) -> Change:
        email, phone = email_of(number), _phone(number)
        return Change(
            change_id=f"first-{platform}-{number}",
            platform=platform,
            record_id=self._record_id(platform, number),
            observed_at=_BORN_MS,
            actor="customer",
            customer_id=_customer(number),
            identifiers=Identifiers((email,), (phone,), (f"loyalty:lo{number}",)),
            attributes={name: Statement(value) for name, value in (("email", email), ("phone", phone))},
            consents=(_opt_in(email),),
        )


def email_of(number: int) -> str:
    """A customer's only address."""
    return f"person{number}@example.com"


def _platforms(number: int) -> Sequence[str]:
    return generate.PLATFORMS if number % 2 == 0 else generate.PLATFORMS[:2]


def _customer(number: int) -> str:
    return f"C{number}"


def _phone(number: int) -> str:
    return f"+1{201 + number % 700}5550{100 + number % 100}"


def _opt_in(email: str) -> ConsentStatement:
    return ConsentStatement(
        contact_point=email,
        channel="email",
        purpose="marketing",
        decision="opt_in",
        at=_BORN_MS,
        explicit=True,
        method="preference_center",
    )


def _swapped(stored: bytes, swaps: Iterable[tuple[bytes, bytes]]) -> bytes:
    for old, new in swaps:
        stored = stored.replace(old, new)
    return stored


def _bound(told: Iterable[Change]) -> dict[bytes, bytes]:
    """The identity rows, by the steps of binding."""
    policy = load_policy()
    rows: dict[str, Row] = {}
    for change in told:
        waiting: deque[tuple[str, Message]] = deque([(row_key(change), Arrive(change))])
        while waiting:
            key, message = waiting.popleft()
            hop = step(key, rows.get(key, Row()), message, _BORN_MS, policy)
            rows[key] = hop.row
            waiting += hop.sends
    return {key.encode(): encode_row(row) for key, row in rows.items()}


def _folded(told: Iterable[Change]) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The customer's state, and what is told about e-mail addresses.

    Phones are left out: the numbers that are set aside for fiction are too few for so many people.
    """
    state: bytes | None = None
    contacts: list[tuple[bytes, bytes]] = []
    for change in told:
        state, outputs = fold(state, encode(change), _BORN_MS)
        contacts += [(key, value) for topic, key, value in outputs if topic == topics.CONTACTS and b"@" in key]
    assert state is not None
    return state, contacts


async def _held(contacts: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The contact points' rows."""
    told = [Record(topics.CONTACTS, 0, n, _BORN_MS, key, value) for n, (key, value) in enumerate(contacts)]
    rows = Rows("contacts", _Nothing(), (), _ROW_MAX_BYTES)
    await Contacts(PublicCodec(), Letters("benchmarks", Settings())).process(Batch(topics.CONTACTS, 0, told, 0), rows)
    return {key: row for key, row in rows.written.items() if row is not None}


class _Nothing:
    """A table in which nothing is."""

    def read_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        return {}

    def read(self, key: bytes) -> bytes | None:
        return None

    def read_local(self, key: bytes) -> bytes | None:
        return None

    def scan_local(self, start: bytes, stop: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        return []
