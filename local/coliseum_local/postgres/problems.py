"""Errors in the form of PostgREST, and the HTTP status of every SQLSTATE. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg


@dataclass
class PostgrestError(Exception):
    """Ends a request with a status and PostgREST's error body."""

    status: int
    code: str | None
    message: str
    details: str | None = None
    hint: str | None = None

    @property
    def body(self) -> dict[str, str | None]:
        return {"code": self.code, "message": self.message, "details": self.details, "hint": self.hint}


def not_offered(what: str) -> PostgrestError:
    """For what PostgREST can do and this gateway cannot. Such a request is refused and never half understood."""
    return PostgrestError(501, "PGRST100", f"{what} is not offered by the local gateway", hint=_SUBSET)


def malformed(parameter: str, text: str, expected: str) -> PostgrestError:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return PostgrestError(400, "PGRST100", f"failed to parse {parameter} ({shown})", details=f"expected {expected}")


def unauthorized(message: str, hint: str) -> PostgrestError:
    return PostgrestError(401, None, message, hint=hint)


_SUBSET = "It knows a subset of PostgREST; see the README beside its code."
_BY_CODE = {
    "21000": 400,
    "23503": 409,
    "23505": 409,
    "25006": 405,
    "42501": 403,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
    "53400": 500,
    "57P01": 503,
    "P0001": 400,
}
_BY_CLASS = {
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "25": 500,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 500,
    "53": 503,
    "54": 500,
    "55": 500,
    "57": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0": 500,
    "XX": 500,
}


def from_postgres(error: psycopg.Error, *, role: str) -> PostgrestError:
    """Postgres' own error with the status PostgREST gives its SQLSTATE."""
    code = error.sqlstate
    if code is None:
        if isinstance(error, psycopg.DataError):  # psycopg refuses NUL before the server sees it
            return PostgrestError(400, "22021", str(error))
        return no_connection()
    diagnosis = error.diag
    message = diagnosis.message_primary or str(error)
    return PostgrestError(_status(code, role), code, message, diagnosis.message_detail, diagnosis.message_hint)


def no_connection() -> PostgrestError:
    return PostgrestError(503, "PGRST001", "Database client error. Retrying the connection.")


def _status(code: str, role: str) -> int:
    if code.startswith("PT") and code[2:].isdigit():  # a function may choose its status
        return int(code[2:])
    if code == "42501" and role == "anon":
        return 401
    return _BY_CODE.get(code) or _BY_CLASS.get(code[:2], 400)
