"""Copying the log into a real Postgres: every entry once and in order, even after a run was killed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.fixtures.redis import RedisServer

from coliseum.errors import SourceUnavailable
from coliseum.feed.entries import Candidate, EntryId, EntryKind, event_candidate
from coliseum.feed.feed import Feed
from coliseum.projection import records
from coliseum.projection.projector import ProjectionResult, Projector
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

NOW_MS = 1_795_000_000_000
Head = tuple[str, EntryId]


@pytest.fixture
def feed(redis: Redis, prefix: str) -> Feed:
    return Feed(redis, prefix=prefix, maxlen=10_000)


@pytest.fixture
def projector(feed: Feed, store: Store) -> Projector:
    return Projector(feed=feed, store=store)


def trade(number: int, *, price: str = "0.5000") -> Candidate:
    data: dict[str, Any] = {
        "timestamp": 1_795_000_000 + number,
        "ticker": "ALPHA",
        "side": "BUY",
        "quantity": 1,
        "price": float(price),
        "trade_id": f"t{number}",
        "outcome": "yes",
        "price_dollars": price,
        "quantity_contracts": "1.00",
        "fee": None,
        "order_id": None,
        "source": "bot_live",
    }
    return Candidate(kind=EntryKind.TRADE, key=f"trade:t{number}", digest=price, data=data)


def publish(feed: Feed, numbers: Sequence[int], *extra: Candidate) -> Head:
    done = feed.publish([*map(trade, numbers), *extra], now_ms=NOW_MS)
    return done.epoch, done.head


def run(projector: Projector, head: Head | None, *, seconds: float = math.inf) -> ProjectionResult:
    return projector.run(head, time_left=lambda: seconds)


def trades(store: Store) -> list[str]:
    rows = store.select("trades", "trade_id", where=[("corrected_by", "is", None)], order=("ms", "epoch", "seq"))
    return [row["trade_id"] for row in rows]


def test_the_log_is_copied_once_and_in_order(projector: Projector, feed: Feed, store: Store) -> None:
    head = publish(feed, range(450), event_candidate(EntryKind.BOT_STATUS, "on", {"status": "online"}))

    assert run(projector, head) == ProjectionResult(entries=451)
    assert trades(store) == [f"t{number}" for number in range(450)]
    assert [row["kind"] for row in store.select("feed_events", "kind")] == ["bot_status"]


def test_a_correction_replaces_the_trade(projector: Projector, feed: Feed, store: Store) -> None:
    publish(feed, [1])
    head = publish(feed, [], trade(1, price="0.6100"))
    run(projector, head)

    rows = store.select("trades", "price::text,correction", where=[("corrected_by", "is", None)])
    assert rows == [{"price": "0.6100", "correction": True}]


def test_a_trades_strategy_is_kept_and_a_correction_without_one_keeps_it(
    projector: Projector, feed: Feed, store: Store
) -> None:
    named, silent = trade(1), trade(2)
    feed.publish([replace(named, data=named.data | {"strategy": "scripted"}), silent], now_ms=NOW_MS)
    head = publish(feed, [], trade(1, price="0.6100"))
    run(projector, head)
    rows = store.select("trades", "trade_id,strategy", where=[("corrected_by", "is", None)], order=("seq",))
    assert {row["trade_id"]: row["strategy"] for row in rows} == {"t1": "scripted", "t2": None}


def test_a_log_without_new_entries_costs_no_redis_command(
    projector: Projector, feed: Feed, redis_server: RedisServer
) -> None:
    head = publish(feed, [1, 2])
    run(projector, head)
    redis_server.reset_meter()
    for _ in range(3):
        assert run(projector, head) == ProjectionResult()

    assert redis_server.billed() == {}


def test_a_new_container_learns_from_postgres_that_nothing_is_left_to_copy(
    projector: Projector, feed: Feed, store: Store, redis_server: RedisServer
) -> None:
    head = publish(feed, [1, 2])
    run(projector, head)
    redis_server.reset_meter()

    assert run(Projector(feed=feed, store=store), head) == ProjectionResult()
    assert redis_server.billed() == {}


def test_a_run_without_a_log_copies_nothing(projector: Projector) -> None:
    assert run(projector, None) == ProjectionResult()


def test_a_run_killed_after_any_batch_is_continued_by_the_next_one(
    projector: Projector, feed: Feed, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of each second batch is lost after Postgres took it."""
    head = publish(feed, range(900))
    real, calls = records.project_batch, iter(range(100))

    def lose_each_second_answer(*arguments: Any) -> Any:
        answer = real(*arguments)
        if next(calls) % 2:
            raise SourceUnavailable("postgres", "the answer was lost")
        return answer

    monkeypatch.setattr("coliseum.projection.projector.project_batch", lose_each_second_answer)
    outcomes = [run(Projector(feed=feed, store=store), head) for _ in range(3)]

    assert [outcome.problem is None for outcome in outcomes] == [False, False, True]
    assert trades(store) == [f"t{number}" for number in range(900)]


