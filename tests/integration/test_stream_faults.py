"""What the stream does while something is wrong: it says so, loses nothing, and comes back by itself."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.fixtures.redis import RedisServer, start_redis
from tests.fixtures.waiting import PATIENCE_SECONDS, until, until_async
from tests.integration.stream_servers import (
    QUICK,
    Listener,
    Publisher,
    Wire,
    publisher,
    serving,
    settings_for,
)

from coliseum.client import Parser
from coliseum.errors import SourceUnavailable
from coliseum.feed.entries import EntryId
from coliseum.feed.feed import AsyncFeed
from coliseum.feed.protocol import FeedState
from coliseum.streaming.app import StreamApp
from coliseum.streaming.context import StreamRequest
from coliseum.streaming.log_reader import LogReader
from coliseum.streaming.routes import session_settings
from coliseum.streaming.stats import StreamCounters
from coliseum.streaming.timings import OPENING_SECONDS, ReaderTimings
from coliseum.upstash.client import AsyncRedis, Redis

IMPATIENT = replace(QUICK, redis_patience_seconds=0.5)
"""Redis counts as silent soon; for tests that silence it."""
MODES = pytest.mark.parametrize("mode", ["doorbell", "poll"])


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of our own to stop and misuse."""
    server = start_redis(tmp_path_factory.mktemp("fragile") / "state")
    yield server
    server.stop()


@pytest.fixture
def bot(fragile: RedisServer, prefix: str) -> Iterator[Publisher]:
    redis = Redis(fragile.url, fragile.token)
    yield publisher(redis, prefix)
    fragile.faults()
    redis.close()


