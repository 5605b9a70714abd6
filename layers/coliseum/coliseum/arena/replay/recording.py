"""The format of a recording of an exchange: its public data with times. Pure.

A recording is a folder of JSON lines, with a file for each kind of row. docs/scoring.md has the columns. Every row has
`at`, the time at which it was seen. A replay at a simulated time uses only rows up to that time.

    about.json       {"format": 1, "exchange": "kalshi"}
    series.jsonl     a series with its fees
    events.jsonl     an event without its markets
    markets.jsonl    a market: quotes, status, finally its result; a row whenever something changed
    books.jsonl      the resting bids of a market, best first
    candles.jsonl    one period of the history of a market
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
from coliseum.json_objects import strict_json
from coliseum.trading.events import Event, Series
from coliseum.trading.markets import Candle, Level, Market, OrderBook

FORMAT = 1
FILES = ("series", "events", "markets", "books", "candles")
"""Rows with the same time are read in this order."""
MAX_PROBLEMS = 50
"""Problems that are reported of one recording."""


@dataclass(frozen=True, slots=True)
class RecordedBook:
    """The order book of a market."""

    ticker: str
    book: OrderBook


@dataclass(frozen=True, slots=True)
class RecordedCandle:
    """One period of the history of a market."""

    ticker: str
    candle: Candle


RecordedItem = Series | Event | Market | RecordedBook | RecordedCandle


@dataclass(frozen=True, slots=True)
class RecordedRow:
    """An item of the exchange, and the time at which it was seen."""

    at: datetime
    item: RecordedItem


@dataclass(frozen=True, slots=True)
class Recording:
    """All rows of a recording; there is at least one."""

    exchange: str
    """`sandbox` or `kalshi`."""
    rows: tuple[RecordedRow, ...]
    """In order of time; rows with the same time in the order of `FILES`."""
    digest: str
    """sha256 of the texts of the files, in hex."""

    @property
    def start(self) -> datetime:
        return self.rows[0].at

    @property
    def end(self) -> datetime:
        return self.rows[-1].at


class UnreadableRecording(InvalidInput):
    """All problems of a recording, each with its file and line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("recording", f"{len(problems)} problems", "a folder that `coliseum record` wrote")
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


def recording_from(about: str, files: Mapping[str, str]) -> Recording:
    """Read a recording from the texts of its files, by kind. Raises UnreadableRecording with all problems."""
    problems: list[str] = []
    exchange = _exchange(about, problems)
    digest = hashlib.sha256(exchange.encode())
    rows: list[RecordedRow] = []
    for kind in FILES:
        text = files.get(kind, "")
        digest.update(f"\x1f{kind}\x1f{text}".encode())
        for line, content in enumerate(text.split("\n"), start=1):  # a title may hold other line separators
            if content.strip():
                try:
                    rows.append(row_from(kind, strict_json(content)))
                except (ValueError, TypeError, AttributeError, KeyError) as error:
                    problems.append(f"{kind}.jsonl:{line}: {error}")
    if not rows and not problems:
        problems.append("markets.jsonl: no rows")
    if problems:
        more = len(problems) - MAX_PROBLEMS
        raise UnreadableRecording([*problems[:MAX_PROBLEMS], *([f"and {more} more"] if more > 0 else [])])
    rows.sort(key=lambda row: row.at)  # stable: rows with the same time stay in the order of FILES
    return Recording(exchange, tuple(rows), digest.hexdigest())


def about_text(exchange: str) -> str:
    """The text of `about.json`."""
    return json.dumps({"format": FORMAT, "exchange": exchange}) + "\n"


def file_of(item: RecordedItem) -> str:
    """The name of the file for an item, without `.jsonl`."""
    return {Series: "series", Event: "events", Market: "markets", RecordedBook: "books", RecordedCandle: "candles"}[
        type(item)
    ]


def line_of(row: RecordedRow) -> str:
    """The line of a row, without its line end."""
    return json.dumps({"at": moment_text(row.at), **_body(row.item)}, separators=(",", ":"), ensure_ascii=False)


def row_from(kind: str, row: Mapping[str, Any]) -> RecordedRow:
    """Read a row of the file `kind`. Raises ValueError, TypeError or KeyError, whose message names the problem."""
    if not isinstance(row, Mapping):
        raise TypeError("not a JSON object")
    try:
        at = moment_from(row["at"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(f"at: got {row.get('at')!r}, expected a time such as 2026-11-21T12:00:00Z") from None
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
    """The rows whose item has changed. `known` holds the newest version of each item and is updated."""
    for row in rows:
        key = (file_of(row.item), _name(row.item))
        if known.get(key) != row.item:
            known[key] = row.item
            yield row


def _name(item: RecordedItem) -> str:
    return f"{item.ticker}@{item.candle.end.timestamp():.0f}" if isinstance(item, RecordedCandle) else item.ticker


def _body(item: RecordedItem) -> dict[str, Any]:
    if isinstance(item, RecordedBook):
        return {"ticker": item.ticker, "yes": _pairs(item.book.yes_bids), "no": _pairs(item.book.no_bids)}
    if isinstance(item, RecordedCandle):
        return {"ticker": item.ticker, **to_json(item.candle)}
    return to_json(item, leave_out=frozenset({"markets"}))


def _pairs(levels: Iterable[Level]) -> list[list[str]]:
    return [[format(level.price, "f"), format(level.count, "f")] for level in levels]


def _levels(pairs: Any) -> tuple[Level, ...]:
    try:
        levels = tuple(Level(number_from(price), number_from(count)) for price, count in pairs)
    except (TypeError, ValueError, InvalidOperation):
        raise ValueError(f"levels: got {pairs!r}, expected [price, contracts] pairs of strings") from None
    if any(not 0 < level.price < 1 or level.count <= 0 for level in levels):
        raise ValueError(f"levels: got {pairs!r}, expected prices between 0 and 1 and sizes above 0")
    return levels


def _exchange(about: str, problems: list[str]) -> str:
    try:
        content = strict_json(about)
        if content["format"] == FORMAT and content["exchange"] in {"sandbox", "kalshi"}:
            return str(content["exchange"])
    except (ValueError, KeyError, TypeError):
        pass  # reported below, as a wrong value is
    problems.append(f'about.json: expected {{"format": {FORMAT}, "exchange": "sandbox" or "kalshi"}}')
    return ""
