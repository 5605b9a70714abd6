"""What the poller writes every five minutes, and that the history route shows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from functions.portfolio.app import build
from pydantic import SecretStr
from tests.contract.rest_world import API, client_of, settings_of, with_key
from tests.fixtures.exchange import Exchange, StartExchange
from tests.fixtures.postgres import PostgresServer

from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache
from coliseum.config import Settings
from coliseum.http.field_types import utc_from
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.snapshots import SnapshotWriter
from coliseum.store.client import Store

NOON = 1_795_262_400.0


@pytest.fixture
def exchange(start_exchange: StartExchange) -> Exchange:
    return start_exchange(arguments=("--no-rate-limits",))


@pytest.fixture
def kalshi(exchange: Exchange) -> Iterator[Kalshi]:
    client = Kalshi.from_settings(
        Settings(
            _env_file=None,
            kalshi_api_base=exchange.url,
            kalshi_api_key=SecretStr(exchange.api_key),
            kalshi_rsa_key_path=exchange.private_key_path,
        )
    )
    yield client
    client.close()


def trade(seq: int, ticker: str, days_ago: int) -> dict[str, object]:
    return {
        "epoch": "e",
        "seq": seq,
        "ms": 1,
        "trade_id": ticker,
        "ticker": ticker,
        "side": "BUY",
        "outcome": "yes",
        "quantity": 1,
        "price": "0.5",
        "executed_at": utc_from(NOON - days_ago * 86_400),
        "source": "bot_live",
    }


def test_all_processes_write_one_snapshot_per_slot_and_the_history_shows_it(
    exchange: Exchange, kalshi: Kalshi, store: Store, postgres_server: PostgresServer
) -> None:
    listed = exchange.get("/markets", status="open", limit=4)["markets"]
    first, second, third, long_ago = (market["ticker"] for market in listed)
    exchange.order(first, "bid", "2.50", "0.9900")
    exchange.order(second, "bid", "1.00", "0.9900")
    exchange.admin(f"markets/{second}/settle", result="yes")
    traded = [(first, 1), (second, 1), (third, 1), (long_ago, 4), ("ELSEWHERE", 1)]
    store.insert("trades", [trade(seq, ticker, days) for seq, (ticker, days) in enumerate(traded, 1)])
    cache = Cache(None, prefix="", breaker=CircuitBreaker())
    writer = SnapshotWriter(kalshi, store, cache)
    counts = writer.take(NOON + 7)
    assert counts is not None
    assert (counts.balances, counts.markets, counts.settlements) == (1, 2, 1)
    assert {row["ticker"] for row in store.select("market_snapshots", "ticker")} == {first, third}
    assert writer.take(NOON + 200) is None
    assert SnapshotWriter(kalshi, store, cache).take(NOON + 200) is None
    assert writer.take(NOON + 300) is not None
    with client_of(build(settings_of(postgres=postgres_server, exchange=exchange, **with_key(exchange)))) as client:
        history = client.get(f"{API}/portfolio/history").json()
        balance = client.get(f"{API}/portfolio/balance").json()
    assert [row["taken_at"] for row in history["items"]] == ["2026-11-21T12:00:07Z", "2026-11-21T12:05:00Z"]
    assert history["items"][1]["equity"] == balance["equity"]
    rows = store.select("settlements", "ticker,result,revenue::text")
    assert [(row["ticker"], row["result"], float(row["revenue"])) for row in rows] == [(second, "yes", 1.0)]
