from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import InvalidInput
from coliseum.http.paging import MAX_CURSOR, TICKER_PATTERN, decode_cursor, encode_cursor, page_behind

POSITION = {"cursor": "CgwI+abc", "at": "2026-11-21T08:00:00Z", "seq": 7, "none": None}
FILTERS = {"ticker": "KXA-1", "since": 1.5}


def test_a_cursor_decodes_to_its_position() -> None:
    text = encode_cursor("fills", FILTERS, POSITION)
    assert decode_cursor("fills", FILTERS, text) == POSITION
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)


@pytest.mark.parametrize(
    ("kind", "filters"), [("history", FILTERS), ("fills", {**FILTERS, "ticker": "KXB-1"}), ("fills", {})]
)
def test_a_cursor_of_another_list_or_other_filters_is_refused(kind: str, filters: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="same filters"):
        decode_cursor(kind, filters, encode_cursor("fills", FILTERS, POSITION))


@given(st.text(max_size=200))
def test_a_text_that_is_not_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor("fills", {}, text)


@given(st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    text = encode_cursor("fills", FILTERS, POSITION)
    index = data.draw(st.integers(0, len(text) - 2))  # the last character may hold unused bits
    letter = data.draw(st.sampled_from("abcXYZ019-_").filter(lambda one: one != text[index]))
    with pytest.raises(InvalidInput):
        decode_cursor("fills", FILTERS, text[:index] + letter + text[index + 1 :])


def test_a_cursor_fits_into_its_parameter() -> None:
    assert len(encode_cursor("fills", FILTERS, {"cursor": "x" * 500})) < MAX_CURSOR


@pytest.mark.parametrize("text", ["A\r\nB", "A\n", "..", "../x", "", "-A", "A B", "A/B", "A%2e", "A" * 101, "Ä"])
def test_a_text_that_cannot_be_a_ticker_is_refused(text: str) -> None:
    assert re.search(TICKER_PATTERN.replace("$", r"\Z"), text) is None


@given(st.lists(st.integers(0, 9)).map(lambda numbers: list(enumerate(numbers))), st.integers(1, 4))
def test_pages_behind_each_other_hold_every_item_once_in_the_order_of_the_key(
    items: list[tuple[int, int]], limit: int
) -> None:
    def key(item: tuple[int, int]) -> tuple[int, int]:
        return item[1], item[0]

    seen: list[tuple[int, int]] = []
    after: tuple[int, int] | None = None
    while page := page_behind(items, key, after, limit):
        seen += page
        after = key(page[-1])
    assert seen == sorted(items, key=key)


def test_a_page_begins_behind_an_item_that_is_gone() -> None:
    assert page_behind([1, 2, 4], lambda number: (number,), (3,), 5) == [4]