@contextmanager
def frozen(server: RedisServer) -> Iterator[None]:
    """Valkey stands still: connections stay open, nothing answers."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    (valkey,) = [child for child in children if "valkey" in child.name() or "valkey" in " ".join(child.cmdline())]
    valkey.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        valkey.send_signal(signal.SIGCONT)


@MODES
def test_a_pause_of_redis_is_announced_and_survived_without_a_reconnect(
    fragile: RedisServer, prefix: str, bot: Publisher, mode: str
) -> None:
    """SSE-063, SSE-065: fault 17."""
    with serving(
        settings_for(fragile, prefix, feed_mode=mode), timings=replace(IMPATIENT, quiet_seconds=0.5)
    ) as server:
        bot.report()
        bot.trades()
        each = Listener(server.url, "/sse/trades").wait("snapshot")
        with frozen(fragile):
            assert each.wait("stale").data("stale")["source"] == "redis"
        each.wait("fresh")
        bot.trades(2)
        assert each.wait_trades(2).trades == ["t1", "t2"]
        assert not {"gap", "reset", "closing"} & set(each.names)


@MODES
def test_a_long_outage_ends_the_session_and_the_next_one_resumes(
    fragile: RedisServer, prefix: str, bot: Publisher, mode: str
) -> None:
    """SSE-065: fault 17."""
    timings = replace(IMPATIENT, quiet_seconds=0.3, outage_seconds=0.4)
    with serving(settings_for(fragile, prefix, feed_mode=mode), timings=timings) as server:
        bot.trades()
        each = Listener(server.url, "/sse/trades?since=earliest").wait_trades(1)
        fragile.faults(refuse_all=True, cut_subscribers=True)
        closing = each.wait("closing").data("closing")
        assert closing == {"reason": "redis", "cursor": each.last_event_id}
        until(lambda: each.ended)
        fragile.faults()
        bot.trades()
        until(lambda: server.get("/events").status == 200)
        back = Listener(server.url, "/sse/trades", last_event_id=each.last_event_id).wait_trades(1)
        assert back.trades == ["t1"]
        assert back.data("ready")["resumed"] is True


def test_a_client_that_comes_while_redis_is_down_gets_closing(
    fragile: RedisServer, prefix: str, bot: Publisher
) -> None:
    """SSE-064: EventSource would never come back from a 503."""
    fragile.faults(refuse_all=True)
    with serving(settings_for(fragile, prefix), timings=replace(IMPATIENT, first_answer_seconds=0.5)) as server:
        each = Listener(server.url, "/sse/trading", last_event_id="5-5").wait_end()
        assert each.status == 200
        assert each.names == ["ready", "stale", "closing"]
        stats = server.stats()
        assert stats["events_sent"] == 3 * stats["connections"]["total"]
        assert each.data("ready")["degraded"] is True
        assert each.data("closing") == {"reason": "redis", "cursor": "5-5"}
        strict = server.get("/sse/trading?strict=1")
        assert (strict.status, strict.headers["retry-after"]) == (503, "5")
        assert server.get("/events").status == 503


@MODES
@pytest.mark.parametrize("fault", [{"refuse_all": True}, {"latency_ms": 2500}], ids=["late", "slow"])
def test_a_starting_process_waits_for_a_redis_that_is_late_or_slow(
    fragile: RedisServer, prefix: str, bot: Publisher, mode: str, fault: dict[str, Any]
) -> None:
    """SSE-066: the first client of a new process keeps its connection."""
    bot.trades()
    fragile.faults(**fault)
    with serving(settings_for(fragile, prefix, feed_mode=mode)) as server:
        began = time.monotonic()
        each = Listener(server.url, "/sse/trades?since=earliest")
        until(lambda: time.monotonic() > began + OPENING_SECONDS + 0.3)  # later clients get no longer than this
        assert not each.ended
        assert each.names == []
        fragile.faults()
        assert each.wait_trades(1).story[:2] == ["ready", "new_trades"]
        assert server.get("/events").status == 200


@MODES
def test_a_strict_client_and_a_long_poll_wait_for_a_starting_process_too(
    fragile: RedisServer, prefix: str, bot: Publisher, mode: str
) -> None:
    """SSE-066."""
    bot.trades()
    fragile.faults(refuse_all=True)
    with (
        serving(settings_for(fragile, prefix, feed_mode=mode)) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        answers = [pool.submit(server.get, path) for path in ("/events?after=earliest", "/sse/stats")]
        strict = Listener(server.url, "/sse/trades?strict=1&since=earliest")
        until(lambda: server.app.context.counters.redis_errors >= 2)
        fragile.faults()
        assert len(answers[0].result(PATIENCE_SECONDS).json()["items"]) == 1
        assert answers[1].result(PATIENCE_SECONDS).status == 200
        assert strict.wait_trades(1).status == 200


def test_a_process_that_was_loaded_once_gives_a_new_client_two_seconds_in_an_outage(
    fragile: RedisServer, prefix: str, bot: Publisher
) -> None:
    """SSE-064: only a process that is starting waits longer."""
    with serving(
        settings_for(fragile, prefix, feed_mode="poll"), timings=replace(QUICK, redis_patience_seconds=30.0)
    ) as server:
        first = Listener(server.url, "/sse/trades").wait("snapshot")
        first.close()
        reader = server.app.opened_reader
        assert reader is not None
        until(lambda: not reader.view.loaded)
        fragile.faults(refuse_all=True)
        began = time.monotonic()
        assert Listener(server.url, "/sse/trades").wait_end().names == ["ready", "stale", "closing"]
        assert OPENING_SECONDS <= time.monotonic() - began < QUICK.first_answer_seconds


@MODES
@pytest.mark.parametrize(
    "fault",
    [
        {"status_code": 429, "status_times": 4},
        {"status_code": 500, "status_times": 4},
        {"status_code": 502, "status_times": 4},
        {"half_json": 3},
        {"drop_reply": 3},
    ],
    ids=["429", "500", "html-502", "half-json", "dropped"],
)
def test_wrong_answers_of_redis_delay_and_lose_nothing(
    fragile: RedisServer, prefix: str, bot: Publisher, mode: str, fault: dict[str, int]
) -> None:
    """SSE-065: fault 23."""
    with serving(settings_for(fragile, prefix, feed_mode=mode)) as server:
        each = Listener(server.url, "/sse/trades").wait("snapshot")
        bot.trades(2)
        fragile.faults(cut_subscribers=True, **fault)
        until(lambda: server.app.context.counters.redis_errors > 0 or not _left(fragile))
        fragile.faults()
        bot.trades(2)
        assert each.wait_trades(4).trades == ["t0", "t1", "t2", "t3"]
        assert not {"gap", "reset", "closing"} & set(each.names)


def _left(server: RedisServer) -> int:
    answer = server.admin.get("/_faults")
    if answer.status_code != 200:
        return 1
    state = answer.json()
    return int(state.get("status_times", 0) + state.get("half_json", 0) + state.get("drop_reply", 0))


@MODES
def test_a_dead_poller_is_announced_while_heartbeats_go_on(
    fragile: RedisServer, prefix: str, bot: Publisher, mode: str
) -> None:
    """SSE-060, SSE-061: fault 32."""
    settings = settings_for(fragile, prefix, feed_mode=mode, sse_heartbeat_seconds=0.3)
    with serving(settings) as server:
        bot.report()
        each = Listener(server.url, "/sse/status").wait("heartbeat")
        assert "stale" not in each.names
        bot.report(fresh_for=300)
        each.wait("stale", 2).wait("heartbeat", each.names.count("heartbeat") + 2)
        assert each.data("heartbeat")["stale"] == ["bot", "poller"]
        bot.report()
        each.wait("fresh", 2)


class LaggingFeed(AsyncFeed):
    """A replica that stands still on demand: no server of ours can be made to."""

    old: FeedState | None = None
    old_reads = 0

    async def read(self, after: EntryId, *, count: int = 200) -> FeedState:
        if self.old is not None:
            self.old_reads += 1
            return self.old
        return await super().read(after, count=count)


def test_a_replica_that_lags_resets_no_client_and_moves_no_id_back(
    fragile: RedisServer, prefix: str, bot: Publisher
) -> None:
    """SSE-027: fault 20."""

    async def story() -> None:
        redis = AsyncRedis(fragile.url, fragile.token)
        feed = LaggingFeed(redis, prefix=prefix)
        bot.trades(2)
        reader = LogReader(
            feed, doorbell=False, timings=replace(QUICK, ahead_seconds=3600.0), counters=StreamCounters(0.0)
        )
        reader.hold(lambda: None)
        assert await reader.ready(PATIENCE_SECONDS)
        old = await feed.read(EntryId(0, 0))
        await asyncio.to_thread(bot.trades, 3)
        ring = reader.view.ring
        await asyncio.to_thread(until, lambda: ring.head.seq == 5)
        history = ring.history
        feed.old = old
        await until_async(lambda: feed.old_reads >= 5)
        assert (ring.head.seq, ring.history) == (5, history)
        feed.old = None
        await asyncio.to_thread(bot.trades, 1)
        await asyncio.to_thread(until, lambda: ring.head.seq == 6)
        assert ring.history == history
        await reader.close()
        await redis.close()

    asyncio.run(asyncio.wait_for(story(), PATIENCE_SECONDS))


class SilentFeed(AsyncFeed):
    """Answers nothing on demand, and says so only after a while, as a time-out does."""

    silent = False

    async def read(self, after: EntryId, *, count: int = 200) -> FeedState:
        if self.silent:
            await asyncio.sleep(0.3)
            raise SourceUnavailable("redis", "timed out")
        return await super().read(after, count=count)


def test_a_silence_of_redis_is_announced_once_however_many_reads_time_out(
    fragile: RedisServer, prefix: str, bot: Publisher
) -> None:
    """SSE-062, SSE-063: a question given up is no sign of life."""

    async def story() -> None:
        redis = AsyncRedis(fragile.url, fragile.token)
        feed, counts, announced = SilentFeed(redis, prefix=prefix), StreamCounters(0.0), [False]
        await asyncio.to_thread(bot.report)
        timings = replace(QUICK, poll_seconds=0.01, redis_patience_seconds=1.0, judge_seconds=0.01)
        reader = LogReader(feed, doorbell=False, timings=timings, counters=counts)

        def look() -> None:
            if ("redis" in reader.view.stale) != announced[-1]:
                announced.append(not announced[-1])

        reader.hold(look)
        assert await reader.ready(PATIENCE_SECONDS)
        del announced[:-1]  # what a busy machine made of the start
        feed.silent = True
        await asyncio.to_thread(until, lambda: announced == [False, True])
        errors = counts.redis_errors
        await asyncio.to_thread(until, lambda: counts.redis_errors >= errors + 3)
        assert announced == [False, True]
        feed.silent = False
        await asyncio.to_thread(until, lambda: announced == [False, True, False])
        await reader.close()
        await redis.close()

    asyncio.run(asyncio.wait_for(story(), PATIENCE_SECONDS))


class FailingFeed(AsyncFeed):
    """One unexpected error."""

    failed = False

    async def latest(self, count: int) -> FeedState:
        if not self.failed:
            self.failed = True
            raise RuntimeError("unexpected")
        return await super().latest(count)


@MODES
def test_a_reader_survives_an_unexpected_error(fragile: RedisServer, prefix: str, bot: Publisher, mode: str) -> None:
    """SSE-003."""

    async def story() -> None:
        redis = AsyncRedis(fragile.url, fragile.token)
        feed = FailingFeed(redis, prefix=prefix)
        reader = LogReader(feed, doorbell=mode == "doorbell", timings=QUICK, counters=StreamCounters(0.0))
        reader.hold(lambda: None)
        assert await reader.ready(PATIENCE_SECONDS)
        assert feed.failed
        await reader.close()
        await redis.close()

    asyncio.run(asyncio.wait_for(story(), PATIENCE_SECONDS))


def test_a_client_that_stops_reading_is_disconnected_and_others_do_not_notice(
    fragile: RedisServer, prefix: str, bot: Publisher
) -> None:
    """SSE-073, SSE-091: faults 28 and 29, a stopped or vanished client."""
    with serving(settings_for(fragile, prefix), send_seconds=3.0) as server:
        quick = Listener(server.url, "/sse/trades").wait("snapshot")
        stuck = socket.socket()
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        stuck.sendall(b"GET /sse/trades HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: server.stats()["connections"]["now"] == 2)
        for _ in range(6):
            bot.trades(60, ticker="A-" + "1" * 20_000)  # more than the kernel buffers
        until(lambda: b'"t359"' in quick.bytes_in[-30_000:])
        until(lambda: server.stats()["connections"]["closed"].get("too_slow") == 1)
        assert server.stats()["connections"]["now"] == 1
        bot.trades()
        until(lambda: b'"t360"' in quick.bytes_in[-30_000:])
        stuck.close()


def test_one_reader_serves_all_clients_of_a_process(fragile: RedisServer, prefix: str, bot: Publisher) -> None:
    """SSE-003, SSE-092: commands as billed."""
    timings = replace(QUICK, quiet_seconds=3600.0)
    with serving(settings_for(fragile, prefix, feed_mode="doorbell"), timings=timings) as server:
        bot.trades()
        fragile.reset_meter()
        listeners = [Listener(server.url, "/sse/trades?since=earliest").wait_trades(1) for _ in range(10)]
        billed = Counter(fragile.billed())
        assert sum(billed.values()) == 4 == server.app.context.counters.redis_commands
        for _ in range(5):
            bot.trades()
        for each in listeners:
            each.wait_trades(6)
            each.close()
        back = Listener(server.url, "/sse/trades", last_event_id=each.last_event_id).wait("ready")
        assert back.data("ready")["resumed"] is True
        assert server.app.context.counters.redis_commands == 4


@MODES
def test_a_reader_stops_without_clients_and_catches_up_for_the_next_one(
    fragile: RedisServer, prefix: str, bot: Publisher, mode: str
) -> None:
    """SSE-003."""
    with serving(settings_for(fragile, prefix, feed_mode=mode), timings=replace(QUICK, linger_seconds=0.05)) as server:
        bot.trades()
        first = Listener(server.url, "/sse/trades?since=earliest").wait_trades(1)
        first.close()
        reader = server.app.opened_reader
        assert reader is not None
        until(lambda: not reader.view.loaded)
        commands = server.app.context.counters.redis_commands
        bot.trades(2)
        back = Listener(server.url, "/sse/trades", last_event_id=first.last_event_id).wait_trades(2)
        assert back.trades == ["t1", "t2"]
        assert server.app.context.counters.redis_commands > commands


def test_a_lambda_ends_its_session_ten_seconds_before_its_deadline(
    fragile: RedisServer, prefix: str, bot: Publisher
) -> None:
    """SSE-071."""
    bot.trades()

    async def story() -> tuple[list[Any], float]:
        app = StreamApp(settings_for(fragile, prefix), timings=QUICK)
        sent: list[Any] = []
        asked = False

        async def receive() -> MutableMapping[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/sse/trades", "headers": [], "query_string": b""}
        began = time.monotonic()
        await app({**scope, "coliseum.deadline": time.time() + 12.5}, receive, send)
        await app.close()
        return sent, time.monotonic() - began

    sent, seconds = asyncio.run(asyncio.wait_for(story(), PATIENCE_SECONDS))
    events = list(Parser().feed(b"".join(message.get("body", b"") for message in sent)))
    assert [event.name for event in events][-1] == "closing"
    assert events[-1].data["reason"] == "rotate"
    granted = events[0].data["session_max_seconds"]
    assert 0 < granted <= 2.5
    assert seconds > granted - 0.1  # the client is given tenths of a second
    assert sent[-1]["more_body"] is False


def test_a_thousand_clients_do_not_come_back_together(fragile: RedisServer, prefix: str) -> None:
    """SSE-070, SSE-072: fault 26; rotation and drain plus the wait before the reconnect."""

    async def story() -> None:
        app = StreamApp(settings_for(fragile, prefix))
        reader = app.reader()
        app.context.rng = random.Random(5)
        request = StreamRequest("GET", "/sse/trading", "/sse/trading", {}, {})
        plans = [session_settings(app.context, reader, request, None) for _ in range(1000)]
        returns = Counter(int(plan.ends_at + plan.retry_ms / 1000) for plan in plans)
        assert max(returns.values()) <= 50
        assert all(1000 <= plan.retry_ms <= 3000 for plan in plans)
        assert all(5000 <= plan.trouble_retry_ms <= 15_000 for plan in plans)
        drained = Counter(int(app.context.rng.uniform(0, 20) + plan.retry_ms / 1000) for plan in plans)
        assert max(drained.values()) <= 75
        await app.close()

    asyncio.run(story())


Place = tuple[list[str], Path, dict[str, str]]
"""A command behind `python -m`, the folder it runs in, its variables."""


@pytest.fixture(params=["container", "uvicorn"])
def place(request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> Place:
    """The two ways to run the stream for many viewers."""
    if request.param == "container":
        return contained(root, tmp_path)
    command = ["uvicorn", "--log-level", "error", "--timeout-graceful-shutdown", "27", "app:app"]
    return command, root / "functions" / "stream", {}


@contextmanager
def process(place: Place, server: RedisServer, prefix: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The stream in a process of its own."""
    command, home, variables = place
    listening = socket.create_server(("127.0.0.1", 0))
    redis = {
        "UPSTASH_REDIS_REST_URL": server.url,
        "UPSTASH_REDIS_REST_TOKEN": server.token,
        "REDIS_KEY_PREFIX": prefix,
    }
    running = subprocess.Popen(
        [sys.executable, "-m", *command, "--fd", str(listening.fileno())],
        cwd=home,
        env={**os.environ, **variables, **redis},
        pass_fds=[listening.fileno()],
    )
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.close()
    try:
        yield running, url
    finally:
        running.kill()
        running.wait()


