"""Merging: what three platforms know under two e-mail addresses becomes one customer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from streams.demo.stories.cast import ACCOUNT, CONTACT, NEW_EMAIL, OLD_EMAIL, PROFILE, arrive, customers_of, known, post
from streams.demo.stories.story import PLATFORMS, Row, Story, Told, address, email, home, phone, rows, wants
from streams.demo.world import NotConverged, World

PARCEL: Final = home("303 granary street", "", "boston", "MA", "02110")
STANDARD: Final = "303 Granary St, Boston, MA 02110-7303"
KINDS: Final = {"external": "an external id", "email": "the e-mail address"}
APART: Final = 3  # the guest, the account, and she whom CRM and ESP know


async def _one_customer(world: World) -> Told:
    records = await _met(world)
    before, were = await world.person("gwen"), await customers_of(world, records.values())
    if len(set(were.values())) != APART:
        raise NotConverged(f"engine: gwen is {len(set(were.values()))} customers where she was to be {APART}")
    wanted = [
        wants("crm", email, "e-mail", NEW_EMAIL),
        wants("storefront", phone, "phone", CONTACT.phone or ""),
        *(wants(platform, address, "shipping address", STANDARD) for platform in PLATFORMS),
    ]
    started = time.monotonic()
    await _give_order(world, records["guest order"], records["account"])
    await world.edit("esp", "profile_edits", record_id=records["profile"].partition(":")[2], email=NEW_EMAIL)
    times = await world.converge("gwen", wanted, started)
    view = await _one(world, records)
    took = time.monotonic() - started
    await world.settle()
    bound = [
        Row(record.partition(":")[0], f"customer of the {what}", were[record], str(view["customer_id"]), took)
        for what, record in records.items()
    ]
    return Told([*bound, *rows(wanted, before, await world.person("gwen"), times)], _why(view, records))


async def _met(world: World) -> dict[str, str]:
    """Her four records while nobody knows yet that they are one person's, by what they are."""
    await arrive(world, PROFILE, ("esp",))
    await arrive(world, CONTACT, ("crm",))
    order = await world.edit("storefront", "checkout", email=OLD_EMAIL, shipping_address=PARCEL)
    await arrive(world, ACCOUNT, ("storefront",))
    records = {
        "guest order": f"storefront:order-{order['order_id']}",
        "account": f"storefront:{await world.record('gwen', 'storefront')}",
        "contact": f"crm:{await world.record('gwen', 'crm')}",
        "profile": f"esp:{await world.record('gwen', 'esp')}",
    }
    await known(world, list(records.values()), "records of gwen")
    await world.settle()
    return records


async def _give_order(world: World, order: str, account: str) -> None:
    """The shop's staff give a guest's order to the account that she has by now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    parcel = {
        "address1": PARCEL["line1"],
        "address2": PARCEL["line2"],
        "city": PARCEL["city"],
        "province_code": PARCEL["region"],
        "zip": PARCEL["postal_code"],
        "country_code": "US",
    }
    body = {
        "id": int(order.rpartition("-")[2]),
        "email": OLD_EMAIL,
        "created_at": now,
        "updated_at": now,
        "customer": {"id": int(account.partition(":")[2]), "email": NEW_EMAIL, "verified_email": True},
        "shipping_address": parcel,
    }
    await post(world, "storefront", "orders/updated", body)


async def _one(world: World, records: Mapping[str, str]) -> dict[str, Any]:
    """The explanation of the customer that has all of them."""

    async def all_of_it() -> dict[str, Any] | None:
        view = await world.explain("crm", records["contact"].partition(":")[2])
        return view if view and set(records.values()) <= set(view["records"]) else None

    return dict(await world.until("engine: the records of gwen are not one customer", all_of_it))


def _why(view: Mapping[str, Any], records: Mapping[str, str]) -> list[str]:
    """By what her records were found to be hers, and what became of the consent."""
    names = {record: f"the {what}" for what, record in records.items()}
    bound = [
        f"bound: {names[one['record']]} by {KINDS[one['by']]}."
        for one in view["bindings"]
        if one["record"] in names and one["by"] in KINDS
    ]
    merged = [f"merged: {_found(one, names)}" for one in view["joins"]]
    said = {one["contact_point"]: one["state"] for one in view["consents"] if one["channel"] == "email"}
    consent = f"consent stays with its address: {OLD_EMAIL} {said.get(OLD_EMAIL)}, {NEW_EMAIL} {said.get(NEW_EMAIL)}."
    return [*bound, *merged, consent.replace("_", " ")]


def _found(join: Mapping[str, Any], names: Mapping[str, str]) -> str:
    who = names.get(join["record"] or "", "the account's order")
    return f"{who} named {KINDS.get(join['identifier'], join['identifier'])} of another customer ({join['rule']})."


ONE_CUSTOMER = Story(
    "Four records become one customer",
    "Gwen ordered as a guest, and has an account since; CRM and ESP know her by another e-mail address.\n"
    "The shop gives her the order, and she tells Klaviyo her new address.",
    _one_customer,
)
