"""Commands at the Admin API: safe to repeat, and never taken for done when they are not."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from streams.connectors.base import Applied, Later, Refused
from streams.connectors.shopify.graphql import OPERATIONS
from streams.model import Address, ConsentStatement, Identifiers, Invalid, Retry, Statement, parse_time
from streams.sandbox.shopify.api import SCHEMA
from tests.contract.case import Reply, Request
from tests.contract.server import Platform, running
from tests.contract.shopify.case import CASE, CUSTOMER, HOME, SETTINGS, answer, coded, command, consent, payload, row

ADDRESSED = command("update", attributes={"shipping_address": HOME})
OLD_ADDRESS = row()["defaultAddress"]
NEW_ADDRESS = OLD_ADDRESS | {"address1": "77 lakeview ave", "address2": "apt 5", "zip": "60601-1077"}


class Shop:
    """A shop with one customer, that answers as told by operation."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, request: Request) -> Reply:
        asked = request.json()
        operation, variables = asked["operationName"], asked["variables"]
        self.asked.append((operation, variables))
        told = self.answers.get(operation)
        told = told.pop(0) if isinstance(told, list) else told
        if isinstance(told, Reply):
            return told
        return answer(operation, payload(operation, variables) if operation not in self.answers else told)

    def writes(self) -> list[str]:
        return [operation for operation, _ in self.asked if operation not in ("customer", "customerByIdentifier")]

    def told(self, operation: str) -> Any:
        (found,) = (variables for asked, variables in self.asked if asked == operation)
        return found


async def delivered(shop: Shop, *commands: Any) -> list[Any]:
    async with running(CASE, Platform(shop)) as client:
        return [answer for one in commands for answer in await client.deliver([one])]


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_every_operation_is_valid_by_the_schema_that_the_sandbox_took_from_the_reference(operation: str):
    from graphql import parse, validate

    assert validate(SCHEMA, parse(OPERATIONS[operation])) == []


class TestAttributes:
    async def test_a_cleared_attribute_is_sent_as_null(self):
        shop = Shop()

        await delivered(shop, command("update", attributes={"phone": None, "last_name": "Okafor"}))

        assert shop.told("customerUpdate") == {"input": {"id": CUSTOMER, "phone": None, "lastName": "Okafor"}}

    async def test_an_attribute_that_a_shop_has_no_place_for_is_refused_before_anything_is_written(self):
        shop = Shop()

        given = await delivered(shop, command("update", attributes={"phone": "+13125550142", "billing_address": HOME}))

        assert given == [Refused("attribute_not_supported:billing_address")]
        assert shop.asked == []

    @pytest.mark.parametrize("record_id", ["orders-7001", "order-450789001", "gid://shopify/Customer/7001", "0", ""])
    async def test_only_a_customers_own_row_is_written(self, record_id: str):
        shop = Shop()

        (given,) = await delivered(shop, command("update", record_id, attributes={"first_name": "Ines"}))

        assert isinstance(given, Refused)
        assert shop.asked == []

    async def test_what_this_platform_cannot_be_told_is_refused(self):
        assert await delivered(Shop(), command("validate")) == [Refused("op_not_supported")]


