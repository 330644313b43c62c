"""The schema registry's client against a small registry on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from streams.codec import PublicCodec, RegistryRefused, SchemaRegistry
from streams.codec.registry import UNKNOWN_KEPT_S
from streams.codec.schemas import schema_text
from streams.model import Change, Command, Invalid, Retry

CHANGE = Change("e-1", "crm", "003a1", observed_at=1_768_046_400_000)
COMMAND = Command("k", "C1", "crm", "1", 1, "update", "merge", "e", 0)


class Registry(ThreadingHTTPServer):
    """Keeps schemas by id and counts what it is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.schemas: dict[int, str] = {}
        self.asked: list[str] = []
        self.authorization: str | None = None
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        text = self.server.schemas.get(int(self.path.rsplit("/", 1)[1]))
        self._answer(200 if text else 404, {"schema": text} if text else {"error_code": 40403})

    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["schema"]
        schema_id = len(self.server.schemas) + 1
        self.server.schemas[schema_id] = text
        self._answer(200, {"id": schema_id})

    def _answer(self, status: int, body: dict) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.authorization = self.headers.get("Authorization")
        overruled = self.server.status != 200
        raw = json.dumps({} if overruled else body).encode()
        self.send_response(self.server.status if overruled else status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serving() -> Iterator[Registry]:
    """A registry in a thread of its own; the fixture of whoever needs one."""
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


registry = pytest.fixture(serving, name="registry")


def test_with_a_registry_messages_carry_its_schema_id_and_each_subject_is_registered_once(registry: Registry) -> None:
    codec = PublicCodec(SchemaRegistry(registry.url))
    codec.prepare("change", "changes")
    payloads = [codec.encode_change(CHANGE), codec.encode_change(CHANGE), codec.encode_command(COMMAND)]

    assert [payload[:5] for payload in payloads] == [b"\0\0\0\0\x01", b"\0\0\0\0\x01", b"\0\0\0\0\x02"]
    assert registry.asked == ["POST /subjects/changes-value/versions", "POST /subjects/commands.crm-value/versions"]
    assert (schema_text("change"), schema_text("command")) == tuple(registry.schemas.values())


def test_a_schema_is_fetched_once_for_all_messages(registry: Registry) -> None:
    payload = PublicCodec(SchemaRegistry(registry.url)).encode_change(CHANGE)
    registry.asked.clear()
    reader = PublicCodec(SchemaRegistry(registry.url))

    assert [reader.decode_change(payload), reader.decode_change(payload)] == [CHANGE, CHANGE]
    assert registry.asked == ["GET /schemas/ids/1"]


def test_single_object_messages_are_still_read_with_a_registry(registry: Registry) -> None:
    assert PublicCodec(SchemaRegistry(registry.url)).decode_change(PublicCodec().encode_change(CHANGE)) == CHANGE
    assert registry.asked == []


def test_another_writers_schema_is_fitted_by_field_name(registry: Registry) -> None:
    names = ("record_id", "platform", "colour", "change_id", "actor")
    fields = [{"name": name, "type": "string"} for name in names]
    registry.schemas[7] = json.dumps({"type": "record", "name": "Theirs", "fields": fields})
    reader = PublicCodec(SchemaRegistry(registry.url))

    assert Change("e", "crm", "1", actor="agent") == reader.decode_change(
        b"\0\0\0\0\x07\x021\x06crm\x06red\x02e\x0aagent"
    )
    with pytest.raises(Invalid) as raised:
        reader.decode_change(b"\0\0\0\0\x07\x021\x06crm\x06red\x02e\x08ally")
    assert (raised.value.reason, raised.value.detail) == ("unknown_enum", "actor")


def test_a_writers_schema_that_is_no_record_is_invalid(registry: Registry) -> None:
    registry.schemas[7] = '"string"'

    with pytest.raises(Invalid) as raised:
        PublicCodec(SchemaRegistry(registry.url)).decode_change(b"\0\0\0\0\x07\x02a")

    assert raised.value.reason == "bad_field"


def test_an_unknown_id_is_asked_for_once_a_while(registry: Registry) -> None:
    now = [0.0]
    reader = PublicCodec(SchemaRegistry(registry.url, clock=lambda: now[0]))

    for now[0] in (1.0, 2.0, UNKNOWN_KEPT_S + 2.0):
        with pytest.raises(Invalid) as raised:
            reader.decode_change(b"\0\0\0\0\x09body")
        assert raised.value.reason == "unknown_schema"
    assert len(registry.asked) == 2


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_registry_that_does_not_work_keeps_the_message_for_later(registry: Registry, status: int) -> None:
    registry.status = status

    with pytest.raises(Retry):
        PublicCodec(SchemaRegistry(registry.url)).decode_change(b"\0\0\0\0\x01body")


def test_a_registry_that_is_not_there_keeps_the_message_for_later() -> None:
    with pytest.raises(Retry) as raised:
        PublicCodec(SchemaRegistry("http://127.0.0.1:9", timeout_s=0.5)).encode_change(CHANGE)

    assert raised.value.after_s


def test_a_schema_that_the_registry_refuses_stops_us_with_a_sentence(registry: Registry) -> None:
    registry.status = 409

    with pytest.raises(RegistryRefused, match="refused changes-value with status 409"):
        PublicCodec(SchemaRegistry(registry.url)).prepare("change", "changes")


def test_the_registry_comes_from_the_environment_with_its_credentials(registry: Registry) -> None:
    environ = {"SCHEMA_REGISTRY_URL": registry.url, "SCHEMA_REGISTRY_AUTH": "reader:not-a-secret"}
    PublicCodec.from_environment(environ).prepare("change", "changes")

    assert registry.authorization == "Basic cmVhZGVyOm5vdC1hLXNlY3JldA=="
    assert None is SchemaRegistry.from_environment({})


@pytest.mark.parametrize("url", ["file:///etc/hosts", "registry:8081", "http://"])
def test_an_address_that_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(RegistryRefused):
        SchemaRegistry(url)
