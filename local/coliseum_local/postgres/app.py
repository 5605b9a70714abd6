"""The gateway: `/rest/v1/<table>` and `/rest/v1/rpc/<function>` over HTTP, answered by Postgres."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

import psycopg
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coliseum_local.postgres.connections import Connection, Connections
from coliseum_local.postgres.keys import Keys, Role
from coliseum_local.postgres.plans import PostgrestRequest, PostgrestResponse, StatementPlan, function_plan, table_plan
from coliseum_local.postgres.problems import PostgrestError, from_postgres, no_connection, unauthorized
from coliseum_local.postgres.schema import Schema, load

BODY_LIMIT = 20 * 1024 * 1024
STATEMENT_TIMEOUT = "10s"
_BROWSER = re.compile(r"^Mozilla/|\b(?:Chrome|Safari|Firefox)/")
_STALE_SIGNS = frozenset(("PGRST202", "PGRST204", "PGRST205", "42703"))
"""Errors that an outdated picture of the schema may cause: the schema is loaded again before they are returned."""
Planner = Callable[[PostgrestRequest, Schema], StatementPlan]


class PostgrestGateway:
    """Answers requests with one statement each. Threads share it.

    The picture of the schema is loaded again when a request names something that it does not hold: a migration may
    have been applied since.
    """

    def __init__(self, connections: Connections, keys: Keys) -> None:
        self._connections = connections
        self._keys = keys
        self._schema = Schema()
        self._loading = threading.Lock()

    def respond(self, request: PostgrestRequest, planner: Planner) -> PostgrestResponse:
        """Raises PostgrestError."""
        role = self._role(request.headers)
        schema = self._schema
        try:
            plan = planner(request, schema)
        except PostgrestError as problem:
            if problem.code not in _STALE_SIGNS:
                raise
            plan = planner(request, self._newer_than(schema))
        try:
            with self._connections.transaction(read_only=request.reads) as connection:
                _enter(connection, role, request)
                row = connection.execute(plan.statement).fetchone()
                assert row is not None, "every statement answers with one row"
                return plan.respond(*row)
        except psycopg.Error as error:
            raise from_postgres(error, role=role) from error

    def _newer_than(self, old: Schema) -> Schema:
        with self._loading:
            if self._schema is old:
                try:
                    with self._connections.transaction(read_only=True) as connection:
                        self._schema = load(connection)
                except psycopg.OperationalError as error:
                    raise no_connection() from error
            return self._schema

    def _role(self, headers: Mapping[str, str]) -> Role:
        key = headers.get("apikey", "")
        if not key:
            raise unauthorized("No API key found in request", "No `apikey` request header was found.")
        role = self._keys.role_of(key)
        bearer = headers.get("authorization", "").removeprefix("Bearer ").strip()
        if role is None or (bearer and self._keys.role_of(bearer) != role):
            raise unauthorized("Invalid API key", "Double check the key: only this install's own sb_ keys are known.")
        if role == "service_role" and _BROWSER.search(headers.get("user-agent", "")):
            hint = "Secret API keys can only be used in a protected environment and should never be used in a browser."
            raise unauthorized("Forbidden use of secret API key in browser", hint)
        return role


def create_app(gateway: PostgrestGateway) -> Starlette:
    def endpoint(planner: Planner) -> Callable[[Request], object]:
        async def respond(request: Request) -> Response:
            try:
                decoded = await _decoded(request)
                answer = await run_in_threadpool(gateway.respond, decoded, planner)
            except PostgrestError as problem:
                return _refusal(problem)
            body = "" if request.method == "HEAD" else answer.body
            return Response(body, answer.status, dict(answer.headers))

        return respond

    return Starlette(
        routes=[
            Route("/rest/v1/rpc/{name}", endpoint(function_plan), methods=["GET", "POST"]),
            Route("/rest/v1/{name}", endpoint(table_plan), methods=["GET", "POST", "PATCH", "DELETE"]),
        ]
    )


async def _decoded(request: Request) -> PostgrestRequest:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise PostgrestError(413, None, f"The body is larger than {BODY_LIMIT} bytes")
    try:
        pairs = parse_qsl(request.url.query, keep_blank_values=True, errors="strict", max_num_fields=200)
    except ValueError as error:
        raise PostgrestError(400, "PGRST100", "The query is not UTF-8 or has over 200 parts", str(error)) from None
    return PostgrestRequest(request.method, request.path_params["name"], tuple(pairs), request.headers, bytes(body))


def _enter(connection: Connection, role: Role, request: PostgrestRequest) -> None:
    """Become the caller for this transaction: its rights, its row security, its claims."""
    connection.execute(
        "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true),"
        " set_config('request.method', %s, true), set_config('search_path', 'public, extensions', true),"
        " set_config('statement_timeout', %s, true)",
        (role, json.dumps({"role": role}), request.method, STATEMENT_TIMEOUT),
    )


def _refusal(problem: PostgrestError) -> Response:
    # A HEAD has no body, so the code also travels in a header, as PostgREST has it.
    headers = {"proxy-status": f"PostgREST; error={problem.code}"} if problem.code else {}
    return JSONResponse(problem.body, problem.status, headers)
