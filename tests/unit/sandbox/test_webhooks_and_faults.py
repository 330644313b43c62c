"""Webhooks are bounded and retried, and what is switched to go wrong goes wrong."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import msgspec
import pytest

from streams.sandbox import OutboxLimits, Sandbox
from streams.sandbox.faults import FaultSwitch
from streams.sandbox.outbox import Outbox, Webhook
from tests.unit.sandbox.conftest import QUICK, Caller, Gateway

PROFILE = "/api/profiles/{}"


async def edit_often(sandbox: Sandbox, record: str, times: int) -> None:
    for number in range(times):
        sandbox.edit("crm", "agent_edits", record_id=record, first_name=f"Ann{number}")
    await sandbox.settled()


async def test_a_refused_webhook_is_sent_again_unchanged(
    sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]
) -> None:
    gateway.answers = [503, 500]
    await edit_often(sandbox, ann["crm"], 1)

    (taken,) = gateway.of("crm")
    assert [one.body for one in gateway.refused] == [taken.body, taken.body]
    assert gateway.refused[0].headers["x-relay-signature"] == taken.headers["x-relay-signature"]
    assert sandbox.outbox.counts["crm"]["retried"] == 2


async def test_a_webhook_that_is_never_taken_is_dropped_after_the_last_attempt(
    sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]
) -> None:
    gateway.answers = [400] * 10
    await edit_often(sandbox, ann["crm"], 1)

    assert len(gateway.refused) == QUICK.attempts_max
    assert sandbox.outbox.counts["crm"]["dropped"] == 1


async def test_webhooks_wait_for_a_gateway(gateway: Gateway) -> None:
    async with Sandbox(environment={}, limits=QUICK) as sandbox:
        ann = sandbox.seed_everywhere()["ann"]
        sandbox.edit("crm", "agent_edits", record_id=ann["crm"], first_name="Anna")
        await asyncio.sleep(0.05)
        waiting = len(gateway.taken)
        sandbox.outbox.point_at(gateway.url)
        await sandbox.settled()

    assert (waiting, len(gateway.taken)) == (0, 1)


async def test_the_queue_is_bounded() -> None:
    outbox = Outbox({"crm": FaultSwitch()}, OutboxLimits(queued_max=3))
    await outbox.open()
    for _ in range(5):
        outbox.send(Webhook("crm", "a", {}, b"{}"))
    await outbox.close()

    assert (outbox.counts["crm"]["sent"], outbox.counts["crm"]["dropped"]) == (5, 2)


async def test_a_gateway_that_is_not_there_does_not_stop_the_sandbox(ann: dict[str, str]) -> None:
    async with Sandbox("http://127.0.0.1:9", environment={}, limits=QUICK) as sandbox:
        record = sandbox.seed_everywhere()["ann"]["crm"]
        await edit_often(sandbox, record, 1)

        assert sandbox.outbox.counts["crm"]["unreachable"] == QUICK.attempts_max


async def test_one_record_s_webhooks_keep_their_order(sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]) -> None:
    await edit_often(sandbox, ann["crm"], 20)

    assert [one.json["Name"]["FirstName"] for one in gateway.of("crm")] == [f"Ann{number}" for number in range(20)]


async def test_webhooks_are_duplicated_on_demand(sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]) -> None:
    sandbox.fault("crm", duplicate_rate=1.0)
    await edit_often(sandbox, ann["crm"], 1)

    first, second = gateway.of("crm")
    assert first.body == second.body


async def test_webhooks_are_reordered_on_demand(sandbox: Sandbox, gateway: Gateway, ann: dict[str, str]) -> None:
    sandbox.fault("crm", reorder_rate=1.0)
    await edit_often(sandbox, ann["crm"], 4)

    names = [one.json["Name"]["FirstName"] for one in gateway.of("crm")]
    assert names == ["Ann1", "Ann0", "Ann3", "Ann2"]


async def test_a_platform_that_is_down_comes_back_and_then_throttles(
    sandbox: Sandbox, esp: Caller, ann: dict[str, str]
) -> None:
    sandbox.fault("esp", down_s=0.1, throttle_next=1, retry_after_s=2)
    path = PROFILE.format(ann["esp"])
    down, body, _ = await esp("GET", path)
    await asyncio.sleep(0.12)
    throttled, _, headers = await esp("GET", path)
    fine, _, _ = await esp("GET", path)

    assert (down, throttled, fine) == (503, 429, 200)
    assert body["errors"][0]["status"] == 503
    assert headers["Retry-After"] == "2"


async def test_only_the_platform_that_is_down_is_down(
    sandbox: Sandbox, esp: Caller, crm: Caller, ann: dict[str, str]
) -> None:
    sandbox.fault("esp", down_s=10)
    down, _, _ = await esp("GET", PROFILE.format(ann["esp"]))
    fine, _, _ = await crm("GET", f"/services/data/v66.0/sobjects/Contact/{ann['crm']}")

    assert (down, fine) == (503, 200)


async def test_a_failure_applies_nothing(sandbox: Sandbox, esp: Caller, ann: dict[str, str]) -> None:
    sandbox.fault("esp", fail_next=1)
    sent = {"data": {"type": "profile", "id": ann["esp"], "attributes": {"first_name": "Anna"}}}
    status, _, _ = await esp("PATCH", PROFILE.format(ann["esp"]), json=sent)

    assert status == 500
    assert sandbox.holds("esp", ann["esp"]).attributes["first_name"] == "Ann"


async def test_an_answer_can_vanish_after_the_request_was_applied(
    sandbox: Sandbox, esp: Caller, ann: dict[str, str]
) -> None:
    sandbox.fault("esp", vanish_next=1)
    sent = {"data": {"type": "profile", "id": ann["esp"], "attributes": {"first_name": "Anna"}}}
    with pytest.raises(aiohttp.ClientError):
        await esp("PATCH", PROFILE.format(ann["esp"]), json=sent)

    assert sandbox.holds("esp", ann["esp"]).attributes["first_name"] == "Anna"
    assert sandbox.journal.of("esp")[-1].status == 0


async def test_latency_delays_every_answer(sandbox: Sandbox, esp: Caller, ann: dict[str, str]) -> None:
    sandbox.fault("esp", latency_s=0.1)
    started = time.monotonic()
    await esp("GET", PROFILE.format(ann["esp"]))

    assert time.monotonic() - started >= 0.1


async def test_a_fault_that_does_not_exist_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(msgspec.ValidationError, match="earthquake"):
        sandbox.fault("esp", earthquake=1)


async def test_clearing_ends_every_fault(sandbox: Sandbox, esp: Caller, ann: dict[str, str]) -> None:
    sandbox.fault("esp", down_s=10, fail_rate=1.0)
    sandbox.switches["esp"].clear()
    status, _, _ = await esp("GET", PROFILE.format(ann["esp"]))

    assert status == 200


async def test_the_journal_keeps_bodies_and_no_credentials(sandbox: Sandbox, crm: Caller, ann: dict[str, str]) -> None:
    row = {"attributes": {"type": "Contact"}, "id": ann["crm"], "Title": "Dr"}
    await crm(
        "PATCH",
        "/services/data/v66.0/composite/sobjects",
        json={"records": [row]},
        headers={"Sforce-Call-Options": "client=writeback"},
    )

    granted, written = sandbox.journal.of("crm")
    assert (granted.body, written.body["records"], written.client) == (None, [row], "client=writeback")
    assert (written.method, written.status) == ("PATCH", 200)
    secrets = [value for simulator in sandbox.simulators.values() for value in simulator.secrets.values()]
    assert not any(secret in str(sandbox.journal.of()) for secret in secrets)
