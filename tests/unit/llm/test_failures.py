from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import SourceError
from coliseum.llm.failures import TRAITS, Failure, ModelFailed, Refusal, Scope, classify

IN_FLIGHT = {"metadata": {"limit_source": "openrouter_in_flight_budget"}}
KEY_LIMIT = {"metadata": {"limit_source": "openrouter_key_limit", "resets_at": "2026-11-22T00:00:00Z"}}

TABLE: list[tuple[int, Any, float | None, Failure]] = [
    (400, {"message": "bad request"}, None, Failure.REJECTED),
    (400, {"message": "tool_choice is not supported"}, None, Failure.CAPABILITY),
    (400, {"message": "response_format is not supported"}, None, Failure.CAPABILITY),
    (400, {"metadata": {"error_type": "context_length_exceeded"}}, None, Failure.TOO_LONG),
    (400, {"availability": {"code": "model_not_found", "retryable": False}}, None, Failure.MODEL_GONE),
    (401, {"message": "User not found."}, None, Failure.KEY_REFUSED),
    (402, {"message": "Insufficient credits"}, None, Failure.CREDIT),
    (402, IN_FLIGHT, 3.0, Failure.IN_FLIGHT_BUDGET),
    (402, IN_FLIGHT, None, Failure.CREDIT),
    (403, {"message": "forbidden"}, None, Failure.KEY_REFUSED),
    (403, KEY_LIMIT, None, Failure.KEY_BUDGET),
    (403, {"metadata": {"limit_source": "openrouter_workspace_budget"}}, None, Failure.KEY_BUDGET),
    (403, {"metadata": {"limit_source": "openrouter_guardrail_budget"}}, None, Failure.KEY_BUDGET),
    (403, {"metadata": {"error_type": "content_policy_violation"}}, None, Failure.FILTERED),
    (404, {"message": "No endpoints found that support tool use"}, None, Failure.CAPABILITY),
    (404, {"availability": {"code": "constraint_filtered", "retryable": False}}, None, Failure.CAPABILITY),
    (404, {"availability": {"code": "no_endpoints"}}, None, Failure.CAPABILITY),
    (404, {"availability": {"code": "no_endpoints", "retryable": True}}, None, Failure.UNAVAILABLE),
    (404, {"availability": {"code": "model_deprecated"}}, None, Failure.MODEL_GONE),
    (404, {"availability": {"code": "free_variant_ended"}}, None, Failure.MODEL_GONE),
    (404, {"availability": {"code": "privacy_restricted"}}, None, Failure.REJECTED),
    (404, {"message": "no such model"}, None, Failure.MODEL_GONE),
    (404, "<html>not here</html>", None, Failure.REJECTED),
    (404, None, None, Failure.REJECTED),
    (408, {"message": "timeout"}, None, Failure.TIMEOUT),
    (413, {"message": "too large"}, None, Failure.TOO_LONG),
    (418, None, None, Failure.REJECTED),
    (422, {"message": "unprocessable"}, None, Failure.REJECTED),
    (429, {"message": "slow down"}, 7.0, Failure.RATE_LIMITED),
    (429, {"availability": {"code": "capacity_exhausted", "retryable": True}}, None, Failure.RATE_LIMITED),
    (500, {"message": "masked"}, None, Failure.UNAVAILABLE),
    (502, "provider died", None, Failure.UNAVAILABLE),
    (502, {"metadata": {"error_type": "provider_unavailable"}}, None, Failure.UNAVAILABLE),
    (503, {"message": "down"}, None, Failure.OVERLOADED),
    (503, {"availability": {"code": "temporarily_unavailable"}}, None, Failure.UNAVAILABLE),
    (504, {"metadata": {"error_type": "timeout"}}, None, Failure.TIMEOUT),
    (520, None, None, Failure.UNAVAILABLE),
    (529, {"message": "overloaded"}, None, Failure.OVERLOADED),
]


@pytest.mark.parametrize(("status", "body", "retry_after", "failure"), TABLE)
def test_a_refusal_is_read_by_status_and_body(
    status: int, body: Any, retry_after: float | None, failure: Failure
) -> None:
    assert classify(Refusal.parse(status, body, retry_after=retry_after)) is failure
    if isinstance(body, dict):  # the whole document reads like the error in it
        assert classify(Refusal.parse(status, {"error": body}, retry_after=retry_after)) is failure


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
def test_every_status_with_any_body_has_its_failure(status: int, body: object, retry_after: float | None) -> None:
    assert classify(Refusal.parse(status, body, retry_after=retry_after)) in TRAITS


def test_the_wait_comes_from_the_header_and_else_from_the_body() -> None:
    body = {"availability": {"code": "capacity_exhausted", "retry_after": 12}}
    assert Refusal.parse(429, body).retry_after == 12
    assert Refusal.parse(429, body, retry_after=3.0).retry_after == 3


def test_every_failure_has_its_consequences() -> None:
    assert set(TRAITS) == set(Failure)


def test_what_stops_everyone_is_never_tried_again_at_once() -> None:
    fleet = {failure for failure, trait in TRAITS.items() if trait.scope is Scope.FLEET}
    assert fleet == {Failure.CREDIT, Failure.KEY_BUDGET, Failure.KEY_REFUSED}
    assert not any(TRAITS[failure].retryable for failure in fleet)


@pytest.mark.parametrize("failure", list(Failure))
def test_a_failed_run_is_a_source_error_that_knows_whether_to_try_again(failure: Failure) -> None:
    error = ModelFailed(failure, "told", retry_after=2.0)
    assert isinstance(error, SourceError)
    assert error.retryable is TRAITS[failure].retryable
    assert error.code == failure.value
    assert str(error) == "openrouter: told"
