"""What Postgres' answers over PostgREST mean, good and bad. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from coliseum.errors import SourceError, SourceMalformed, SourceRateLimited, SourceRefused, SourceUnavailable

SOURCE = "postgres"
_SQLSTATE = re.compile(r"[0-9A-Z]{5}", re.ASCII)
_PASSING_CLASSES = ("08", "40", "53", "57", "58", "XX")
"""SQLSTATE classes of a server in trouble rather than a wrong question: connection, serialization, resources,
shutdown and time-out, system, internal."""
_LOCK_NOT_AVAILABLE = "55P03"


def error_from_reply(status: int, body: bytes) -> SourceError:
    """The error behind an answer with a status outside 2xx. Names code and message, never a row's content."""
    told = _told(body)
    code = told.get("code")
    code = code if isinstance(code, str) and code else None
    message = str(told.get("message") or told.get("msg") or told.get("error") or "no explanation")
    hint = told.get("hint")
    problem = f"{code or f'HTTP {status}'}: {message}" + (f" ({hint})" if isinstance(hint, str) and hint else "")
    problem = problem if len(problem) <= 500 else problem[:497] + "..."
    if status == 429:
        return SourceRateLimited(SOURCE, problem, status=status, code=code)
    kind = SourceUnavailable if _passes(status, code) else SourceRefused
    return kind(SOURCE, problem, status=status, code=code)


def rows_in(data: object, table: str) -> list[dict[str, Any]]:
    """The rows of a select's answer. Raises SourceMalformed for anything but a list of objects."""
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise SourceMalformed(SOURCE, f"{table}: expected a list of rows, got {str(data)[:80]!r}", field=table)
    return data


def _passes(status: int, code: str | None) -> bool:
    """Whether the same request may succeed later. PostgREST gives 500 to wrong questions too; the code decides."""
    if code is not None and _SQLSTATE.fullmatch(code):
        return code.startswith(_PASSING_CLASSES) or code == _LOCK_NOT_AVAILABLE
    return status >= 500


def _told(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
