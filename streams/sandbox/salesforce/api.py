"""The REST API: OAuth, single contacts, collections, and a narrow SOQL."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from aiohttp import web

from streams.sandbox.salesforce import rows
from streams.sandbox.salesforce.fields import BadRequest, RowError, proper_name
from streams.sandbox.salesforce.org import By, Contact, Org
from streams.sandbox.salesforce.sessions import Denied, Sessions
from streams.sandbox.salesforce.shapes import rest_contact

Call: TypeAlias = Callable[[web.Request, By], Awaitable[web.Response]]

INTEGRATION_USER = "005Sb0000000001AAA"
DAILY_CALLS_MAX = 100_000
SOQL = re.compile(r"^select\s+(.+?)\s+from\s+Contact(?:\s+where\s+(.+?))?(?:\s+limit\s+(\d+))?$", re.I | re.S)
CONDITION = re.compile(r"(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(true|false|null))$", re.I)


class Api:
    """Everything below `/services`."""

    def __init__(self, org: Org, sessions: Sessions) -> None:
        self._org = org
        self._sessions = sessions
        self.calls = 0

    def application(self) -> web.Application:
        application = web.Application(client_max_size=6_000_000)
        add = application.router.add_route
        add("POST", "/services/oauth2/token", self._token)
        base = "/services/data/{version:v[0-9]+[.]0}"
        many = base + "/composite/sobjects"
        add("POST", many, self._as_user(self._insert_many))
        add("PATCH", many, self._as_user(self._update_many))
        add("DELETE", many, self._as_user(self._delete_many))
        add("GET", many + "/Contact", self._as_user(self._read_many))
        add("PATCH", many + "/Contact/{key}", self._as_user(self._upsert_many))
        one = base + "/sobjects/Contact"
        add("POST", one, self._as_user(self._insert_one))
        for method, call in (("GET", self._read), ("PATCH", self._update), ("DELETE", self._delete)):
            add(method, one + "/{id}", self._as_user(call))
        add("GET", one + "/{key}/{value}", self._as_user(self._read_by_key))
        add("PATCH", one + "/{key}/{value}", self._as_user(self._upsert_one))
        add("GET", base + "/query", self._as_user(self._query))
        add("GET", base + "/queryAll", self._as_user(self._query))
        return application

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        try:
            grant = self._sessions.grant(dict(form), f"{request.scheme}://{request.host}")
        except Denied as denied:
            return web.json_response(denied.body, status=400)
        return web.json_response(grant)

    def _as_user(self, call: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Check the session, count the call, and answer what refuses the whole request."""

        async def answer(request: web.Request) -> web.Response:
            if not self._sessions.is_valid(request.headers.get("Authorization", "")):
                return _errors(401, "INVALID_SESSION_ID", "Session expired or invalid")
            self.calls += 1
            try:
                response = await call(request, _by(request))
            except BadRequest as bad:
                response = web.json_response(bad.body, status=bad.status)
            response.headers["Sforce-Limit-Info"] = f"api-usage={self.calls}/{DAILY_CALLS_MAX}"
            return response

        return answer

    async def _insert_many(self, request: web.Request, by: By) -> web.Response:
        return await self._collection(request, by, rows.inserting(self._org))

    async def _update_many(self, request: web.Request, by: By) -> web.Response:
        return await self._collection(request, by, rows.updating(self._org))

    async def _upsert_many(self, request: web.Request, by: By) -> web.Response:
        key = self._external(request)
        return await self._collection(request, by, rows.upserting(self._org, key, key in self._org.external_ids))

    async def _collection(self, request: web.Request, by: By, write: rows.Write) -> web.Response:
        given, all_or_none = rows.rows_of(await _json(request))
        return web.json_response(rows.run(self._org, given, all_or_none, write, by))

    async def _delete_many(self, request: web.Request, by: By) -> web.Response:
        ids = [{"id": one} for one in request.query.get("ids", "").split(",") if one]
        all_or_none = request.query.get("allOrNone", "false") == "true"
        results = rows.run(self._org, ids, all_or_none, lambda row: (*self._org.delete(row["id"]), False), by)
        return web.json_response(results)

    async def _read_many(self, request: web.Request, _by_user: By) -> web.Response:
        names = self._names(request)
        found = [self._org.contact(one)[0] for one in request.query.get("ids", "").split(",")]
        version = request.match_info["version"]
        return web.json_response([rest_contact(one, version, names) if one else None for one in found])

    async def _insert_one(self, request: web.Request, by: By) -> web.Response:
        (contact, error), committed = self._org.insert(_fields(await _json(request)))
        self._org.commit([committed], by)
        if contact is None:
            return _refused(error)
        return web.json_response({"id": contact.id, "success": True, "errors": []}, status=201)

    async def _read(self, request: web.Request, _by_user: By) -> web.Response:
        contact, error = self._org.contact(request.match_info["id"])
        if contact is None:
            return _not_found() if error is None or error.code != "MALFORMED_ID" else _refused(error)
        return self._shown(request, contact)

    async def _update(self, request: web.Request, by: By) -> web.Response:
        (contact, error), committed = self._org.update(request.match_info["id"], _fields(await _json(request)))
        self._org.commit([committed], by)
        return web.Response(status=204) if contact else _refused(error)

    async def _delete(self, request: web.Request, by: By) -> web.Response:
        (contact, error), committed = self._org.delete(request.match_info["id"])
        self._org.commit([committed], by)
        return web.Response(status=204) if contact else _refused(error)

    async def _read_by_key(self, request: web.Request, _by_user: By) -> web.Response:
        found = self._matching(request)
        if len(found) > 1:
            return self._choices(request, found)
        return self._shown(request, found[0]) if found else _not_found()

    async def _upsert_one(self, request: web.Request, by: By) -> web.Response:
        found, given = self._matching(request), _fields(await _json(request))
        if len(found) > 1:
            return self._choices(request, found)
        if found:
            (contact, error), committed = self._org.update(found[0].id, given)
        else:
            key = {self._external(request): request.match_info["value"]}
            (contact, error), committed = self._org.insert({**given, **key})
        self._org.commit([committed], by)
        if contact is None:
            return _refused(error)
        body = {"id": contact.id, "success": True, "errors": [], "created": not found}
        return web.json_response(body, status=200 if found else 201)

    async def _query(self, request: web.Request, _by_user: By) -> web.Response:
        """`SELECT fields FROM Contact [WHERE field = value [AND ...]] [LIMIT n]`; queryAll reads the bin too."""
        asked = SOQL.match(request.query.get("q", "").strip())
        if asked is None:
            raise BadRequest("MALFORMED_QUERY", "unexpected token")
        names = [proper_name(name.strip(), self._org.custom) for name in asked[1].split(",")]
        wanted = self._conditions(asked[2] or "")
        version, everything = request.match_info["version"], request.path.endswith("/queryAll")
        there = [one for one in self._org.contacts.values() if everything or not one.deleted]
        found = [one for one in there if _meets(one, version, wanted)]
        records = [rest_contact(one, version, names) for one in found[: int(asked[3] or 2000)]]
        return web.json_response({"totalSize": len(records), "done": True, "records": records})

    def _conditions(self, where: str) -> dict[str, Any]:
        wanted: dict[str, Any] = {}
        for text in re.split(r"\s+and\s+", where.strip(), flags=re.I) if where.strip() else []:
            condition = CONDITION.match(text.strip())
            if condition is None:
                raise BadRequest("MALFORMED_QUERY", "unexpected token in the condition")
            literal = (condition[3] or "").lower()
            text_value = re.sub(r"\\(.)", r"\1", condition[2] or "")
            value = {"true": True, "false": False, "null": None}.get(literal, text_value)
            wanted[proper_name(condition[1], self._org.custom)] = value
        return wanted

    def _external(self, request: web.Request) -> str:
        key = request.match_info["key"]
        known = {name.casefold(): name for name in self._org.external_ids}
        return known.get(key.casefold(), key)

    def _matching(self, request: web.Request) -> list[Contact]:
        key, value = self._external(request), request.match_info["value"]
        if key.casefold() == "id":
            contact = self._org.contact(value)[0]
            return [contact] if contact else []
        if key not in self._org.external_ids:
            message = f"Provided external ID field does not exist or is not accessible: {key}"
            raise BadRequest("NOT_FOUND", message, 404)
        return self._org.find(key, value)

    def _choices(self, request: web.Request, found: list[Contact]) -> web.Response:
        version = request.match_info["version"]
        urls = [f"/services/data/{version}/sobjects/Contact/{one.id}" for one in found]
        return web.json_response(urls, status=300)

    def _names(self, request: web.Request) -> list[str] | None:
        asked = request.query.get("fields")
        return [proper_name(name, self._org.custom) for name in asked.split(",")] if asked else None

    def _shown(self, request: web.Request, contact: Contact) -> web.Response:
        return web.json_response(rest_contact(contact, request.match_info["version"], self._names(request)))


