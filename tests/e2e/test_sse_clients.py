"""Ten clients of the stream behave alike: on resuming, a gap, a reset, a refusal, a rotation, and when nothing happens.

For each behaviour all clients run at the same time against one server. Each pair of behaviour and client is a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from tests.e2e.sse_clients.adapters import BROWSERS, CLIENTS, NATIVE, WRAPPERS, Enough, Seen, absent
from tests.fixtures.redis import RedisServer
from tests.integration.stream_servers import Publisher, StreamServer, Wire, publisher, serving, settings_for

from coliseum.config import Settings
from coliseum.upstash.client import Redis

Condition = Callable[[list[Seen]], bool]
ALL = {**CLIENTS, **BROWSERS}
EACH = pytest.mark.parametrize(
    "client", [*CLIENTS, *(pytest.param(name, marks=pytest.mark.browser) for name in BROWSERS)]
)


@dataclass
class Stage:
    """A server and the publisher of its log."""

    server: StreamServer
    bot: Publisher
    stack: ExitStack

    def wire(self, **faults: object) -> Wire:
        wire = Wire(self.server.url, **faults)  # type: ignore[arg-type]  # faults of a Wire
        self.stack.callback(wire.close)
        return wire

    def run(self, path: str, last_id: str, enough: Condition, **faults: Callable[[], object]) -> dict[str, list[Seen]]:
        """Run all clients at once, each through its own `Wire`; gives what each saw."""
        clients = {name: client for name, client in ALL.items() if absent(name) is None}
        with ThreadPoolExecutor(len(clients)) as pool:
            running = {}
            for name, client in clients.items():
                url = self.wire(**{fault: make() for fault, make in faults.items()}).url
                running[name] = pool.submit(client, url + path, last_id, Enough(enough))
            return {name: future.result() for name, future in running.items()}


@pytest.fixture(scope="module")
def stage(redis_server: RedisServer) -> Iterator[Stage]:
    """A log whose history was trimmed: 40 trades, the first 20 gone. Its sessions outlast every test."""
    prefix = "test:sse-clients:"
    redis = Redis(redis_server.url, redis_server.token)
    settings = server_settings(redis_server, prefix, sse_session_max_seconds=86_400)
    bot = publisher(redis, prefix, maxlen=20)
    bot.trades(10)
    bot.report()
    bot.trades(30)
    with ExitStack() as stack, serving(settings, retry_ms=(50, 100)) as server:
        yield Stage(server, bot, stack)
    redis.close()


@pytest.fixture(scope="module")
def rotating(redis_server: RedisServer, stage: Stage) -> Iterator[Stage]:
    """The same log on a server whose sessions are short."""
    settings = server_settings(redis_server, "test:sse-clients:", sse_session_max_seconds=2.5)
    with ExitStack() as stack, serving(settings, retry_ms=(50, 100)) as server:
        yield Stage(server, stage.bot, stack)


def server_settings(redis_server: RedisServer, prefix: str, **changes: Any) -> Settings:
    return settings_for(redis_server, prefix, cors_allow_origins=("*",), sse_heartbeat_seconds=0.4, **changes)


def id_of(stage: Stage, seq: int) -> str:
    entries = stage.bot.feed.latest(20).reading.entries
    return str(next(entry.id for entry in entries if entry.id.seq == seq))


def trades(seen: list[Seen]) -> list[str]:
    return [trade["trade_id"] for name, data, _ in seen if name == "new_trades" for trade in data["trades"]]


def story(seen: list[Seen]) -> list[str]:
    """The event names, without those that depend only on the clock or come only from a wrapper."""
    return [name for name, _, _ in seen if name not in {"heartbeat", "stale", "fresh", "on_gap", "on_state"}]


def begun(story: list[str]) -> list[str]:
    """The story without sessions that ended before they began: a busy machine can use up the time of a short one."""
    return [name for before, name in pairwise(["closing", *story]) if (before, name) != ("closing", "closing")]


def names(seen: list[Seen]) -> set[str]:
    return {name for name, _, _ in seen}


def cell(results: dict[str, list[Seen]], client: str) -> list[Seen]:
    if client not in results:
        pytest.skip(str(absent(client)))
    return results[client]


@pytest.fixture(scope="module")
def resumed(stage: Stage) -> dict[str, list[Seen]]:
    cuts = lambda: iter([1500, 900, 1100, 10**9])  # noqa: E731  # one iterator for each client
    return stage.run("/sse/trades", id_of(stage, 21), lambda seen: len(trades(seen)) >= 19, cuts=cuts)


@EACH
def test_a_client_whose_connection_is_cut_resumes_without_loss_or_repetition(
    resumed: dict[str, list[Seen]], client: str
) -> None:
    """SSE-120."""
    seen = cell(resumed, client)
    assert trades(seen) == [f"t{n}" for n in range(21, 40)]
    assert not names(seen) & {"gap", "reset", "message", "", "snapshot"}


@pytest.fixture(scope="module")
def gapped(stage: Stage) -> dict[str, list[Seen]]:
    head = stage.bot.feed.latest(1).reading.head
    # An id of this epoch, long before the oldest entry kept.
    return stage.run("/sse/trades", f"{head.ms}-5", lambda seen: "snapshot" in names(seen))


@EACH
def test_a_client_that_comes_too_late_learns_how_much_it_lost(gapped: dict[str, list[Seen]], client: str) -> None:
    """SSE-121."""
    seen = cell(gapped, client)
    assert story(seen) == ["ready", "gap", "new_trades", "snapshot"]
    (lost,) = [data["lost"] for name, data, _ in seen if name == "gap"]
    assert lost == 15
    assert trades(seen) == [f"t{n}" for n in range(20, 40)]
    if client in WRAPPERS:
        assert [data["lost"] for name, data, _ in seen if name == "on_gap"] == [15]


@pytest.fixture(scope="module")
def reset(stage: Stage) -> dict[str, list[Seen]]:
    return stage.run("/sse/trades", "1000-3", lambda seen: "snapshot" in names(seen))


@EACH
def test_a_client_of_another_epoch_is_reset(reset: dict[str, list[Seen]], client: str) -> None:
    """SSE-122."""
    seen = cell(reset, client)
    assert story(seen)[:2] == ["ready", "reset"]
    assert story(seen)[-1] == "snapshot"
    assert trades(seen) == [f"t{n}" for n in range(20, 40)]


@pytest.fixture(scope="module")
def refused(stage: Stage) -> dict[str, list[Seen]]:
    def enough(seen: list[Seen]) -> bool:
        return "snapshot" in names(seen) or ("on_state", "dead", "") in seen

    return stage.run("/sse/trades", "", enough, refusals=lambda: 2)


@EACH
def test_a_refusal_by_the_platform_ends_only_a_native_eventsource(refused: dict[str, list[Seen]], client: str) -> None:
    """SSE-123: the reason for the wrapper."""
    seen = cell(refused, client)
    if client in NATIVE:
        assert seen == [("on_state", "dead", "")]
    else:
        assert story(seen) == ["ready", "snapshot"]


@pytest.fixture(scope="module")
def rotated(rotating: Stage) -> dict[str, list[Seen]]:
    def enough(seen: list[Seen]) -> bool:
        return [name for name, _, _ in seen].count("ready") >= 3

    return rotating.run("/sse/trades", "", enough)


@EACH
def test_a_rotation_is_a_clean_resume(rotated: dict[str, list[Seen]], client: str) -> None:
    """SSE-124."""
    seen = cell(rotated, client)
    assert begun(story(seen)) == ["ready", "snapshot", "closing", "ready", "closing", "ready"]
    assert [data["resumed"] for name, data, _ in seen if name == "ready"] == [False, True, True]
    assert {data["reason"] for name, data, _ in seen if name == "closing"} == {"rotate"}


@pytest.fixture(scope="module")
def quiet(stage: Stage) -> dict[str, list[Seen]]:
    def enough(seen: list[Seen]) -> bool:
        return [name for name, _, _ in seen].count("heartbeat") >= 2

    return stage.run("/sse/trades?ticker=NEVER-1", "", enough)


@EACH
def test_a_heartbeat_moves_the_cursor_and_a_keepalive_moves_nothing(
    stage: Stage, quiet: dict[str, list[Seen]], client: str
) -> None:
    """SSE-125."""
    seen = cell(quiet, client)
    assert story(seen) == ["ready", "snapshot"]
    head = str(stage.bot.feed.latest(1).reading.head)
    assert {last for name, _, last in seen if name == "heartbeat"} == {head}
    assert names(seen) <= {"ready", "snapshot", "heartbeat", "stale", "on_state"}
