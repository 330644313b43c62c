"""A client for Confluent's schema registry: two calls, cached, so that no message waits for the network twice."""

from __future__ import annotations

import http.client
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from streams.codec.schemas import parse_schema
from streams.model import Invalid, Retry

REQUEST_TIMEOUT_S: Final = 3.0
RETRY_AFTER_S: Final = 5.0
UNKNOWN_KEPT_S: Final = 60.0
UNKNOWN_KEPT_MAX: Final = 1000
RESPONSE_BYTES_MAX: Final = 4 * 1024 * 1024

_CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_NOT_FOUND: Final = 404


class RegistryRefused(RuntimeError):
    """The schema registry refused a schema of ours, or its address is not an http(s) URL."""


class SchemaRegistry:
    """Schemas by id, and our own schemas registered by subject; both are asked for once.

    An id that the registry does not know is remembered for `UNKNOWN_KEPT_S`. Raises Retry("schema_registry")
    where the registry does not answer.
    """

    def __init__(
        self,
        url: str,
        auth: str | None = None,
        *,
        timeout_s: float = REQUEST_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RegistryRefused("SCHEMA_REGISTRY_URL must be an http or https URL")
        self._parts = parts
        self._headers = {"Accept": _CONTENT_TYPE, "Content-Type": _CONTENT_TYPE}
        if auth is not None:
            self._headers["Authorization"] = "Basic " + b64encode(auth.encode()).decode()
        self._timeout_s = timeout_s
        self._clock = clock
        self._schemas: dict[int, Any] = {}
        self._unknown: OrderedDict[int, float] = OrderedDict()
        self._ids: dict[tuple[str, str], int] = {}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> SchemaRegistry | None:
        """The registry that `SCHEMA_REGISTRY_URL` names (`SCHEMA_REGISTRY_AUTH`: `user:secret`), None without one."""
        url = environ.get("SCHEMA_REGISTRY_URL", "").strip()
        return cls(url, environ.get("SCHEMA_REGISTRY_AUTH") or None) if url else None

    def schema(self, schema_id: int) -> Any:
        """The parsed writer's schema; raises Invalid("unknown_schema")."""
        found = self._schemas.get(schema_id)
        if found is None:
            found = self._schemas[schema_id] = self._fetched(schema_id)
        return found

    def register(self, subject: str, schema_text: str) -> int:
        """The id of our schema under a subject; raises RegistryRefused where the registry will not have it."""
        key = (subject, schema_text)
        if key not in self._ids:
            status, answer = self._call(
                "POST", f"/subjects/{quote(subject, safe='')}/versions", {"schema": schema_text}
            )
            schema_id = answer.get("id")
            if type(schema_id) is not int:
                raise RegistryRefused(f"the schema registry refused {subject} with status {status}")
            self._ids[key] = schema_id
        return self._ids[key]

    def _fetched(self, schema_id: int) -> Any:
        if self._unknown.get(schema_id, 0.0) > self._clock():
            raise Invalid("unknown_schema", f"id {schema_id}")
        status, answer = self._call("GET", f"/schemas/ids/{schema_id}")
        text = answer.get("schema")
        try:
            if status == _NOT_FOUND or not isinstance(text, str) or answer.get("schemaType", "AVRO") != "AVRO":
                raise Invalid("unknown_schema", f"id {schema_id}")
            return parse_schema(text)
        except Invalid:
            self._remember_unknown(schema_id)
            raise

    def _remember_unknown(self, schema_id: int) -> None:
        self._unknown[schema_id] = self._clock() + UNKNOWN_KEPT_S
        self._unknown.move_to_end(schema_id)
        if len(self._unknown) > UNKNOWN_KEPT_MAX:
            self._unknown.popitem(last=False)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Status and JSON object; whatever else comes back is a registry that does not work now."""
        try:
            status, raw = self._request(method, path, None if body is None else msgspec.json.encode(body))
            answer = msgspec.json.decode(raw) if raw else {}
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
            raise Retry("schema_registry", RETRY_AFTER_S) from error
        if status >= 500 or status in (401, 403, 429) or not isinstance(answer, dict):
            raise Retry("schema_registry", RETRY_AFTER_S)
        return status, answer

    def _request(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        parts = self._parts
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self._timeout_s)
        try:
            connection.request(method, parts.path.rstrip("/") + path, body, self._headers)
            response = connection.getresponse()
            return response.status, response.read(RESPONSE_BYTES_MAX)
        finally:
            connection.close()
