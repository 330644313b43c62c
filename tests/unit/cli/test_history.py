"""`writeback history` against a server that answers as the engine's views do."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from streams.cli import main
from streams.core.history_view import as_of_view, timeline_view
from streams.core.timeline import Kept, decode_entry
from streams.model import StewardRequest
from tests.unit.cli.test_explain import serving
from tests.unit.history.telling import ANN, NOON, Told, answer, change, named


def told() -> Kept:
    """Ann enters, is renamed, opts out, is pinned; the CRM refuses."""
    told = Told()
    told.take(change("enters", "crm:1", 0), 0)
    command = told.take(named("c1", "storefront:9", 10, "Ann"), 10).commands[0]
    told.take(answer(command, "refused", "too long"), 20)
    out = {"contact_point": ANN, "channel": "email", "purpose": "marketing", "decision": "opt_out"}
    told.take(change("c2", "storefront:9", 30, consents=[out]), 30)
    request = StewardRequest("pin", "r1", "C1", attribute="first_name", value="Anne", by="sam", why="phone call")
    told.take(request, 40)
    return Kept("C1", None, [decode_entry(one) for one in told.entries])


def views() -> dict[str, Any]:
    """What an engine answers by path."""
    lines = [told()]
    return {
        "/customers/C1/history?limit=50": timeline_view(lines, 50),
        "/customers/C1/history?limit=1": timeline_view(lines, 1),
        "/customers/C1/history?limit=50&before=2026-01-10T12:00:20Z": timeline_view(lines, 50, "2026-01-10T12:00:20Z"),
        "/customers/C1/history?at=2026-01-10T12:00:35Z": as_of_view(lines, NOON + 35_000),
        "/customers/C0/history?limit=50": timeline_view([Kept("C0", None, [])], 50),
        "/customers/C0/history?at=2026-01-10T12:00:35Z": as_of_view([Kept("C0", None, [])], NOON),
        "/customers/C3/history?limit=50": {"customer_id": "C3", "erased": True},
        "/customers/by/crm/1": {"customer_id": "C1"},
        "/customers/by/email/ann%40example.com": {"customer_id": "C1"},
    }


def history(*arguments: str) -> Result:
    """One call of the command."""
    with serving(views()) as url:
        return CliRunner().invoke(main, ["history", *arguments, "--url", url], env={"WRITEBACK_VIEW_TOKEN": ""})


def test_what_happened_is_told_the_latest_first() -> None:
    result = history("C1")

    assert result.exit_code == 0, result.output
    places = [result.output.index(word) for word in ("pin by sam", "opted_out, not sendable", "Ann (settled)")]
    assert places == sorted(places)
    for shown in ("phone call", "Anne (pinned)", "storefront:9", "told crm:1", "too long"):
        assert shown in result.output


def test_a_record_or_an_address_names_its_customer() -> None:
    assert history("crm:1").output == history(ANN).output == history("C1").output


def test_a_page_names_the_next_one() -> None:
    assert (
        f"earlier: --before {views()['/customers/C1/history?limit=1']['next']}" in history("C1", "--limit", "1").output
    )


def test_only_what_was_before_a_time_is_asked_for() -> None:
    result = history("C1", "--before", "2026-01-10T12:00:20Z")

    assert "pin" not in result.output
    assert "Ann (settled)" in result.output


def test_at_a_time_golden_is_told() -> None:
    result = history("C1", "--at", "2026-01-10T12:00:35Z")

    assert result.exit_code == 0, result.output
    assert "Ann (settled)" in result.output
    assert "opted_out, not sendable" in result.output
    assert "Anne" not in result.output


def test_what_cannot_be_told_is_said() -> None:
    assert "nothing is kept of what happened" in history("C0").output
    assert "no history is kept of this customer" in history("C0", "--at", "2026-01-10T12:00:35Z").output
    assert history("C3").output == "customer C3 was erased; nothing is kept\n"


def test_json_is_the_answer_as_it_is() -> None:
    assert json.loads(history("C1", "--json").output) == views()["/customers/C1/history?limit=50"]


def test_an_unknown_customer_is_one_sentence() -> None:
    result = history("nobody")

    assert result.exit_code == 1
    assert "no customer of this id" in result.output
