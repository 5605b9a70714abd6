"""The lifecycle of markets: listed, opened, closed, determined, perhaps disputed or amended, finalized and paid.

`advance` carries out everything that is due at the venue's time. The operator's changes of single markets are here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random

from coliseum.trading.money import CENT, ONE, ZERO
from coliseum_local.exchange.candles import CandleRecorder
from coliseum_local.exchange.catalogue import (
    HOUR,
    SHORT_SERIES,
    TEMPLATES,
    EventTemplate,
    draw_event,
    newest_index,
    open_indices,
)
from coliseum_local.exchange.change_log import RecordKind
from coliseum_local.exchange.history import candles, walk
from coliseum_local.exchange.listing import MarketStatus, SandboxEvent, SandboxMarket
from coliseum_local.exchange.order_book import LimitOrderBook
from coliseum_local.exchange.outcome_process import NumberProcess, OutcomeProcess
from coliseum_local.exchange.traders import MAKERS, MarketMaker
from coliseum_local.exchange.venue import AccountSettlement, Venue

DETERMINATION_SECONDS = 2.0
VOID_SHARE = 0.007
"""Share of markets that are void and settle at their last price instead of yes or no."""
PAST_EVENTS = {"KXHIGHNY": 3, "KXINXD": 3, "KXTENNISSET": 4, **dict.fromkeys(SHORT_SERIES, 6)}
"""Settled events that a new exchange lists, by series."""
ARCHIVED_EVENTS = {"KXINXD": 95}
"""One more settled event per series, this many events back: older than what the live tier keeps."""
SHORT_LIFETIME = 2 * HOUR
"""Events up to this long are removed some time after their settlement: there are thousands a week."""
FORGET_SECONDS = 3 * 24 * HOUR
"""How long after its settlement a short event is removed."""


@dataclass(frozen=True, slots=True)
class EventOrigin:
    """How an event was drawn. The same values draw its past again after a restart."""

    event: SandboxEvent
    index: int
    """Number of the event in its series."""
    level: float | None
    """Where a strike ladder was centred; None takes the template's level."""
    until: float
    """Unix second at which the generated past ends."""


def list_initial_events(venue: Venue) -> None:
    """List what a new exchange starts with: settled events, open events with a past, and the next ones."""
    now = venue.now
    for ticker, template in TEMPLATES.items():
        open_now = open_indices(template, now)
        past = range(open_now.start - PAST_EVENTS.get(ticker, 0), open_now.start)
        if ticker in ARCHIVED_EVENTS:
            list_event(venue, template, open_now.start - ARCHIVED_EVENTS[ticker])
        for index in (*past, *open_now):
            list_event(venue, template, index)
        venue.next_index[ticker] = open_now.stop
    advance(venue, 0.0)


def advance(venue: Venue, seconds: float) -> None:
    """Carry out everything that is due at `venue.now`.

    `seconds` is the time since the last call; with 0 the odds do not move.
    """
    _list_due(venue)
    if venue.now >= venue.next_forget:
        _forget(venue)
        venue.next_forget = venue.now + HOUR
    for market in list(venue.live.values()):
        _advance_market(venue, market)
    if seconds:
        for event_ticker, process in venue.processes.items():
            process.advance(venue.now, venue.rng)
            venue.changes.note(RecordKind.OUTCOME_PROCESS, event_ticker, process)
    if not venue.trading_active:
        _withdraw_for_pause(venue)
    for order in [each for each in venue.resting.values() if each.expires and each.expires <= venue.now]:
        venue.withdraw(order)


def list_event(venue: Venue, template: EventTemplate, index: int) -> None:
    """List one event of a template. Where it opened before now, its past is drawn."""
    origin_level = _level(venue, template)
    listing, _ = draw_event(template, index, seed=venue.seed, level=origin_level)
    origin = EventOrigin(listing.event, index, origin_level, venue.now)
    process, markets = _adopt(venue, origin)
    for market in markets:
        past = venue.recorders[market.ticker].drawn
        market.base_volume = sum((candle.volume for candle in past), ZERO)
        market.base_interest = past[-1].interest if past else ZERO
        market.last_price = (venue.recorders[market.ticker].last_price or ZERO) if past else ZERO
        market.status = MarketStatus.INITIALIZED
        _admit(venue, market)
        venue.changes.note(RecordKind.MARKET, market.ticker, market, urgent=True)
    venue.processes[origin.event.event_ticker] = process
    venue.changes.note(RecordKind.EVENT, origin.event.event_ticker, origin, urgent=True)
    venue.changes.note(RecordKind.OUTCOME_PROCESS, origin.event.event_ticker, process)
    for market in markets:
        _advance_market(venue, market)


def restore_event(
    venue: Venue, origin: EventOrigin, stored: dict[str, SandboxMarket], process: OutcomeProcess | None
) -> None:
    """List a stored event again, with its markets as they were stored."""
    _adopt(venue, origin)
    for ticker in origin.event.markets:
        _admit(venue, stored[ticker])
    if process is not None:
        venue.processes[origin.event.event_ticker] = process


