"""Open a round: look at the exchange, choose, freeze, write it all in one transaction, hand out the decisions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from coliseum.arena import rounds
from coliseum.arena.records import Agent, ArenaRecords, Decision, decision_id
from coliseum.arena.rounds import Offer, Precedent, Slot
from coliseum.errors import ColiseumError
from coliseum.feed.entries import Kind
from coliseum.feed.service import Feed, candidate
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger
from coliseum.trading.events import Event, Series
from coliseum.trading.markets import Candle, OrderBook
from coliseum.trading.money import decimal_text

EVENT_PAGES = 5
"""Pages of 200 events looked at: the exchange lists more open markets than anyone should scan."""
HISTORY = timedelta(hours=24)
PRECEDENT_LIMIT = 200
Enqueue = Callable[[Sequence[Mapping[str, object]], int], None]
"""(messages, seconds to hold them back)."""
LONGEST_DELAY = 900
"""The most seconds SQS holds a message back."""
Reserve = Callable[[Sequence[Agent], int], frozenset[str]]
"""(agents that cost money, markets) -> the ids of those whose whole round is paid for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What rounds look like here."""

    every: timedelta
    open_for: timedelta
    markets: int
    per_event: int
    exchange: str
    """sandbox, kalshi or replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    round_id: str
    new: bool
    markets: int
    decisions: int


def open_round(
    plan: Plan,
    *,
    now: datetime,
    kalshi: Kalshi,
    records: ArenaRecords,
    feed: Feed,
    enqueue: Enqueue,
    reserve: Reserve,
) -> Opened:
    """Open the round of `now`'s slot. Called twice it opens one and hands out again what is still undone."""
    slot = rounds.slot_at(now, every=plan.every, open_for=plan.open_for)
    known = next((one for one in records.rounds(limit=5) if one.slot == slot.starts_at), None)
    if known is None:
        frozen = _frozen_markets(plan, slot, now, kalshi)
        agents = [agent for agent in records.agents() if agent.season == slot.season]
        decisions = _decisions(agents, [row["ticker"] for row in frozen], slot, reserve)
        new, round_id = records.open_round(
            slot, opened_at=now, exchange=plan.exchange, markets=frozen, decisions=decisions
        )
    else:
        new, round_id = False, known.round_id
    row = records.round(round_id)
    pending = records.decisions(round_id, status="pending")
    _hand_out(pending, {agent.agent_id for agent in records.agents() if agent.kind == "consensus"}, plan, enqueue)
    feed.publish(
        [
            candidate(
                Kind.ROUND_OPENED,
                round_id,
                {
                    "round_id": round_id,
                    "closes_at": rounds.time_text(row.closes_at),
                    "exchange": row.exchange,
                    "markets": row.markets,
                },
            )
        ],
        now_ms=int(now.timestamp() * 1000),
    )
    return Opened(round_id=round_id, new=new, markets=row.markets, decisions=len(pending))


def _hand_out(pending: Sequence[Decision], pools: Set[str], plan: Plan, enqueue: Enqueue) -> None:
    """The consensus comes last: it pools what the others said by then."""
    own = [{"decision_id": one.decision_id} for one in pending if one.agent_id not in pools]
    pooled = [{"decision_id": one.decision_id} for one in pending if one.agent_id in pools]
    if own:
        enqueue(own, 0)
    if pooled:
        enqueue(pooled, min(LONGEST_DELAY, int(plan.open_for.total_seconds() * 2 / 3)))


def _frozen_markets(plan: Plan, slot: Slot, now: datetime, kalshi: Kalshi) -> list[dict[str, Any]]:
    events = _open_events(kalshi)
    series: dict[str, Series | None] = {}
    offers = [
        Offer(market=market, series_ticker=event.series_ticker, category=event.category or "Uncategorised")
        for event in events
        for market in event.markets
    ]
    least = max(plan.open_for.total_seconds(), 0.0)
    chosen = rounds.choose(
        offers, now=now, seed=slot.seed, wanted=plan.markets, per_event=plan.per_event, least_seconds=least
    )
    books = kalshi.order_books([offer.market.ticker for offer in chosen]) if chosen else {}
    by_event = {event.ticker: event for event in events}
    precedents: dict[str, Precedent] = {}
    frozen: list[dict[str, Any]] = []
    for offer in chosen:
        book = books.get(offer.market.ticker)
        if book is None:
            continue
        name = offer.series_ticker
        if name not in precedents:
            precedents[name] = _precedent(kalshi, name)
            series[name] = _series(kalshi, name)
        event = by_event[offer.market.event_ticker]
        siblings = [other.subtitle or other.title for other in event.markets if other.ticker != offer.market.ticker]
        full = rounds.context(
            offer,
            book,
            as_of=now,
            history=_history(kalshi, offer, now),
            precedent=precedents[name],
            siblings=siblings,
        )
        full["terms"] = _terms(event, series[name])
        frozen.append(_row(slot, offer, book, full))
    return frozen


