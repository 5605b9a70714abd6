"""Circuits in the real Redis, shared by all workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.fixtures.redis import RedisServer

from coliseum.arena.agents.circuits import Circuits
from coliseum.arena.agents.model_circuit import FAILURES, FLEET_SECONDS, OPEN_SECONDS
from coliseum.llm.failures import TRAITS, FailureKind, FailureScope
from coliseum.upstash.client import Redis

NOW = 1_795_000_000.0


@pytest.fixture
def circuits(redis: Redis, prefix: str) -> Circuits:
    return Circuits(redis, prefix=prefix)


def break_vendor(circuits: Circuits, vendor: str = "x-ai") -> None:
    for _ in range(FAILURES):
        circuits.failed(vendor, FailureKind.RATE_LIMITED, now=NOW)


def test_the_circuit_of_a_failing_vendor_opens_and_others_stay_closed(circuits: Circuits) -> None:
    break_vendor(circuits)
    verdict = circuits.allows("x-ai", now=NOW + 1)
    assert (verdict.go, verdict.reason) == (False, "rate_limited")
    assert circuits.allows("openai", now=NOW + 1).go


def test_after_the_pause_one_worker_probes(circuits: Circuits) -> None:
    break_vendor(circuits)
    later = NOW + OPEN_SECONDS + 1
    with ThreadPoolExecutor(8) as pool:
        allowed = list(pool.map(lambda _: circuits.allows("x-ai", now=later).go, range(16)))
    assert allowed.count(True) == 1


def test_a_success_closes_the_circuit(circuits: Circuits) -> None:
    break_vendor(circuits)
    later = NOW + OPEN_SECONDS + 1
    assert circuits.allows("x-ai", now=later).go
    circuits.answered("x-ai")
    assert all(circuits.allows("x-ai", now=later).go for _ in range(3))


def test_a_failed_probe_keeps_the_circuit_open(circuits: Circuits) -> None:
    break_vendor(circuits)
    later = NOW + OPEN_SECONDS + 1
    assert circuits.allows("x-ai", now=later).go
    circuits.failed("x-ai", FailureKind.TIMEOUT, now=later)
    assert not circuits.allows("x-ai", now=later + 1).go
    assert circuits.allows("x-ai", now=later + OPEN_SECONDS + 1).go


@pytest.mark.parametrize("failure", [FailureKind.KEY_REFUSED, FailureKind.CREDIT, FailureKind.KEY_BUDGET])
def test_a_failure_of_our_key_opens_the_circuit_of_all_models_at_once(circuits: Circuits, failure: FailureKind) -> None:
    circuits.failed("x-ai", failure, now=NOW)
    assert circuits.allows("openai", now=NOW + 1).reason == failure.value
    assert circuits.allows("openai", now=NOW + FLEET_SECONDS + 1).go


@pytest.mark.parametrize(
    "failure", [failure for failure, trait in TRAITS.items() if trait.scope is FailureScope.DECISION]
)
def test_a_failure_of_one_decision_opens_no_circuit(circuits: Circuits, failure: FailureKind) -> None:
    for _ in range(FAILURES * 2):
        circuits.failed("x-ai", failure, now=NOW)
    assert circuits.allows("x-ai", now=NOW).go


def test_without_failures_a_run_costs_two_redis_commands(circuits: Circuits, redis_server: RedisServer) -> None:
    redis_server.reset_meter()
    circuits.allows("x-ai", now=NOW)
    circuits.answered("x-ai")
    assert redis_server.billed() == {"MGET": 1, "DEL": 1}


def test_without_redis_no_circuit_is_open(prefix: str) -> None:
    unreachable = Redis("http://127.0.0.1:9", "t", timeout_seconds=0.2, connect_seconds=0.2)
    circuits = Circuits(unreachable, prefix=prefix)
    circuits.failed("x-ai", FailureKind.CREDIT, now=NOW)
    assert circuits.allows("x-ai", now=NOW).go
    circuits.answered("x-ai")
    unreachable.close()
