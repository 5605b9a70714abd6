from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import SourceError
from coliseum.llm.failures import (
    TRAITS,
    FailureKind,
    FailureScope,
    ModelErrorReply,
    ModelFailed,
    classify,
    scope_of,
)

IN_FLIGHT = {"metadata": {"limit_source": "openrouter_in_flight_budget"}}
KEY_LIMIT = {"metadata": {"limit_source": "openrouter_key_limit", "resets_at": "2026-11-22T00:00:00Z"}}

PROVIDER = {
    "message": "Provider returned error",
    "metadata": {"provider_name": "X", "raw": "Insufficient Balance"},
}
MODERATED = {"metadata": {"reasons": ["violence"], "flagged_input": "…", "provider_name": "X"}}
GUARDRAIL = "No endpoints available matching your guardrail restrictions and data policy"

TABLE: list[tuple[int, Any, float | None, FailureKind]] = [
    (400, {"message": "bad request"}, None, FailureKind.REJECTED),
    (400, {"message": "tool_choice is not supported"}, None, FailureKind.CAPABILITY),
    (400, {"message": "response_format is not supported"}, None, FailureKind.CAPABILITY),
    (400, {"metadata": {"error_type": "context_length_exceeded"}}, None, FailureKind.TOO_LONG),
    (400, {"availability": {"code": "model_not_found", "retryable": False}}, None, FailureKind.MODEL_GONE),
    (401, {"message": "User not found."}, None, FailureKind.KEY_REFUSED),
    (402, {"message": "Insufficient credits"}, None, FailureKind.CREDIT),
    (402, IN_FLIGHT, 3.0, FailureKind.IN_FLIGHT_BUDGET),
    (402, IN_FLIGHT, None, FailureKind.CREDIT),
    (402, PROVIDER, None, FailureKind.PROVIDER_REFUSED),
    (402, PROVIDER, 3.0, FailureKind.PROVIDER_REFUSED),
    (402, "<html>pay</html>", None, FailureKind.NETWORK),
    (401, PROVIDER, None, FailureKind.PROVIDER_REFUSED),
    (401, None, None, FailureKind.NETWORK),
    (403, PROVIDER, None, FailureKind.PROVIDER_REFUSED),
    (403, MODERATED, None, FailureKind.FILTERED),
    (403, {"metadata": {"flagged_input": "x"}}, None, FailureKind.FILTERED),
    (400, MODERATED, None, FailureKind.FILTERED),
    (403, "<html>Access denied by your proxy</html>", None, FailureKind.NETWORK),
    (403, {"message": "forbidden"}, None, FailureKind.KEY_REFUSED),
    (403, KEY_LIMIT, None, FailureKind.KEY_BUDGET),
    (403, {"metadata": {"limit_source": "openrouter_workspace_budget"}}, None, FailureKind.KEY_BUDGET),
    (403, {"metadata": {"limit_source": "openrouter_guardrail_budget"}}, None, FailureKind.KEY_BUDGET),
    (403, {"metadata": {"error_type": "content_policy_violation"}}, None, FailureKind.FILTERED),
    (404, {"message": "No endpoints found that support tool use"}, None, FailureKind.CAPABILITY),
    (404, {"availability": {"code": "constraint_filtered", "retryable": False}}, None, FailureKind.CAPABILITY),
    (404, {"availability": {"code": "no_endpoints"}}, None, FailureKind.CAPABILITY),
    (404, {"availability": {"code": "no_endpoints", "retryable": True}}, None, FailureKind.UNAVAILABLE),
    (404, {"availability": {"code": "model_deprecated"}}, None, FailureKind.MODEL_GONE),
    (404, {"availability": {"code": "free_variant_ended"}}, None, FailureKind.MODEL_GONE),
    (404, {"availability": {"code": "privacy_restricted"}}, None, FailureKind.DATA_POLICY),
    (404, {"message": GUARDRAIL}, None, FailureKind.DATA_POLICY),
    (404, {"message": "All providers have been ignored."}, None, FailureKind.DATA_POLICY),
    (404, {"message": "No endpoints found that match max_price"}, None, FailureKind.PRICE_LIMIT),
    (404, {"message": "no such model"}, None, FailureKind.MODEL_GONE),
    (404, {"message": "No endpoints found for x/y."}, None, FailureKind.UNAVAILABLE),
    (404, {"message": "model not found", "metadata": {"provider_name": "X"}}, None, FailureKind.UNAVAILABLE),
    (400, {"message": "x/y is not a valid model ID"}, None, FailureKind.MODEL_GONE),
    (404, {"message": "Not Found"}, None, FailureKind.REJECTED),
    (404, {"code": 429, "metadata": []}, None, FailureKind.REJECTED),
    (404, "<html>not here</html>", None, FailureKind.NETWORK),
    (404, None, None, FailureKind.NETWORK),
    (408, {"message": "timeout"}, None, FailureKind.TIMEOUT),
    (413, {"message": "too large"}, None, FailureKind.TOO_LONG),
    (418, None, None, FailureKind.REJECTED),
    (422, {"message": "unprocessable"}, None, FailureKind.REJECTED),
    (429, {"message": "slow down"}, 7.0, FailureKind.RATE_LIMITED),
    (429, {"availability": {"code": "capacity_exhausted", "retryable": True}}, None, FailureKind.RATE_LIMITED),
    (500, {"message": "masked"}, None, FailureKind.UNAVAILABLE),
    (502, "provider died", None, FailureKind.UNAVAILABLE),
    (502, {"metadata": {"error_type": "provider_unavailable"}}, None, FailureKind.UNAVAILABLE),
    (503, {"message": "down"}, None, FailureKind.OVERLOADED),
    (503, {"availability": {"code": "temporarily_unavailable"}}, None, FailureKind.UNAVAILABLE),
    (504, {"metadata": {"error_type": "timeout"}}, None, FailureKind.TIMEOUT),
    (520, None, None, FailureKind.UNAVAILABLE),
    (529, {"message": "overloaded"}, None, FailureKind.OVERLOADED),
]


