"""The people of the stories about identity, how they come into the platforms, and whose records are whose."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from streams.demo.stories.story import PLATFORMS
from streams.demo.world import NotConverged, World
from streams.model import Address
from streams.sandbox import Person

ACCEPTED: Final = 202
OLD_EMAIL: Final = "g.mercer@example.com"
NEW_EMAIL: Final = "gwen@example.com"
# One person. The CRM learnt of her from the ESP: its contact names the profile, and no e-mail address.
PROFILE: Final = Person(
    key="gwen",
    first_name="Gwen",
    last_name="Mercer",
    email=OLD_EMAIL,
    shipping_address=Address("19 Quay Ct", "", "Boston", "MA", "02110-7019", "US"),
    email_consent="subscribed",
    consent_at="2025-08-03T10:00:00Z",
)
CONTACT: Final = Person(key="gwen", first_name="Gwen", last_name="Mercer", phone="+14155550121")
ACCOUNT: Final = Person(key="gwen", first_name="Gwen", last_name="Mercer", email=NEW_EMAIL)
HANA: Final = Person(
    key="hana",
    first_name="Hana",
    last_name="Sorensen",
    email="hana@example.com",
    phone="+12065550131",
    shipping_address=Address("731 Cedar Ln", "", "Seattle", "WA", "98101-5731", "US"),
    email_consent="subscribed",
    consent_at="2025-02-11T07:30:00Z",
)
HUGO: Final = Person(
    key="hugo",
    first_name="Hugo",
    last_name="Lindqvist",
    email="hugo@example.com",
    phone="+12065550132",
    shipping_address=Address("910 Kelp Rd", "", "Seattle", "WA", "98101-5910", "US"),
)
IVO: Final = Person(
    key="ivo",
    first_name="Ivo",
    last_name="Castellan",
    email="ivo@example.com",
    phone="+15125550141",
    shipping_address=Address("64 Pecan Ct", "", "Austin", "TX", "78701-6064", "US"),
    email_consent="subscribed",
    consent_at="2025-09-19T18:45:00Z",
)
CAST: Final = (PROFILE, CONTACT, ACCOUNT, HANA, HUGO, IVO)


async def arrive(world: World, person: Person, platforms: Sequence[str] = PLATFORMS) -> None:
    """Put a person into platforms, announced by their webhooks; returns when the engine knows every record."""
    told = {"person": msgspec.to_builtins(person), "platforms": list(platforms), "announce": True}
    await world.admin("POST", "/seed", told)
    names = [f"{one}:{await world.record(person.key, one)}" for one in platforms]
    await known(world, names, f"records of {person.key}")


async def known(world: World, records: Sequence[str], what: str) -> dict[str, str]:
    """The customer of each record, once each has one; raises NotConverged."""

    async def each() -> dict[str, str] | None:
        found = await customers_of(world, records)
        return found if len(found) == len(set(records)) else None

    return dict(await world.until(f"engine: {what} are not known", each))


async def customers_of(world: World, records: Iterable[str]) -> dict[str, str]:
    """The customer of each record that has one."""
    views = {name: await world.view("customers", "by", *name.split(":", 1)) for name in records}
    return {name: str(view["customer_id"]) for name, view in views.items() if view}


async def post(world: World, platform: str, topic: str, body: Mapping[str, Any]) -> None:
    """A platform's own webhook, signed; raises NotConverged where the gateway does not take it."""
    raw = json.dumps(body).encode()
    status, _ = await world.deliver(platform, raw, await world.sign(platform, raw, topic))
    if status != ACCEPTED:
        raise NotConverged(f"gateway answered {status} to {topic}")
