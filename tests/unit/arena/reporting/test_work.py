from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from coliseum.arena.records.rows import DecisionWork
from coliseum.arena.reporting.work import with_value_for_money, work_figures

DONE = DecisionWork(
    agent_id="a", round_id="r", ticker="T", status="done", reason=None, p=Decimal("0.7"), attempts=2, latency_ms=900,
    tokens=1200, cost_usd=Decimal("0.0300"),
)  # fmt: skip


def failed(reason: str | None, status: str = "failed") -> DecisionWork:
    return replace(DONE, status=status, reason=reason, p=None, cost_usd=Decimal("0.01"), tokens=100)


def test_the_figures_of_every_agent_have_json_types() -> None:
    result = work_figures(
        [DONE, replace(DONE, ticker="U"), failed("timeout"), replace(DONE, agent_id="b", cost_usd=None)]
    )

    assert result == json.loads(json.dumps(result))
    assert result["a"] == {
        "asked": 3, "answered": 2, "retried": 3, "failure_rates": {"timeout": pytest.approx(1 / 3)},
        "latency_p50_ms": 900, "latency_p95_ms": 900, "tokens": 2500, "cost_usd": "0.07", "cost_per_forecast": "0.035",
        "replicate_stdev": None,
    }  # fmt: skip
    assert (result["b"]["cost_usd"], result["b"]["cost_per_forecast"]) == (None, None)


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (failed("refusal"), "refusal"),
        (failed(None, "done"), "abstained"),
        (failed(None, "pending"), "round_closed"),
        (failed("timeout", "running"), "round_closed"),
    ],
)
def test_a_decision_without_a_forecast_has_a_reason(work: DecisionWork, reason: str) -> None:
    """Only closed rounds count, so a pending question will not be answered."""
    assert work_figures([work])["a"]["failure_rates"] == {reason: 1.0}


def test_a_cost_per_forecast_is_rounded_to_a_billionth_of_a_dollar() -> None:
    thirds = [replace(DONE, ticker=name, cost_usd=Decimal("0.01")) for name in "TU"]

    assert (
        work_figures([*thirds, replace(DONE, ticker="V", cost_usd=Decimal(0))])["a"]["cost_per_forecast"]
        == "0.006666667"
    )


def test_the_frontier_has_the_agents_with_the_most_skill_for_their_cost() -> None:
    costs = {
        "free": "0.00",
        "cheap": "0.01",
        "dear": "0.20",
        "waste": "0.10",
        "twin": "0.20",
        "unknown": None,
        "new": "0.01",
    }
    skills = {"free": 0.0, "cheap": 0.02, "dear": 0.05, "waste": 0.02, "twin": 0.05, "unknown": 0.9, "new": None}
    result = with_value_for_money(
        {agent: {"cost_per_forecast": cost} for agent, cost in costs.items()},
        {agent: {"skill": skill} for agent, skill in skills.items()},
    )

    assert {agent for agent, one in result.items() if one["frontier"]} == {"free", "cheap", "dear", "twin"}
    assert {agent for agent, one in result.items() if one["frontier"] is None} == {"unknown", "new"}
    assert result["cheap"]["skill_per_dollar"] == pytest.approx(2)
    assert (result["free"]["skill_per_dollar"], result["unknown"]["skill_per_dollar"]) == (None, None)
