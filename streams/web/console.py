"""The console: a person finds a customer, asks for an act, is told what it means, and sees what came of it.

Everything that a person types travels in bodies; addresses hold ids alone. An act takes a signed-in steward, a form
that we gave to that steward, and who and why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import uuid4

from aiohttp import web

from streams.core.golden import value_view
from streams.core.reviewing import follows, review_view
from streams.core.state import Customer
from streams.lane import LaneApp
from streams.model import Millis, StewardRequest
from streams.runtime.settings import Settings
from streams.web.answers import page_of, refused
from streams.web.desk import BY_CHARS_MAX, OF_RECORDS, WHY_CHARS_MAX, Declined, Desk
from streams.web.foresight import Foreseen, foresee
from streams.web.forms import read_form
from streams.web.lookups import Lookups
from streams.web.rendering import quoted
from streams.web.reviews import ReviewSource, Wanted
from streams.web.serving import application
from streams.web.session import PERSON
from streams.web.steward import STEWARD_PATH, Counter
from streams.web.wordings import consequence, headline

SEARCH: Final = "/search"
ASK: Final = "/console/ask"
ACT: Final = "/console/act"
ARRIVING: Final = "The record is just arriving here by a merge; what the act changes shows only then."
NO_MATCH: Final = "nobody is known by that"
_PARTS: Final = ("line1", "line2", "city", "region", "postal_code", "country")
_NAMED: Final = ("customer", "with", "record", "attribute", "contact_point", "channel", "purpose", "review", "value")

Fields: TypeAlias = dict[str, str]
Answer: TypeAlias = Callable[[web.Request, Fields], Awaitable[web.Response]]


class Draft(NamedTuple):
    """An act that makes sense: what would be asked, of whom, what it means and what would come of it."""

    request: StewardRequest
    sentences: list[str]
    foreseen: Foreseen
    case: dict[str, Any] | None = None


class Console:
    """Drafts acts, and has them carried out."""

    def __init__(
        self, lookups: Lookups, reviews: ReviewSource, counter: Counter, settings: Settings, now: Callable[[], Millis]
    ) -> None:
        self._lookups = lookups
        self._reviews = reviews
        self._desk = Desk(lookups, reviews)
        self._counter = counter
        self._bytes_max = settings.steward_body_max_bytes
        self._now = now

    # Finding

    async def search(self, request: web.Request) -> web.Response:
        """From what a person typed to the customer; where several hold it, to what may be sent to it."""
        try:
            fields = await read_form(request)
        except Declined as declined:
            return refused(request, declined.status, declined.why)
        asked = fields.get("q", "")
        if not asked:
            return await _begin(request)
        found = await self._holders(asked)
        if len(found) == 1 and "consents" not in fields:
            return web.Response(status=303, headers={"Location": f"/customers/{quoted(found[0])}"})
        consents = await self._lookups.consents(asked) if found else None
        if consents is None or not consents["customers"]:
            return refused(request, 404, NO_MATCH)
        return page_of(request, "consents.html", {"view": consents})

    async def _holders(self, asked: str) -> list[str]:
        """The customers that a contact point, a record's name or else an id leads to."""
        path = self._lookups.path_of(asked)
        if path[0] == "consents" or path[1:3] == ("by", "email"):
            held = await self._lookups.customers_at(path[-1])
        else:
            bound = await self._lookups.customer_of(*path[2:]) if path[1] == "by" and len(path) == 4 else None
            held = [bound] if bound is not None else []
        return held or ([asked] if await self._lookups.customer(asked) is not None else [])

    # Acting

    async def ask(self, request: web.Request, fields: Fields) -> web.Response:
        """What is still missing for an act, or what it means, to be confirmed."""
        if _is_blank(fields):
            return await self._blank(request, fields)
        try:
            draft = await self._draft(fields)
        except Declined as declined:
            if _blank_for(fields) is None:
                return refused(request, declined.status, declined.why)
            return await self._blank(request, fields, declined)
        return _confirm(request, fields, draft)

    async def act(self, request: web.Request, fields: Fields) -> web.Response:
        """Pass the act on; it was confirmed."""
        try:
            if fields.get("action") == "erase" and "sure" not in fields:
                raise Declined(422, "not_sure", "an erasure needs the tick that says so: there is no way back")
            body = drafted(fields) | {name: fields.get(name) for name in ("by", "why", "request_id")}
            told = await self._counter.ask(fields.get("action", ""), body)
        except Declined as declined:
            return await self._again(request, fields, declined)
        place = f"{STEWARD_PATH}requests/{quoted(told['request_id'])}?action={told['action']}"
        return web.Response(status=303, headers={"Location": place})

    async def _again(self, request: web.Request, fields: Fields, declined: Declined) -> web.Response:
        """The form once more with what is wrong in it; what makes no sense any more is only refused."""
        try:
            return _confirm(request, fields, await self._draft(fields), declined)
        except Declined:
            return refused(request, declined.status, declined.why)

    async def _blank(self, request: web.Request, fields: Fields, declined: Declined | None = None) -> web.Response:
        """The form for a pin's value or a merge's other customer."""
        state = await self._lookups.customer(fields.get("customer", ""))
        if state is None or state.erased_at is not None:
            found = declined or Declined(404, "unknown_customer", "no living customer has this id")
            return refused(request, found.status, found.why)
        rule = self._lookups.policy.attributes.get(fields.get("attribute", ""))
        if fields["action"] == "pin" and rule is None:
            return refused(request, 422, "the policy has no such attribute")
        golden = state.golden.get(rule.name) if rule is not None else None
        given: dict[str, Any] = {"fields": _kept(fields), "state": state, "rule": rule}
        given["golden"] = value_view(golden.value) if golden is not None else None
        given["typed"] = fields if declined is not None else None
        given["why"] = declined.why if declined is not None else ""
        status = declined.status if declined is not None else 200
        return page_of(request, f"ask_{fields['action']}.html", given, status)

    async def _draft(self, fields: Fields) -> Draft:
        """Check the act against the rows as the desk will do; raises Declined."""
        body = drafted(fields) | {"by": "-", "why": "-"}
        asked = (await self._desk.asked(fields.get("action", ""), body, self._now())).request
        if asked.action == "review":
            return await self._draft_of_case(asked)
        return await self._foreseen(asked, asked)

    async def _draft_of_case(self, asked: StewardRequest) -> Draft:
        """What an approval would do is what the engine makes of it."""
        [review] = await self._reviews.find(Wanted(asked.review or ""))
        case = review_view(review)
        if asked.value == "dismiss":
            stays = "Nothing is changed, and the same evidence does not bring the case up again."
            return Draft(asked, [stays, "It can still be approved later."], Foreseen([], []), case)
        review.state, review.request_id = "approved", asked.request_id
        following = follows(review)
        if following is None:
            return Draft(asked, ["It is only marked as looked at; nothing is changed."], Foreseen([], []), case)
        draft = await self._foreseen(asked, following)
        return draft._replace(case=case)

    async def _foreseen(self, asked: StewardRequest, meant: StewardRequest) -> Draft:
        state = await self._living(meant.customer_id)
        other = await self._living(meant.with_) if meant.with_ is not None else None
        if other is not None and other.customer_id == state.customer_id:
            return Draft(asked, ["The two are one customer already; nothing is changed."], Foreseen([], []))
        sentences = consequence(meant, state, other)
        if asked.action in OF_RECORDS and asked.record not in state.records:
            return Draft(asked, [*sentences, ARRIVING], Foreseen([], [], unknown=True))
        return Draft(asked, sentences, foresee(meant, state, other, self._lookups.policy, self._now()))

    async def _living(self, customer_id: str | None) -> Customer:
        state = await self._lookups.customer(customer_id or "")
        if state is None or state.erased_at is not None:
            raise Declined(409, "erased_customer", "the customer is not there any more")
        return state

    def form(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
        """What stands before every act: a signed-in steward, and a form that this steward got from us."""

        async def answered(request: web.Request) -> web.Response:
            try:
                fields = await read_form(request, self._bytes_max)
            except Declined as declined:
                return refused(request, declined.status, declined.why)
            if not PERSON.get().acts:
                return refused(
                    request, 401, "sign in as a steward first; nothing was done", {"WWW-Authenticate": "Bearer"}
                )
            if not PERSON.get().marked(fields.get("mark", "")):
                return refused(request, 403, "this form is not of your session; nothing was done")
            return await answer(request, fields)

        return answered


def add_console(app: LaneApp, console: Console) -> None:
    """Searching, asking for an act, and acting: all by POST."""
    router = application(app).router
    for path in (SEARCH, ASK, ACT):
        router.add_get(path, _begin)
    router.add_post(SEARCH, console.search)
    router.add_post(ASK, console.form(console.ask))
    router.add_post(ACT, console.form(console.act))


async def _begin(request: web.Request) -> web.Response:
    """Who comes back to the address of a form begins anew."""
    return web.Response(status=303, headers={"Location": "/"})


def drafted(fields: Fields) -> dict[str, Any]:
    """The body of a steward's request from the fields of a form."""
    body: dict[str, Any] = {name: fields[name] for name in _NAMED if fields.get(name)}
    if "clear" in fields:
        body["value"] = None
    elif any(fields.get(name) for name in _PARTS):
        body["value"] = {name: fields.get(name, "") for name in _PARTS}
    return body


def _blank_for(fields: Fields) -> str | None:
    """The field that a person has to fill in for this act."""
    if fields.get("action") == "merge":
        return "with"
    return "value" if fields.get("action") == "pin" and "attribute" in fields else None


def _is_blank(fields: Fields) -> bool:
    """True where that field is not on the form yet."""
    wanted = _blank_for(fields)
    return wanted is not None and not {wanted, "clear", "line1"} & fields.keys()


def _kept(fields: Fields) -> Fields:
    """What names the act, without what a person fills in."""
    return {name: fields[name] for name in ("action", "customer", "attribute") if name in fields}


def _confirm(request: web.Request, fields: Fields, draft: Draft, declined: Declined | None = None) -> web.Response:
    names = ("action", *_NAMED, "clear", *_PARTS)
    hidden: Fields = {name: fields[name] for name in names if name in fields}
    hidden["request_id"] = fields.get("request_id") or uuid4().hex
    given = {
        "draft": draft,
        "title": headline(draft.request),
        "hidden": hidden,
        "by": fields.get("by", PERSON.get().by),
        "why": fields.get("why", ""),
        "limits": {"by": BY_CHARS_MAX, "why": WHY_CHARS_MAX},
        "problem": declined.why if declined is not None else "",
        "wrong": declined.reason if declined is not None else "",
    }
    return page_of(request, "confirm.html", given, declined.status if declined is not None else 200)
