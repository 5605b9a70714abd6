"""Why a model's run ended without an answer, and what follows from it. Pure.

OpenRouter's errors are classified by the body first and then by the status: a 402 can mean "wait a moment", "no credit
left" or "a provider has no credit"; a 403 "wrong key", "budget spent", "this text is not allowed" or "a proxy refused".
https://openrouter.ai/docs/api-reference/errors-and-debugging
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from coliseum.errors import SourceError

SOURCE = "openrouter"
MOST_SECONDS = 10.0**9
"""A longer time to wait is a mistake."""


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
    PROVIDER_REFUSED = "provider_refused"
    """The company that computes the replies refused OpenRouter: its own credit, key or limits."""
    DATA_POLICY = "data_policy"
    """The account's privacy settings or list of providers exclude all hosts of the model."""
    PRICE_LIMIT = "price_limit"
    """All hosts of the model cost more than the roster's prices."""
    MODEL_GONE = "model_gone"
    CAPABILITY = "capability"
    TOO_LONG = "too_long"
    REJECTED = "rejected"
    FILTERED = "filtered"
    TRUNCATED = "truncated"
    INVALID_OUTPUT = "invalid_output"
    UNPAID = "unpaid"


class FailureScope(StrEnum):
    """What a failure concerns. Only that is paused, and everything else goes on."""

    DECISION = "decision"
    """One question to one model."""
    MODEL = "model"
    VENDOR = "vendor"
    """All models of one vendor."""
    ACCOUNT = "account"
    """All models, because they share our key."""
    NETWORK = "network"
    """All models, because OpenRouter cannot be reached. One model's failures alone do not prove this."""


@dataclass(frozen=True, slots=True)
class FailureTraits:
    """What follows from a kind of failure."""

    retryable: bool
    scope: FailureScope
    """Where the reply does not name another one; see `scope_of`."""
    may_be_billed: bool
    """The vendor may have computed an answer that we did not receive. Its cost is unknown."""


