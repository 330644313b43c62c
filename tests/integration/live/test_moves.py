"""Merges and unlinks on running engines: across partitions, with changes in flight, and while workers come and go."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.core.identity import minted
from tests.integration.live.moves import apart, merge, produce, said, shows, unlink
from tests.integration.test_views import Worker, engines

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

CHANGES = 30


async def test_a_merge_across_partitions_takes_the_changes_along_that_are_on_their_way(tmp_path: Path) -> None:
    ((older, younger),) = apart(1, "M")
    async with engines(tmp_path, ["one", "two"]) as (broker, [one, two]):
        await produce(broker, [said("crm:1", older, 1)])
        await shows(one, f"/customers/{older}")
        await produce(broker, [said("storefront:9", younger, 2)])
        await shows(one, f"/customers/{younger}")
        flood = [said("storefront:9", younger, 3 + place) for place in range(CHANGES)]
        await produce(broker, [*flood[:10], merge(younger, older), *flood[10:]])

        both = ["crm:1", "storefront:9"]
        wanted = {"customer_id": older, "records": both, "first_name": f"9 {2 + CHANGES}", "aliases": [younger]}
        for worker in (one, two):
            await shows(worker, f"/customers/{older}", **wanted)
            await shows(worker, f"/customers/{younger}", **wanted)
            await shows(worker, "/customers/by/storefront/9", **wanted)
            await shows(worker, "/customers/by/email/9.storefront@example.com", **wanted)

        await produce(broker, [unlink(younger, "storefront:9"), said("storefront:9", younger, 99)])
        moved = minted("unlink", "storefront:9", "unlink storefront:9")
        await shows(one, "/customers/by/storefront/9", customer_id=moved, records=["storefront:9"], first_name="9 99")
        await shows(two, f"/customers/{younger}", customer_id=older, records=["crm:1"], first_name="1 1")
        await shows(two, "/customers/by/email/9.storefront@example.com", customer_id=moved)


async def test_workers_that_come_and_die_in_the_middle_leave_every_pair_one_customer(tmp_path: Path) -> None:
    pairs = apart(12, "P")
    async with engines(tmp_path, ["one"]) as (broker, [one]):
        first = [said(f"crm:{place}", older, 1) for place, (older, _) in enumerate(pairs)]
        then = [said(f"storefront:{place}", younger, 2) for place, (_, younger) in enumerate(pairs)]
        await produce(broker, [*first, *then])
        for place, (_, younger) in enumerate(pairs):
            await shows(one, f"/customers/{younger}", first_name=f"{place} 2")
        merges = [merge(older, younger) for older, younger in pairs]
        late = [said(f"storefront:{place}", younger, 3) for place, (_, younger) in enumerate(pairs)]
        await produce(broker, [*merges[:4], *late[:4]])
        two = Worker(broker, tmp_path, "two")  # it joins while they merge: a rebalance
        try:
            await produce(broker, [*merges[4:8], *late[4:8]])
            await two.until("/readyz")
            await produce(broker, [*merges[8:], *late[8:]])
            one.process.kill()
            for place, (older, younger) in enumerate(pairs):
                both = {"customer_id": older, "records": [f"crm:{place}", f"storefront:{place}"]}
                await shows(two, f"/customers/{younger}", first_name=f"{place} 3", **both)
        finally:
            two.process.ask_to_stop()
            two.process.stop(15.0)
