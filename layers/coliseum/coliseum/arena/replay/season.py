"""A season over a recording: a simulated clock, the live code for everything else. Pure and deterministic.

Per slot of the clock: show the exchange what was recorded by then → settle → mark → open a round as the live arena
does → every contestant forecasts the frozen contexts → the accounts trade. At the end: score, rank, stamp.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from coliseum.arena.agents import contestants
from coliseum.arena.calendar import RoundSlot, season_of, slot_at
from coliseum.arena.forecasts import Forecast, Track
from coliseum.arena.frozen_context import visible_context
from coliseum.arena.paper.records import PaperAccount
from coliseum.arena.paper.sizing import DEPOSIT, policies_of
from coliseum.arena.paper.trading import TradableForecast
from coliseum.arena.records.rows import (
    AskedMarket,
    Result,
    Round,
    RoundMarket,
    ScoredForecast,
    decision_id,
    round_market_from,
)
from coliseum.arena.replay.exchange import RecordedExchange
from coliseum.arena.replay.ledgers import ReplayLedgers
from coliseum.arena.replay.recording import Recording
from coliseum.arena.rounds.markets import frozen_markets
from coliseum.arena.settling.results import new_result
from coliseum.errors import SourceMalformed
from coliseum.trading.markets import Market

Key = tuple[str, str]
"""(round, ticker)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """What rounds look like in the replay."""

    every: timedelta
    open_for: timedelta
    markets: int = 20
    per_event: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayContestant:
    """A contestant that needs no model: a rule of the contestants, or the consensus."""

    agent_id: str
    kind: str
    tracks: tuple[Track, ...]
    params: Mapping[str, Any]


