"""A record that was linked by mistake had another's e-mail address for a while; it takes its own one along."""

from __future__ import annotations

import pytest

from tests.unit.core.test_identity_facts import World, said

HANA, HUGO = "hana@example.com", "hugo@example.com"


@pytest.fixture
def world() -> World:
    """Hugo's contact was linked to Hana's account by its id, was told her address, and was unlinked."""
    world = World(
        said(1, "storefront:1", HANA),
        said(2, "crm:9", HUGO, identifiers={"external": ["storefront:1"]}),
        said(3, "crm:9", HANA, origin="writeback"),
    )
    mixed = world.only.customer_id
    world.tell("steward", {"request_id": "u1", "customer_id": mixed, "action": "unlink", "record": "crm:9"})
    return world


def test_that_it_has_its_own_address_again_is_no_case_for_a_steward(world: World) -> None:
    world.tell("changes", said(30, "crm:9", HUGO, origin="writeback"))

    assert sorted(world.people) == [["crm:9"], ["storefront:1"]]
    assert [note.rule for note in world.notes if note.kind == "review"] == []


def test_who_had_its_address_at_the_same_time_is_its_customer_and_not_the_other_one(world: World) -> None:
    world.tell("changes", said(2, "esp:5", HUGO))

    assert sorted(world.people) == [["crm:9", "esp:5"], ["storefront:1"]]


def test_who_has_the_others_address_is_not_led_to_it(world: World) -> None:
    world.tell("changes", said(31, "esp:6", HANA))

    assert sorted(world.people) == [["crm:9"], ["esp:6", "storefront:1"]]
