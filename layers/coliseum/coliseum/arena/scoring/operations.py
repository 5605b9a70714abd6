"""Operational figures of a contestant: failures, time, tokens, cost and noise. They do not affect ranks. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean, variance

from coliseum.trading.money import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionEffort:
    """One decision of one agent and what its last attempt took. None means unknown; it never means 0."""

    question: str
    """The same for all replicates of one question."""
    status: str
    """done, failed or skipped."""
    reason: str | None = None
    """Why there is no forecast: an error class such as `timeout`, or `abstained`."""
    p: float | None = None
    attempts: int = 1
    latency_ms: int | None = None
    tokens: int | None = None
    cost_usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The figures of one agent. Rates are shares of the questions that it was asked."""

    asked: int
    answered: int
    retried: int
    failure_rates: dict[str, float]
    """Share of the questions by reason: timeout, invalid_output, filtered, round_closed, abstained and others."""
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    tokens: int | None
    cost_usd: Decimal | None
    """Dollars, over the attempts whose cost is known."""
    cost_per_forecast: Decimal | None
    """Dollars; None if the cost of an attempt is unknown."""
    replicate_stdev: float | None
    """Pooled standard deviation of p between replicates of one question: the noise of the contestant."""


def operations(decisions: Iterable[DecisionEffort]) -> Operations:
    """The figures of one agent. Skipped decisions (budget, circuit breaker) do not count as asked."""
    rows = [decision for decision in decisions if decision.status != "skipped"]
    answered = [decision for decision in rows if decision.p is not None]
    reasons = Counter(decision.reason or "unknown" for decision in rows if decision.p is None)
    latencies = sorted(decision.latency_ms for decision in rows if decision.latency_ms is not None)
    costs = [decision.cost_usd for decision in rows if decision.cost_usd is not None]
    tokens = [decision.tokens for decision in rows if decision.tokens is not None]
    cost = sum(costs, ZERO) if costs else None
    return Operations(
        asked=len(rows),
        answered=len(answered),
        retried=sum(decision.attempts > 1 for decision in rows),
        failure_rates={reason: number / len(rows) for reason, number in sorted(reasons.items())},
        latency_p50_ms=_quantile(latencies, 0.5),
        latency_p95_ms=_quantile(latencies, 0.95),
        tokens=sum(tokens) if tokens else None,
        cost_usd=cost,
        cost_per_forecast=cost / len(answered) if cost is not None and answered and len(costs) == len(rows) else None,
        replicate_stdev=_noise(answered),
    )


def _quantile(ordered: Sequence[int], share: float) -> int | None:
    """The nearest-rank quantile: the smallest value that at least `share` of the values do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _noise(answered: Sequence[DecisionEffort]) -> float | None:
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for decision in answered:
        if decision.p is not None:
            groups[decision.question].append(decision.p)
    spreads = [variance(values) for values in groups.values() if len(values) > 1]
    return math.sqrt(fmean(spreads)) if spreads else None
