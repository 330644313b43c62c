"""Unlinking: a record of somebody else was linked by mistake, and every platform gets its own value back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from streams.demo.stories.cast import HANA, HUGO, arrive, customers_of, known
from streams.demo.stories.story import (
    PLATFORMS,
    Row,
    Story,
    Told,
    address,
    email,
    name,
    rows,
    wants,
    wants_phone,
)
from streams.demo.world import Holds, NotConverged, World
from streams.sandbox import Person

WHY: Final = "the contact is her brother's; the shop's id in it is a mistake"


async def _wrong_link(world: World) -> Told:
    await arrive(world, HANA)
    await world.settle()
    account = await world.record("hana", "storefront")
    await arrive(world, msgspec.structs.replace(HUGO, external={"storefront": account}), ("crm",))
    contact = f"crm:{await world.record('hugo', 'crm')}"
    hers, his = await _mixed(world, contact, f"storefront:{account}")
    were = await customers_of(world, [contact])
    before = await world.person("hana"), await world.person("hugo")
    started = time.monotonic()
    await world.steward("unlink", record=contact, why=WHY)
    found = [await world.converge(one, wanted, started) for one, wanted in (("hana", hers), ("hugo", his))]
    await world.edit("crm", "nightly_batch", record_ids=[contact.partition(":")[2]])
    await world.settle()
    own = await _apart(world, contact, f"storefront:{account}")
    now = await world.person("hana"), await world.person("hugo")
    table = [*rows(hers, before[0], now[0], found[0]), *rows(his, before[1], now[1], found[1])]
    bound = Row("crm", "customer of Hugo's contact", were[contact], own)
    remarks = [
        f'writeback steward unlink {contact} --by Sam --why "{WHY}"',
        "that night's CRM batch names the shop's id again, and links nothing: what a steward sets apart stays apart.",
    ]
    return Told([bound, *table], remarks, ("linked by mistake", "now"))


async def _mixed(world: World, contact: str, account: str) -> tuple[list[Holds], list[Holds]]:
    """What each platform is to hold in the end, once the mistake has reached all of them."""
    customers = await known(world, [contact, account], "records of hana and hugo")
    if len(set(customers.values())) != 1:
        raise NotConverged("engine: the contact with the wrong shop's id was not linked")
    scrambled = [wants(one, name, "name", _name(HUGO)) for one in PLATFORMS]
    await world.converge("hana", scrambled, time.monotonic())
    foreign = [wants("crm", email, "e-mail", HANA.email or ""), wants("crm", address, "address", _home(HANA))]
    await world.converge("hugo", foreign, time.monotonic())
    await world.settle()
    hers = [one for platform in PLATFORMS for one in _named(platform, HANA)]
    own = [wants("crm", email, "Hugo's e-mail", HUGO.email or ""), wants("crm", address, "Hugo's address", _home(HUGO))]
    return hers, own


def _named(platform: str, person: Person) -> Sequence[Holds]:
    return (wants(platform, name, "name", _name(person)), wants_phone(platform, person.phone or ""))


def _name(person: Person) -> str:
    return f"{person.first_name} {person.last_name}"


def _home(person: Person) -> str:
    held = person.shipping_address
    return address({"attributes": {"shipping_address": held.parts() if held else None}})


async def _apart(world: World, contact: str, account: str) -> str:
    """The customer that the contact is alone; raises NotConverged where it is not."""
    records = [contact, account]
    customers = await customers_of(world, records)
    if len(set(customers.values())) != len(records):
        raise NotConverged("engine: the unlinked contact is not a customer of its own")
    return customers[contact]


WRONG_LINK = Story(
    "A wrong link is undone",
    "An agent put the shop's id of Hana into her brother Hugo's contact: the two became one customer, and each\n"
    "platform was told the other's values. A steward takes the contact out.",
    _wrong_link,
)
