"""Choose a round's markets from the exchange's open ones, and freeze what contestants are shown of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol

from coliseum.arena.calendar import RoundSlot
from coliseum.arena.frozen_context import CandidateMarket, Precedent, book_json, build_context, context_hash
from coliseum.arena.paper.trading import close_margin_seconds
from coliseum.arena.rounds.selection import choose_markets
from coliseum.arena.sources.gathering import GatheredSources, SourceQuestion
from coliseum.errors import ColiseumError
from coliseum.observability import logger
from coliseum.trading.events import Event, Series
from coliseum.trading.markets import Candle, Market, OrderBook
from coliseum.trading.money import decimal_text
from coliseum.trading.pages import Page

EVENT_PAGES = 5
"""Pages of 200 events that are read. The exchange lists more open markets than one call could read."""
HISTORY = timedelta(hours=24)
PRECEDENT_LIMIT = 200
GatherSources = Callable[[Sequence[SourceQuestion]], Mapping[str, GatheredSources]]
"""The sources of these markets by ticker, in seconds at most."""

NO_SOURCES = GatheredSources(report={})


class MarketSource(Protocol):
    """The calls to the exchange when a round opens: the real client has them, and the replay's recording."""

    def events(self, *, status: Literal["open"], with_markets: bool, limit: int, cursor: str | None) -> Page[Event]: ...

    def markets(self, *, series_ticker: str, status: Literal["settled"], limit: int) -> Page[Market]: ...

    def series(self, series_ticker: str) -> Series: ...

    def candles(
        self, series_ticker: str, ticker: str, *, start: int, end: int, period_minutes: Literal[60]
    ) -> tuple[Candle, ...]: ...

    def order_books(self, tickers: Iterable[str]) -> dict[str, OrderBook]: ...


@dataclass(frozen=True, slots=True)
class _SeriesFacts:
    """A series as it is known when a round opens; None where the exchange did not answer."""

    precedent: Precedent
    series: Series | None


def frozen_markets(
    kalshi: MarketSource,
    slot: RoundSlot,
    *,
    clock: Callable[[], datetime],
    wanted: int,
    per_event: int,
    open_for: timedelta,
    exchange: str,
    gather: GatherSources | None = None,
) -> list[dict[str, Any]]:
    """The chosen markets as rows of `arena_round_markets`. `gather` finds the sources of the informed track.

    A market must stay open for the round and the margin before its close. On the sandbox half of the places go to
    markets that close soon, so that a developer sees some of them settle. Order books are read last, so that they are
    recent when the round opens. Raises SourceError where events or books cannot be read.
    """
    events = {event.ticker: event for event in _open_events(kalshi)}
    offers = [
        CandidateMarket(market=market, series_ticker=event.series_ticker, category=event.category or "Uncategorised")
        for event in events.values()
        for market in event.markets
    ]
    now = clock()
    chosen = choose_markets(
        offers,
        now=now,
        seed=slot.seed,
        wanted=wanted,
        per_event=per_event,
        least_seconds=open_for.total_seconds() + close_margin_seconds(exchange),
        soonest=wanted // 2 if exchange == "sandbox" else 0,
    )
    series_facts = {
        name: _read_series_facts(kalshi, name) for name in dict.fromkeys(offer.series_ticker for offer in chosen)
    }
    sources = _sources(gather, chosen, series_facts)
    histories = {offer.market.ticker: _history(kalshi, offer, now) for offer in chosen}
    books = kalshi.order_books([offer.market.ticker for offer in chosen]) if chosen else {}
    as_of = clock()
    return [
        _row(
            slot,
            offer,
            books[offer.market.ticker],
            as_of=as_of,
            event=events[offer.market.event_ticker],
            facts=series_facts[offer.series_ticker],
            history=histories[offer.market.ticker],
            sources=sources.get(offer.market.ticker, NO_SOURCES),
        )
        for offer in chosen
        if offer.market.ticker in books
    ]


