"""The sandbox as a whole: its admin API, its process, its trickle, and what it tells the connectors."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys

import aiohttp
import pytest

from streams.connectors import connector
from streams.model import Invalid
from streams.sandbox import POPULATION, BadEdit, Sandbox, environment_for, shared_secrets
from streams.sandbox.clock import wall_clock
from streams.sandbox.trickle import one_edit, trickle
from tests.unit.sandbox.conftest import Caller, Gateway


@pytest.fixture
def admin(sandbox: Sandbox, session: aiohttp.ClientSession) -> Caller:
    return Caller(session, sandbox.addresses["admin"], {})


async def test_each_platform_has_an_address_of_its_own(sandbox: Sandbox) -> None:
    assert set(sandbox.addresses) == {"admin", "storefront", "crm", "esp", "validator"}
    assert len(set(sandbox.addresses.values())) == 5
    assert all(address.startswith("http://127.0.0.1:") for address in sandbox.addresses.values())


async def test_secrets_come_from_the_environment_where_it_names_them() -> None:
    sandbox = Sandbox(environment={"WRITEBACK_ESP_API_KEY": "from outside"})
    sandbox.addresses = dict.fromkeys(("storefront", "crm", "esp", "validator"), "http://127.0.0.1:1")
    environment = sandbox.environment()

    assert environment["WRITEBACK_ESP_API_KEY"] == "from outside"
    assert len(environment["WRITEBACK_CRM_CLIENT_SECRET"]) == 48
    assert environment["WRITEBACK_CRM_BASE_URL"] == "http://127.0.0.1:1"


async def test_a_sandbox_in_another_process_is_described_by_its_addresses_and_secrets(sandbox: Sandbox) -> None:
    secrets = {name: value for name, value in sandbox.environment().items() if name in shared_secrets({})}

    assert environment_for(sandbox.addresses, secrets) == sandbox.environment()


async def test_people_are_seeded_everywhere_and_told_apart(sandbox: Sandbox) -> None:
    people = sandbox.seed_everywhere()

    assert set(people) == {person.key for person in POPULATION}
    assert len({record for records in people.values() for record in records.values()}) == 3 * len(POPULATION)
    assert set(sandbox.holdings("ann")) == {"storefront", "crm", "esp"}


async def test_seeding_is_silent_unless_announced(sandbox: Sandbox, gateway: Gateway) -> None:
    sandbox.seed_everywhere(people=POPULATION[:1])
    await sandbox.settled()
    silent = len(gateway.taken)
    sandbox.seed_everywhere(people=POPULATION[1:2], announce=True)
    await sandbox.settled()

    assert silent == 0
    assert {one.platform for one in gateway.taken} == {"storefront", "crm", "esp"}


async def test_the_admin_api_seeds_shows_and_resets(admin: Caller) -> None:
    person = {"key": "zoe", "first_name": "Zoe", "last_name": "Zimmer", "email": "zoe@example.com"}
    _, seeded, _ = await admin("POST", "/admin/seed", json={"person": person, "platforms": ["crm", "esp"]})
    _, held, _ = await admin("GET", "/admin/people/zoe")
    _, record, _ = await admin("GET", f"/admin/records/crm/{seeded['zoe']['crm']}")
    _, overview, _ = await admin("GET", "/admin")
    await admin("POST", "/admin/reset")
    _, left, _ = await admin("GET", "/admin/records/crm")

    assert set(held) == {"crm", "esp"}
    assert record["attributes"]["email"] == "zoe@example.com"
    assert overview["people"] == seeded
    assert left == []


async def test_the_admin_api_seeds_everybody_by_default(admin: Caller) -> None:
    _, seeded, _ = await admin("POST", "/admin/seed")

    assert len(seeded) == len(POPULATION)


async def test_the_admin_api_lets_people_edit(
    sandbox: Sandbox, admin: Caller, gateway: Gateway, ann: dict[str, str]
) -> None:
    edit = {"record_id": ann["storefront"], "phone": "+13125550123"}
    status, done, _ = await admin("POST", "/admin/edits/storefront/customer_edits", json=edit)
    await sandbox.settled()
    _, counts, _ = await admin("GET", "/admin/webhooks")

    assert (status, done) == (200, {"record_id": ann["storefront"]})
    assert gateway.topics() == ["customers/update"]
    assert counts["storefront"]["delivered"] == 1


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/admin/edits/storefront/customer_edits", {"record_id": "1"}, 404),
        ("/admin/edits/storefront/moonwalk", {}, 400),
        ("/admin/edits/storefront/customer_edits", {}, 400),
        ("/admin/edits/mars/customer_edits", {}, 400),
        ("/admin/seed", {"person": {"key": "x"}}, 400),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_sentence(
    admin: Caller, path: str, body: dict[str, object], status: int
) -> None:
    answered, said, _ = await admin("POST", path, json=body)

    assert answered == status
    assert said["error"]


async def test_the_admin_api_lists_the_edits_of_every_platform(admin: Caller) -> None:
    _, edits, _ = await admin("GET", "/admin/edits")

    assert {"checkout", "unsubscribe"} <= set(edits["storefront"])
    assert {"agent_edits", "nightly_batch"} <= set(edits["crm"])
    assert all(meaning for platform in edits.values() for meaning in platform.values())


async def test_the_admin_api_sets_shows_and_clears_faults(admin: Caller) -> None:
    _, faults, _ = await admin("PATCH", "/admin/faults/esp", json={"down_s": 10, "throttle_next": 2})
    wrong, _, _ = await admin("PATCH", "/admin/faults/esp", json={"throttle_next": "many"})
    _, cleared, _ = await admin("DELETE", "/admin/faults/esp")

    assert (faults["is_down"], faults["throttle_next"]) == (True, 2)
    assert wrong == 400
    assert (cleared["is_down"], cleared["throttle_next"]) == (False, 0)


async def test_the_admin_api_sets_up_an_account_differently(admin: Caller) -> None:
    _, options, _ = await admin("PATCH", "/admin/options/esp", json={"job_delay_s": 3})
    wrong, _, _ = await admin("PATCH", "/admin/options/esp", json={"colour": "red"})
    missing, _, _ = await admin("GET", "/admin/options/mars")

    assert options == {"job_delay_s": 3, "profiles_as_events": False}
    assert (wrong, missing) == (400, 404)


async def test_the_admin_api_points_at_another_gateway(sandbox: Sandbox, admin: Caller, gateway: Gateway) -> None:
    _, said, _ = await admin("PUT", "/admin/gateway", json={"url": gateway.url + "/"})

    assert said == {"gateway": gateway.url}


async def test_the_admin_api_lists_requests(admin: Caller, esp: Caller, ann: dict[str, str]) -> None:
    await esp("GET", f"/api/profiles/{ann['esp']}")
    _, of_esp, _ = await admin("GET", "/admin/requests/esp")
    _, of_crm, _ = await admin("GET", "/admin/requests/crm")

    assert [one["path"] for one in of_esp] == [f"/api/profiles/{ann['esp']}"]
    assert of_crm == []


@pytest.mark.parametrize("platform", ["storefront", "crm", "esp"])
async def test_the_admin_api_signs_any_bytes_as_the_platform_would(
    sandbox: Sandbox, admin: Caller, platform: str
) -> None:
    body = b'{"cut off'
    _, headers, _ = await admin("POST", f"/admin/sign/{platform}", data=body)
    vendor = connector(sandbox.simulators[platform].vendor)
    lowered = {name.lower(): value for name, value in headers.items()}

    vendor.verify(lowered, body, dict(sandbox.simulators[platform].secrets), wall_clock())
    with pytest.raises(Invalid, match="bad_signature"):
        vendor.verify(lowered, body + b" ", dict(sandbox.simulators[platform].secrets), wall_clock())


async def test_an_edit_with_wrong_arguments_is_a_bad_edit(sandbox: Sandbox, ann: dict[str, str]) -> None:
    with pytest.raises(BadEdit):
        sandbox.edit("crm", "gap", record_id=ann["crm"], volume=11)


async def test_every_kind_of_trickle_edit_can_be_made(sandbox: Sandbox, gateway: Gateway) -> None:
    sandbox.seed_everywhere()
    chance = random.Random(7)
    said = {one_edit(sandbox, chance).split()[0] for _ in range(120)}
    await sandbox.settled()

    assert len(said) == 7
    assert {one.platform for one in gateway.taken} == {"storefront", "crm", "esp"}


async def test_the_trickle_says_what_it_does_without_values(sandbox: Sandbox) -> None:
    sandbox.seed_everywhere()
    said: list[str] = []
    task = asyncio.create_task(trickle(sandbox, 0.001, said.append))
    while len(said) < 5:
        await asyncio.sleep(0.01)
    task.cancel()

    assert not any("@" in one or "+1" in one for one in said)


async def test_the_process_prints_its_addresses_and_ends_on_sigterm() -> None:
    environment = {**os.environ, "WRITEBACK_ESP_API_KEY": "not-to-be-printed"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams.sandbox", stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    first = await asyncio.wait_for(process.stdout.readline(), 30)
    addresses = json.loads(first)
    async with aiohttp.ClientSession() as session, session.get(addresses["admin"] + "/admin") as answer:
        overview = await answer.json()
    process.send_signal(signal.SIGTERM)
    rest = await process.stdout.read()

    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert set(overview["people"]) == {person.key for person in POPULATION}
    assert b"not-to-be-printed" not in first + rest
