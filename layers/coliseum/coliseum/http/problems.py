"""Errors as RFC 9457 problem details: one table from error class to status, type and title. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from coliseum.errors import (
    ColiseumError,
    ConfigurationError,
    Conflict,
    InvalidInput,
    LogError,
    NotFound,
    NotPermitted,
    OverLimit,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceRefused,
    SourceUnavailable,
    TooLarge,
)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:coliseum:problem:"
RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem. The same `slug` always has the same status and title."""

    status: int
    slug: str
    title: str


INVALID_PARAMETERS = ProblemKind(422, "invalid-parameters", "A parameter is not of the form the API describes")
UNKNOWN_CALLER = ProblemKind(401, "unknown-caller", "A token that is known here is needed")
UNEXPECTED = ProblemKind(500, "unexpected", "Something went wrong on our side")
KINDS: dict[type[ColiseumError], ProblemKind] = {
    ColiseumError: UNEXPECTED,
    ConfigurationError: ProblemKind(503, "not-configured", "A setting that this needs is missing or wrong"),
    InvalidInput: ProblemKind(400, "invalid-input", "The request is refused as it stands"),
    NotFound: ProblemKind(404, "not-found", "There is no such thing"),
    Conflict: ProblemKind(409, "conflict", "What is stored already forbids the request"),
    OverLimit: ProblemKind(429, "too-many-requests", "The caller is over its limit"),
    NotPermitted: ProblemKind(403, "not-permitted", "The caller may not do this"),
    TooLarge: ProblemKind(413, "too-large", "The answer does not fit into one response"),
    SourceError: ProblemKind(502, "source-failed", "A system behind this API failed"),
    SourceUnavailable: ProblemKind(503, "source-unavailable", "A system behind this API gives no answer"),
    SourceRateLimited: ProblemKind(503, "source-busy", "A system behind this API asks us to come back later"),
    SourceRefused: ProblemKind(502, "source-refused", "A system behind this API refused us"),
    SourceMalformed: ProblemKind(502, "source-malformed", "A system behind this API answered in an unknown shape"),
    LogError: ProblemKind(502, "feed-broken", "The feed's keys hold something else than the feed"),
}


class ProblemDetails(BaseModel):
    """What went wrong, in the form of RFC 9457. Further members name the setting, source or parameters."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str = Field(
        description="Always the same for this kind of problem.", examples=["urn:coliseum:problem:not-found"]
    )
    title: str = Field(examples=["There is no such thing"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no market named 'NOPE'"])
    instance: str = Field(description="The path of the request.", examples=["/api/python/markets/NOPE"])
    correlation_id: str = Field(
        default="", description="As in the header X-Correlation-Id and in the log. Streams have none."
    )


_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request cannot be served as it stands.", "content": _PROBLEM},
    "5XX": {"description": "A system behind this API, or this API itself, failed.", "content": _PROBLEM},
}
"""The error responses that every route can give."""


@dataclass(frozen=True, slots=True)
class ProblemResponse:
    """The answer to a failed request. `more` holds extension members, which must not replace a standard one."""

    kind: ProblemKind
    detail: str
    path: str
    """The path of the request."""
    correlation_id: str
    more: dict[str, Any] = field(default_factory=dict)
    retry: bool = False
    retry_after_seconds: int = RETRY_AFTER_SECONDS

    @property
    def status(self) -> int:
        return self.kind.status

    def body(self) -> dict[str, Any]:
        return {
            "type": TYPE_PREFIX + self.kind.slug,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": quote(self.path),
            "correlation_id": self.correlation_id,
            **self.more,
        }

    def headers(self) -> dict[str, str]:
        """`Retry-After` where a later attempt may succeed, `WWW-Authenticate` where a token is needed."""
        if self.kind is UNKNOWN_CALLER:
            return {"WWW-Authenticate": "Bearer"}
        return {"Retry-After": str(self.retry_after_seconds)} if self.retry else {}


def problem_from(error: Exception, *, path: str, correlation_id: str) -> ProblemResponse:
    """The problem for an exception. The text of one that is not a ColiseumError goes to the log only."""
    if not isinstance(error, ColiseumError):
        detail = f"The request could not be answered. The log has the details under {correlation_id}."
        return ProblemResponse(UNEXPECTED, detail, path, correlation_id)
    kind = next(KINDS[parent] for parent in type(error).__mro__ if parent in KINDS)
    if isinstance(error, NotPermitted) and error.status == UNKNOWN_CALLER.status:
        kind = UNKNOWN_CALLER
    asked = error.retry_after_seconds if isinstance(error, SourceError | OverLimit) else None
    seconds = RETRY_AFTER_SECONDS if asked is None else math.ceil(asked)
    return ProblemResponse(kind, str(error), path, correlation_id, _extension_members(error), error.retryable, seconds)


def problem_from_status(status: int, detail: str, *, path: str, correlation_id: str) -> ProblemResponse:
    """The problem for an HTTP status without an error, such as the router's own 404 and 405."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = f"HTTP {status}"
    kind = ProblemKind(status, title.lower().replace(" ", "-"), title)
    return ProblemResponse(kind, detail, path, correlation_id)


def _extension_members(error: ColiseumError) -> dict[str, Any]:
    """The error's data for programs: the field, setting or source."""
    if isinstance(error, InvalidInput):
        return {"errors": [{"field": error.field, "message": f"expected {error.expected}"}]}
    if isinstance(error, ConfigurationError):
        return {"variable": error.variable}
    if isinstance(error, Conflict):
        return dict(error.members)
    if isinstance(error, SourceError):
        return {"source": error.source}
    return {}