def settle_now(venue: Venue, market: SandboxMarket, *, result: str, value: Decimal | None = None) -> None:
    """Close, determine and pay a market at once, with the operator's result. Raises ValueError if it is finalized."""
    if market.status is MarketStatus.INITIALIZED:
        market.enter(MarketStatus.ACTIVE, venue.now)
    if market.status in {MarketStatus.ACTIVE, MarketStatus.INACTIVE}:
        _close(venue, market)
    if market.status is MarketStatus.CLOSED:
        _determine(venue, market, result=result, value=value)
    elif market.status is not MarketStatus.FINALIZED:
        _set_result(market, result, value, venue.now)
    _finalize(venue, market)


def dispute(venue: Venue, market: SandboxMarket) -> None:
    """Stop the settlement of a determined market until it is amended or settled. ValueError: it is not determined."""
    market.enter(MarketStatus.DISPUTED, venue.now)
    venue.changes.note(RecordKind.MARKET, market.ticker, market, urgent=True)


def amend(venue: Venue, market: SandboxMarket, *, result: str, value: Decimal | None = None) -> None:
    """Change the result of a determined market before it is paid; its settlement timer starts again.

    Raises ValueError in other statuses.
    """
    market.enter(MarketStatus.AMENDED, venue.now)
    _set_result(market, result, value, venue.now)
    venue.changes.note(RecordKind.MARKET, market.ticker, market, urgent=True)


def halt(venue: Venue, market: SandboxMarket, *, halted: bool) -> None:
    """Deactivate one market, or let it trade again. Its resting orders stay. Raises ValueError in other statuses."""
    market.enter(MarketStatus.INACTIVE if halted else MarketStatus.ACTIVE, venue.now)
    venue.changes.note(RecordKind.MARKET, market.ticker, market, urgent=True)


def pause(venue: Venue, *, paused: bool) -> None:
    """Stop or resume trading in all markets. A pause cancels orders that were placed with `cancel_order_on_pause`."""
    venue.paused = paused
    if paused:
        _withdraw_for_pause(venue)


def _withdraw_for_pause(venue: Venue) -> None:
    for order in [each for each in venue.resting.values() if each.cancel_on_pause]:
        venue.withdraw(order)


def _list_due(venue: Venue) -> None:
    """List the events that open within the next hour."""
    for ticker, template in TEMPLATES.items():
        lead = min(template.every, HOUR)
        following = newest_index(template, venue.now + lead) + 1
        first = max(venue.next_index.get(ticker, 0), open_indices(template, venue.now).start)
        for index in range(first, following):
            list_event(venue, template, index)
        venue.next_index[ticker] = max(first, following)


def _forget(venue: Venue) -> None:
    """Remove short events that were settled days ago and in which no member ever placed an order."""
    touched = {order.ticker for order in venue.orders.values()}
    for event in list(venue.events.values()):
        markets = [venue.markets[ticker] for ticker in event.markets]
        old = all(market.settled is not None and market.settled < venue.now - FORGET_SECONDS for market in markets)
        if TEMPLATES[event.series_ticker].lifetime > SHORT_LIFETIME or not old or touched & set(event.markets):
            continue
        venue.changes.note(RecordKind.EVENT, event.event_ticker, None)
        del venue.events[event.event_ticker]
        for market in markets:
            for candle in venue.recorders.pop(market.ticker).past:
                venue.changes.note(RecordKind.CANDLE, f"{market.ticker}|{candle.end}", None)
            venue.changes.note(RecordKind.MARKET, market.ticker, None)
            del venue.markets[market.ticker]


def _adopt(venue: Venue, origin: EventOrigin) -> tuple[OutcomeProcess, list[SandboxMarket]]:
    """Draw an event and its past, and add its series, event and candles to the venue."""
    template = TEMPLATES[origin.event.series_ticker]
    listing, process = draw_event(template, origin.index, seed=venue.seed, level=origin.level)
    rng = Random(f"{venue.seed}:{origin.event.event_ticker}:past")
    path = walk(process, origin.event.markets, until=min(origin.until, listing.markets[0].close_time), rng=rng)
    venue.series.setdefault(template.series.ticker, template.series)
    venue.events[origin.event.event_ticker] = origin.event
    for market in listing.markets:
        venue.recorders[market.ticker] = CandleRecorder(drawn=candles(market, path, rng, activity=template.activity))
    return process, listing.markets


def _admit(venue: Venue, market: SandboxMarket) -> None:
    """Add a market, with an empty book and its market makers unless it is finalized."""
    venue.markets[market.ticker] = market
    venue.recorders.setdefault(market.ticker, CandleRecorder())
    if market.status is MarketStatus.FINALIZED:
        return
    venue.live[market.ticker] = market
    venue.books[market.ticker] = LimitOrderBook()
    rng = Random(f"{venue.seed}:{market.ticker}:makers")
    activity = TEMPLATES[market.series_ticker].activity
    venue.makers[market.ticker] = [MarketMaker(name, rng.uniform(0.008, 0.028), activity) for name in MAKERS]
    venue.next_quote[market.ticker] = 0.0