def test_a_run_begins_no_batch_when_time_is_short(projector: Projector, feed: Feed, store: Store) -> None:
    head = publish(feed, [1])

    assert run(projector, head, seconds=1) == ProjectionResult()
    assert run(projector, head).entries == 1
    assert trades(store) == ["t1"]


def test_entries_that_the_log_dropped_are_recorded_as_lost(
    projector: Projector, feed: Feed, store: Store, redis: Redis
) -> None:
    run(projector, publish(feed, range(3)))
    publish(feed, range(3, 10))
    redis.command("XTRIM", feed.keys.stream, "MAXLEN", 2)

    assert run(projector, publish(feed, [10])) == ProjectionResult(entries=3, lost=5)
    assert store.select("projection_gaps", "after_seq,lost") == [{"after_seq": 3, "lost": 5}]


def test_a_new_epoch_is_copied_without_repeating_trades(
    projector: Projector, feed: Feed, store: Store, redis: Redis
) -> None:
    run(projector, publish(feed, [1, 2]))
    redis.command("DEL", feed.keys.stream, feed.keys.meta, feed.keys.seen, feed.keys.known)
    done = feed.publish(list(map(trade, [1, 2, 3])), now_ms=NOW_MS + 5)

    assert run(projector, (done.epoch, done.head)).problem is None
    assert trades(store) == ["t1", "t2", "t3"]


def test_a_log_that_lost_its_newest_entries_and_went_on_is_copied(
    projector: Projector, feed: Feed, store: Store, redis: Redis
) -> None:
    """Redis failed over to a server that lacked the newest entries."""
    publish(feed, [1, 2])
    before = redis.command("HMGET", feed.keys.meta, "seq", "ms")
    run(projector, publish(feed, [3, 4]))
    for number in (3, 4):
        newest = redis.command("XREVRANGE", feed.keys.stream, "+", "-", "COUNT", 1)[0][0]
        redis.command("XDEL", feed.keys.stream, newest)
        redis.command("ZREM", feed.keys.seen, f"trade:t{number}")
        redis.command("HDEL", feed.keys.known, f"trade:t{number}")
    redis.command("HSET", feed.keys.meta, "seq", before[0], "ms", before[1])
    done = feed.publish([trade(4), trade(5), trade(6)], now_ms=NOW_MS + 5)

    assert run(projector, (done.epoch, done.head)).problem is None
    assert sorted(trades(store)) == [f"t{number}" for number in range(1, 7)]


def test_the_cursor_stays_where_it_is_while_redis_fails(
    projector: Projector, feed: Feed, store: Store, redis_server: RedisServer
) -> None:
    head = publish(feed, [1, 2])
    redis_server.faults(refuse_all=True)
    assert run(projector, head).problem is not None
    redis_server.faults()

    assert run(projector, head) == ProjectionResult(entries=2)
    assert trades(store) == ["t1", "t2"]


def test_a_postgres_failure_is_reported_and_not_raised(feed: Feed) -> None:
    projector = Projector(feed=feed, store=Store("http://127.0.0.1:9", "sb_secret_unused"))

    problem = run(projector, publish(feed, [1])).problem
    assert problem is not None
    assert "postgres" in problem
