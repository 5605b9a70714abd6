"""Every call of the client against the sandbox exchange, which verifies signatures as the real one does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.fixtures.exchange import Exchange, StartExchange, quoted_market

from coliseum.config import Settings
from coliseum.errors import NotFound, SourceRefused, SourceUnavailable
from coliseum.kalshi.client import Credentials, Kalshi
from coliseum.trading.markets import Market
from coliseum.trading.trades import Outcome, Side
from coliseum.trading.transfers import net_deposits


def _credentials(exchange: Exchange, kind: str) -> Credentials:
    if kind == "rsa":
        return Credentials(exchange.api_key, private_key_path=exchange.private_key_path)
    return Credentials(exchange.ed25519_key, private_key=exchange.ed25519_key_path.read_text())


@pytest.fixture(params=["rsa", "ed25519"])
def signed(request: pytest.FixtureRequest, exchange_server: Exchange) -> Iterator[Kalshi]:
    client = Kalshi(exchange_server.url, _credentials(exchange_server, request.param))
    yield client
    client.close()


@pytest.fixture
def public(exchange_server: Exchange) -> Iterator[Kalshi]:
    client = Kalshi(exchange_server.url)
    yield client
    client.close()


def _quoted(exchange: Exchange) -> list[dict[str, Any]]:
    """Open markets with both sides quoted."""
    rows = exchange.get("/markets", status="open", limit=1000)["markets"]
    return [row for row in rows if row["yes_bid_dollars"] > "0.05" and row["yes_ask_dollars"] < "0.95"]


@pytest.fixture(scope="module")
def traded(exchange_server: Exchange) -> str:
    """A market of ours alone, in which the account just bought YES, sold some of it, and left an order resting."""
    used = {row["ticker"] for row in exchange_server.get("/portfolio/orders", limit=1000)["orders"]}
    free = [row for row in _quoted(exchange_server) if row["ticker"] not in used]
    # Other tests choose the market that lives longest; the next one closes late enough for these.
    ticker: str = sorted(free, key=lambda row: (row["close_time"], row["ticker"]))[-2]["ticker"]
    for side, count, price in (("bid", "3.00", "0.9900"), ("ask", "1.00", "0.0100")):
        answer = exchange_server.order(ticker, side, count, price)
        assert answer.status_code == 201, answer.text
    resting = exchange_server.order(ticker, "bid", "1.00", "0.0100", time_in_force="good_till_canceled")
    assert resting.status_code == 201, resting.text
    return ticker


@pytest.fixture
def some(public: Kalshi, traded: str) -> Market:
    return public.market(traded)


def test_status_is_open(public: Kalshi) -> None:
    assert public.exchange_status().exchange_active


def test_the_cutoff_lies_in_the_past(public: Kalshi) -> None:
    assert public.historical_cutoff().trades_created.timestamp() < time.time()


def test_markets_come_page_by_page_without_repetition(public: Kalshi) -> None:
    first = public.markets(status="open", limit=3)
    second = public.markets(status="open", limit=3, cursor=first.cursor)
    tickers = [market.ticker for market in (*first.items, *second.items)]
    assert len(set(tickers)) == 6
    assert {market.status for market in first.items} == {"active"}


def test_markets_are_filtered_by_event_series_and_ticker(public: Kalshi, some: Market) -> None:
    assert {m.event_ticker for m in public.markets(event_ticker=some.event_ticker).items} == {some.event_ticker}
    assert [m.ticker for m in public.markets(tickers=[some.ticker]).items] == [some.ticker]
    series = public.event(some.event_ticker).series_ticker
    assert some.ticker in {m.ticker for m in public.markets(series_ticker=series, limit=1000).items}


def test_a_market_has_prices_inside_a_dollar(some: Market) -> None:
    assert some.status == "active"
    assert some.spread is None or some.spread > 0


def test_an_unknown_market_event_and_series_are_not_found(public: Kalshi) -> None:
    for ask in (public.market, public.order_book, public.event, public.series):
        with pytest.raises(NotFound):
            ask("KXNOSUCHTHING")


def test_books_are_best_first_and_agree_with_each_other(public: Kalshi, some: Market) -> None:
    book = public.order_book(some.ticker)
    for bids in (book.yes_bids, book.no_bids):
        assert [level.price for level in bids] == sorted((level.price for level in bids), reverse=True)
    assert len(public.order_book(some.ticker, 1).yes_bids) <= 1
    assert set(public.order_books([some.ticker])) == {some.ticker}


def test_events_and_series_say_what_a_market_belongs_to(public: Kalshi, some: Market) -> None:
    event = public.event(some.event_ticker)
    assert some.ticker in {market.ticker for market in event.markets}
    listed = public.events(status="open", series_ticker=event.series_ticker, with_markets=True).items
    assert event.ticker in {one.ticker for one in listed}
    series = public.series(event.series_ticker)
    assert series.fee_multiplier >= 0
    assert series.ticker == event.series_ticker


def test_candles_are_oldest_first(public: Kalshi, some: Market) -> None:
    series = public.event(some.event_ticker).series_ticker
    end = int(time.time())
    candles = public.candles(series, some.ticker, start=end - 86_400, end=end, period_minutes=60)
    assert [candle.end for candle in candles] == sorted(candle.end for candle in candles)


def test_archived_markets_are_found_one_by_one(public: Kalshi) -> None:
    archived = public.historical_markets(limit=5).items
    assert archived
    for market in archived:
        assert public.market(market.ticker).result is not None


def test_an_archived_market_keeps_its_candles(public: Kalshi) -> None:
    (archived,) = public.historical_markets(limit=1).items
    end = int(archived.close_time.timestamp())
    span = {"start": end - 86_400, "end": end}
    candles = public.historical_candles(archived.ticker, **span, period_minutes=60)
    assert sum(candle.volume for candle in candles) > 0
    series = public.event(archived.event_ticker).series_ticker
    assert public.candles(series, archived.ticker, **span, period_minutes=60) == candles


def test_the_account_is_read_with_either_key(signed: Kalshi, traded: str) -> None:
    assert signed.balance().cash > 0
    (position,) = [one for one in signed.positions() if one.ticker == traded]
    assert position.position > 0
    assert signed.positions(settlement_status="all")
    assert signed.settlements(limit=5).items is not None
    assert signed.historical_fills(limit=5).items is not None
    assert all(not row.position for row in signed.historical_positions())
    assert net_deposits(signed.deposits()) == Decimal(10_000)
    assert signed.withdrawals() == ()


def test_fills_show_buys_and_sales_and_add_up_to_the_position(signed: Kalshi, traded: str) -> None:
    fills = signed.all_fills(ticker=traded)
    sides = {fill.as_trade().side for fill in fills}
    assert sides == {Side.BUY, Side.SELL}
    assert {fill.as_trade().outcome for fill in fills} == {Outcome.YES}
    (position,) = [one for one in signed.positions() if one.ticker == traded]
    assert sum(fill.yes_delta for fill in fills) == position.position
    assert {fill.fill_id for fill in signed.fills(ticker=traded, limit=1000).items} <= {f.fill_id for f in fills}


def test_small_pages_hold_the_same_fills(signed: Kalshi, traded: str) -> None:
    cursor, found = None, []
    while True:
        page = signed.fills(ticker=traded, limit=1, cursor=cursor)
        found += [fill.fill_id for fill in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert sorted(found) == sorted(fill.fill_id for fill in signed.fills(ticker=traded, limit=1000).items)


def test_a_wrong_key_is_refused_with_the_exchanges_reason(exchange_server: Exchange) -> None:
    wrong = [
        (Credentials("nobody", private_key_path=exchange_server.private_key_path), "NOT_FOUND"),
        (
            Credentials(exchange_server.api_key, private_key_path=exchange_server.ed25519_key_path),
            "INCORRECT_API_KEY_SIGNATURE",
        ),
    ]
    for credentials, reason in wrong:
        client = Kalshi(exchange_server.url, credentials)
        with pytest.raises(SourceRefused, match=reason):
            client.fills()
        client.close()


def test_the_settings_give_address_and_key(exchange_server: Exchange, tmp_path: Path) -> None:
    pem = json.dumps(exchange_server.private_key_path.read_text())[1:-1]  # newlines as two characters
    settings = Settings(
        kalshi_api_base=exchange_server.url,
        kalshi_api_key=SecretStr(exchange_server.api_key),
        kalshi_private_key=SecretStr(pem),
        kalshi_rsa_key_path=tmp_path / "unused.pem",
    )
    client = Kalshi.from_settings(settings)
    assert client.balance().equity > 0
    client.close()


def test_faults_of_the_exchange_are_overcome_or_raised(start_exchange: StartExchange) -> None:
    exchange = start_exchange(arguments=("--no-rate-limits",))
    client = Kalshi(exchange.url, _credentials(exchange, "rsa"), jitter=lambda: 0.0)
    exchange.admin("too-many-requests", requests=2)
    assert client.markets(limit=1).items
    exchange.admin("trading-pause", paused=True)
    assert not client.exchange_status().trading_active
    exchange.admin("trading-pause", paused=False)
    exchange.admin("legacy-fields", enabled=False)
    assert client.market(quoted_market(exchange)["ticker"]).yes_bid is not None
    exchange.admin("outage", active=True)
    assert not client.exchange_status().exchange_active
    with pytest.raises(SourceUnavailable):
        client.markets(limit=1)
    exchange.admin("outage", active=False)
    assert client.exchange_status().exchange_active
    client.close()
