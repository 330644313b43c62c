"""The gateway between signed webhooks and a broker that is there, is not, or comes back."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.brokers import Broker, Embedded
from streams.connectors import connector
from streams.gateway import (
    Endpoint,
    GatewayRefused,
    GatewaySettings,
    read_endpoints,
    read_gateway_settings,
    run_gateway,
    serve,
)
from streams.model import parse_time
from tests.brokers import require, unique

SECRET = "not-a-real-secret"
CUSTOMER = {
    "id": 706405506930370084,
    "email": "kim@example.com",
    "first_name": "Kim",
    "updated_at": "2026-01-10T12:00:00Z",
}
BODY = json.dumps(CUSTOMER).encode()
QUICK = GatewaySettings(
    port=0, acknowledge_timeout_s=0.7, delivery_timeout_s=1.0, reconnect_s=0.1, stop_timeout_s=2.0, read_timeout_s=0.5
)


class Gateway:
    """A running gateway for one platform, as its callers see it."""

    def __init__(self, url: str, platform: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.platform = platform
        self.topic = f"raw.{platform}"
        self._session = session

    async def post(self, body: Any = BODY, platform: str | None = None, **headers: str | None) -> tuple[int, Any, Any]:
        """Status, JSON and headers of a delivery; signed, unless a header says otherwise (None: left out)."""
        sent = signed(body if isinstance(body, bytes) else BODY)
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        given = {name: value for name, value in sent.items() if value is not None}
        return await self.ask("POST", f"/webhooks/{platform or self.platform}", data=body, headers=given)

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any, Any]:
        async with self._session.request(method, self.url + path, **more) as response:
            raw = await response.read()
            return (
                response.status,
                json.loads(raw) if "json" in response.content_type else raw.decode(),
                response.headers,
            )

    async def counted(self) -> dict[str, int]:
        """Deliveries by outcome."""
        _, text, _ = await self.ask("GET", "/metrics")
        found = re.findall(r'^writeback_webhooks_total\{outcome="(\w+)",platform="[^"]+"\} (\d+)', text, re.MULTILINE)
        return {outcome: int(count) for outcome, count in found}

    async def until_ready(self) -> None:
        async with asyncio.timeout(20):
            while (await self.ask("GET", "/readyz"))[0] != 200:
                await asyncio.sleep(0.05)


def signed(body: bytes) -> dict[str, str | None]:
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
    return {
        "X-Shopify-Topic": "customers/update",
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        "X-Shopify-Event-Id": "ev-1",
        "Content-Type": "application/json",
        "Authorization": "Basic bm90LWEtc2VjcmV0",
        "X-Forwarded-For": "192.0.2.9",
    }


@asynccontextmanager
async def gateway(bootstrap: str, settings: GatewaySettings = QUICK, profile: Any = None) -> AsyncIterator[Gateway]:
    """A gateway in this process, on a free port."""
    limits = profile or Embedded.profile
    settings = msgspec.structs.replace(
        settings,
        bootstrap=bootstrap,
        idempotent=bool(limits["idempotence"]),
        batch_bytes=1 if limits["batch_records_max"] == 1 else settings.batch_bytes,
    )
    platform = unique("storefront")
    endpoint = Endpoint(platform, connector("shopify"), {"WEBHOOK_SECRET": SECRET})
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings, [endpoint], stop, port.set_result))
    async with aiohttp.ClientSession() as session:
        await asyncio.wait((serving, port), return_when=asyncio.FIRST_COMPLETED)
        yield Gateway(f"http://127.0.0.1:{port.result()}", platform, session)
    stop.set()
    await asyncio.wait_for(serving, 10)


async def create(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 2, 1)])
    finally:
        await admin.close()


async def written(broker: Broker, topic: str, count: int) -> list[Any]:
    """The first `count` records of a topic."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50
    )
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
async def ready(embedded_broker: Broker) -> AsyncIterator[Gateway]:
    """A gateway on the embedded broker, with its topic."""
    async with gateway(embedded_broker.bootstrap) as running:
        await create(embedded_broker.bootstrap, running.topic)
        await running.until_ready()
        yield running