def contained(root: Path, folder: Path) -> Place:
    """What the Dockerfile puts into `folder`: its command behind `python -m`, its home, its variables."""
    lines = [line.partition(" ") for line in (root / "Dockerfile").read_text().splitlines()]
    instructions = {name: rest for name, _, rest in lines}
    home = folder / instructions["WORKDIR"].strip("/")
    for source, target in (rest.split() for name, _, rest in lines if name == "COPY"):
        (home / target).parent.mkdir(parents=True, exist_ok=True)
        if (root / source).is_dir():
            shutil.copytree(root / source, home / target, dirs_exist_ok=True)
        else:
            shutil.copy(root / source, home / target)
    assert instructions["RUN"] == "pip install --no-cache-dir --require-hashes -r api.txt"
    assert (home / "api.txt").exists()
    python, option, *command = json.loads(instructions["CMD"])
    assert (python, option) == ("python", "-m")
    return command, home, dict(pair.split("=") for pair in instructions["ENV"].split())


def _resumed(url: str, listeners: list[Listener]) -> list[Listener]:
    return [Listener(url, "/sse/trades", last_event_id=each.last_event_id) for each in listeners]


def test_clients_of_a_terminated_and_of_a_killed_server_resume(
    fragile: RedisServer, prefix: str, bot: Publisher, place: Place
) -> None:
    """SSE-072, SSE-111: fault 27; either way nothing is lost. Our own server runs as the Dockerfile says."""
    bot.trades(3)
    with process(place, fragile, prefix) as (running, url):
        first = [Listener(url, "/sse/trades?since=earliest").wait_trades(3) for _ in range(10)]
        bot.trades(2)
        running.send_signal(signal.SIGTERM)
        for each in first:
            assert each.wait_end().data("closing")["reason"] == "shutdown"
            assert each.data("closing")["cursor"] == each.last_event_id
        assert running.wait(PATIENCE_SECONDS) in {0, -signal.SIGTERM}
    seen = [each.trades for each in first]
    with process(place, fragile, prefix) as (running, url):
        second = _resumed(url, first)
        bot.trades(2)
        for each, before in zip(second, seen, strict=True):
            each.wait_trades(7 - len(before))
        running.kill()
        for each in second:
            each.wait_end()
    seen = [before + each.trades for before, each in zip(seen, second, strict=True)]
    assert seen == [bot.published] * 10
    with process(place, fragile, prefix) as (_, url):
        third = _resumed(url, second[:2])
        bot.trades()
        for each in third:
            assert each.wait_trades(1).trades == ["t7"]
            each.close()


def test_a_frozen_wire_costs_its_client_time_and_nothing_else(
    fragile: RedisServer, prefix: str, bot: Publisher
) -> None:
    """SSE-091."""
    with serving(settings_for(fragile, prefix)) as server:
        wire = Wire(server.url)
        each = Listener(wire.url, "/sse/trades").wait("snapshot")
        wire.frozen.set()
        bot.trades(5)
        direct = Listener(server.url, "/sse/trades?since=earliest").wait_trades(5)
        assert each.trades == []
        wire.frozen.clear()
        assert each.wait_trades(5).trades == direct.trades
        wire.close()


def test_the_readers_default_times_are_the_specifications() -> None:
    """SSE-060, SSE-063, SSE-065, SSE-066: what the quick times of these tests stand for."""
    timings = ReaderTimings()
    assert (timings.redis_patience_seconds, timings.outage_seconds, timings.ahead_seconds) == (5, 60, 3)
    assert (timings.first_retry_seconds, timings.longest_retry_seconds) == (0.25, 5)
    assert timings.judge_seconds <= 5
    assert (timings.first_answer_seconds, timings.starting_retry_seconds) == (15, 1)
