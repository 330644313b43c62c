"""The review queue: what the rules do not decide alone, with its evidence, until a steward has decided it.

A case is known by its evidence, so that the same one counts up instead of asking again, and stays as it was decided.
One whose customers have become one meanwhile is settled, without a steward.
Structs are `array_like`, so the field order is the stored form: append new fields with a default, never reorder.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, Literal, TypeAlias

import msgspec

from streams.core.canonical import SEP
from streams.core.redaction import RULE as ERASE_REQUESTED
from streams.core.state import OpenCase
from streams.model import Invalid, Millis, Note, StewardRequest, format_time

State: TypeAlias = Literal["open", "approved", "dismissed", "settled"]

# Notes that ask for a decision. `rebind_refused` always comes with a `review` of the same evidence.
ASKING: Final = frozenset({"review", "ping_pong", "validation_failed"})
CHANGES_MAX: Final = 8
# Evidence from so soon after an approval was on its way; what comes later says that the approval has not settled it.
SETTLED_AFTER_MS: Final = 600_000
ONE_ALREADY: Final = "the two are one customer already"


class Review(msgspec.Struct, array_like=True):
    """One case. `key` is the key of its notes: the record it is about, else the customer.

    `change_ids`: the newest that brought it up. `count`: how often it came; `by`, `why` and `decided_at` say who
    decided it, why and when, `request_id` with which request. `became`: the one customer that settled it.
    """

    review_id: str
    key: str
    kind: str
    first_at: Millis
    last_at: Millis
    customer_id: str | None = None
    other_id: str | None = None
    record: str | None = None
    attribute: str | None = None
    identifier: str | None = None
    rule: str | None = None
    detail: str | None = None
    platform: str | None = None
    change_ids: list[str] = []
    count: int = 1
    state: State = "open"
    by: str | None = None
    why: str | None = None
    decided_at: Millis | None = None
    request_id: str | None = None
    approvals: int = 0
    became: str | None = None


def review_id(note: Note) -> str:
    """The same evidence gives the same id: its kind, customers in any order, record, attribute, identifier and rule."""
    customers = sorted((note.customer_id or "", note.other_id or ""))
    parts = (note.kind, *customers, _record(note) or "", note.attribute or "", note.identifier or "", note.rule or "")
    return f"r-{blake2b(SEP.join(parts).encode(), digest_size=10).hexdigest()}"


def _record(note: Note) -> str | None:
    return None if note.record_id is None else f"{note.platform}:{note.record_id}"


def opened(note: Note, key: str, at: Millis) -> Review:
    """A case that was not known; `at` is the note's Kafka timestamp."""
    return Review(
        review_id(note),
        key,
        note.kind,
        at,
        at,
        note.customer_id,
        note.other_id,
        _record(note),
        note.attribute,
        note.identifier,
        note.rule,
        note.detail,
        note.platform,
        _changes(note),
    )


def counted(review: Review, note: Note, at: Millis) -> bool:
    """The same evidence again; False where the note itself was only delivered again.

    What was dismissed stays so; what was approved is open again where the approval has not settled it.
    """
    changes = _changes(note)
    if at <= review.last_at and set(changes) <= set(review.change_ids):
        return False
    review.count += 1
    review.last_at = max(review.last_at, at)
    review.change_ids = list(dict.fromkeys([*review.change_ids, *changes]))[-CHANGES_MAX:]
    if review.state == "approved" and at > (review.decided_at or 0) + SETTLED_AFTER_MS:
        review.state = "open"
    return True


def _changes(note: Note) -> list[str]:
    return list(note.change_ids or ((note.change_id,) if note.change_id else ()))[-CHANGES_MAX:]


def decided(review: Review, request: StewardRequest, at: Millis) -> StewardRequest | None:
    """Take a steward's decision; the request that follows from it, if any. Raises Invalid where it comes too late.

    What was dismissed can still be approved; what was approved has been carried out.
    """
    if request.request_id is not None and request.request_id == review.request_id:
        return follows(review)
    if review.state == "approved":
        raise Invalid("already_approved", "what was approved has been carried out")
    if review.state == "settled":
        raise Invalid("already_settled", ONE_ALREADY)
    if review.state == "dismissed" and request.value == "dismiss":
        raise Invalid("already_dismissed", "it was dismissed before")
    review.state = "approved" if request.value == "approve" else "dismissed"
    review.by, review.why, review.request_id = request.by, request.why, request.request_id
    review.decided_at = request.at if request.at is not None else at
    review.approvals += review.state == "approved"
    return follows(review)


def settle(review: Review, became: str, at: Millis) -> bool:
    """Its customers have become one; False where there was nothing left to decide."""
    if review.state != "open":
        return False
    review.state, review.became, review.why, review.decided_at = "settled", became, ONE_ALREADY, at
    review.by = review.request_id = None
    return True


def asked_about(review: Review) -> OpenCase:
    """The case as its customers' rows know it."""
    customers = dict.fromkeys(one for one in (review.customer_id, review.other_id) if one)
    return OpenCase(review.review_id, review.key, tuple(customers))


def follows(review: Review) -> StewardRequest | None:
    """What an approval asks of the engine: two customers are merged, one is erased, a value may be told again.

    Its request id is the case's, so that it is carried out once, however often it is delivered.
    """
    if review.state != "approved":
        return None
    if review.kind == "review" and review.customer_id is not None and review.other_id is not None:
        return _asked(review, "merge", review.customer_id)
    if review.kind == "review" and review.customer_id is not None and review.rule == ERASE_REQUESTED:
        return _asked(review, "erase", review.customer_id)
    if review.kind == "ping_pong" and review.customer_id is not None and review.record and review.attribute:
        return _asked(review, "release", review.customer_id)
    return None


def _asked(review: Review, action: Literal["merge", "release", "erase"], customer_id: str) -> StewardRequest:
    released = action == "release"
    return StewardRequest(
        action,
        review.review_id if review.approvals < 2 else f"{review.review_id}-{review.approvals}",
        customer_id,
        attribute=review.attribute if released else None,
        record=review.record if released else None,
        with_=review.other_id if action == "merge" else None,
        at=review.decided_at,
        by=review.by,
        why=review.why,
    )


def review_view(review: Review) -> dict[str, Any]:
    """A case as JSON; what it has nothing to say of is left out."""
    shown: dict[str, Any] = msgspec.to_builtins(msgspec.structs.asdict(review))
    for name in ("first_at", "last_at", "decided_at"):
        shown[name] = format_time(shown[name]) if shown[name] is not None else None
    del shown["key"], shown["approvals"]
    shown["approval"] = _approval(review)
    return {name: value for name, value in shown.items() if value not in (None, [])}


def _approval(review: Review) -> str:
    """What approving it does, in words."""
    if review.state == "settled":
        return "would change nothing"
    if review.kind == "review" and review.customer_id and review.other_id:
        return f"merges {review.other_id} with {review.customer_id}"
    if review.kind == "review" and review.customer_id and review.rule == ERASE_REQUESTED:
        return f"erases {review.customer_id}, which cannot be undone"
    if review.kind == "ping_pong" and review.record and review.attribute:
        return f"lets {review.record} be told its {review.attribute} again"
    return "only says that it was looked at"
