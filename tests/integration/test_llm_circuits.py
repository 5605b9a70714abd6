"""Circuits in the real Redis, shared by all workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.fixtures.redis import RedisServer

from coliseum.arena.agents.circuits import (
    JITTER_SECONDS,
    OTHERS_FIRST_SECONDS,
    PROBE_SECONDS,
    Circuits,
    ModelPermission,
)
from coliseum.arena.agents.model_circuit import (
    ACCOUNT_SECONDS,
    FAILURES,
    FIRST_ACCOUNT_SECONDS,
    LONGEST_OPEN_SECONDS,
    OPEN_SECONDS,
)
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
        (failed(FailureKind.KEY_REFUSED), (MODEL,), {SIBLING, OTHER}),
        (failed(FailureKind.CREDIT), (MODEL,), {SIBLING, OTHER}),
        (failed(FailureKind.KEY_REFUSED), (MODEL, OTHER), set()),
        (failed(FailureKind.CREDIT), (MODEL, OTHER), set()),
        (failed(FailureKind.KEY_BUDGET), (MODEL,), set()),
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
    circuits.failed(OTHER, failed(FailureKind.KEY_BUDGET, retry_after=10), now=NOW)
    break_model(circuits)
    assert not circuits.allows(MODEL, now=NOW + 11).go
    assert circuits.allows(OTHER, now=NOW + 11).go


@pytest.mark.parametrize("attempt", range(5))
def test_no_failure_is_lost_between_workers(circuits: Circuits, attempt: int) -> None:
    with ThreadPoolExecutor(FAILURES) as pool:
        list(pool.map(lambda _: circuits.failed(MODEL, LIMITED, now=NOW), range(FAILURES)))
    assert allowed(circuits) == {SIBLING, OTHER}, attempt


def test_a_late_failure_does_not_close_what_another_worker_opened(circuits: Circuits) -> None:
    accounts = [failed(FailureKind.KEY_BUDGET, retry_after=60), failed(FailureKind.KEY_BUDGET, retry_after=600)] * 4
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda failure: circuits.failed(MODEL, failure, now=NOW), accounts))
    assert allowed(circuits, NOW + 599) == set()
    assert circuits.allows(OTHER, now=NOW + 601).go


def test_trouble_of_the_account_that_lasts_is_told_once(circuits: Circuits, caplog: pytest.LogCaptureFixture) -> None:
    circuits.failed(OTHER, failed(FailureKind.CREDIT), now=NOW)
    for number in range(4):
        later = NOW + number * (ACCOUNT_SECONDS + OTHERS_FIRST_SECONDS)
        circuits.failed(MODEL, failed(FailureKind.CREDIT), now=later)
    circuits.failed(MODEL, failed(FailureKind.KEY_REFUSED), now=later + ACCOUNT_SECONDS + 1)
    told = [vars(record) for record in caplog.records if "paused" in record.getMessage()]
    assert [record["failure"] for record in told if record["circuit"] == "account"] == ["credit", "key_refused"]


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


def test_a_spent_budget_of_our_key_pauses_all_models_at_once(circuits: Circuits) -> None:
    circuits.failed(MODEL, failed(FailureKind.KEY_BUDGET), now=NOW)
    assert circuits.allows(OTHER, now=NOW + 1).reason == "key_budget"
    assert circuits.allows(OTHER, now=NOW + ACCOUNT_SECONDS + 1).go


@pytest.mark.parametrize("kind", [FailureKind.KEY_REFUSED, FailureKind.CREDIT])
def test_one_model_that_is_always_refused_never_pauses_the_others(circuits: Circuits, kind: FailureKind) -> None:
    """Another model answers now and then, so the account is in order."""
    waits, now = [], NOW
    for _ in range(6):
        permission = circuits.allows(MODEL, now=now)
        assert permission.go
        circuits.failed(MODEL, failed(kind), now=now, permission=permission)
        assert not circuits.allows(MODEL, now=now + 1).go
        healthy = circuits.allows(OTHER, now=now + 1)
        assert healthy.go
        circuits.answered(OTHER, healthy)
        waits.append(round(circuits.allows(MODEL, now=now).wait_seconds))
        now += ACCOUNT_SECONDS
    assert waits[0] <= FIRST_ACCOUNT_SECONDS + JITTER_SECONDS
    assert waits[-1] >= ACCOUNT_SECONDS, "each probe that fails doubles its pause"


def refuse_two(circuits: Circuits) -> None:
    for model in (MODEL, SIBLING):
        circuits.failed(model, failed(FailureKind.KEY_REFUSED), now=NOW)


def test_a_wrong_guess_about_the_account_costs_the_others_a_minute(circuits: Circuits) -> None:
    refuse_two(circuits)
    later = NOW + FIRST_ACCOUNT_SECONDS
    assert not circuits.allows(OTHER, now=later - 1).go
    refused = circuits.allows(MODEL, now=later)
    assert (refused.go, refused.wait_seconds > OTHERS_FIRST_SECONDS - 1) == (False, True), "who was refused probes last"
    probe = circuits.allows(OTHER, now=later)
    assert (probe.go, probe.probes) == (True, ("account",))
    circuits.answered(OTHER, probe)
    assert allowed(circuits, later + 1) >= {OTHER}


def test_a_key_that_stays_refused_is_tried_ever_less_often(circuits: Circuits) -> None:
    refuse_two(circuits)
    now, pauses = NOW, []
    for number in range(6):
        permission = circuits.allows(f"vendor{number}/m", now=now)
        assert not permission.go
        pause = permission.wait_seconds
        pauses.append(pause)
        now += pause
        probe = circuits.allows(f"vendor{number}/m", now=now)
        circuits.failed(f"vendor{number}/m", failed(FailureKind.KEY_REFUSED), now=now, permission=probe)
    for pause, expected in zip(pauses, (60, 120, 240, 480, 900, 900), strict=True):
        assert expected <= pause <= expected + JITTER_SECONDS


def test_if_all_models_were_refused_one_of_them_probes_in_the_end(circuits: Circuits) -> None:
    refuse_two(circuits)
    later = NOW + FIRST_ACCOUNT_SECONDS + OTHERS_FIRST_SECONDS
    assert [circuits.allows(model, now=later).go for model in (MODEL, SIBLING)] == [True, False]


def test_an_answer_from_before_the_accounts_pause_does_not_end_it(circuits: Circuits) -> None:
    early = circuits.allows(OTHER, now=NOW)
    refuse_two(circuits)
    circuits.answered(OTHER, early)
    assert not circuits.allows(OTHER, now=NOW + 1).go
    probe = circuits.allows(OTHER, now=NOW + FIRST_ACCOUNT_SECONDS)
    late = ModelPermission(go=True, account="{}")
    circuits.answered(OTHER, late)
    assert not circuits.allows(OTHER, now=NOW + 1).go, "one that saw another circuit says nothing about this one"
    circuits.answered(OTHER, probe)
    assert circuits.allows(OTHER, now=NOW + FIRST_ACCOUNT_SECONDS).go


def test_an_answer_between_two_refusals_keeps_the_account_open_to_others(circuits: Circuits) -> None:
    circuits.failed(MODEL, failed(FailureKind.KEY_REFUSED), now=NOW)
    circuits.answered(OTHER, circuits.allows(OTHER, now=NOW + 1))
    circuits.failed(SIBLING, failed(FailureKind.KEY_REFUSED), now=NOW + 2)
    assert circuits.allows(OTHER, now=NOW + 3).go


@pytest.mark.parametrize("kind", [kind for kind, trait in TRAITS.items() if trait.scope is not FailureScope.ACCOUNT])
def test_a_probe_that_ends_with_other_trouble_lets_another_one_go_at_once(
    circuits: Circuits, kind: FailureKind
) -> None:
    refuse_two(circuits)
    later = NOW + FIRST_ACCOUNT_SECONDS
    probe = circuits.allows(OTHER, now=later)
    assert not circuits.allows("meta/lama", now=later).go
    circuits.failed(OTHER, failed(kind), now=later, permission=probe)
    assert circuits.allows("meta/lama", now=later).go


def test_a_probe_without_a_request_is_given_back(circuits: Circuits) -> None:
    refuse_two(circuits)
    probe = circuits.allows(OTHER, now=NOW + FIRST_ACCOUNT_SECONDS)
    circuits.release(probe)
    assert circuits.allows("meta/lama", now=NOW + FIRST_ACCOUNT_SECONDS).go


def test_a_setting_of_the_account_is_an_error_in_the_log_once(
    circuits: Circuits, caplog: pytest.LogCaptureFixture
) -> None:
    for model in (MODEL, SIBLING, OTHER):
        circuits.failed(model, failed(FailureKind.DATA_POLICY), now=NOW)
    assert allowed(circuits) == set()
    levels = [record.levelname for record in caplog.records if "paused" in record.getMessage()]
    assert levels == ["ERROR", "WARNING", "WARNING"]


def test_a_refused_key_is_an_error_for_the_first_model_and_for_the_account(
    circuits: Circuits, caplog: pytest.LogCaptureFixture
) -> None:
    for model in (MODEL, SIBLING, OTHER):
        circuits.failed(model, failed(FailureKind.KEY_REFUSED), now=NOW)
    told = [vars(record) for record in caplog.records if "paused" in record.getMessage()]
    assert [(record["circuit"].partition(":")[0], record["levelname"]) for record in told] == [
        ("model", "ERROR"), ("account", "ERROR"), ("model", "WARNING"), ("model", "WARNING"),
    ]  # fmt: skip


@pytest.mark.parametrize("ahead", [-600.0, -180.0, 180.0, 600.0, 86_400.0])
def test_a_worker_with_a_wrong_clock_does_not_stop_a_model_for_longer_than_a_pause_can_last(
    circuits: Circuits, ahead: float
) -> None:
    for _ in range(FAILURES):
        circuits.failed(MODEL, LIMITED, now=NOW + ahead)
    assert circuits.allows(MODEL, now=NOW + LONGEST_OPEN_SECONDS).go
    assert circuits.allows(OTHER, now=NOW).go


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
