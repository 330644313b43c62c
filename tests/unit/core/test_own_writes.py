"""An address that a platform only repeats after us binds nobody: nobody has verified it thereby (R11, I1)."""

from __future__ import annotations

from streams.codec.internal import encode
from streams.codec.state import decode_row
from streams.core.bonds import mark_of
from streams.lane import partition_of
from streams.model import Identifiers, Receipt
from streams.runtime import topics
from tests.property.partitions import PARTITIONS
from tests.unit.runtime.test_moving import Scene

ANN, BOB = "ann@example.com", "bob@example.com"


def scene_of_a_typed_address(repeats: str = BOB) -> Scene:
    """Somebody has typed Bob's address into an account; the newsletter is told it, and repeats it."""
    scene = Scene({"identity": {"match": ["external", "email"], "merge": ["external", "email"]}})
    scene.say("storefront:1", None, email=BOB, first_name="Mal")
    scene.say("esp:5", None, identifiers=Identifiers(external=("storefront:1",)))
    assert scene.stack.sink.holds["esp:5"]["email"] == BOB
    scene.say("esp:5", None, email=repeats, identifiers=Identifiers(email=(repeats,)))
    return scene


def records(scene: Scene) -> list[list[str]]:
    return sorted(sorted(state.records) for state in scene.stack.customers() if state.records)


def test_the_real_owner_is_not_bound_to_who_has_typed_the_address() -> None:
    scene = scene_of_a_typed_address()
    scene.say("crm:bob", None, email=BOB, phone="+14155550100", identifiers=Identifiers(email=(BOB,)))

    assert records(scene) == [["crm:bob"], ["esp:5", "storefront:1"]]
    assert "phone" not in scene.stack.sink.holds["storefront:1"]


def test_what_the_newsletter_says_by_itself_binds() -> None:
    scene = scene_of_a_typed_address(repeats=ANN)
    scene.say("crm:ann", None, email=ANN, identifiers=Identifiers(email=(ANN,)))

    assert records(scene) == [["crm:ann", "esp:5", "storefront:1"]]


def test_a_value_that_a_record_gets_back_is_its_own() -> None:
    """It was told another address meanwhile, and said it first."""
    scene = Scene({"attributes": {"email": {"strategy": "latest", "priority": []}}})
    scene.say("esp:5", None, email=BOB, identifiers=Identifiers(email=(BOB,)))
    scene.say("storefront:1", None, email=ANN, identifiers=Identifiers(external=("esp:5",)))
    scene.ask("unlink", next(iter(scene.stack.customers())).customer_id, record="esp:5")
    assert scene.stack.sink.holds["esp:5"]["email"] == BOB
    scene.say("esp:5", None, email=BOB, identifiers=Identifiers(email=(BOB,)))
    scene.say("crm:bob", None, identifiers=Identifiers(email=(BOB,)))

    assert records(scene) == [["crm:bob", "esp:5"], ["storefront:1"]]


def test_a_record_that_we_have_created_does_not_verify_what_it_was_created_with() -> None:
    scene = Scene({"platforms": {"esp": {"create": True}}})
    scene.say("storefront:1", None, email=BOB, drain=False)
    stack = scene.stack
    stack.work_through(topics.CHANGES)
    while not stack.written(topics.commands("esp")):
        assert stack.work_once()
    [created] = [stack.codec.decode_command(one.value or b"") for one in stack.written(topics.commands("esp"))]
    answer = Receipt("applied", created.command_id, created.customer_id, "esp", "new-1", at=scene.at)
    stack.send_first(topics.RECEIPTS, created.customer_id.encode(), encode(answer), scene.at)
    stack.drain()
    scene.say("esp:new-1", None, email=BOB, identifiers=Identifiers(email=(BOB,)))
    scene.say("crm:bob", None, identifiers=Identifiers(email=(BOB,)))

    assert records(scene) == [["crm:bob"], ["esp:new-1", "storefront:1"]]


def test_the_row_of_a_record_keeps_no_address_that_it_was_told() -> None:
    """Or the address of an erased customer would be found in the row of a record that had been unlinked from it."""
    scene = scene_of_a_typed_address()

    stored = scene.stack.stores["identity", partition_of(b"esp:5", PARTITIONS)].rows[b"esp:5"]
    assert decode_row(stored).written == [mark_of(f"@email:{BOB}")]
    assert BOB.encode() not in stored


def test_an_erasure_forgets_what_a_record_was_told() -> None:
    scene = scene_of_a_typed_address()
    scene.ask("erase", next(iter(scene.stack.customers())).customer_id)

    rows = [row for (table, _), store in scene.stack.stores.items() for row in store.rows.values()]
    assert not [row for row in rows if mark_of(f"@email:{BOB}").encode() in row]
