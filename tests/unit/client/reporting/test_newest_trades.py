"""The newest trades in memory, and their lines under any damage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.client.reporting.newest_trades import (
    KEPT,
    LISTED,
    LISTED_SECONDS,
    PUSHED_BYTES,
    PUSHED_MIN,
    NewestTrades,
    newest_from,
)

RUN = "2026-12-01T12:00:00.000Z"


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {"trade_id": f"t{number}", "price": "0.65", "timestamp": 1_796_000_000.0 + number} | changes


def trades(count: int, **changes: Any) -> NewestTrades:
    newest = NewestTrades(RUN)
    for number in range(1, count + 1):
        newest.add(row(number, **changes), at=0.0)
    return newest


def ids(rows: list[str]) -> list[int]:
    """The numbers in the ids of rows in their order."""
    return [int(json.loads(text)["trade_id"][1:]) for text in rows]


def test_only_the_newest_are_kept_and_all_are_counted() -> None:
    newest = trades(KEPT + 5)
    assert (newest.count, len(newest.rows), next(iter(newest.rows))) == (KEPT + 5, KEPT, 6)


def test_a_repetition_is_no_trade_and_other_facts_replace_it_in_its_place() -> None:
    newest = trades(3)
    assert newest.add(row(2), at=0.0) is None
    assert newest.add(row(2, timestamp=1.0), at=0.0, ignore_time=True) is None
    assert newest.add(row(2, price="0.66"), at=0.0) == 2
    assert (newest.count, ids(newest.listed(now=0.0))) == (3, [3, 2, 1])
    assert json.loads(newest.rows[2].text)["price"] == "0.66"


def test_a_forgotten_id_is_a_new_trade_again() -> None:
    newest = trades(KEPT + 1)
    assert newest.add(row(1), at=0.0) == KEPT + 2


def test_the_list_has_the_newest_hundred_and_the_last_hour() -> None:
    newest = trades(150)
    for number in range(151, 351):
        newest.add(row(number), at=10.0)
    assert ids(newest.listed(now=10.0 + LISTED_SECONDS - 1)) == list(range(350, 150, -1))
    assert ids(newest.listed(now=10.0 + LISTED_SECONDS)) == list(range(350, 350 - LISTED, -1))


@pytest.mark.parametrize(
    ("count", "anchor", "first", "last"),
    [
        (5, None, 1, 5),
        (150, None, 51, 150),
        (150, 150, 131, 150),  # nothing newer: still PUSHED_MIN
        (150, 149, 131, 150),
        (150, 100, 100, 150),
        (10, 8, 1, 10),
    ],
)
def test_a_push_has_the_anchor_and_all_newer_trades(count: int, anchor: int | None, first: int, last: int) -> None:
    rows, newest = trades(count).after(anchor)
    assert ids(rows) == list(range(last, first - 1, -1))
    assert newest == last


def test_a_push_that_is_too_large_begins_with_the_anchor_and_the_next_one_goes_on() -> None:
    newest, anchor, sent = trades(900, order_id="x" * 200), 1, [1]
    while anchor < 900:
        rows, after = newest.after(anchor)
        assert sum(len(text) + 1 for text in rows) <= PUSHED_BYTES
        numbers = ids(rows)[::-1]
        assert anchor in numbers
        assert after > anchor
        sent += [number for number in numbers if number > anchor]
        anchor = after
    assert sent == list(range(1, 901))


def test_without_an_anchor_the_newest_that_fit_are_pushed() -> None:
    rows, newest = trades(900, order_id="x" * 1000).after(None)
    assert (newest, len(rows) >= PUSHED_MIN, sum(map(len, rows)) <= PUSHED_BYTES) == (900, True, True)
    assert ids(rows) == list(range(900, 900 - len(rows), -1))


def test_a_file_gives_back_what_was_written() -> None:
    before = trades(KEPT + 20)
    after = newest_from(b"".join(before.lines()), at=5.0)
    assert after is not None
    assert (after.run, after.count) == (RUN, KEPT + 20)
    assert {number: each.text for number, each in after.rows.items()} == {
        number: each.text for number, each in before.rows.items()
    }


def test_a_head_alone_has_run_and_count() -> None:
    after = newest_from(trades(3).line(0), at=0.0)
    assert after is not None
    assert (after.run, after.count, after.rows) == (RUN, 3, {})


def test_a_corrected_trade_stays_in_its_place() -> None:
    newest = trades(3)
    lines = newest.lines()
    newest.add(row(1, price="0.1"), at=0.0)
    after = newest_from(b"".join([*lines, newest.line(1)]), at=0.0)
    assert after is not None
    assert (after.count, ids(after.listed(now=0.0))) == (3, [3, 2, 1])
    assert json.loads(after.rows[1].text)["price"] == "0.1"


LINES = trades(6).lines()
DATA = b"".join(LINES)


def readable(data: bytes) -> dict[int, str]:
    after = newest_from(data, at=0.0)
    if after is None:
        return {}
    assert after.run == RUN
    return {number: each.text for number, each in after.rows.items()}


@given(length=st.integers(0, len(DATA)))
def test_any_truncation_keeps_every_whole_line(length: int) -> None:
    whole = DATA[:length].count(b"\n")
    # A line whose line break alone is missing is whole, too.
    is_complete = DATA[length : length + 1] == b"\n"
    assert list(readable(DATA[:length])) == list(range(1, whole + is_complete))


@given(place=st.integers(0, len(DATA) - 1), byte=st.integers(0, 255))
def test_any_changed_byte_costs_its_own_line_or_the_two_that_it_joins(place: int, byte: int) -> None:
    damaged = DATA[:place] + bytes([byte]) + DATA[place + 1 :]
    found, whole = readable(damaged), readable(DATA)
    touched = DATA[:place].count(b"\n")
    lost = {touched, touched + 1} if DATA[place : place + 1] == b"\n" else {touched}
    assert found.items() <= whole.items()
    assert whole.keys() - found.keys() <= lost
    if byte == DATA[place]:
        assert found == whole


@given(junk=st.binary(max_size=200), place=st.integers(0, 7))
def test_foreign_lines_between_ours_are_skipped(junk: bytes, place: int) -> None:
    data = b"".join([*LINES[:place], b"\n", junk, b"\n", *LINES[place:]])
    assert readable(data) == readable(DATA)


@given(data=st.binary(max_size=300))
def test_a_file_without_a_whole_line_is_none(data: bytes) -> None:
    assert newest_from(data, at=0.0) is None


def test_lines_of_another_run_do_not_count() -> None:
    other = NewestTrades("2025-01-01T00:00:00.000Z")
    other.add(row(50), at=0.0)
    assert readable(b"".join([*other.lines(), *LINES])) == readable(DATA)