def _level(venue: Venue, template: EventTemplate) -> float | None:
    """Where the number of the series' last event stands: the strikes of the next event lie around it."""
    numbers = [
        process
        for ticker, process in venue.processes.items()
        if isinstance(process, NumberProcess) and venue.events[ticker].series_ticker == template.series.ticker
    ]
    return max(numbers, key=lambda process: process.end).mean if numbers else None


def _advance_market(venue: Venue, market: SandboxMarket) -> None:
    """Move one market through all statuses that are due. After a long absence these are several at once."""
    now = venue.now
    if market.status is MarketStatus.INITIALIZED and now >= market.open_time:
        market.enter(MarketStatus.ACTIVE, max(market.open_time, market.updated))
        venue.changes.note(RecordKind.MARKET, market.ticker, market)
    if market.status in {MarketStatus.ACTIVE, MarketStatus.INACTIVE} and now >= market.close_time:
        _close(venue, market)
    if market.status is MarketStatus.CLOSED and now >= market.close_time + DETERMINATION_SECONDS:
        _determine_by_process(venue, market)
    if market.status in {MarketStatus.DETERMINED, MarketStatus.AMENDED}:
        assert market.determined is not None
        if now >= market.determined + market.settlement_seconds:
            _finalize(venue, market)


def _close(venue: Venue, market: SandboxMarket) -> None:
    book = venue.books[market.ticker]
    for order in list(book.orders.values()):
        venue.withdraw(order)
    market.enter(MarketStatus.CLOSED, min(venue.now, market.close_time))
    venue.changes.note(RecordKind.MARKET, market.ticker, market, urgent=True)


def _determine_by_process(venue: Venue, market: SandboxMarket) -> None:
    process = venue.processes[market.event_ticker]
    process.advance(market.close_time, venue.rng)
    market.expiration_value = process.expiration_value(market.ticker)
    void = Random(f"{venue.seed}:{market.ticker}:void").random() < VOID_SHARE
    if void and market.last_price:
        _determine(venue, market, result="scalar", value=market.last_price.quantize(CENT))
    else:
        _determine(venue, market, result="yes" if process.truth(market.ticker) else "no")


def _determine(venue: Venue, market: SandboxMarket, *, result: str, value: Decimal | None = None) -> None:
    market.enter(MarketStatus.DETERMINED, min(venue.now, market.close_time + DETERMINATION_SECONDS))
    _set_result(market, result, value, market.updated)
    venue.changes.note(RecordKind.MARKET, market.ticker, market, urgent=True)


def _set_result(market: SandboxMarket, result: str, value: Decimal | None, now: float) -> None:
    market.result = result
    market.yes_value = {"yes": ONE, "no": ZERO}.get(result, value)
    assert market.yes_value is not None, "a scalar result needs its value"
    market.determined = now


def _finalize(venue: Venue, market: SandboxMarket) -> None:
    """Pay every position once. Nothing about the market changes afterwards."""
    assert market.yes_value is not None
    assert market.determined is not None
    paid_at = max(market.determined, min(venue.now, market.determined + market.settlement_seconds))
    market.enter(MarketStatus.FINALIZED, paid_at)
    market.settled = paid_at
    for account_id, account in venue.accounts.items():
        position = account.positions.get(market.ticker)
        if position is None:
            continue
        contracts, cost = position.contracts, position.cost
        revenue = account.settle(market.ticker, yes_value=market.yes_value, now=paid_at)
        key = f"{account_id}|{market.ticker}"
        member = account_id in venue.members
        venue.changes.note(RecordKind.ACCOUNT, account_id, account, urgent=member)
        venue.changes.note(RecordKind.POSITION, key, position if member else None, urgent=member)
        if not member:  # a member's settled position stays, because the API shows it
            del account.positions[market.ticker]
        else:  # also where nothing was held any more: the exchange reports every market that was traded in
            settlement = AccountSettlement(
                account_id=account_id,
                ticker=market.ticker,
                event_ticker=market.event_ticker,
                exchange_index=market.exchange_index,
                result=market.result,
                contracts=contracts,
                cost=cost,
                purchases=position.purchases,
                revenue=revenue,
                yes_value=market.yes_value,
                fees=position.fees,
                time=paid_at,
            )
            venue.settlements[account_id].append(settlement)
            venue.changes.note(RecordKind.SETTLEMENT, key, settlement, urgent=True)
    market.open_interest = ZERO
    for table in (venue.live, venue.books, venue.makers, venue.next_quote, venue.quoted):
        table.pop(market.ticker, None)
    if not any(ticker in venue.live for ticker in venue.events[market.event_ticker].markets):
        venue.processes.pop(market.event_ticker, None)
        venue.changes.note(RecordKind.OUTCOME_PROCESS, market.event_ticker, None)
    venue.changes.note(RecordKind.MARKET, market.ticker, market, urgent=True)
