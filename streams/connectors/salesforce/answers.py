"""Salesforce's error codes as answers. Only codes that ask for another try are named: every other one is permanent."""

from __future__ import annotations

import re
from typing import Any

from streams.connectors.base import Answer, Applied, Later, Refused
from streams.connectors.http import Reply

# Another try for this record alone; its neighbours may pass.
_RECORD_LATER = frozenset({"UNABLE_TO_LOCK_ROW", "ALL_OR_NONE_OPERATION_ROLLED_BACK", "QUERY_TIMEOUT"})
# Nothing would pass now: out of calls, down, or our access is at fault, which a person has to mend.
_PLATFORM_LATER = frozenset(
    {
        "REQUEST_LIMIT_EXCEEDED",
        "SERVER_UNAVAILABLE",
        "INVALID_SESSION_ID",
        "API_CURRENTLY_DISABLED",
        "API_DISABLED_FOR_ORG",
        "FUNCTIONALITY_NOT_ENABLED",
        "ORG_LOCKED",
        "UNKNOWN_EXCEPTION",
    }
)
# What an erasure finds already done.
GONE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})
UNKNOWN = "UNKNOWN_ERROR"
CONCURRENT_AFTER_S = 10.0
ACCESS_AFTER_S = 300.0
UNREADABLE = Later("unreadable_answer", whole_platform=False)

_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,80}", re.ASCII)


def code_of(error: Any) -> str:
    """`statusCode` in collections, `errorCode` elsewhere; "UNKNOWN_ERROR" for what is no code."""
    if not isinstance(error, dict):
        return UNKNOWN
    found = error.get("statusCode") or error.get("errorCode")
    return found if isinstance(found, str) and _CODE.fullmatch(found) else UNKNOWN


def refusal(errors: Any, limit_pause_s: float) -> Refused | Later:
    """The first error decides; the daily limit pauses long, the limit of concurrent calls briefly."""
    error = errors[0] if isinstance(errors, list) and errors else None
    code = code_of(error)
    if code == "REQUEST_LIMIT_EXCEEDED":
        concurrent = "Concurrent" in str(error.get("message")) if isinstance(error, dict) else False
        return Later(code, CONCURRENT_AFTER_S if concurrent else limit_pause_s)
    if code in _PLATFORM_LATER:
        return Later(code)
    return Later(code, whole_platform=False) if code in _RECORD_LATER else Refused(code)


def row_answers(reply: Reply, count: int, limit_pause_s: float) -> list[Answer]:
    """A 200's rows, in input order; an answer with another number of rows says nothing about any of them."""
    rows = reply.array()
    if isinstance(rows, Later) or len(rows) != count:
        return [UNREADABLE] * count
    return [_row_answer(row, limit_pause_s) for row in rows]


def _row_answer(row: Any, limit_pause_s: float) -> Answer:
    if not isinstance(row, dict) or not isinstance(row.get("success"), bool):
        return UNREADABLE
    if not row["success"]:
        return refusal(row.get("errors"), limit_pause_s)
    named = row.get("id")
    return Applied(record_id=named if isinstance(named, str) and named else None)


def request_answer(reply: Reply, limit_pause_s: float) -> Refused | Later:
    """What a refused request means. `Refused` speaks of its rows; no code, a 403 or a 404 speak of our access."""
    errors = reply.array()
    code = UNKNOWN if isinstance(errors, Later) or not errors else code_of(errors[0])
    if code == UNKNOWN:
        return Later(f"http_{reply.status}")
    answer = refusal(errors, limit_pause_s)
    if isinstance(answer, Refused) and reply.status in (403, 404):
        return Later(code, ACCESS_AFTER_S)
    return answer
