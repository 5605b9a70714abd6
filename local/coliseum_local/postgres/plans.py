"""What a request asks for: one statement, and the HTTP answer that its result makes. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from psycopg.sql import Composed

from coliseum_local.postgres import statements
from coliseum_local.postgres.preferences import OBJECT, Preferences, preferences_from, require_json
from coliseum_local.postgres.problems import Problem, malformed, not_offered
from coliseum_local.postgres.query import READ_KEYS, Query, names, query_from, selected
from coliseum_local.postgres.schema import Function, Schema, Table

Kind = Literal["page", "insert", "update", "delete", "value", "nothing"]
_JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, decoded; header names in small letters."""

    method: str
    name: str
    pairs: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    @property
    def reads(self) -> bool:
        return self.method in {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The statement answers with one row: body, number of rows in it, number of all matching rows or null."""

    statement: Composed
    kind: Kind
    preferences: Preferences
    offset: int = 0

    def answer(self, body: str | None, rows: int, total: int | None) -> Answer:
        """Raises Problem where the result is not what was wanted; the transaction must then be undone."""
        if self.kind == "nothing":
            return Answer(204)
        if self.kind == "value":
            return Answer(200, {"content-type": _JSON}, "null" if body is None else body)
        if self.preferences.single and rows != 1:
            raise _not_single(rows)
        headers = {"content-range": self._range(rows, total)}
        if self.kind == "page":
            return Answer(_page_status(self.offset, rows, total), headers | self._media(), body or "")
        if self.preferences.representation:
            return Answer(201 if self.kind == "insert" else 200, headers | self._media(), body or "")
        return Answer(201 if self.kind == "insert" else 204, headers)

    def _range(self, rows: int, total: int | None) -> str:
        shown = total if self.preferences.count else None
        first = self.offset if self.kind == "page" else 0
        span = "*" if rows == 0 or self.kind in {"insert", "delete"} else f"{first}-{first + rows - 1}"
        return f"{span}/{'*' if shown is None else shown}"

    def _media(self) -> dict[str, str]:
        return {"content-type": f"{OBJECT}; charset=utf-8" if self.preferences.single else _JSON}


def table_plan(call: Call, schema: Schema) -> Plan:
    """Raises Problem for whatever is not understood or does not exist."""
    preferences = preferences_from(call.headers)
    table = schema.table(call.name)
    if call.reads:
        query = query_from(call.pairs)
        return Plan(statements.read(table, query, preferences), "page", preferences, query.offset)
    if call.method == "POST":
        return _insert_plan(call, table, preferences)
    _only(call, frozenset(("order", "limit", "offset", "columns", "on_conflict")), forbidden=True)
    query = query_from(call.pairs)
    verb = "UPDATE" if call.method == "PATCH" else "DELETE"
    if not query.where:  # the hosted service runs with pg-safeupdate
        raise Problem(400, "21000", f"{verb} requires a WHERE clause")
    if call.method == "DELETE":
        return Plan(statements.delete(table, query, preferences), "delete", preferences)
    text, values = _json_body(call)
    if not isinstance(values, dict) or not values:
        raise malformed("body", text, "one JSON object with at least one column")
    return Plan(statements.update(table, tuple(values), f"[{text}]", query, preferences), "update", preferences)


def function_plan(call: Call, schema: Schema) -> Plan:
    """Raises Problem for whatever is not understood or does not exist."""
    preferences = preferences_from(call.headers)
    if call.reads:
        text, given = _arguments_in_url(call)
        query = query_from([pair for pair in call.pairs if pair[0] in READ_KEYS])
    else:
        text, given = _json_body(call) if call.body.strip() else ("{}", {})
        query = query_from(call.pairs)
    if not isinstance(given, dict):
        raise malformed("body", text, "one JSON object of arguments")
    function = schema.function(call.name, frozenset(given))
    if not (function.returns_rows and function.returns_set) and (query != Query(selected("*")) or preferences.single):
        raise not_offered("a filter, order, limit or media type on a function that returns one value")
    ordered = [name for name in function.arguments if name in given]
    statement = statements.call(function, ordered, text, query, preferences)
    return Plan(statement, _kind_of(function), preferences, query.offset)


def _insert_plan(call: Call, table: Table, preferences: Preferences) -> Plan:
    single = _only(call, frozenset(("select", "columns", "on_conflict")))
    text, body = _json_body(call)
    rows = [body] if isinstance(body, dict) else body
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise malformed("body", text, "a JSON object or an array of objects")
    if not rows:
        return Plan(statements.nothing(), "insert", preferences)
    if "columns" in single:
        columns = names(single["columns"])
    else:
        columns = tuple(rows[0])
        if any(row.keys() != rows[0].keys() for row in rows):
            raise Problem(400, "PGRST102", "All object keys must match")
    if not columns:
        raise malformed("body", text, "at least one column")
    if "on_conflict" in single and preferences.resolution is None:
        raise malformed("on_conflict", single["on_conflict"], "Prefer: resolution=… beside it")
    statement = statements.insert(
        table,
        columns,
        f"[{text}]" if isinstance(body, dict) else text,
        Query(selected(single.get("select", "*"))),
        preferences,
        conflict=names(single["on_conflict"]) if "on_conflict" in single else table.primary_key,
    )
    return Plan(statement, "insert", preferences)


def _kind_of(function: Function) -> Kind:
    if function.returns_nothing:
        return "nothing"
    return "page" if function.returns_rows and function.returns_set else "value"


def _json_body(call: Call) -> tuple[str, Any]:
    """The body as text, for Postgres, and as values, for its shape."""
    require_json(call.headers)
    try:
        text = call.body.decode()
        return text, json.loads(text)
    except ValueError as error:
        raise Problem(400, "PGRST102", "Empty or invalid json", str(error)) from None
    except RecursionError:
        raise Problem(400, "PGRST102", "Empty or invalid json", "nested too deeply") from None


def _arguments_in_url(call: Call) -> tuple[str, dict[str, str]]:
    given: dict[str, str] = {}
    for key, value in call.pairs:
        if key in given:
            raise malformed(key, value, "the argument once")
        if key not in READ_KEYS:
            given[key] = value
    return json.dumps(given), given


def _only(call: Call, keys: frozenset[str], *, forbidden: bool = False) -> dict[str, str]:
    """The parameters, of which only `keys` (or all but them) have a meaning here, each once."""
    found: dict[str, str] = {}
    for key, value in call.pairs:
        if (key in keys) is forbidden:
            raise Problem(400, "PGRST100", f"the parameter {key} has no meaning for {call.method} on a table")
        if key in keys and key in found:
            raise malformed(key, value, "the parameter once")
        found[key] = value
    return found


def _page_status(offset: int, rows: int, total: int | None) -> int:
    if total is None:
        return 200
    if offset > total:
        detail = f"An offset of {offset} was requested, but there are only {total} rows."
        raise Problem(416, "PGRST103", "Requested range not satisfiable", detail)
    return 206 if rows < total else 200


def _not_single(rows: int) -> Problem:
    return Problem(
        406, "PGRST116", "Cannot coerce the result to a single JSON object", f"The result contains {rows} rows"
    )
