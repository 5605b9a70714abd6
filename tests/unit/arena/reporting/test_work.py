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


def test_every_agent_has_its_figures_in_jsons_own_types() -> None:
    found = work_figures(
        [DONE, replace(DONE, ticker="U"), failed("timeout"), replace(DONE, agent_id="b", cost_usd=None)]
    )

    assert found == json.loads(json.dumps(found))
    assert found["a"] == {
        "asked": 3, "answered": 2, "retried": 3, "failure_rates": {"timeout": pytest.approx(1 / 3)},
        "latency_p50_ms": 900, "latency_p95_ms": 900, "tokens": 2500, "cost_usd": "0.07", "cost_per_forecast": "0.035",
        "replicate_stdev": None,
    }  # fmt: skip
    assert (found["b"]["cost_usd"], found["b"]["cost_per_forecast"]) == (None, None)


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (failed("refusal"), "refusal"),
        (failed(None, "done"), "abstained"),
        (failed(None, "pending"), "round_closed"),
        (failed("timeout", "running"), "round_closed"),
    ],
)
def test_what_has_no_forecast_has_a_reason(work: DecisionWork, reason: str) -> None:
    """Rounds that count are over: what is still pending there will not be answered."""
    assert work_figures([work])["a"]["failure_rates"] == {reason: 1.0}


def test_a_mean_of_bills_is_told_to_a_billionth_of_a_dollar() -> None:
    thirds = [replace(DONE, ticker=name, cost_usd=Decimal("0.01")) for name in "TU"]

    assert (
        work_figures([*thirds, replace(DONE, ticker="V", cost_usd=Decimal(0))])["a"]["cost_per_forecast"]
        == "0.006666667"
    )


def test_the_frontier_is_where_nobody_gives_more_skill_for_the_money() -> None:
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
    found = with_value_for_money(
        {agent: {"cost_per_forecast": cost} for agent, cost in costs.items()},
        {agent: {"skill": skill} for agent, skill in skills.items()},
    )

    assert {agent for agent, one in found.items() if one["frontier"]} == {"free", "cheap", "dear", "twin"}
    assert {agent for agent, one in found.items() if one["frontier"] is None} == {"unknown", "new"}
    assert found["cheap"]["skill_per_dollar"] == pytest.approx(2)
    assert (found["free"]["skill_per_dollar"], found["unknown"]["skill_per_dollar"]) == (None, None)
