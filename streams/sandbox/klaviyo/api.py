"""The JSON:API: profiles, their upsert, bulk subscription jobs, privacy deletion."""

from __future__ import annotations

import copy
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from aiohttp import web

from streams.sandbox.klaviyo import jobs
from streams.sandbox.klaviyo.limits import JOBS, PRIVACY, PROFILES, Limiter
from streams.sandbox.klaviyo.profiles import Account, Problem, Profile, invalid, normal_email, write
from streams.sandbox.klaviyo.shapes import error_body, profile_object

MEDIA_TYPE = "application/vnd.api+json"
REVISION = re.compile(r"\d{4}-\d{2}-\d{2}(\.pre)?")
FILTER = re.compile(r"""equals\((email|phone_number|external_id|id),\s*["'](.*)["']\)""")
BODY_MAX_BYTES = 5_000_000
PROFILE_MAX_BYTES = 100_000

Call: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]


class Happenings(Protocol):
    """What the API tells the account of."""

    def updated(self, profile: Profile) -> None: ...

    def decided(self, decisions: list[jobs.Decided]) -> None: ...

    def erase(self, profile: Profile) -> None: ...


class Api:
    """Everything below `/api`."""

    def __init__(self, account: Account, happenings: Happenings, key: Callable[[], str]) -> None:
        self._account = account
        self._happenings = happenings
        self._key = key
        self.profile_limit = Limiter(account.clock, PROFILES)
        self.job_limit = Limiter(account.clock, JOBS)
        self.privacy_limit = Limiter(account.clock, PRIVACY)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=BODY_MAX_BYTES)
        for method, path, call, limit in (
            ("GET", "/api/profiles", self._search, self.profile_limit),
            ("POST", "/api/profiles", self._create, self.profile_limit),
            ("GET", "/api/profiles/{id}", self._read, self.profile_limit),
            ("PATCH", "/api/profiles/{id}", self._update, self.profile_limit),
            ("POST", "/api/profile-import", self._import, self.profile_limit),
            ("POST", "/api/profile-subscription-bulk-create-jobs", self._subscribe, self.job_limit),
            ("POST", "/api/profile-subscription-bulk-delete-jobs", self._unsubscribe, self.job_limit),
            ("POST", "/api/data-privacy-deletion-jobs", self._erase, self.privacy_limit),
        ):
            for slash in ("", "/"):
                application.router.add_route(method, path + slash, self._guarded(call, limit))
        return application

    def _guarded(self, call: Call, limit: Limiter) -> Call:
        """Check the key, the revision and the limits; turn a Problem into its answer."""

        async def answer(request: web.Request) -> web.Response:
            try:
                self._admit(request)
            except Problem as problem:
                return refused(problem)
            wait_s = limit.take()
            if wait_s is not None:
                return throttled(wait_s)
            try:
                response = await call(request)
            except Problem as problem:
                response = refused(problem)
            response.headers.update(limit.headers())
            return response

        return answer

    def _admit(self, request: web.Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Klaviyo-API-Key" or not key:
            detail = "Missing or invalid authorization."
            raise Problem(401, "not_authenticated", "Authentication credentials were not provided.", detail)
        if not hmac.compare_digest(key.encode(), self._key().encode()):
            title = "Incorrect authentication credentials."
            raise Problem(401, "authentication_failed", title, title)
        if not REVISION.fullmatch(request.headers.get("revision", "")):
            raise invalid("A valid revision header is required.", "/data")
        if request.method != "GET" and request.content_type not in (MEDIA_TYPE, "application/json"):
            title = "Unsupported media type."
            raise Problem(415, "unsupported_media_type", title, f"Use {MEDIA_TYPE}.")

    async def _search(self, request: web.Request) -> web.Response:
        asked = FILTER.fullmatch(request.query.get("filter", ""))
        if asked is None:
            raise invalid("Only a filter equals(field,value) is understood.", "filter")
        name, value = asked[1], asked[2]
        if name == "id":
            found = [one for one in (self._account.profiles.get(value),) if one]
        else:
            found = self._account.find(**{name: normal_email(value) if name == "email" else value})
        objects = [profile_object(one, _wants_subscriptions(request)) for one in found]
        return _answer({"data": objects, "links": {"self": str(request.url), "next": None, "prev": None}})

    async def _read(self, request: web.Request) -> web.Response:
        return _answer({"data": profile_object(self._profile(request), _wants_subscriptions(request))})

    async def _create(self, request: web.Request) -> web.Response:
        attributes, _ = await _profile_document(request)
        return _answer({"data": profile_object(self._store_new(attributes))}, 201)

    async def _update(self, request: web.Request) -> web.Response:
        profile = self._profile(request)
        attributes, given_id = await _profile_document(request)
        if given_id not in (None, profile.id):
            raise invalid("The id must be that of the path.", "/data/id")
        return _answer({"data": profile_object(self._store(profile, attributes))})

    async def _import(self, request: web.Request) -> web.Response:
        """Create or update by whatever identifies the profile."""
        attributes, given_id = await _profile_document(request)
        if given_id:
            profile = self._account.profiles.get(given_id)
            if profile is None:
                raise _missing(given_id)
            return _answer({"data": profile_object(self._store(profile, attributes))})
        draft = self._account.new()
        write(draft, attributes)
        found = self._account.find(**draft.identifiers())
        if not found:
            return _answer({"data": profile_object(self._store_new(attributes))}, 201)
        return _answer({"data": profile_object(self._store(found[0], attributes))})

    async def _subscribe(self, request: web.Request) -> web.Response:
        kind, document = "profile-subscription-bulk-create-job", await _json(request)
        self._happenings.decided(jobs.decisions(document, kind, "SUBSCRIBED", jobs.SUBSCRIBE_MAX))
        return web.Response(status=202)

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        kind, document = "profile-subscription-bulk-delete-job", await _json(request)
        self._happenings.decided(jobs.decisions(document, kind, "UNSUBSCRIBED", jobs.UNSUBSCRIBE_MAX))
        return web.Response(status=202)

    async def _erase(self, request: web.Request) -> web.Response:
        profile = jobs.profile_to_erase(self._account, await _json(request))
        if profile is not None:
            self._happenings.erase(profile)
        return web.Response(status=202)

    def _profile(self, request: web.Request) -> Profile:
        profile = self._account.profiles.get(request.match_info["id"])
        if profile is None:
            raise _missing(request.match_info["id"])
        return profile

    def _store_new(self, attributes: dict[str, Any]) -> Profile:
        draft = self._account.new()
        write(draft, attributes)
        if not any(draft.identifiers().values()):
            raise invalid("One of email, phone_number or external_id is required.", "/data/attributes")
        self._account.refuse_duplicates(draft)
        self._account.profiles[draft.id] = draft
        self._happenings.updated(draft)
        return draft

    def _store(self, profile: Profile, attributes: dict[str, Any]) -> Profile:
        """A write that changes nothing is answered as done, and is no event."""
        draft = copy.deepcopy(profile)
        write(draft, attributes)
        self._account.refuse_duplicates(draft)
        if draft == profile:
            return profile
        draft.updated_at = self._account.clock()
        self._account.profiles[profile.id] = draft
        self._happenings.updated(draft)
        return draft


async def _profile_document(request: web.Request) -> tuple[dict[str, Any], str | None]:
    """The attributes and the id; raises Problem for what is no profile."""
    document = await _json(request)
    resource = document.get("data") if isinstance(document, dict) else None
    if not isinstance(resource, dict) or resource.get("type") != "profile":
        raise invalid("The resource type must be 'profile'.", "/data/type")
    if len(await request.read()) > PROFILE_MAX_BYTES:
        raise Problem(413, "payload_too_large", "Payload too large.", "A profile may have 100 KB.")
    attributes = resource.get("attributes")
    if not isinstance(attributes, dict):
        raise invalid("'attributes' is a required field.", "/data/attributes")
    return attributes, resource.get("id")


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError:
        raise invalid("The payload is not valid JSON.", "/data") from None


def _missing(profile_id: str) -> Problem:
    return Problem(404, "not_found", "Not found.", f"A profile with id {profile_id} does not exist.", "/data/id")


def _wants_subscriptions(request: web.Request) -> bool:
    return "subscriptions" in request.query.get("additional-fields[profile]", "")


def _answer(document: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(document, status=status, content_type=MEDIA_TYPE)


def refused(problem: Problem) -> web.Response:
    return _answer(error_body(problem), problem.status)


def throttled(wait_s: float) -> web.Response:
    """429: only Retry-After, none of the limit's own headers."""
    detail = f"Request was throttled. Expected available in {wait_s:g} second(s)."
    response = refused(Problem(429, "throttled", "Request was throttled.", detail))
    response.headers["Retry-After"] = f"{wait_s:g}"
    return response