def _row(
    slot: RoundSlot,
    offer: CandidateMarket,
    book: OrderBook,
    *,
    as_of: datetime,
    event: Event,
    facts: _SeriesFacts,
    history: tuple[Candle, ...],
    sources: GatheredSources,
) -> dict[str, Any]:
    market = offer.market
    full = build_context(
        offer,
        book,
        as_of=as_of,
        history=history,
        precedent=facts.precedent,
        siblings=[other.subtitle or other.title for other in event.markets if other.ticker != market.ticker],
        terms=terms(event, facts.series),
        sources=sources.shown,
        sourcing=sources.report,
    )
    return {
        "round_id": slot.round_id,
        "ticker": market.ticker,
        "event_ticker": market.event_ticker,
        "series_ticker": offer.series_ticker,
        "category": full["question"]["category"],
        "title": full["question"]["title"],
        "close_time": market.close_time.isoformat(),
        "context": full,
        "context_hash": context_hash(full),
        "book": book_json(book),
        "yes_bid": full["quote"]["yes_bid"],
        "yes_ask": full["quote"]["yes_ask"],
        "q": full["quote"]["probability"],
        "volume_24h": decimal_text(market.volume_24h),
        "snapshot_at": full["as_of"],
    }


def _sources(
    gather: GatherSources | None, chosen: Sequence[CandidateMarket], facts: Mapping[str, _SeriesFacts]
) -> Mapping[str, GatheredSources]:
    """What `gather` finds for the markets. Whatever fails there, the round opens, with the reason in its contexts."""
    if gather is None or not chosen:
        return {}
    try:
        return gather([_source_question(offer, facts[offer.series_ticker].series) for offer in chosen])
    except Exception as error:  # noqa: BLE001 - no fault in a source or its reader may stop a round
        logger().exception("sources could not be gathered")
        failed = GatheredSources(report={"known": 0, "problems": [f"gathering failed: {type(error).__name__}"]})
        return {offer.market.ticker: failed for offer in chosen}


def _source_question(offer: CandidateMarket, series: Series | None) -> SourceQuestion:
    market = offer.market
    title = f"{market.title} {market.subtitle or ''}".strip()
    return SourceQuestion(
        ticker=market.ticker,
        series_ticker=offer.series_ticker,
        category=offer.category,
        title=title,
        text=" ".join((title, series.title if series else "", market.rules_primary, market.rules_secondary)),
        settlement=_settlement(series),
    )


def _settlement(series: Series | None) -> tuple[tuple[str, str], ...]:
    """Name and address of the series' settlement sources."""
    if series is None:
        return ()
    return tuple(zip(series.settlement_sources, series.settlement_urls, strict=False))


def terms(event: Event, series: Series | None) -> Mapping[str, Any]:
    """The costs of trading an event's markets. Paper accounts do not trade where the fee is unknown. Pure."""
    override = event.fee_multiplier_override
    multiplier: Decimal | None = override if override is not None else None if series is None else series.fee_multiplier
    return {
        "fee_type": event.fee_type_override or (None if series is None else series.fee_type),
        "fee_multiplier": None if multiplier is None else decimal_text(multiplier),
        "mutually_exclusive": event.mutually_exclusive,
    }


def _open_events(kalshi: MarketSource) -> list[Event]:
    events: list[Event] = []
    cursor: str | None = None
    for _ in range(EVENT_PAGES):
        page = kalshi.events(status="open", with_markets=True, limit=200, cursor=cursor)
        events += page.items
        cursor = page.cursor
        if not cursor:
            break
    return events


def _read_series_facts(kalshi: MarketSource, series_ticker: str) -> _SeriesFacts:
    return _SeriesFacts(_precedent(kalshi, series_ticker), _series(kalshi, series_ticker))


def _precedent(kalshi: MarketSource, series_ticker: str) -> Precedent:
    try:
        settled = kalshi.markets(series_ticker=series_ticker, status="settled", limit=PRECEDENT_LIMIT).items
    except ColiseumError as error:
        logger().warning("earlier markets could not be read", series=series_ticker, problem=str(error))
        return Precedent(0, 0)
    graded = [market.result for market in settled if market.result in {"yes", "no"}]
    return Precedent(yes=graded.count("yes"), resolved=len(graded))


def _series(kalshi: MarketSource, series_ticker: str) -> Series | None:
    try:
        return kalshi.series(series_ticker)
    except ColiseumError as error:
        logger().warning("series could not be read", series=series_ticker, problem=str(error))
        return None


def _history(kalshi: MarketSource, offer: CandidateMarket, now: datetime) -> tuple[Candle, ...]:
    try:
        return kalshi.candles(
            offer.series_ticker,
            offer.market.ticker,
            start=int((now - HISTORY).timestamp()),
            end=int(now.timestamp()),
            period_minutes=60,
        )
    except ColiseumError as error:
        logger().warning("candles could not be read", ticker=offer.market.ticker, problem=str(error))
        return ()
