"""What contestants' answers took, for the board: failures, time, tokens, money. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from coliseum.arena.records.rows import DecisionWork
from coliseum.arena.scoring.operations import DecisionEffort, operations
from coliseum.trading.money import decimal_text

BILLED = Decimal("0.000000001")
"""Dollars are told to this part: a mean of bills has no end."""


def work_figures(work: Iterable[DecisionWork]) -> dict[str, dict[str, Any]]:
    """Agent -> its figures in JSON's own types; dollars as text."""
    by_agent: defaultdict[str, list[DecisionEffort]] = defaultdict(list)
    for one in work:
        by_agent[one.agent_id].append(_asked(one))
    return {
        agent: {name: _told(value) for name, value in asdict(operations(rows)).items()}
        for agent, rows in sorted(by_agent.items())
    }


def with_value_for_money(
    figures: Mapping[str, dict[str, Any]], scores: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The figures with what the money bought: skill per dollar, and who is on the frontier of skill and cost."""
    known = {
        agent: (float(found["cost_per_forecast"]), scores[agent]["skill"])
        for agent, found in figures.items()
        if found["cost_per_forecast"] is not None and agent in scores and scores[agent]["skill"] is not None
    }
    return {
        agent: {
            **found,
            "skill_per_dollar": known[agent][1] / known[agent][0] if agent in known and known[agent][0] > 0 else None,
            "frontier": _undominated(known[agent], known.values()) if agent in known else None,
        }
        for agent, found in figures.items()
    }


def _undominated(mine: tuple[float, float], others: Iterable[tuple[float, float]]) -> bool:
    """Whether nobody has more skill for no more money, or as much for less."""
    cost, skill = mine
    return not any(
        other != mine and other_cost <= cost and other_skill >= skill
        for other in others
        for other_cost, other_skill in [other]
    )


def _asked(one: DecisionWork) -> DecisionEffort:
    return DecisionEffort(
        question=f"{one.round_id}/{one.ticker}",
        status=one.status,
        reason=_reason(one),
        p=None if one.p is None else float(one.p),
        attempts=one.attempts,
        latency_ms=one.latency_ms,
        tokens=one.tokens,
        cost_usd=one.cost_usd,
    )


def _reason(one: DecisionWork) -> str | None:
    """Why there is no forecast; the round is over, so what nobody answered stays so."""
    if one.p is not None:
        return None
    if one.status == "done":
        return "abstained"
    return one.reason if one.status == "failed" else "round_closed"


def _told(value: Any) -> Any:
    return decimal_text(value.quantize(BILLED)) if isinstance(value, Decimal) else value
