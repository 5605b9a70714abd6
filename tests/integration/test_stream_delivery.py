"""Nothing lost, nothing twice, in order: over a real server, a real Redis and a wire that fails."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from tests.fixtures.redis import RedisServer
from tests.fixtures.waiting import PATIENCE_SECONDS, until
from tests.integration.stream_servers import (
    QUICK,
    Listener,
    Publisher,
    StreamServer,
    Wire,
    publisher,
    serving,
    settings_for,
)

from coliseum.feed.entries import EntryId
from coliseum.feed.feed import now_ms
from coliseum.upstash.client import Redis


@pytest.fixture(params=["doorbell", "poll"])
def server(request: pytest.FixtureRequest, redis_server: RedisServer, prefix: str) -> Iterator[StreamServer]:
    """The stream in both ways of waiting for news."""
    settings = settings_for(redis_server, prefix, feed_mode=request.param, sse_heartbeat_seconds=0.5)
    with serving(settings) as running:
        yield running


@pytest.fixture
def bot(redis: Redis, prefix: str) -> Publisher:
    return publisher(redis, prefix)


def listen(server: StreamServer, path: str = "/sse/trading", last_event_id: str | None = None) -> Listener:
    return Listener(server.url, path, last_event_id=last_event_id)


def test_a_trade_reaches_every_client(server: StreamServer, bot: Publisher) -> None:
    """SSE-001."""
    listeners = [
        listen(server, f"/api/python/sse/{name}").wait("snapshot") for name in ("trading", "trades", "portfolio")
    ]
    bot.trades(3)
    for each in listeners:
        assert each.wait_trades(3).trades == ["t0", "t1", "t2"]


def test_status_goes_to_its_streams_and_no_further(server: StreamServer, bot: Publisher) -> None:
    """SSE-040."""
    status, trades = listen(server, "/sse/status").wait("bot_status"), listen(server, "/sse/trades").wait("snapshot")
    bot.status("online")
    bot.trades()
    assert status.wait("bot_status", 2).data("bot_status")["status"] == "online"
    assert trades.wait_trades(1).names.count("bot_status") == 0
    assert status.trades == []


def test_a_returning_client_gets_what_it_missed_and_only_that(server: StreamServer, bot: Publisher) -> None:
    """SSE-022, SSE-050."""
    first = listen(server).wait("snapshot")
    bot.trades(2)
    cursor = first.wait_trades(2).last_event_id
    first.close()
    bot.trades(3)
    second = listen(server, last_event_id=cursor).wait_trades(3)
    assert second.data("ready")["resumed"] is True
    assert second.trades == ["t2", "t3", "t4"]
    by_query = listen(server, f"/sse/trading?since={cursor}").wait_trades(3)
    assert by_query.trades == ["t2", "t3", "t4"]
    second.close()


@dataclass
class Follower:
    """Follows as EventSource does: reconnects with the last id until it stands at the log's head."""

    wire: Wire
    path: str
    cursor: str = "0-0"
    trades: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    connections: int = 0

    def until(self, enough: Callable[[], bool]) -> Follower:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not enough():
            assert time.monotonic() < deadline, f"{self.path} stands at {self.cursor}"
            each = Listener(self.wire.url, self.path, last_event_id=self.cursor)
            self.connections += 1
            have = len(self.trades)
            until(lambda: each.ended or (self._took(each, have) and enough()))  # noqa: B023  # runs at once
            each.close()
            self._took(each, have)
            self.names += each.names
        return self

    def _took(self, each: Listener, have: int) -> bool:
        self.cursor = each.last_event_id or self.cursor
        self.trades[have:] = each.trades
        return True


def follow(wire: Wire, path: str, target: int, *, start: str) -> tuple[list[str], list[str], str]:
    """Until the last trade has come."""
    follower = Follower(wire, path, start)
    follower.until(lambda: len(follower.trades) >= target)
    return follower.trades, follower.names, follower.cursor


def test_cuts_at_any_byte_lose_nothing_and_repeat_nothing(server: StreamServer, bot: Publisher) -> None:
    """SSE-002, SSE-013: fault 1."""
    rng = random.Random(7)
    wire = Wire(server.url, cuts=iter(lambda: rng.randint(1, 9000), None))
    for _ in range(50):
        bot.trades()
    seen, names, _ = follow(wire, "/sse/trades", 50, start="0-0")
    assert seen == bot.published
    assert "gap" not in names
    assert "reset" not in names
    wire.close()


