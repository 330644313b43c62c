"""Contact points: what cannot be read is refused with its reason, and the others of the batch are published."""

from __future__ import annotations

import msgspec
import pytest

from streams.lane import Batch, Emit, Record, Rows
from streams.runtime import topics
from streams.runtime.codecs import public_codec
from streams.runtime.contacts import Contacts, Holding, encode_holding
from streams.runtime.letters import Letters
from streams.runtime.settings import Settings
from tests.property.partitions import Store

POINT = b"+12025550123"
HOLDING = Holding("C1", "sms", "marketing", "opted_out", False, ("opt_out",), 3)
TEXT_THAT_IS_NOT_UTF8 = b"\x01" + msgspec.msgpack.encode(HOLDING).replace(b"marketing", b"\xff\xfeketing")


async def told(*values: bytes | None) -> list[Emit]:
    settings = Settings()
    contacts = Contacts(public_codec(settings), Letters("contacts", settings))
    records = [Record(topics.CONTACTS, 0, n, 1_000, POINT, value, ()) for n, value in enumerate(values)]
    batch = Batch(topics.CONTACTS, 0, records, 1)
    done = await contacts.process(batch, Rows("contacts", Store(), contacts.keys(batch), 1_000_000))
    return list(done.emits)


@pytest.mark.parametrize(
    "value", [b"", b"\x07", b"\x01", encode_holding(HOLDING)[:-3], TEXT_THAT_IS_NOT_UTF8], ids=repr
)
async def test_a_holding_that_cannot_be_read_is_a_dead_letter_and_the_next_one_is_published(value: bytes) -> None:
    emits = await told(value, encode_holding(HOLDING))

    assert [emit.topic for emit in emits] == [topics.DEAD_LETTERS, topics.SUPPRESSIONS]
    assert emits[0].value == value
