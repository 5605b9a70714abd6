"""Clients that are served as a group get what each would get alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from tests.fixtures.waiting import PATIENCE_SECONDS
from tests.unit.streaming.memory_reader import MemoryReader

from coliseum.client import Parser
from coliseum.config import Settings
from coliseum.feed.entries import Entry, EntryId, EntryKind
from coliseum.streaming.app import StreamApp
from coliseum.streaming.server import HttpProtocol
from coliseum.streaming.sources import StaleSource


class Wire(asyncio.Transport):
    """One client's end: what was written, and whether it takes more."""

    def __init__(self, protocol: HttpProtocol, query: str) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.protocol = protocol
        self.full = False
        protocol.connection_made(self)
        # HTTP/1.0: the body is not framed in chunks, so that what is written is what an event source reads.
        protocol.data_received(b"GET /sse/trades?snapshot=none%b HTTP/1.0\r\n\r\n" % query.encode())

    def write(self, data: Any) -> None:
        self.written.append(data)
        if self.full and self.protocol.writable is None:
            self.protocol.pause_writing()

    def take(self, *, more: bool) -> None:
        """Stop taking bytes, or go on."""
        self.full = not more
        if more and self.protocol.writable is not None:
            self.protocol.resume_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def close(self) -> None:
        """Nothing to close."""

    abort = close

    @property
    def received(self) -> list[tuple[str, Any]]:
        _, _, body = b"".join(self.written).partition(b"\r\n\r\n")
        return [(event.name, event.data) for event in Parser().feed(body)]

    @property
    def trades(self) -> list[str]:
        return [trade["trade_id"] for name, data in self.received if name == "new_trades" for trade in data["trades"]]


class InProcessStream:
    """The stream in this very process, without sockets."""

    def __init__(self, **changes: Any) -> None:
        values: dict[str, Any] = {
            "upstash_redis_rest_url": "http://127.0.0.1:9",
            "upstash_redis_rest_token": SecretStr("none"),
        }
        self.reader = MemoryReader()
        self.app = StreamApp(Settings(_env_file=None, **(values | changes)), open_reader=lambda: self.reader)
        self.published: list[str] = []

    def wire(self, query: str = "") -> Wire:
        return Wire(HttpProtocol(self.app, set()), query)

    def publish(self, count: int = 1, ticker: str = "A-1") -> None:
        ring = self.reader.view.ring
        for _ in range(count):
            name = f"t{len(self.published)}"
            self.published.append(name)
            data = {"trade_id": name, "ticker": ticker, "source": "bot_live"}
            ring.extend([Entry(EntryId(1000, ring.head.seq + 1), EntryKind.TRADE, data)])
        self.reader.watchers.announce()

    def stale(self, *sources: str) -> None:
        self.reader.view.stale = {source: StaleSource(source, None) for source in sources}
        self.reader.watchers.announce()

    def clients(self) -> list[dict[str, Any]]:
        return self.app.context.registry.data()

    @property
    def woken(self) -> int:
        """How many callbacks the reader wakes: a group counts once."""
        return len(self.reader.watchers)


async def turn() -> None:
    """Let everything happen that is due."""
    for _ in range(20):
        await asyncio.sleep(0)


async def beats(wire: Wire, field: str, value: int) -> None:
    """Wait until a heartbeat has this value."""
    while dict(wire.received).get("heartbeat", {}).get(field) != value:  # noqa: ASYNC110  # a heartbeat comes with time
        await asyncio.sleep(0.01)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), PATIENCE_SECONDS))


def test_clients_with_equal_filters_are_woken_as_one_and_share_their_bytes() -> None:
    """SSE-091."""

    async def story() -> None:
        stream = InProcessStream()
        wires = [stream.wire() for _ in range(5)]
        other = stream.wire("&ticker=B-1")
        await turn()
        assert stream.woken == 2
        stream.publish(3)
        await turn()
        assert [wire.trades for wire in wires] == [stream.published] * 5
        assert len({id(wire.written[-1]) for wire in wires}) == 1
        assert other.trades == []

    run(story)


def test_an_entry_that_a_filter_refuses_is_not_written_and_still_moves_the_position() -> None:
    """SSE-042."""

    async def story() -> None:
        stream = InProcessStream(sse_heartbeat_seconds=0.1)
        wire = stream.wire("&ticker=B-1")
        await turn()
        stream.publish(3)
        await turn()
        assert "new_trades" not in dict(wire.received)
        await beats(wire, "seq", 3)

    run(story)