def _by(request: web.Request) -> By:
    """The change origin tells the client that the caller named in Sforce-Call-Options."""
    options = request.headers.get("Sforce-Call-Options", "")
    named = dict(part.strip().split("=", 1) for part in options.split(",") if "=" in part)
    version = request.match_info["version"].removeprefix("v")
    client = f";client={named['client']}" if named.get("client") else ""
    return By(INTEGRATION_USER, f"com/salesforce/api/rest/{version}{client}")


def _meets(contact: Contact, version: str, wanted: Mapping[str, Any]) -> bool:
    shown = rest_contact(contact, version)
    for name, value in wanted.items():
        held = shown.get(name)
        same = (
            str(held).casefold() == value.casefold() if isinstance(value, str) and held is not None else held == value
        )
        if not same:
            return False
    return True


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError:
        raise BadRequest("JSON_PARSER_ERROR", "The HTTP entity body is required to be valid JSON") from None


def _fields(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadRequest("JSON_PARSER_ERROR", "Can not deserialize SObject out of this token")
    return rows.values_of(body)


def _errors(status: int, code: str, message: str) -> web.Response:
    return web.json_response([{"message": message, "errorCode": code}], status=status)


def _refused(error: RowError | None) -> web.Response:
    assert error is not None  # noqa: S101 a row that was not taken says why
    if error.code in ("INVALID_CROSS_REFERENCE_KEY", "ENTITY_IS_DELETED"):
        return _not_found() if error.code != "ENTITY_IS_DELETED" else _errors(404, error.code, error.message)
    return web.json_response([error.alone()], status=400)


def _not_found() -> web.Response:
    return _errors(404, "NOT_FOUND", "The requested resource does not exist")
