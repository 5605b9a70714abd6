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

from coliseum.arena.replay.serialization import from_json, moment_from, moment_text, number_from, to_json
from coliseum.errors import InvalidInput
from coliseum.trading.events import Event, Series
from coliseum.trading.markets import Candle, Level, Market, OrderBook

FORMAT = 1
FILES = ("series", "events", "markets", "books", "candles")
"""In the order in which rows of one moment are seen."""
MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class RecordedBook:
    ticker: str
    book: OrderBook


@dataclass(frozen=True, slots=True)
class RecordedCandle:
    ticker: str
    candle: Candle


RecordedItem = Series | Event | Market | RecordedBook | RecordedCandle


@dataclass(frozen=True, slots=True)
class RecordedRow:
    """Something of the exchange, and when it was seen."""

    at: datetime
    thing: RecordedItem


@dataclass(frozen=True, slots=True)
class Recording:
    exchange: str
    """sandbox or kalshi."""
    rows: tuple[RecordedRow, ...]
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
    rows: list[RecordedRow] = []
    for kind in FILES:
        text = files.get(kind, "")
        digest.update(f"\x1f{kind}\x1f{text}".encode())
        for line, content in enumerate(text.splitlines(), start=1):
            if content.strip():
                try:
                    rows.append(row_from(kind, json.loads(content)))
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


def kind_of(thing: RecordedItem) -> str:
    """The file a thing goes into."""
    return {Series: "series", Event: "events", Market: "markets", RecordedBook: "books", RecordedCandle: "candles"}[
        type(thing)
    ]


def line_of(seen: RecordedRow) -> str:
    """A row as its line, without the line's end."""
    return json.dumps({"at": moment_text(seen.at), **_body(seen.thing)}, separators=(",", ":"), ensure_ascii=False)


def row_from(kind: str, row: Mapping[str, Any]) -> RecordedRow:
    """Raises ValueError, TypeError or KeyError that says what is wrong."""
    if not isinstance(row, Mapping):
        raise TypeError("not a JSON object")
    try:
        at = moment_from(row["at"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(f"at: got {row.get('at')!r}, expected a time as 2026-11-21T12:00:00Z") from None
    match kind:
        case "series":
            return RecordedRow(at, from_json(Series, row))
        case "events":
            return RecordedRow(at, from_json(Event, row, markets=()))
        case "markets":
            return RecordedRow(at, from_json(Market, row))
        case "books":
            return RecordedRow(
                at,
                RecordedBook(str(row["ticker"]), OrderBook(yes_bids=_levels(row["yes"]), no_bids=_levels(row["no"]))),
            )
        case _:
            return RecordedRow(at, RecordedCandle(str(row["ticker"]), from_json(Candle, row)))


def changes(rows: Iterable[RecordedRow], known: dict[tuple[str, str], RecordedItem]) -> Iterator[RecordedRow]:
    """The rows that say something new; `known` remembers the last of each thing."""
    for row in rows:
        key = (kind_of(row.thing), _name(row.thing))
        if known.get(key) != row.thing:
            known[key] = row.thing
            yield row


def _name(thing: RecordedItem) -> str:
    return f"{thing.ticker}@{thing.candle.end.timestamp():.0f}" if isinstance(thing, RecordedCandle) else thing.ticker


def _body(thing: RecordedItem) -> dict[str, Any]:
    if isinstance(thing, RecordedBook):
        return {"ticker": thing.ticker, "yes": _pairs(thing.book.yes_bids), "no": _pairs(thing.book.no_bids)}
    if isinstance(thing, RecordedCandle):
        return {"ticker": thing.ticker, **to_json(thing.candle)}
    return to_json(thing, leave_out=frozenset({"markets"}))


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