async def test_a_signed_delivery_is_answered_when_the_broker_has_it_keyed_by_record(broker: Broker) -> None:
    async with gateway(broker.bootstrap, profile=broker.profile) as running:
        await create(broker.bootstrap, running.topic)
        await running.until_ready()
        status, answer, _ = await running.post()
        (record,) = await written(broker, running.topic, 1)
        counted = await running.counted()

    assert (status, answer, counted) == (202, {"accepted": True}, {"accepted": 1})
    assert (record.key, record.value) == (b"706405506930370084", BODY)
    headers = dict(record.headers)
    assert parse_time(headers.pop("received_at").decode()) == record.timestamp
    assert {name: value for name, value in headers.items() if name != "user-agent"} == {
        "x-shopify-topic": b"customers/update",
        "x-shopify-event-id": b"ev-1",
        "content-type": b"application/json",
    }


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (BODY, {"X_Shopify_Hmac_Sha256": "AAAA"}, 401, "bad_signature"),
        (BODY, {"X_Shopify_Hmac_Sha256": None}, 401, "bad_signature"),
        (BODY, {"X_Shopify_Triggered_At": "2016-01-10T12:00:00Z"}, 401, "stale_signature"),
        (b'{"id": 1', {}, 400, "bad_json"),
        (b"", {}, 400, "bad_json"),
        (b"[" * 100_000, {}, 400, "bad_json"),
        (b'"' + b"x" * 1_048_575 + b'"', {}, 413, "too_large"),
        (BODY, {"Content_Type": "application/x-www-form-urlencoded"}, 415, "wrong_type"),
        (BODY, {"Content_Encoding": "gzip"}, 415, "wrong_type"),
    ],
)
async def test_what_is_refused_is_told_and_counted_by_its_reason(
    ready: Gateway, body: bytes, headers: dict[str, Any], status: int, reason: str
) -> None:
    answered, answer, _ = await ready.post(body, **headers)

    assert (answered, answer, await ready.counted()) == (status, {"refused": reason}, {reason: 1})


@pytest.mark.embedded
async def test_a_body_without_a_declared_length_is_cut_off_at_the_limit(ready: Gateway) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(200):
            taken += 1
            yield b"x" * 65_536

    try:
        status, answer, _ = await ready.post(endless())
        assert (status, answer) == (413, {"refused": "too_large"})
    except aiohttp.ClientConnectionError:  # the gateway hung up before the sender had read the answer
        pass
    assert taken < 200
    assert (await ready.counted()) == {"too_large": 1}


@pytest.mark.embedded
async def test_a_sender_that_does_not_send_is_not_waited_for(ready: Gateway) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    status, answer, _ = await asyncio.wait_for(ready.post(slow()), 3)

    assert (status, answer) == (408, {"refused": "too_slow"})


@pytest.mark.embedded
async def test_an_unknown_platform_is_not_found_and_only_post_is_allowed(ready: Gateway) -> None:
    unknown, _, _ = await ready.post(platform="moon")
    wrong, _, headers = await ready.ask("GET", f"/webhooks/{ready.platform}")

    assert (unknown, wrong, headers["Allow"]) == (404, 405, "POST")
    assert await ready.counted() == {"unknown_platform": 1, "wrong_method": 1}


@pytest.mark.embedded
async def test_nothing_that_a_sender_wrote_is_logged(ready: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "streams")
    await ready.post()
    await ready.post(X_Shopify_Hmac_Sha256="AAAA")
    await ready.post(b'{"email": "kim@example.com"')

    assert "bad_signature" in caplog.text
    assert not re.search(f"kim|example.com|{SECRET}|AAAA", caplog.text)


