"""From a call to its request, and from the pages of a list to the whole list. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from coliseum.errors import SourceMalformed
from coliseum.kalshi import wire
from coliseum.kalshi.pacing import RateLimit
from coliseum.kalshi.parse import SOURCE, document, document_and_rejected
from coliseum.kalshi.query import Query, pairs
from coliseum.kalshi.retry import CallConditions, ExchangeCall, Steps, call_with_retries
from coliseum.trading.markets import ticker_from
from coliseum.trading.pages import Page

MAX_PAGES = 1000
"""A million rows. A list that is longer repeats itself."""

T = TypeVar("T")
Row = TypeVar("Row")
Document = TypeVar("Document", bound=wire.WireObject)


class Requester:
    """Makes the calls of one caller, under the caller's conditions."""

    def __init__(self, conditions: CallConditions) -> None:
        self._conditions = conditions

    def _get(
        self,
        endpoint: str,
        model: type[Document],
        parse: Callable[[Document], T],
        *,
        parts: Mapping[str, str] | None = None,
        query: Query | None = None,
        limit: RateLimit = RateLimit.PUBLIC,
        missing: tuple[str, str] | None = None,
        also_read: frozenset[int] = frozenset(),
        row_by_row: bool = False,
    ) -> Steps[T]:
        """GET `endpoint` with `parts` in its placeholders; the answer is read as `model` and converted by `parse`.

        `missing` is the kind and the name for NotFound, `also_read` are error statuses whose body may be an answer.
        With `row_by_row` a row that cannot be read is left out and reported to the caller. Money is read as a whole.
        Raises InvalidInput for a part that is no ticker.
        """
        tickers = {name: ticker_from(value, field=name) for name, value in (parts or {}).items()}
        name = f"GET {endpoint}"

        def read(body: bytes) -> T:
            return parse(document(model, body, endpoint=name))

        call = ExchangeCall(
            endpoint=name,
            path=endpoint.format_map(tickers),
            query=pairs(query or {}),
            read=self._rows_reader(name, model, parse, tickers.get("ticker")) if row_by_row else read,
            limit=limit,
            missing=missing,
            also_read=also_read,
        )
        return call_with_retries(call, self._conditions)

    def _rows_reader(
        self, endpoint: str, model: type[Document], parse: Callable[[Document], T], ticker: str | None
    ) -> Callable[[bytes], T]:
        def read(body: bytes) -> T:
            answer, rejected = document_and_rejected(model, body, endpoint=endpoint, ticker=ticker)
            result = parse(answer)
            if rejected:
                self._conditions.sentinel.look(endpoint, body, everything=True)
                self._conditions.rejected.extend(rejected)
                if isinstance(result, Page):
                    return replace(result, rejected=rejected)
            return result

        return read


def page_of(rows: Iterable[Row] | None, parse: Callable[[Row], T], cursor: str | None) -> Page[T]:
    """One page. A list without rows may be null; the last page's cursor is missing, null or empty."""
    return Page(tuple([parse(row) for row in rows or ()]), cursor or None)


def all_pages(
    page: Callable[[str | None], Steps[Page[T]]], *, identity: Callable[[T], str], endpoint: str
) -> Steps[tuple[T, ...]]:
    """Every item of a list, each once by its `identity`. `page` gets the page behind a cursor.

    Raises SourceMalformed where the pages repeat. The exchange answers a cursor that it cannot read with the first
    page: to go on would loop, and to stop without an error would lose rows.
    """
    items: dict[str, T] = {}
    cursors: set[str] = set()
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        received = yield from page(cursor)
        if cursor is not None and received.items and all(identity(item) in items for item in received.items):
            raise _repetition(endpoint, "sent a page that it had sent before")
        items |= {identity(item): item for item in received.items}
        cursor = received.cursor
        if cursor is None:
            return tuple(items.values())
        if cursor in cursors:
            raise _repetition(endpoint, "sent the same cursor twice")
        cursors.add(cursor)
    raise _repetition(endpoint, f"did not end after {MAX_PAGES} pages")


def _repetition(endpoint: str, problem: str) -> SourceMalformed:
    return SourceMalformed(SOURCE, f"GET {endpoint} {problem}", field="cursor")
