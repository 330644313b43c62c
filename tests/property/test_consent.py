"""Nobody is sent to who did not ask for it (C2-C8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from streams.model import parse_time
from tests.property.histories import Mix, histories, interleaved
from tests.property.vocabulary import T0, Input, Json, played, policy

CONSENTS = Mix(
    attributes=("email", "phone"),
    consents=True,
    persons=True,
    expiries=True,
    bounces=True,
    untimed=True,
    snapshots=True,
    deletes=True,
    changes_max=8,
)
RULES = policy()
DOUBLE = policy({"consent": {"double_opt_in": True}})
TOLERANCE_MS = RULES.clock_skew_tolerance_ms


def said(history: Sequence[Input], point: str, channel: str) -> Iterator[tuple[int, str, Json]]:
    """Every consent that events stated of a contact point: effective time, decision, and the statement."""
    for one in history:
        for consent in (one.value or {}).get("consents", ()):
            if (consent["contact_point"], consent["channel"]) == (point, channel):
                yield effective(consent.get("at"), one.at), consent["decision"], consent


def effective(text: str | None, ingested: int) -> int:
    """R2 as a reader of the rule would write it."""
    at = parse_time(text) if text is not None else ingested
    return at if at <= ingested + TOLERANCE_MS else ingested


def is_explicit(consent: Json) -> bool:
    trusted = consent.get("method") not in (None, "", *RULES.consent.untrusted_methods)
    return bool(consent.get("explicit") and consent.get("evidence") and trusted and consent.get("at"))


def check_sendable(history: Sequence[Input], shown: Json, clock: int) -> None:
    """C3, C4: what is sendable has an opt-in with a time, explicit where an opt-out lies before it, and not expired."""
    point, channel = shown["contact_point"], shown["channel"]
    own = list(said(history, point, channel))
    outs = [at for at, decision, _ in own if decision == "opt_out"]
    ins = [(at, one) for at, decision, one in own if decision == "opt_in" and one.get("at")]
    assert ins, shown
    if outs:
        assert any(at > max(outs) and is_explicit(one) for at, one in ins), shown
    objected = [at for at, decision, _ in said(history, "*", channel) if decision == "opt_out"]
    if objected:
        lifted = [(at, one) for at, decision, one in said(history, "*", channel) if decision == "opt_in"]
        assert any(at > max(objected) and is_explicit(one) for at, one in lifted), shown
    assert any(one.get("expires_at") is None or parse_time(one["expires_at"]) >= clock for _, one in ins), shown


@given(st.data())
def test_nothing_is_sendable_without_an_explicit_opt_in_after_the_last_opt_out(data: st.DataObject) -> None:
    rules = data.draw(st.sampled_from((RULES, DOUBLE)))
    beginning, lanes = data.draw(histories(CONSENTS))
    history = without_dropped([*beginning, *interleaved(data.draw, lanes)])
    world = played(history, rules)

    for shown in world.view()["consents"]:
        if shown["sendable"]:
            check_sendable(history, shown, world.state().clock)


def without_dropped(history: list[Input]) -> list[Input]:
    """Deletions aside: what was said before one is dropped, and would not count as said (K2)."""
    return [one for one in history if (one.value or {}).get("op") != "delete"]


@given(st.data())
def test_no_opt_in_is_told_of_a_contact_point_that_is_not_opted_in(data: st.DataObject) -> None:
    beginning, lanes = data.draw(histories(CONSENTS))
    world = played(beginning, RULES)

    for one in interleaved(data.draw, lanes):
        output = world.take(one)
        states = {
            (shown["contact_point"], shown["channel"]): (shown["state"], shown["reasons"])
            for shown in world.view()["consents"]
        }
        for command in output.commands:
            for order in command.consents:
                if order.decision == "opt_in":
                    state, reasons = states[order.contact_point, order.channel]
                    assert state == "opted_in"
                    assert "objected" not in reasons


@given(st.data())
def test_every_record_that_says_opted_in_of_what_is_opted_out_has_been_told(data: st.DataObject) -> None:
    beginning, lanes = data.draw(histories(Mix(attributes=(), consents=True, persons=True, lanes_max=3)))
    world = played([*beginning, *interleaved(data.draw, lanes)], policy({"ping_pong_limit": 100}))
    state = world.state()

    for key, known in state.consents.items():
        if key.startswith("*"):
            continue  # The person as a whole is told of through their contact points (C4).
        for name, record in state.records.items():
            slot = record.consents.get(key)
            told = record.open and world.policy.platforms[record.platform].consent
            if slot is not None and slot.stated is not None and told and known.told == "opt_out":
                assert world.view()["shadows"][name]["consents"][key.replace("\x1f", " ")] == "opt_out"


@given(st.data())
def test_the_ledger_holds_every_statement_once_and_rejects_no_opt_out(data: st.DataObject) -> None:
    beginning, lanes = data.draw(histories(Mix(attributes=(), consents=True, persons=True, untimed=True)))
    history = [*beginning, *interleaved(data.draw, lanes)]
    world = played(history, RULES)
    stated = [row for row in world.ledger if row.record is not None]

    assert all(row.status == "accepted" for row in stated if row.decision == "opt_out")
    assert {row.caused_by for row in stated} <= {(one.value or {}).get("change_id") for one in history}
    assert [row.seq for row in world.ledger] == list(range(1, len(world.ledger) + 1))
    identities = [
        (row.record, row.contact_point, row.channel, row.decision, row.stated_at or row.caused_by) for row in stated
    ]
    assert len(identities) == len(set(identities))


def test_the_reader_of_the_rule_and_the_rule_agree_on_a_clamped_time() -> None:
    beyond = "2026-01-10T12:05:00.001Z"

    assert [effective(beyond, T0 + late) - T0 for late in (0, 1)] == [0, TOLERANCE_MS + 1]
