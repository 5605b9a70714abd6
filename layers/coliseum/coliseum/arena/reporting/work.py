"""Operational figures of contestants for a report: failures, time, tokens and cost. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from coliseum.arena.records.rows import DecisionWork
from coliseum.arena.scoring.operations import DecisionEffort, operations
from coliseum.trading.money import decimal_text

COST_STEP = Decimal("0.000000001")
"""Dollars are rounded to this step, because a mean can have endless decimals."""


def work_figures(work: Iterable[DecisionWork]) -> dict[str, dict[str, Any]]:
    """The figures of each agent with JSON types only; dollars are text."""
    by_agent: defaultdict[str, list[DecisionEffort]] = defaultdict(list)
    for item in work:
        by_agent[item.agent_id].append(_effort(item))
    return {
        agent: {name: _json_value(value) for name, value in asdict(operations(rows)).items()}
        for agent, rows in sorted(by_agent.items())
    }


def with_value_for_money(
    figures: Mapping[str, dict[str, Any]], scores: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Add skill per dollar to the figures, and whether an agent is on the frontier of skill and cost."""
    cost_and_skill = {
        agent: (float(numbers["cost_per_forecast"]), scores[agent]["skill"])
        for agent, numbers in figures.items()
        if numbers["cost_per_forecast"] is not None and agent in scores and scores[agent]["skill"] is not None
    }
    return {
        agent: {
            **numbers,
            "skill_per_dollar": _skill_per_dollar(cost_and_skill.get(agent)),
            "frontier": _undominated(cost_and_skill[agent], cost_and_skill.values())
            if agent in cost_and_skill
            else None,
        }
        for agent, numbers in figures.items()
    }


def _skill_per_dollar(cost_and_skill: tuple[float, float] | None) -> float | None:
    if cost_and_skill is None or cost_and_skill[0] <= 0:
        return None
    cost, skill = cost_and_skill
    return skill / cost


def _undominated(mine: tuple[float, float], others: Iterable[tuple[float, float]]) -> bool:
    """Whether no other agent has at least as much skill at the same or a lower cost; equal agents do not count."""
    cost, skill = mine
    return not any(
        other != mine and other_cost <= cost and other_skill >= skill
        for other in others
        for other_cost, other_skill in [other]
    )


def _effort(work: DecisionWork) -> DecisionEffort:
    return DecisionEffort(
        question=f"{work.round_id}/{work.ticker}",
        status=work.status,
        reason=_reason(work),
        p=None if work.p is None else float(work.p),
        attempts=work.attempts,
        latency_ms=work.latency_ms,
        tokens=work.tokens,
        cost_usd=work.cost_usd,
    )


def _reason(work: DecisionWork) -> str | None:
    """Why there is no forecast. Reports use closed rounds only, so a pending question will not be answered."""
    if work.p is not None:
        return None
    if work.status == "done":
        return "abstained"
    return work.reason if work.status == "failed" else "round_closed"


def _json_value(value: Any) -> Any:
    return decimal_text(value.quantize(COST_STEP)) if isinstance(value, Decimal) else value