@pytest.mark.parametrize(("status", "body", "retry_after", "failure"), TABLE)
def test_an_error_reply_is_classified_by_status_and_body(
    status: int, body: Any, retry_after: float | None, failure: FailureKind
) -> None:
    assert classify(ModelErrorReply.parse(status, body, retry_after=retry_after)) is failure
    if isinstance(body, dict):  # the whole document reads like the error in it
        assert classify(ModelErrorReply.parse(status, {"error": body}, retry_after=retry_after)) is failure


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "metadata", "availability", "message", "retry_after"]), inner
        )
    ),
    max_leaves=10,
)


@given(st.integers(100, 999), JSON, st.none() | st.floats(0, 1e6))
def test_any_status_with_any_body_has_a_kind_of_failure(status: int, body: object, retry_after: float | None) -> None:
    assert classify(ModelErrorReply.parse(status, body, retry_after=retry_after)) in TRAITS


def test_retry_after_comes_from_the_header_or_else_from_the_body() -> None:
    body = {"availability": {"code": "capacity_exhausted", "retry_after": 12}}
    assert ModelErrorReply.parse(429, body).retry_after == 12
    assert ModelErrorReply.parse(429, body, retry_after=3.0).retry_after == 3


@pytest.mark.parametrize("value", [-1, 10**400, float("nan"), float("inf"), True, "12", [12], None])
def test_a_time_to_wait_that_is_none_is_unknown(value: object) -> None:
    body = {"availability": {"code": "capacity_exhausted", "retry_after": value}}
    assert ModelErrorReply.parse(429, body).retry_after is None


def test_every_kind_of_failure_has_its_traits() -> None:
    assert set(TRAITS) == set(FailureKind)


def test_a_failure_of_the_account_waits_for_the_operator() -> None:
    account = {failure for failure, trait in TRAITS.items() if trait.scope is FailureScope.ACCOUNT}
    assert account == {FailureKind.CREDIT, FailureKind.KEY_BUDGET, FailureKind.KEY_REFUSED}
    assert all(TRAITS[failure].retryable for failure in account)


SCOPES: list[tuple[int, Any, str, FailureScope]] = [
    (429, {"metadata": {"provider_name": "Anthropic"}}, "anthropic", FailureScope.VENDOR),
    (429, {"metadata": {"provider_name": "xAI"}}, "x-ai", FailureScope.VENDOR),
    (429, {"metadata": {"provider_name": "Google AI Studio"}}, "google", FailureScope.VENDOR),
    (429, {"metadata": {"provider_name": "Mistral"}}, "mistralai", FailureScope.VENDOR),
    (429, {"metadata": {"provider_name": "Alibaba"}}, "qwen", FailureScope.VENDOR),
    (429, {"metadata": {"provider_name": "DeepInfra"}}, "qwen", FailureScope.MODEL),
    (429, {"message": "slow down"}, "anthropic", FailureScope.MODEL),
    (429, "<html>slow down</html>", "anthropic", FailureScope.NETWORK),
    (502, None, "anthropic", FailureScope.NETWORK),
    (503, {"message": "down"}, "anthropic", FailureScope.MODEL),
    (402, PROVIDER, "deepseek", FailureScope.MODEL),
    (402, {"metadata": {"provider_name": "DeepSeek"}}, "deepseek", FailureScope.VENDOR),
    (403, MODERATED, "deepseek", FailureScope.DECISION),
    (403, "<html>", "deepseek", FailureScope.NETWORK),
    (401, {"message": "User not found."}, "deepseek", FailureScope.ACCOUNT),
    (402, {"message": "Insufficient credits"}, "deepseek", FailureScope.ACCOUNT),
    (404, {"message": GUARDRAIL}, "deepseek", FailureScope.MODEL),
]


@pytest.mark.parametrize(("status", "body", "vendor", "scope"), SCOPES)
def test_a_failure_concerns_what_its_body_names(status: int, body: Any, vendor: str, scope: FailureScope) -> None:
    reply = ModelErrorReply.parse(status, body)
    assert scope_of(classify(reply), reply, vendor) is scope


@given(st.integers(100, 999), JSON, st.sampled_from(["anthropic", "qwen"]))
def test_only_an_error_document_without_a_provider_stops_all_models(status: int, body: object, vendor: str) -> None:
    reply = ModelErrorReply.parse(status, body)
    if scope_of(classify(reply), reply, vendor) is FailureScope.ACCOUNT:
        assert reply.documented
        assert reply.provider is None


@pytest.mark.parametrize("text", ["2026-11-22T00:00:00Z", "soon", "2026-11-22", 12, None])
def test_a_budget_says_when_it_is_full_again(text: object) -> None:
    reply = ModelErrorReply.parse(403, {"metadata": {"limit_source": "openrouter_key_limit", "resets_at": text}})
    assert (reply.resets_at is not None) == (text == "2026-11-22T00:00:00Z")


@pytest.mark.parametrize("failure", list(FailureKind))
def test_a_failed_run_is_a_source_error_with_its_own_retryable(failure: FailureKind) -> None:
    error = ModelFailed(failure, "no answer", retry_after=2.0)
    assert isinstance(error, SourceError)
    assert error.retryable is TRAITS[failure].retryable
    assert error.code == failure.value
    assert str(error) == "openrouter: no answer"