def _row(slot: Slot, offer: Offer, book: OrderBook, full: Mapping[str, Any]) -> dict[str, Any]:
    market = offer.market
    probability = rounds.quoted_probability(book)
    return {
        "round_id": slot.round_id,
        "ticker": market.ticker,
        "event_ticker": market.event_ticker,
        "series_ticker": offer.series_ticker,
        "category": offer.category,
        "title": market.title,
        "close_time": market.close_time.isoformat(),
        "context": full,
        "context_hash": rounds.context_hash(full),
        "book": rounds.book_json(book),
        "yes_bid": _text(book.yes_bids[0].price if book.yes_bids else None),
        "yes_ask": _text(book.yes_asks[0].price if book.no_bids else None),
        "q": _text(probability),
        "volume_24h": decimal_text(market.volume_24h),
        "snapshot_at": full["as_of"],
    }


def _terms(event: Event, series: Series | None) -> dict[str, Any]:
    """What trading costs here; an unknown fee keeps paper accounts out of the market."""
    override = event.fee_multiplier_override
    multiplier = override if override is not None else None if series is None else series.fee_multiplier
    return {
        "fee_type": event.fee_type_override or (None if series is None else series.fee_type),
        "fee_multiplier": None if multiplier is None else decimal_text(multiplier),
        "mutually_exclusive": event.mutually_exclusive,
    }


def _decisions(agents: Iterable[Agent], tickers: Sequence[str], slot: Slot, reserve: Reserve) -> list[dict[str, Any]]:
    """One row per agent, market and track, in an order drawn from the slot's seed: nobody is always first.

    A contestant that costs money plays a whole round or none: where the budget ends its decisions are skipped.
    """
    active = [agent for agent in agents if agent.status == "active"]
    paid = [agent for agent in active if agent.kind == "llm"]
    funded = reserve(paid, len(tickers)) if paid and tickers else frozenset()
    rows = [
        {
            "decision_id": decision_id(slot.round_id, ticker, agent.agent_id, track),
            "round_id": slot.round_id,
            "ticker": ticker,
            "agent_id": agent.agent_id,
            "track": track.value,
            "status": "skipped" if agent.kind == "llm" and agent.agent_id not in funded else "pending",
            "reason": "budget" if agent.kind == "llm" and agent.agent_id not in funded else None,
        }
        for agent in active
        for ticker in tickers
        for track in agent.tracks
    ]
    random.Random(slot.seed).shuffle(rows)
    return rows


def _open_events(kalshi: Kalshi) -> list[Event]:
    found: list[Event] = []
    cursor: str | None = None
    for _ in range(EVENT_PAGES):
        page = kalshi.events(status="open", with_markets=True, limit=200, cursor=cursor)
        found += page.items
        cursor = page.cursor
        if not cursor:
            break
    return found


def _precedent(kalshi: Kalshi, series_ticker: str) -> Precedent:
    try:
        settled = kalshi.markets(series_ticker=series_ticker, status="settled", limit=PRECEDENT_LIMIT).items
    except ColiseumError as error:
        logger().warning("no precedent", extra={"series": series_ticker, "problem": str(error)})
        return Precedent(0, 0)
    graded = [market.result for market in settled if market.result in {"yes", "no"}]
    return Precedent(yes=graded.count("yes"), resolved=len(graded))


def _series(kalshi: Kalshi, series_ticker: str) -> Series | None:
    try:
        return kalshi.series(series_ticker)
    except ColiseumError as error:
        logger().warning("no series", extra={"series": series_ticker, "problem": str(error)})
        return None


def _history(kalshi: Kalshi, offer: Offer, now: datetime) -> tuple[Candle, ...]:
    try:
        return kalshi.candles(
            offer.series_ticker,
            offer.market.ticker,
            start=int((now - HISTORY).timestamp()),
            end=int(now.timestamp()),
            period_minutes=60,
        )
    except ColiseumError as error:
        logger().warning("no history", extra={"ticker": offer.market.ticker, "problem": str(error)})
        return ()


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value, places=4)
