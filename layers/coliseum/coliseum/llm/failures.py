"""Why a model's run ended without an answer, and what follows from it. Pure.

What OpenRouter says is judged by status and body together: the same 402 means "wait a moment" or "stop everything",
the same 403 "bad key" or "budget spent". https://openrouter.ai/docs/api-reference/errors-and-debugging
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from coliseum.errors import SourceError

SOURCE = "openrouter"


class FailureKind(StrEnum):
    """The class of a failed run; the word is stored with the attempt."""

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
    """Whom a failure concerns: what was asked, everyone who relies on the same vendor, or all who use our key."""

    DECISION = "decision"
    VENDOR = "vendor"
    FLEET = "fleet"


@dataclass(frozen=True, slots=True)
class FailureTraits:
    """What follows from a failure."""

    retryable: bool
    scope: FailureScope
    may_be_billed: bool
    """A vendor may have worked without our seeing it: money whose amount we do not know."""


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
class ErrorReply:
    """What an HTTP error said, as far as it said anything; None for what was missing."""

    status: int
    retry_after: float | None = None
    """Seconds."""
    error_type: str | None = None
    limit_source: str | None = None
    availability: str | None = None
    availability_retryable: bool | None = None
    documented: bool = False
    """It was OpenRouter's error document, not the page of whoever else answered."""
    message: str = ""

    @classmethod
    def parse(cls, status: int, body: object, *, retry_after: float | None = None) -> ErrorReply:
        """`body` is OpenRouter's `error` object, or anything else that came in its place."""
        error = _mapping(body)
        error = _mapping(error["error"]) if "error" in error else error
        metadata, availability = _mapping(error.get("metadata")), _mapping(error.get("availability"))
        seconds = retry_after if retry_after is not None else _number(availability.get("retry_after"))
        retryable = availability.get("retryable")
        return cls(
            status=status,
            retry_after=seconds,
            error_type=_word(metadata.get("error_type")),
            limit_source=_word(metadata.get("limit_source")),
            availability=_word(availability.get("code")),
            availability_retryable=retryable if isinstance(retryable, bool) else None,
            documented=bool(error),
            message=_word(error.get("message")) or _word(body) or "",
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
_OUTPUT_WORDS = ("tool use", "tool_choice", "tools", "response_format", "structured output", "json_schema", "json mode")
"""What hosts call the thing they cannot do; they have no code for it."""


def classify(refusal: ErrorReply) -> FailureKind:
    """The failure behind an HTTP error; total over statuses."""
    if refusal.status == 402:
        return FailureKind.CREDIT if refusal.retry_after is None else FailureKind.IN_FLIGHT_BUDGET
    if refusal.status == 403 and refusal.limit_source in _BUDGETS:
        return FailureKind.KEY_BUDGET
    if refusal.status == 403 and refusal.error_type in _BY_ERROR_TYPE:
        return _BY_ERROR_TYPE[refusal.error_type]
    if refusal.status in {401, 403}:
        return FailureKind.KEY_REFUSED
    found = _BY_ERROR_TYPE.get(refusal.error_type or "") or _BY_AVAILABILITY.get(refusal.availability or "")
    if found is FailureKind.CAPABILITY and refusal.availability_retryable:
        return FailureKind.UNAVAILABLE
    if found is not None:
        return found
    if refusal.status in {400, 404, 422} and any(word in refusal.message.lower() for word in _OUTPUT_WORDS):
        return FailureKind.CAPABILITY
    if refusal.status == 404 and not refusal.documented:
        return FailureKind.REJECTED
    server = FailureKind.UNAVAILABLE if refusal.status >= 500 else FailureKind.REJECTED
    return _BY_STATUS.get(refusal.status, server)


class ModelFailed(SourceError):
    """A run that ended without an answer; a SourceError whose `retryable` depends on the failure.

    `record` is what the run cost and left behind, as far as it got.
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
    def trait(self) -> FailureTraits:
        return TRAITS[self.failure]

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # decided by the failure here, by the class elsewhere
        return self.trait.retryable


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
