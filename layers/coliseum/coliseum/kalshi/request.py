"""How a question becomes steps, and how the pages of a list become the list. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from coliseum.errors import SourceMalformed
from coliseum.kalshi import wire
from coliseum.kalshi.pacing import Lane
from coliseum.kalshi.parse import SOURCE, checked, json_from
from coliseum.kalshi.query import Query, pairs
from coliseum.kalshi.retry import Call, Steps, Terms, attempts
from coliseum.kalshi.rows import UNUSUAL
from coliseum.trading.markets import ticker_from
from coliseum.trading.pages import Page

MAX_PAGES = 1000
"""A million rows: beyond that something turns in circles."""

T = TypeVar("T")
Row = TypeVar("Row")
Document = TypeVar("Document", bound=wire.Wire)


class Asking:
    """One caller's way to ask, under its terms."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def _ask(
        self,
        endpoint: str,
        model: type[Document],
        words: Callable[[Document], T],
        *,
        quick: Callable[[Any], T] | None = None,
        parts: Mapping[str, str] | None = None,
        query: Query | None = None,
        lane: Lane = Lane.PUBLIC,
        missing: tuple[str, str] | None = None,
        also_read: frozenset[int] = frozenset(),
    ) -> Steps[T]:
        """GET `endpoint` with its `parts` filled in; the answer is read as `model` and said in `words`.

        `quick` does the same for ordinary answers in less time, and raises one of UNUSUAL for the others.
        """
        filled = {name: ticker_from(value, field=name) for name, value in (parts or {}).items()}
        told = f"GET {endpoint}"

        def read(body: bytes) -> T:
            answered = json_from(body, endpoint=told)
            if quick is not None:
                with suppress(*UNUSUAL):
                    return quick(answered)
            return words(checked(model, answered, endpoint=told))

        call = Call(
            endpoint=told,
            path=endpoint.format_map(filled),
            query=pairs(query or {}),
            read=read,
            lane=lane,
            missing=missing,
            also_read=also_read,
        )
        return attempts(call, self._terms)


def page_of(rows: Iterable[Row], words: Callable[[Row], T], cursor: str | None) -> Page[T]:
    """The last page's cursor is absent, null or empty."""
    return Page(tuple(words(row) for row in rows), cursor or None)


def all_pages(
    page: Callable[[str | None], Steps[Page[T]]], *, identity: Callable[[T], str], endpoint: str
) -> Steps[tuple[T, ...]]:
    """Every item of a list, each once.

    The exchange answers a cursor it cannot read with the first page: a page that was there before stops loudly,
    where going on would turn in circles and stopping quietly would lose rows.
    """
    found: dict[str, T] = {}
    cursors: set[str] = set()
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        got = yield from page(cursor)
        if cursor is not None and got.items and all(identity(item) in found for item in got.items):
            raise _circle(endpoint, "gave a page that was there before")
        found |= {identity(item): item for item in got.items}
        cursor = got.cursor
        if cursor is None:
            return tuple(found.values())
        if cursor in cursors:
            raise _circle(endpoint, "gave the same cursor twice")
        cursors.add(cursor)
    raise _circle(endpoint, f"did not end after {MAX_PAGES} pages")


def _circle(endpoint: str, what: str) -> SourceMalformed:
    return SourceMalformed(SOURCE, f"GET {endpoint} {what}", field="cursor")
