"""The bot's stored trades beside the fills of a real exchange, over REST and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from functions.portfolio.app import build
from starlette.testclient import TestClient
from tests.contract.rest_world import API, Bot, check, client_of, running_bot, settings_of, with_key
from tests.fixtures.exchange import START, Exchange, launch_standing_exchange
from tests.fixtures.postgres import PostgresServer

from coliseum.bot.client import Bot as BotClient
from coliseum.cache.breaker import CircuitBreaker
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.bot_reconciliation import BotReconciliation
from coliseum.store.client import lazy_store
from coliseum.trading.trades import Fill

ROUTE = "/portfolio/reconciliation"
NOW = START + 300.0
"""The route's clock. The exchange's stands at START, so nothing is too young to be judged."""


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An account with four fills."""
    running = launch_standing_exchange(tmp_path_factory.mktemp("reconciliation"))
    touched = {row["ticker"] for row in running.get("/portfolio/orders", limit=1000)["orders"]}
    markets = running.get("/markets", status="open", limit=1000)["markets"]
    offered = [
        row["ticker"]
        for row in markets
        if row["ticker"] not in touched
        and 0.05 < float(row["yes_ask_dollars"]) < 0.95
        and float(row["yes_ask_size_fp"]) > 2
    ]
    for ticker in offered[:4]:
        running.order(ticker, "bid", "1.00", "0.9900").raise_for_status()
    yield running
    running.stop()


@dataclass
class World:
    exchange: Exchange
    postgres: PostgresServer
    bot: Bot
    client: TestClient
    fills: tuple[Fill, ...]
    """Oldest first."""

    def store(self, fill: Fill, seq: int, *, values: str = "{price}, 1", trade_id: str | None = None) -> None:
        """Store a trade as the projection does: the bot's report of this fill."""
        trade = fill.as_trade()
        price, quantity = values.format(price=trade.price).split(", ")
        texts = (trade_id or trade.trade_id, trade.ticker, trade.side, trade.outcome, trade.order_id)
        shown = ", ".join(f"'{text}'" for text in texts)
        self.postgres.execute(
            "insert into trades (epoch, seq, ms, trade_id, ticker, side, outcome, order_id, quantity, price,"  # noqa: S608  # own values
            " executed_at, recorded_at, source) values"
            f" ('e', {seq}, 1, {shown}, {quantity}, {price}, to_timestamp({START + 31_536_000}),"
            f" to_timestamp({START}), 'bot_live')"
        )

    def ask(self, query: str = "") -> dict[str, Any]:
        response = self.client.get(f"{API}{ROUTE}{query}")
        check(ROUTE, response.status_code, response.json())
        body: dict[str, Any] = response.json()
        return body


@pytest.fixture
def world(exchange: Exchange, postgres_server: PostgresServer) -> Iterator[World]:
    postgres_server.execute("truncate trades")
    with running_bot() as bot, ExitStack() as clients:
        bot.answers["/status"] = {"mode": "live"}
        settings = settings_of(exchange=exchange, postgres=postgres_server, bot=bot, **with_key(exchange))
        app = build(settings)
        kalshi = Kalshi.from_settings(settings)
        clients.callback(kalshi.close)
        store, breaker = lazy_store(settings, clients), CircuitBreaker()
        app.state.bot_reconciliation = BotReconciliation(
            kalshi, BotClient.from_settings(settings), store, breaker, clock=lambda: NOW
        )
        with client_of(app) as client:
            yield World(exchange, postgres_server, bot, client, kalshi.all_fills()[::-1])
    postgres_server.execute("truncate trades")


def test_trades_that_have_their_fills_agree_whatever_the_bots_clock_says(world: World) -> None:
    for seq, fill in enumerate(world.fills, start=1):
        world.store(fill, seq)
    body = world.ask()

    assert (body["status"], body["source"], body["matched"]) == ("agrees", "postgres", len(world.fills))
    assert (body["unconfirmed"], body["unreported_fills"], body["different"]) == ([], [], [])
    assert "sandbox" in body["mode_warning"]


def test_what_has_no_counterpart_and_what_differs_is_listed(world: World) -> None:
    first, second, third, *_ = world.fills
    world.store(first, 1)
    world.store(second, 2, values="{price}, 7")
    world.postgres.execute("update trades set order_id = null where seq = 2")
    world.store(first, 3, trade_id="never-filled")
    world.postgres.execute("update trades set order_id = null where seq = 3")
    body = world.ask()

    assert (body["status"], body["matched"]) == ("differs", 2)
    (unconfirmed,) = body["unconfirmed"]
    assert (unconfirmed["trade_id"], unconfirmed["quantity"]) == ("never-filled", "1.00")
    assert [row["fill_id"] for row in body["unreported_fills"]] == [fill.fill_id for fill in world.fills[:1:-1]]
    assert third.fill_id in {row["fill_id"] for row in body["unreported_fills"]}
    (different,) = body["different"]
    assert (different["field"], different["bot"], different["exchange"]) == ("quantity", "7.00", "1.00")
    assert (different["trade_ids"], different["fill_ids"]) == ([second.fill_id], [second.fill_id])


