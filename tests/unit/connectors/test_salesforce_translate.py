"""Salesforce's surprises: each is a sentence of the vendor's documentation or of its users' grief."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.connectors.base import Refetch, Translation
from streams.connectors.salesforce import CONNECTOR, Salesforce
from streams.connectors.salesforce.asked import Asked, read_asked
from streams.connectors.salesforce.fields import address_fields, moment, street_lines
from streams.connectors.salesforce.webhook import signature
from streams.model import Address, Assignment, Change, ConsentStatement, Identifiers, Invalid, Statement, parse_time

FIXTURES = Path(__file__).parents[2] / "contract" / "salesforce"
CONTACT, OTHER = "003Hs00004QkTzAIAV", "003Hs00004QkTzBIAV"
AT = 1_767_958_200_000
COMMIT = 1_767_958_200_417_330_177
ROW_AT = parse_time("2026-01-09T02:10:11Z")


def header(**said: Any) -> dict[str, Any]:
    whole = {
        "entityName": "Contact",
        "recordIds": [CONTACT],
        "changeType": "UPDATE",
        "changeOrigin": "",
        "transactionKey": "0001f2a4",
        "sequenceNumber": 1,
        "commitTimestamp": AT,
        "commitNumber": COMMIT,
        "commitUser": "005Hs00000AbCdEIAV",
        **said,
    }
    return {name: value for name, value in whole.items() if value is not None}


def event(changed: list[str] | None = None, head: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    listed = None if changed is None else ["LastModifiedDate", *changed]
    return {**fields, "ChangeEventHeader": header(changedFields=listed, **(head or {}))}


def read(body: Any, connector: Any = CONNECTOR) -> Translation:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return connector.translate("crm", {}, raw)


def one(body: Any, connector: Any = CONNECTOR) -> Change:
    (change,) = read(body, connector).changes
    return change


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def said(contact_point: str, decision: str, at: int | None = AT) -> ConsentStatement:
    return ConsentStatement(contact_point, "email", "marketing", decision, at)  # type: ignore[arg-type]


class TestWhatAnUpdateStates:
    def test_a_listed_member_that_is_absent_was_cleared(self):
        change = one(event(["Name.FirstName", "Phone"], Name={"LastName": "Holt"}))

        assert change.attributes == {"first_name": Statement(clear=True), "phone": Statement(clear=True)}

    def test_a_nulled_field_was_cleared(self):
        change = one(fixture("cdc_update_pubsub_names"))

        assert change.attributes == {"phone": Statement("+16085550143"), "first_name": Statement(clear=True)}

    def test_null_that_is_not_listed_says_nothing(self):
        change = one(event(["Phone"], Phone="1", Email=None, Name=None, MailingAddress=None))

        assert set(change.attributes) == {"phone"}

    def test_a_value_that_is_not_listed_is_an_enrichment_and_states_nothing(self):
        change = one(event(["Phone"], Phone="1", Email="mira@example.com"))

        assert set(change.attributes) == {"phone"}

    def test_an_update_of_other_fields_is_counted_and_makes_no_change(self):
        said = read(fixture("cdc_update_nothing_of_ours"))

        assert said == Translation(ignored=("nothing_relevant",))

    def test_each_record_of_one_event_gets_its_change(self):
        changes = read(event(["Phone"], {"recordIds": [CONTACT, OTHER]}, Phone="1")).changes

        assert [change.record_id for change in changes] == [CONTACT, OTHER]
        assert [change.change_id for change in changes] == [f"0001f2a4:1:{CONTACT}", f"0001f2a4:1:{OTHER}"]

    def test_without_the_list_of_fields_values_count_and_the_record_is_read_again(self):
        said = read(event(None, Phone="1", Email=None))

        assert said.changes[0].attributes == {"phone": Statement("1")}
        assert [asked.why for asked in said.refetch] == ["changed_fields_unknown"]

    def test_bitmaps_without_their_schema_are_unknown_so_the_record_is_read_again(self):
        said = read(fixture("cdc_update_pubsub_bitmaps"))

        assert set(said.changes[0].attributes) == {"phone", "shipping_address"}
        assert [(read_asked(asked.record_id).decision, asked.why) for asked in said.refetch] == [
            (None, "changed_fields_unknown"),
            ("opt_out", "consent_without_contact_point"),
        ]


class TestAddresses:
    def test_a_street_of_two_lines_is_line1_and_line2(self):
        change = one(fixture("cdc_update_relay"))

        assert change.attributes["shipping_address"].value == Address(
            "18 Orchard Lane", "Flat 3", "Madison", "WI", "53703", "US"
        )

    @pytest.mark.parametrize(
        ("street", "lines"),
        [
            ("1 A St", ("1 A St", "")),
            ("1 A St\r\nApt 2", ("1 A St", "Apt 2")),
            ("1 A St\n\n Apt 2 \nRear", ("1 A St", "Apt 2, Rear")),
            ("", ("", "")),
            (None, ("", "")),
        ],
    )
    def test_lines_beyond_the_second_join_it(self, street: str | None, lines: tuple[str, str]):
        assert street_lines(street) == lines

    @given(
        line1=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1),
        line2=st.text("ab1 ", max_size=9),
    )
    def test_a_written_street_is_read_back_as_it_was(self, line1: str, line2: str):
        fields = address_fields("shipping_address", Assignment(Address(line1=line1, line2=line2.strip())), codes=False)

        assert street_lines(fields["MailingStreet"]) == (line1, line2.strip())

    def test_other_address_is_the_billing_address(self):
        assert one(fixture("cdc_create_cometd")).attributes["billing_address"].value == Address(
            "4 Mill Road", "", "Madison", "WI", "53704", "US"
        )

    def test_a_partial_address_states_its_parts_only(self):
        said = read(event(["MailingAddress.City"], MailingAddress={"City": "Monona"}))

        assert said.changes[0].attributes == {"shipping_address": Statement(Address(city="Monona"))}
        assert said.refetch == ()

    def test_a_new_street_without_a_second_line_is_read_again_since_the_old_line_would_stay(self):
        said = read(event(["MailingAddress.Street"], MailingAddress={"Street": "5 Oak St"}))

        assert said.changes[0].attributes == {"shipping_address": Statement(Address(line1="5 Oak St"))}
        assert [asked.why for asked in said.refetch] == ["street_without_line2"]
        again = read_asked(said.refetch[0].record_id)
        sequence = said.changes[0].sequence
        assert sequence is not None
        assert (again.record_id, again.at, again.sequence) == (CONTACT, AT, sequence + 1)

    def test_a_cleared_part_cannot_be_stated_and_is_counted(self):
        said = read(event(["MailingAddress.Street", "MailingAddress.City"], MailingAddress={"Street": "5 Oak St\nB"}))

        assert said.changes[0].attributes == {"shipping_address": Statement(Address(line1="5 Oak St", line2="B"))}
        assert said.ignored == ("address_part_cleared",)

    @pytest.mark.parametrize("compound", [None, {}, {"Street": None, "City": None}])
    def test_an_address_whose_street_and_city_were_emptied_is_cleared(self, compound: Any):
        listed = ["MailingAddress.Street", "MailingAddress.City", "MailingAddress.PostalCode"]

        assert one(event(listed, MailingAddress=compound)).attributes == {"shipping_address": Statement(clear=True)}

    def test_an_emptied_part_of_an_address_that_says_nothing_else_is_read_again(self):
        said = read(event(["MailingAddress.PostalCode"], MailingAddress={"PostalCode": None}))

        assert said.changes == ()
        assert said.ignored == ("address_part_cleared",)
        assert [asked.why for asked in said.refetch] == ["address_part_cleared"]

    def test_codes_are_believed_over_names(self):
        state = {"State": "Wisconsin", "StateCode": "WI", "Country": "United States", "CountryCode": "US"}
        address = one(event(["MailingAddress"], MailingAddress={"City": "Madison", **state})).attributes

        assert address["shipping_address"].value == Address(city="Madison", region="WI", country="US")

    def test_geography_alone_is_no_address(self):
        listed = ["MailingAddress.Latitude", "MailingAddress.Longitude"]

        assert read(event(listed, MailingAddress={"Latitude": 43.1, "Longitude": -89.4})).changes == ()


class TestConsent:
    def test_a_ticked_box_is_an_opt_out_of_the_e_mail_in_the_event(self):
        change = one(event(["HasOptedOutOfEmail"], HasOptedOutOfEmail=True, Email="mira@example.com"))

        assert change.consents == (said("mira@example.com", "opt_out"),)

    def test_an_unticked_box_is_an_opt_in_that_carries_no_evidence(self):
        change = one(event(["HasOptedOutOfEmail"], HasOptedOutOfEmail=False, Email="mira@example.com"))

        assert change.consents == (said("mira@example.com", "opt_in"),)
        assert not change.consents[0].explicit
        assert change.consents[0].method is None
        assert change.consents[0].evidence is None

    @pytest.mark.parametrize(("ticked", "decision"), [(True, "opt_out"), (False, "opt_in")])
    def test_an_act_without_an_e_mail_asks_for_the_contact_point_of_that_act(self, ticked: bool, decision: str):
        translation = read(event(["HasOptedOutOfEmail"], HasOptedOutOfEmail=ticked))

        asked = read_asked(translation.refetch[0].record_id)
        assert (asked.record_id, asked.at, asked.decision) == (CONTACT, AT, decision)
        assert translation.ignored == ()

    def test_an_act_without_any_time_is_still_asked_for(self):
        translation = read(event(["HasOptedOutOfEmail"], {"commitTimestamp": None}, HasOptedOutOfEmail=True))

        assert read_asked(translation.refetch[0].record_id).decision == "opt_out"

    def test_the_empty_box_of_a_new_contact_is_nobodys_opt_in(self):
        translation = read(fixture("cdc_create_cometd"))

        assert translation.changes[0].consents == ()
        assert translation.ignored == ("consent_default",)

    def test_the_ticked_box_of_a_restored_contact_is_an_opt_out(self):
        assert one(fixture("cdc_undelete")).consents == (said("mira.holt@example.com", "opt_out"),)

    def test_a_new_e_mail_without_the_box_is_read_again_so_that_a_standing_opt_out_comes_along(self):
        translation = read(event(["Email"], Email="new@example.com"))

        assert [asked.why for asked in translation.refetch] == ["email_changed"]

    def test_a_new_e_mail_with_a_standing_opt_out_in_the_event_carries_it(self):
        change = one(event(["Email"], Email="new@example.com", HasOptedOutOfEmail=True))

        assert change.consents == (said("new@example.com", "opt_out"),)

    def test_a_listed_box_that_cannot_be_read_is_read_again(self):
        translation = read(event(["HasOptedOutOfEmail"], HasOptedOutOfEmail="maybe", Email="mira@example.com"))

        assert [asked.why for asked in translation.refetch] == ["consent_unreadable"]


class TestOwnWrites:
    def test_a_change_by_our_client_is_marked_and_asks_for_nothing(self):
        translation = read(fixture("cdc_our_own_write"))

        assert translation.changes[0].origin == "writeback"
        assert translation.refetch == ()
        assert translation.ignored == ("echo_without_contact_point",)

    @pytest.mark.parametrize(
        "origin",
        [
            "com/salesforce/api/rest/62.0;client=writeback2",
            "com/salesforce/api/rest/62.0;client=other",
            "",
            "writeback",
        ],
    )
    def test_a_client_of_another_name_is_not_ours(self, origin: str):
        assert one(event(["Phone"], {"changeOrigin": origin}, Phone="1")).origin is None

    def test_our_integration_users_writes_are_ours_where_the_settings_name_it(self):
        connector = Salesforce().configured({"INTEGRATION_USERS": "005Hs00000AbCdE, 005Hs00000Other"})

        assert one(event(["Phone"], Phone="1"), connector).origin == "writeback"
        assert one(event(["Phone"], Phone="1")).origin is None

    @pytest.mark.parametrize(
        ("origin", "actor"),
        [
            ("com/salesforce/api/soap/62.0;client=SfdcInternalAPI/", "agent"),
            ("com/salesforce/api/rest/62.0;client=dataloader", "integration"),
            ("", "unknown"),
            (None, "unknown"),
        ],
    )
    def test_the_origin_tells_who_acted(self, origin: str | None, actor: str):
        assert one(event(["Phone"], {"changeOrigin": origin}, Phone="1")).actor == actor


class TestOrder:
    def test_numbers_beyond_2_53_keep_their_order(self):
        first = one(event(["Phone"], {"commitNumber": COMMIT}, Phone="1")).sequence
        second = one(event(["Phone"], {"commitNumber": COMMIT + 1}, Phone="2")).sequence

        assert first is not None
        assert second is not None
        assert first < second < 2**63

    def test_a_later_commit_of_the_same_second_is_later_although_its_own_numbers_start_again(self):
        first = one(event(["Phone"], {"sequenceNumber": 9}, Phone="1")).sequence
        second = one(event(["Phone"], {"sequenceNumber": 1, "commitNumber": COMMIT + 7}, Phone="2")).sequence

        assert first is not None
        assert second is not None
        assert first < second

    @pytest.mark.parametrize("number", [2**52 - 1, 2**63 - 1, 2**63, 10**30])
    def test_the_sequence_fits_into_63_bits_whatever_the_numbers(self, number: int):
        sequence = one(event(["Phone"], {"sequenceNumber": number, "commitNumber": number}, Phone="1")).sequence

        assert sequence is not None
        assert 0 <= sequence < 2**63

    def test_without_numbers_there_is_no_sequence_and_the_id_comes_from_the_bytes(self):
        body = event(["Phone"], {"sequenceNumber": None, "commitNumber": None}, Phone="1")

        assert one(body).sequence is None
        assert one(body).change_id == one(body).change_id != one({**body, "Phone": "2"}).change_id

    @pytest.mark.parametrize(
        ("given", "at"),
        [
            ("2026-01-09T02:10:11.000+0000", ROW_AT),
            ("2026-01-09T02:10:11Z", ROW_AT),
            ("2026-01-09T02:10:11.000Z", ROW_AT),
            ("2026-01-09T03:10:11+01:00", ROW_AT),
            (ROW_AT, ROW_AT),
            (str(ROW_AT), ROW_AT),
            ({"long": ROW_AT}, ROW_AT),
            ("yesterday", None),
            (True, None),
            (-1, None),
            (10**18, None),
        ],
    )
    def test_every_notation_of_a_time_is_read(self, given: Any, at: int | None):
        assert moment(given) == at


class TestKindsOfEvents:
    def test_a_deletion_is_a_deletion_of_each_record(self):
        changes = read(fixture("cdc_delete_eventbridge")).changes

        assert [(change.record_id, change.op, change.attributes) for change in changes] == [
            (CONTACT, "delete", {}),
            (OTHER, "delete", {}),
        ]

    @pytest.mark.parametrize("word", ["GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE"])
    def test_a_gap_is_read_again(self, word: str):
        assert read(event([], {"changeType": word})) == Translation(refetch=(Refetch(CONTACT, word),))

    def test_an_overflow_is_counted_by_name(self):
        assert read(fixture("cdc_gap_overflow")).ignored == ("wildcard:GAP_OVERFLOW",)

    def test_another_object_is_counted_by_name(self):
        assert read(fixture("cdc_other_entity")) == Translation(ignored=("entity:Case",))

    def test_free_text_never_becomes_a_counters_name(self):
        assert read(event([], {"entityName": "Mira Holt <mira@example.com>"})).ignored == ("entity:other",)

    @pytest.mark.parametrize(
        ("head", "reason"),
        [
            ({"changeType": "EXPLODE"}, "unknown_change_type"),
            ({"changeType": None}, "bad_change_event"),
            ({"recordIds": None}, "bad_change_event"),
            ({"recordIds": []}, "bad_change_event"),
            ({"recordIds": ["a b"]}, "bad_change_event"),
            ({"recordIds": [17]}, "bad_change_event"),
        ],
    )
    def test_a_header_that_cannot_be_read_is_named(self, head: dict[str, Any], reason: str):
        with pytest.raises(Invalid, match=reason):
            read(event(["Phone"], head, Phone="1"))

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda body: body,
            lambda body: {"schema": "x", "payload": body, "event": {"replayId": 1}},
            lambda body: {"channel": "/data/ContactChangeEvent", "data": {"schema": "x", "payload": body}},
            lambda body: {"detail-type": "ContactChangeEvent", "detail": body},
            lambda body: {"detail": {"payload": body, "schemaId": "x"}},
            lambda body: [body],
        ],
    )
    def test_every_wrapper_means_the_same(self, wrap: Any):
        body = event(["Phone"], Phone="1")

        assert one(wrap(body)) == one(body)


class TestIdentity:
    def test_the_e_mail_and_external_ids_bind(self):
        assert one(fixture("cdc_create_cometd")).identifiers == Identifiers(
            email=("odd.nilsen@example.com",), external=("storefront:7001",)
        )

    def test_a_bounced_e_mail_does_not_bind(self):
        row = {"type": "Contact", "Id": CONTACT, "Email": "a@example.com", "EmailBouncedDate": "2026-01-01T00:00:00Z"}

        assert one([row]).identifiers == Identifiers()

    def test_an_e_mail_does_not_bind_where_the_settings_say_so(self):
        connector = Salesforce().configured({"TRUST_EMAIL": "false"})

        assert one(event(["Email"], Email="a@example.com"), connector).identifiers == Identifiers()

    def test_our_customer_id_comes_back(self):
        body = event(None, {"changeType": "CREATE"}, Writeback_Customer__c="C7")

        assert one(body).customer_id == "C7"

    def test_a_short_id_and_its_long_form_are_one_record(self):
        assert one(fixture("batch_rows_plain")).record_id == CONTACT


class TestRows:
    def test_a_nightly_row_is_a_snapshot_by_an_import_dated_with_the_row(self):
        change = read(fixture("nightly_batch")).changes[0]

        assert (change.kind, change.op, change.actor, change.observed_at) == ("snapshot", "upsert", "import", ROW_AT)
        assert change.attributes["shipping_address"].value == Address(
            "18 Orchard Lane", "Flat 3", "Madison", "WI", "53703", "US"
        )
        assert change.attributes["phone"] == Statement()
        assert change.attributes["billing_address"] == Statement()

    def test_an_empty_box_in_a_row_is_an_opt_in_without_a_time_and_a_ticked_one_is_dated(self):
        first, second = read(fixture("nightly_batch")).changes

        assert first.consents == (said("mira.holt@example.com", "opt_in", None),)
        assert second.consents == (said("odd.nilsen@example.com", "opt_out", ROW_AT + 1000),)

    def test_a_compound_address_alone_is_read_too(self):
        assert read(fixture("nightly_batch")).changes[1].attributes["billing_address"].value == Address(
            "4 Mill Road", "", "Madison", "WI", "53704", "US"
        )

    def test_one_bad_row_does_not_lose_the_others(self):
        translation = read(fixture("nightly_batch"))

        assert len(translation.changes) == 2
        assert translation.ignored == ("entity:Lead", "invalid:bad_row")

    def test_a_body_of_bad_rows_only_is_invalid(self):
        with pytest.raises(Invalid, match="bad_row"):
            read([{"type": "Contact", "Email": "a@example.com"}])

    def test_a_deleted_row_is_a_deletion(self):
        row = {"type": "Contact", "Id": CONTACT, "IsDeleted": True, "Email": "a@example.com"}

        assert (one([row]).op, one([row]).attributes, one([row]).consents) == ("delete", {}, ())

    def test_the_same_row_in_another_nights_load_is_another_statement(self):
        row = {"type": "Contact", "Id": CONTACT, "LastName": "Holt"}

        assert one([row]).change_id == one([row]).change_id
        assert one([row]).change_id != read([row, {**row, "Id": OTHER}]).changes[0].change_id

    def test_a_load_without_rows_is_counted(self):
        assert read({"records": []}) == Translation(ignored=("empty",))

    @pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"7", b"null", b'"x"', b"{}", b"\xff", b"[" * 9000])
    def test_what_is_neither_an_event_nor_a_row_is_invalid(self, body: bytes):
        with pytest.raises(Invalid):
            read(body)


def test_what_a_re_read_is_asked_for_survives_the_journey():
    for asked in (
        Asked(CONTACT),
        Asked(CONTACT, AT, 7),
        Asked(CONTACT, AT, None),
        Asked(CONTACT, AT, 2**63 - 1, "opt_out"),
        Asked(CONTACT, None, None, "opt_in"),
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
NAMES = st.sampled_from(
    ["Name", "Name.FirstName", "Email", "Phone", "MailingAddress", "MailingAddress.City", "HasOptedOutOfEmail", "0x02"]
)


@settings(max_examples=300, deadline=None)
@given(
    head=st.fixed_dictionaries(
        {},
        optional={
            "entityName": st.just("Contact") | ANY,
            "recordIds": st.just([CONTACT]) | ANY,
            "changeType": st.sampled_from(["CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_X"]) | ANY,
            "changedFields": st.lists(NAMES | ANY, max_size=4) | ANY,
            "nulledFields": st.lists(NAMES, max_size=2) | ANY,
            "commitTimestamp": st.integers() | ANY,
            "commitNumber": st.integers() | ANY,
            "sequenceNumber": st.integers() | ANY,
            "transactionKey": st.text(max_size=9) | ANY,
            "changeOrigin": ANY,
            "commitUser": ANY,
        },
    ),
    fields=st.dictionaries(NAMES | st.text(max_size=8), ANY, max_size=6),
)
def test_any_event_is_read_or_invalid_and_nothing_else(head: dict[str, Any], fields: dict[str, Any]):
    body = json.dumps({**fields, "ChangeEventHeader": header(**head)}).encode()
    try:
        translation = read(body)
    except Invalid:
        return

    assert translation.changes or translation.refetch or translation.ignored
    assert all(change.observed_at is None or 0 <= change.observed_at < 2**53 for change in translation.changes)
    assert all(change.sequence is None or 0 <= change.sequence < 2**63 for change in translation.changes)


class TestRelaySignature:
    def verify(self, timestamp: str, now: int, **settings: str) -> None:
        named = {"x-relay-timestamp": timestamp, "x-relay-signature": signature("new", timestamp, b"{}").upper()}
        CONNECTOR.verify(named, b"{}", {"WEBHOOK_SECRET": "old, new", **settings}, now)

    @pytest.mark.parametrize(
        "timestamp", ["1767958200", "1767958200.5", "2026-01-09T11:30:00Z", "2026-01-09T12:30:00+01:00"]
    )
    def test_both_notations_of_the_time_and_both_secrets_of_a_rotation_pass(self, timestamp: str):
        self.verify(timestamp, AT + 299_000)

    @pytest.mark.parametrize("skew_ms", [-301_000, 301_000])
    def test_out_of_the_window_is_stale_on_both_sides(self, skew_ms: int):
        with pytest.raises(Invalid, match="stale_signature"):
            self.verify("1767958200", AT + skew_ms)

    def test_the_window_is_a_setting(self):
        self.verify("1767958200", AT + 899_000, REPLAY_WINDOW_S="900")

    @pytest.mark.parametrize("timestamp", ["nan", "inf", "soon", "1e999"])
    def test_a_signed_time_that_cannot_be_read_is_stale(self, timestamp: str):
        with pytest.raises(Invalid, match="stale_signature"):
            self.verify(timestamp, AT)
