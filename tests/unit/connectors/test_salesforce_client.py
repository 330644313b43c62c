"""The Salesforce client against a small org over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from streams.connectors.base import Answer, Applied, Later, Refused
from streams.connectors.salesforce import CONNECTOR
from streams.connectors.salesforce.asked import Asked
from streams.connectors.salesforce.client import ApiUsage, SalesforceClient
from streams.model import Address, Assignment, Command, ConsentOrder, Invalid, Retry, Statement

SETTINGS = {"CLIENT_ID": "invented", "CLIENT_SECRET": "hush", "WEBHOOK_SECRET": "relay-hush"}
ONE, TWO, THREE = "003Hs00004QkTzAIAV", "003Hs00004QkTzBIAV", "003Hs00004QkTzCIAV"
AT = 1_767_958_200_000
HOME = Address("18 Orchard Lane", "Flat 3", "Madison", "WI", "53703", "US")


class Org:
    """Grants numbered tokens, keeps what it is sent, and answers rows by id from `codes`."""

    def __init__(self) -> None:
        self.tokens = 0
        self.valid_from = 1
        self.requests: list[tuple[str, str, Any]] = []
        self.headers: list[Any] = []
        self.codes: dict[str, str] = {}
        self.poison: str | None = None
        self.refusal: tuple[int, str] | None = None
        self.row: dict[str, Any] = {"Id": ONE, "LastName": "Holt", "LastModifiedDate": "2026-01-09T11:30:00.000+0000"}

    async def serve(self, request: web.Request) -> web.Response:
        if request.path == "/services/oauth2/token":
            self.tokens += 1
            return web.json_response({"access_token": f"token{self.tokens}"})
        number = int(request.headers["Authorization"].removeprefix("Bearer token"))
        if number < self.valid_from:
            return web.json_response([{"errorCode": "INVALID_SESSION_ID", "message": "expired"}], status=401)
        self.headers.append(request.headers)
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path_qs, body))
        if self.refusal is not None:
            return web.json_response([{"errorCode": self.refusal[1], "message": "no"}], status=self.refusal[0])
        return web.json_response(self.answer(request, body), headers={"Sforce-Limit-Info": "api-usage=18/15000"})

    def answer(self, request: web.Request, body: Any) -> Any:
        if request.method == "GET":
            return self.row
        if request.method == "DELETE":
            return [self.result(one) for one in request.query["ids"].split(",")]
        if self.poison is not None and any(self.poison in row for row in body["records"]):
            raise web.HTTPBadRequest(
                text='[{"errorCode":"INVALID_FIELD","message":"No such column"}]', content_type="application/json"
            )
        return [self.result(row.get("id") or row["Writeback_Customer__c"]) for row in body["records"]]

    def result(self, named: str) -> dict[str, Any]:
        if named in self.codes:
            return {"success": False, "errors": [{"statusCode": self.codes[named], "message": "no", "fields": []}]}
        return {"id": named if named.startswith("003") else f"003New{named}", "success": True, "errors": []}

    def rows(self, place: int = 0) -> list[dict[str, Any]]:
        body = self.requests[place][2]
        assert body["allOrNone"] is False
        return list(body["records"])


@asynccontextmanager
async def running(org: Org, **settings: str) -> AsyncIterator[SalesforceClient]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", org.serve)
    async with TestServer(app) as server:
        client = CONNECTOR.client("crm", {**SETTINGS, "BASE_URL": str(server.make_url("")), **settings})
        assert isinstance(client, SalesforceClient)
        await client.open()
        try:
            yield client
        finally:
            await client.close()


def command(record_id: str | None = ONE, op: str = "update", customer_id: str = "C1", **said: Any) -> Command:
    attributes = {name: Assignment(value, clear=value is None) for name, value in said.get("attributes", {}).items()}
    consents = said.get("consents", ())
    return Command("c", customer_id, "crm", record_id, 1, op, "survivorship", "e", 0, attributes, consents)  # type: ignore[arg-type]


def order(decision: str, channel: str = "email", purpose: str = "marketing") -> ConsentOrder:
    return ConsentOrder("mira@example.com", channel, purpose, decision, AT)  # type: ignore[arg-type]


def phone(record_id: str = ONE) -> Command:
    return command(record_id, attributes={"phone": "+16085550143"})


async def deliver(org: Org, *commands: Command, **settings: str) -> list[Answer]:
    async with running(org, **settings) as client:
        return list(await client.deliver(commands))


class TestRows:
    async def test_an_address_is_written_whole_into_flat_fields_and_a_clear_is_null(self):
        org = Org()
        said = {"shipping_address": HOME, "billing_address": None, "first_name": None, "last_name": "Holt"}

        assert await deliver(org, command(attributes=said)) == [Applied()]
        assert org.rows() == [
            {
                "attributes": {"type": "Contact"},
                "id": ONE,
                "MailingStreet": "18 Orchard Lane\nFlat 3",
                "MailingCity": "Madison",
                "MailingState": "WI",
                "MailingPostalCode": "53703",
                "MailingCountry": "US",
                "OtherStreet": None,
                "OtherCity": None,
                "OtherState": None,
                "OtherPostalCode": None,
                "OtherCountry": None,
                "FirstName": None,
                "LastName": "Holt",
            }
        ]

    async def test_an_org_with_picklists_is_given_codes(self):
        org = Org()
        await deliver(org, command(attributes={"shipping_address": HOME}), STATE_COUNTRY_CODES="true")

        assert (org.rows()[0]["MailingStateCode"], org.rows()[0]["MailingCountryCode"]) == ("WI", "US")
        assert "MailingState" not in org.rows()[0]

    async def test_names_are_cut_to_what_the_org_holds_and_an_e_mail_never_is(self):
        org = Org()
        email = f"{'a' * 80}@example.com"
        await deliver(org, command(attributes={"first_name": "x" * 41, "email": email}))

        assert (org.rows()[0]["FirstName"], org.rows()[0]["Email"]) == ("x" * 40, email)

    @pytest.mark.parametrize(("decision", "ticked"), [("opt_out", True), ("opt_in", False)])
    async def test_a_consent_is_the_checkbox(self, decision: str, ticked: bool):
        org = Org()

        told = msgspec.structs.replace(order(decision), explicit=decision == "opt_in")
        assert await deliver(org, command(consents=(told,))) == [Applied()]
        assert org.rows()[0]["HasOptedOutOfEmail"] is ticked

    async def test_only_an_explicit_opt_in_unticks_a_box_that_somebody_may_have_ticked(self):
        org = Org()

        assert await deliver(org, command(consents=(order("opt_in"),))) == [Refused("opt_in_not_explicit")]
        assert org.requests == []

    async def test_an_opt_out_among_several_ticks_the_one_box(self):
        org = Org()
        await deliver(org, command(consents=(order("opt_out"), order("opt_in"))))

        assert org.rows()[0]["HasOptedOutOfEmail"] is True

    async def test_what_a_contact_has_no_place_for_is_refused_by_name_and_nothing_is_sent(self):
        org = Org()
        answers = await deliver(
            org,
            command(ONE, consents=(order("opt_out", "sms"),)),
            command(TWO, consents=(order("opt_out", "email", "surveys"),)),
            command(THREE, attributes={"shoe_size": "42"}),
            command(None, attributes={"phone": "1"}),
            command("003x", "validate"),
        )

        assert answers == [
            Refused("unsupported_channel"),
            Refused("unsupported_purpose"),
            Refused("unsupported_attribute"),
            Refused("no_record_id"),
            Refused("unsupported_op"),
        ]
        assert org.requests == []

    async def test_an_opt_out_by_mail_is_applied_although_sms_has_no_place(self):
        org = Org()

        assert await deliver(org, command(consents=(order("opt_out"), order("opt_out", "sms")))) == [
            Applied(detail="unsupported_channel")
        ]

    async def test_every_write_names_our_client_and_the_usage_is_read(self):
        org = Org()
        async with running(org) as client:
            assert client.api_usage is None
            await client.deliver([phone()])

            assert client.api_usage == ApiUsage(18, 15000)
        assert org.headers[0]["Sforce-Call-Options"] == "client=writeback"


class TestCreateAndErase:
    async def test_a_create_is_an_upsert_on_the_customer_and_names_the_new_record(self):
        org = Org()

        assert await deliver(org, command(None, "create", attributes={"email": "a@example.com"})) == [
            Applied(record_id="003NewC1")
        ]
        assert org.requests[0][:2] == (
            "PATCH",
            "/services/data/v62.0/composite/sobjects/Contact/Writeback_Customer__c",
        )
        assert org.rows()[0]["Writeback_Customer__c"] == "C1"

    async def test_an_erasure_empties_the_record_and_then_deletes_it(self):
        org = Org()

        assert await deliver(org, command(ONE, "erase"), command(TWO, "erase", "C2")) == [Applied(), Applied()]
        wiped = org.rows(0)[0]
        assert (wiped["LastName"], wiped["Email"], wiped["HasOptedOutOfEmail"]) == ("Erased", None, True)
        assert org.requests[1][0] == "DELETE"
        assert f"ids={ONE},{TWO}" in org.requests[1][1]

    @pytest.mark.parametrize("code", ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"])
    async def test_erasing_what_is_gone_is_done(self, code: str):
        org = Org()
        org.codes[ONE] = code

        assert await deliver(org, command(ONE, "erase")) == [Applied()]

    async def test_an_erasure_waits_where_a_record_cannot_be_emptied_yet(self):
        org = Org()
        org.codes[ONE] = "UNABLE_TO_LOCK_ROW"
        answers = await deliver(org, command(ONE, "erase"), command(TWO, "erase", "C2"))

        assert [type(answer) for answer in answers] == [Later, Later]
        assert [request[0] for request in org.requests] == ["PATCH"]


class TestBatches:
    async def test_answers_come_in_the_order_of_the_commands(self):
        org = Org()
        org.codes = {TWO: "STRING_TOO_LONG", THREE: "UNABLE_TO_LOCK_ROW"}

        assert await deliver(org, phone(THREE), phone(ONE), phone(TWO)) == [
            Later("UNABLE_TO_LOCK_ROW", whole_platform=False),
            Applied(),
            Refused("STRING_TOO_LONG"),
        ]
        assert len(org.requests) == 1

    async def test_a_record_never_has_two_rows_in_one_request_and_its_commands_keep_their_order(self):
        org = Org()
        answers = await deliver(org, command(consents=(order("opt_out"),)), phone(TWO), phone(ONE))

        assert answers == [Applied(), Applied(), Applied()]
        assert [[row["id"] for row in org.rows(place)] for place in (0, 1)] == [[ONE, TWO], [ONE]]
        assert "HasOptedOutOfEmail" in org.rows(0)[0]

    async def test_a_records_later_command_waits_with_the_earlier_one(self):
        org = Org()
        org.codes[ONE] = "UNABLE_TO_LOCK_ROW"
        answers = await deliver(org, phone(ONE), phone(TWO), command(ONE, consents=(order("opt_out"),)))

        assert [type(answer) for answer in answers] == [Later, Applied, Later]
        assert len(org.requests) == 1

    async def test_one_row_that_refuses_the_request_does_not_refuse_the_others(self):
        org = Org()
        org.poison = "OtherCity"
        commands = [phone(f"003Hs0000000{place:03}AAA") for place in range(7)]
        commands[4] = command("003Hs0000000004AAA", attributes={"billing_address": HOME})
        answers = await deliver(org, *commands)

        assert answers == [Applied()] * 4 + [Refused("INVALID_FIELD")] + [Applied()] * 2

    async def test_more_than_two_hundred_take_two_requests(self):
        org = Org()
        answers = await deliver(org, *(phone(f"003Hs0000000{place:03}AAA") for place in range(201)))

        assert answers == [Applied()] * 201
        assert [len(org.rows(place)) for place in (0, 1)] == [200, 1]

    async def test_when_the_calls_are_used_up_nothing_more_is_sent(self):
        org = Org()
        org.refusal = (403, "REQUEST_LIMIT_EXCEEDED")
        answers = await deliver(org, phone(ONE), command(None, "create", attributes={"phone": "1"}), LIMIT_PAUSE_S="60")

        assert answers == [Later("REQUEST_LIMIT_EXCEEDED", 60.0)] * 2
        assert len(org.requests) == 1


class TestTokens:
    async def test_one_token_serves_many_requests(self):
        org = Org()
        async with running(org) as client:
            await client.deliver([phone()])
            await client.deliver([phone()])

        assert org.tokens == 1

    async def test_an_expired_token_is_renewed_once_and_the_request_repeated(self):
        org = Org()
        async with running(org) as client:
            await client.deliver([phone()])
            org.valid_from = 2

            assert await client.deliver([phone()]) == [Applied()]
        assert org.tokens == 2

    async def test_a_token_that_is_never_valid_is_not_asked_for_for_ever(self):
        org = Org()
        org.valid_from = 99

        assert await deliver(org, phone()) == [Later("unauthorized")]
        assert org.tokens == 2


class TestFetch:
    async def test_the_record_is_restated_with_its_consent_as_stored(self):
        org = Org()
        org.row |= {"Email": "mira@example.com", "HasOptedOutOfEmail": True, "Phone": None}
        async with running(org) as client:
            change = await client.fetch(ONE)

        assert change is not None
        assert (change.op, change.kind, change.observed_at) == ("restate", "snapshot", AT)
        assert change.attributes["phone"] == Statement()
        assert [(consent.decision, consent.at) for consent in change.consents] == [("opt_out", AT)]

    async def test_a_restatement_is_newer_than_the_event_that_asked_for_it(self):
        async with running(Org()) as client:
            same = await client.fetch(Asked(ONE, AT + 400, 9).text())
            later = await client.fetch(Asked(ONE, AT - 400, 9).text())

        assert same is not None
        assert later is not None
        assert (same.record_id, same.observed_at, same.sequence) == (ONE, AT + 400, 9)
        assert (later.observed_at, later.sequence) == (AT, None)

    @pytest.mark.parametrize("decision", ["opt_out", "opt_in"])
    async def test_an_act_is_told_as_an_event_at_its_own_time_whatever_the_box_says_now(self, decision: Any):
        org = Org()
        org.row |= {"Email": "mira@example.com", "HasOptedOutOfEmail": decision == "opt_in"}
        async with running(org) as client:
            change = await client.fetch(Asked(ONE, AT - 5000, 8, decision).text())
            again = await client.fetch(Asked(ONE, AT - 5000, 8, decision).text())

        assert change is not None
        assert (change.kind, change.op, change.attributes) == ("event", "upsert", {})
        assert [(c.contact_point, c.decision, c.at) for c in change.consents] == [
            ("mira@example.com", decision, AT - 5000)
        ]
        assert change == again

    async def test_an_opt_out_of_a_record_without_an_e_mail_is_the_persons(self):
        async with running(Org()) as client:
            change = await client.fetch(Asked(ONE, AT, 8, "opt_out").text())

        assert change is not None
        assert [(c.contact_point, c.decision) for c in change.consents] == [("*", "opt_out")]

    async def test_an_opt_in_of_a_record_without_an_e_mail_is_nobodys(self):
        async with running(Org()) as client:
            change = await client.fetch(Asked(ONE, AT, 8, "opt_in").text())

        assert change is not None
        assert (change.op, change.consents) == ("restate", ())

    async def test_a_record_in_the_recycle_bin_is_gone_but_an_opt_out_there_is_not(self):
        org = Org()
        org.row["IsDeleted"] = True
        async with running(org) as client:
            assert await client.fetch(ONE) is None
            assert await client.fetch(Asked(ONE, AT, 8, "opt_in").text()) is None
            change = await client.fetch(Asked(ONE, AT, 8, "opt_out").text())

        assert change is not None
        assert [(c.contact_point, c.decision) for c in change.consents] == [("*", "opt_out")]

    @pytest.mark.parametrize(
        ("refusal", "error"), [((403, "REQUEST_LIMIT_EXCEEDED"), Retry), ((400, "MALFORMED_ID"), Invalid)]
    )
    async def test_what_cannot_be_read_says_whether_to_try_again(
        self, refusal: tuple[int, str], error: type[Exception]
    ):
        org = Org()
        org.refusal = refusal
        async with running(org) as client:
            with pytest.raises(error):
                await client.fetch(ONE)

    async def test_an_unreachable_org_is_a_retry(self):
        client = CONNECTOR.client("crm", {**SETTINGS, "BASE_URL": "http://127.0.0.1:9"})
        await client.open()
        try:
            with pytest.raises(Retry):
                await client.fetch(ONE)
        finally:
            await client.close()


@pytest.mark.parametrize(
    "settings", [{"LIMIT_PAUSE_S": "soon"}, {"LIMIT_PAUSE_S": "0"}, {"STATE_COUNTRY_CODES": "perhaps"}]
)
def test_a_setting_that_cannot_be_read_is_named(settings: dict[str, str]):
    with pytest.raises(Invalid, match=next(iter(settings))):
        CONNECTOR.client("crm", {**SETTINGS, "BASE_URL": "http://127.0.0.1:9", **settings})
