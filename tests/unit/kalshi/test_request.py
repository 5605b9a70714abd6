from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from tests.unit.kalshi.payloads import Row, fill_number, fills
from tests.unit.kalshi.steps import Exchange

from coliseum.errors import SourceMalformed
from coliseum.kalshi import request
from coliseum.kalshi.retry import SendRequest, Steps
from coliseum.trading.pages import Page
from coliseum.trading.trades import Fill


def _pages(*pages: Sequence[int]) -> Callable[[SendRequest], Row]:
    """Fills by number, a page per cursor; an unknown cursor gives the first page, as the exchange does."""

    def answer(step: SendRequest) -> Row:
        cursor = dict(step.query).get("cursor", "")
        index = int(cursor) if cursor.isdigit() and int(cursor) < len(pages) else 0
        following = str(index + 1) if index + 1 < len(pages) else ""
        return fills(*(fill_number(number) for number in pages[index]), cursor=following)

    return answer


def _ids(exchange: Exchange) -> list[str]:
    def page(cursor: str | None) -> Steps[Page[Fill]]:
        return exchange.calls.fills(since=5, cursor=cursor)

    steps = request.all_pages(page, identity=lambda fill: fill.fill_id, endpoint="/portfolio/fills")
    return [fill.fill_id for fill in exchange.run(steps)]


def test_all_pages_are_read_in_order_and_each_repeats_the_filters() -> None:
    exchange = Exchange(_pages([6, 5], [4, 3], [2, 1]))
    assert _ids(exchange) == [f"fill-{number:04d}" for number in (6, 5, 4, 3, 2, 1)]
    assert [dict(step.query).get("cursor") for step in exchange.sent] == [None, "1", "2"]
    assert {dict(step.query)["min_ts"] for step in exchange.sent} == {"5"}


def test_a_row_of_two_pages_is_returned_once() -> None:
    assert len(_ids(Exchange(_pages([3, 2], [2, 1])))) == 3


def test_an_empty_page_in_between_does_not_end_the_list() -> None:
    assert len(_ids(Exchange(_pages([3], [], [2])))) == 2


def test_a_first_page_that_comes_again_is_an_error() -> None:
    """What the exchange does with a cursor it cannot read."""
    counter = iter(range(100))

    def answer(step: SendRequest) -> Row:
        return fills(fill_number(2), fill_number(1), cursor=f"garbage-{next(counter)}")

    with pytest.raises(SourceMalformed, match="GET /portfolio/fills sent a page that it had sent before") as caught:
        _ids(Exchange(answer))
    assert caught.value.field == "cursor"


def test_a_cursor_that_comes_again_is_an_error() -> None:
    numbers = iter(range(1, 100))
    with pytest.raises(SourceMalformed, match="sent the same cursor twice"):
        _ids(Exchange(lambda step: fills(fill_number(next(numbers)), cursor="same")))


def test_a_list_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "MAX_PAGES", 5)
    numbers = iter(range(1, 100))

    def answer(step: SendRequest) -> Row:
        number = next(numbers)
        return fills(fill_number(number), cursor=str(number))

    with pytest.raises(SourceMalformed, match="did not end after 5 pages"):
        _ids(Exchange(answer))