class TestAddress:
    async def test_the_default_address_is_changed_in_place_and_keeps_whose_it_is(self):
        shop = Shop()

        assert await delivered(shop, ADDRESSED) == [Applied()]

        assert shop.told("customerAddressUpdate") == {
            "customerId": CUSTOMER,
            "addressId": OLD_ADDRESS["id"],
            "setAsDefault": True,
            "address": {
                "firstName": "Ines",
                "lastName": "Okafor",
                "company": "Okafor & Co",
                "phone": "555-0142",
                "address1": "77 Lakeview Ave",
                "address2": "Apt 5",
                "city": "Chicago",
                "provinceCode": "IL",
                "zip": "60601-1077",
                "countryCode": "US",
            },
        }

    async def test_without_a_default_address_one_is_created(self):
        shop = Shop(customer=row(defaultAddress=None))

        assert await delivered(shop, ADDRESSED) == [Applied()]

        assert shop.writes() == ["customerAddressCreate"]
        assert shop.told("customerAddressCreate")["setAsDefault"] is True

    async def test_a_create_that_timed_out_after_it_was_applied_is_not_repeated(self):
        shop = Shop(
            customer=[row(defaultAddress=None), row(defaultAddress=NEW_ADDRESS)],
            customerAddressCreate=Reply(504),
        )

        assert await delivered(shop, ADDRESSED, ADDRESSED) == [Later("timeout"), Applied()]

        assert shop.writes() == ["customerAddressCreate"]

    async def test_codes_are_sent_for_names(self):
        shop = Shop()
        spelt = Address("1 Rue X", "", "Chicago", "Illinois", "60601", "United States")

        await delivered(shop, command("update", attributes={"shipping_address": spelt}))

        sent = shop.told("customerAddressUpdate")["address"]
        assert (sent["provinceCode"], sent["countryCode"], sent["address2"]) == ("IL", "US", None)

    async def test_a_country_that_is_none_is_refused(self):
        nowhere = Address("1 Rue X", "", "Oz", "", "1", "Emerald City")

        given = await delivered(Shop(), command("update", attributes={"shipping_address": nowhere}))

        assert given == [Refused("country_unknown")]

    async def test_clearing_deletes_the_default_address_and_is_done_where_there_is_none(self):
        cleared = command("update", attributes={"shipping_address": None})
        with_one, without = Shop(), Shop(customer=row(defaultAddress=None))

        assert await delivered(with_one, cleared) == [Applied()]
        assert await delivered(without, cleared) == [Applied()]

        assert with_one.writes() == ["customerAddressDelete"]
        assert without.writes() == []


