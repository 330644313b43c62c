"""The REST client: client-credentials token, sObject Collections, reads. Every write is marked as ours.

Updates go by id and creates by upsert on the customer's external id, so that a request repeated after a timeout
changes nothing more. A plain create is never used.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from streams.connectors.base import Answer, Applied, Later, Refused
from streams.connectors.batches import in_waves, stop_of
from streams.connectors.http import Clock, Http, Limits, Reply, now_ms
from streams.connectors.salesforce.answers import ACCESS_AFTER_S, GONE, request_answer, row_answers
from streams.connectors.salesforce.asked import Asked, read_asked
from streams.connectors.salesforce.fields import CUSTOMER_FIELD, ENTITY, MASTER, flag, record_id
from streams.connectors.salesforce.header import Own
from streams.connectors.salesforce.orders import Row, RowKind, Shape, row_of, unsaid_detail
from streams.connectors.salesforce.rows import consent_act, merger, restatement
from streams.connectors.settings import flag as flag_setting
from streams.connectors.settings import number
from streams.model import Change, Command, Invalid, Retry

BATCH_MAX = 200
_USAGE = re.compile(r"api-usage=(\d{1,12})/(\d{1,12})", re.ASCII)


class ApiUsage(NamedTuple):
    """Calls used of the calls allowed in the running 24 hours, as `Sforce-Limit-Info` says."""

    used: int
    allowed: int


class SalesforceClient:
    """One org. `api_usage` is the latest count that the org sent, None before the first answer."""

    def __init__(self, platform: str, settings: Mapping[str, str], own: Own, clock: Clock = now_ms) -> None:
        self.platform = platform
        self.api_usage: ApiUsage | None = None
        self._own = own
        self._grant = {
            "grant_type": "client_credentials",
            "client_id": settings["CLIENT_ID"],
            "client_secret": settings["CLIENT_SECRET"],
        }
        self._shape = Shape(
            settings.get("CUSTOMER_FIELD", CUSTOMER_FIELD), flag_setting(settings, "STATE_COUNTRY_CODES", "false")
        )
        self._limit_pause_s = number(settings, "LIMIT_PAUSE_S", "900")
        self._base = f"/services/data/v{settings.get('API_VERSION', '62.0')}"
        calls = {"Sforce-Call-Options": f"client={own.client}"}
        self._http = Http(settings["BASE_URL"], calls, Limits.of(settings), clock)
        self._token: str | None = None
        self._renewing = asyncio.Lock()

    async def open(self) -> None:
        """Open the session; the token is fetched with the first request."""
        await self._http.open()

    async def close(self) -> None:
        """Close the session and forget the token."""
        self._token = None
        await self._http.close()

    async def deliver(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """One answer for each command, in order; a request names no record twice."""
        return await in_waves(commands, self._wave)

    async def fetch(self, record_id: str) -> Change | None:
        """The Contact as it stands, or the consent act that `record_id` asks for (asked.py).

        Where it is gone: the merge by which it went, None where it was only deleted.

        Raises Retry where it cannot be read now, Invalid("fetch_refused") where it never can.
        """
        asked = read_asked(record_id)
        path = f"{self._base}/sobjects/{ENTITY}/{quote(asked.record_id, safe='')}"
        reply = await self._call("GET", path)
        if isinstance(reply, Later):
            raise Retry(reply.reason, reply.after_s)
        if reply.status == 404:
            return consent_act(self.platform, asked, {}) or await self._merger(asked)
        if not reply.ok:
            answer = request_answer(reply, self._limit_pause_s)
            if isinstance(answer, Refused):
                raise Invalid("fetch_refused", answer.detail)
            raise Retry(answer.reason, answer.after_s)
        row = reply.object()
        if isinstance(row, Later):
            raise Retry(row.reason, row.after_s)
        if flag(row.get("IsDeleted")):
            return consent_act(self.platform, asked, {}) or merger(self.platform, asked, row)
        if (act := consent_act(self.platform, asked, row)) is not None:
            return act
        return restatement(self.platform, asked, row, self._own, self._http.clock())

    async def _merger(self, asked: Asked) -> Change | None:
        """What the recycle bin knows of a record that is gone; nothing once it was emptied."""
        if asked.decision is not None or record_id(asked.record_id) is None:
            return None
        query = f"SELECT Id, {MASTER} FROM {ENTITY} WHERE Id = '{asked.record_id}'"  # noqa: S608 a checked id
        reply = await self._call("GET", f"{self._base}/queryAll", params={"q": query})
        if isinstance(reply, Later):
            raise Retry(reply.reason, reply.after_s)
        found = reply.object() if reply.ok else {}
        if isinstance(found, Later):
            raise Retry(found.reason, found.after_s)
        rows = found.get("records")
        row = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
        return merger(self.platform, asked, row)

    async def _wave(self, commands: Mapping[int, Command]) -> dict[int, Answer]:
        answers: dict[int, Answer] = {}
        rows: dict[RowKind, dict[int, Row]] = {"update": {}, "create": {}, "erase": {}}
        for place, command in commands.items():
            row = row_of(command, self._shape)
            if isinstance(row, Refused):
                answers[place] = row
            else:
                rows[row.kind][place] = row
        for kind, of_kind in rows.items():
            answers |= await self._kind(kind, of_kind, stop_of(answers.values()))
        return answers

    async def _kind(self, kind: RowKind, rows: Mapping[int, Row], stopped: Later | None) -> dict[int, Answer]:
        """Rows of one kind, at most BATCH_MAX a request; nothing is sent any more once the platform said "later"."""
        answers: dict[int, Answer] = {}
        places = list(rows)
        for start in range(0, len(places), BATCH_MAX):
            part = places[start : start + BATCH_MAX]
            stopped = stopped or stop_of(answers.values())
            if stopped is not None:
                answers |= dict.fromkeys(part, stopped)
                continue
            sent = [rows[place] for place in part]
            taken = await (self._erase(sent) if kind == "erase" else self._send(kind, sent))
            answers |= {place: _said(answer, row) for place, answer, row in zip(part, taken, sent, strict=True)}
        return answers

    async def _send(self, kind: RowKind, rows: Sequence[Row]) -> list[Answer]:
        """One collection; where the request itself is refused, its halves, so that one row cannot refuse the others."""
        path = f"{self._base}/composite/sobjects"
        if kind == "create":
            path += f"/{ENTITY}/{quote(self._shape.customer_field, safe='')}"
        reply = await self._call("PATCH", path, {"allOrNone": False, "records": [row.fields for row in rows]})
        if isinstance(reply, Later):
            return [reply] * len(rows)
        if reply.ok:
            return row_answers(reply, len(rows), self._limit_pause_s)
        answer = request_answer(reply, self._limit_pause_s)
        if isinstance(answer, Later) or len(rows) == 1:
            return [answer] * len(rows)
        half = len(rows) // 2
        return await self._send(kind, rows[:half]) + await self._send(kind, rows[half:])

    async def _erase(self, rows: Sequence[Row]) -> list[Answer]:
        """Empty the records, then delete them: what the recycle bin keeps is empty. Gone already is done."""
        wiped = await self._send("update", rows)
        if any(isinstance(answer, Later) for answer in wiped):
            return [answer if isinstance(answer, Later) else Later("erasing", whole_platform=False) for answer in wiped]
        ids = ",".join(row.record_id for row in rows)
        reply = await self._call(
            "DELETE", f"{self._base}/composite/sobjects", params={"ids": ids, "allOrNone": "false"}
        )
        if isinstance(reply, Later):
            return [reply] * len(rows)
        if not reply.ok:
            return [request_answer(reply, self._limit_pause_s)] * len(rows)
        deleted = row_answers(reply, len(rows), self._limit_pause_s)
        return [_erased(wipe, answer) for wipe, answer in zip(wiped, deleted, strict=True)]

    async def _call(
        self, method: str, path: str, json: Any = None, params: Mapping[str, str] | None = None
    ) -> Reply | Later:
        """One request; a token that is no longer valid is renewed once."""
        token = await self._valid_token()
        if isinstance(token, Later):
            return token
        reply = await self._authorized(token, method, path, json, params)
        if isinstance(reply, Later) and reply.reason == "unauthorized":
            renewed = await self._valid_token(stale=token)
            if isinstance(renewed, Later):
                return renewed
            reply = await self._authorized(renewed, method, path, json, params)
        if isinstance(reply, Reply) and (match := _USAGE.search(reply.headers.get("sforce-limit-info", ""))):
            self.api_usage = ApiUsage(int(match[1]), int(match[2]))
        return reply

    async def _authorized(
        self, token: str, method: str, path: str, json: Any, params: Mapping[str, str] | None
    ) -> Reply | Later:
        bearer = {"Authorization": f"Bearer {token}"}
        return await self._http.request(method, path, json=json, params=params, headers=bearer)

    async def _valid_token(self, stale: str | None = None) -> str | Later:
        """The token at hand, unless it is the stale one; several requests that meet a stale one renew it once."""
        async with self._renewing:
            if self._token is not None and self._token != stale:
                return self._token
            self._token = None
            reply = await self._http.request("POST", "/services/oauth2/token", form=self._grant)
            if isinstance(reply, Later):
                return reply
            granted = reply.object()
            token = granted.get("access_token") if reply.ok and not isinstance(granted, Later) else None
            if not isinstance(token, str) or not token.isprintable() or not token:
                return Later("no_token", ACCESS_AFTER_S)
            self._token = token
            return token


def _said(answer: Answer, row: Row) -> Answer:
    """An update's answer names no record, and says what was left out."""
    if not isinstance(answer, Applied):
        return answer
    detail = ",".join(part for part in (answer.detail, unsaid_detail(row.unsaid)) if part) or None
    return Applied(record_id=answer.record_id if row.kind == "create" else None, detail=detail)


def _erased(wiped: Answer, deleted: Answer) -> Answer:
    if isinstance(deleted, Refused) and deleted.detail in GONE:
        return Applied()
    if isinstance(deleted, Applied) and isinstance(wiped, Refused) and wiped.detail not in GONE:
        return Applied(detail=f"not_emptied:{wiped.detail}")
    return deleted
