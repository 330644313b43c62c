"""Klaviyo's surprises: each is a sentence of the vendor's documentation or of its users' grief."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.connectors.base import Refetch, Translation
from streams.connectors.klaviyo import CONNECTOR, Klaviyo
from streams.connectors.klaviyo.asked import Asked, read_asked
from streams.connectors.klaviyo.consents import Act
from streams.connectors.klaviyo.shapes import moment
from streams.connectors.klaviyo.webhook import signature
from streams.model import Address, Change, Identifiers, Invalid, Statement, Suppression, parse_time

FIXTURES = Path(__file__).parents[2] / "contract" / "klaviyo"
PROFILE, OTHER = "01KEXAMPLEPR0F1LE000000001", "01KEXAMPLEPR0F1LE000000002"
WHEN = "2026-01-09T11:16:46+00:00"
AT = parse_time(WHEN)
EMAIL = "ines@example.com"
UNSUBSCRIBED, SUBSCRIBED = "unsubscribed_from_email_marketing", "subscribed_to_email_marketing"


def event(topic: str, properties: Any = None, **attributes: Any) -> dict[str, Any]:
    said = {"datetime": WHEN, "event_properties": properties or {}, **attributes}
    return {
        "topic": f"event:klaviyo.{topic}",
        "external_id": "Evt1",
        "payload": {
            "data": {
                "id": "Evt1",
                "type": "event",
                "attributes": said,
                "relationships": {"profile": {"data": {"id": PROFILE, "type": "profile"}}},
            }
        },
    }


def profile(marketing: Any = None, sms: Any = None, **attributes: Any) -> dict[str, Any]:
    subscriptions = {"email": {"marketing": marketing or {}}, "sms": {"marketing": sms or {}}}
    said = {"email": EMAIL, "updated": "2026-01-09T11:20:00+00:00", "subscriptions": subscriptions, **attributes}
    return {"type": "profile", "id": PROFILE, "attributes": said}


def read(body: Any, connector: Any = CONNECTOR) -> Translation:
    if isinstance(body, dict) and "topic" in body:
        body = {"meta": {"timestamp": "2026-01-09T11:49:36+00:00"}, "data": [body]}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return connector.translate("esp", {}, raw)


def one(body: Any, connector: Any = CONNECTOR) -> Change:
    (change,) = read(body, connector).changes
    return change


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


class TestDeliveries:
    def test_each_event_of_a_batch_is_a_change_or_is_named(self):
        said = read(fixture("batch_of_everything"))

        assert [
            (change.record_id, change.consents[0].channel, change.consents[0].decision, change.consents[0].method)
            for change in said.changes
        ] == [
            (PROFILE, "email", "opt_in", "form"),
            (OTHER, "sms", "opt_out", "text"),
            (PROFILE, "email", "opt_out", "spam_complaint"),
            (OTHER, "email", "opt_out", "manual_suppression"),
            (PROFILE, "email", "opt_out", "click"),
        ]
        assert [(asked.record_id, asked.why) for asked in said.refetch] == [
            (OTHER, "manually_unsuppressed_from_email_marketing"),
            (PROFILE, "updated_email_preferences"),
        ]
        assert said.ignored == ("topic:event:klaviyo.opened_push", "invalid:no_profile")

    def test_a_thousand_events_are_a_thousand_changes(self):
        events = [{**event(UNSUBSCRIBED, {"email_address": EMAIL}), "external_id": f"Evt{n}"} for n in range(1000)]

        assert len({change.change_id for change in read({"data": events}).changes}) == 1000

    def test_without_an_external_id_the_events_own_id_counts(self):
        body = event(UNSUBSCRIBED, {"email_address": EMAIL})
        again = {name: value for name, value in body.items() if name != "external_id"}

        assert one(body).change_id == one(again).change_id

    def test_without_any_id_the_bytes_name_the_event(self):
        body = event(UNSUBSCRIBED, {"email_address": EMAIL})
        del body["external_id"], body["payload"]["data"]["id"]

        assert one(body).change_id == one(body).change_id

    def test_an_event_alone_without_a_profile_is_invalid(self):
        body = event(UNSUBSCRIBED, {"email_address": EMAIL})
        del body["payload"]["data"]["relationships"]

        with pytest.raises(Invalid, match="no_profile"):
            read(body)

    def test_free_text_never_becomes_a_counters_name(self):
        assert read({"topic": "Inés <ines@example.com>"}).ignored == ("topic:other",)

    def test_a_delivery_without_events_is_counted(self):
        assert read({"data": []}) == Translation(ignored=("empty",))

    @pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"7", b"null", b"{}", b'{"data":7}', b'{"data":[7]}', b"\xff"])
    def test_what_is_no_delivery_is_invalid(self, body: bytes):
        with pytest.raises(Invalid):
            read(body)


class TestTimes:
    @pytest.mark.parametrize(
        ("given", "at"),
        [
            (WHEN, AT),
            ("2026-01-09T11:16:46.261080+00:00", AT + 261),
            ("2026-01-09T06:16:46-05:00", AT),
            (AT // 1000, AT),
            (AT / 1000, AT),
            (str(AT // 1000), AT),
            ("soon", None),
            (True, None),
            (-5, None),
            (1e300, None),
            (10**40, None),
        ],
    )
    def test_every_notation_of_a_time_is_read(self, given: Any, at: int | None):
        assert moment(given) == at

    def test_the_events_own_time_counts_and_not_that_of_the_delivery(self):
        change = one(event(UNSUBSCRIBED, {"email_address": EMAIL}))

        assert (change.observed_at, change.consents[0].at) == (AT, AT)

    def test_the_timestamp_stands_in_for_the_datetime(self):
        assert one(event(UNSUBSCRIBED, {"email_address": EMAIL}, datetime=None, timestamp=AT // 1000)).observed_at == AT

    def test_an_event_without_a_time_still_counts(self):
        change = one(event(UNSUBSCRIBED, {"email_address": EMAIL}, datetime=None))

        assert (change.observed_at, change.consents[0].decision) == (None, "opt_out")


class TestActs:
    @pytest.mark.parametrize(
        ("topic", "method", "explicit", "named", "actor"),
        [
            (UNSUBSCRIBED, "PREFERENCE_PAGE", True, "preference_page", "customer"),
            (UNSUBSCRIBED, None, True, None, "customer"),
            (UNSUBSCRIBED, "API", False, "sync", "integration"),
            (UNSUBSCRIBED, "PROFILE_PAGE", False, "profile_page", "agent"),
            (UNSUBSCRIBED, "CSV Import", False, "csv_import", "import"),
            (SUBSCRIBED, "FORM", True, "form", "customer"),
            (SUBSCRIBED, "Preference Page", True, "preference_page", "customer"),
            (SUBSCRIBED, "API", False, "sync", "integration"),
            (SUBSCRIBED, "PROFILE_PAGE", False, "profile_page", "agent"),
            (SUBSCRIBED, "SOMETHING_NEW", False, "something_new", "unknown"),
            (SUBSCRIBED, None, False, None, "unknown"),
            ("marked_email_as_spam", None, True, "spam_complaint", "customer"),
            ("manually_suppressed_from_email_marketing", None, False, "manual_suppression", "agent"),
        ],
    )
    def test_explicit_means_that_the_person_acted(
        self, topic: str, method: str | None, explicit: bool, named: str | None, actor: str
    ):
        change = one(event(topic, {"email_address": EMAIL, "method": method}))

        assert (change.consents[0].explicit, change.consents[0].method, change.actor) == (explicit, named, actor)

    def test_the_events_e_mail_is_the_contact_point_and_no_attribute(self):
        change = one(event(UNSUBSCRIBED, {"email_address": "old@example.com"}))

        assert change.consents[0].contact_point == "old@example.com"
        assert change.identifiers == Identifiers(email=("old@example.com",))
        assert change.attributes == {}

    def test_the_event_is_the_evidence(self):
        properties = {"email_address": EMAIL, "method": "FORM", "method_detail": "Footer form"}

        assert one(event(SUBSCRIBED, properties)).consents[0].evidence == {
            "platform": "klaviyo",
            "event": "Evt1",
            "method_detail": "Footer form",
        }

    def test_a_confirmed_subscription_is_a_double_opt_in(self):
        change = one(event(SUBSCRIBED, {"email_address": EMAIL, "method": "FORM", "double_optin": True}))

        assert (change.consents[0].method, change.consents[0].explicit) == ("double_opt_in", True)

    @pytest.mark.parametrize("marker", ["method_detail", "custom_method_detail", "custom_source"])
    def test_our_own_job_is_marked_and_never_an_act(self, marker: str):
        change = one(event(SUBSCRIBED, {"email_address": EMAIL, "method": "FORM", marker: "writeback"}))

        assert (change.origin, change.actor) == ("writeback", "integration")
        assert (change.consents[0].explicit, change.consents[0].method) == (False, "sync")

    def test_an_act_without_a_contact_point_asks_for_it(self):
        said = read(event(UNSUBSCRIBED, {"method": "CLICK"}))

        asked = read_asked(said.refetch[0].record_id)
        assert said.changes == ()
        assert asked == Asked(PROFILE, Act("opt_out", "email", AT, "click", True), "Evt1")

    def test_our_own_act_without_a_contact_point_is_counted(self):
        assert read(event(UNSUBSCRIBED, {"custom_source": "writeback"})).ignored == ("echo_without_contact_point",)

    def test_an_end_of_suppression_is_nobodys_opt_in(self):
        said = read(event("manually_unsuppressed_from_email_marketing", {"email_address": EMAIL}))

        assert said == Translation(refetch=(Refetch(PROFILE, "manually_unsuppressed_from_email_marketing"),))


class TestProfiles:
    def test_a_profile_states_its_attributes_and_the_country_as_it_is_named(self):
        change = one(fixture("profile_alone"))

        assert change.attributes == {
            "first_name": Statement("Inés"),
            "last_name": Statement("Rojas"),
            "email": Statement("ines.rojas@example.com"),
            "phone": Statement("+16085550177"),
            "shipping_address": Statement(
                Address("77 Lakeview Ave", "Apt 5", "Madison", "Wisconsin", "53703", "United States")
            ),
        }
        assert (change.kind, change.op, change.observed_at) == ("event", "upsert", parse_time("2026-01-09T11:20:00Z"))

    def test_a_page_of_whole_profiles_restates_them(self):
        first, second = read(fixture("poll_page")).changes

        assert (first.kind, first.op, second.op) == ("snapshot", "restate", "restate")

    def test_a_page_of_profiles_with_some_fields_only_restates_nothing(self):
        change = one({"data": [profile()]})

        assert (change.kind, change.op) == ("snapshot", "upsert")

    def test_a_profile_under_a_topic_is_an_event_named_by_its_delivery(self):
        change = one(fixture("profile_updated"))

        assert (change.kind, change.change_id) == ("event", f"PrfUpd00001:{PROFILE}")

    def test_a_null_says_nothing_and_is_counted(self):
        assert one({"data": profile(first_name=None, location=None)}).attributes["first_name"] == Statement()
        assert one({"data": profile(first_name=None, location=None)}).attributes["shipping_address"] == Statement()

    def test_a_location_without_a_street_is_a_guess_and_no_address(self):
        said = read({"data": profile(location={"city": "Madison", "country": "United States", "ip": "203.0.113.7"})})

        assert said.changes[0].attributes["shipping_address"] == Statement()
        assert said.ignored == ("location_without_street",)

    def test_our_customer_id_and_external_ids_that_name_their_platform_bind(self):
        properties = {"writeback_customer_id": "C1", "writeback_crm_id": "003Hs00004QkTzAIAV"}
        change = one({"data": profile(properties=properties, external_id="storefront:7001")})

        assert change.customer_id == "C1"
        assert change.identifiers.external == ("crm:003Hs00004QkTzAIAV", "storefront:7001")

    def test_a_bare_external_id_binds_nothing(self):
        assert one({"data": profile(external_id="7001")}).identifiers.external == ()

    def test_an_e_mail_does_not_bind_where_the_settings_say_so_or_it_bounced(self):
        bounced = {"suppression": [{"reason": "INVALID_EMAIL", "timestamp": WHEN}]}
        strict = Klaviyo().configured({"TRUST_EMAIL": "false"})

        assert one({"data": profile()}).identifiers.email == (EMAIL,)
        assert one({"data": profile(bounced)}).identifiers.email == ()
        assert one({"data": profile()}, strict).identifiers.email == ()
        assert one(event(UNSUBSCRIBED, {"email_address": EMAIL}), strict).identifiers.email == ()


class TestHeldConsent:
    def test_never_subscribed_but_reachable_is_no_consent(self):
        held = {"can_receive_email_marketing": True, "consent": "NEVER_SUBSCRIBED"}

        assert one({"data": profile(held)}).consents == ()

    def test_subscribed_is_an_opt_in_at_its_own_time(self):
        held = {"consent": "SUBSCRIBED", "consent_timestamp": WHEN, "last_updated": WHEN, "method": "FORM"}
        (consent,) = one({"data": profile(held)}).consents

        assert (consent.decision, consent.at, consent.explicit, consent.method) == ("opt_in", AT, True, "form")
        assert consent.evidence

    def test_subscribed_without_a_time_stays_without_one(self):
        (consent,) = one({"data": profile({"consent": "SUBSCRIBED", "last_updated": WHEN})}).consents

        assert consent.at is None

    def test_unsubscribed_is_dated_with_the_latest_that_is_known(self):
        held = {"consent": "UNSUBSCRIBED", "consent_timestamp": "2025-01-01T00:00:00Z", "last_updated": WHEN}

        assert one({"data": profile(held)}).consents[0].at == AT
        assert one({"data": profile({"consent": "UNSUBSCRIBED"})}).consents[0].at == parse_time("2026-01-09T11:20:00Z")

    def test_a_held_opt_out_that_a_program_set_is_nobodys_act_although_it_suppresses(self):
        suppression = [{"reason": "UNSUBSCRIBE", "timestamp": WHEN}]
        held = {"consent": "UNSUBSCRIBED", "method": "API", "suppression": suppression}
        (consent,) = one({"data": profile(held)}).consents

        assert (consent.at, consent.method, consent.explicit) == (AT, "sync", False)

    def test_a_held_opt_out_without_a_method_is_nobodys_act(self):
        assert not one({"data": profile({"consent": "UNSUBSCRIBED", "last_updated": WHEN})}).consents[0].explicit

    @pytest.mark.parametrize(
        ("reason", "method"),
        [
            ("UNSUBSCRIBE", "unsubscribe"),
            ("USER_SUPPRESSED", "manual_suppression"),
            ("SPAM_COMPLAINT", "spam_complaint"),
            ("SPAM_REPORT", "spam_complaint"),
        ],
    )
    def test_a_suppression_that_is_somebodys_word_outweighs_subscribed(self, reason: str, method: str):
        held = {
            "consent": "SUBSCRIBED",
            "consent_timestamp": WHEN,
            "suppression": [{"reason": reason, "timestamp": WHEN}],
        }
        change = one({"data": profile(held)})

        assert [(consent.decision, consent.method, consent.at) for consent in change.consents] == [
            ("opt_out", method, AT)
        ]
        assert change.suppressions == ()

    @pytest.mark.parametrize("reason", ["HARD_BOUNCE", "INVALID_EMAIL"])
    def test_a_bounce_suppresses_and_leaves_the_consent(self, reason: str):
        held = {
            "consent": "SUBSCRIBED",
            "consent_timestamp": WHEN,
            "suppression": [{"reason": reason, "timestamp": WHEN}],
        }
        change = one({"data": profile(held)})

        assert change.suppressions == (Suppression(EMAIL, "email", at=AT),)
        assert [consent.decision for consent in change.consents] == ["opt_in"]

    def test_our_own_subscription_is_held_without_an_act(self):
        held = {
            "consent": "SUBSCRIBED",
            "consent_timestamp": WHEN,
            "method": "API",
            "custom_method_detail": "writeback",
        }
        (consent,) = one({"data": profile({**held, "double_optin": True})}).consents

        assert (consent.explicit, consent.method) == (False, "sync")

    def test_both_channels_are_read_and_one_without_a_contact_point_is_not(self):
        held = {"consent": "UNSUBSCRIBED", "last_updated": WHEN}

        assert [c.channel for c in one({"data": profile(held, held, phone_number="+16085550177")}).consents] == [
            "email",
            "sms",
        ]
        assert [c.channel for c in one({"data": profile(held, held)}).consents] == ["email"]


def test_what_a_re_read_is_asked_for_survives_the_journey():
    for asked in (
        Asked(PROFILE),
        Asked(PROFILE, Act("opt_out", "email", AT, "click", True), "Evt1"),
        Asked(PROFILE, Act("opt_in", "sms", None, None, False), "a1b2:0"),
    ):
        assert read_asked(asked.text()) == asked


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
ANY = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
MARKETING = st.fixed_dictionaries(
    {},
    optional={
        "consent": st.sampled_from(["SUBSCRIBED", "UNSUBSCRIBED"]) | ANY,
        "consent_timestamp": st.just(WHEN) | ANY,
        "last_updated": ANY,
        "method": ANY,
        "double_optin": ANY,
        "suppression": st.lists(st.fixed_dictionaries({"reason": st.just("UNSUBSCRIBE") | ANY, "timestamp": ANY}) | ANY)
        | ANY,
    },
)


@settings(max_examples=200, deadline=None)
@given(marketing=MARKETING | ANY, attributes=st.dictionaries(st.sampled_from(["email", "location", "updated"]), ANY))
def test_any_profile_is_read_or_invalid_and_nothing_else(marketing: Any, attributes: dict[str, Any]):
    try:
        said = read({"data": profile(marketing, **attributes)})
    except Invalid:
        return

    assert said.changes


@settings(max_examples=200, deadline=None)
@given(
    topic=st.sampled_from([UNSUBSCRIBED, SUBSCRIBED, "updated_email_preferences"]) | st.text(max_size=9),
    properties=st.dictionaries(st.sampled_from(["method", "email_address", "custom_source", "x"]), ANY) | ANY,
    attributes=st.dictionaries(st.sampled_from(["datetime", "timestamp"]), ANY),
)
def test_any_event_is_read_or_invalid_and_nothing_else(topic: str, properties: Any, attributes: dict[str, Any]):
    try:
        said = read(event(topic, properties, **attributes))
    except Invalid:
        return

    assert said.changes or said.refetch or said.ignored
    for asked in said.refetch:
        assert read_asked(asked.record_id).profile_id == PROFILE


class TestSignature:
    NOW = parse_time("2026-01-09T12:00:00Z")

    def verify(self, timestamp: str, **settings: str) -> None:
        named = {"klaviyo-timestamp": timestamp, "klaviyo-signature": signature("hush", timestamp, b"{}")}
        CONNECTOR.verify(named, b"{}", {"WEBHOOK_SECRET": "hush", **settings}, self.NOW)

    @pytest.mark.parametrize(
        "timestamp",
        [
            "2026-01-09T12:00:00+00:00",
            "2026-01-09T12:00:00.261080+00:00",
            "Fri, 09 Jan 2026 12:00:00 GMT",
            "Fri, 09 Jan 2026 17:00:00 GMT",
            "1767960000",
        ],
    )
    def test_every_notation_passes_even_local_time_labelled_gmt(self, timestamp: str):
        self.verify(timestamp)

    @pytest.mark.parametrize("timestamp", ["2026-01-07T12:00:00+00:00", "Sun, 11 Jan 2026 12:00:00 GMT", "soon", "nan"])
    def test_a_day_off_or_unreadable_is_stale(self, timestamp: str):
        with pytest.raises(Invalid, match="stale_signature"):
            self.verify(timestamp)

    def test_the_window_is_a_setting(self):
        with pytest.raises(Invalid, match="stale_signature"):
            self.verify("2026-01-09T11:00:00+00:00", REPLAY_WINDOW_S="60")