class TestConsent:
    async def test_an_opt_in_is_told_with_its_time_and_a_level_that_is_nobodys_act(self):
        shop = Shop()

        await delivered(shop, command("update", consents=(consent("opt_in"),)))

        said = shop.told("customerEmailMarketingConsentUpdate")["input"]["emailMarketingConsent"]
        assert said == {
            "marketingState": "SUBSCRIBED",
            "marketingOptInLevel": "UNKNOWN",
            "consentUpdatedAt": "2026-01-09T11:59:00Z",
        }

    async def test_an_opt_in_is_never_told_for_another_address_than_the_shop_holds(self):
        shop = Shop()

        given = await delivered(shop, command("update", consents=(consent("opt_in", "old@example.com"),)))

        assert given == [Refused("contact_point_not_held")]
        assert shop.writes() == []

    async def test_an_opt_out_of_an_address_that_the_shop_no_longer_holds_is_done(self):
        shop = Shop(customer=row(defaultPhoneNumber=None))

        given = await delivered(shop, command("update", consents=(consent("opt_out", "+13125550142", "sms"),)))

        assert given == [Applied()]
        assert shop.writes() == []

    async def test_an_opt_out_that_the_shop_thinks_older_is_given_again_as_of_now(self):
        kept = {"customer": {"id": CUSTOMER, "defaultEmailAddress": {"marketingState": "SUBSCRIBED"}}, "userErrors": []}
        done = {"customer": {"id": CUSTOMER, "defaultEmailAddress": {"marketingState": "UNSUBSCRIBED"}}}
        shop = Shop(customerEmailMarketingConsentUpdate=[kept, done])

        assert await delivered(shop, command("update", consents=(consent("opt_out"),))) == [Applied()]

        (_, dated), (_, undated) = [said for said in shop.asked if said[0] != "customer"]
        assert "consentUpdatedAt" in dated["input"]["emailMarketingConsent"]
        assert undated["input"]["emailMarketingConsent"] == {"marketingState": "UNSUBSCRIBED"}

    async def test_an_opt_in_that_the_shop_thinks_older_is_not_forced(self):
        kept = {"customer": {"id": CUSTOMER, "defaultEmailAddress": {"marketingState": "UNSUBSCRIBED"}}}
        shop = Shop(customerEmailMarketingConsentUpdate=kept)

        given = await delivered(shop, command("update", consents=(consent("opt_in"),)))

        assert given == [Refused("consent_not_taken")]
        assert shop.writes() == ["customerEmailMarketingConsentUpdate"]

    @pytest.mark.parametrize("explicit", [True, False])
    async def test_only_an_explicit_opt_in_lifts_what_was_unsubscribed_there(self, explicit: bool):
        email = {"emailAddress": "ines@example.com", "marketingState": "UNSUBSCRIBED"}
        shop = Shop(customer=row(defaultEmailAddress=email))
        given = msgspec.structs.replace(consent("opt_in", "ines@example.com"), explicit=explicit)

        (answer,) = await delivered(shop, command("update", consents=(given,)))

        assert (answer == Refused("opt_in_not_explicit")) is not explicit
        assert (shop.writes() == ["customerEmailMarketingConsentUpdate"]) is explicit

    async def test_a_refused_opt_in_does_not_hold_up_an_opt_out(self):
        shop = Shop()
        both = (consent("opt_in", "old@example.com"), consent("opt_out", "+13125550142", "sms"))

        given = await delivered(shop, command("update", consents=both))

        assert given == [Refused("contact_point_not_held")]
        assert shop.writes() == ["customerSmsMarketingConsentUpdate"]

    async def test_a_channel_that_a_shop_does_not_have_is_refused(self):
        post = consent("opt_out", "12 Harbor St", "post")

        assert await delivered(Shop(), command("update", consents=(post,))) == [Refused("consent_not_supported")]

    async def test_a_customer_that_is_gone_is_refused(self):
        shop = Shop(customer=None)

        assert await delivered(shop, command("update", consents=(consent("opt_out"),))) == [Refused("no_customer")]


class TestCreateAndErase:
    async def test_a_customer_that_is_there_already_is_taken_and_updated(self):
        shop = Shop()
        create = command("create", None, attributes={"email": "ines@example.com", "first_name": "Ines"})

        assert await delivered(shop, create) == [Applied(record_id="7001")]

        assert shop.writes() == ["customerUpdate"]

    async def test_a_new_customer_is_created_once_with_its_address(self):
        created = {"customer": {"id": "gid://shopify/Customer/7009"}, "userErrors": []}
        shop = Shop(customerByIdentifier=None, customerCreate=created, customer=row(defaultAddress=None))
        create = command("create", None, attributes={"email": "new@example.com", "shipping_address": HOME})

        assert await delivered(shop, create) == [Applied(record_id="7009")]

        assert shop.writes() == ["customerCreate", "customerAddressCreate"]
        assert shop.told("customerCreate") == {"input": {"email": "new@example.com"}}
        assert shop.told("customerAddressCreate")["customerId"] == "gid://shopify/Customer/7009"

    async def test_whoever_only_shares_the_phone_is_not_taken_for_a_customer_with_another_address(self):
        taken = {"customer": None, "userErrors": [{"field": ["phone"], "message": "has already been taken"}]}
        other = {"id": CUSTOMER}
        shop = Shop(customerByIdentifier=[None, other], customerCreate=taken)
        create = command("create", None, attributes={"email": "new@example.com", "phone": "+13125550142"})

        assert await delivered(shop, create) == [Refused("user_error:phone")]

        assert shop.writes() == ["customerCreate"]

    async def test_a_customer_known_by_phone_alone_is_found_by_it(self):
        shop = Shop()

        assert await delivered(shop, command("create", None, attributes={"phone": "+13125550142"})) == [
            Applied(record_id="7001")
        ]

        assert shop.writes() == ["customerUpdate"]

    async def test_erasure_is_asked_for_and_not_deletion(self):
        shop = Shop()

        assert await delivered(shop, command("erase"), command("erase", "orders-7001")) == [Applied(), Applied()]

        assert shop.writes() == ["customerRequestDataErasure"] * 2
        assert {variables["customerId"] for _, variables in shop.asked} == {CUSTOMER}

    async def test_who_is_not_there_is_erased(self):
        wrong = [{"code": "DOES_NOT_EXIST", "field": ["customerId"], "message": "Customer does not exist"}]
        shop = Shop(customerRequestDataErasure={"customerId": None, "userErrors": wrong})

        assert await delivered(shop, command("erase")) == [Applied(detail="not_there")]

    async def test_a_guests_order_is_left_to_a_person(self):
        assert await delivered(Shop(), command("erase", "order-450789001")) == [Refused("no_customer")]


