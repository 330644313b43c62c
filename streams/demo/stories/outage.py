"""An outage: what one platform is to be told waits, what the others are to be told does not."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

from streams.demo.stories.story import Story, Told, address, home, rows, wants
from streams.demo.world import NotConverged, World

MOVED: Final = home("230 West Foundry Street", "apt 2f", "New York", "NY", "10002")
STANDARD: Final = "230 W Foundry St, Apt 2F, New York, NY 10002-4230"
THROTTLED: Final = 2
RETRY_AFTER_S: Final = 1.0


async def _outage(world: World) -> Told:
    before, record = await world.person("chloe"), await world.record("chloe", "storefront")
    asked = len(await world.admin("GET", "/requests/esp"))
    down = {"down_s": world.settings.down_s, "throttle_next": THROTTLED, "retry_after_s": RETRY_AFTER_S}
    await world.admin("PATCH", "/faults/esp", down)
    wanted = [wants(one, address, "shipping address", STANDARD) for one in ("storefront", "crm", "esp")]
    started = time.monotonic()
    await world.edit("storefront", "checkout", record_id=record, shipping_address=MOVED)
    times = await world.converge("chloe", wanted, started)
    if times[2] < world.settings.down_s or max(times[:2]) > times[2]:
        raise NotConverged("the others waited for esp, or esp was not down")
    await world.settle()
    answers = Counter(int(one["status"]) for one in (await world.admin("GET", "/requests/esp"))[asked:])
    told = ", ".join(f"{count} x {status}" for status, count in sorted(answers.items(), reverse=True))
    return Told(rows(wanted, before, await world.person("chloe"), times), [f"esp answered {told}."])


OUTAGE = Story(
    "A platform is down",
    "Chloé moves while Klaviyo answers 503, and then 429 with Retry-After. Only its own commands wait.",
    _outage,
)
