"""Builds the cells of the scoring engine from the arena's rows: one for every question, answered or not. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from coliseum.arena.calendar import horizon_label
from coliseum.arena.forecasts import Track
from coliseum.arena.records.rows import AskedMarket, Result, ScoredForecast
from coliseum.arena.replicates import spread
from coliseum.arena.scoring.cell import Cell
from coliseum.arena.scoring.event_spans import EventSpan, clusters
from coliseum.trading.money import ONE

MarketKey = tuple[str, str]
"""(Round, ticker)."""
QuestionKey = tuple[str, str, str]
"""(Agent, round, ticker)."""

LATER = {"q_1h": (timedelta(hours=1), timedelta(hours=2)), "q_24h": (timedelta(hours=24), timedelta(hours=30))}
"""A later price is the first one that was frozen in this time span after the forecast."""


def cells(
    *,
    track: Track,
    markets: Mapping[MarketKey, AskedMarket],
    questions: Iterable[QuestionKey],
    answers: Iterable[ScoredForecast],
    results: Mapping[str, Result],
    now: datetime,
) -> list[Cell]:
    """One cell for each question; an answer without a question counts as one. Cells without a result are not graded.

    `now` is the time from `asked_until`. If a market settles before its cluster is due, its evidence waits until then,
    because a later round may still ask about an event of the same cluster, or of one that is due earlier.
    """
    answered = {(answer.agent_id, answer.round_id, answer.ticker): answer for answer in answers}
    forecasts = {question: answer.p for question, answer in answered.items()}
    asked = {question for question in (*questions, *forecasts) if question[1:] in markets}
    clusters_by_event = event_clusters(markets.values())
    later = later_prices(markets.values())
    result: list[Cell] = []
    for question in sorted(asked):
        agent, round_id, ticker = question
        market, p = markets[round_id, ticker], forecasts.get(question)
        outcome, cluster = results.get(ticker), clusters_by_event[market.event_ticker]
        result.append(
            Cell(
                agent=agent,
                event=market.event_ticker,
                market=ticker,
                window=round_id,
                p=None if p is None else float(p),
                q=None if market.q is None else float(market.q),
                y=None if outcome is None else outcome.graded,
                category=market.category,
                horizon=horizon(market),
                track=track.value,
                group=None,
                role=None,
                volume=float(market.volume_24h),
                outcomes=market.outcomes,
                cluster=cluster.name,
                yes_ask=None if market.yes_ask is None else float(market.yes_ask),
                no_ask=None if market.yes_bid is None else float(ONE - market.yes_bid),
                structure="exclusive" if market.mutually_exclusive else None,
                due_at=cluster.due_at.timestamp() if cluster.due_at <= now else math.inf,
                settled_at=None if outcome is None else (outcome.decided_at or outcome.recorded_at).timestamp(),
                noise=None if p is None else spread([float(each) for each in answered[question].replicates]),
                **later[round_id, ticker],
            )
        )
    return result


def horizon(market: AskedMarket) -> str:
    """The label of the time between the freezing of the market and its close."""
    return horizon_label((market.close_time - market.snapshot_at).total_seconds() / 3600)


def later_prices(markets: Iterable[AskedMarket]) -> dict[MarketKey, dict[str, float | None]]:
    """The market's later prices for each question, as later rounds froze them. The last one counts as the close."""
    by_ticker: defaultdict[str, list[AskedMarket]] = defaultdict(list)
    for market in sorted(markets, key=lambda market: market.snapshot_at):
        by_ticker[market.ticker].append(market)
    result: dict[MarketKey, dict[str, float | None]] = {}
    for frozen in by_ticker.values():
        for index, market in enumerate(frozen):
            after = frozen[index + 1 :]
            spans = {
                name: _first_price(after, market.snapshot_at + least, market.snapshot_at + most)
                for name, (least, most) in LATER.items()
            }
            last = next((later.q for later in reversed(after) if later.q is not None), None)
            result[market.round_id, market.ticker] = {**spans, "q_close": None if last is None else float(last)}
    return result


@dataclass(frozen=True, slots=True)
class EventCluster:
    """Events that depend on each other. It has the name of the first event and the last of the scheduled closes."""

    name: str
    due_at: datetime


def event_clusters(markets: Iterable[AskedMarket]) -> dict[str, EventCluster]:
    """The cluster of each event: events of one series that are open for forecasts at the same time share one.

    The span of an event comes from its first round alone. What later rounds or results say about its end may depend on
    the outcome.
    """
    first: dict[str, AskedMarket] = {}
    ends: dict[str, datetime] = {}
    for market in sorted(markets, key=lambda market: (market.snapshot_at, market.round_id)):
        opened = first.setdefault(market.event_ticker, market)
        if market.round_id == opened.round_id:
            ends[market.event_ticker] = max(ends.get(market.event_ticker, market.close_time), market.close_time)
    names = clusters(
        EventSpan(
            event=event,
            series=market.series_ticker,
            start=market.snapshot_at.timestamp(),
            end=ends[event].timestamp(),
        )
        for event, market in first.items()
    )
    due_at: dict[str, datetime] = {}
    for event, name in names.items():
        due_at[name] = max(due_at.get(name, ends[event]), ends[event])
    return {event: EventCluster(name, due_at[name]) for event, name in names.items()}


class RoundTimes(Protocol):
    """What a report needs to know of a round."""

    @property
    def round_id(self) -> str: ...
    @property
    def slot(self) -> datetime: ...
    @property
    def closes_at(self) -> datetime: ...
    @property
    def exchange(self) -> str: ...


def asked_until(rounds: Iterable[RoundTimes], now: datetime) -> datetime:
    """The time until which all questions are known to the report: open rounds are secret, so it is before the first."""
    return min([now, *(round_.slot for round_ in rounds if round_.slot <= now < round_.closes_at)])


def _first_price(markets: Sequence[AskedMarket], least: datetime, most: datetime) -> float | None:
    prices = (market.q for market in markets if market.q is not None and least <= market.snapshot_at <= most)
    return next(map(float, prices), None)
