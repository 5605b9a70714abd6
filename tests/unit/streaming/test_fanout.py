"""Clients served together hear what each would have heard alone."""

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
    def heard(self) -> list[tuple[str, Any]]:
        _, _, body = b"".join(self.written).partition(b"\r\n\r\n")
        return [(event.name, event.data) for event in Parser().feed(body)]

    @property
    def trades(self) -> list[str]:
        return [trade["trade_id"] for name, data in self.heard if name == "new_trades" for trade in data["trades"]]


class Hall:
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
    """Until a heartbeat says so."""
    while dict(wire.heard).get("heartbeat", {}).get(field) != value:  # noqa: ASYNC110  # it comes with time
        await asyncio.sleep(0.01)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), PATIENCE_SECONDS))


def test_clients_with_equal_filters_are_woken_as_one_and_share_their_bytes() -> None:
    """SSE-091."""

    async def story() -> None:
        hall = Hall()
        wires = [hall.wire() for _ in range(5)]
        other = hall.wire("&ticker=B-1")
        await turn()
        assert hall.woken == 2
        hall.publish(3)
        await turn()
        assert [wire.trades for wire in wires] == [hall.published] * 5
        assert len({id(wire.written[-1]) for wire in wires}) == 1
        assert other.trades == []

    run(story)


def test_an_entry_that_a_filter_refuses_is_not_written_and_still_moves_the_position() -> None:
    """SSE-042."""

    async def story() -> None:
        hall = Hall(sse_heartbeat_seconds=0.1)
        wire = hall.wire("&ticker=B-1")
        await turn()
        before = len(wire.written)
        hall.publish(3)
        await turn()
        assert len(wire.written) == before
        await beats(wire, "seq", 3)

    run(story)


def test_a_client_that_is_behind_goes_on_alone_and_comes_back() -> None:
    """SSE-091."""

    async def story() -> None:
        hall = Hall()
        slow, quick = hall.wire(), hall.wire()
        await turn()
        slow.take(more=False)
        for _ in range(3):
            hall.publish()
            await turn()
        assert hall.woken == 2
        assert quick.trades == hall.published
        assert len(slow.trades) < 3
        slow.take(more=True)
        await turn()
        hall.publish()
        await turn()
        assert hall.woken == 1
        assert slow.trades == quick.trades == hall.published

    run(story)


def test_what_a_client_got_in_its_group_counts_as_its_own() -> None:
    """SSE-033, SSE-093."""

    async def story() -> None:
        hall = Hall(sse_heartbeat_seconds=0.1)
        first = hall.wire()
        await turn()
        hall.publish(2)
        await turn()
        second = hall.wire()
        await turn()
        hall.publish()
        await turn()
        told = {client["events_sent"]: client["last_event_id"] for client in hall.clients()}
        assert told == {3: "1000-3", 2: "1000-3"}  # `ready`, then one or two writes of trades
        assert hall.app.context.counters.deliveries == 4
        await beats(first, "delivered", 3)
        await beats(second, "delivered", 1)

    run(story)


def test_a_client_that_comes_before_an_entry_is_announced_gets_it_once() -> None:
    """SSE-025."""

    async def story() -> None:
        hall = Hall()
        hall.wire()
        await turn()
        late = hall.wire("&since=earliest")
        hall.publish()  # in the ring already when the late one looks, not yet told to the first
        await turn()
        assert late.trades == ["t0"]

    run(story)


def test_a_stale_source_is_announced_to_each_client() -> None:
    """SSE-062."""

    async def story() -> None:
        hall = Hall()
        wires = [hall.wire(), hall.wire(), hall.wire("&ticker=B-1")]
        await turn()
        hall.stale("bot")
        await turn()
        hall.stale()
        await turn()
        hall.publish()
        await turn()
        assert [[name for name, _ in wire.heard if name in {"stale", "fresh"}] for wire in wires] == [
            ["stale", "fresh"]
        ] * 3
        assert wires[0].trades == wires[1].trades == ["t0"]

    run(story)


def test_entries_that_exceed_one_write_reach_all() -> None:
    """SSE-028."""

    async def story() -> None:
        hall = Hall()
        wires = [hall.wire(), hall.wire("&ticker=A-1")]
        await turn()
        hall.publish(450)
        await turn()
        assert [wire.trades for wire in wires] == [hall.published] * 2

    run(story)


FILTERS = ("", "&ticker=A-1", "&ticker=B-1", "&ticker=NEVER-1")
DEEDS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from([1, 2, 3, 250]), st.sampled_from(["A-1", "B-1"])),
    st.tuples(st.just("take"), st.integers(0, 7), st.booleans()),
    st.tuples(st.just("stale"), st.sampled_from([(), ("bot",), ("poller", "bot")]), st.none()),
    st.tuples(st.just("turn"), st.none(), st.none()),
    st.tuples(st.just("leave"), st.integers(0, 7), st.none()),
)


@given(st.lists(DEEDS, max_size=25))
@settings(max_examples=25, deadline=None)
def test_in_any_order_of_events_each_client_gets_all_that_its_filter_takes(deeds: list[tuple[str, Any, Any]]) -> None:
    async def story() -> None:
        hall = Hall()
        wires = [hall.wire(query) for query in FILTERS * 2]
        await turn()
        tickers: list[str] = []
        for deed, what, how in deeds:
            if deed == "publish":
                hall.publish(what, how)
                tickers += [how] * what
            elif deed == "take":
                wires[what].take(more=how)
            elif deed == "stale":
                hall.stale(*what)
            elif deed == "leave":
                wires[what].protocol.connection_lost(None)
            else:
                await turn()
        for wire in wires:
            wire.take(more=True)
        await turn()
        left = {what for deed, what, _ in deeds if deed == "leave"}
        for number, (wire, query) in enumerate(zip(wires, FILTERS * 2, strict=True)):
            due = [
                name for name, ticker in zip(hall.published, tickers, strict=True) if query in {"", f"&ticker={ticker}"}
            ]
            assert wire.trades == (due[: len(wire.trades)] if number in left else due)
        assert len(hall.clients()) == 8 - len(left)
        assert hall.woken <= len(FILTERS)

    run(story)