def test_reconnects_under_load_with_mixed_filters_lose_nothing(server: StreamServer, bot: Publisher) -> None:
    """SSE-002, SSE-042: fault 2."""
    rng = random.Random(11)
    tickers = [rng.choice(["A-1", "B-1"]) for _ in range(120)]
    filters = ("", "?ticker=A-1", "?series=B", "?ticker=NEVER-1")
    wires = [Wire(server.url, cuts=iter(lambda: rng.randint(600, 2500), None)) for _ in filters]
    followers = [Follower(wire, f"/sse/trades{query}") for wire, query in zip(wires, filters, strict=True)]

    def trade() -> None:
        for ticker in tickers:
            bot.trades(ticker=ticker)
            time.sleep(0.02)

    def to_the_end(each: Follower) -> Follower:
        return each.until(lambda: not busy.is_alive() and each.cursor == str(bot.feed.position().head))

    busy = threading.Thread(target=trade)
    busy.start()
    with ThreadPoolExecutor(len(followers)) as pool:
        ended = list(pool.map(to_the_end, followers))
    for each, wanted in zip(ended, ({"A-1", "B-1"}, {"A-1"}, {"B-1"}, set()), strict=True):
        due = [name for name, ticker in zip(bot.published, tickers, strict=True) if ticker in wanted]
        assert each.trades == due
        assert not {"gap", "reset"} & set(each.names)
    assert sum(each.connections for each in followers) > 10
    for wire in wires:
        wire.close()


def test_a_proxy_that_splits_every_byte_and_would_like_to_compress_changes_nothing(
    server: StreamServer, bot: Publisher
) -> None:
    """SSE-004, SSE-013: fault 33."""
    bot.trades(20)
    wire = Wire(server.url, piece=1)
    split = listen(server, "/sse/trades?since=earliest").wait_trades(20)
    through = Listener(wire.url, "/sse/trades?since=earliest", compressed=True).wait_trades(20)
    assert [received for received in through.received if received[0] == "new_trades"] == [
        received for received in split.received if received[0] == "new_trades"
    ]
    assert through.encoding is None
    wire.close()


def test_what_a_later_version_writes_breaks_no_stream_of_this_one(server: StreamServer, bot: Publisher) -> None:
    """SSE-035: fault 34, as while a new version is deployed."""
    cursor = bot.trades().head
    each = listen(server, "/sse/trades").wait("snapshot")
    bot.from_tomorrow()
    bot.trades(invented={"since": "tomorrow"})
    each.wait_trades(1)
    (trade,) = each.data("new_trades")["trades"]
    assert trade["invented"] == {"since": "tomorrow"}
    back = listen(server, "/sse/trades", last_event_id=str(cursor)).wait_trades(1)
    assert back.data("ready")["resumed"] is True
    assert not {"gap", "reset", "closing"} & {*each.names, *back.names}


def test_a_cut_in_the_replay_goes_on_behind_the_last_id(server: StreamServer, bot: Publisher) -> None:
    """SSE-028: fault 4."""
    bot.trades(450)
    wire = Wire(server.url, cuts=iter([30_000, 20_000, 10**9]))
    seen, _, _ = follow(wire, "/sse/trades", 450, start="0-0")
    assert seen == bot.published
    wire.close()


def test_what_happens_while_a_client_connects_comes_exactly_once(server: StreamServer, bot: Publisher) -> None:
    """SSE-025: fault 5; the snapshot's id and the first entry behind it leave no hole."""
    stop = threading.Event()

    def trade() -> None:
        while not stop.is_set():
            bot.trades()

    busy = threading.Thread(target=trade)
    busy.start()
    for _ in range(12):
        each = listen(server, "/sse/trades").wait_trades(5)
        head = EntryId.parse(each.data("snapshot")["head"]).seq
        assert each.trades[:5] == [f"t{head + n}" for n in range(5)]
        each.close()
    stop.set()
    busy.join()


