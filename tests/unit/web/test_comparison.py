"""Golden beside what each record's platform holds."""

from __future__ import annotations

from streams.core.explain import explain_view
from streams.web.comparison import Comparison, compare
from tests.unit.web.site import ANN, HOME, NOON, OLD_HOME, PHONE, Told


def compared(told: Told) -> Comparison:
    state = told.pipeline.customer("C1")
    assert state is not None
    return compare(state, told.policy, explain_view(state, told.policy, NOON + 60_000))


def cells(told: Told, attribute: str) -> dict[str, tuple[str, object, tuple[str, ...]]]:
    return {one.record: (one.kind, one.value, one.notes) for one in compared(told).attributes[attribute]}


def test_records_stand_in_the_order_of_the_policy() -> None:
    told = Told()
    for record in ("esp:e1", "crm:r2", "crm:r1", "storefront:s1"):
        told.values(record, 0, first_name="Ann")

    assert compared(told).records == ["storefront:s1", "crm:r1", "crm:r2", "esp:e1"]


def test_a_label_is_the_platform_and_with_several_records_the_end_of_the_id() -> None:
    told = Told()
    for record in ("esp:e1", "crm:0031a00000AbCdE", "crm:0031a00000XyZ12"):
        told.values(record, 0, first_name="Ann")
    found = compared(told)

    assert [found.label(record) for record in found.records] == ["crm …0AbCdE", "crm …0XyZ12", "esp"]


def test_a_deleted_record_is_no_column() -> None:
    told = Told()
    told.values("crm:r1", 0, first_name="Ann")
    told.values("esp:e1", 1, first_name="Ann")
    told.say("crm:r1", 2, "C1", op="delete")

    assert compared(told).records == ["esp:e1"]


def test_equal_means_canonically_and_through_the_quirks_of_the_platform() -> None:
    told = Told()
    long_name = "A" * 60
    told.values("crm:r1", 0, phone="(415) 555-0100", first_name=long_name)
    told.values("storefront:s1", 5, phone=PHONE, first_name=long_name)

    assert cells(told, "phone")["crm:r1"][0] == "same"
    assert cells(told, "first_name")["crm:r1"][0] == "same"


def test_what_differs_says_what_holds_it_back() -> None:
    told = Told(acknowledge=False)
    told.values("storefront:s1", 0, first_name="Ann", shipping_address=(HOME, 0.95))
    told.values("crm:r1", 5, first_name="Anna", shipping_address=(OLD_HOME, 0.5))
    found = compared(told)

    assert cells(told, "first_name") == {
        "storefront:s1": ("differs", "Ann", ("in flight",)),
        "crm:r1": ("same", "Anna", ()),
    }
    assert cells(told, "shipping_address")["crm:r1"] == ("differs", OLD_HOME, ("waits for its verdict",))
    assert found.differing == 2


def test_what_is_never_written_says_so() -> None:
    told = Told()
    told.values("crm:r1", 5, billing_address=OLD_HOME)
    told.values("storefront:s1", 0, billing_address=HOME)

    assert cells(told, "billing_address")["storefront:s1"] == ("differs", HOME, ("not written by this policy",))


def test_a_provisional_value_is_told_to_nobody() -> None:
    told = Told(acknowledge=False)
    for second, (record, home) in enumerate((("esp:e1", HOME), ("crm:r1", OLD_HOME))):
        told.values(record, second, shipping_address=(home, 0.3))
        verdict = {"record": record, "attribute": "shipping_address", "input": home, "confidence": 0.4}
        told.say("validator:v1", 10, verdicts=[verdict])

    assert cells(told, "shipping_address")["esp:e1"] == ("differs", HOME, ("provisional",))


def test_what_nobody_knows_and_what_is_empty_are_told_apart() -> None:
    told = Told(acknowledge=False)
    told.say("crm:r1", 0, "C1", op="restate", attributes={"first_name": {"value": "Ann"}})
    told.say("storefront:s1", 1, "C1")
    told.values("esp:e1", 5, phone=PHONE)

    assert cells(told, "phone")["crm:r1"] == ("differs", None, ("in flight",))
    assert cells(told, "phone")["storefront:s1"] == ("unknown", None, ("in flight",))


def test_without_a_golden_value_there_is_nothing_to_compare_with() -> None:
    told = Told()
    told.values("crm:r1", 0, first_name="Ann")
    told.values("esp:e1", 1, first_name="Ann")
    told.say("crm:r1", 2, "C1", attributes={"first_name": {"retract": True}})
    told.say("esp:e1", 3, "C1", attributes={"first_name": {"retract": True}})

    assert {record: kind for record, (kind, _, _) in cells(told, "first_name").items()} == {
        "crm:r1": "held",  # what it was told while there still was a golden value
        "esp:e1": "unknown",
    }
    assert compared(told).differing == 0


def test_consents_are_compared_record_by_record() -> None:
    told = Told(acknowledge=False)
    told.values("esp:e1", 0, email=ANN)
    told.consent("esp:e1", 1, "opt_in", explicit=True, method="form", evidence={"form": "f"})
    told.values("crm:r1", 2, email=ANN)
    told.consent("storefront:s1", 5, "opt_out")
    [row] = compared(told).consents

    assert {one.record: (one.kind, one.value, one.notes) for one in row} == {
        "storefront:s1": ("same", "opt_out", ()),
        "crm:r1": ("unknown", None, ("in flight",)),
        "esp:e1": ("differs", "opt_in", ("in flight",)),
    }


def test_a_consent_that_is_not_decided_is_held_and_does_not_differ() -> None:
    told = Told()
    told.consent("esp:e1", 1, "opt_in", at=None)
    [row] = compared(told).consents

    assert [(one.kind, one.value) for one in row] == [("held", "opt_in")]