@pytest.mark.embedded
async def test_a_topic_that_is_not_there_is_not_ready_and_answers_503(embedded_broker: Broker) -> None:
    async with gateway(embedded_broker.bootstrap) as running:
        async with asyncio.timeout(20):
            while (await running.post())[1] != {"refused": "no_topic"}:
                await asyncio.sleep(0.02)
        status, answer, headers = await running.post()
        readiness, _, _ = await running.ask("GET", "/readyz")

    assert (status, answer, headers["Retry-After"], readiness) == (503, {"refused": "no_topic"}, "10", 503)


async def test_without_a_broker_the_gateway_is_alive_not_ready_and_answers_503() -> None:
    async with gateway(f"127.0.0.1:{closed_port()}") as running:
        status, answer, headers = await running.post()
        alive, _, _ = await running.ask("GET", "/healthz")
        readiness, _, _ = await running.ask("GET", "/readyz")

    assert (status, answer, headers["Retry-After"]) == (503, {"refused": "broker_unavailable"}, "10")
    assert (alive, readiness) == (200, 503)


@pytest.mark.slow
@pytest.mark.embedded
async def test_a_broker_that_goes_away_is_answered_503_in_time_and_202_when_it_is_back() -> None:
    broker = Embedded()
    require(broker)
    impatient = msgspec.structs.replace(QUICK, renew_after_s=0.5)
    with broker:
        port = int(broker.bootstrap.rsplit(":", 1)[1])
        async with gateway(broker.bootstrap, impatient) as running:
            await create(broker.bootstrap, running.topic)
            await running.until_ready()
            assert (await running.post())[0] == 202
            broker.stop()
            for _ in range(2):
                status, answer, _ = await asyncio.wait_for(running.post(), 3)
                assert (status, answer) == (503, {"refused": "broker_unavailable"})
            assert (await running.ask("GET", "/readyz"))[0] == 503
            with Embedded(port=port) as again:
                await create(again.bootstrap, running.topic)
                async with asyncio.timeout(20):
                    while (await running.post())[0] != 202:
                        await asyncio.sleep(0.05)
                assert [record.value for record in await written(again, running.topic, 1)] == [BODY]


@pytest.mark.embedded
async def test_what_the_broker_has_not_acknowledged_is_bounded(embedded_broker: Broker) -> None:
    full = msgspec.structs.replace(QUICK, in_flight_bytes_max=1, requests_max=4)
    async with gateway(embedded_broker.bootstrap, full) as running:
        await create(embedded_broker.bootstrap, running.topic)
        await running.until_ready()
        answers = await asyncio.gather(*(running.post() for _ in range(30)))
        counted = await running.counted()

    assert {status for status, _, _ in answers} == {202, 503}
    assert counted["accepted"] + counted["overloaded"] == 30
    assert {headers["Retry-After"] for status, _, headers in answers if status == 503} == {"10"}


@pytest.mark.embedded
async def test_deliveries_side_by_side_all_arrive(ready: Gateway, embedded_broker: Broker) -> None:
    bodies = [json.dumps({**CUSTOMER, "id": number}).encode() for number in range(100)]
    answers = await asyncio.gather(*(ready.post(body) for body in bodies))

    assert {status for status, _, _ in answers} == {202}
    assert sorted(record.value for record in await written(embedded_broker, ready.topic, 100)) == sorted(bodies)


def test_every_missing_secret_and_unknown_connector_is_named_at_once() -> None:
    with pytest.raises(GatewayRefused) as raised:
        run_gateway(GatewaySettings(), {"storefront": "shopify", "esp": "klaviyo", "crm": "nobody"}, {})

    assert [problem.split(":")[0] for problem in raised.value.problems] == [
        "WRITEBACK_STOREFRONT_WEBHOOK_SECRET is not set",
        "WRITEBACK_ESP_WEBHOOK_SECRET is not set",
        "platform crm",
    ]