def test_ids_rise_and_nothing_resets_when_the_publishers_clock_jumps(server: StreamServer, bot: Publisher) -> None:
    """SSE-029: fault 16."""
    each = listen(server).wait("snapshot")
    for shift in (0, -3_600_000, 3_600_000, 0):
        bot.trades(at_ms=now_ms() + shift)
    received = each.wait_trades(4).received
    ids = [EntryId.parse(last) for name, _, last in received if name == "new_trades"]
    assert ids == sorted(ids)
    assert [entry.seq for entry in ids][-1] == 4
    assert "reset" not in each.names


def test_a_trim_below_a_live_session_is_a_gap_of_exact_size(
    redis: Redis, prefix: str, server: StreamServer, bot: Publisher
) -> None:
    """SSE-023: fault 21."""
    bot.trades(5)
    each = listen(server, "/sse/trades").wait("snapshot")
    short = publisher(redis, prefix, maxlen=10)
    short.published = list(bot.published)
    short.trades(600)
    each.wait_trades(10).wait("snapshot", 2)
    assert each.names.count("gap") == 1
    assert each.data("gap")["lost"] == 590
    assert each.trades == short.published[-10:]


def test_a_returning_client_gets_a_gap_of_the_trimmed_size(
    redis_server: RedisServer, redis: Redis, prefix: str, server: StreamServer, bot: Publisher
) -> None:
    """SSE-023."""
    bot.trades(3)
    each = listen(server, "/sse/trades?since=earliest").wait_trades(3)
    cursor = each.last_event_id
    each.close()
    short = publisher(redis, prefix, maxlen=10)
    short.published = list(bot.published)
    short.trades(100)
    with serving(settings_for(redis_server, prefix)) as another:
        back = listen(another, "/sse/trades", last_event_id=cursor).wait("snapshot")
        assert back.story[:3] == ["ready", "gap", "new_trades"]
        assert back.data("gap")["lost"] == 90


def test_a_log_that_is_gone_resets_live_clients_and_goes_on_in_a_new_epoch(
    redis: Redis, prefix: str, server: StreamServer, bot: Publisher
) -> None:
    """SSE-026: fault 18, a Redis restarted without its data."""
    bot.trades(3)
    each = listen(server, "/sse/trades").wait("snapshot")
    redis.pipeline([("DEL", f"{prefix}{name}") for name in ("feed", "feed:meta", "feed:seen", "feed:known")])
    bot.trades(2)
    each.wait_trades(2)
    assert each.wait("snapshot", 2).names.count("reset") == 1
    assert each.trades == ["t3", "t4"]


def test_a_log_restored_from_an_old_dump_resets_those_ahead_of_it(
    redis: Redis, prefix: str, server: StreamServer, bot: Publisher
) -> None:
    """SSE-027: fault 19."""
    kept = bot.trades(3).head
    bot.trades(2)
    each = listen(server, "/sse/trades?since=earliest").wait_trades(5)
    cursor = each.last_event_id
    redis.pipeline(
        [
            ("XTRIM", f"{prefix}feed", "MAXLEN", 5),
            *[
                ("XDEL", f"{prefix}feed", entry[0])
                for entry in redis.read("XREVRANGE", f"{prefix}feed", "+", "-", "COUNT", 2)
            ],
            ("HSET", f"{prefix}feed:meta", "seq", kept.seq, "ms", kept.ms),
        ]
    )
    listen(server, "/sse/trades", last_event_id=cursor).wait("snapshot")
    each.wait("reset")
    assert each.data("reset")["reason"] == "ahead"


def test_a_lost_stream_with_its_counter_kept_is_an_announced_gap(
    redis_server: RedisServer, redis: Redis, prefix: str, bot: Publisher
) -> None:
    """SSE-023: fault 22, first half."""
    cursor = bot.trades(2).entries[0][0]
    bot.trades(3)
    redis.command("DEL", f"{prefix}feed")
    with serving(settings_for(redis_server, prefix)) as server:
        each = listen(server, "/sse/trades", last_event_id=str(cursor)).wait("snapshot")
        assert each.data("gap")["lost"] == 4
        bot.trades()
        assert each.wait_trades(1).trades == ["t5"]


