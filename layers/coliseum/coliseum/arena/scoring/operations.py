"""How a contestant worked, apart from how well it knew: failures, time, tokens, money, noise. Pure."""

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
    """One decision of one agent, with what its last attempt took. None is unknown, never 0."""

    question: str
    """Replicates of one question share it."""
    status: str
    """done, failed or skipped."""
    reason: str | None = None
    """Why it did not end in a forecast: an error class such as `timeout`, or `abstained`."""
    p: float | None = None
    attempts: int = 1
    latency_ms: int | None = None
    tokens: int | None = None
    cost_usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """One agent's; rates are shares of what it was asked."""

    asked: int
    answered: int
    retried: int
    failure_rates: dict[str, float]
    """Reason -> share: timeout, invalid_output, filtered, round_closed, abstained ..."""
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    tokens: int | None
    cost_usd: Decimal | None
    """Of the attempts whose bill is known."""
    cost_per_forecast: Decimal | None
    """None where a bill is unknown."""
    replicate_stdev: float | None
    """Standard deviation of p between replicates of one question, pooled: the contestant's own noise."""


def operations(decisions: Iterable[DecisionEffort]) -> Operations:
    """What one agent's decisions took; what the house skipped (budget, circuit) was not asked."""
    rows = [one for one in decisions if one.status != "skipped"]
    answered = [one for one in rows if one.p is not None]
    reasons = Counter(one.reason or "unknown" for one in rows if one.p is None)
    latencies = sorted(one.latency_ms for one in rows if one.latency_ms is not None)
    costs = [one.cost_usd for one in rows if one.cost_usd is not None]
    tokens = [one.tokens for one in rows if one.tokens is not None]
    cost = sum(costs, ZERO) if costs else None
    return Operations(
        asked=len(rows),
        answered=len(answered),
        retried=sum(one.attempts > 1 for one in rows),
        failure_rates={reason: number / len(rows) for reason, number in sorted(reasons.items())},
        latency_p50_ms=_quantile(latencies, 0.5),
        latency_p95_ms=_quantile(latencies, 0.95),
        tokens=sum(tokens) if tokens else None,
        cost_usd=cost,
        cost_per_forecast=cost / len(answered) if cost is not None and answered and len(costs) == len(rows) else None,
        replicate_stdev=_noise(answered),
    )


def _quantile(ordered: Sequence[int], share: float) -> int | None:
    """The smallest value that at least `share` of them do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _noise(answered: Sequence[DecisionEffort]) -> float | None:
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for one in answered:
        if one.p is not None:
            groups[one.question].append(one.p)
    spreads = [variance(values) for values in groups.values() if len(values) > 1]
    return math.sqrt(fmean(spreads)) if spreads else None