def test_a_bot_with_ids_of_its_own_is_compared_by_its_orders(world: World) -> None:
    for seq, fill in enumerate(world.fills, start=1):
        world.store(fill, seq, trade_id=f"mine-{seq}")

    assert (world.ask()["status"], world.ask()["matched"]) == ("agrees", len(world.fills))


def test_a_bot_on_paper_needs_no_fills(world: World) -> None:
    world.bot.answers["/status"] = {"mode": "paper"}
    world.store(world.fills[0], 1, trade_id="paper-1")
    world.postgres.execute("update trades set order_id = null")
    body = world.ask()

    assert (body["status"], body["unconfirmed"], body["mode_warning"]) == ("unknown", [], None)
    assert "paper" in body["error"]


def test_a_fill_that_was_backfilled_is_not_unreported(world: World) -> None:
    for seq, fill in enumerate(world.fills, start=1):
        world.store(fill, seq)
    world.postgres.execute("update trades set source = 'kalshi', backfilled = true where seq = 1")

    body = world.ask()
    assert (body["status"], body["unreported_fills"]) == ("agrees", [])


def test_a_fill_whose_trade_was_stored_long_after_it_is_not_unreported(world: World) -> None:
    """The poller was down for days. The trade's own time says nothing, and the time of its storing is too late."""
    for seq, fill in enumerate(world.fills, start=1):
        world.store(fill, seq)
    world.postgres.execute("update trades set recorded_at = recorded_at + interval '5 days' where seq = 1")

    assert world.ask()["unreported_fills"] == []


def test_one_market_and_one_span_are_compared_alone(world: World) -> None:
    ticker = world.fills[0].ticker
    of_ticker = world.ask(f"?ticker={ticker}")["unreported_fills"]

    assert {row["ticker"] for row in of_ticker} == {ticker}
    assert world.ask("?since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z")["unreported_fills"] == []


def test_without_postgres_the_bots_own_list_is_compared(world: World, exchange: Exchange) -> None:
    settings = settings_of(exchange=exchange, bot=world.bot, **with_key(exchange))
    fill = world.fills[0]
    row = {"ticker": fill.ticker, "side": "BUY", "outcome": "yes", "quantity": 1, "price": float(fill.yes_price)}
    world.bot.answers["/trades"] = [
        {**row, "trade_id": fill.fill_id, "timestamp": fill.timestamp},
        {**row, "trade_id": "never-filled", "timestamp": fill.timestamp},
    ]
    with client_of(build(settings)) as client:
        body = client.get(f"{API}{ROUTE}?since={START - 60}&until={START + 60}").json()

    assert (body["source"], body["status"]) == ("bot_live", "differs")
    assert [(one["trade_id"], one["seen_at"]) for one in body["unconfirmed"]] == [("never-filled", None)]
    assert (body["unreported_fills"], [failure["source"] for failure in body["failures"]]) == ([], ["postgres"])


def test_without_the_exchange_nothing_is_said_to_agree(world: World) -> None:
    world.exchange.admin("outage", active=True)
    try:
        body = world.ask()
    finally:
        world.exchange.admin("outage", active=False)

    assert (body["status"], body["source"], body["matched"]) == ("unknown", None, 0)
    assert [failure["source"] for failure in body["failures"]] == ["kalshi"]


def test_the_three_lists_are_one_table(world: World) -> None:
    first, second, *_ = world.fills
    world.store(first, 1, trade_id="never-filled")
    world.postgres.execute("update trades set order_id = null")
    world.store(second, 2, values="0.01, 1")
    response = world.client.get(f"{API}{ROUTE}?format=csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))

    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    kinds = [row["kind"] for row in rows]
    assert kinds == ["unconfirmed", *["unreported_fill"] * (len(world.fills) - 1), "different"]
    assert (rows[-1]["field"], rows[-1]["bot"], rows[-1]["fill_id"]) == ("price", "0.0100", second.fill_id)


@pytest.mark.parametrize(
    ("query", "status", "part"),
    [
        ("?since=2026-01-01T00:00:00Z&until=2026-03-01T00:00:00Z", 400, "at most 31 days before `until`"),
        ("?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", 400, "a moment before `until`"),
        ("?since=2099-01-01T00:00:00Z", 400, "a moment before `until`"),
        ("?since=yesterday", 400, "since"),
        ("?limit=5", 422, "limit"),
        ("?ticker=%00", 422, "ticker"),
    ],
)
def test_a_span_that_cannot_be_compared_is_refused(world: World, query: str, status: int, part: str) -> None:
    response = world.client.get(f"{API}{ROUTE}{query}")

    assert response.status_code == status
    assert part in response.json()["detail"]
