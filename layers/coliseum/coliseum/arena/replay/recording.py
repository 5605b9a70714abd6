"""A recording of an exchange: what could be seen of it, and when. Pure.

A recording is a folder of JSON lines, one file per kind; docs/scoring.md has the columns. Every row carries `at`, the
moment it was seen. A reader at another moment sees the rows up to it and no other: that is what makes a replay honest.

    about.json       {"format": 1, "exchange": "kalshi"}
    series.jsonl     a series with its fees
    events.jsonl     an event without its markets
    markets.jsonl    a market: quotes, status, and in the end its result; a row each time something changed
    books.jsonl      a market's resting bids, best first
    candles.jsonl    one period of a market's history
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import InvalidOperation
from typing import Any

from coliseum.arena.replay.serialization import moment_from, moment_text, number_from, read, written
from coliseum.errors import InvalidInput
from coliseum.trading.events import Event, Series
from coliseum.trading.markets import Candle, Level, Market, OrderBook

FORMAT = 1
FILES = ("series", "events", "markets", "books", "candles")
"""In the order in which rows of one moment are seen."""
MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class Book:
    ticker: str
    book: OrderBook


@dataclass(frozen=True, slots=True)
class Period:
    ticker: str
    candle: Candle


Thing = Series | Event | Market | Book | Period


@dataclass(frozen=True, slots=True)
class Seen:
    """Something of the exchange, and when it was seen."""

    at: datetime
    thing: Thing


@dataclass(frozen=True, slots=True)
class Recording:
    exchange: str
    """sandbox or kalshi."""
    rows: tuple[Seen, ...]
    """In order of time."""
    digest: str
    """sha256 of the files' rows."""

    @property
    def start(self) -> datetime:
        return self.rows[0].at

    @property
    def end(self) -> datetime:
        return self.rows[-1].at


class UnreadableRecording(InvalidInput):
    """Everything that is wrong with a recording, line by line."""

    def __init__(self, told: list[str]) -> None:
        super().__init__("recording", f"{len(told)} problems", "a folder that `coliseum record` wrote")
        self.told = told

    def __str__(self) -> str:
        return "\n".join(self.told)


def recording_from(about: str, files: Mapping[str, str]) -> Recording:
    """A recording from the texts of its files, by kind. Raises UnreadableRecording."""
    problems: list[str] = []
    exchange = _exchange(about, problems)
    digest = hashlib.sha256(exchange.encode())
    rows: list[Seen] = []
    for kind in FILES:
        text = files.get(kind, "")
        digest.update(f"\x1f{kind}\x1f{text}".encode())
        for line, content in enumerate(text.splitlines(), start=1):
            if content.strip():
                try:
                    rows.append(seen_from(kind, json.loads(content)))
                except (ValueError, TypeError, AttributeError, KeyError) as error:
                    problems.append(f"{kind}.jsonl:{line}: {error}")
    if not rows and not problems:
        problems.append("markets.jsonl: no rows")
    if problems:
        more = len(problems) - MOST_PROBLEMS
        raise UnreadableRecording([*problems[:MOST_PROBLEMS], *([f"and {more} more"] if more > 0 else [])])
    rows.sort(key=lambda row: row.at)  # stable: kinds of one moment stay in the order of FILES
    return Recording(exchange, tuple(rows), digest.hexdigest())


def about_text(exchange: str) -> str:
    return json.dumps({"format": FORMAT, "exchange": exchange}) + "\n"


def kind_of(thing: Thing) -> str:
    """The file a thing goes into."""
    return {Series: "series", Event: "events", Market: "markets", Book: "books", Period: "candles"}[type(thing)]


def line_of(seen: Seen) -> str:
    """A row as its line, without the line's end."""
    return json.dumps({"at": moment_text(seen.at), **_body(seen.thing)}, separators=(",", ":"), ensure_ascii=False)


def seen_from(kind: str, row: Mapping[str, Any]) -> Seen:
    """Raises ValueError, TypeError or KeyError that says what is wrong."""
    if not isinstance(row, Mapping):
        raise TypeError("not a JSON object")
    try:
        at = moment_from(row["at"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(f"at: got {row.get('at')!r}, expected a time as 2026-11-21T12:00:00Z") from None
    match kind:
        case "series":
            return Seen(at, read(Series, row))
        case "events":
            return Seen(at, read(Event, row, markets=()))
        case "markets":
            return Seen(at, read(Market, row))
        case "books":
            return Seen(
                at, Book(str(row["ticker"]), OrderBook(yes_bids=_levels(row["yes"]), no_bids=_levels(row["no"])))
            )
        case _:
            return Seen(at, Period(str(row["ticker"]), read(Candle, row)))


def changes(rows: Iterable[Seen], known: dict[tuple[str, str], Thing]) -> Iterator[Seen]:
    """The rows that say something new; `known` remembers the last of each thing."""
    for row in rows:
        key = (kind_of(row.thing), _name(row.thing))
        if known.get(key) != row.thing:
            known[key] = row.thing
            yield row


def _name(thing: Thing) -> str:
    return f"{thing.ticker}@{thing.candle.end.timestamp():.0f}" if isinstance(thing, Period) else thing.ticker


def _body(thing: Thing) -> dict[str, Any]:
    if isinstance(thing, Book):
        return {"ticker": thing.ticker, "yes": _pairs(thing.book.yes_bids), "no": _pairs(thing.book.no_bids)}
    if isinstance(thing, Period):
        return {"ticker": thing.ticker, **written(thing.candle)}
    return written(thing, leave_out=frozenset({"markets"}))


def _pairs(levels: Iterable[Level]) -> list[list[str]]:
    return [[format(level.price, "f"), format(level.count, "f")] for level in levels]


def _levels(pairs: Any) -> tuple[Level, ...]:
    try:
        levels = tuple(Level(number_from(price), number_from(count)) for price, count in pairs)
    except (TypeError, ValueError, InvalidOperation):
        raise ValueError(f"levels: got {pairs!r}, expected [price, contracts] pairs of strings") from None
    if any(not 0 < level.price < 1 or level.count <= 0 for level in levels):
        raise ValueError("levels: a price between 0 and 1 and a size above 0")
    return levels


def _exchange(about: str, problems: list[str]) -> str:
    try:
        told = json.loads(about)
        if told["format"] == FORMAT and told["exchange"] in {"sandbox", "kalshi"}:
            return str(told["exchange"])
    except (ValueError, KeyError, TypeError):
        pass
    problems.append(f'about.json: expected {{"format": {FORMAT}, "exchange": "sandbox" or "kalshi"}}')
    return ""
