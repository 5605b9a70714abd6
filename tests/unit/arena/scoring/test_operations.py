from __future__ import annotations

from decimal import Decimal

import pytest

from coliseum.arena.scoring.operations import DecisionEffort, operations


def test_rates_are_shares_of_what_was_asked() -> None:
    rows = [
        DecisionEffort(question="q1", status="done", p=0.4),
        DecisionEffort(question="q2", status="failed", reason="timeout", attempts=3),
        DecisionEffort(question="q3", status="failed", reason="parse"),
        DecisionEffort(question="q4", status="done", reason="abstained"),
        DecisionEffort(question="q5", status="skipped", reason="budget"),
        DecisionEffort(question="q6", status="failed"),
    ]
    result = operations(rows)

    assert (result.asked, result.answered, result.retried) == (5, 1, 1)
    assert result.failure_rates == {"abstained": 0.2, "parse": 0.2, "timeout": 0.2, "unknown": 0.2}


def test_latencies_are_nearest_rank_quantiles() -> None:
    rows = [DecisionEffort(question=str(i), status="done", p=0.5, latency_ms=i) for i in range(1, 101)]
    result = operations(rows)

    assert (result.latency_p50_ms, result.latency_p95_ms) == (50, 95)


def test_the_cost_per_forecast_needs_the_cost_of_every_attempt() -> None:
    known = DecisionEffort(question="q1", status="done", p=0.4, cost_usd=Decimal("0.02"), tokens=900)
    failed = DecisionEffort(question="q2", status="failed", cost_usd=Decimal("0.01"), tokens=100)
    unknown = DecisionEffort(question="q3", status="done", p=0.4)

    assert operations([known, failed]).cost_per_forecast == Decimal("0.03")
    assert operations([known, failed]).tokens == 1000
    assert operations([known, unknown]).cost_per_forecast is None
    assert operations([known, unknown]).cost_usd == Decimal("0.02")


def test_replicates_show_the_contestants_own_noise() -> None:
    rows = [
        DecisionEffort(question="q1", status="done", p=0.4), DecisionEffort(question="q1", status="done", p=0.6),
        DecisionEffort(question="q2", status="done", p=0.5), DecisionEffort(question="q2", status="done", p=0.5),
        DecisionEffort(question="q3", status="done", p=0.9),
    ]  # fmt: skip

    assert operations(rows).replicate_stdev == pytest.approx((0.02 / 2) ** 0.5)


def test_without_decisions_the_figures_are_empty() -> None:
    result = operations([])

    assert (result.asked, result.failure_rates, result.latency_p50_ms, result.replicate_stdev) == (0, {}, None, None)
