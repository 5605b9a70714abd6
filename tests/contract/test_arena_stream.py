"""The arena on the streams: its own events on its own stream, and the panel's word beside the bot's trades."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.contract import arena_world
from tests.contract.arena_world import World
from tests.contract.rest_world import API, publish, settings_of
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer

from coliseum.arena.records.public import PublicRecords
from coliseum.arena.trade_context.publishing import publish_trade_contexts
from coliseum.feed.entries import EntryKind, event_candidate
from coliseum.feed.feed import Feed, now_ms
from coliseum.projection.projector import Projector
from coliseum.store.client import Store
from coliseum.streaming.app import create_app
from coliseum.trading.trades import Outcome, Side, Trade, TradeSource
from coliseum.upstash.client import Redis

OURS = (
    EntryKind.ROUND_OPENED,
    EntryKind.FORECAST,
    EntryKind.PAPER_TRADE,
    EntryKind.SETTLED,
    EntryKind.LEADERBOARD_CHANGED,
)


@pytest.fixture
def feed(redis: Redis, prefix: str) -> Feed:
    return Feed(redis, prefix=prefix, maxlen=1000)


@pytest.fixture
def stream(redis_server: RedisServer, prefix: str) -> Iterator[TestClient]:
    """Streams that end by themselves after a second."""
    settings = settings_of(prefix=prefix, redis=redis_server, sse_session_max_seconds=1)
    with TestClient(create_app(settings)) as client:
        yield client


def received(stream: TestClient, name: str) -> list[tuple[str, Any]]:
    """(event, data) of a whole session from the log's beginning."""
    text = stream.get(f"{API}/sse/{name}?since=earliest&snapshot=none").text
    found: list[tuple[str, Any]] = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def trade(trade_id: str, ticker: str, *, outcome: Outcome = Outcome.YES, at: float = 0) -> Trade:
    return Trade(
        trade_id=trade_id,
        ticker=ticker,
        side=Side.BUY,
        outcome=outcome,
        quantity=Decimal(5),
        price=Decimal("0.5"),
        timestamp=datetime.now(UTC).timestamp() + at,
        source=TradeSource.BOT_LIVE,
    )


def test_the_arenas_events_are_on_its_own_stream_and_on_no_other(
    stream: TestClient, feed: Feed, redis_server: RedisServer, prefix: str
) -> None:
    publish(redis_server, prefix, (trade("t1", "KXA-1"),))
    feed.publish([event_candidate(kind, "one", {"ticker": "KXA-1", "n": 1}) for kind in OURS], now_ms=now_ms())
    names = {kind.value for kind in OURS}
    arena, trading = received(stream, "arena"), received(stream, "trading")
    assert [event for event, _ in arena if event in names] == [kind.value for kind in OURS]
    assert "new_trades" not in dict(arena)
    assert "new_trades" in dict(trading)
    assert not names & dict(trading).keys()


def project(feed: Feed, store: Store) -> None:
    """As the poller does behind its minute."""
    position = feed.position()
    assert position.epoch is not None
    Projector(feed=feed, store=store).run((position.epoch, position.head), time_left=lambda: 60)


@pytest.fixture
def world(store: Store, postgres_server: PostgresServer) -> World:
    return arena_world.build(store, postgres_server)


def test_the_agents_forecasts_are_published_with_the_bots_trade(
    stream: TestClient, feed: Feed, redis_server: RedisServer, world: World, store: Store
) -> None:
    asked, other = world.tickers[:2]
    trades = (trade("t1", asked), trade("t2", asked, outcome=Outcome.NO))
    deaf = (trade("t3", world.secret_ticker), trade("t4", "KXUNKNOWN-1"), trade("t5", other, at=-600))
    publish(redis_server, feed.keys.prefix, (*trades, *deaf))
    project(feed, store)
    published = [publish_trade_contexts(feed, PublicRecords(lambda: store), now=datetime.now(UTC)) for _ in range(2)]
    trading = received(stream, "trading")
    (entry,) = (data for event, data in trading if event == "trade_context")
    contexts = entry["contexts"]
    assert published == [2, 0]
    assert (entry["count"], entry["tickers"]) == (2, [asked])
    assert [one["trade_id"] for one in contexts] == ["t1", "t2"]
    assert {(one["ticker"], one["fill_price"], one["agents"]) for one in contexts} == {(asked, "0.5000", 4)}
    # sharp 0.91, uniform 0.50, market 0.425, modest 0.44: one above the price, two below it
    assert [one["agree"] for one in contexts] == [1, 2]
    edges = [Decimal(one["edge"]) for one in contexts]
    assert edges[0] == -edges[1] == Decimal(repr(contexts[0]["consensus"])) - Decimal("0.5")
    assert "trade_context" not in dict(received(stream, "arena"))
    assert str(arena_world.SECRET) not in json.dumps(trading)


def test_the_log_is_not_read_while_the_bot_does_not_trade(feed: Feed, redis_server: RedisServer, store: Store) -> None:
    redis_server.reset_meter()
    assert publish_trade_contexts(feed, PublicRecords(lambda: store), now=datetime.now(UTC)) == 0
    assert redis_server.billed() == {}


def test_an_old_trade_gets_no_trade_context(feed: Feed, redis_server: RedisServer, prefix: str, store: Store) -> None:
    publish(redis_server, prefix, (trade("t1", "KXA-1"),))
    project(feed, store)
    later = datetime.now(UTC) + timedelta(minutes=16)
    assert publish_trade_contexts(feed, PublicRecords(lambda: store), now=later) == 0