def test_a_lost_counter_begins_a_new_epoch(redis: Redis, prefix: str, server: StreamServer, bot: Publisher) -> None:
    """SSE-026: fault 22, second half."""
    bot.trades(3)
    each = listen(server, "/sse/trades").wait("snapshot")
    redis.command("DEL", f"{prefix}feed:meta")
    bot.trades()
    each.wait_trades(1)
    assert each.data("reset")["reason"] in {"epoch", "ahead"}


def test_a_flushed_script_cache_loses_nothing(redis: Redis, server: StreamServer, bot: Publisher) -> None:
    """SSE-001: fault 24."""
    each = listen(server).wait("snapshot")
    redis.command("SCRIPT", "FLUSH")
    bot.trades()
    assert each.wait_trades(1).trades == ["t0"]


def test_a_filter_that_never_matches_comes_back_without_a_false_gap(
    redis_server: RedisServer, redis: Redis, prefix: str, server: StreamServer, bot: Publisher
) -> None:
    """SSE-042: fault 25."""
    bot.trades()
    path = "/sse/trades?ticker=NEVER-1"
    each = listen(server, path).wait("snapshot")
    short = publisher(redis, prefix, maxlen=5)
    short.published = list(bot.published)
    head = [short.trades() for _ in range(20)][-1].head
    until(lambda: each.last_event_id == str(head))
    each.close()
    with serving(settings_for(redis_server, prefix)) as another:
        back = listen(another, path, last_event_id=str(head)).wait("ready")
        assert back.data("ready")["resumed"] is True
        assert "gap" not in back.names


def test_a_lost_notification_is_noticed_with_the_pollers_next_heartbeat(
    redis_server: RedisServer, redis: Redis, prefix: str, bot: Publisher
) -> None:
    """SSE-003: the doorbell is a hint, never the truth."""
    timings = replace(QUICK, quiet_seconds=3600.0)  # the reader does not look by itself
    with serving(settings_for(redis_server, prefix, feed_mode="doorbell"), timings=timings) as server:
        bot.trades()
        each = listen(server).wait("snapshot")
        silent = publisher(cast(Redis, _Muted(redis)), prefix)
        silent.published = list(bot.published)
        silent.trades(2)
        bot.feed.position()
        bot.report()
        assert each.wait_trades(2).trades == ["t1", "t2"]


def test_the_same_log_is_served_as_json(server: StreamServer, bot: Publisher) -> None:
    """SSE-100."""
    bot.trades(3)
    first = server.get("/api/python/events?after=earliest").json()
    assert [item["data"]["trades"][0]["trade_id"] for item in first["items"]] == ["t0", "t1", "t2"]
    assert first["next_cursor"] == first["items"][-1]["id"]
    found: list[dict[str, Any]] = []
    waiting = threading.Thread(
        target=lambda: found.append(server.get(f"/events?after={first['next_cursor']}&wait=10").json())
    )
    waiting.start()
    until(lambda: server.app.context.registry is not None)
    bot.trades()
    waiting.join(PATIENCE_SECONDS)
    assert [item["data"]["count"] for item in found[0]["items"]] == [1]
    empty = server.get(f"/events?after={found[0]['next_cursor']}&wait=0.1").json()
    assert (empty["items"], empty["next_cursor"]) == ([], found[0]["next_cursor"])


def test_the_json_answer_names_what_was_lost_and_what_was_reset(
    redis: Redis, prefix: str, server: StreamServer
) -> None:
    """SSE-101."""
    short = publisher(redis, prefix, maxlen=10)
    cursor = short.trades(3).head
    short.trades(600)
    answer = server.get(f"/events?after={cursor}").json()
    assert answer["gap"]["lost"] == 590
    assert len(answer["items"]) == 10
    ahead = server.get("/events?after=9999999999999-999").json()
    assert ahead["reset"]["reason"] == "ahead"
    assert server.get(f"/events?after={ahead['next_cursor']}").json()["reset"] is None


@dataclass(frozen=True, slots=True)
class _Muted:
    """Redis for a publisher whose doorbell no reader listens to."""

    redis: Redis

    def script(self, source: str, keys: Sequence[str], args: Sequence[str | int], *, idempotent: bool) -> Any:
        unheard = "\n".join(f"{channel}:unheard" for channel in str(args[4]).split("\n"))
        return self.redis.script(source, keys, [*args[:4], unheard, *args[5:]], idempotent=idempotent)
