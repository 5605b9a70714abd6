from __future__ import annotations

import json

import pytest

from coliseum import errors
from coliseum.errors import (
    ColiseumError,
    ConfigurationError,
    InvalidInput,
    LogMoved,
    NotFound,
    SourceMalformed,
    SourceRateLimited,
    SourceRefused,
    SourceUnavailable,
)
from coliseum.http.problems import KINDS, problem_from, problem_from_status


def all_errors(parent: type[ColiseumError] = ColiseumError) -> set[type[ColiseumError]]:
    return {parent}.union(*(all_errors(child) for child in parent.__subclasses__()))


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (ConfigurationError("KALSHI_API_KEY", "is not set"), 503, "not-configured"),
        (InvalidInput("cursor", "x", "ours"), 400, "invalid-input"),
        (NotFound("market", "NOPE"), 404, "not-found"),
        (SourceUnavailable("bot", "down"), 503, "source-unavailable"),
        (SourceRateLimited("kalshi", "429"), 503, "source-busy"),
        (SourceRefused("kalshi", "401"), 502, "source-refused"),
        (SourceMalformed("kalshi", "no balance", field="balance"), 502, "source-malformed"),
        (LogMoved("another"), 502, "feed-broken"),
        (ColiseumError("?"), 500, "unexpected"),
    ],
)
def test_each_error_has_its_status_and_type(error: ColiseumError, status: int, slug: str) -> None:
    problem = problem_from(error, path="/api/python/x", correlation_id="c1")
    body = problem.body()
    assert (problem.status, body["status"], body["type"]) == (status, status, f"urn:coliseum:problem:{slug}")
    assert {"type", "title", "status", "detail", "instance", "correlation_id"} <= set(body)


def test_every_error_class_has_its_kind_of_problem() -> None:
    known = {error for error in all_errors() if error.__module__ == errors.__name__}
    for error in known:
        assert any(parent in KINDS for parent in error.__mro__)


def test_the_text_of_an_unexpected_exception_stays_in_the_log() -> None:
    problem = problem_from(RuntimeError("the password is 123"), path="/", correlation_id="c1")
    assert problem.status == 500
    assert "123" not in json.dumps(problem.body())
    assert "c1" in problem.detail


def test_only_a_retryable_error_has_a_retry_after_header() -> None:
    assert problem_from(SourceUnavailable("bot", "down"), path="/", correlation_id="").headers() == {"Retry-After": "5"}
    assert problem_from(NotFound("market", "A"), path="/", correlation_id="").headers() == {}


def test_a_problem_has_the_variable_field_or_source_as_data() -> None:
    def more(error: ColiseumError) -> dict[str, object]:
        return problem_from(error, path="/", correlation_id="").more

    assert more(ConfigurationError("KALSHI_API_KEY", "is not set")) == {"variable": "KALSHI_API_KEY"}
    assert more(SourceUnavailable("bot", "down")) == {"source": "bot"}
    assert more(InvalidInput("cursor", "x", "ours")) == {"errors": [{"field": "cursor", "message": "expected ours"}]}


def test_the_instance_is_always_a_valid_uri() -> None:
    problem = problem_from(NotFound("market", "A"), path="/markets/A\r\nB c", correlation_id="")
    assert problem.body()["instance"] == "/markets/A%0D%0AB%20c"


def test_an_http_status_without_an_error_is_a_problem_too() -> None:
    assert problem_from_status(405, "no", path="/", correlation_id="").kind.title == "Method Not Allowed"
    assert problem_from_status(499, "no", path="/", correlation_id="").kind.slug == "http-499"


@pytest.mark.parametrize(("asked", "header"), [(None, "5"), (29.2, "30"), (600.0, "600")])
def test_the_time_that_a_source_asks_for_is_passed_on(asked: float | None, header: str) -> None:
    error = SourceRateLimited("kalshi", "429")
    error.retry_after_seconds = asked
    assert problem_from(error, path="/", correlation_id="c").headers() == {"Retry-After": header}
