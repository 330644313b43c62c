"""An erasure through every process: each platform is told, nothing comes back, a later sign-up is somebody new (K3)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka import AIOKafkaProducer

from streams.codec import PublicCodec
from streams.demo.stack import Stack
from streams.demo.stories.story import PEOPLE
from streams.demo.world import World
from streams.lane import partition_of
from streams.model import Change, ConsentStatement, Identifiers, Statement, parse_time
from tests.fault.live.deeds import killed_by_itself, restart
from tests.integration.live.erasures import VALUES, ZOE, ask, certified, customer_of, everything, hits
from tests.integration.live.stacks import running, seen

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

FLEUR = ZOE.email or ""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(people=(ZOE, PEOPLE[0])) as started:
        yield started


@pytest.fixture
async def world(stack: Stack) -> AsyncIterator[World]:
    async with seen(stack) as found:
        yield found


async def tell(stack: Stack, change: Change) -> None:
    async with AIOKafkaProducer(bootstrap_servers=stack.broker.bootstrap) as producer:
        key = change.record.encode()
        partition = partition_of(key, 2)
        await producer.send_and_wait("changes", PublicCodec().encode_change(change), key, partition=partition)


async def test_an_erasure_ends_with_its_certificate_and_nothing_comes_back(stack: Stack, world: World) -> None:
    customer_id = await customer_of(world, "zoe")
    record = await world.record("zoe", "crm")
    others = await customer_of(world, "ann")
    await restart(stack, "engine", WRITEBACK_FAULT_STEP="3", WRITEBACK_FAULT_AGENT="engine", WRITEBACK_TICK_S="3600")
    await ask(stack, customer_id, "erase")
    await killed_by_itself(stack, "engine")
    stack.launch("engine")
    await stack.ready("engine")

    assert await certified(world, customer_id) == {"storefront": "acked", "crm": "acked", "esp": "acked"}
    held = await world.person("zoe")
    assert not [value for value in VALUES if value in json.dumps(held)]

    late = Change("late", "crm", record, observed_at=1, attributes={"first_name": Statement("Zoraida")})
    await tell(stack, late)
    await tell(stack, Change("named", "esp", "p-named", observed_at=1, customer_id=customer_id))
    await world.settle()
    view = await world.view("customers", customer_id)

    assert view is not None
    assert view["erased"] is True
    assert await world.view("customers", "by", "crm", record) is None
    assert await world.view("customers", "by", "email", FLEUR) is None
    assert (await world.view("customers", others) or {})["attributes"]["first_name"]["value"] == "Ann"


async def test_a_request_about_an_erased_customer_is_refused_by_name_and_not_kept(stack: Stack, world: World) -> None:
    customer_id = await _erased(stack, world)
    before = await world.count("engine", "writeback_dead_letters_total", reason="erased_customer")

    await ask(stack, customer_id, "pin", attribute="first_name", value="Zoraida")
    await world.settle()

    assert await world.count("engine", "writeback_dead_letters_total", reason="erased_customer") == before + 1
    assert hits({"dead-letters": (await everything(stack.broker))["dead-letters"]}) == {}


async def test_a_later_sign_up_is_a_new_customer_suppressed_until_it_opts_in(stack: Stack, world: World) -> None:
    customer_id = await _erased(stack, world)
    erased_at = await _erased_at(world, customer_id)

    def signed_up(second: int, *consents: ConsentStatement) -> Change:
        at, mail = erased_at + second * 1000, Identifiers(email=(FLEUR,))
        return Change(
            f"up {second}", "storefront", "77001", "event", "upsert", at, identifiers=mail,
            attributes={"email": Statement(FLEUR)}, consents=consents,
        )  # fmt: skip

    await tell(stack, signed_up(1))
    await world.settle()
    reborn = await world.view("customers", "by", "email", FLEUR)
    assert reborn is not None
    assert reborn["customer_id"] != customer_id
    assert set(reborn["attributes"]) == {"email"}
    assert [(one["sendable"], one["reasons"]) for one in reborn["consents"]] == [(False, ["unknown", "erased"])]

    opt_in = ConsentStatement(FLEUR, "email", "marketing", "opt_in", erased_at + 2000, True, "checkbox", {"form": "f"})
    await tell(stack, signed_up(2, opt_in))
    await world.settle()
    reborn = await world.view("customers", "by", "email", FLEUR)
    assert reborn is not None
    assert [one["sendable"] for one in reborn["consents"]] == [True]


async def _erased(stack: Stack, world: World) -> str:
    """Zoe's customer, erased here if no other test has done so."""
    gone = [one async for one in _erased_ids(stack)]
    if gone:
        return gone[0]
    customer_id = await customer_of(world, "zoe")
    await ask(stack, customer_id, "erase")
    await certified(world, customer_id)
    return customer_id


async def _erased_ids(stack: Stack) -> AsyncIterator[str]:
    for kept in (await everything(stack.broker)).get("steward", []):
        key, _, value = kept.partition(b"\n")
        if b'"erase"' in value:
            yield key.decode()


async def _erased_at(world: World, customer_id: str) -> int:
    view = await world.view("customers", customer_id)
    assert view is not None
    return parse_time(view["erased_at"])
