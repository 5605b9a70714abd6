"""The newest entries of the log: contiguous, encoded once, and the same bytes for all sessions with one filter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.streaming.whatwg import Interpreter

from coliseum.feed.entries import START, Entry, EntryId, EntryKind
from coliseum.streaming.ring import CHUNK, EncodedEntry, Ring, compose
from coliseum.streaming.subscription import STREAMS, Selection

ALL = Selection(STREAMS["trading"])


def trades(first: int, last: int, ticker: str = "A-1", **more: Any) -> list[Entry]:
    return [
        Entry(
            EntryId(1000 + n, n), EntryKind.TRADE, {"trade_id": str(n), "ticker": ticker, "source": "bot_live", **more}
        )
        for n in range(first, last + 1)
    ]


def ring_of(*entries: Entry, capacity: int = 4096) -> Ring:
    ring = Ring(capacity)
    ring.restart("e", START, entries)
    return ring


def read(entries: list[Entry], selection: Selection = ALL) -> list[tuple[str, Any, str]]:
    block = compose([EncodedEntry.of(entry) for entry in entries], selection)
    return [(e.type, json.loads(e.data), e.last_event_id) for e in Interpreter().read(block.data).dispatched]


def test_ready_trades_become_one_event_with_the_last_ones_id() -> None:
    """SSE-030."""
    ((name, data, last_id),) = read(trades(1, 3))
    assert (name, last_id) == ("new_trades", "1003-3")
    assert data["count"] == len(data["trades"]) == 3
    assert data["source"] == "bot_live"


def test_another_kind_in_between_parts_the_trades_so_that_order_holds() -> None:
    """SSE-030."""
    status = Entry(EntryId(1002, 2), EntryKind.BOT_STATUS, {"status": "offline"})
    events = read([*trades(1, 1), status, *trades(3, 4)])
    assert [(name, last_id) for name, _, last_id in events] == [
        ("new_trades", "1001-1"),
        ("bot_status", "1002-2"),
        ("new_trades", "1004-4"),
    ]


def test_trades_of_the_exchange_are_not_shown_as_the_bots() -> None:
    """SSE-030."""
    events = read([*trades(1, 2), *[Entry(e.id, e.kind, {**e.data, "source": "kalshi"}) for e in trades(3, 3)]])
    assert [data["source"] for _, data, _ in events] == ["bot_live", "kalshi"]


def test_an_event_stays_below_sixty_four_kilobytes() -> None:
    """SSE-016."""
    big = trades(1, 40, note="x" * 4000)
    block = compose([EncodedEntry.of(entry) for entry in big], ALL)
    events = block.data.split(b"\n\n")[:-1]
    assert max(map(len, events)) < 64_000
    assert sum(len(data["trades"]) for _, data, _ in read(big)) == 40


def test_what_the_filter_refuses_moves_the_end_only() -> None:
    """SSE-042."""
    block = compose([EncodedEntry.of(entry) for entry in trades(1, 5)], Selection(ALL.kinds, frozenset({"B-1"})))
    assert (block.data, block.end, block.entries, block.last_id) == (b"", EntryId(1005, 5), 0, None)


def test_equal_selections_at_the_same_place_share_one_bytes_object() -> None:
    """SSE-091."""
    ring = ring_of(*trades(1, 3))
    one, other = ring.filtered(Selection(ALL.kinds)), ring.filtered(Selection(ALL.kinds))
    assert one is other
    assert one.after(START).data is other.after(START).data


def test_a_block_is_composed_again_when_the_ring_has_grown() -> None:
    ring = ring_of(*trades(1, 1))
    lane = ring.filtered(ALL)
    assert lane.after(START).entries == 1
    ring.extend(trades(2, 3))
    assert lane.after(START).entries == 3


def test_a_block_looks_at_two_hundred_entries_at_most() -> None:
    """SSE-028."""
    ring = ring_of(*trades(1, 500))
    assert ring.filtered(ALL).after(START).end.seq == CHUNK


def test_the_ring_drops_its_oldest_entries_and_no_longer_covers_them() -> None:
    ring = ring_of(capacity=100)
    ring.extend(trades(1, 1000))
    assert len(ring) <= 125
    assert not ring.covers(EntryId(1001, 1))
    assert ring.covers(ring.floor)
    assert ring.stretch(ring.floor)[0].entry.id.seq == ring.floor.seq + 1


@pytest.mark.parametrize(
    ("position", "covered"),
    [
        (EntryId(0, 0), False),
        (EntryId(1004, 4), True),
        (EntryId(1005, 5), True),
        (EntryId(1006, 6), True),
        (EntryId(1007, 7), True),
        (EntryId(1008, 8), False),
        (EntryId(999, 5), False),
        (EntryId(999, 4), False),
    ],
)
def test_a_position_is_covered_only_by_its_own_history(position: EntryId, covered: bool) -> None:
    ring = Ring()
    ring.restart("e", EntryId(1004, 4), trades(5, 7))
    assert ring.covers(position) is covered


@pytest.mark.parametrize("wrong", [trades(3, 3), trades(1, 1), [Entry(EntryId(1, 2), EntryKind.TRADE, {})]])
def test_a_hole_or_a_fallen_clock_is_refused(wrong: list[Entry]) -> None:
    ring = ring_of(*trades(1, 1))
    with pytest.raises(ValueError, match="follow"):
        ring.extend(wrong)


def test_a_time_is_found_or_said_to_lie_below() -> None:
    ring = Ring()
    ring.restart("e", EntryId(1004, 4), trades(5, 7))
    assert ring.before(1004) is None
    assert ring.before(1005) == EntryId(1004, 4)
    assert ring.before(1006) == EntryId(1005, 5)
    assert ring.before(9999) == ring.head
    assert ring_of(*trades(1, 2)).before(0) == START


def test_the_newest_trades_are_found_by_filter_oldest_first() -> None:
    ring = ring_of(*trades(1, 2), *trades(3, 3, ticker="B-1"), *trades(4, 4))
    assert [kept.entry.id.seq for kept in ring.newest_trades(Selection(ALL.kinds, frozenset({"A-1"})), 2)] == [2, 4]


def test_a_new_history_differs_from_a_refill() -> None:
    ring = ring_of(*trades(1, 1))
    history = ring.history
    ring.restart("e", EntryId(1009, 9), same_history=True)
    assert ring.history == history
    ring.restart("f", START)
    assert ring.history == history + 1


@pytest.mark.parametrize("kind", [EntryKind.TRADE_CORRECTED, EntryKind.SOURCE_GAP])
def test_corrections_and_gaps_of_the_source_are_entries_like_others(kind: EntryKind) -> None:
    """SSE-034."""
    correction = Entry(EntryId(1002, 2), kind, {"trade_id": "1"})
    assert read([*trades(1, 1), correction])[1] == (kind.value, {"trade_id": "1"}, "1002-2")
