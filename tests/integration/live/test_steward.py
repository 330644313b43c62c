"""Stewards at work on two running engines: every act by way of the topic, answered, and seen afterwards."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner

from streams.cli import main
from streams.model import Change, Statement
from tests.integration.test_views import START_TIMEOUT_S, Worker, engines, tell

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

TOKEN = "the stewards' own"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
WHO = {"by": "Sam", "why": "a test"}


async def ask(worker: Worker, action: str, **body: Any) -> tuple[int, dict[str, Any]]:
    """One request with the token."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{worker.url}/steward/{action}", json={**WHO, **body}, headers=BEARER) as answer,
    ):
        return answer.status, await answer.json()


async def accepted(worker: Worker, action: str, **body: Any) -> dict[str, Any]:
    """A request that must be accepted, however long it takes; asking again does it once."""
    request_id = body.pop("request_id", f"{action}-{time.time_ns()}")
    deadline = time.monotonic() + START_TIMEOUT_S
    status, told = await ask(worker, action, request_id=request_id, **body)
    while status in (202, 503) and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        status, told, _ = await worker.get(f"/steward/requests/{request_id}")
    assert (status, told.get("state")) == (200, "accepted"), (told, worker.tail)
    return told


async def cases(worker: Worker, count: int, state: str = "open") -> list[dict[str, Any]]:
    """The cases of a state, once there are so many."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        status, body, _ = await worker.get(f"/reviews?state={state}")
        if status == 200 and len(body["reviews"]) == count:
            return list(body["reviews"])
        await asyncio.sleep(0.1)
    raise AssertionError(f"{state}: {body}\n{worker.tail}")


def said(record: str, count: int, customer: str | None = None) -> Change:
    platform, _, record_id = record.partition(":")
    named = {"first_name": Statement(f"Ann {count}")}
    return Change(f"{record} {count}", platform, record_id, customer_id=customer, attributes=named)


def typed(worker: Worker, *words: str) -> Any:
    """A command line, with the token and the worker's address in the environment."""
    environment = {"WRITEBACK_STEWARD_TOKEN": TOKEN, "WRITEBACK_STEWARD_BY": "Sam", "WRITEBACK_URL": worker.url}
    return CliRunner().invoke(main, ["steward", *words], env=environment)


async def customer_of(worker: Worker, record: str) -> str:
    platform, _, record_id = record.partition(":")
    return str((await worker.until(f"/customers/by/{platform}/{record_id}"))["customer_id"])


async def test_stewards_pin_merge_unlink_decide_and_erase_on_any_worker(tmp_path: Path) -> None:
    async with engines(tmp_path, ["one", "two"], WRITEBACK_STEWARD_TOKEN=TOKEN) as (broker, [one, two]):
        await tell(broker, [said("storefront:s1", 1), said("crm:r1", 1), said("esp:e1", 1)])
        shop, crm, esp = [await customer_of(one, record) for record in ("storefront:s1", "crm:r1", "esp:e1")]

        await _pins(one, two, shop)
        await _refusals(two, shop)
        await tell(broker, [said("crm:r1", 2, shop), said("esp:e1", 2, shop)])
        merged, kept = sorted(await cases(two, 2), key=lambda case: case["record"])
        assert {merged["customer_id"], merged["other_id"]} == {shop, crm}
        assert {kept["customer_id"], kept["other_id"]} == {shop, esp}
        await _approved(one, two, merged["review_id"])
        await _dismissed(one, two, kept["review_id"])
        await tell(broker, [said("esp:e1", 3, shop)])
        await _counted(one, kept["review_id"])

        await _unlinked(one, two)
        await accepted(two, "erase", customer="storefront:s1")
        assert (await one.get(f"/customers/{shop}"))[1]["erased"]
        status, told = await ask(one, "pin", customer=shop, attribute="phone", value="+14155550100")
        assert (status, told["reason"]) == (409, "erased_customer")
        for worker in (one, two):
            logged = worker.log_path.read_text()
            assert not [secret for secret in (TOKEN, "Sam", "Ann 1", "+14155550100") if secret in logged]


