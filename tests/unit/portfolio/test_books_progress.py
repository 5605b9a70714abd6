"""Where a walk through a list goes on, and how far the books are when a pass ends."""

from __future__ import annotations

import pytest

from coliseum.errors import SourceMalformed
from coliseum.portfolio.books_progress import (
    AMENDED_SECONDS,
    LAG_SECONDS,
    BooksProgress,
    Stage,
    Walk,
    finished,
    next_walk,
    settlements_since,
    with_conflicts,
)


def test_the_next_page_begins_with_the_whole_second_of_the_last_row() -> None:
    assert Walk().behind(oldest=1000.75, cursor="more") == Walk(until=1001)


def test_a_second_that_fills_a_page_is_walked_by_cursor() -> None:
    walk = Walk(until=1001).behind(oldest=1000.25, cursor="more")
    assert walk == Walk(until=1001, cursor="more")
    assert walk.behind(oldest=999.5, cursor="again") == Walk(until=1000)


def test_a_page_without_rows_of_ours_is_walked_by_cursor() -> None:
    assert Walk().behind(oldest=None, cursor="more") == Walk(cursor="more")


def test_a_cursor_that_repeats_is_an_error_and_not_an_endless_walk() -> None:
    with pytest.raises(SourceMalformed, match="same cursor twice"):
        Walk(until=1001, cursor="more").behind(oldest=1000.25, cursor="more")


def test_a_pass_begins_behind_what_is_booked_and_overlaps_by_the_lists_delay() -> None:
    assert next_walk(BooksProgress(), since=None) == Walk()
    assert next_walk(BooksProgress(booked_until=5000.5), since=None) == Walk(since=5000 - LAG_SECONDS)
    assert next_walk(BooksProgress(booked_until=5000.5), since=9000) == Walk(since=9000)


def test_a_pass_in_work_is_gone_on_with() -> None:
    walk = Walk(stage=Stage.HISTORICAL, until=7)
    assert next_walk(BooksProgress(walk=walk, booked_until=5000.0), since=None) is walk


def test_settlements_are_read_again_as_long_as_they_may_be_amended() -> None:
    assert settlements_since(BooksProgress()) is None
    assert settlements_since(BooksProgress(settled_until=1e6)) == 1_000_000 - AMENDED_SECONDS


def test_a_pass_without_news_does_not_move_the_books_back() -> None:
    before = BooksProgress(complete=True, booked_until=5000.0, settled_until=4000.0)
    assert finished(before, Walk()) == before
    assert finished(before, Walk(newest=6000.0, settled_newest=3000.0)).booked_until == 6000.0


def test_a_conflict_is_named_once() -> None:
    progress = with_conflicts(with_conflicts(BooksProgress(), ("a",)), ("b", "a"))
    assert progress.doubts == ("a", "b")
