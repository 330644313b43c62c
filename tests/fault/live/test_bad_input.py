"""Bad input on every way in: each has a named reason, and the next good change passes."""

from __future__ import annotations

import json
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from streams.codec import PublicCodec
from streams.demo.letters import dead_letters
from streams.demo.stack import Stack
from streams.demo.world import World
from streams.model import Change, ConsentStatement, Identifiers, Statement
from tests.fault.live.deeds import everywhere, new_phone
from tests.integration.live.stacks import running, seen

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

TEN_YEARS_MS = 10 * 365 * 86_400_000
CODEC = PublicCodec()
GOOD = CODEC.encode_change(
    Change("bad-1", "crm", "003Sb0000000099AAA", attributes={"phone": Statement("+13125550190")})
)
LARGE_ROW = json.dumps({"records": [{"Id": "003Sb0000000099AAA", "LastName": "x" * 2_000_000}]}).encode()
LARGE_CHANGE = CODEC.encode_change(Change("bad-3", "crm", "1", attributes={"last_name": Statement("x" * 2_000_000)}))


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as started:
        yield started


@pytest.fixture
async def world(stack: Stack) -> AsyncIterator[World]:
    async with seen(stack) as found:
        yield found


@pytest.mark.parametrize(
    ("topic", "value", "reason"),
    [
        ("changes", b"\xff\xfe\xfd not a change", "wrong_magic"),
        ("changes", b"\xc3\x02" + GOOD[2:], "wrong_magic"),
        ("changes", GOOD[:6], "truncated"),
        ("changes", GOOD[:-3], "truncated"),
        ("changes", b"\x00" + struct.pack(">I", 4711) + GOOD[10:], "unknown_schema"),
        ("changes", None, "null_value"),
        ("changes", GOOD[:10] + b"\xff" * 2_000_000, "bad_field"),
        ("changes", LARGE_CHANGE, "too_long"),
        ("changes", CODEC.encode_change(Change("bad-2", "mars", "1")), "unknown_platform"),
        ("receipts", b"\x07strange", "unknown_version"),
        ("steward", b"\x07strange", "unknown_version"),
        ("customer.changes", b"\x07strange", "unknown_version"),
        ("identity", b"\x07strange", "unknown_version"),
        ("raw.storefront", b'{"id": 7', "no_topic"),
        ("raw.crm", b"\xff\xfe", "bad_json"),
        ("raw.esp", None, "null_value"),
        ("raw.crm", LARGE_ROW, "too_large"),
        ("commands.esp", b"\xff\xfe", "wrong_magic"),
    ],
)
async def test_bad_bytes_become_a_dead_letter_with_its_reason(
    world: World, topic: str, value: bytes | None, reason: str
) -> None:
    before = await dead_letters(world.stack.broker.bootstrap)
    await _send(world, topic, b"somebody", value)

    await _until_lettered(world, before, topic, reason)


async def test_a_record_without_a_key_is_taken_where_its_value_says_whose_it_is(world: World) -> None:
    change = Change("nokey-1", "crm", "003Sb0000000088AAA", identifiers=Identifiers(email=("nokey@example.com",)))
    await _send(world, "changes", None, CODEC.encode_change(change))

    await world.until("not bound", lambda: world.view("customers", "by", "crm", "003Sb0000000088AAA"))


async def test_an_input_of_a_customer_without_a_key_is_a_dead_letter(world: World) -> None:
    before = await dead_letters(world.stack.broker.bootstrap)
    await _send(world, "receipts", None, b"\x01\x80")

    await _until_lettered(world, before, "receipts", "null_key")


async def test_a_clock_ten_years_ahead_is_clamped_and_loses_to_the_next_change(world: World) -> None:
    ahead = time.time_ns() // 1_000_000 + TEN_YEARS_MS
    record, clamped = (
        await world.record("ann", "crm"),
        await world.count("engine", "writeback_notes_total", kind="clamped"),
    )
    change = Change(
        "future-1",
        "crm",
        record,
        observed_at=ahead,
        attributes={"phone": Statement("+13125550191")},
        consents=(
            ConsentStatement("ann@example.com", "email", "marketing", "opt_in", ahead, True, "form", {"form": "1"}),
        ),
    )
    await _send(world, "changes", f"crm:{record}".encode(), CODEC.encode_change(change))

    async def noted() -> bool:
        return await world.count("engine", "writeback_notes_total", kind="clamped") > clamped

    await world.until("nothing was clamped", noted)
    await world.settle()
    started = await new_phone(world, "ann", "+13125550192")
    await everywhere(world, "ann", "+13125550192", started)


async def test_the_largest_id_stays_what_it_is(world: World) -> None:
    view = await _updated(world, 2**63 - 1)

    assert view["records"] == [f"storefront:{2**63 - 1}"]


async def test_an_id_of_two_to_the_63_is_a_dead_letter(world: World) -> None:
    before = await dead_letters(world.stack.broker.bootstrap)
    await _post_update(world, 2**63)

    await _until_lettered(world, before, "raw.storefront", "bad_id")


async def _updated(world: World, number: int) -> dict[str, Any]:
    await _post_update(world, number)
    found = await world.until("not bound", lambda: world.view("customers", "by", "storefront", str(number)))
    return dict(found)


async def _post_update(world: World, number: int) -> None:
    body = json.dumps({"id": number, "email": "big@example.com", "verified_email": True, "first_name": "Big"}).encode()
    headers = await world.sign("storefront", body, "customers/update")

    assert await world.deliver("storefront", body, headers) == (202, {"accepted": True})


async def test_the_stream_goes_on_after_all_of_it(world: World) -> None:
    for topic in ("raw.storefront", "changes", "identity", "customer.changes", "receipts", "steward", "commands.crm"):
        await _send(world, topic, b"somebody", b"\xff\xfe")
    started = await new_phone(world, "esi", "+15125550193")
    await everywhere(world, "esi", "+15125550193", started)


async def _send(world: World, topic: str, key: bytes | None, value: bytes | None) -> None:
    bootstrap = world.stack.broker.bootstrap
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=1, max_request_size=4_000_000) as producer:
        await producer.send_and_wait(topic, value, key=key)


async def _until_lettered(world: World, before: Counter[tuple[str, str]], topic: str, reason: str) -> None:
    async def lettered() -> bool:
        return dict(await dead_letters(world.stack.broker.bootstrap) - before) == {(topic, reason): 1}

    await world.until(f"no dead letter {reason} of {topic}", lettered)