def test_a_client_that_is_behind_goes_on_alone_and_comes_back() -> None:
    """SSE-091."""

    async def story() -> None:
        stream = InProcessStream()
        slow, quick = stream.wire(), stream.wire()
        await turn()
        slow.take(more=False)
        for _ in range(3):
            stream.publish()
            await turn()
        assert stream.woken == 2
        assert quick.trades == stream.published
        assert len(slow.trades) < 3
        slow.take(more=True)
        await turn()
        stream.publish()
        await turn()
        assert stream.woken == 1
        assert slow.trades == quick.trades == stream.published

    run(story)


def test_what_a_client_got_in_its_group_counts_as_its_own() -> None:
    """SSE-033, SSE-093."""

    async def story() -> None:
        stream = InProcessStream(sse_heartbeat_seconds=0.1)
        first = stream.wire()
        await turn()
        stream.publish(2)
        await turn()
        second = stream.wire()
        await turn()
        stream.publish()
        await turn()
        sent = {client["events_sent"]: client["last_event_id"] for client in stream.clients()}
        assert sent == {3: "1000-3", 2: "1000-3"}  # `ready`, then one or two writes of trades
        assert stream.app.context.counters.deliveries == 4
        await beats(first, "delivered", 3)
        await beats(second, "delivered", 1)

    run(story)


def test_a_client_that_comes_before_an_entry_is_announced_gets_it_once() -> None:
    """SSE-025."""

    async def story() -> None:
        stream = InProcessStream()
        stream.wire()
        await turn()
        late = stream.wire("&since=earliest")
        stream.publish()  # in the ring already when the late one looks, not yet announced to the first
        await turn()
        assert late.trades == ["t0"]

    run(story)


def test_a_stale_source_is_announced_to_each_client() -> None:
    """SSE-062."""

    async def story() -> None:
        stream = InProcessStream()
        wires = [stream.wire(), stream.wire(), stream.wire("&ticker=B-1")]
        await turn()
        stream.stale("bot")
        await turn()
        stream.stale()
        await turn()
        stream.publish()
        await turn()
        assert [[name for name, _ in wire.received if name in {"stale", "fresh"}] for wire in wires] == [
            ["stale", "fresh"]
        ] * 3
        assert wires[0].trades == wires[1].trades == ["t0"]

    run(story)


def test_entries_that_exceed_one_write_reach_all() -> None:
    """SSE-028."""

    async def story() -> None:
        stream = InProcessStream()
        wires = [stream.wire(), stream.wire("&ticker=A-1")]
        await turn()
        stream.publish(450)
        await turn()
        assert [wire.trades for wire in wires] == [stream.published] * 2

    run(story)


FILTERS = ("", "&ticker=A-1", "&ticker=B-1", "&ticker=NEVER-1")
ACTIONS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from([1, 2, 3, 250]), st.sampled_from(["A-1", "B-1"])),
    st.tuples(st.just("take"), st.integers(0, 7), st.booleans()),
    st.tuples(st.just("stale"), st.sampled_from([(), ("bot",), ("poller", "bot")]), st.none()),
    st.tuples(st.just("turn"), st.none(), st.none()),
    st.tuples(st.just("leave"), st.integers(0, 7), st.none()),
)


@given(st.lists(ACTIONS, max_size=25))
@settings(max_examples=25, deadline=None)
def test_in_any_order_of_events_each_client_gets_all_that_its_filter_takes(actions: list[tuple[str, Any, Any]]) -> None:
    async def story() -> None:
        stream = InProcessStream()
        wires = [stream.wire(query) for query in FILTERS * 2]
        await turn()
        tickers: list[str] = []
        for action, what, how in actions:
            if action == "publish":
                stream.publish(what, how)
                tickers += [how] * what
            elif action == "take":
                wires[what].take(more=how)
            elif action == "stale":
                stream.stale(*what)
            elif action == "leave":
                wires[what].protocol.connection_lost(None)
            else:
                await turn()
        for wire in wires:
            wire.take(more=True)
        await turn()
        left = {what for action, what, _ in actions if action == "leave"}
        for number, (wire, query) in enumerate(zip(wires, FILTERS * 2, strict=True)):
            due = [
                name
                for name, ticker in zip(stream.published, tickers, strict=True)
                if query in {"", f"&ticker={ticker}"}
            ]
            assert wire.trades == (due[: len(wire.trades)] if number in left else due)
        assert len(stream.clients()) == 8 - len(left)
        assert stream.woken <= len(FILTERS)

    run(story)
