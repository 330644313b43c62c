"""What stands before every page: access, time, errors, headers, and a log without values."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import pytest

from streams.web import guard
from streams.web.rows import Unavailable
from tests.unit.web.conftest import Visit
from tests.unit.web.site import ANN, Rows, Told, open_site

TOKEN = "a-token"
PAGE = "text/html,application/xhtml+xml,*/*;q=0.8"
PATHS = (
    "/",
    "/reviews",
    "/customers/C1",
    "/customers/by/crm/r1",
    "/customers/by/email/a@example.com",
    "/explain/C1",
    "/consents/a@example.com",
    "/internal/rows/customers/00",
    "/nothing",
)
OPEN = ("/healthz", "/readyz", "/metrics")


def rows() -> Rows:
    told = Told()
    told.values("crm:r1", 0, first_name="Ann", email=ANN)
    return told.rows()


@pytest.mark.parametrize("accept", ["*/*", PAGE])
@pytest.mark.parametrize("path", [*PATHS, *OPEN])
async def test_every_answer_is_kept_by_nobody_and_loads_nothing(visit: Visit, path: str, accept: str) -> None:
    async with visit(rows()) as visitor:
        _, _, headers = await visitor.get(path, Accept=accept)

    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_about_persons_needs_the_token_that_is_set(visit: Visit, path: str) -> None:
    async with visit(rows(), view_token=TOKEN) as visitor:
        without = await visitor.get(path)
        wrong = await visitor.get(path, Authorization="Bearer another")
        given = await visitor.get(path, Authorization=f"Bearer {TOKEN}")

    assert (without[0], without[1]) == (401, {"error": "a token is needed"})
    assert without[2]["WWW-Authenticate"].startswith("Basic realm=")
    assert wrong[0] == 401
    assert given[0] != 401


@pytest.mark.parametrize("path", OPEN)
async def test_probes_and_prometheus_need_no_token(visit: Visit, path: str) -> None:
    async with visit(view_token=TOKEN) as visitor:
        status, _, _ = await visitor.get(path, Host="probe.example.com")

    assert status in (200, 503)


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_token_a_foreign_name_for_this_machine_is_refused(visit: Visit, path: str) -> None:
    async with visit(rows()) as visitor:
        status, body, _ = await visitor.get(path, Host="rebound.example.com")

    assert (status, list(body)) == (421, ["error"])


async def test_with_a_token_any_name_will_do(visit: Visit) -> None:
    async with visit(rows(), view_token=TOKEN) as visitor:
        status, _, _ = await visitor.get("/customers/C1", Host="writeback.example.com", Authorization=f"Bearer {TOKEN}")

    assert status == 200


async def test_a_row_that_nobody_holds_now_is_503_with_a_hint_when_to_come_back(visit: Visit) -> None:
    moving = rows()
    moving.fails = Unavailable("customers")
    async with visit(moving) as visitor:
        status, body, headers = await visitor.get("/customers/C1")
        page = await visitor.get("/customers/C1", Accept=PAGE)

    assert (status, headers["Retry-After"]) == (503, "2")
    assert body == {"error": "a rebalance or a recovery is under way; try again in a moment"}
    assert (page[0], page[2]["Retry-After"]) == (503, "2")
    assert "A rebalance or a recovery is under way" in page[1]


async def test_a_page_that_takes_too_long_is_given_up(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "VIEW_TIMEOUT_S", 0.05)
    slow = rows()
    slow.takes_s = 30.0
    async with visit(slow) as visitor:
        status, _, headers = await asyncio.wait_for(visitor.get("/customers/C1"), 5)

    assert (status, headers["Retry-After"]) == (503, "2")


async def test_a_bug_is_500_and_its_text_is_told_to_nobody(visit: Visit, caplog: pytest.LogCaptureFixture) -> None:
    broken = rows()
    broken.fails = ValueError(f"something about {ANN}")
    async with visit(broken) as visitor:
        status, body, _ = await visitor.get("/customers/C1")

    assert (status, list(body)) == (500, ["error"])
    assert "A view ended in ValueError" in caplog.text
    assert ANN not in caplog.text + str(body)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_pages_can_only_be_read(visit: Visit, method: str) -> None:
    async with visit(rows()) as visitor:
        status, body, headers = await visitor.get("/customers/C1", method)

    assert (status, body) == (405, {"error": "pages can only be read"})
    assert "GET" in headers["Allow"]


@pytest.mark.parametrize("line", [f"GET /consents/{ANN} \x01 HTTP/1.1", f"GET /find?q=\x01{ANN} HTTP/1.1", f"{ANN}"])
def test_a_request_that_cannot_be_parsed_leaves_no_value_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with open_site(tmp_path, rows()) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), 5) as connection:
            connection.sendall(f"{line}\r\nHost: localhost\r\n\r\n".encode())
            answer = connection.recv(4096)

    assert b" 400 " in answer
    assert "Error handling request from 127.0.0.1" in caplog.text
    assert ANN not in caplog.text


async def test_what_is_asked_reaches_no_log_at_any_level(visit: Visit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with visit(rows()) as visitor:
        for path in (f"/consents/{ANN}", f"/customers/by/email/{ANN}", "/customers/by/crm/r1", "/reviews"):
            await visitor.get(path)
            await visitor.get(path, Accept=PAGE)

    assert ANN not in caplog.text
    assert "/crm/r1" not in caplog.text
