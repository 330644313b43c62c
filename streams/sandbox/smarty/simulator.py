"""The validator: Smarty's US Street service over the invented address book. It holds no records and sends nothing."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from aiohttp import web

from streams.sandbox.people import Person
from streams.sandbox.simulator import BadEdit, Edit, Holding, Simulator, Surroundings, UnknownRecord
from streams.sandbox.smarty.answers import candidates
from streams.sandbox.smarty.book import BOOK, Building, ask

LOOKUPS_MAX = 100
CANDIDATES_MAX = 10
MATCHES = ("strict", "range", "invalid", "enhanced")


class Smarty(Simulator):
    """`book` may be added to."""

    vendor: ClassVar[str] = "smarty"
    platform: ClassVar[str] = "validator"
    secret_names: ClassVar[tuple[str, ...]] = ("AUTH_ID", "AUTH_TOKEN")

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.book: list[Building] = list(BOOK)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=64_000)
        application.router.add_post("/street-address", self._post)
        application.router.add_get("/street-address", self._get)
        return application

    def settings(self, base_url: str) -> dict[str, str]:
        return {"BASE_URL": base_url}

    def refusal(self, status: int, retry_after_s: float) -> web.Response:
        text = {429: "Too Many Requests", 503: "Service Unavailable"}.get(status, "Internal Server Error")
        headers = {"Retry-After": f"{retry_after_s:g}"} if status == 429 else {}
        return web.Response(status=status, text=text, headers=headers)

    def reset(self) -> None:
        self.book = list(BOOK)

    def record_ids(self) -> list[str]:
        return []

    def seed(self, person: Person, record_id: str | None = None, announce: bool = False) -> str:
        raise BadEdit("the validator holds nobody")

    def holds(self, record_id: str) -> Holding:
        raise UnknownRecord(f"{self.platform}:{record_id}")

    def sign(self, body: bytes, topic: str = "") -> dict[str, str]:
        raise BadEdit("the validator sends nothing")

    @property
    def edits(self) -> Mapping[str, Edit]:
        return {"build": self.build}

    def build(self, **building: Any) -> dict[str, Any]:
        """Add a building to the book; the fields are those of `Building`."""
        try:
            self.book.append(Building(**building))
        except TypeError as error:
            raise BadEdit(str(error)) from None
        return {}

    async def _post(self, request: web.Request) -> web.Response:
        if refused := self._unauthorised(request):
            return refused
        try:
            lookups = json.loads(await request.read())
        except ValueError:
            lookups = None
        if not isinstance(lookups, list) or not all(isinstance(one, dict) for one in lookups) or not lookups:
            return web.Response(status=400, text="Bad Request (Malformed Payload)")
        if len(lookups) > LOOKUPS_MAX:
            return web.Response(status=413, text="Request Entity Too Large")
        return self._answer(lookups)

    async def _get(self, request: web.Request) -> web.Response:
        return self._unauthorised(request) or self._answer([dict(request.query)])

    def _answer(self, lookups: list[dict[str, Any]]) -> web.Response:
        answers: list[dict[str, Any]] = []
        for place, lookup in enumerate(lookups):
            match = lookup.get("match", "strict")
            if match not in MATCHES:
                return web.Response(status=422, text="Unprocessable Entity (match)")
            answers += _labelled(self._candidates(lookup, match), place, lookup.get("input_id"))
        return web.json_response(answers)

    def _candidates(self, lookup: Mapping[str, Any], match: str) -> list[dict[str, Any]]:
        secondary = " ".join(str(lookup.get(name) or "") for name in ("secondary", "street2")).strip()
        words = [str(lookup.get(name) or "") for name in ("street", "city", "state", "zipcode")]
        if not words[0].strip():
            return []
        asked = ask(words[0], secondary, *words[1:])
        most = min(int(lookup.get("candidates") or 1), CANDIDATES_MAX)
        return candidates(self.book, asked, match, most)

    def _unauthorised(self, request: web.Request) -> web.Response | None:
        given = (request.query.get("auth-id", ""), request.query.get("auth-token", ""))
        expected = (self.secrets["AUTH_ID"], self.secrets["AUTH_TOKEN"])
        if all(hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(given, expected, strict=True)):
            return None
        errors = [{"message": "Unauthorized: The provided credentials were not valid."}]
        return web.json_response({"errors": errors}, status=401)


def _labelled(found: list[dict[str, Any]], place: int, input_id: str | None) -> list[dict[str, Any]]:
    named = {"input_id": input_id} if input_id else {}
    return [{**named, "input_index": place, "candidate_index": rank, **one} for rank, one in enumerate(found)]
