"""The sandbox's own HTTP API, for the demo and for people with curl; loopback only.

GET    /admin                               addresses, gateway, webhook counts, people
PUT    /admin/gateway                       {"url": …}
POST   /admin/seed                          {"person": {…}, "platforms": […], "announce": false} or {} for everybody
POST   /admin/reset
GET    /admin/people/<key>                  what every platform holds of one person
GET    /admin/records/<platform>            its record ids
GET    /admin/records/<platform>/<id>       what it holds
GET    /admin/edits                         the edits of every platform
POST   /admin/edits/<platform>/<edit>       {"record_id": …, …}
POST   /admin/sign/<platform>[?topic=…]     any bytes; the headers with which the platform would deliver them
GET    /admin/faults/<platform>
PATCH  /admin/faults/<platform>             some of the faults
DELETE /admin/faults/<platform>
GET    /admin/options/<platform>
PATCH  /admin/options/<platform>            how the account is set up
GET    /admin/requests[/<platform>]         what the platforms were asked
GET    /admin/webhooks                      counts by platform
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from streams.sandbox.people import POPULATION, Person
from streams.sandbox.simulator import BadEdit, Simulator, UnknownRecord

if TYPE_CHECKING:
    from streams.sandbox.sandbox import Sandbox


BODY_MAX_BYTES = 8_000_000  # to sign what no gateway would take


def admin(sandbox: Sandbox) -> web.Application:
    """The admin API over one sandbox."""
    return Admin(sandbox).application()


class Admin:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def application(self) -> web.Application:
        application = web.Application(middlewares=[_explain], client_max_size=BODY_MAX_BYTES)
        for method, path, answer in (
            ("GET", "/admin", self._overview),
            ("PUT", "/admin/gateway", self._gateway),
            ("POST", "/admin/seed", self._seed),
            ("POST", "/admin/reset", self._reset),
            ("GET", "/admin/people/{key}", self._person),
            ("GET", "/admin/records/{platform}", self._records),
            ("GET", "/admin/records/{platform}/{id}", self._record),
            ("GET", "/admin/edits", self._edits),
            ("POST", "/admin/edits/{platform}/{edit}", self._edit),
            ("POST", "/admin/sign/{platform}", self._sign),
            ("GET", "/admin/faults/{platform}", self._faults),
            ("PATCH", "/admin/faults/{platform}", self._set_faults),
            ("DELETE", "/admin/faults/{platform}", self._clear_faults),
            ("GET", "/admin/options/{platform}", self._options),
            ("PATCH", "/admin/options/{platform}", self._set_options),
            ("GET", "/admin/requests", self._requests),
            ("GET", "/admin/requests/{platform}", self._requests),
            ("GET", "/admin/webhooks", self._webhooks),
        ):
            application.router.add_route(method, path, answer)
        return application

    async def _overview(self, _request: web.Request) -> web.Response:
        return _json(
            {
                "addresses": self._sandbox.addresses,
                "gateway": self._sandbox.outbox.gateway,
                "webhooks": self._sandbox.outbox.counts,
                "people": self._sandbox.people,
            }
        )

    async def _gateway(self, request: web.Request) -> web.Response:
        self._sandbox.outbox.point_at(str((await _body(request)).get("url", "")))
        return _json({"gateway": self._sandbox.outbox.gateway})

    async def _seed(self, request: web.Request) -> web.Response:
        given = await _body(request)
        people = (msgspec.convert(given["person"], Person),) if "person" in given else POPULATION
        platforms = given.get("platforms", ("storefront", "crm", "esp"))
        self._sandbox.seed_everywhere(people, platforms, bool(given.get("announce", False)))
        return _json({person.key: self._sandbox.people[person.key] for person in people})

    async def _reset(self, _request: web.Request) -> web.Response:
        self._sandbox.reset()
        return _json({})

    async def _person(self, request: web.Request) -> web.Response:
        return _json(self._sandbox.holdings(request.match_info["key"]))

    async def _records(self, request: web.Request) -> web.Response:
        return _json(self._simulator(request).record_ids())

    async def _record(self, request: web.Request) -> web.Response:
        return _json(self._sandbox.holds(request.match_info["platform"], request.match_info["id"]))

    async def _edits(self, _request: web.Request) -> web.Response:
        simulators = self._sandbox.simulators
        return _json(
            {name: {edit: _meaning(does) for edit, does in one.edits.items()} for name, one in simulators.items()}
        )

    async def _edit(self, request: web.Request) -> web.Response:
        platform, edit = request.match_info["platform"], request.match_info["edit"]
        return _json(self._sandbox.edit(platform, edit, **await _body(request)))

    async def _sign(self, request: web.Request) -> web.Response:
        given = {"topic": topic} if (topic := request.query.get("topic")) else {}
        return _json(self._simulator(request).sign(await request.read(), **given))

    async def _faults(self, request: web.Request) -> web.Response:
        switch = self._simulator(request).switch
        return _json({**msgspec.structs.asdict(switch.faults), "is_down": switch.is_down()})

    async def _set_faults(self, request: web.Request) -> web.Response:
        self._sandbox.fault(request.match_info["platform"], **await _body(request))
        return await self._faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._simulator(request).switch.clear()
        return await self._faults(request)

    async def _options(self, request: web.Request) -> web.Response:
        return _json(self._simulator(request).options)

    async def _set_options(self, request: web.Request) -> web.Response:
        self._sandbox.configure(request.match_info["platform"], **await _body(request))
        return await self._options(request)

    async def _requests(self, request: web.Request) -> web.Response:
        return _json(self._sandbox.journal.of(request.match_info.get("platform")))

    async def _webhooks(self, _request: web.Request) -> web.Response:
        return _json(self._sandbox.outbox.counts)

    def _simulator(self, request: web.Request) -> Simulator:
        platform = request.match_info["platform"]
        if platform not in self._sandbox.simulators:
            raise UnknownRecord(platform)
        return self._sandbox.simulators[platform]


@web.middleware
async def _explain(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What cannot be done is said with 404 or 400 and one sentence."""
    try:
        return await handler(request)
    except UnknownRecord as error:
        return _json({"error": f"not found: {error}"}, 404)
    except (BadEdit, msgspec.ValidationError) as error:
        return _json({"error": str(error)}, 400)


async def _body(request: web.Request) -> dict[str, Any]:
    text = await request.read()
    try:
        given = json.loads(text) if text else {}
    except ValueError:
        raise BadEdit("the body is not JSON") from None
    if not isinstance(given, dict):
        raise BadEdit("the body is not an object")
    return given


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _meaning(does: Callable[..., Any]) -> str:
    return " ".join((does.__doc__ or "").split())