async def test_a_case_ends_with_the_merge_that_settles_it_and_both_ids_show_the_certificate(tmp_path: Path) -> None:
    async with engines(tmp_path, ["one", "two"], WRITEBACK_STEWARD_TOKEN=TOKEN) as (broker, [one, two]):
        await tell(broker, [said("storefront:s1", 1), said("crm:r1", 1)])
        shop, crm = [await customer_of(one, record) for record in ("storefront:s1", "crm:r1")]
        await tell(broker, [said("crm:r1", 2, shop)])
        [case] = await cases(two, 1)
        merged = await accepted(one, "merge", customer=crm, **{"with": shop})
        [settled] = await cases(two, 1, "settled")

        assert (settled["review_id"], settled["became"]) == (case["review_id"], merged["customer_id"])
        assert await cases(one, 0) == []
        status, told = await ask(two, "review", review=case["review_id"], value="approve")
        assert (status, told["reason"]) == (409, "already_settled")

        await accepted(two, "erase", customer=crm)
        assert await cases(one, 0, "all") == []
        for worker in (one, two):
            certificates = [await _certificate(worker, one_id) for one_id in (shop, crm)]
            assert [one["platform"] for one in certificates[0]] == ["crm", "storefront"]
            assert certificates[0] == certificates[1]


async def _certificate(worker: Worker, customer: str) -> list[dict[str, Any]]:
    """What each platform was told, once the customer's row is a tombstone."""
    deadline = time.monotonic() + START_TIMEOUT_S
    body: dict[str, Any] = {}
    while time.monotonic() < deadline:
        _, body, _ = await worker.get(f"/customers/{customer}")
        if body.get("certificate"):
            return list(body["certificate"])
        await asyncio.sleep(0.1)
    raise AssertionError(f"{sorted(body)}\n{worker.tail}")


async def _pins(one: Worker, two: Worker, shop: str) -> None:
    told = await accepted(two, "pin", customer="storefront:s1", attribute="first_name", value="Anna")
    assert told["customer_id"] == shop
    shown = (await one.get(f"/customers/{shop}"))[1]["attributes"]["first_name"]
    assert (shown["value"], shown["status"]) == ("Anna", "pinned")

    typed_back = await asyncio.to_thread(typed, one, "unpin", shop, "first_name", "--why", "a mistake")
    assert typed_back.exit_code == 0, typed_back.output
    assert typed_back.output.startswith(f"accepted: unpin of {shop}")
    assert (await two.get(f"/customers/{shop}"))[1]["attributes"]["first_name"]["status"] == "settled"


async def _refusals(worker: Worker, shop: str) -> None:
    for action, body, status, reason in (
        ("merge", {"customer": shop, "with": "storefront:s1"}, 409, "same_customer"),
        ("merge", {"customer": shop, "with": "nobody"}, 404, "unknown_customer"),
        ("unlink", {"record": "crm:r1", "customer": shop}, 409, "not_linked"),
        ("release", {"record": "crm:none", "attribute": "phone"}, 404, "unknown_customer"),
        ("pin", {"customer": shop, "attribute": "shoe_size", "value": "9"}, 422, "unknown_attribute"),
        ("review", {"review": "r-none", "value": "approve"}, 404, "unknown_review"),
    ):
        found, told = await ask(worker, action, **body)
        assert (found, told["reason"]) == (status, reason), (action, told)


async def _approved(one: Worker, two: Worker, case: str) -> None:
    shown = await asyncio.to_thread(typed, one, "review", "list", "--json")
    assert case in {each["review_id"] for each in json.loads(shown.output)["reviews"]}
    await accepted(two, "review", review=case, value="approve")
    deadline = time.monotonic() + START_TIMEOUT_S
    while await customer_of(one, "crm:r1") != await customer_of(one, "storefront:s1"):
        assert time.monotonic() < deadline, one.tail
        await asyncio.sleep(0.1)
    [decided] = await cases(one, 1, "approved")
    assert (decided["review_id"], decided["by"], decided["why"]) == (case, "Sam", "a test")
    assert (await one.until(f"/steward/requests/{case}"))["state"] == "accepted"
    status, told = await ask(one, "review", review=case, value="dismiss")
    assert (status, told["reason"]) == (409, "already_approved")


async def _dismissed(one: Worker, two: Worker, case: str) -> None:
    done = await asyncio.to_thread(typed, two, "review", "dismiss", case, "--why", "two spouses")
    assert done.exit_code == 0, done.output
    assert await cases(one, 0) == []


async def _counted(worker: Worker, case: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while (shown := await worker.until(f"/reviews/{case}"))["count"] < 2:
        assert time.monotonic() < deadline, worker.tail
        await asyncio.sleep(0.1)
    assert (shown["state"], shown["why"]) == ("dismissed", "two spouses")
    assert await cases(worker, 0) == []


async def _unlinked(one: Worker, two: Worker) -> None:
    await accepted(one, "unlink", record="crm:r1")
    deadline = time.monotonic() + START_TIMEOUT_S
    while await customer_of(two, "crm:r1") == await customer_of(two, "storefront:s1"):
        assert time.monotonic() < deadline, two.tail
        await asyncio.sleep(0.1)