class TestFetch:
    async def test_the_view_restates_the_whole_row(self):
        marketing = {"marketingState": "SUBSCRIBED", "marketingOptInLevel": "SINGLE_OPT_IN"}
        email = {"emailAddress": "ines@example.com", **marketing, "marketingUpdatedAt": "2026-01-09T11:00:00Z"}
        shop = Shop(customer=row(defaultEmailAddress=email, defaultPhoneNumber=None, lastName=None))

        async with running(CASE, Platform(shop)) as client:
            view, again = await client.fetch("7001"), await client.fetch("7001")

        assert view is not None
        assert view == again
        assert (view.kind, view.op, view.observed_at) == ("snapshot", "restate", parse_time("2026-01-09T11:30:00Z"))
        assert view.identifiers == Identifiers(email=("ines@example.com",))
        assert view.attributes == {
            "first_name": Statement(value="Ines"),
            "email": Statement(value="ines@example.com"),
            "shipping_address": Statement(value=Address("12 Harbor St", "", "Chicago", "IL", "60601", "US")),
        }
        assert view.consents == (
            ConsentStatement(
                "ines@example.com",
                "email",
                "marketing",
                "opt_in",
                at=parse_time("2026-01-09T11:00:00Z"),
                explicit=True,
                method="checkbox",
                evidence={"source": "admin_api", "opt_in_level": "single_opt_in"},
            ),
        )

    async def test_a_shop_that_cannot_answer_now_is_a_retry(self):
        async with running(CASE, Platform(lambda _: Reply(503, b"", {"Retry-After": "3"}))) as client:
            with pytest.raises(Retry) as raised:
                await client.fetch("7001")

        assert (raised.value.reason, raised.value.after_s) == ("unavailable", 3.0)

    async def test_a_shop_that_never_will_is_invalid(self):
        async with running(CASE, Platform(coded("ACCESS_DENIED"))) as client:
            with pytest.raises(Invalid, match="fetch_refused: access_denied"):
                await client.fetch("7001")

    async def test_a_view_that_cannot_be_read_is_a_retry(self):
        async with running(CASE, Platform(Shop(customer={"id": 7}))) as client:
            with pytest.raises(Retry, match="unreadable_answer"):
                await client.fetch("7001")

    async def test_an_order_has_no_view(self):
        async with running(CASE, Platform(Shop())) as client:
            with pytest.raises(Invalid, match="no_view"):
                await client.fetch("orders-7001")


async def test_neither_answers_nor_logs_repeat_a_value_or_a_secret(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    wrong = [{"field": ["input", "email"], "message": "ines@example.com has already been taken"}]
    shop = Shop(customerUpdate={"customer": None, "userErrors": wrong})

    given = await delivered(shop, command("update", attributes={"email": "ines@example.com"}))

    assert given == [Refused("user_error:input.email")]
    assert "ines@example.com" not in caplog.text
    assert SETTINGS["ACCESS_TOKEN"] not in caplog.text
