"""Query parameters, checked before they are sent. Times are unix seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

from coliseum.errors import InvalidInput
from coliseum.trading.markets import ticker_from

Value = str | int | bool | Iterable[str] | None
Query = Mapping[str, Value]

MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
MAX_EVENTS = 200
MAX_TRANSFERS = 500
MAX_DEPTH = 100


class TimeRange(TypedDict, total=False):
    """From `since` to `until` in unix seconds, both included."""

    since: int | None
    until: int | None


class PageRange(TimeRange, total=False):
    """One page of a time range: `limit` rows (100 by default) behind `cursor`."""

    limit: int
    cursor: str | None


def pairs(query: Query) -> tuple[tuple[str, str], ...]:
    """Names and texts for the URL. None is left out; a list repeats its name."""
    texts: list[tuple[str, str]] = []
    for name, value in query.items():
        if value is None:
            continue
        if isinstance(value, bool):
            texts.append((name, "true" if value else "false"))
        elif isinstance(value, str | int):
            texts.append((name, str(value)))
        else:
            texts += [(name, item) for item in value]
    return tuple(texts)


def page(limit: int, cursor: str | None, *, most: int = MAX_LIMIT) -> dict[str, Value]:
    """The query of one page. A cursor does not carry its filters, so each page repeats them. Raises InvalidInput."""
    return {"limit": bounded("limit", limit, least=1, most=most), "cursor": cursor or None}


def window(time_range: TimeRange) -> dict[str, Value]:
    return {"min_ts": time_range.get("since"), "max_ts": time_range.get("until")}


def page_range_query(filters: PageRange, *, form: type = PageRange) -> dict[str, Value]:
    """The query of one page of a time range. Raises TypeError for a filter that `form` does not have."""
    unknown = filters.keys() - form.__optional_keys__  # type: ignore[attr-defined]  # every TypedDict has it
    if unknown:
        raise TypeError(f"this list has no filter {', '.join(sorted(unknown))}")
    return {**page(filters.get("limit", DEFAULT_LIMIT), filters.get("cursor")), **window(filters)}


def bounded(name: str, value: int, *, least: int, most: int) -> int:
    if not least <= value <= most:
        raise InvalidInput(name, value, f"{least} to {most}")
    return value


def maybe_ticker(name: str, ticker: str | None) -> dict[str, Value]:
    return {name: None if ticker is None else ticker_from(ticker, field=name)}


def comma_list(name: str, tickers: Iterable[str]) -> dict[str, Value]:
    return {name: ",".join(ticker_from(ticker, field=name) for ticker in tickers) or None}
