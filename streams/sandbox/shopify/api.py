"""The Admin GraphQL endpoint: access token, calculated cost, throttling and errors in 200 answers."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from aiohttp import web
from graphql import GraphQLError, OperationType, build_schema, execute_sync, get_operation_ast, parse, validate
from graphql.language import DocumentNode

from streams.sandbox.clock import Clock
from streams.sandbox.shopify.resolvers import Root
from streams.sandbox.shopify.schema import SDL

QUERY_COST = 1
MUTATION_COST = 10
SCHEMA = build_schema(SDL)


class Operation(NamedTuple):
    """One request, as its body says."""

    query: str
    variables: dict[str, Any]
    name: str | None


class Bucket:
    """The leaky bucket of calculated cost, in points; the defaults are those of a Standard shop."""

    def __init__(self, clock: Clock, points_max: float = 2000.0, restore_per_s: float = 100.0) -> None:
        self._clock = clock
        self.points_max = points_max
        self.restore_per_s = restore_per_s
        self._points = points_max
        self._at = clock()

    def take(self, cost: float) -> bool:
        """True where the points sufficed."""
        now = self._clock()
        self._points = min(self.points_max, self._points + (now - self._at) / 1000 * self.restore_per_s)
        self._at = now
        if cost > self._points:
            return False
        self._points -= cost
        return True

    def status(self) -> dict[str, float]:
        return {
            "maximumAvailable": self.points_max,
            "currentlyAvailable": int(self._points),
            "restoreRate": self.restore_per_s,
        }


class Api:
    """`POST /admin/api/<version>/graphql.json`."""

    def __init__(self, root: Root, bucket: Bucket, token: Callable[[], str]) -> None:
        self._root = root
        self._token = token
        self.bucket = bucket

    def application(self) -> web.Application:
        application = web.Application(client_max_size=1_000_000)
        application.router.add_post("/admin/api/{version}/graphql.json", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.Response:
        given = request.headers.get("X-Shopify-Access-Token", "")
        if not hmac.compare_digest(given.encode(), self._token().encode()):
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return web.json_response({"errors": message}, status=401)
        operation = _operation(await request.read())
        if operation is None:
            return web.json_response({"errors": {"query": "Required parameter missing or invalid"}}, status=400)
        headers = {"X-Shopify-API-Version": request.match_info["version"]}
        return web.json_response(self.run(operation), headers=headers)

    def run(self, operation: Operation) -> dict[str, Any]:
        """Execute one operation; the answer is a 200 whatever it says."""
        try:
            document = parse(operation.query)
        except GraphQLError as error:
            return {"errors": [error.formatted]}
        if problems := validate(SCHEMA, document):
            return {"errors": [problem.formatted for problem in problems]}
        cost = _cost(document, operation.name)
        if not self.bucket.take(cost):
            return self.throttled(cost)
        result = execute_sync(
            SCHEMA,
            document,
            root_value=self._root,
            variable_values=operation.variables,
            operation_name=operation.name,
        )
        return {**result.formatted, "extensions": {"cost": self._cost_status(cost, cost)}}

    def throttled(self, cost: int = MUTATION_COST) -> dict[str, Any]:
        """The body that says THROTTLED, with a bucket that is as good as empty."""
        documentation = "https://shopify.dev/api/usage/rate-limits"
        error = {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": documentation}}
        empty = {
            **self.bucket.status(),
            "currentlyAvailable": min(cost - 1, self.bucket.status()["currentlyAvailable"]),
        }
        return {"errors": [error], "extensions": {"cost": {**self._cost_status(cost, None), "throttleStatus": empty}}}

    def _cost_status(self, requested: int, actual: int | None) -> dict[str, Any]:
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": self.bucket.status(),
        }


def _operation(body: bytes) -> Operation | None:
    try:
        given = json.loads(body)
        query, variables, name = given["query"], given.get("variables") or {}, given.get("operationName")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(query, str) or not isinstance(variables, dict):
        return None
    return Operation(query, variables, name)


def _cost(document: DocumentNode, name: str | None) -> int:
    operation = get_operation_ast(document, name)
    if operation is None:
        return QUERY_COST
    each = MUTATION_COST if operation.operation is OperationType.MUTATION else QUERY_COST
    return each * len(operation.selection_set.selections)
