"""The exchange's error bodies. It has four shapes, and each place keeps to its own; clients must know all four."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An answer that is not the one asked for: an HTTP status and its body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


def nested(status: int, code: str, *, details: str | None = None, service: str | None = None) -> Refusal:
    """The usual shape: an `error` object; the message repeats the code in words."""
    error = {"code": code, "message": code.replace("_", " ")}
    if details is not None:
        error["details"] = details
    if service is not None:
        error["service"] = service
    return Refusal(status, {"error": error})


def flat(details: str) -> Refusal:
    """Request bodies that cannot be decoded."""
    return Refusal(400, {"code": "bad_request", "message": "bad request", "details": details})


def parameter(operation: str, field: str, rule: str) -> Refusal:
    """A query parameter outside its bounds."""
    name = f"{operation}Params.{field}"
    problem = f"Key: '{name}' Error:Field validation for '{field}' failed on the '{rule}' tag"
    return Refusal(400, {"msg": f"Parameter validation failed for {operation}: {problem}"})


def unreadable(name: str, value: str) -> Refusal:
    """A query parameter that is no number at all."""
    shown = value[:40]
    return Refusal(400, {"msg": f'Invalid format for parameter {name}: error parsing "{shown}": invalid syntax'})


def bad_request(details: str) -> Refusal:
    return nested(400, "bad_request", details=details)


def not_found() -> Refusal:
    return nested(404, "not_found")


def authentication(details: str) -> Refusal:
    body = {"code": "authentication_error", "message": "authentication_error", "details": details}
    return Refusal(401, {"error": body})


def too_many_requests() -> Refusal:
    """Sent without Retry-After and without any X-RateLimit header, as the exchange does."""
    return Refusal(429, {"error": "too many requests"})
