"""Time passing on the exchange: markets go through their lifecycle, makers requote, visitors trade.

Steps lie on a fixed grid of `STEP_SECONDS`. So the same seed and the same calls give the same exchange, however often
`advance` is called in between.
"""

from __future__ import annotations

from coliseum.trading.trades import BookSide
from coliseum_local.exchange import market_lifecycle
from coliseum_local.exchange.catalogue import TEMPLATES
from coliseum_local.exchange.listing import SandboxMarket
from coliseum_local.exchange.orders import OPPOSITE
from coliseum_local.exchange.traders import MAKERS, VISITORS, rest_behind, visitor_order
from coliseum_local.exchange.venue import SIMULATED_CASH, Venue

STEP_SECONDS = 0.5
MAX_STEPS = 1200
"""A longer gap (the exchange was stopped) is passed in coarse steps without trades; the makers quote at its end."""
COARSE_SECONDS = 30.0
MAX_COARSE_STEPS = 1000
"""After days the steps are longer still, and markets that would have opened and closed inside one are left out."""
VISITS_PER_SECOND = 0.03
"""Of one market whose activity is 1."""
REQUOTE_SECONDS = (4.0, 11.0)
REQUOTE_MOVE = 0.02
"""Makers requote early when the odds have moved this far."""


def open_new_exchange(venue: Venue) -> None:
    """Open the simulated traders' accounts and list what a new exchange starts with."""
    for name in (*MAKERS, *VISITORS):
        venue.open_account(name, cash=SIMULATED_CASH, member=False)
    market_lifecycle.list_initial_events(venue)


def advance(venue: Venue, now: float, *, active: bool = True) -> None:
    """Let time pass until `now` (unix seconds).

    Without `active` no odds move, only the members trade, and makers quote each market once.
    """
    if now - venue.stepped > MAX_STEPS * STEP_SECONDS:
        coarse = max(COARSE_SECONDS, (now - venue.stepped) / MAX_COARSE_STEPS)
        while now - venue.stepped > coarse:
            _step(venue, coarse, active=active)
        for ticker in venue.next_quote:
            venue.next_quote[ticker] = 0.0
    while now - venue.stepped >= STEP_SECONDS:
        _step(venue, STEP_SECONDS, active=active)
        if active and venue.trading_active:
            _trade(venue)
    venue.now = max(venue.now, now)
    if not active:
        quote_unquoted_markets(venue)


def quote_unquoted_markets(venue: Venue) -> None:
    """Quote every open market that has never been quoted."""
    for market in [each for each in venue.open_markets() if each.ticker not in venue.quoted]:
        requote(venue, market)


def _step(venue: Venue, seconds: float, *, active: bool) -> None:
    venue.stepped += seconds
    venue.now = max(venue.now, venue.stepped)
    market_lifecycle.advance(venue, seconds if active else 0.0)


def requote(venue: Venue, market: SandboxMarket) -> None:
    """All makers of a market cancel their quotes and place new ones."""
    odds = venue.processes[market.event_ticker].probability(market.ticker)
    book = venue.books[market.ticker]
    for maker in venue.makers[market.ticker]:
        for order_id in maker.order_ids:
            if (order := book.orders.get(order_id)) is not None:
                venue.withdraw(order)
        maker.order_ids.clear()
        inventory = float(venue.accounts[maker.account_id].held(market.ticker))
        intents = maker.quotes(odds=odds, inventory=inventory, structure=market.structure, rng=venue.rng)
        for intent in intents:
            best = book.best_ask if intent.side is BookSide.BID else book.best_bid
            resting = rest_behind(intent, best=best, structure=market.structure)
            order = venue.submit(resting, market.ticker, rest=True) if resting else None
            if order is not None:
                maker.order_ids.append(order.order_id)
    venue.quoted[market.ticker] = odds
    venue.next_quote[market.ticker] = venue.now + venue.rng.uniform(*REQUOTE_SECONDS)
    _record_quote(venue, market)


def _trade(venue: Venue) -> None:
    """One step of trading: makers requote where it is time, and some visitors come."""
    markets = list(venue.open_markets())
    for market in markets:
        odds = venue.processes[market.event_ticker].probability(market.ticker)
        moved = abs(odds - venue.quoted.get(market.ticker, 2.0)) > REQUOTE_MOVE
        if moved or venue.now >= venue.next_quote[market.ticker]:
            requote(venue, market)
    activity = [TEMPLATES[market.series_ticker].activity for market in markets]
    expected = VISITS_PER_SECOND * STEP_SECONDS * sum(activity)
    visits = int(expected) + (venue.rng.random() < expected % 1)  # the fraction is the chance of one more
    for market in venue.rng.choices(markets, activity, k=visits) if markets else ():
        _visit(venue, market, activity=TEMPLATES[market.series_ticker].activity)


def _visit(venue: Venue, market: SandboxMarket, *, activity: float) -> None:
    book = venue.books[market.ticker]
    odds = venue.processes[market.event_ticker].probability(market.ticker)
    intent = visitor_order(odds=odds, bid=book.best_bid, ask=book.best_ask, activity=activity, rng=venue.rng)
    if intent is not None and next(book.queue(OPPOSITE[intent.side]), None) is not None:
        venue.submit(intent, market.ticker, rest=False)


def _record_quote(venue: Venue, market: SandboxMarket) -> None:
    recorder = venue.recorders[market.ticker]
    bid, ask = venue.quotes(market.ticker)
    closed = recorder.quote(venue.now, bid=bid, ask=ask, interest=market.open_interest)
    if closed is not None:
        venue.note_candle(market.ticker, closed)
