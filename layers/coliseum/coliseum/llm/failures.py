"""Why a model's run ended without an answer, and what follows from it. Pure.

OpenRouter's errors are classified by status and body together: a 402 can mean "wait a moment" or "no credit left", a
403 "wrong key" or "budget spent". https://openrouter.ai/docs/api-reference/errors-and-debugging
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from coliseum.errors import SourceError

SOURCE = "openrouter"


class FailureKind(StrEnum):
    """The kind of a failed run. Its value is stored with the attempt."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    NETWORK = "network"
    MALFORMED = "malformed"
    IN_FLIGHT_BUDGET = "in_flight_budget"
    CREDIT = "credit"
    KEY_BUDGET = "key_budget"
    KEY_REFUSED = "key_refused"
    MODEL_GONE = "model_gone"
    CAPABILITY = "capability"
    TOO_LONG = "too_long"
    REJECTED = "rejected"
    FILTERED = "filtered"
    TRUNCATED = "truncated"
    INVALID_OUTPUT = "invalid_output"
    UNPAID = "unpaid"


class FailureScope(StrEnum):
    """What a failure concerns: one decision, all models of the same vendor, or all models (they share our key)."""

    DECISION = "decision"
    VENDOR = "vendor"
    FLEET = "fleet"


@dataclass(frozen=True, slots=True)
class FailureTraits:
    """What follows from a kind of failure."""

    retryable: bool
    scope: FailureScope
    may_be_billed: bool
    """The vendor may have computed an answer that we did not receive. Its cost is unknown."""


