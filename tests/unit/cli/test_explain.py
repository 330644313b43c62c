"""`writeback explain` against a server that answers as the engine's views do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streams.cli import main
from streams.core.explain import explain_view
from streams.core.golden import golden_view
from streams.model import parse_time
from streams.policy import load_policy
from streams.replay import Pipeline

TOKEN = "a-token"
AT = parse_time("2026-01-10T12:00:00Z")


def views() -> dict[str, Any]:
    """What an engine answers by path, for two records of one customer that differ."""
    policy = load_policy()
    pipeline = Pipeline(policy)
    for number, (record, phone) in enumerate((("crm:r/1", "+14155550100"), ("esp:e1", "+14155550101"))):
        platform, _, record_id = record.partition(":")
        change = {"change_id": f"evt-{number}", "platform": platform, "record_id": record_id, "customer_id": "C1"}
        pipeline.feed("changes", {**change, "attributes": {"phone": {"value": phone}}}, AT + number)
    state = pipeline.customer("C1")
    assert state is not None
    golden = golden_view(state, policy)
    return {
        "/explain/C1": explain_view(state, policy, AT),
        "/customers/by/crm/r%2F1": golden,
        "/customers/by/email/ann%40example.com": golden,
        "/customers/by/email/shared%40example.com": {"customers": ["C1", "C2"]},
    }


@contextmanager
def serving(answers: dict[str, Any], token: str = "") -> Iterator[str]:
    """The address of a server with these answers; 404 for every other path, 401 without the token."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = not token or self.headers.get("Authorization") == f"Bearer {token}"
            found = answers.get(self.path) if allowed else None
            status = 200 if found is not None else 404 if allowed else 401
            body = json.dumps(found or {"error": "no customer of this id" if allowed else "a token is needed"})
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def explain(*arguments: str, token: str = "") -> Result:
    """One call of the command."""
    return CliRunner().invoke(main, ["explain", *arguments], env={"WRITEBACK_VIEW_TOKEN": token})


def test_the_winner_the_loser_and_the_reason_are_told() -> None:
    with serving(views()) as url:
        result = explain("C1", "--url", url)

    assert result.exit_code == 0, result.output
    for part in ("+14155550101", "+14155550100", "older: an eligible claim with a later effective time won", "crm:r/1"):
        assert part in result.output


@pytest.mark.parametrize("named", ["crm:r/1", "ann@example.com"])
def test_a_customer_is_found_by_record_and_by_address(named: str) -> None:
    with serving(views()) as url:
        result = explain(named, "--url", url, "--json")

    assert json.loads(result.output)["customer_id"] == "C1"


def test_the_token_of_the_environment_is_sent_and_never_shown() -> None:
    with serving(views(), TOKEN) as url:
        refused = explain("C1", "--url", url)
        allowed = explain("C1", "--url", url, token=TOKEN)

    assert (refused.exit_code, allowed.exit_code) == (1, 0)
    assert "a token is needed" in refused.output
    assert TOKEN not in refused.output + allowed.output


@pytest.mark.parametrize(
    ("customer", "sentence"),
    [("C9", "no customer of this id"), ("shared@example.com", "several customers hold it: C1, C2")],
)
def test_a_customer_that_is_not_one_is_one_sentence(customer: str, sentence: str) -> None:
    with serving(views()) as url:
        result = explain(customer, "--url", url)

    assert result.exit_code == 1
    assert sentence in result.output
    assert "Traceback" not in result.output


def test_an_address_where_no_engine_answers_is_named() -> None:
    with serving({}) as url:
        pass

    assert f"no engine answers at {url}" in explain("C1", "--url", url).output
    assert "is not the address of an engine" in explain("C1", "--url", "engine").output
