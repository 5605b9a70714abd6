"""What the panel last said about a market that the bot has traded. Pure."""

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
"""The kind of agent that pools the others."""


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


def trade_context(trade: Mapping[str, Any], entry_id: str, said: Sequence[PanelForecast]) -> dict[str, object] | None:
    """The panel beside a trade of the feed; None where nobody had spoken before it.

    Only what was said before the trade counts. Each agent has one voice, its newest, and its aware one where it
    spoke twice in a round. `edge` is dollars per contract that the panel expects from the trade.
    """
    voices = _panel(voice for voice in said if voice.made_at.timestamp() <= trade["timestamp"])
    opinions = [voice for voice in voices if voice.kind != POOL]
    if not opinions:
        return None
    newest = max(opinions, key=lambda voice: voice.made_at)
    pooled = _pooled(voices, newest)
    edges = {voice.agent_id: edge for voice in opinions if (edge := _edge(trade, voice.p)) is not None}
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


def _panel(said: Iterable[PanelForecast]) -> list[PanelForecast]:
    """One voice per agent."""
    chosen: dict[str, PanelForecast] = {}
    for voice in sorted(said, key=lambda voice: (voice.round_id, voice.track is Track.AWARE, voice.made_at)):
        chosen[voice.agent_id] = voice
    return list(chosen.values())


def _pooled(voices: Sequence[PanelForecast], newest: PanelForecast) -> Decimal:
    """What the consensus agent said in the newest round, else the mean of the panel's log-odds."""
    pools = [voice.p for voice in voices if voice.kind == POOL and voice.round_id == newest.round_id]
    if pools:
        return pools[0]
    found = consensus({voice.agent_id: float(voice.p) for voice in voices if voice.kind != POOL})
    return Decimal(repr(found)).quantize(Decimal("0.0001"))


def _edge(trade: Mapping[str, Any], p: Decimal) -> Decimal | None:
    """Dollars per contract: the side's probability against its price. None where the bot does not name the side."""
    if trade["outcome"] is None:
        return None
    chance = p if trade["outcome"] == Outcome.YES.value else ONE - p
    price = Decimal(trade["price_dollars"])
    return chance - price if trade["side"] == Side.BUY.value else price - chance
