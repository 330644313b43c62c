"""An entry for each input that changed something, and none for the others."""

from __future__ import annotations

import pytest

from streams.core.decide import Tick
from streams.core.history import BORN, PART, WHOLE
from streams.core.timeline import (
    Consent,
    Graft,
    Moved,
    Shown,
    Snapshot,
    decode_entry,
    decode_message,
    encode_entry,
    encode_message,
    whole_entry,
)
from streams.model import Invalid, Receipt, StewardRequest, format_time
from tests.unit.history.telling import ANN, NOON, Told, answer, change, named


def opt(decision: str, second: int) -> dict[str, object]:
    return {"contact_point": ANN, "channel": "email", "purpose": "marketing", "decision": decision} | {
        "at": format_time(NOON + second * 1000),
        "method": "form",
        "explicit": True,
        "evidence": {"form": "f1"},
    }


def test_a_change_says_what_is_golden_now_from_which_record_and_what_it_caused() -> None:
    told = Told()
    told.take(named("c0", "crm:1", 0, "Ann"), 0)
    decision = told.take(named("c1", "storefront:9", 5, "Anna"), 6)

    entry = told.last
    assert (entry.at, entry.version, entry.kind, entry.cause, entry.record, entry.extent) == (
        NOON + 6000,
        2,
        "change",
        "c1",
        "storefront:9",
        PART,
    )
    assert entry.golden == {"first_name": Shown("Anna", "settled", "storefront:9", NOON + 5000, None)}
    assert [(one.command_id, one.platform, one.record_id, one.attributes) for one in entry.commands] == [
        (one.command_id, "crm", "1", ("first_name",)) for one in decision.commands
    ]
    assert decode_entry(told.entries[0]).extent == BORN


def test_a_repeated_change_has_no_entry() -> None:
    told = Told()
    told.names("Ann")
    told.take(named("again", "storefront:9", 0, "Ann"), 60)

    assert len(told.entries) == 1


def test_an_attribute_that_is_withdrawn_is_told_as_gone() -> None:
    told = Told()
    told.names("Ann")
    told.take(change("gone", "storefront:9", 5, attributes={"first_name": {"retract": True}}), 5)

    assert told.last.golden == {"first_name": None}


def test_another_spelling_of_the_same_value_is_an_entry_without_a_new_version() -> None:
    told = Told()
    home = {"line1": "1 Main St", "city": "Chicago", "region": "IL", "postal_code": "60601", "country": "US"}
    for second, line in enumerate(("1 Main St", "1 MAIN ST")):
        said = {"billing_address": {"value": {**home, "line1": line}}}
        told.take(change(f"c{second}", f"crm:{second}", second, attributes=said), second)

    assert [decode_entry(one).version for one in told.entries] == [1, 1]
    assert told.state.golden["billing_address"].value == told.last.golden["billing_address"].value  # type: ignore[union-attr]


def test_consent_is_told_with_its_reasons() -> None:
    told = Told()
    told.take(change("in", "storefront:9", 0, consents=[opt("opt_in", 0)]), 0)
    told.take(change("out", "storefront:9", 5, consents=[opt("opt_out", 5)]), 5)

    assert [decode_entry(one).consents for one in told.entries] == [
        (Consent(ANN, "email", "marketing", "opted_in", True),),
        (Consent(ANN, "email", "marketing", "opted_out", False, ("opted_out",)),),
    ]


def test_an_answer_is_told_once_with_what_the_platform_said() -> None:
    told = Told()
    told.take(change("enters", "crm:1", 0), 0)
    command = told.take(named("c1", "storefront:9", 1, "Ann"), 1).commands[0]
    told.take(answer(command, "refused", "too long"), 2)
    told.take(answer(command, "refused", "too long"), 3)
    told.take(Receipt("applied", "unknown", "C1", "crm", "1"), 4)

    receipts = [one for one in map(decode_entry, told.entries) if one.kind == "receipt"]
    assert [(one.cause, one.outcome, one.record, one.detail) for one in receipts] == [
        (command.command_id, "refused", "crm:1", "too long")
    ]


def test_a_stewards_act_is_told_with_who_and_why_also_where_it_changed_nothing() -> None:
    told = Told()
    told.names("Ann")
    request = StewardRequest(
        "pin", "r1", "C1", attribute="first_name", value="Anne", at=NOON + 5000, by="sam", why="phone call"
    )
    told.take(request, 5)
    told.take(request, 6)
    told.take(StewardRequest("release", "r2", "C1", attribute="first_name", record="crm:none", by="sam"), 7)

    acts = [one for one in map(decode_entry, told.entries) if one.kind == "steward"]
    assert [(one.cause, one.request.by, one.request.why) for one in acts if one.request] == [
        ("r1", "sam", "phone call"),
        ("r1", "sam", "phone call"),
        ("r2", "sam", None),
    ]
    assert acts[0].golden["first_name"] == Shown("Anne", "pinned", None, NOON + 5000, None)


def test_a_tick_that_ends_an_opt_in_is_an_entry_and_any_other_tick_is_none() -> None:
    told = Told()
    until = {**opt("opt_in", 0), "expires_at": "2026-01-10T12:01:00Z"}
    told.take(change("in", "storefront:9", 0, consents=[until]), 0)
    told.take(Tick(), 30)
    told.take(Tick(), 90)
    told.take(Tick(), 120)

    assert [(one.kind, one.at) for one in map(decode_entry, told.entries)] == [
        ("change", NOON),
        ("clock", NOON + 90_000),
    ]
    assert told.last.consents == (Consent(ANN, "email", "marketing", "unknown", False, ("expired",)),)


def test_a_command_that_is_sent_again_is_no_news() -> None:
    told = Told()
    told.take(change("enters", "crm:1", 0), 0)
    told.take(named("c1", "storefront:9", 1, "Ann"), 1)
    decision = told.take(Tick(), 1000)

    assert decision.commands
    assert told.last.cause == "c1"


def test_the_same_input_on_the_same_state_gives_the_same_bytes() -> None:
    one, other = Told(), Told()
    for told in (one, other):
        told.names("Ann", "Bo", "Cy")

    assert one.entries == other.entries


def test_an_entry_reads_back_as_it_was_written() -> None:
    told = Told()
    told.names("Ann")

    assert encode_entry(told.last)[:1] == told.entries[0][:1]
    assert decode_entry(encode_entry(told.last)) == told.last


def test_a_whole_entry_holds_all_that_is_golden() -> None:
    told = Told()
    decision = told.take(change("c", "crm:1", 0, attributes={"email": {"value": ANN}}, consents=[opt("opt_out", 0)]), 0)
    entry = whole_entry(decision, told.policy, NOON, "merge", "r1", other="C2")

    assert entry is not None
    read = decode_entry(entry)
    assert (read.kind, read.other, read.extent) == ("merge", "C2", WHOLE)
    assert read.golden.keys() == {"email"}
    assert [one.state for one in read.consents] == ["opted_out"]


@pytest.mark.parametrize("message", [Moved("C1"), Graft("C2", 3, (b"\x01x",), Snapshot(5, 2, True))])
def test_messages_about_a_history_read_back(message: Moved | Graft) -> None:
    assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize("stored", [b"", b"\x01", b"\x01\xff", b"\x03\x90", b"\x01\x95\x01"])
def test_what_is_no_entry_is_invalid(stored: bytes) -> None:
    with pytest.raises(Invalid):
        decode_entry(stored)
    with pytest.raises(Invalid):
        decode_message(stored)