@dataclass(slots=True)
class ReplaySeason:
    """What happened."""

    name: str
    exchange: str
    ledgers: ReplayLedgers
    pools: frozenset[str]
    """Agents that pool the others."""
    rounds: dict[str, Round] = field(default_factory=dict)
    markets: dict[Key, AskedMarket] = field(default_factory=dict)
    offers: dict[Track, list[tuple[str, str, str]]] = field(default_factory=lambda: {track: [] for track in Track})
    answers: dict[Track, list[ScoredForecast]] = field(default_factory=lambda: {track: [] for track in Track})
    results: dict[str, Result] = field(default_factory=dict)
    reasons: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Account -> how often it traded, and why it did not."""
    problems: list[str] = field(default_factory=list)
    """Final markets that make no sense; nobody is paid for them."""


def play_season(
    recording: Recording,
    players: Sequence[ReplayContestant],
    plan: ReplayPlan,
    *,
    told: Callable[[datetime], None] = lambda now: None,
) -> ReplaySeason:
    """Play the whole recording. `told` hears the clock, for a progress bar."""
    name = season_of(recording.start)
    pools = frozenset(one.agent_id for one in players if one.kind == "consensus")
    season = ReplaySeason(name, recording.exchange, ReplayLedgers(_accounts(players, name)), pools)
    exchange = RecordedExchange(recording.rows)
    for slot in _slots(recording, plan):
        now = slot.starts_at
        told(now)
        _settle(season, exchange, exchange.advance(now), now)
        season.ledgers.mark(now, exchange)
        _play(season, exchange, players, plan, slot)
    _settle(season, exchange, exchange.advance(recording.end), recording.end)
    season.ledgers.mark(recording.end, exchange)
    return season


def _slots(recording: Recording, plan: ReplayPlan) -> Iterator[RoundSlot]:
    """Every slot that begins inside the recording."""
    slot = slot_at(recording.start, every=plan.every)
    while slot.starts_at <= recording.end:
        if slot.starts_at >= recording.start:
            yield slot
        slot = slot_at(slot.starts_at + plan.every, every=plan.every)


def _settle(season: ReplaySeason, exchange: RecordedExchange, final: Sequence[Market], now: datetime) -> None:
    new: list[Result] = []
    for market in final:
        before = season.results.get(market.ticker)
        try:
            found = new_result(market, before)
        except SourceMalformed as error:
            season.problems.append(str(error))
            continue
        if found is None:
            continue
        result = Result(
            ticker=market.ticker,
            version=1 if before is None else before.version + 1,
            result=found[0],
            value=found[1],
            decided_at=exchange.finalized_at(market.ticker),
            recorded_at=now,
        )
        season.results[market.ticker] = result
        new.append(result)
    season.ledgers.settle(new)


def _play(
    season: ReplaySeason,
    exchange: RecordedExchange,
    players: Sequence[ReplayContestant],
    plan: ReplayPlan,
    slot: RoundSlot,
) -> None:
    now = slot.starts_at
    rows = frozen_markets(
        exchange,
        slot,
        clock=lambda: now,
        wanted=plan.markets,
        per_event=plan.per_event,
        open_for=plan.open_for,
        exchange=season.exchange,
    )
    if not rows:
        return
    held = Round(
        round_id=slot.round_id,
        slot=now,
        season=season.name,
        opened_at=now,
        closes_at=now + plan.open_for,
        status="complete",
        exchange=season.exchange,
        seed=slot.seed,
        markets=len(rows),
        funded_at=None,
    )
    season.rounds[held.round_id] = held
    for row in rows:
        market = round_market_from(row)
        season.markets[held.round_id, market.ticker] = _asked(row, market)
        for track in Track:
            for agent_id, forecast in _forecasts(players, market, track, seed=slot.seed):
                _take(season, exchange, held, market, agent_id=agent_id, track=track, forecast=forecast)


def _forecasts(
    players: Sequence[ReplayContestant], market: RoundMarket, track: Track, *, seed: int
) -> Iterator[tuple[str, Forecast]]:
    """Everybody's answer; the consensus pools the others' and speaks last."""
    context, panel = visible_context(market.context, track), dict[str, Decimal]()
    playing = [one for one in players if track in one.tracks]
    for player in playing:
        if player.kind == "consensus":
            continue
        parameters: Mapping[str, float] = player.params.get("parameters", {})
        forecast = contestants.forecast(player.params["rule"], context, parameters=parameters, seed=seed)
        if forecast.probability is not None:
            panel[player.agent_id] = forecast.probability
        yield player.agent_id, forecast
    for player in playing:
        if player.kind == "consensus":
            left_out = {player.agent_id, *player.params.get("leaves_out", ())}
            yield player.agent_id, contestants.pooled({name: p for name, p in panel.items() if name not in left_out})


def _take(
    season: ReplaySeason,
    exchange: RecordedExchange,
    held: Round,
    market: RoundMarket,
    *,
    agent_id: str,
    track: Track,
    forecast: Forecast,
) -> None:
    season.offers[track].append((agent_id, held.round_id, market.ticker))
    season.answers[track].append(
        ScoredForecast(
            round_id=held.round_id,
            ticker=market.ticker,
            agent_id=agent_id,
            p=forecast.probability,
            created_at=held.opened_at,
        )
    )
    case = TradableForecast(
        decision_id=decision_id(held.round_id, market.ticker, agent_id, track),
        agent_id=agent_id,
        track=track,
        round=held,
        market=market,
        forecast=forecast,
        made_at=held.opened_at,
    )
    for note in season.ledgers.trade(case, exchange):
        season.reasons[note.account_id][note.reason] += 1


def _asked(row: Mapping[str, Any], market: RoundMarket) -> AskedMarket:
    bid, ask = row["yes_bid"], row["yes_ask"]
    return AskedMarket(
        round_id=market.round_id,
        ticker=market.ticker,
        event_ticker=market.event_ticker,
        series_ticker=market.series_ticker,
        category=market.category,
        close_time=market.close_time,
        q=market.q,
        yes_bid=None if bid is None else Decimal(bid),
        yes_ask=None if ask is None else Decimal(ask),
        volume_24h=market.volume_24h,
        outcomes=1 + len(market.context["question"]["other_outcomes"]),
        mutually_exclusive=market.context["terms"]["mutually_exclusive"],
        snapshot_at=market.snapshot_at,
    )


def _accounts(players: Sequence[ReplayContestant], season: str) -> tuple[PaperAccount, ...]:
    return tuple(
        PaperAccount(
            account_id=f"{season}/{player.agent_id}/{policy.value}",
            season=season,
            agent_id=player.agent_id,
            policy=policy,
            track=Track.BLIND if Track.BLIND in player.tracks else Track.AWARE,
            deposit=DEPOSIT,
        )
        for player in players
        for policy in policies_of(player.kind)
    )
