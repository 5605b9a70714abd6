"""Parses answers of PostgREST: rows, and errors by status and SQLSTATE. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from coliseum.errors import SourceError, SourceMalformed, SourceRateLimited, SourceRefused, SourceUnavailable

SOURCE = "postgres"
Value = TypeVar("Value")
_SQLSTATE = re.compile(r"[0-9A-Z]{5}", re.ASCII)
_RETRYABLE_CLASSES = ("08", "40", "53", "57", "58", "XX")
"""SQLSTATE classes of a server in trouble, not of a wrong request: connection, serialization, resources, shutdown and
time-out, system, internal. https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_LOCK_NOT_AVAILABLE = "55P03"


def error_from_reply(status: int, body: bytes) -> SourceError:
    """The error for an answer with a status outside 2xx, with its code and message but never a row's content."""
    reply = _json_object(body)
    code = reply.get("code")
    code = code if isinstance(code, str) and code else None
    message = str(reply.get("message") or reply.get("msg") or reply.get("error") or "no explanation")
    hint = reply.get("hint")
    problem = f"{code or f'HTTP {status}'}: {message}" + (f" ({hint})" if isinstance(hint, str) and hint else "")
    problem = problem if len(problem) <= 500 else problem[:497] + "..."
    if status == 429:
        return SourceRateLimited(SOURCE, problem, status=status, code=code)
    kind = SourceUnavailable if _is_retryable(status, code) else SourceRefused
    return kind(SOURCE, problem, status=status, code=code)


def rows_in(data: object, table: str) -> list[dict[str, Any]]:
    """The rows in the answer to a select. Raises SourceMalformed for anything but a list of objects."""
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise SourceMalformed(SOURCE, f"{table}: expected a list of rows, got {str(data)[:80]!r}", field=table)
    return data


def parse_row(table: str, parse: Callable[[Any], Value], row: Any) -> Value:
    """`parse(row)`. Raises SourceMalformed that names the table for a row of another form."""
    try:
        return parse(row)
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise SourceMalformed(SOURCE, f"a row of {table}: {type(error).__name__}: {error}", field=table) from error


def _is_retryable(status: int, code: str | None) -> bool:
    """Whether the same request may succeed later. The SQLSTATE decides: PostgREST answers 500 to wrong requests too."""
    if code is not None and _SQLSTATE.fullmatch(code):
        return code.startswith(_RETRYABLE_CLASSES) or code == _LOCK_NOT_AVAILABLE
    return status >= 500


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
