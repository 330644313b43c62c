"""From what a steward sends to a request that the engine can take: whom it means, and whether it makes sense."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple
from uuid import uuid4

from streams.codec.contract import steward_from_json
from streams.codec.internal import encode
from streams.core import canonical
from streams.core.reviewing import Review
from streams.core.state import Customer
from streams.core.steward import check_request
from streams.lane import Emit
from streams.model import Invalid, Millis, StewardRequest, format_time
from streams.runtime import topics
from streams.runtime.asked import Decide, encode_message
from streams.web.lookups import Lookups
from streams.web.reviews import NO_REVIEW, ReviewSource, Wanted

ACTIONS: Final = ("pin", "unpin", "merge", "unlink", "release", "erase", "review")
BY_CHARS_MAX: Final = 200
WHY_CHARS_MAX: Final = 1000
ALIASES_MAX: Final = 64
NOT_LINKED: Final = "the record is not linked to this customer; if a merge is under way, ask again in a moment"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_COPIED: Final = ("attribute", "contact_point", "channel", "purpose", "record", "review", "value")
# Requests that name a record need no customer beside it.
OF_RECORDS: Final = ("unlink", "release")


class Declined(Exception):
    """A request that is not passed on: the HTTP status, the reason's name, and one sentence without values."""

    def __init__(self, status: int, reason: str, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.reason = reason
        self.why = why


class Asked(NamedTuple):
    """A request that makes sense, and what is produced for it."""

    request: StewardRequest
    emit: Emit


class Desk:
    """Checks what stewards send against the rows."""

    def __init__(self, lookups: Lookups, reviews: ReviewSource) -> None:
        self._lookups = lookups
        self._reviews = reviews

    async def asked(self, action: str, body: Any, now: Millis) -> Asked:
        """The request; raises Declined."""
        if action not in ACTIONS:
            raise Declined(404, "unknown_action", f"a steward can {', '.join(ACTIONS)}")
        if not isinstance(body, dict):
            raise Declined(400, "bad_json", "the body must be a JSON object")
        fields = {
            "action": action,
            "at": format_time(now),
            "by": _text(body, "by", BY_CHARS_MAX, "who asks"),
            "why": _text(body, "why", WHY_CHARS_MAX, "why it is asked"),
            "request_id": _request_id(body),
            **{name: body[name] for name in _COPIED if body.get(name) is not None},
        }
        if action == "review":
            return await self._review(fields, now)
        if action == "pin" and "value" not in body:
            raise Declined(422, "bad_request", "a pin needs a value; null pins it to nothing")
        return await self._for_customer(action, body, fields, now)

    async def _for_customer(self, action: str, body: dict[str, Any], fields: dict[str, Any], now: Millis) -> Asked:
        given = body.get("customer") or (body.get("record") if action in OF_RECORDS else None)
        state = await self._living(given, "customer")
        fields["customer_id"] = state.customer_id
        if action == "merge":
            other = await self._living(body.get("with"), "with")
            if other.customer_id == state.customer_id:
                raise Declined(409, "same_customer", "a customer cannot be merged with itself; these two are one")
            fields["with"] = other.customer_id
        request = self._checked(fields)
        if action in OF_RECORDS and request.record not in state.records:
            return Asked(request, _steward_emit(request, now, await self._way_of(request.record or "", state)))
        return Asked(request, _steward_emit(request, now))

    async def _way_of(self, record: str, state: Customer) -> str:
        """The id under which a request comes behind a record that is not in its customer's row yet; raises Declined.

        By a merge it is on its way there from its alias, which sends on in their order its state and what comes later.
        """
        platform, _, record_id = record.partition(":")
        bound = await self._lookups.customer_of(platform, record_id)
        now = await self._customer(bound)
        if bound is None or now is None or now.customer_id != state.customer_id:
            raise Declined(409, "not_linked", NOT_LINKED)
        if bound != state.customer_id or record in now.records:
            return bound
        raise Declined(409, "not_linked", NOT_LINKED)

    def _checked(self, fields: dict[str, Any]) -> StewardRequest:
        attribute = fields.get("attribute")
        if attribute is not None and attribute not in list(self._lookups.policy.attributes):
            raise Declined(422, "unknown_attribute", "the policy has no such attribute")
        try:
            request = steward_from_json(fields)
            check_request(request, self._lookups.policy)
        except Invalid as invalid:
            raise Declined(422, invalid.reason, invalid.detail or invalid.reason) from None
        return request

    async def _review(self, fields: dict[str, Any], now: Millis) -> Asked:
        """By way of the customer, so that the decision is in its history; a case without one is decided directly."""
        request = self._checked(fields)
        found = await self._reviews.find(Wanted(request.review or ""))
        if not found:
            raise Declined(404, "unknown_review", NO_REVIEW)
        review: Review = found[0]
        record = review.record if review.record == review.key else None
        state = await self._customer(review.customer_id) if review.customer_id is not None else None
        request = self._checked({**fields, "customer_id": review.customer_id, "record": record})
        if state is None or state.erased_at is not None:
            emit = Emit(topics.REVIEWS, review.key.encode(), encode_message(Decide(request)), timestamp_ms=now)
            return Asked(request, emit)
        return Asked(request, _steward_emit(request, now))

    async def _living(self, given: Any, name: str) -> Customer:
        """The customer of an id, an alias, a record's name or an e-mail address; raises Declined."""
        if not isinstance(given, str) or not given.strip():
            raise Declined(422, "bad_request", f"{name} is missing: a customer's id, a record, or an e-mail address")
        given = given.strip()
        state = await self._customer(given) or await self._customer(await self._named(given))
        if state is None:
            raise Declined(404, "unknown_customer", f"{name}: no customer has this id, record or address")
        if state.erased_at is not None:
            raise Declined(409, "erased_customer", f"{name}: this customer was erased")
        return state

    async def _named(self, given: str) -> str | None:
        platform, colon, record_id = given.partition(":")
        if colon and platform in self._lookups.policy.platforms:
            return await self._lookups.customer_of(platform, record_id)
        if not canonical.is_email(canonical.email(given)):
            return None
        holders = await self._lookups.customers_at(given)
        if len(holders) > 1:
            raise Declined(409, "ambiguous", f"several customers hold this address: {', '.join(holders)}")
        return holders[0] if holders else None

    async def _customer(self, customer_id: str | None) -> Customer | None:
        """A customer's state; that of the survivor where it was merged."""
        for _ in range(ALIASES_MAX):
            state = await self._lookups.customer(customer_id) if customer_id else None
            survivor = state.moves.survivor if state is not None and state.moves is not None else None
            if survivor is None:
                return state
            customer_id = survivor
        return None


def _steward_emit(request: StewardRequest, now: Millis, key: str | None = None) -> Emit:
    name = key if key is not None else request.customer_id or ""
    return Emit(topics.STEWARD, name.encode(), encode(request), timestamp_ms=now)


def _text(body: dict[str, Any], name: str, chars_max: int, what: str) -> str:
    given = body.get(name)
    if not isinstance(given, str) or not given.strip():
        raise Declined(422, f"{name}_missing", f"{name} is missing: {what}")
    if len(given) > chars_max:
        raise Declined(422, "too_long", f"{name} has more than {chars_max} characters")
    return given.strip()


def _request_id(body: dict[str, Any]) -> str:
    given = body.get("request_id")
    if given is None:
        return uuid4().hex
    if not isinstance(given, str) or not _REQUEST_ID.fullmatch(given):
        raise Declined(422, "bad_request_id", "a request_id has up to 100 letters, digits, dots and dashes")
    return given
