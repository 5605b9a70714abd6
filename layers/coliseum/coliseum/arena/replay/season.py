"""Plays a season over a recording, with a simulated clock and the code of the live arena. Pure and deterministic.

For each slot: let the exchange read the recording up to the slot, settle, mark, open a round as the live arena does,
let every contestant forecast the frozen contexts, and let the accounts trade.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from coliseum.arena.agents import contestants as rules
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
from coliseum.arena.reporting.ranking import references_among
from coliseum.arena.rounds.markets import frozen_markets
from coliseum.arena.settling.results import new_result
from coliseum.errors import SourceMalformed
from coliseum.trading.markets import Market

Key = tuple[str, str]
"""(Round, ticker)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """How often rounds are opened, for how long, and with how many markets."""

    every: timedelta
    open_for: timedelta
    markets: int = 20
    per_event: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayContestant:
    """A contestant that needs no model: a rule or the consensus."""

    agent_id: str
    kind: str
    tracks: tuple[Track, ...]
    params: Mapping[str, Any]


@dataclass(slots=True)
class ReplaySeason:
    """Everything that happened in a replayed season."""

    name: str
    exchange: str
    ledgers: ReplayLedgers
    pools: frozenset[str]
    """Agents that pool the forecasts of the others."""
    references: Mapping[str, str]
    """Agents that are shown for comparison only, each with the reason."""
    rounds: dict[str, Round] = field(default_factory=dict)
    markets: dict[Key, AskedMarket] = field(default_factory=dict)
    questions: dict[Track, list[tuple[str, str, str]]] = field(default_factory=lambda: {track: [] for track in Track})
    answers: dict[Track, list[ScoredForecast]] = field(default_factory=lambda: {track: [] for track in Track})
    results: dict[str, Result] = field(default_factory=dict)
    reasons: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """For each account the number of its decisions by reason."""
    problems: list[str] = field(default_factory=list)
    """Messages about final markets that make no sense. They are not settled."""


def play_season(
    recording: Recording,
    contestants: Sequence[ReplayContestant],
    plan: ReplayPlan,
    *,
    on_slot: Callable[[datetime], None] = lambda now: None,
) -> ReplaySeason:
    """Play the whole recording. `on_slot` is called with the simulated time of each slot."""
    name = season_of(recording.start)
    pools = frozenset(contestant.agent_id for contestant in contestants if contestant.kind == "consensus")
    references = references_among((contestant.agent_id, contestant.params) for contestant in contestants)
    ledgers = ReplayLedgers(_accounts(contestants, name))
    season = ReplaySeason(name, recording.exchange, ledgers, pools, references)
    exchange = RecordedExchange(recording.rows)
    for slot in _slots(recording, plan):
        now = slot.starts_at
        on_slot(now)
        _settle(season, exchange, exchange.advance(now), now)
        season.ledgers.mark(now, exchange)
        _play(season, exchange, contestants, plan, slot)
    _settle(season, exchange, exchange.advance(recording.end), recording.end)
    season.ledgers.mark(recording.end, exchange)
    return season


def _slots(recording: Recording, plan: ReplayPlan) -> Iterator[RoundSlot]:
    """Every slot that starts within the recording."""
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
            new_outcome = new_result(market, before)
        except SourceMalformed as error:
            season.problems.append(str(error))
            continue
        if new_outcome is None:
            continue
        result = Result(
            ticker=market.ticker,
            version=1 if before is None else before.version + 1,
            result=new_outcome[0],
            value=new_outcome[1],
            decided_at=exchange.finalized_at(market.ticker),
            recorded_at=now,
        )
        season.results[market.ticker] = result
        new.append(result)
    season.ledgers.settle(new)


def _play(
    season: ReplaySeason,
    exchange: RecordedExchange,
    contestants: Sequence[ReplayContestant],
    plan: ReplayPlan,
    slot: RoundSlot,
) -> None:
    """Open the round of the slot, if a market qualifies, and let all contestants answer and trade."""
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
    round_ = _round(season, plan, slot, markets=len(rows))
    season.rounds[round_.round_id] = round_
    for row in rows:
        market = round_market_from(row)
        season.markets[round_.round_id, market.ticker] = _asked(row, market)
        for track in Track:
            for agent_id, forecast in _forecasts(contestants, market, track, seed=slot.seed):
                _record_answer(season, exchange, round_, market, agent_id=agent_id, track=track, forecast=forecast)


def _round(season: ReplaySeason, plan: ReplayPlan, slot: RoundSlot, *, markets: int) -> Round:
    return Round(
        round_id=slot.round_id,
        slot=slot.starts_at,
        season=season.name,
        opened_at=slot.starts_at,
        closes_at=slot.starts_at + plan.open_for,
        status="complete",
        exchange=season.exchange,
        seed=slot.seed,
        markets=markets,
        funded_at=None,
    )


def _forecasts(
    contestants: Sequence[ReplayContestant], market: RoundMarket, track: Track, *, seed: int
) -> Iterator[tuple[str, Forecast]]:
    """The forecasts of all contestants. The consensus comes last, because it pools the forecasts of the others."""
    context, probabilities = visible_context(market.context, track), dict[str, Decimal]()
    on_track = [contestant for contestant in contestants if track in contestant.tracks]
    for contestant in on_track:
        if contestant.kind == "consensus":
            continue
        parameters: Mapping[str, float] = contestant.params.get("parameters", {})
        forecast = rules.forecast(contestant.params["rule"], context, parameters=parameters, seed=seed)
        if forecast.probability is not None:
            probabilities[contestant.agent_id] = forecast.probability
        yield contestant.agent_id, forecast
    for contestant in on_track:
        if contestant.kind == "consensus":
            left_out = {contestant.agent_id, *contestant.params.get("leaves_out", ())}
            yield (
                contestant.agent_id,
                rules.pooled({name: p for name, p in probabilities.items() if name not in left_out}),
            )


def _record_answer(
    season: ReplaySeason,
    exchange: RecordedExchange,
    round_: Round,
    market: RoundMarket,
    *,
    agent_id: str,
    track: Track,
    forecast: Forecast,
) -> None:
    season.questions[track].append((agent_id, round_.round_id, market.ticker))
    season.answers[track].append(
        ScoredForecast(
            round_id=round_.round_id,
            ticker=market.ticker,
            agent_id=agent_id,
            p=forecast.probability,
            created_at=round_.opened_at,
        )
    )
    tradable = TradableForecast(
        decision_id=decision_id(round_.round_id, market.ticker, agent_id, track),
        agent_id=agent_id,
        track=track,
        round=round_,
        market=market,
        forecast=forecast,
        made_at=round_.opened_at,
    )
    for decision in season.ledgers.trade(tradable, exchange):
        season.reasons[decision.account_id][decision.reason] += 1


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


def _accounts(contestants: Sequence[ReplayContestant], season: str) -> tuple[PaperAccount, ...]:
    return tuple(
        PaperAccount(
            account_id=f"{season}/{contestant.agent_id}/{policy.value}",
            season=season,
            agent_id=contestant.agent_id,
            policy=policy,
            track=Track.BLIND if Track.BLIND in contestant.tracks else Track.AWARE,
            deposit=DEPOSIT,
        )
        for contestant in contestants
        for policy in policies_of(contestant.kind)
    )
