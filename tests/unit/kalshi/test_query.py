from __future__ import annotations

import pytest

from coliseum.errors import InvalidInput
from coliseum.kalshi.query import bounded, comma_list, maybe_ticker, page, pairs


def test_nothing_is_left_out_but_none_and_lists_repeat_their_name() -> None:
    query = {"a": None, "b": 0, "c": False, "d": "x", "e": ["p", "q"]}
    assert pairs(query) == (("b", "0"), ("c", "false"), ("d", "x"), ("e", "p"), ("e", "q"))


def test_a_true_flag_is_lower_case() -> None:
    assert pairs({"flag": True}) == (("flag", "true"),)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_the_exchange_would_refuse_is_not_sent(limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        page(limit, None)


def test_an_empty_cursor_is_the_first_page() -> None:
    assert page(5, "") == {"limit": 5, "cursor": None}


@pytest.mark.parametrize(
    "ticker", ["", "A,B", "A B", "A\r\nB", "../balance", "..", "A/B", "A?x", "A%2e", "é", "x" * 101]
)
def test_a_ticker_that_would_change_the_request_is_refused(ticker: str) -> None:
    with pytest.raises(InvalidInput):
        maybe_ticker("ticker", ticker)
    with pytest.raises(InvalidInput):
        comma_list("tickers", [ticker])


def test_no_tickers_are_no_filter() -> None:
    assert comma_list("tickers", []) == {"tickers": None}
    assert comma_list("tickers", ["A", "B.1"]) == {"tickers": "A,B.1"}


def test_bounds_name_what_is_wrong() -> None:
    assert bounded("depth", 0, least=0, most=100) == 0
    with pytest.raises(InvalidInput, match="depth: got 101, expected 0 to 100"):
        bounded("depth", 101, least=0, most=100)
