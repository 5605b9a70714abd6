"""The exchange's error bodies. Kalshi has four shapes, each used in its own places; clients must read all four."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An error answer: its HTTP status and body."""

    def __init__(self, status: int, body: dict[str, Any], *, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}


def nested_error(status: int, code: str, *, details: str | None = None, service: str | None = None) -> ApiError:
    """The usual shape: an `error` object whose message repeats the code with spaces."""
    error = {"code": code, "message": code.replace("_", " ")}
    if details is not None:
        error["details"] = details
    if service is not None:
        error["service"] = service
    return ApiError(status, {"error": error})


def flat_error(details: str) -> ApiError:
    """The shape for request bodies that cannot be decoded."""
    return ApiError(400, {"code": "bad_request", "message": "bad request", "details": details})


def parameter_error(operation: str, field: str, rule: str) -> ApiError:
    """The shape for a query parameter outside its bounds."""
    name = f"{operation}Params.{field}"
    problem = f"Key: '{name}' Error:Field validation for '{field}' failed on the '{rule}' tag"
    return ApiError(400, {"msg": f"Parameter validation failed for {operation}: {problem}"})


def unreadable_parameter(name: str, value: str) -> ApiError:
    """The shape for a query parameter that is not a number."""
    shown = value[:40]
    return ApiError(400, {"msg": f'Invalid format for parameter {name}: error parsing "{shown}": invalid syntax'})


def bad_request(details: str) -> ApiError:
    return nested_error(400, "bad_request", details=details)


def not_found() -> ApiError:
    return nested_error(404, "not_found")


def authentication(details: str) -> ApiError:
    body = {"code": "authentication_error", "message": "authentication_error", "details": details}
    return ApiError(401, {"error": body})


def too_many_requests(retry_after: str | None = None) -> ApiError:
    """A 429, by default without Retry-After and X-RateLimit headers: Kalshi sends none."""
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return ApiError(429, {"error": "too many requests"}, headers=headers)
