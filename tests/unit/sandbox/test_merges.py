"""Merges, links and requests for erasure as the simulated platforms tell of them, read by the real connectors."""

from __future__ import annotations

from typing import Any

import pytest

from streams.connectors.base import Translation
from streams.model import Change
from streams.sandbox import Sandbox
from streams.sandbox.simulator import BadEdit
from tests.unit.sandbox.conftest import Gateway
from tests.unit.sandbox.test_connectors_meet_the_sandbox import Clients, clients, translated

__all__ = ["clients"]
HOME = {"line1": "12 Harbor St", "city": "Chicago", "region": "IL", "postal_code": "60601", "country": "US"}


@pytest.fixture
def two(sandbox: Sandbox) -> dict[str, dict[str, str]]:
    return sandbox.seed_everywhere()


async def told(sandbox: Sandbox, gateway: Gateway, platform: str) -> list[Translation]:
    await sandbox.settled()
    return [translated(sandbox, one) for one in gateway.of(platform)]


def merges(translations: list[Translation]) -> list[tuple[str, tuple[str, ...]]]:
    changes = [change for one in translations for change in one.changes]
    return [(one.record_id, one.identifiers.external) for one in changes if one.op == "delete"]


async def test_a_shop_tells_of_its_merge_when_it_is_done(
    sandbox: Sandbox, gateway: Gateway, two: dict[str, dict[str, str]]
) -> None:
    kept, gone = two["ann"]["storefront"], two["ben"]["storefront"]
    sandbox.edit("storefront", "merge", record_id=kept, other=gone)
    said = await told(sandbox, gateway, "storefront")

    assert merges(said) == [(gone, (f"storefront:{kept}",))]
    assert gone not in sandbox.simulators["storefront"].record_ids()
    assert [what for one in said for what in one.ignored] == [
        "customers/merge:requested",
        "customers/merge:in_progress",
    ]


async def test_a_shops_merge_that_fails_changes_nothing(
    sandbox: Sandbox, gateway: Gateway, two: dict[str, dict[str, str]]
) -> None:
    kept, gone = two["ann"]["storefront"], two["ben"]["storefront"]
    sandbox.edit("storefront", "merge", record_id=kept, other=gone, fails=True)

    assert merges(await told(sandbox, gateway, "storefront")) == []
    assert gone in sandbox.simulators["storefront"].record_ids()


async def test_a_guests_order_comes_again_with_the_account_that_it_was_given_to(
    sandbox: Sandbox, gateway: Gateway, two: dict[str, dict[str, str]]
) -> None:
    ann = two["ann"]["storefront"]
    order = sandbox.edit("storefront", "checkout", shipping_address=HOME)["order_id"]
    sandbox.edit("storefront", "link_order", record_id=ann, order_id=order)
    changes: list[Change] = [one for said in await told(sandbox, gateway, "storefront") for one in said.changes]

    assert {one.record_id: one.identifiers.external for one in changes} == {
        f"order-{order}": (),
        f"orders-{ann}": (f"storefront:{ann}", f"storefront:order-{order}"),
    }


async def test_a_shop_asks_for_an_erasure(sandbox: Sandbox, gateway: Gateway, two: dict[str, dict[str, str]]) -> None:
    ann = two["ann"]["storefront"]
    sandbox.edit("storefront", "request_redaction", record_id=ann)

    (said,) = await told(sandbox, gateway, "storefront")
    assert [one.record_id for one in said.erase_requests] == [ann]
    assert said.changes == ()


@pytest.mark.parametrize("masters", [True, False])
async def test_a_contact_that_was_merged_is_known_by_its_master(
    sandbox: Sandbox, gateway: Gateway, clients: Clients, two: dict[str, dict[str, str]], masters: bool
) -> None:
    sandbox.configure("crm", masters=masters)
    kept, gone = two["ann"]["crm"], two["ben"]["crm"]
    sandbox.edit("crm", "merge", record_id=kept, losers=[gone])
    said = await told(sandbox, gateway, "crm")
    client = await clients.open("crm")
    asked = [one.record_id for translation in said for one in translation.refetch if one.why == "deleted"]
    fetched = [change for one in asked if (change := await client.fetch(one)) is not None]

    assert (gone, (f"crm:{kept}",)) in [*merges(said), *merges([Translation(tuple(fetched))])]
    assert bool(fetched) is not masters


async def test_a_contact_that_was_only_deleted_has_no_master(
    sandbox: Sandbox, gateway: Gateway, clients: Clients, two: dict[str, dict[str, str]]
) -> None:
    sandbox.edit("crm", "delete", record_id=two["ann"]["crm"])
    (said,) = await told(sandbox, gateway, "crm")
    client = await clients.open("crm")

    assert [await client.fetch(one.record_id) for one in said.refetch] == [None]


async def test_a_contact_out_of_the_recycle_bin_says_everything_again(
    sandbox: Sandbox, gateway: Gateway, two: dict[str, dict[str, str]]
) -> None:
    ann = two["ann"]["crm"]
    sandbox.edit("crm", "delete", record_id=ann)
    sandbox.edit("crm", "undelete", record_id=ann)

    changes = [change for one in await told(sandbox, gateway, "crm") for change in one.changes]
    assert [(one.record_id, one.op) for one in changes] == [(ann, "delete"), (ann, "upsert")]
    assert changes[1].attributes["email"].value == "ann@example.com"


async def test_an_account_tells_of_merged_profiles(
    sandbox: Sandbox, gateway: Gateway, two: dict[str, dict[str, str]]
) -> None:
    kept, gone = two["ann"]["esp"], two["ben"]["esp"]
    sandbox.edit("esp", "merge", record_id=kept, other=gone)

    assert merges(await told(sandbox, gateway, "esp")) == [(gone, (f"esp:{kept}",))]
    assert gone not in sandbox.simulators["esp"].record_ids()


@pytest.mark.parametrize(("platform", "other"), [("storefront", "other"), ("crm", "losers"), ("esp", "other")])
def test_nobody_is_merged_with_themselves(
    sandbox: Sandbox, two: dict[str, dict[str, str]], platform: str, other: str
) -> None:
    record = two["ann"][platform]
    given: dict[str, Any] = {other: [record] if other == "losers" else record}

    with pytest.raises(BadEdit):
        sandbox.edit(platform, "merge", record_id=record, **given)