def test_the_gateway_reads_no_keys_of_the_platforms_apis_and_serves_only_platforms_that_send() -> None:
    environ = {"WRITEBACK_STOREFRONT_WEBHOOK_SECRET": SECRET, "WRITEBACK_STOREFRONT_ACCESS_TOKEN": "x"}
    (endpoint,) = read_endpoints({"storefront": "shopify", "validator": "smarty"}, environ)

    assert (endpoint.platform, endpoint.topic) == ("storefront", "raw.storefront")
    assert set(endpoint.settings) == {"WEBHOOK_SECRET", "REPLAY_WINDOW_S"}


def test_settings_come_from_the_environment_and_options_go_first() -> None:
    environ = {"WRITEBACK_BOOTSTRAP": "kafka-1:9092", "WRITEBACK_GATEWAY_PORT": "9000", "WRITEBACK_TLS": "yes"}
    settings = read_gateway_settings(environ, port=9001, host=None)

    assert (settings.bootstrap, settings.port, settings.host, settings.tls) == ("kafka-1:9092", 9001, "127.0.0.1", True)


def test_the_embedded_profile_keeps_within_the_embedded_brokers_limits() -> None:
    settings = read_gateway_settings({"WRITEBACK_PROFILE": "embedded"})

    assert (settings.idempotent, settings.batch_bytes) == (False, 1)


@pytest.mark.parametrize(
    ("environ", "problems"),
    [
        ({"WRITEBACK_GATEWAY_PORT": "many", "WRITEBACK_TLS": "perhaps"}, ["WRITEBACK_TLS", "WRITEBACK_GATEWAY_PORT"]),
        ({"WRITEBACK_GATEWAY_PORT": "70000"}, ["WRITEBACK_GATEWAY_PORT"]),
        ({"WRITEBACK_GATEWAY_BODY_MAX_BYTES": "0"}, ["WRITEBACK_GATEWAY_BODY_MAX_BYTES"]),
        ({"WRITEBACK_BOOTSTRAP": " "}, ["WRITEBACK_BOOTSTRAP"]),
    ],
)
def test_every_setting_that_cannot_be_used_is_named_at_once(environ: dict[str, str], problems: list[str]) -> None:
    with pytest.raises(GatewayRefused) as raised:
        read_gateway_settings(environ)

    assert sorted(problem.split(":")[0] for problem in raised.value.problems) == sorted(problems)


async def test_a_port_that_is_taken_is_said_in_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(GatewayRefused, match=f"cannot listen on 127.0.0.1 port {port}"):
            await serve(msgspec.structs.replace(QUICK, port=port), [], asyncio.Event())


PROCESS = """
import os, sys
from streams.gateway import GatewayRefused, read_gateway_settings, run_gateway
import logging
logging.basicConfig(level="INFO")
try:
    run_gateway(read_gateway_settings(os.environ), {"storefront": "shopify"}, os.environ)
except GatewayRefused as refused:
    sys.exit(str(refused))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_cleanly(number: signal.Signals) -> None:
    environ = {
        **os.environ,
        "WRITEBACK_BOOTSTRAP": f"127.0.0.1:{closed_port()}",
        "WRITEBACK_GATEWAY_PORT": str(closed_port()),
        "WRITEBACK_STOREFRONT_WEBHOOK_SECRET": SECRET,
    }
    with subprocess.Popen([sys.executable, "-c", PROCESS], env=environ, stderr=subprocess.PIPE, text=True) as process:
        told = iter(process.stderr.readline, "")
        assert any("Listening on 127.0.0.1" in line for line in told)
        process.send_signal(number)
        rest = process.stderr.read()

        assert process.wait(10) == 0
        assert SECRET not in rest


def test_without_its_secrets_the_process_exits_non_zero_and_says_which() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("WRITEBACK_")}
    ended = subprocess.run([sys.executable, "-c", PROCESS], env=environ, capture_output=True, text=True, timeout=30)

    assert ended.returncode == 1
    assert "WRITEBACK_STOREFRONT_WEBHOOK_SECRET is not set" in ended.stderr
