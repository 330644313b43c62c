"""New people who are heard of by several platforms at once, while workers join and die in the middle of binding."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from streams.model import Change, Identifiers, Statement
from tests.integration.live.moves import produce, shows
from tests.integration.test_views import Worker, engines

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

PEOPLE = 15
OBSERVED_MS = time.time_ns() // 1_000_000 - 3_600_000


def heard(place: int, word: int) -> list[Change]:
    """Three platforms speak of one person, by e-mail and by an account's id; nobody has heard of them before."""
    email = Identifiers(email=(f"person{place}@example.com",))
    linked = Identifiers(email=email.email, external=(f"storefront:s{place}",))
    return [
        _said("crm", f"c{place}", word, linked),
        _said("storefront", f"s{place}", word, email),
        _said("esp", f"e{place}", word, email),
    ]


def _said(platform: str, record_id: str, word: int, identifiers: Identifiers) -> Change:
    return Change(
        f"{platform}:{record_id} {word}",
        platform,
        record_id,
        observed_at=OBSERVED_MS + word,
        identifiers=identifiers,
        attributes={"first_name": Statement(f"{record_id} {word}")},
    )


async def test_workers_that_come_and_die_in_the_middle_leave_every_person_one_customer(tmp_path: Path) -> None:
    """A rebalance while records visit their identifiers, then a kill -9: nobody is two, and no word is lost."""
    async with engines(tmp_path, ["one"]) as (broker, [one]):
        await produce(broker, [change for place in range(5) for change in heard(place, 1)])
        two = Worker(broker, tmp_path, "two")
        try:
            await produce(broker, [change for place in range(5, 10) for change in heard(place, 1)])
            await two.until("/readyz")
            await produce(broker, [change for place in range(10, PEOPLE) for change in heard(place, 1)])
            one.process.kill()
            await produce(broker, [heard(place, 2)[1] for place in range(PEOPLE)])
            for place in range(PEOPLE):
                together = [f"crm:c{place}", f"esp:e{place}", f"storefront:s{place}"]
                path = f"/customers/by/esp/e{place}"
                found = await shows(two, path, records=together, first_name=f"s{place} 2")
                losers = found["attributes"]["first_name"]["losers"]
                assert sorted(each["value"] for each in losers) == [f"c{place} 1", f"e{place} 1"]
        finally:
            two.process.ask_to_stop()
            two.process.stop(15.0)
