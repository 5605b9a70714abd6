"""Any order of trades, cuts, trims and losses: nothing twice, nothing out of order, every loss counted.

`delivered + sum of lost = sequence number` holds exactly for a client that takes everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.streaming.world import Client, World, trade_ids

from coliseum.feed.entries import EntryId
from coliseum.streaming.subscription import Earliest

TICKERS = ("A-1", "B-1")


@dataclass
class Viewer:
    """A client and everything it has received, across its reconnects."""

    client: Client
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def receive(self, cut_at: int | None) -> None:
        """Read on; with a cut, lose what comes after that many bytes of this connection, and come back."""
        if self.client.closed is not None:
            self.client.connect()
        already = len(self.client.events())
        last_id = self.client.last_event_id
        self.client.pump()
        if cut_at is None:
            self.received += self.client.events()[already:]
            return
        self.client.last_event_id = last_id
        self.received += self.client.cut(cut_at)[already:]
        self.client.connect()

    @property
    def lost(self) -> int:
        """Distinct entries declared lost: a client that is cut off behind a `gap` gets it again."""
        gaps = [data for name, data in self.received if name == "gap"]
        ranges = [(EntryId.parse(gap["from"]).seq, EntryId.parse(gap["to"]).seq) for gap in gaps]
        assert [end - start for start, end in ranges] == [gap["lost"] for gap in gaps]
        return len({seq for start, end in ranges for seq in range(start, end)})

    @property
    def delivered(self) -> list[str]:
        return trade_ids(self.received)


class Delivery(RuleBasedStateMachine):
    """Bot, log and three viewers: of everything, of one market, of a market that never trades."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.published: list[tuple[str, str]] = []
        filters = (frozenset[str](), frozenset({"A-1"}), frozenset({"NEVER-1"}))
        self.viewers = [Viewer(Client(self.world, tickers=tickers, start=Earliest())) for tickers in filters]
        for viewer in self.viewers:
            viewer.receive(None)

    @rule(tickers=st.lists(st.sampled_from(TICKERS), min_size=1, max_size=6), bulk=st.sampled_from([1, 1, 1, 40]))
    def trade(self, tickers: list[str], bulk: int) -> None:
        self.world.now += 0.5
        for entry in self.world.publish(*tickers * bulk):
            self.published.append((entry.data["trade_id"], entry.data["ticker"]))

    @rule(which=st.integers(0, 2), cut=st.none() | st.integers(0, 5000))
    def receive(self, which: int, cut: int | None) -> None:
        viewer = self.viewers[which]
        if cut is not None:
            cut = min(cut, len(viewer.client.bytes_in) + 400)
            cut = max(cut, len(viewer.client.bytes_in))  # what arrived has arrived
        viewer.receive(cut)

    @rule(which=st.integers(0, 2))
    def beat(self, which: int) -> None:
        """Long enough for a heartbeat; a session that ends meanwhile is taken up again, so the viewer is caught up."""
        viewer = self.viewers[which]
        viewer.receive(None)
        for _ in range(2):
            if viewer.client.closed is not None:
                viewer.receive(None)
            already = len(viewer.client.events())
            viewer.client.run(31)
            viewer.received += viewer.client.events()[already:]
            if viewer.client.closed is None:
                break

    @rule(keep=st.integers(0, 40))
    def trim(self, keep: int) -> None:
        if keep < len(self.world.entries):
            self.world.trim(keep)

    @rule()
    def forget_ring(self) -> None:
        self.world.forget_ring()

    @precondition(lambda self: self.world.entries)
    @rule(which=st.integers(0, 2))
    def a_caught_up_viewer_comes_back_without_a_gap(self, which: int) -> None:
        self.beat(which)
        viewer = self.viewers[which]
        self.world.trim(keep=1)
        before = len(viewer.received)
        viewer.client.connect()
        viewer.receive(None)
        assert "gap" not in [name for name, _ in viewer.received[before:]]

    @invariant()
    def nothing_twice_and_all_in_order(self) -> None:
        order = {trade_id: place for place, (trade_id, _) in enumerate(self.published)}
        for viewer in self.viewers:
            places = [order[trade_id] for trade_id in viewer.delivered]
            assert places == sorted(set(places))

    def teardown(self) -> None:
        for viewer in self.viewers:
            viewer.client.connect()
            viewer.receive(None)
        everything, one, never = self.viewers
        assert len(everything.delivered) + everything.lost == self.world.head.seq
        wanted = [trade_id for trade_id, ticker in self.published if ticker == "A-1"]
        assert set(one.delivered) <= set(wanted)
        assert len(wanted) - len(one.delivered) <= one.lost
        assert never.delivered == []


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
