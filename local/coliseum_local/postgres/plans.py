"""A request becomes a plan: one SQL statement, and the HTTP response that its result makes. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from psycopg.sql import Composed

from coliseum_local.postgres import statements
from coliseum_local.postgres.preferences import OBJECT, Preferences, preferences_from, require_json
from coliseum_local.postgres.problems import PostgrestError, malformed, not_offered
from coliseum_local.postgres.query import READ_KEYS, TableQuery, names, query_from, selected
from coliseum_local.postgres.schema import DatabaseFunction, DatabaseTable, Schema

Kind = Literal["page", "insert", "update", "delete", "value", "nothing"]
_JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class PostgrestRequest:
    """One HTTP request, decoded. Header names are in lower case."""

    method: str
    name: str
    pairs: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    @property
    def reads(self) -> bool:
        """It changes nothing, so that its transaction is read-only."""
        return self.method in {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class PostgrestResponse:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True)
class StatementPlan:
    """One statement, and how its result becomes a response.

    The statement returns one row: body, number of rows in it, number of all matching rows or null.
    """

    statement: Composed
    kind: Kind
    preferences: Preferences
    offset: int = 0

    def respond(self, body: str | None, rows: int, total: int | None) -> PostgrestResponse:
        """Raises PostgrestError where one row was asked for and another number came: then roll back."""
        if self.kind == "nothing":
            return PostgrestResponse(204)
        if self.kind == "value":
            return PostgrestResponse(200, {"content-type": _JSON}, "null" if body is None else body)
        if self.preferences.single and rows != 1:
            raise _not_single(rows)
        headers = {"content-range": self._range(rows, total)}
        if self.kind == "page":
            return PostgrestResponse(_page_status(self.offset, rows, total), headers | self._media(), body or "")
        if self.preferences.representation:
            return PostgrestResponse(201 if self.kind == "insert" else 200, headers | self._media(), body or "")
        return PostgrestResponse(201 if self.kind == "insert" else 204, headers)

    def _range(self, rows: int, total: int | None) -> str:
        shown = total if self.preferences.count else None
        first = self.offset if self.kind == "page" else 0
        span = "*" if rows == 0 or self.kind in {"insert", "delete"} else f"{first}-{first + rows - 1}"
        return f"{span}/{'*' if shown is None else shown}"

    def _media(self) -> dict[str, str]:
        return {"content-type": f"{OBJECT}; charset=utf-8" if self.preferences.single else _JSON}


def table_plan(request: PostgrestRequest, schema: Schema) -> StatementPlan:
    """Raises PostgrestError for anything that is not understood or does not exist."""
    preferences = preferences_from(request.headers)
    table = schema.table(request.name)
    if request.reads:
        query = query_from(request.pairs)
        return StatementPlan(statements.read(table, query, preferences), "page", preferences, query.offset)
    if request.method == "POST":
        return _insert_plan(request, table, preferences)
    _only(request, frozenset(("order", "limit", "offset", "columns", "on_conflict")), forbidden=True)
    query = query_from(request.pairs)
    verb = "UPDATE" if request.method == "PATCH" else "DELETE"
    if not query.where:  # the hosted service runs with pg-safeupdate
        raise PostgrestError(400, "21000", f"{verb} requires a WHERE clause")
    if request.method == "DELETE":
        return StatementPlan(statements.delete(table, query, preferences), "delete", preferences)
    text, values = _json_body(request)
    if not isinstance(values, dict) or not values:
        raise malformed("body", text, "one JSON object with at least one column")
    return StatementPlan(
        statements.update(table, tuple(values), f"[{text}]", query, preferences), "update", preferences
    )


def function_plan(request: PostgrestRequest, schema: Schema) -> StatementPlan:
    """Raises PostgrestError for anything that is not understood or does not exist."""
    preferences = preferences_from(request.headers)
    if request.reads:
        text, arguments = _arguments_in_url(request)
        query = query_from([pair for pair in request.pairs if pair[0] in READ_KEYS])
    else:
        text, arguments = _json_body(request) if request.body.strip() else ("{}", {})
        query = query_from(request.pairs)
    if not isinstance(arguments, dict):
        raise malformed("body", text, "one JSON object of arguments")
    function = schema.function(request.name, frozenset(arguments))
    if not (function.returns_rows and function.returns_set) and (
        query != TableQuery(selected("*")) or preferences.single
    ):
        raise not_offered("a filter, order, limit or media type on a function that returns one value")
    ordered = [name for name in function.arguments if name in arguments]
    statement = statements.call(function, ordered, text, query, preferences)
    return StatementPlan(statement, _kind_of(function), preferences, query.offset)


def _insert_plan(request: PostgrestRequest, table: DatabaseTable, preferences: Preferences) -> StatementPlan:
    single = _only(request, frozenset(("select", "columns", "on_conflict")))
    text, body = _json_body(request)
    rows = [body] if isinstance(body, dict) else body
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise malformed("body", text, "a JSON object or an array of objects")
    if not rows:
        return StatementPlan(statements.nothing(), "insert", preferences)
    if "columns" in single:
        columns = names(single["columns"])
    else:
        columns = tuple(rows[0])
        if any(row.keys() != rows[0].keys() for row in rows):
            raise PostgrestError(400, "PGRST102", "All object keys must match")
    if not columns:
        raise malformed("body", text, "at least one column")
    if "on_conflict" in single and preferences.resolution is None:
        raise malformed("on_conflict", single["on_conflict"], "Prefer: resolution=… beside it")
    statement = statements.insert(
        table,
        columns,
        f"[{text}]" if isinstance(body, dict) else text,
        TableQuery(selected(single.get("select", "*"))),
        preferences,
        conflict=names(single["on_conflict"]) if "on_conflict" in single else table.primary_key,
    )
    return StatementPlan(statement, "insert", preferences)


def _kind_of(function: DatabaseFunction) -> Kind:
    if function.returns_nothing:
        return "nothing"
    return "page" if function.returns_rows and function.returns_set else "value"


def _json_body(request: PostgrestRequest) -> tuple[str, Any]:
    """The body as text, for Postgres, and as values, for its shape."""
    require_json(request.headers)
    try:
        text = request.body.decode()
        return text, json.loads(text)
    except ValueError as error:
        raise PostgrestError(400, "PGRST102", "Empty or invalid json", str(error)) from None
    except RecursionError:
        raise PostgrestError(400, "PGRST102", "Empty or invalid json", "nested too deeply") from None


def _arguments_in_url(request: PostgrestRequest) -> tuple[str, dict[str, str]]:
    arguments: dict[str, str] = {}
    for key, value in request.pairs:
        if key in arguments:
            raise malformed(key, value, "the argument once")
        if key not in READ_KEYS:
            arguments[key] = value
    return json.dumps(arguments), arguments


def _only(request: PostgrestRequest, keys: frozenset[str], *, forbidden: bool = False) -> dict[str, str]:
    """The parameters, of which only `keys` (or all but them) have a meaning here, each once."""
    found: dict[str, str] = {}
    for key, value in request.pairs:
        if (key in keys) is forbidden:
            raise PostgrestError(400, "PGRST100", f"the parameter {key} has no meaning for {request.method} on a table")
        if key in keys and key in found:
            raise malformed(key, value, "the parameter once")
        found[key] = value
    return found


def _page_status(offset: int, rows: int, total: int | None) -> int:
    if total is None:
        return 200
    if offset > total:
        detail = f"An offset of {offset} was requested, but there are only {total} rows."
        raise PostgrestError(416, "PGRST103", "Requested range not satisfiable", detail)
    return 206 if rows < total else 200


def _not_single(rows: int) -> PostgrestError:
    return PostgrestError(
        406, "PGRST116", "Cannot coerce the result to a single JSON object", f"The result contains {rows} rows"
    )
