"""The Klaviyo client against a small account over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from streams.connectors.base import Answer, Applied, Later, Refused
from streams.connectors.klaviyo import CONNECTOR
from streams.connectors.klaviyo.asked import Asked
from streams.connectors.klaviyo.client import KlaviyoClient
from streams.connectors.klaviyo.consents import Act
from streams.model import Address, Assignment, Command, ConsentOrder, Invalid, Retry, format_time

ONE, TWO, THREE = "01PROFILE1", "01PROFILE2", "01PROFILE3"
AT = 1_767_958_200_000
SETTINGS = {"API_KEY": "pk_invented", "WEBHOOK_SECRET": "hush", "CONFIRM_TRIES_MAX": "4", "CONFIRM_WAIT_MS": "1"}
UNSUBSCRIBE = "/api/profile-subscription-bulk-delete-jobs/"
SUBSCRIBE = "/api/profile-subscription-bulk-create-jobs/"


def email_of(profile_id: str) -> str:
    return f"person{profile_id[-1]}@example.com"


class Account:
    """Profiles by id; a job is done after `slow` further reads of a profile, or never."""

    def __init__(self, *profiles: str) -> None:
        self.consents = dict.fromkeys(profiles or (ONE, TWO, THREE), "NEVER_SUBSCRIBED")
        self.requests: list[tuple[str, str, Any]] = []
        self.headers: list[Any] = []
        self.slow = 0
        self.pending: dict[str, tuple[str, int]] = {}
        self.throttled_after: int | None = None
        self.bad_phone: str | None = None
        self.refusal: tuple[int, str] | None = None
        self.said: dict[str, Any] = {}

    async def serve(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path, body))
        self.headers.append(request.headers)
        if self.throttled_after is not None and len(self.requests) > self.throttled_after:
            return web.json_response({"errors": [{"code": "throttled"}]}, status=429, headers={"Retry-After": "9"})
        if self.refusal is not None and request.method != "GET":
            return refused(*self.refusal)
        if request.path in (UNSUBSCRIBE, SUBSCRIBE):
            return self.job(request.path, body)
        if request.path == "/api/data-privacy-deletion-jobs":
            return web.Response(status=202)
        if request.path == "/api/profile-import":
            return web.json_response({"data": {"type": "profile", "id": "01NEW", "attributes": {}}}, status=201)
        return self.profile(request.path.rsplit("/", 1)[-1])

    def job(self, path: str, body: Any) -> web.Response:
        rows = body["data"]["attributes"]["profiles"]["data"]
        if any(row["attributes"].get("phone_number") == self.bad_phone for row in rows if self.bad_phone):
            return refused(400, "invalid")
        for row in rows:
            for profile_id in self.consents:
                if email_of(profile_id) == row["attributes"].get("email"):
                    said = "SUBSCRIBED" if path == SUBSCRIBE else "UNSUBSCRIBED"
                    self.pending[profile_id] = (said, self.slow)
        return web.Response(status=202)

    def profile(self, profile_id: str) -> web.Response:
        if profile_id not in self.consents:
            return refused(404, "not_found")
        if profile_id in self.pending:
            said, turns = self.pending[profile_id]
            self.pending[profile_id] = (said, turns - 1)
            if turns <= 0:
                self.consents[profile_id] = said
        marketing = {"can_receive_email_marketing": True, "consent": self.consents[profile_id]}
        held = {"email": email_of(profile_id), "subscriptions": {"email": {"marketing": marketing}}, **self.said}
        return web.json_response({"data": {"type": "profile", "id": profile_id, "attributes": held}})

    def sent(self, path: str) -> list[Any]:
        return [body for _, one, body in self.requests if one == path]


def refused(status: int, code: str) -> web.Response:
    return web.json_response({"errors": [{"status": status, "code": code, "detail": "no"}]}, status=status)


@asynccontextmanager
async def running(account: Account, **settings: str) -> AsyncIterator[KlaviyoClient]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", account.serve)
    async with TestServer(app) as server:
        client = CONNECTOR.client("esp", {**SETTINGS, "BASE_URL": str(server.make_url("")), **settings})
        assert isinstance(client, KlaviyoClient)
        await client.open()
        try:
            yield client
        finally:
            await client.close()


def command(record_id: str | None = ONE, op: str = "update", customer_id: str = "C1", **said: Any) -> Command:
    attributes = {name: Assignment(value, clear=value is None) for name, value in said.get("attributes", {}).items()}
    consents = said.get("consents", ())
    return Command("c", customer_id, "esp", record_id, 1, op, "survivorship", "e", 0, attributes, consents)  # type: ignore[arg-type]


def order(
    decision: str, contact_point: str = email_of(ONE), channel: str = "email", explicit: bool = True
) -> ConsentOrder:
    return ConsentOrder(contact_point, channel, "marketing", decision, AT, explicit)  # type: ignore[arg-type]


def opt_out(record_id: str) -> Command:
    return command(record_id, consents=(order("opt_out", email_of(record_id)),))


async def deliver(account: Account, *commands: Command, **settings: str) -> list[Answer]:
    async with running(account, **settings) as client:
        return list(await client.deliver(commands))


class TestValues:
    async def test_an_update_sends_null_for_a_clear_and_the_whole_location(self):
        account = Account()
        home = Address("77 Lakeview Ave", "", "Madison", "WI", "53703", "US")
        said = {"first_name": None, "phone": "+16085550177", "shipping_address": home}

        assert await deliver(account, command(attributes=said)) == [Applied()]
        assert account.requests == [
            (
                "PATCH",
                f"/api/profiles/{ONE}",
                {
                    "data": {
                        "type": "profile",
                        "id": ONE,
                        "attributes": {
                            "first_name": None,
                            "phone_number": "+16085550177",
                            "location": {
                                "address1": "77 Lakeview Ave",
                                "address2": None,
                                "city": "Madison",
                                "region": "WI",
                                "zip": "53703",
                                "country": "US",
                            },
                        },
                    }
                },
            )
        ]

    async def test_every_request_carries_the_key_the_revision_and_the_media_type(self):
        account = Account()
        await deliver(account, command(attributes={"first_name": "Inés"}), REVISION="2026-04-15")

        assert account.headers[0]["Authorization"] == "Klaviyo-API-Key pk_invented"
        assert account.headers[0]["revision"] == "2026-04-15"
        assert account.headers[0]["Content-Type"] == "application/vnd.api+json"

    async def test_a_cleared_address_empties_every_part(self):
        account = Account()
        await deliver(account, command(attributes={"shipping_address": None}))

        assert set(account.requests[0][2]["data"]["attributes"]["location"].values()) == {None}

    async def test_a_billing_address_is_not_carried(self):
        account = Account()
        home = Address("1 A St", city="Madison")

        assert await deliver(account, command(attributes={"billing_address": home})) == [
            Refused("unsupported_attribute")
        ]
        assert await deliver(account, command(attributes={"billing_address": home, "first_name": "I"})) == [
            Applied(detail="unsupported_attribute")
        ]

    async def test_a_create_is_an_import_marked_with_the_customer_and_names_the_profile(self):
        account = Account()

        assert await deliver(
            account, command(None, "create", attributes={"email": "a@example.com", "phone": None})
        ) == [Applied(record_id="01NEW")]
        assert account.sent("/api/profile-import")[0]["data"]["attributes"] == {
            "email": "a@example.com",
            "properties": {"writeback_customer_id": "C1"},
        }

    async def test_a_create_without_a_contact_point_is_refused(self):
        account = Account()

        assert await deliver(account, command(None, "create", attributes={"first_name": "I"})) == [
            Refused("no_contact_point")
        ]
        assert account.requests == []

    async def test_an_erasure_is_a_privacy_deletion_and_what_is_gone_is_done(self):
        account = Account()
        assert await deliver(account, command(ONE, "erase")) == [Applied(detail="accepted")]

        account.refusal = (404, "not_found")
        assert await deliver(account, command(ONE, "erase")) == [Applied()]

    async def test_two_profiles_with_one_contact_point_are_a_refusal(self):
        account = Account()
        account.refusal = (409, "duplicate_profile")

        assert await deliver(account, command(attributes={"email": "a@example.com"})) == [Refused("duplicate_profile")]

    async def test_a_throttled_account_gets_nothing_more(self):
        account = Account()
        account.throttled_after = 1
        names = [command(one, attributes={"first_name": "I"}) for one in (ONE, TWO, THREE)]

        assert await deliver(account, *names) == [Applied(), Later("throttled", 9.0), Later("throttled", 9.0)]
        assert len(account.requests) == 2

    async def test_what_klaviyo_cannot_be_told_is_refused_by_name(self):
        answers = await deliver(
            Account(),
            command(None, attributes={"first_name": "I"}),
            command(ONE, "validate"),
            command(TWO, consents=(order("opt_out", "x", "push"),)),
            command(THREE),
        )

        assert answers == [
            Refused("no_record_id"),
            Refused("unsupported_op"),
            Refused("unsupported_channel"),
            Refused("nothing_to_say"),
        ]


class TestOptOuts:
    async def test_opt_outs_share_one_job_and_count_once_the_profiles_show_them(self):
        account = Account()

        assert await deliver(account, opt_out(ONE), opt_out(TWO)) == [Applied(), Applied()]
        (job,) = account.sent(UNSUBSCRIBE)
        assert job["data"]["type"] == "profile-subscription-bulk-delete-job"
        assert "relationships" not in job["data"]
        assert job["data"]["attributes"]["profiles"]["data"][0] == {
            "type": "profile",
            "attributes": {
                "email": email_of(ONE),
                "subscriptions": {"email": {"marketing": {"consent": "UNSUBSCRIBED"}}},
            },
        }

    async def test_a_slow_job_is_waited_for(self):
        account = Account()
        account.slow = 2

        assert await deliver(account, opt_out(ONE)) == [Applied()]
        assert [method for method, _, _ in account.requests] == ["POST", "GET", "GET", "GET"]

    async def test_a_job_that_is_never_done_is_tried_again_later_and_not_waited_for_for_ever(self):
        account = Account()
        account.slow = 99

        assert await deliver(account, opt_out(ONE)) == [Later("unconfirmed", whole_platform=False)]
        assert len(account.requests) == 1 + 4

    async def test_a_profile_that_cannot_be_mailed_is_opted_out(self):
        account = Account()
        account.slow = 99
        marketing = {"can_receive_email_marketing": False, "consent": "NEVER_SUBSCRIBED"}
        account.said = {"subscriptions": {"email": {"marketing": marketing}}}

        assert await deliver(account, opt_out(ONE)) == [Applied()]

    async def test_an_address_that_the_profile_no_longer_holds_cannot_be_read_back(self):
        account = Account()

        assert await deliver(account, command(ONE, consents=(order("opt_out", "old@example.com"),))) == [
            Applied(detail="accepted_former_address")
        ]

    async def test_a_profile_that_is_gone_has_nothing_to_show(self):
        assert await deliver(Account(TWO), opt_out(ONE)) == [Applied(detail="accepted_profile_gone")]

    async def test_one_bad_contact_point_does_not_refuse_the_others(self):
        account = Account()
        account.bad_phone = "+99"
        bad = command(TWO, consents=(order("opt_out", "+99", "sms"),))

        assert await deliver(account, opt_out(ONE), bad, opt_out(THREE)) == [Applied(), Refused("invalid"), Applied()]

    async def test_no_job_has_more_than_a_hundred(self):
        profiles = [f"01P{place:03}" for place in range(120)]
        account = Account(*profiles)
        orders = (order("opt_out", email_of(one)) for one in profiles)
        commands = [command(one, consents=(said,)) for one, said in zip(profiles, orders, strict=True)]
        await deliver(account, *commands)

        jobs = [len(job["data"]["attributes"]["profiles"]["data"]) for job in account.sent(UNSUBSCRIBE)]
        assert len(jobs) == 2
        assert max(jobs) <= 100

    async def test_the_same_contact_point_stands_in_a_job_once(self):
        account = Account()
        same = (order("opt_out", email_of(ONE)),)
        await deliver(account, command(ONE, consents=same), command(TWO, consents=same))

        assert len(account.sent(UNSUBSCRIBE)[0]["data"]["attributes"]["profiles"]["data"]) == 1

    async def test_consent_goes_before_values_and_a_records_commands_keep_their_order(self):
        account = Account()
        answers = await deliver(account, opt_out(ONE), command(ONE, attributes={"first_name": "I"}))

        assert answers == [Applied(), Applied()]
        assert [method for method, _, _ in account.requests] == ["POST", "GET", "PATCH"]


class TestOptIns:
    async def test_an_opt_in_that_is_not_explicit_is_never_sent(self):
        account = Account()

        assert await deliver(account, command(consents=(order("opt_in", explicit=False),))) == [
            Refused("opt_in_not_explicit")
        ]
        assert account.requests == []

    async def test_an_opt_out_is_sent_although_an_opt_in_beside_it_is_not(self):
        account = Account()
        consents = (order("opt_out"), order("opt_in", "+16085550177", "sms", explicit=False))

        assert await deliver(account, command(consents=consents)) == [Applied(detail="opt_in_not_explicit")]
        assert account.consents[ONE] == "UNSUBSCRIBED"

    async def test_an_explicit_opt_in_carries_its_own_time_and_our_mark(self):
        account = Account()

        assert await deliver(account, command(consents=(order("opt_in"),)), LIST_ID="LiSt01") == [Applied()]
        (job,) = account.sent(SUBSCRIBE)
        attributes = job["data"]["attributes"]
        assert (attributes["custom_source"], attributes["historical_import"]) == ("writeback", True)
        assert attributes["profiles"]["data"] == [
            {
                "id": ONE,
                "type": "profile",
                "attributes": {
                    "email": email_of(ONE),
                    "subscriptions": {
                        "email": {"marketing": {"consent": "SUBSCRIBED", "consented_at": format_time(AT)}}
                    },
                },
            }
        ]
        assert job["data"]["relationships"]["list"]["data"]["id"] == "LiSt01"

    async def test_a_time_that_has_not_come_yet_is_stated_as_just_past(self):
        account = Account()
        client_clock = AT - 200_000
        async with running(account) as client:
            client._http.clock = lambda: client_clock
            await client.deliver([command(consents=(order("opt_in"),))])

        row = account.sent(SUBSCRIBE)[0]["data"]["attributes"]["profiles"]["data"][0]
        assert row["attributes"]["subscriptions"]["email"]["marketing"]["consented_at"] == format_time(
            client_clock - 1000
        )

    async def test_what_is_subscribed_already_is_done_without_a_job(self):
        account = Account()
        account.consents[ONE] = "SUBSCRIBED"

        assert await deliver(account, command(consents=(order("opt_in"),))) == [Applied()]
        assert account.sent(SUBSCRIBE) == []

    async def test_a_contact_point_that_the_profile_does_not_hold_is_not_subscribed(self):
        account = Account()

        assert await deliver(account, command(consents=(order("opt_in", "other@example.com"),))) == [
            Refused("contact_point_not_held")
        ]
        assert account.sent(SUBSCRIBE) == []

    @pytest.mark.parametrize(
        ("method", "after_ms", "sent"), [("PREFERENCE_PAGE", 1000, 0), ("PREFERENCE_PAGE", -1000, 1), ("API", 1000, 1)]
    )
    async def test_an_opt_in_never_undoes_what_the_person_decided_there_afterwards(
        self, method: str, after_ms: int, sent: int
    ):
        account = Account()
        left_at = format_time(AT + after_ms)
        marketing = {"consent": "UNSUBSCRIBED", "method": method, "consent_timestamp": left_at}
        account.said = {"subscriptions": {"email": {"marketing": marketing}}}

        (answer,) = await deliver(account, command(consents=(order("opt_in"),)))

        assert len(account.sent(SUBSCRIBE)) == sent
        assert (answer == Refused("later_opt_out")) is (sent == 0)

    async def test_a_subscription_that_does_not_lift_the_suppression_is_not_applied(self):
        account = Account()
        marketing = {"consent": "SUBSCRIBED", "suppression": [{"reason": "USER_SUPPRESSED", "timestamp": None}]}
        account.said = {"subscriptions": {"email": {"marketing": marketing}}}

        assert await deliver(account, command(consents=(order("opt_in"),))) == [
            Later("unconfirmed", whole_platform=False)
        ]


class TestFetch:
    async def test_the_profile_is_restated_with_its_subscriptions(self):
        account = Account()
        account.consents[ONE] = "UNSUBSCRIBED"
        async with running(account) as client:
            change = await client.fetch(ONE)

        assert change is not None
        assert (change.record_id, change.op, change.kind) == (ONE, "restate", "snapshot")
        assert [consent.decision for consent in change.consents] == ["opt_out"]

    async def test_an_act_is_told_as_an_event_for_the_contact_point_read_now(self):
        act = Act("opt_out", "email", AT, "click", True)
        async with running(Account()) as client:
            change = await client.fetch(Asked(ONE, act, "Evt1").text())

        assert change is not None
        assert (change.kind, change.op, change.observed_at, change.attributes) == ("event", "upsert", AT, {})
        assert change.consents == (act.statement(email_of(ONE), {"platform": "klaviyo", "event": "Evt1"}),)

    async def test_an_opt_out_of_a_profile_without_the_contact_point_is_the_persons(self):
        async with running(Account()) as client:
            out = await client.fetch(Asked(ONE, Act("opt_out", "sms", AT, "text", True), "Evt1").text())
            into = await client.fetch(Asked(ONE, Act("opt_in", "sms", AT, "text", True), "Evt2").text())

        assert out is not None
        assert into is not None
        assert out.consents[0].contact_point == "*"
        assert into.op == "restate"

    async def test_what_is_gone_is_none_but_for_an_opt_out_and_what_is_throttled_is_a_retry(self):
        account = Account(TWO)
        async with running(account) as client:
            assert await client.fetch(ONE) is None
            lost = await client.fetch(Asked(ONE, Act("opt_out", "email", AT, "click", True), "Evt1").text())
            account.throttled_after = 0
            with pytest.raises(Retry, match="throttled"):
                await client.fetch(TWO)

        assert lost is not None
        assert lost.consents[0].contact_point == "*"


@pytest.mark.parametrize("settings", [{"CONFIRM_TRIES_MAX": "many"}, {"CONFIRM_WAIT_MS": "0"}, {"TRUST_EMAIL": "some"}])
def test_a_setting_that_cannot_be_read_is_named(settings: dict[str, str]):
    with pytest.raises(Invalid, match=next(iter(settings))):
        CONNECTOR.client("esp", {**SETTINGS, **settings})
