"""Circuits in the real Redis, shared by all workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.fixtures.redis import RedisServer

from coliseum.arena.agents.circuits import JITTER_SECONDS, PROBE_SECONDS, Circuits
from coliseum.arena.agents.model_circuit import ACCOUNT_SECONDS, FAILURES, OPEN_SECONDS
from coliseum.llm.failures import TRAITS, FailureKind, FailureScope, ModelFailed
from coliseum.upstash.client import Redis

NOW = 1_795_000_000.0


@pytest.fixture
def circuits(redis: Redis, prefix: str) -> Circuits:
    return Circuits(redis, prefix=prefix)


MODEL, SIBLING, OTHER = "x-ai/grok-5", "x-ai/grok-5-mini", "openai/gpt-6"


def failed(kind: FailureKind, scope: FailureScope | None = None, retry_after: float | None = None) -> ModelFailed:
    return ModelFailed(kind, "no answer", scope=scope, retry_after=retry_after)


LIMITED = failed(FailureKind.RATE_LIMITED)


def break_model(circuits: Circuits, failure: ModelFailed = LIMITED, *models: str) -> None:
    for number in range(FAILURES):
        circuits.failed((models or (MODEL,))[number % max(1, len(models))], failure, now=NOW)


def allowed(circuits: Circuits, now: float = NOW + 1) -> set[str]:
    return {model for model in (MODEL, SIBLING, OTHER) if circuits.allows(model, now=now).go}


@pytest.mark.parametrize(
    ("failure", "models", "left"),
    [
        (LIMITED, (MODEL,), {SIBLING, OTHER}),
        (failed(FailureKind.RATE_LIMITED, FailureScope.VENDOR), (MODEL,), {OTHER}),
        (failed(FailureKind.UNAVAILABLE, FailureScope.NETWORK), (MODEL,), {SIBLING, OTHER}),
        (failed(FailureKind.UNAVAILABLE, FailureScope.NETWORK), (MODEL, OTHER), set()),
        (failed(FailureKind.KEY_REFUSED), (MODEL,), set()),
        (failed(FailureKind.FILTERED), (MODEL,), {MODEL, SIBLING, OTHER}),
    ],
)
def test_a_failure_pauses_what_it_concerns_and_nothing_else(
    circuits: Circuits, failure: ModelFailed, models: tuple[str, ...], left: set[str]
) -> None:
    break_model(circuits, failure, *models)
    assert allowed(circuits) == left


@pytest.mark.parametrize("kind", [FailureKind.DATA_POLICY, FailureKind.PRICE_LIMIT])
def test_a_setting_that_excludes_a_model_pauses_it_at_once_and_is_named_once(
    circuits: Circuits, kind: FailureKind, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        circuits.failed(MODEL, failed(kind), now=NOW)
    assert allowed(circuits) == {SIBLING, OTHER}
    assert [record.levelname for record in caplog.records if "paused" in record.getMessage()] == ["ERROR"]


def test_the_pause_ends_when_the_failure_said(circuits: Circuits) -> None:
    break_model(circuits, failed(FailureKind.RATE_LIMITED, retry_after=20))
    verdict = circuits.allows(MODEL, now=NOW + 5)
    assert (verdict.go, verdict.reason) == (False, "rate_limited")
    assert 15 <= verdict.wait_seconds <= 15 + JITTER_SECONDS
    assert circuits.allows(MODEL, now=NOW + 20).go


def test_a_probe_that_another_circuit_forbids_is_free_for_the_next(circuits: Circuits) -> None:
    circuits.failed(OTHER, failed(FailureKind.KEY_REFUSED, retry_after=10), now=NOW)
    break_model(circuits)
    assert not circuits.allows(MODEL, now=NOW + 11).go
    assert circuits.allows(OTHER, now=NOW + 11).go


@pytest.mark.parametrize("attempt", range(5))
def test_no_failure_is_lost_between_workers(circuits: Circuits, attempt: int) -> None:
    with ThreadPoolExecutor(FAILURES) as pool:
        list(pool.map(lambda _: circuits.failed(MODEL, LIMITED, now=NOW), range(FAILURES)))
    assert allowed(circuits) == {SIBLING, OTHER}, attempt


def test_a_late_failure_does_not_close_what_another_worker_opened(circuits: Circuits) -> None:
    accounts = [failed(FailureKind.KEY_REFUSED, retry_after=60), failed(FailureKind.KEY_REFUSED, retry_after=600)] * 4
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda failure: circuits.failed(MODEL, failure, now=NOW), accounts))
    assert allowed(circuits, NOW + 599) == set()
    assert circuits.allows(OTHER, now=NOW + 601).go


def test_trouble_of_the_account_that_lasts_is_told_once(circuits: Circuits, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(4):
        later = NOW + number * (ACCOUNT_SECONDS + 1)
        assert circuits.allows(MODEL, now=later).go
        circuits.failed(MODEL, failed(FailureKind.CREDIT), now=later)
    circuits.failed(MODEL, failed(FailureKind.KEY_REFUSED), now=later + ACCOUNT_SECONDS + 1)
    told = [record.failure for record in caplog.records if "paused" in record.getMessage()]  # type: ignore[attr-defined]  # logged
    assert told == ["credit", "key_refused"]


def test_a_probe_that_is_lost_lets_another_one_go(circuits: Circuits, redis: Redis, prefix: str) -> None:
    break_model(circuits)
    later = NOW + OPEN_SECONDS + 1
    assert circuits.allows(MODEL, now=later).go
    assert not circuits.allows(MODEL, now=later).go
    assert 0 < redis.command("TTL", f"{prefix}arena:circuit:model:{MODEL}:probe") <= PROBE_SECONDS
    redis.command("DEL", f"{prefix}arena:circuit:model:{MODEL}:probe")  # as Redis does after PROBE_SECONDS
    assert circuits.allows(MODEL, now=later + PROBE_SECONDS).go


def test_after_the_pause_one_worker_probes(circuits: Circuits) -> None:
    break_model(circuits)
    later = NOW + OPEN_SECONDS + 1
    with ThreadPoolExecutor(8) as pool:
        allowed = list(pool.map(lambda _: circuits.allows(MODEL, now=later).go, range(16)))
    assert allowed.count(True) == 1


def test_a_success_closes_the_circuit(circuits: Circuits) -> None:
    break_model(circuits)
    later = NOW + OPEN_SECONDS + 1
    assert circuits.allows(MODEL, now=later).go
    circuits.answered(MODEL)
    assert all(circuits.allows(MODEL, now=later).go for _ in range(3))


def test_a_failed_probe_keeps_the_circuit_open(circuits: Circuits) -> None:
    break_model(circuits)
    later = NOW + OPEN_SECONDS + 1
    assert circuits.allows(MODEL, now=later).go
    circuits.failed(MODEL, failed(FailureKind.TIMEOUT), now=later)
    assert not circuits.allows(MODEL, now=later + 1).go
    assert circuits.allows(MODEL, now=later + OPEN_SECONDS + 1).go


@pytest.mark.parametrize("failure", [FailureKind.KEY_REFUSED, FailureKind.CREDIT, FailureKind.KEY_BUDGET])
def test_a_failure_of_our_key_opens_the_circuit_of_all_models_at_once(circuits: Circuits, failure: FailureKind) -> None:
    circuits.failed(MODEL, failed(failure), now=NOW)
    assert circuits.allows(OTHER, now=NOW + 1).reason == failure.value
    assert circuits.allows(OTHER, now=NOW + ACCOUNT_SECONDS + 1).go


@pytest.mark.parametrize(
    "failure", [failure for failure, trait in TRAITS.items() if trait.scope is FailureScope.DECISION]
)
def test_a_failure_of_one_decision_opens_no_circuit(circuits: Circuits, failure: FailureKind) -> None:
    for _ in range(FAILURES * 2):
        circuits.failed(MODEL, failed(failure), now=NOW)
    assert circuits.allows(MODEL, now=NOW).go


def test_without_failures_a_run_costs_two_redis_commands(circuits: Circuits, redis_server: RedisServer) -> None:
    redis_server.reset_meter()
    circuits.allows(MODEL, now=NOW)
    circuits.answered(MODEL)
    assert redis_server.billed() == {"MGET": 1, "DEL": 1}


def test_without_redis_no_circuit_is_open(prefix: str) -> None:
    unreachable = Redis("http://127.0.0.1:9", "t", timeout_seconds=0.2, connect_seconds=0.2)
    circuits = Circuits(unreachable, prefix=prefix)
    circuits.failed(MODEL, failed(FailureKind.CREDIT), now=NOW)
    assert circuits.allows(MODEL, now=NOW).go
    circuits.answered(MODEL)
    unreachable.close()
