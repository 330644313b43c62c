"""Which identifiers make records one customer: one value in two spellings does, a shared or an empty one does not."""

from __future__ import annotations

import pytest

from streams.model import parse_time
from tests.property.vocabulary import policy, stamp
from tests.unit.core.story import EXPLICIT, Story


def story(**identity: object) -> Story:
    """Two platforms, the storefront with one account for each customer, matched as given."""
    return Story(rules=policy({"platforms": {"storefront": {"unique": True}}, "identity": identity}))


def meets(told: Story, record: str, at: float, **identifiers: list[str]) -> list[tuple[str, str | None]]:
    """An unbound record with these identifiers; the notes that it left, by kind and detail."""
    output = told.hear(record, at, customer_id=None, identifiers=identifiers, attributes={"first_name": {"value": "A"}})
    return [(note.kind, note.detail) for note in output.notes]


def customers(told: Story) -> list[list[str]]:
    """The records of each customer."""
    return sorted(sorted(one.records) for one in told.pipeline.customers() if one.records)


@pytest.mark.parametrize("other", ["ANN@Example.com", " ann@example.COM ", "Ann@EXAMPLE.com"])
def test_an_e_mail_in_another_case_is_the_same_identifier(other: str) -> None:
    """Canonical forms are compared."""
    told = story()
    meets(told, "storefront:9", 0, email=["ann@example.com"])
    meets(told, "crm:003", 10, email=[other])
    assert customers(told) == [["crm:003", "storefront:9"]]


def test_a_domain_in_unicode_and_in_punycode_is_the_same_identifier() -> None:
    """IDNA, in its composed or decomposed form."""
    told = story()
    meets(told, "storefront:9", 0, email=["ann@b\u00fccher.example"])
    meets(told, "crm:003", 10, email=["ann@bu\u0308cher.example"])
    meets(told, "esp:7", 20, email=["ann@xn--bcher-kva.example"])
    assert customers(told) == [["crm:003", "esp:7", "storefront:9"]]


def test_spouses_who_share_an_e_mail_and_have_logins_of_their_own_stay_two_customers() -> None:
    """I2: one account for each customer; the second goes to review and becomes a customer of its own."""
    told = story()
    meets(told, "storefront:9", 0, email=["family@example.com"])
    notes = meets(told, "storefront:10", 10, email=["family@example.com"])
    told.consents("storefront:9", 20, "opt_in", "family@example.com", **EXPLICIT)

    assert customers(told) == [["storefront:10"], ["storefront:9"]]
    assert "review" in [kind for kind, _ in notes]


@pytest.mark.parametrize("order_first", [False, True])
def test_orders_are_no_further_accounts_where_a_platform_allows_one(order_first: bool) -> None:
    """I2: an order is evidence of who bought, and nobody's second account."""
    told = story()
    records = [
        ("storefront:9", {"email": ["ann@example.com"]}),
        ("storefront:orders-1", {"external": ["storefront:9"]}),
    ]
    for place, (record, identifiers) in enumerate(reversed(records) if order_first else records):
        assert meets(told, record, place * 10, **identifiers) == []
    meets(told, "storefront:orders-2", 30, email=["bo@example.com"])
    meets(told, "crm:003", 40, email=["bo@example.com", "ann@example.com"])

    assert customers(told) == [["crm:003", "storefront:9", "storefront:orders-1", "storefront:orders-2"]]


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("email", "noreply@example.com", "email: blocked"),
        ("email", "NoReply@Example.com", "email: blocked"),
        ("email", "no address", "email: not usable"),
        ("phone", "0000000000", "phone: blocked"),
        ("phone", "+1 (000) 000-0000", "phone: blocked"),
        ("phone", "call me", "phone: not usable"),
    ],
)
def test_a_blocked_or_unusable_value_binds_nobody_and_is_named(kind: str, value: str, why: str) -> None:
    """Each record becomes a customer of its own; the note says the kind and the reason, not the value."""
    told = story(match=["external", "email", "phone"])
    first = meets(told, "storefront:9", 0, **{kind: [value]})
    second = meets(told, "crm:003", 10, **{kind: [value]})

    assert customers(told) == [["crm:003"], ["storefront:9"]]
    assert ("identifier_ignored", why) in first
    assert ("identifier_ignored", why) in second


def test_an_unlinked_record_is_as_old_as_its_first_change_whatever_time_that_stated() -> None:
    """I3: the Kafka timestamp counts; a profile that says that it was edited last year is not older than a shopper."""
    told = Story()
    told.say("storefront:9", 0, first_name="Ann")
    told.say("esp:7", -30_000_000, 50, first_name="Ann")
    told.ask(100, "unlink", record="esp:7")

    (alone,) = [one for one in told.pipeline.customers() if "esp:7" in one.records]
    assert alone.born_at == parse_time(stamp(50))


def test_what_a_platform_repeats_of_our_own_write_claims_no_identifier() -> None:
    """R11: a record that was told somebody's e-mail does not thereby have it."""
    told = story()
    meets(told, "storefront:9", 0, email=["ann@example.com"])
    meets(told, "esp:7", 10, email=["old@example.com"])
    told.hear("esp:7", 20, customer_id=None, origin="writeback", identifiers={"email": ["ann@example.com"]})

    assert customers(told) == [["esp:7"], ["storefront:9"]]
    told.hear("esp:7", 30, customer_id=None, identifiers={"email": ["ann@example.com"]})
    assert customers(told) == [["esp:7", "storefront:9"]]
