"""Clients written by others drive the sandbox exchange unchanged: the vendor's own SDK, and an independent one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from tests.fixtures.exchange import START, Exchange, launch_standing_exchange, quoted_market


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    server = launch_standing_exchange(tmp_path_factory.mktemp("sdks"))
    yield server
    server.stop()


# The official SDK, which is strict: unknown enum values and missing fields fail in it.


@pytest.fixture(params=["rsa", "ed25519"])
def official(request: pytest.FixtureRequest, exchange: Exchange) -> Any:
    """The SDK's API objects by name, signing with either kind of key."""
    if sys.version_info < (3, 13):
        pytest.skip("kalshi_python_sync 3.34 needs Python 3.13")
    sdk = pytest.importorskip("kalshi_python_sync")
    key, path = {
        "rsa": (exchange.api_key, exchange.private_key_path),
        "ed25519": (exchange.ed25519_key, exchange.ed25519_key_path),
    }[request.param]
    configuration = sdk.Configuration(host=exchange.url)
    configuration.api_key_id = key
    configuration.private_key_pem = path.read_text()
    client = sdk.KalshiClient(configuration)

    class Official:
        market = sdk.MarketApi(client)
        events = sdk.EventsApi(client)
        exchange = sdk.ExchangeApi(client)
        orders = sdk.OrdersApi(client)
        portfolio = sdk.PortfolioApi(client)
        historical = sdk.HistoricalApi(client)
        account = sdk.AccountApi(client)

    return Official


def test_the_official_sdk_reads_all_that_is_public(official: Any, exchange: Exchange) -> None:
    ticker = quoted_market(exchange)["ticker"]
    series = ticker.split("-")[0]
    assert official.exchange.get_exchange_status().trading_active
    assert official.exchange.get_exchange_schedule() is not None
    markets = official.market.get_markets(limit=1000, status="open", mve_filter="exclude").markets
    assert len(markets) >= 24
    assert official.market.get_market(ticker).market.ticker == ticker
    assert official.market.get_market_orderbook(ticker, depth=3).orderbook_fp.yes_dollars
    assert official.market.get_market_orderbooks(tickers=[ticker]).orderbooks[0].ticker == ticker
    assert official.market.get_series(series).series.ticker == series
    assert len({each.category for each in official.market.get_series_list().series}) >= 6
    candles = official.market.get_market_candlesticks(
        series, ticker, start_ts=int(START) - 86_400, end_ts=int(START), period_interval=60
    )
    assert len(candles.candlesticks) >= 24
    events = official.events.get_events(limit=200, with_nested_markets=True).events
    assert sum(len(event.markets or ()) for event in events) >= 24
    assert official.historical.get_historical_cutoff().market_settled_ts is not None
    assert official.historical.get_historical_markets().markets
    assert official.account.get_account_api_limits().usage_tier == "basic"


def test_the_official_sdk_trades_and_sees_what_it_did(official: Any, exchange: Exchange) -> None:
    ticker = quoted_market(exchange)["ticker"]
    shared = {"self_trade_prevention_type": "taker_at_cross", "ticker": ticker}
    bought = official.orders.create_order_v2(
        side="bid", count="4.00", price="0.9900", time_in_force="immediate_or_cancel", **shared
    )
    assert bought.fill_count == "4.00"
    fills = official.portfolio.get_fills(order_id=bought.order_id).fills
    assert {(fill.book_side, fill.outcome_side) for fill in fills} == {("bid", "yes")}
    assert sum(Decimal(fill.count_fp) for fill in fills) == 4
    rested = official.orders.create_order_v2(
        side="ask", count="2.00", price="0.9800", time_in_force="good_till_canceled", **shared
    )
    assert official.orders.get_order(rested.order_id).order.status == "resting"
    assert official.orders.cancel_order_v2(rested.order_id).reduced_by == "2.00"
    canceled = official.orders.get_orders(ticker=ticker, status="canceled").orders
    assert rested.order_id in {order.order_id for order in canceled}
    held = [row for row in official.portfolio.get_positions(ticker=ticker).market_positions if row.ticker == ticker]
    assert Decimal(held[0].position_fp) > 0
    assert official.portfolio.get_balance().balance < 1_000_000


def test_the_official_sdk_reads_settlements(official: Any, exchange: Exchange) -> None:
    ticker = quoted_market(exchange)["ticker"]
    assert exchange.order(ticker, "bid", "1.00", "0.99").status_code == 201
    exchange.admin(f"markets/{ticker}/settle", result="scalar", value="0.40")
    (row,) = official.portfolio.get_settlements(ticker=ticker).settlements
    assert (row.market_result, row.value) == ("scalar", row.revenue)  # recorded rows repeat the revenue there
    assert official.market.get_market(ticker).market.status == "finalized"


# pykalshi, written by others against the live exchange. It signs with RSA only.


@pytest.fixture
def independent(exchange: Exchange) -> Iterator[Any]:
    pykalshi = pytest.importorskip("pykalshi")
    client = pykalshi.KalshiClient(
        api_key_id=exchange.api_key, private_key_path=str(exchange.private_key_path), api_base=exchange.url
    )
    yield client
    client.close()


def test_pykalshi_reads_markets_and_books(independent: Any, exchange: Exchange) -> None:
    from pykalshi.enums import MarketStatus

    markets = independent.get_markets(status=MarketStatus.OPEN, limit=100)
    assert len(markets) >= 24
    assert independent.exchange.is_trading()
    assert independent.get_market(quoted_market(exchange)["ticker"]).get_orderbook() is not None
    assert independent.get_trades(limit=5) is not None
    assert independent.history.get_cutoff() is not None


def test_pykalshi_trades_and_agrees_on_the_direction_of_every_fill(independent: Any, exchange: Exchange) -> None:
    from pykalshi.enums import Action, Side, TimeInForce

    ticker = quoted_market(exchange)["ticker"]
    portfolio = independent.portfolio
    name = str(uuid4())
    portfolio.place_order(
        ticker,
        Action.BUY,
        Side.YES,
        "5.00",
        yes_price_dollars="0.99",
        client_order_id=name,
        time_in_force=TimeInForce.IOC,
    )
    portfolio.place_order(
        ticker, Action.SELL, Side.YES, "2.00", yes_price_dollars="0.01", time_in_force=TimeInForce.IOC
    )
    fills = portfolio.get_fills(ticker=ticker)
    signed = sum((Decimal(f.count_fp) if f.book_side.value == "bid" else -Decimal(f.count_fp)) for f in fills)
    position = next(row for row in portfolio.get_positions() if row.ticker == ticker)
    assert Decimal(position.position_fp) == signed
    resting = portfolio.place_order(ticker, Action.BUY, Side.NO, "1.00", no_price_dollars="0.01")
    canceled = portfolio.cancel_order(resting.order_id)
    assert canceled.status.value == "canceled"
    assert any(order.client_order_id == name for order in portfolio.get_orders())
    assert portfolio.get_balance() is not None
    assert portfolio.get_settlements() is not None
