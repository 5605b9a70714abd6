"""The panel's last forecasts beside a trade of the live bot. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from coliseum.arena.agents.contestants import consensus
from coliseum.arena.calendar import time_text
from coliseum.arena.forecasts import Track
from coliseum.trading.money import ONE, decimal_text
from coliseum.trading.trades import Outcome, Side

POOL = "consensus"
"""The kind of the agent that pools the other forecasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelForecast:
    """An opened forecast of one market."""

    agent_id: str
    kind: str
    """llm, statistical or consensus."""
    track: Track
    p: Decimal
    round_id: str
    made_at: datetime


def trade_context(
    trade: Mapping[str, Any], entry_id: str, forecasts: Sequence[PanelForecast]
) -> dict[str, object] | None:
    """The panel's view of a trade of the feed; None where no forecast was made before it.

    Only forecasts made before the trade count. Of each agent the newest one counts, and of two in a round the aware
    one. `edge` is the profit that the panel expects, in dollars per contract.
    """
    panel = _panel(forecast for forecast in forecasts if forecast.made_at.timestamp() <= trade["timestamp"])
    opinions = [forecast for forecast in panel if forecast.kind != POOL]
    if not opinions:
        return None
    newest = max(opinions, key=lambda forecast: forecast.made_at)
    pooled = _pooled(panel, newest)
    edges = {forecast.agent_id: edge for forecast in opinions if (edge := _edge(trade, forecast.p)) is not None}
    edge = _edge(trade, pooled)
    return {
        "ticker": trade["ticker"],
        "trade_id": trade["trade_id"],
        "trade_event_id": entry_id,
        "consensus": float(pooled),
        "agents": len(opinions),
        "agree": sum(own > 0 for own in edges.values()) if edges else None,
        "fill_price": trade["price_dollars"],
        "fee": trade["fee"],
        "edge": None if edge is None else decimal_text(edge, places=4),
        "round_id": newest.round_id,
        "said_at": time_text(newest.made_at),
    }


def _panel(forecasts: Iterable[PanelForecast]) -> list[PanelForecast]:
    """One forecast per agent."""
    chosen: dict[str, PanelForecast] = {}
    for forecast in sorted(
        forecasts, key=lambda forecast: (forecast.round_id, forecast.track is Track.AWARE, forecast.made_at)
    ):
        chosen[forecast.agent_id] = forecast
    return list(chosen.values())


def _pooled(panel: Sequence[PanelForecast], newest: PanelForecast) -> Decimal:
    """The consensus agent's forecast of the newest round, else the mean log-odds of the panel."""
    pools = [forecast.p for forecast in panel if forecast.kind == POOL and forecast.round_id == newest.round_id]
    if pools:
        return pools[0]
    probability = consensus({forecast.agent_id: float(forecast.p) for forecast in panel if forecast.kind != POOL})
    return Decimal(repr(probability)).quantize(Decimal("0.0001"))


def _edge(trade: Mapping[str, Any], p: Decimal) -> Decimal | None:
    """Dollars per contract: the side's probability minus its price. None where the bot does not name the side."""
    if trade["outcome"] is None:
        return None
    chance = p if trade["outcome"] == Outcome.YES.value else ONE - p
    price = Decimal(trade["price_dollars"])
    return chance - price if trade["side"] == Side.BUY.value else price - chance
