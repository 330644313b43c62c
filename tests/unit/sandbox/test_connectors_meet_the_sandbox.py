"""The real connectors cannot tell the sandbox from the vendors: their clients write to it, they read its webhooks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from streams.connectors import connector
from streams.connectors.base import Answer, Applied, Client, Later, Refused, Translation
from streams.model import Address, Assignment, Change, Command, ConsentOrder
from streams.sandbox import POPULATION, Sandbox
from tests.unit.sandbox.conftest import Delivered, Gateway

VENDORS = {"storefront": "shopify", "crm": "salesforce", "esp": "klaviyo", "validator": "smarty"}
NEW_HOME = Address("77 Lakeview Ave", "Apt 5", "Chicago", "IL", "60601", "US")


def settings_of(sandbox: Sandbox, platform: str) -> dict[str, str]:
    """What the delivery would read from the environment for this platform."""
    prefix = f"WRITEBACK_{platform.upper()}_"
    given = {name.removeprefix(prefix): v for name, v in sandbox.environment().items() if name.startswith(prefix)}
    declared = {setting.name: setting.default for setting in connector(VENDORS[platform]).settings}
    return {**{name: default for name, default in declared.items() if default is not None}, **given}


def command(platform: str, record_id: str | None, op: Any = "update", **said: Any) -> Command:
    return Command(
        command_id="c1",
        customer_id="C1",
        platform=platform,
        record_id=record_id,
        golden_version=1,
        op=op,
        reason="survivorship",
        caused_by="evt-1",
        issued_at=0,
        **said,
    )


def opting(decision: Any, point: str = "ann@example.com", channel: str = "email") -> tuple[ConsentOrder, ...]:
    decided_at = time.time_ns() // 1_000_000 - 5_000
    return (ConsentOrder(point, channel, "marketing", decision, decided_at, explicit=True),)


def values(**attributes: Any) -> dict[str, Assignment]:
    return {name: Assignment(clear=True) if value is None else Assignment(value) for name, value in attributes.items()}


def translated(sandbox: Sandbox, delivered: Delivered) -> Translation:
    """What the gateway and the intake make of one webhook."""
    reading = connector(VENDORS[delivered.platform])
    now = time.time_ns() // 1_000_000
    reading.verify(delivered.headers, delivered.body, settings_of(sandbox, delivered.platform), now)
    return reading.translate(delivered.platform, delivered.headers, delivered.body)


def changes_of(sandbox: Sandbox, gateway: Gateway, platform: str) -> list[Change]:
    return [change for one in gateway.of(platform) for change in translated(sandbox, one).changes]


class Clients:
    """The real clients, opened on demand."""

    def __init__(self, sandbox: Sandbox, stack: AsyncExitStack) -> None:
        self._sandbox, self._stack = sandbox, stack

    async def open(self, platform: str, **changed: str) -> Client:
        settings = {**settings_of(self._sandbox, platform), **changed}
        client = connector(VENDORS[platform]).client(platform, settings)
        await client.open()
        self._stack.push_async_callback(client.close)
        return client

    async def tell(self, platform: str, record_id: str | None, op: Any = "update", **said: Any) -> Answer:
        client = await self.open(platform)
        (answer,) = await client.deliver([command(platform, record_id, op, **said)])
        return answer


@pytest.fixture
async def clients(sandbox: Sandbox) -> AsyncIterator[Clients]:
    async with AsyncExitStack() as stack:
        yield Clients(sandbox, stack)


@pytest.mark.parametrize("platform", VENDORS)
def test_the_environment_names_what_the_connector_declares(platform: str) -> None:
    sandbox = Sandbox(environment={})
    sandbox.addresses = dict.fromkeys(VENDORS, "http://127.0.0.1:1")
    prefix = f"WRITEBACK_{platform.upper()}_"
    given = {name.removeprefix(prefix) for name in sandbox.environment() if name.startswith(prefix)}
    declared = connector(VENDORS[platform]).settings

    assert given <= {setting.name for setting in declared}
    assert {setting.name for setting in declared if setting.default is None} <= given
    assert {setting.name for setting in declared if setting.secret} <= given


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_values_are_written_and_held(
    sandbox: Sandbox, clients: Clients, ann: dict[str, str], platform: str
) -> None:
    said = values(first_name="Anna", phone="+13125550177", shipping_address=NEW_HOME)
    answer = await clients.tell(platform, ann[platform], attributes=said)

    held = sandbox.holds(platform, ann[platform]).attributes
    assert isinstance(answer, Applied), answer
    assert held["first_name"] == "Anna"
    assert held["phone"] == {"crm": "(312) 555-0177"}.get(platform, "+13125550177")
    country = {"esp": "United States"}.get(platform, "US")
    assert held["shipping_address"] == {**NEW_HOME.parts(), "country": country}


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_what_was_written_can_be_cleared(
    sandbox: Sandbox, clients: Clients, ann: dict[str, str], platform: str
) -> None:
    answer = await clients.tell(platform, ann[platform], attributes=values(phone=None))

    assert isinstance(answer, Applied), answer
    assert sandbox.holds(platform, ann[platform]).attributes["phone"] is None


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_an_opt_out_is_told_and_held(
    sandbox: Sandbox, clients: Clients, ann: dict[str, str], platform: str
) -> None:
    answer = await clients.tell(platform, ann[platform], consents=opting("opt_out"))

    assert isinstance(answer, Applied), answer
    assert sandbox.holds(platform, ann[platform]).consents["email"] == "unsubscribed"


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_an_explicit_opt_in_is_told_and_held(sandbox: Sandbox, clients: Clients, platform: str) -> None:
    record = sandbox.seed_everywhere()["dmitri"][platform]
    answer = await clients.tell(platform, record, consents=opting("opt_in", "dmitri@example.com"))

    assert isinstance(answer, Applied), answer
    assert sandbox.holds(platform, record).consents["email"] in ("subscribed", "not_opted_out")


@pytest.mark.parametrize("platform", ["storefront", "esp"])
async def test_an_opt_out_of_text_messages_is_told_and_held(sandbox: Sandbox, clients: Clients, platform: str) -> None:
    record = sandbox.seed_everywhere()["chloe"][platform]
    answer = await clients.tell(platform, record, consents=opting("opt_out", "+12125550103", "sms"))

    assert isinstance(answer, Applied), answer
    assert sandbox.holds(platform, record).consents["sms"] == "unsubscribed"


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_a_create_makes_one_record_however_often_it_is_sent(
    sandbox: Sandbox, clients: Clients, platform: str
) -> None:
    said = values(first_name="New", last_name="Person", email="new@example.com", shipping_address=NEW_HOME)
    first = await clients.tell(platform, None, "create", attributes=said)
    second = await clients.tell(platform, None, "create", attributes=said)

    assert isinstance(first, Applied), first
    assert isinstance(second, Applied), second
    assert sandbox.simulators[platform].record_ids() == [first.record_id] == [second.record_id]
    assert sandbox.holds(platform, first.record_id or "").attributes["shipping_address"]["city"] == "Chicago"


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_an_erasure_leaves_nothing(
    sandbox: Sandbox, clients: Clients, ann: dict[str, str], platform: str
) -> None:
    answer = await clients.tell(platform, ann[platform], "erase")
    await sandbox.settled()

    assert isinstance(answer, Applied), answer
    assert ann[platform] not in sandbox.simulators[platform].record_ids()


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_a_record_can_be_fetched_until_it_is_gone(
    sandbox: Sandbox, clients: Clients, ann: dict[str, str], platform: str
) -> None:
    client = await clients.open(platform)
    change = await client.fetch(ann[platform])
    sandbox.edit(platform, "delete", record_id=ann[platform])
    gone = await client.fetch(ann[platform])

    assert change is not None
    assert change.op == "restate"
    assert change.attributes["email"].value == "ann@example.com"
    assert {consent.decision for consent in change.consents} <= {"opt_in"}
    assert gone is None


async def test_the_validator_confirms_and_corrects(clients: Clients) -> None:
    typed = Address("77 lakeview avenue", "apt 5", "chicago", "IL", "60601", "US")
    said = {"shipping_address": Assignment(typed)}
    answer = await clients.tell("validator", "crm:003xx", "validate", attributes=said)

    assert isinstance(answer, Applied), answer
    (verdict,) = answer.changes[0].verdicts
    assert (verdict.record, verdict.confidence, verdict.deliverable) == ("crm:003xx", 0.98, True)
    assert verdict.standardized is not None
    assert verdict.standardized.line1.startswith("77 Lakeview Ave")


@pytest.mark.parametrize(
    ("line1", "most"), [("1 Nowhere Blvd", 0.0), ("77 Lakeview Ave", 0.6), ("77 Lakeview Ave Apt 99", 0.7)]
)
async def test_the_validator_doubts(clients: Clients, line1: str, most: float) -> None:
    typed = Address(line1, "", "Chicago", "IL", "60601", "US")
    said = {"shipping_address": Assignment(typed)}
    answer = await clients.tell("validator", "crm:003xx", "validate", attributes=said)

    assert isinstance(answer, Applied), answer
    assert answer.changes[0].verdicts[0].confidence <= most


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_a_platform_that_is_down_or_throttles_is_waited_for(
    sandbox: Sandbox, clients: Clients, ann: dict[str, str], platform: str
) -> None:
    said = values(first_name="Anna")
    sandbox.fault(platform, down_s=60)
    down = await clients.tell(platform, ann[platform], attributes=said)
    sandbox.switches[platform].clear()
    sandbox.fault(platform, throttle_next=5, retry_after_s=3)
    throttled = await clients.tell(platform, ann[platform], attributes=said)
    sandbox.switches[platform].clear()
    fine = await clients.tell(platform, ann[platform], attributes=said)

    assert isinstance(down, Later)
    assert down.whole_platform
    assert isinstance(throttled, Later)
    assert throttled.whole_platform
    assert isinstance(fine, Applied), fine


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_a_write_whose_answer_vanished_may_be_sent_again(
    sandbox: Sandbox, gateway: Gateway, clients: Clients, ann: dict[str, str], platform: str
) -> None:
    client = await clients.open(platform)
    sandbox.fault(platform, vanish_next=1)
    said = command(platform, ann[platform], attributes=values(first_name="Anna"))
    (lost,) = await client.deliver([said])
    applied = sandbox.holds(platform, ann[platform]).attributes["first_name"]
    (again,) = await client.deliver([said])
    await sandbox.settled()

    assert isinstance(lost, Later)
    assert applied == "Anna"
    assert isinstance(again, Applied), again


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_a_create_whose_answer_vanished_makes_no_second_record(
    sandbox: Sandbox, clients: Clients, platform: str
) -> None:
    client = await clients.open(platform)
    sandbox.fault(platform, vanish_next=1)
    said = command(platform, None, "create", attributes=values(last_name="Person", email="new@example.com"))
    (lost,) = await client.deliver([said])
    (again,) = await client.deliver([said])

    assert isinstance(lost, Later)
    assert isinstance(again, Applied), again
    assert sandbox.simulators[platform].record_ids() == [again.record_id]


async def test_a_locked_row_waits_alone(sandbox: Sandbox, clients: Clients, ann: dict[str, str]) -> None:
    client = await clients.open("crm")
    await client.fetch(ann["crm"])
    sandbox.fault("crm", lock_next=1)
    ben = sandbox.people["ben"]["crm"]
    said = [command("crm", record, attributes=values(first_name="New")) for record in (ann["crm"], ben)]
    locked, fine = await client.deliver(said)

    assert isinstance(locked, Later)
    assert not locked.whole_platform
    assert isinstance(fine, Applied), fine


async def test_an_ended_session_is_renewed(sandbox: Sandbox, clients: Clients, ann: dict[str, str]) -> None:
    client = await clients.open("crm")
    await client.fetch(ann["crm"])
    sandbox.edit("crm", "expire_sessions")
    (answer,) = await client.deliver([command("crm", ann["crm"], attributes=values(first_name="Anna"))])

    assert isinstance(answer, Applied), answer


@pytest.mark.parametrize(
    ("platform", "secret"), [("storefront", "ACCESS_TOKEN"), ("crm", "CLIENT_SECRET"), ("esp", "API_KEY")]
)
async def test_wrong_credentials_stop_the_platform_and_refuse_nothing(
    clients: Clients, ann: dict[str, str], platform: str, secret: str
) -> None:
    client = await clients.open(platform, **{secret: "wrong"})
    (answer,) = await client.deliver([command(platform, ann[platform], attributes=values(first_name="Anna"))])

    assert isinstance(answer, Later)
    assert answer.whole_platform


async def test_somebody_else_s_email_is_refused(sandbox: Sandbox, clients: Clients, ann: dict[str, str]) -> None:
    for platform in ("storefront", "esp"):
        answer = await clients.tell(platform, ann[platform], attributes=values(email="ben@example.com"))

        assert isinstance(answer, Refused)


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_every_own_write_comes_back_as_a_change_that_reads(
    sandbox: Sandbox, gateway: Gateway, clients: Clients, ann: dict[str, str], platform: str
) -> None:
    said = values(first_name="Anna", phone="+13125550177", shipping_address=NEW_HOME)
    await clients.tell(platform, ann[platform], attributes=said)
    await clients.tell(platform, ann[platform], consents=opting("opt_out"))
    await sandbox.settled()

    changes = changes_of(sandbox, gateway, platform)
    stated = {name: statement.value for change in changes for name, statement in change.attributes.items()}
    assert stated["first_name"] == "Anna"
    assert isinstance(stated["shipping_address"], Address)
    assert stated["shipping_address"].line1 == "77 Lakeview Ave"
    assert {change.record_id for change in changes} == {ann[platform]}
    if platform == "crm":
        assert {change.origin for change in changes} == {"writeback"}


async def test_what_people_do_is_read_as_they_meant_it(sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]) -> None:
    sandbox.edit("storefront", "checkout", record_id=ann["storefront"], shipping_address=NEW_HOME.parts())
    sandbox.edit("storefront", "unsubscribe", record_id=ann["storefront"])
    sandbox.edit("crm", "agent_edits", record_id=ann["crm"], phone="+13125550188")
    sandbox.edit("esp", "unsubscribe", record_id=ann["esp"])
    await sandbox.settled()

    storefront = changes_of(sandbox, gateway, "storefront")
    addresses = [one.attributes["shipping_address"].value for one in storefront if one.attributes]
    assert NEW_HOME in addresses
    outs = {
        (change.platform, consent.contact_point, consent.decision, consent.explicit)
        for platform in ("storefront", "esp")
        for change in changes_of(sandbox, gateway, platform)
        for consent in change.consents
    }
    assert ("storefront", "ann@example.com", "opt_out") in {one[:3] for one in outs}
    assert ("esp", "ann@example.com", "opt_out", True) in outs
    (edited,) = changes_of(sandbox, gateway, "crm")
    assert (edited.actor, edited.origin) == ("agent", None)


async def test_the_nightly_batch_is_read_as_a_snapshot(sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]) -> None:
    sandbox.edit("crm", "nightly_batch")
    await sandbox.settled()

    changes = changes_of(sandbox, gateway, "crm")
    assert {change.kind for change in changes} == {"snapshot"}
    assert len(changes) == len(POPULATION)


async def test_a_gap_asks_for_the_record(sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]) -> None:
    sandbox.edit("crm", "gap", record_id=ann["crm"])
    await sandbox.settled()

    (delivered,) = gateway.of("crm")
    assert [one.record_id for one in translated(sandbox, delivered).refetch] == [ann["crm"]]


async def test_no_webhook_of_any_edit_is_unreadable(sandbox: Sandbox, gateway: Gateway) -> None:
    sandbox.seed_everywhere(announce=True)
    edits: Mapping[str, tuple[str, ...]] = {
        "storefront": ("checkout", "subscribe", "unsubscribe", "delete"),
        "crm": ("agent_opts_out", "agent_opts_in", "nightly_batch", "gap", "delete"),
        "esp": ("subscribe", "unsubscribe", "spam_complaint", "suppress", "hard_bounce"),
    }
    for platform, names in edits.items():
        for number, name in enumerate(names):
            record = sandbox.people[POPULATION[number].key][platform]
            named = {"record_ids": [record]} if name == "nightly_batch" else {"record_id": record}
            sandbox.edit(platform, name, **named)
    await sandbox.settled()
    said = [translated(sandbox, delivered) for delivered in gateway.taken]

    assert len(said) > 30
    assert all(one.changes or one.refetch or one.ignored for one in said)
