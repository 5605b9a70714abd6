"""How a market ended that the live tier forgot: the first source that knows it, or a reason."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.unit.kalshi import payloads
from tests.unit.portfolio.books_exchange import NOW, BooksExchange, fill, position, settlement

from coliseum.kalshi import parse, wire
from coliseum.portfolio.books import AccountBooks
from coliseum.portfolio.books_ends import EndSearch, find_endings
from coliseum.portfolio.books_storage import BooksInMemory
from coliseum.portfolio.ledger import Holding
from coliseum.trading.markets import Market
from coliseum.trading.money import ZERO

TICKER = "KXOLD-1"
YES = Holding(ticker=TICKER, contracts=Decimal(50), basis=Decimal(20), realized=Decimal(3), last_fill_at=NOW - 9e6)
NO = replace(YES, contracts=Decimal(-50), basis=Decimal(30))


def market(**changes: object) -> Market:
    ended = {"ticker": TICKER, "status": "finalized", "result": "yes"}
    body = payloads.text({"market": payloads.market(**(ended | changes))})
    return parse.market_from(parse.document(wire.MarketDocument, body, endpoint="test").market)


def search(holding: Holding, **lists: object) -> EndSearch:
    exchange = BooksExchange()
    for name, rows in lists.items():
        setattr(exchange, name, rows)
    return find_endings({TICKER: holding}, [], exchange.kalshi())


@pytest.mark.parametrize(
    ("holding", "changes", "revenue"),
    [
        (YES, {"result": "yes"}, "50"),
        (YES, {"result": "no"}, "0"),
        (NO, {"result": "yes"}, "0"),
        (NO, {"result": "no"}, "50"),
        (YES, {"result": "scalar", "settlement_value_dollars": "0.3700"}, "18.5"),
        (NO, {"result": "scalar", "settlement_value_dollars": "0.3700"}, "31.5"),
    ],
)
def test_an_archived_markets_result_pays_for_what_was_held(
    holding: Holding, changes: dict[str, object], revenue: str
) -> None:
    (ending,) = search(holding, markets_by_ticker={TICKER: market(**changes)}).endings
    assert (ending.source, ending.settlement.revenue) == ("market", Decimal(revenue))
    assert ending.settlement.held == holding.contracts


def test_a_stored_record_counts_more_than_the_markets_result() -> None:
    record = settlement(TICKER, Decimal(50), result="no")
    exchange = BooksExchange(markets_by_ticker={TICKER: market()})
    (ending,) = find_endings({TICKER: YES}, [record], exchange.kalshi()).endings
    assert (ending.source, ending.settlement) == ("kept", record)


def test_without_a_result_the_archived_positions_profit_tells_the_payment() -> None:
    rows = [position(TICKER, ZERO, realized="33")]
    (ending,) = search(YES, archived_positions=rows).endings
    assert (ending.source, ending.settlement.revenue) == ("position", Decimal(50))


@pytest.mark.parametrize("realized", ["33.50", "-17.50"])
def test_a_profit_that_no_payment_explains_is_not_booked(realized: str) -> None:
    """50 contracts pay 0 to 50 dollars."""
    found = search(YES, archived_positions=[position(TICKER, ZERO, realized=realized)])
    assert found.endings == ()
    assert "no payment explains the profit" in found.unknown[TICKER]


def test_an_archived_position_that_still_has_contracts_proves_nothing() -> None:
    found = search(YES, archived_positions=[position(TICKER, Decimal(50), realized="33")])
    assert (found.endings, list(found.unknown)) == ((), [TICKER])


def test_an_end_that_nobody_knows_has_a_reason() -> None:
    reason = search(YES).unknown[TICKER]
    assert reason == (
        "KXOLD-1: our ledger holds 50.00 contracts and the exchange lists no open position, no settlement, "
        "no archived position and no result"
    )


def test_a_market_that_is_not_paid_out_has_not_ended() -> None:
    found = search(YES, markets_by_ticker={TICKER: market(status="determined")})
    assert "the market is still determined" in found.unknown[TICKER]


def june() -> BooksExchange:
    """50 YES at 0.40, in the archive only, and a settlement that is listed nowhere."""
    return BooksExchange(fills_old=[fill("june", NOW - 180 * 86_400, ticker=TICKER, count="50")])


def test_a_forgotten_winner_is_booked_to_the_cent() -> None:
    exchange = june()
    exchange.markets_by_ticker = {TICKER: market()}
    books = AccountBooks(BooksInMemory(), clock=lambda: NOW)
    totals = books.extend(exchange.kalshi(), time_left=lambda: 1e9, live=()).totals
    assert (totals.realized, totals.cash) == (Decimal("30.00"), Decimal("30.00") - totals.fees)


def test_a_forgotten_end_that_nobody_knows_is_a_doubt_until_somebody_does() -> None:
    exchange, storage = june(), BooksInMemory()
    (doubt,) = (
        AccountBooks(storage, clock=lambda: NOW)
        .extend(exchange.kalshi(), time_left=lambda: 1e9, live=())
        .progress.doubts
    )
    assert doubt.startswith("KXOLD-1: our ledger holds 50.00 contracts")
    exchange.markets_by_ticker = {TICKER: market()}
    later = AccountBooks(storage, clock=lambda: NOW + 3600)
    snapshot = later.extend(exchange.kalshi(), time_left=lambda: 1e9, live=())
    assert (snapshot.progress.doubts, snapshot.totals.realized) == ((), Decimal("30.00"))


def test_the_exchanges_own_record_replaces_what_was_made_of_a_result() -> None:
    exchange, storage = june(), BooksInMemory()
    exchange.markets_by_ticker = {TICKER: market()}
    books = AccountBooks(storage, clock=lambda: NOW)
    books.extend(exchange.kalshi(), time_left=lambda: 1e9, live=())
    exchange.settled = [settlement(TICKER, Decimal(50), result="no")]
    totals = books.extend(exchange.kalshi(), time_left=lambda: 1e9, live=()).totals
    assert totals.realized == Decimal("-20.00")