TRAITS: dict[FailureKind, FailureTraits] = {
    FailureKind.RATE_LIMITED: FailureTraits(retryable=True, scope=FailureScope.VENDOR, may_be_billed=False),
    FailureKind.OVERLOADED: FailureTraits(retryable=True, scope=FailureScope.VENDOR, may_be_billed=False),
    FailureKind.UNAVAILABLE: FailureTraits(retryable=True, scope=FailureScope.VENDOR, may_be_billed=False),
    FailureKind.TIMEOUT: FailureTraits(retryable=True, scope=FailureScope.VENDOR, may_be_billed=True),
    FailureKind.NETWORK: FailureTraits(retryable=True, scope=FailureScope.VENDOR, may_be_billed=True),
    FailureKind.MALFORMED: FailureTraits(retryable=True, scope=FailureScope.VENDOR, may_be_billed=True),
    FailureKind.IN_FLIGHT_BUDGET: FailureTraits(retryable=True, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.CREDIT: FailureTraits(retryable=False, scope=FailureScope.FLEET, may_be_billed=False),
    FailureKind.KEY_BUDGET: FailureTraits(retryable=False, scope=FailureScope.FLEET, may_be_billed=False),
    FailureKind.KEY_REFUSED: FailureTraits(retryable=False, scope=FailureScope.FLEET, may_be_billed=False),
    FailureKind.MODEL_GONE: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.CAPABILITY: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.TOO_LONG: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.REJECTED: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.FILTERED: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.TRUNCATED: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.INVALID_OUTPUT: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.UNPAID: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
}


@dataclass(frozen=True, slots=True)
class ModelErrorReply:
    """The content of an HTTP error. None stands for a missing part."""

    status: int
    retry_after: float | None = None
    """Seconds."""
    error_type: str | None = None
    limit_source: str | None = None
    availability: str | None = None
    availability_retryable: bool | None = None
    documented: bool = False
    """The body was OpenRouter's error document, not the error page of a proxy."""
    message: str = ""

    @classmethod
    def parse(cls, status: int, body: object, *, retry_after: float | None = None) -> ModelErrorReply:
        """`body` is OpenRouter's `error` object, or anything else. `retry_after` (seconds) is the header's."""
        error = _mapping(body)
        error = _mapping(error["error"]) if "error" in error else error
        metadata, availability = _mapping(error.get("metadata")), _mapping(error.get("availability"))
        seconds = retry_after if retry_after is not None else _number(availability.get("retry_after"))
        retryable = availability.get("retryable")
        return cls(
            status=status,
            retry_after=seconds,
            error_type=_text(metadata.get("error_type")),
            limit_source=_text(metadata.get("limit_source")),
            availability=_text(availability.get("code")),
            availability_retryable=retryable if isinstance(retryable, bool) else None,
            documented=bool(error),
            message=_text(error.get("message")) or _text(body) or "",
        )


_BY_ERROR_TYPE: dict[str, FailureKind] = {
    "context_length_exceeded": FailureKind.TOO_LONG,
    "max_tokens_exceeded": FailureKind.REJECTED,
    "content_policy_violation": FailureKind.FILTERED,
    "refusal": FailureKind.FILTERED,
    "provider_overloaded": FailureKind.OVERLOADED,
    "provider_unavailable": FailureKind.UNAVAILABLE,
    "timeout": FailureKind.TIMEOUT,
}
_BY_AVAILABILITY: dict[str, FailureKind] = {
    "constraint_filtered": FailureKind.CAPABILITY,
    "no_endpoints": FailureKind.CAPABILITY,
    "model_not_found": FailureKind.MODEL_GONE,
    "model_deprecated": FailureKind.MODEL_GONE,
    "free_variant_ended": FailureKind.MODEL_GONE,
    "privacy_restricted": FailureKind.REJECTED,
    "capacity_exhausted": FailureKind.RATE_LIMITED,
    "temporarily_unavailable": FailureKind.UNAVAILABLE,
}
_BY_STATUS: dict[int, FailureKind] = {
    400: FailureKind.REJECTED,
    401: FailureKind.KEY_REFUSED,
    402: FailureKind.CREDIT,
    403: FailureKind.KEY_REFUSED,
    404: FailureKind.MODEL_GONE,
    408: FailureKind.TIMEOUT,
    413: FailureKind.TOO_LONG,
    422: FailureKind.REJECTED,
    429: FailureKind.RATE_LIMITED,
    503: FailureKind.OVERLOADED,
    504: FailureKind.TIMEOUT,
    529: FailureKind.OVERLOADED,
}
_BUDGETS = frozenset({"openrouter_key_limit", "openrouter_workspace_budget", "openrouter_guardrail_budget"})
_OUTPUT_TERMS = ("tool use", "tool_choice", "tools", "response_format", "structured output", "json_schema", "json mode")
"""Terms in the message of a host that lacks the output mode. Hosts have no error code for this."""


def classify(reply: ModelErrorReply) -> FailureKind:
    """The kind of failure of an HTTP error. Every status has one."""
    if reply.status == 402:
        return FailureKind.CREDIT if reply.retry_after is None else FailureKind.IN_FLIGHT_BUDGET
    if reply.status == 403 and reply.limit_source in _BUDGETS:
        return FailureKind.KEY_BUDGET
    if reply.status == 403 and reply.error_type in _BY_ERROR_TYPE:
        return _BY_ERROR_TYPE[reply.error_type]
    if reply.status in {401, 403}:
        return FailureKind.KEY_REFUSED
    kind = _BY_ERROR_TYPE.get(reply.error_type or "") or _BY_AVAILABILITY.get(reply.availability or "")
    if kind is FailureKind.CAPABILITY and reply.availability_retryable:
        return FailureKind.UNAVAILABLE
    if kind is not None:
        return kind
    if reply.status in {400, 404, 422} and any(term in reply.message.lower() for term in _OUTPUT_TERMS):
        return FailureKind.CAPABILITY
    if reply.status == 404 and not reply.documented:
        return FailureKind.REJECTED
    server = FailureKind.UNAVAILABLE if reply.status >= 500 else FailureKind.REJECTED
    return _BY_STATUS.get(reply.status, server)


class ModelFailed(SourceError):
    """A run ended without an answer. `retryable` depends on the kind of failure.

    `record` (a RunRecord) has the cost and messages of the run until it failed.
    """

    def __init__(
        self,
        failure: FailureKind,
        problem: str,
        *,
        record: Any = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(SOURCE, problem, status=status, code=failure.value)
        self.failure = failure
        self.record = record
        self.retry_after = retry_after

    @property
    def traits(self) -> FailureTraits:
        return TRAITS[self.failure]

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # decided by the failure here, by the class elsewhere
        return self.traits.retryable


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
