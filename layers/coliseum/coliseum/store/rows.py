"""Rows and filters as JSON for PostgREST; exact numbers become strings. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from coliseum.errors import InvalidInput

Row = Mapping[str, Any]


def json_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON values. Raises InvalidInput unless all rows have the same columns.

    A bulk insert would write NULL, not the column's default, into a row that lacks a column of the others.
    """
    columns = set(rows[0]) if rows else set()
    for row in rows:
        if set(row) != columns:
            raise InvalidInput("rows", sorted(set(row) ^ columns), "the same columns in every row")
    return [{name: json_value(value, name) for name, value in row.items()} for row in rows]


def json_value(value: Any, field: str) -> Any:
    """`value` as JSON: Decimals as strings, times as RFC 3339. Raises InvalidInput with `field` for other values."""
    if isinstance(value, Mapping):
        return {str(name): json_value(part, f"{field}.{name}") for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(part, field) for part in value]
    if isinstance(value, Decimal | float):
        return _number(value, field)
    if isinstance(value, date):
        return _time(value, field)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidInput(field, value, "text without NUL, which Postgres cannot hold")
        return str(value)
    if value is None or isinstance(value, bool | int):
        return value
    raise InvalidInput(field, value, "text, a number, a time, a list or an object")


def _number(value: Decimal | float, field: str) -> str | float:
    if not math.isfinite(value):
        raise InvalidInput(field, value, "a finite number")
    return format(value, "f") if isinstance(value, Decimal) else value


def _time(value: date, field: str) -> str:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise InvalidInput(field, value, "a time with its zone")
    return value.isoformat()


def filter_text(value: Any, field: str) -> str:
    """`value` as PostgREST reads it in the URL of a filter. Raises InvalidInput with `field` for lists and objects."""
    shown = json_value(value, field)
    if shown is None:
        return "null"
    if isinstance(shown, bool):
        return "true" if shown else "false"
    if isinstance(shown, dict | list):
        raise InvalidInput(field, value, "one plain value")
    return str(shown)
