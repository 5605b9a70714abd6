"""From the arena's rows to the engine's cells: every question that was asked, answered or not. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from coliseum.arena.calendar import horizon_label
from coliseum.arena.forecasts import Track
from coliseum.arena.records.rows import AskedMarket, Result, Round, ScoredForecast
from coliseum.arena.scoring.cells import Cell
from coliseum.arena.scoring.evidence import EventSpan, clusters
from coliseum.trading.money import ONE

MarketKey = tuple[str, str]
"""(round, ticker)."""
QuestionKey = tuple[str, str, str]
"""(agent, round, ticker)."""

LATER = {"q_1h": (timedelta(hours=1), timedelta(hours=2)), "q_24h": (timedelta(hours=24), timedelta(hours=30))}
"""A later price is the first one frozen in this span after the forecast's; rounds do not meet every hour."""


def cells(
    *,
    track: Track,
    markets: Mapping[MarketKey, AskedMarket],
    offers: Iterable[QuestionKey],
    answers: Iterable[ScoredForecast],
    results: Mapping[str, Result],
    now: datetime,
) -> list[Cell]:
    """One cell per offer; an answer without an offer counts as one. What has no result yet is not graded.

    A market that settles before its cluster is due waits for the evidence until then, because a later round may still
    ask for an event of the same cluster, or for one that is due earlier. `now` is the time of `asked_until`.
    """
    said = {(one.agent_id, one.round_id, one.ticker): one.p for one in answers}
    asked = {offer for offer in (*offers, *said) if offer[1:] in markets}
    groups = event_clusters(markets.values())
    later = later_prices(markets.values())
    found: list[Cell] = []
    for offer in sorted(asked):
        agent, round_id, ticker = offer
        market, p = markets[round_id, ticker], said.get(offer)
        result, group = results.get(ticker), groups[market.event_ticker]
        found.append(
            Cell(
                agent=agent,
                event=market.event_ticker,
                market=ticker,
                window=round_id,
                p=None if p is None else float(p),
                q=None if market.q is None else float(market.q),
                y=None if result is None else result.graded,
                category=market.category,
                horizon=horizon(market),
                track=track.value,
                volume=float(market.volume_24h),
                outcomes=market.outcomes,
                cluster=group.name,
                yes_ask=None if market.yes_ask is None else float(market.yes_ask),
                no_ask=None if market.yes_bid is None else float(ONE - market.yes_bid),
                structure="exclusive" if market.mutually_exclusive else None,
                due_at=group.due_at.timestamp() if group.due_at <= now else math.inf,
                settled_at=None if result is None else (result.decided_at or result.recorded_at).timestamp(),
                **later[round_id, ticker],
            )
        )
    return found


def horizon(market: AskedMarket) -> str:
    """How long the market had left when it was frozen."""
    return horizon_label((market.close_time - market.snapshot_at).total_seconds() / 3600)


def later_prices(markets: Iterable[AskedMarket]) -> dict[MarketKey, dict[str, float | None]]:
    """What the market said of each question afterwards, as later rounds froze it; the last one stands for the close."""
    by_ticker: defaultdict[str, list[AskedMarket]] = defaultdict(list)
    for market in sorted(markets, key=lambda one: one.snapshot_at):
        by_ticker[market.ticker].append(market)
    found: dict[MarketKey, dict[str, float | None]] = {}
    for frozen in by_ticker.values():
        for index, market in enumerate(frozen):
            after = frozen[index + 1 :]
            spans = {
                name: _first_price(after, market.snapshot_at + least, market.snapshot_at + most)
                for name, (least, most) in LATER.items()
            }
            last = next((one.q for one in reversed(after) if one.q is not None), None)
            found[market.round_id, market.ticker] = {**spans, "q_close": None if last is None else float(last)}
    return found


@dataclass(frozen=True, slots=True)
class EventCluster:
    """Events that depend on each other, named by the first of them, and the last of their scheduled closes."""

    name: str
    due_at: datetime


def event_clusters(markets: Iterable[AskedMarket]) -> dict[str, EventCluster]:
    """Event -> cluster: events of one series that are on the board at the same time depend on each other.

    An event's life is what its first round knew of it. What later rounds or results tell may follow from the outcome.
    """
    first: dict[str, AskedMarket] = {}
    ends: dict[str, datetime] = {}
    for market in sorted(markets, key=lambda one: (one.snapshot_at, one.round_id)):
        opened = first.setdefault(market.event_ticker, market)
        if market.round_id == opened.round_id:
            ends[market.event_ticker] = max(ends.get(market.event_ticker, market.close_time), market.close_time)
    names = clusters(
        EventSpan(event=event, series=one.series_ticker, start=one.snapshot_at.timestamp(), end=ends[event].timestamp())
        for event, one in first.items()
    )
    due_at: dict[str, datetime] = {}
    for event, name in names.items():
        due_at[name] = max(due_at.get(name, ends[event]), ends[event])
    return {event: EventCluster(name, due_at[name]) for event, name in names.items()}


def asked_until(rounds: Iterable[Round], now: datetime) -> datetime:
    """Until when everything that was asked for is on the board: a round is secret while it is open."""
    return min([now, *(one.slot for one in rounds if one.slot <= now < one.closes_at)])


def _first_price(markets: Sequence[AskedMarket], least: datetime, most: datetime) -> float | None:
    return next((float(one.q) for one in markets if one.q is not None and least <= one.snapshot_at <= most), None)