TRAITS: dict[FailureKind, FailureTraits] = {
    FailureKind.RATE_LIMITED: FailureTraits(retryable=True, scope=FailureScope.MODEL, may_be_billed=False),
    FailureKind.OVERLOADED: FailureTraits(retryable=True, scope=FailureScope.MODEL, may_be_billed=False),
    FailureKind.UNAVAILABLE: FailureTraits(retryable=True, scope=FailureScope.MODEL, may_be_billed=False),
    FailureKind.TIMEOUT: FailureTraits(retryable=True, scope=FailureScope.MODEL, may_be_billed=True),
    FailureKind.NETWORK: FailureTraits(retryable=True, scope=FailureScope.NETWORK, may_be_billed=True),
    FailureKind.MALFORMED: FailureTraits(retryable=True, scope=FailureScope.MODEL, may_be_billed=True),
    FailureKind.IN_FLIGHT_BUDGET: FailureTraits(retryable=True, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.CREDIT: FailureTraits(retryable=True, scope=FailureScope.ACCOUNT, may_be_billed=False),
    FailureKind.KEY_BUDGET: FailureTraits(retryable=True, scope=FailureScope.ACCOUNT, may_be_billed=False),
    FailureKind.KEY_REFUSED: FailureTraits(retryable=True, scope=FailureScope.ACCOUNT, may_be_billed=False),
    FailureKind.PROVIDER_REFUSED: FailureTraits(retryable=True, scope=FailureScope.MODEL, may_be_billed=False),
    FailureKind.DATA_POLICY: FailureTraits(retryable=False, scope=FailureScope.MODEL, may_be_billed=False),
    FailureKind.PRICE_LIMIT: FailureTraits(retryable=False, scope=FailureScope.MODEL, may_be_billed=False),
    FailureKind.MODEL_GONE: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.CAPABILITY: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.TOO_LONG: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.REJECTED: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.FILTERED: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.TRUNCATED: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.INVALID_OUTPUT: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
    FailureKind.UNPAID: FailureTraits(retryable=False, scope=FailureScope.DECISION, may_be_billed=False),
}


REPLIED = frozenset({FailureKind.FILTERED, FailureKind.TRUNCATED, FailureKind.INVALID_OUTPUT})
"""The model has replied, only not with an answer. This shows that it can be reached."""


@dataclass(frozen=True, slots=True)
class ModelErrorReply:
    """The content of an HTTP error. None stands for a missing part."""

    status: int
    retry_after: float | None = None
    """Seconds."""
    resets_at: datetime | None = None
    """When a spent budget is full again."""
    error_type: str | None = None
    limit_source: str | None = None
    availability: str | None = None
    availability_retryable: bool | None = None
    provider: str | None = None
    """The company that computes the replies, where the error came from it."""
    flagged: bool = False
    """A moderator refused the text."""
    documented: bool = False
    """The body was an error document in JSON, not the error page of a proxy."""
    message: str = ""

    @classmethod
    def parse(cls, status: int, body: object, *, retry_after: float | None = None) -> ModelErrorReply:
        """`body` is OpenRouter's `error` object, or anything else. `retry_after` (seconds) is the header's."""
        document = _mapping(body)
        error = _mapping(document["error"]) if "error" in document else document
        metadata, availability = _mapping(error.get("metadata")), _mapping(error.get("availability"))
        seconds = retry_after if retry_after is not None else _number(availability.get("retry_after"))
        retryable = availability.get("retryable")
        return cls(
            status=status,
            retry_after=seconds,
            resets_at=_moment(metadata.get("resets_at")),
            error_type=_text(metadata.get("error_type")),
            limit_source=_text(metadata.get("limit_source")),
            availability=_text(availability.get("code")),
            availability_retryable=retryable if isinstance(retryable, bool) else None,
            provider=_text(metadata.get("provider_name")),
            flagged=bool(metadata.get("reasons") or metadata.get("flagged_input")),
            documented=bool(document),
            message=_text(error.get("message")) or _text(document.get("error")) or _text(body) or "",
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
    "privacy_restricted": FailureKind.DATA_POLICY,
    "capacity_exhausted": FailureKind.RATE_LIMITED,
    "temporarily_unavailable": FailureKind.UNAVAILABLE,
}
_BY_STATUS: dict[int, FailureKind] = {
    400: FailureKind.REJECTED,
    401: FailureKind.KEY_REFUSED,
    402: FailureKind.CREDIT,
    403: FailureKind.KEY_REFUSED,
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
_POLICY_TERMS = ("data policy", "guardrail", "privacy", "providers have been ignored", "allowed providers")
_PRICE_TERMS = ("max_price", "max price", "maximum price")
_GONE_TERMS = ("no such model", "model not found", "not a valid model", "model does not exist")
"""A model that is gone stays paused until an operator resumes it, so an unclear 404 does not count as this. Nor does
that of a host, which may lack a model that others have."""
_NO_HOST_TERMS = ("no endpoints found", *_GONE_TERMS)
"""No host has the model now. This also happens while all of its hosts are down."""
_REFUSALS = frozenset({401, 402, 403, 404, 407, 451})
"""Where a proxy sends one of these, it says nothing about our key, our credit or the model."""
_VENDOR_NAMES = {"qwen": "alibaba", "amazon": "amazonbedrock"}
"""Vendors whose own hosts have another name."""


def classify(reply: ModelErrorReply) -> FailureKind:
    """The kind of failure of an HTTP error. Every status has one."""
    if reply.flagged or (reply.status == 403 and _BY_ERROR_TYPE.get(reply.error_type or "") is FailureKind.FILTERED):
        return FailureKind.FILTERED
    if reply.status in _REFUSALS and not reply.documented:
        return FailureKind.NETWORK
    if reply.limit_source in _BUDGETS:
        return FailureKind.KEY_BUDGET
    if reply.status in {401, 402, 403}:
        return _refused(reply)
    kind = _BY_ERROR_TYPE.get(reply.error_type or "") or _BY_AVAILABILITY.get(reply.availability or "")
    if kind is FailureKind.CAPABILITY and reply.availability_retryable:
        return FailureKind.UNAVAILABLE
    return kind or _by_message(reply) or _BY_STATUS.get(reply.status, _other(reply.status))


def _refused(reply: ModelErrorReply) -> FailureKind:
    """A 401, 402 or 403 with an error document."""
    if reply.provider is not None:
        return FailureKind.PROVIDER_REFUSED
    if reply.status == 402:
        return FailureKind.CREDIT if reply.retry_after is None else FailureKind.IN_FLIGHT_BUDGET
    return _BY_ERROR_TYPE.get(reply.error_type or "", FailureKind.KEY_REFUSED)


def _by_message(reply: ModelErrorReply) -> FailureKind | None:
    """What only the text of a refusal says. None where it says nothing known."""
    text = reply.message.lower()
    if reply.status not in {400, 404, 422}:
        return None
    if any(term in text for term in _POLICY_TERMS):
        return FailureKind.DATA_POLICY
    if any(term in text for term in _PRICE_TERMS):
        return FailureKind.PRICE_LIMIT
    if any(term in text for term in _OUTPUT_TERMS):
        return FailureKind.CAPABILITY
    if reply.provider is None and any(term in text for term in _GONE_TERMS):
        return FailureKind.MODEL_GONE
    if any(term in text for term in _NO_HOST_TERMS):
        return FailureKind.UNAVAILABLE
    return None


def _other(status: int) -> FailureKind:
    return FailureKind.UNAVAILABLE if status >= 500 else FailureKind.REJECTED


def scope_of(kind: FailureKind, reply: ModelErrorReply, vendor: str) -> FailureScope:
    """What an HTTP error concerns, for a model of `vendor`.

    An error of the vendor's own host concerns all models of the vendor. A company that hosts the models of several
    vendors is in trouble with this model only, as far as we know. Without an error document a proxy has answered.
    """
    usual = TRAITS[kind].scope
    if usual is not FailureScope.MODEL:
        return usual
    if not reply.documented and (reply.status == 429 or reply.status >= 500):
        return FailureScope.NETWORK
    return FailureScope.VENDOR if reply.provider is not None and _is_host_of(reply.provider, vendor) else usual


def _is_host_of(provider: str, vendor: str) -> bool:
    """Whether a provider's name is that of the vendor: "Google AI Studio" is a host of `google`."""
    host = "".join(character for character in provider.lower() if character.isalnum())
    own = "".join(character for character in _VENDOR_NAMES.get(vendor, vendor) if character.isalnum())
    return len(own) > 1 and bool(host) and (host.startswith(own) or own.startswith(host))


class ModelFailed(SourceError):
    """A run ended without an answer. `retryable` depends on the kind of failure.

    `record` (a RunRecord) has the cost and messages of the run until it failed, `scope` what the failure concerns (by
    default what its kind usually concerns), `retry_after` the seconds until a repetition makes sense, where known, and
    `status` the HTTP status of a refusal.
    """

    def __init__(
        self,
        failure: FailureKind,
        problem: str,
        *,
        record: Any = None,
        scope: FailureScope | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(SOURCE, problem, status=status, code=failure.value)
        self.failure = failure
        self.record = record
        self.scope = TRAITS[failure].scope if scope is None else scope
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
    """A finite number of seconds that is not negative; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_SECONDS:
        return None
    return float(value)


def _moment(value: object) -> datetime | None:
    """A time in RFC 3339 with a zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
