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


class Failure(StrEnum):
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


class Scope(StrEnum):
    """Whom a failure concerns: what was asked, everyone who relies on the same vendor, or all who use our key."""

    DECISION = "decision"
    VENDOR = "vendor"
    FLEET = "fleet"


@dataclass(frozen=True, slots=True)
class Trait:
    """What follows from a failure."""

    retryable: bool
    scope: Scope
    may_be_billed: bool
    """A vendor may have worked without our seeing it: money whose amount we do not know."""


TRAITS: dict[Failure, Trait] = {
    Failure.RATE_LIMITED: Trait(retryable=True, scope=Scope.VENDOR, may_be_billed=False),
    Failure.OVERLOADED: Trait(retryable=True, scope=Scope.VENDOR, may_be_billed=False),
    Failure.UNAVAILABLE: Trait(retryable=True, scope=Scope.VENDOR, may_be_billed=False),
    Failure.TIMEOUT: Trait(retryable=True, scope=Scope.VENDOR, may_be_billed=True),
    Failure.NETWORK: Trait(retryable=True, scope=Scope.VENDOR, may_be_billed=True),
    Failure.MALFORMED: Trait(retryable=True, scope=Scope.VENDOR, may_be_billed=True),
    Failure.IN_FLIGHT_BUDGET: Trait(retryable=True, scope=Scope.DECISION, may_be_billed=False),
    Failure.CREDIT: Trait(retryable=False, scope=Scope.FLEET, may_be_billed=False),
    Failure.KEY_BUDGET: Trait(retryable=False, scope=Scope.FLEET, may_be_billed=False),
    Failure.KEY_REFUSED: Trait(retryable=False, scope=Scope.FLEET, may_be_billed=False),
    Failure.MODEL_GONE: Trait(retryable=False, scope=Scope.DECISION, may_be_billed=False),
    Failure.CAPABILITY: Trait(retryable=False, scope=Scope.DECISION, may_be_billed=False),
    Failure.TOO_LONG: Trait(retryable=False, scope=Scope.DECISION, may_be_billed=False),
    Failure.REJECTED: Trait(retryable=False, scope=Scope.DECISION, may_be_billed=False),
    Failure.FILTERED: Trait(retryable=False, scope=Scope.DECISION, may_be_billed=False),
    Failure.TRUNCATED: Trait(retryable=False, scope=Scope.DECISION, may_be_billed=False),
    Failure.INVALID_OUTPUT: Trait(retryable=False, scope=Scope.DECISION, may_be_billed=False),
    Failure.UNPAID: Trait(retryable=False, scope=Scope.DECISION, may_be_billed=False),
}


@dataclass(frozen=True, slots=True)
class Refusal:
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
    def parse(cls, status: int, body: object, *, retry_after: float | None = None) -> Refusal:
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


_BY_ERROR_TYPE: dict[str, Failure] = {
    "context_length_exceeded": Failure.TOO_LONG,
    "max_tokens_exceeded": Failure.REJECTED,
    "content_policy_violation": Failure.FILTERED,
    "refusal": Failure.FILTERED,
    "provider_overloaded": Failure.OVERLOADED,
    "provider_unavailable": Failure.UNAVAILABLE,
    "timeout": Failure.TIMEOUT,
}
_BY_AVAILABILITY: dict[str, Failure] = {
    "constraint_filtered": Failure.CAPABILITY,
    "no_endpoints": Failure.CAPABILITY,
    "model_not_found": Failure.MODEL_GONE,
    "model_deprecated": Failure.MODEL_GONE,
    "free_variant_ended": Failure.MODEL_GONE,
    "privacy_restricted": Failure.REJECTED,
    "capacity_exhausted": Failure.RATE_LIMITED,
    "temporarily_unavailable": Failure.UNAVAILABLE,
}
_BY_STATUS: dict[int, Failure] = {
    400: Failure.REJECTED,
    401: Failure.KEY_REFUSED,
    402: Failure.CREDIT,
    403: Failure.KEY_REFUSED,
    404: Failure.MODEL_GONE,
    408: Failure.TIMEOUT,
    413: Failure.TOO_LONG,
    422: Failure.REJECTED,
    429: Failure.RATE_LIMITED,
    503: Failure.OVERLOADED,
    504: Failure.TIMEOUT,
    529: Failure.OVERLOADED,
}
_BUDGETS = frozenset({"openrouter_key_limit", "openrouter_workspace_budget", "openrouter_guardrail_budget"})
_OUTPUT_WORDS = ("tool use", "tool_choice", "tools", "response_format", "structured output", "json_schema", "json mode")
"""What hosts call the thing they cannot do; they have no code for it."""


def classify(refusal: Refusal) -> Failure:
    """The failure behind an HTTP error; total over statuses."""
    if refusal.status == 402:
        return Failure.CREDIT if refusal.retry_after is None else Failure.IN_FLIGHT_BUDGET
    if refusal.status == 403 and refusal.limit_source in _BUDGETS:
        return Failure.KEY_BUDGET
    if refusal.status == 403 and refusal.error_type in _BY_ERROR_TYPE:
        return _BY_ERROR_TYPE[refusal.error_type]
    if refusal.status in {401, 403}:
        return Failure.KEY_REFUSED
    found = _BY_ERROR_TYPE.get(refusal.error_type or "") or _BY_AVAILABILITY.get(refusal.availability or "")
    if found is Failure.CAPABILITY and refusal.availability_retryable:
        return Failure.UNAVAILABLE
    if found is not None:
        return found
    if refusal.status in {400, 404, 422} and any(word in refusal.message.lower() for word in _OUTPUT_WORDS):
        return Failure.CAPABILITY
    if refusal.status == 404 and not refusal.documented:
        return Failure.REJECTED
    server = Failure.UNAVAILABLE if refusal.status >= 500 else Failure.REJECTED
    return _BY_STATUS.get(refusal.status, server)


class ModelFailed(SourceError):
    """A run that ended without an answer; a SourceError whose `retryable` depends on the failure.

    `record` is what the run cost and left behind, as far as it got.
    """

    def __init__(
        self,
        failure: Failure,
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
    def trait(self) -> Trait:
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
