"""Pages and cursors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum_local.exchange.pagination import page

Row = tuple[float, str]


def _same(row: Row) -> Row:
    return row


@given(
    st.lists(st.tuples(st.integers(0, 5).map(float), st.text("abc", min_size=1, max_size=4)), unique=True, max_size=40),
    st.integers(1, 7),
)
def test_paging_to_the_end_gives_every_row_once_newest_first(rows: list[Row], limit: int) -> None:
    seen: list[Row] = []
    cursor = ""
    while True:
        shown, cursor = page(rows, key=_same, limit=limit, cursor=cursor)
        seen += shown
        if not cursor:
            break
    assert seen == sorted(rows, reverse=True)


def test_rows_that_arrive_between_two_pages_do_not_shift_them() -> None:
    rows = [(float(number), "x") for number in range(10)]
    first, cursor = page(rows, key=_same, limit=4, cursor="")
    second, _ = page([*rows, (99.0, "new")], key=_same, limit=4, cursor=cursor)
    assert [row[0] for row in first + second] == [9, 8, 7, 6, 5, 4, 3, 2]


@pytest.mark.parametrize(
    "cursor", ["garbage", "%%%", "W10", "eyJhIjoxfQ", "WzEsMl0", "bnVsbA", "é", "W251bGwsICJhIl0", "W05hTiwgImEiXQ"]
)
def test_a_cursor_nobody_gave_out_means_the_first_page(cursor: str) -> None:
    rows = [(1.0, "a"), (2.0, "b")]
    assert page(rows, key=_same, limit=1, cursor=cursor)[0] == [(2.0, "b")]
