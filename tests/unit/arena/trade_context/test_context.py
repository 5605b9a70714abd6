"""What the panel says beside a trade of the bot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from coliseum.arena.forecasts import Track
from coliseum.arena.trade_context.context import PanelForecast, trade_context

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
TRADE: dict[str, Any] = {
    "timestamp": NOW.timestamp(),
    "ticker": "KXA-1",
    "trade_id": "t1",
    "side": "BUY",
    "outcome": "yes",
    "price_dollars": "0.5000",
    "fee": "0.02",
}


def voice(agent: str, p: str, *, track: Track = Track.BLIND, kind: str = "llm", **more: Any) -> PanelForecast:
    values: dict[str, Any] = {"round_id": "r-1", "made_at": NOW - timedelta(minutes=10), **more}
    return PanelForecast(agent_id=agent, kind=kind, track=track, p=Decimal(p), **values)


@pytest.mark.parametrize(
    ("side", "outcome", "edge", "agree"),
    [
        ("BUY", "yes", "0.2000", 2),
        ("SELL", "yes", "-0.2000", 1),
        ("BUY", "no", "-0.2000", 1),
        ("SELL", "no", "0.2000", 2),
    ],
)
def test_edge_and_agreement_are_seen_from_the_trade(side: str, outcome: str, edge: str, agree: int) -> None:
    said = [voice("a", "0.8"), voice("b", "0.6"), voice("c", "0.3"), voice("all", "0.7", kind="consensus")]
    found = trade_context({**TRADE, "side": side, "outcome": outcome}, "1-1", said)
    assert found is not None
    assert (found["consensus"], found["edge"], found["agree"], found["agents"]) == (0.7, edge, agree, 3)


def test_without_a_consensus_agent_the_panel_is_pooled_in_log_odds() -> None:
    found = trade_context(TRADE, "1-1", [voice("a", "0.9"), voice("b", "0.1")])
    assert found is not None
    assert found["consensus"] == 0.5


def test_only_forecasts_made_before_the_trade_count() -> None:
    late = voice("a", "0.9", made_at=NOW + timedelta(seconds=1))
    assert trade_context(TRADE, "1-1", [late]) is None
    assert trade_context(TRADE, "1-1", []) is None


def test_only_the_newest_and_aware_forecast_of_an_agent_counts() -> None:
    said = [
        voice("a", "0.9", round_id="r-0"),
        voice("a", "0.2", track=Track.AWARE),
        voice("a", "0.7", made_at=NOW - timedelta(minutes=1)),
    ]
    found = trade_context(TRADE, "1-1", said)
    assert found is not None
    assert (found["consensus"], found["agents"], found["round_id"]) == (0.2, 1, "r-1")


def test_where_the_bot_names_no_outcome_nobody_agrees_or_disagrees() -> None:
    found = trade_context({**TRADE, "outcome": None}, "1-1", [voice("a", "0.9")])
    assert found is not None
    assert (found["edge"], found["agree"], found["agents"]) == (None, None, 1)
