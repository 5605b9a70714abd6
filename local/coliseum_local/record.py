"""`coliseum record DIR`: records the public data of the exchange for `coliseum replay`. It needs no key."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from rich.console import Console

from coliseum import config
from coliseum.arena.replay.recording import (
    FILES,
    RecordedBook,
    RecordedCandle,
    RecordedItem,
    RecordedRow,
    UnreadableRecording,
    about_text,
    changes,
    file_of,
    line_of,
)
from coliseum.errors import SourceError
from coliseum.kalshi.client import Kalshi
from coliseum.trading.events import Event
from coliseum.trading.markets import Market
from coliseum_local.replay import read_recording

MAX_PAGES = 50
"""Pages of 200 events that are read at most."""
BATCH = 100
"""Tickers of one call."""
HISTORY = timedelta(hours=24)
"""How much of a market's past is recorded when it is first seen."""
FINAL = "finalized"


def record(folder: Path, *, url: str | None, every_seconds: float, for_seconds: float | None, most_markets: int) -> int:
    """Record every `every_seconds` seconds until Ctrl-C, or for `for_seconds`. Returns the exit code."""
    base = url or config.settings.kalshi_api_base
    settings = config.settings.model_copy(update={"kalshi_api_base": base})
    try:
        earlier_rows = _earlier_rows(folder, settings.exchange)
    except UnreadableRecording as error:
        print(error, file=sys.stderr)
        return 1
    end = None if for_seconds is None else time.monotonic() + for_seconds
    with ExitStack() as resources:
        kalshi = Kalshi.from_settings(settings)
        resources.callback(kalshi.close)
        recorder = ExchangeRecorder(kalshi, lambda: datetime.now(UTC), most_markets=most_markets)
        recorder.remember(earlier_rows)
        sinks, stop, console = (
            _sinks(folder, settings.exchange, resources),
            _stop_event(resources),
            Console(stderr=True),
        )
        while True:
            started = time.monotonic()
            _look(recorder, sinks, console)
            due = started + every_seconds
            if stop.wait(max(0.0, (due if end is None else min(due, end)) - time.monotonic())):
                return 0
            if end is not None and time.monotonic() >= end:
                return 0


def _earlier_rows(folder: Path, exchange: str) -> tuple[RecordedRow, ...]:
    """The rows that an earlier run wrote. Creates the folder if it is missing. Raises UnreadableRecording."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnreadableRecording([f"{folder}: {error.strerror or error}"]) from None
    if not any((folder / f"{kind}.jsonl").exists() and (folder / f"{kind}.jsonl").stat().st_size for kind in FILES):
        return ()
    earlier = read_recording(folder)
    if earlier.exchange != exchange:
        message = f"{folder}: this is a recording of {earlier.exchange}; use another folder for {exchange}"
        raise UnreadableRecording([message])
    return earlier.rows


def _stop_event(resources: ExitStack) -> threading.Event:
    """An event that Ctrl-C and SIGTERM set, so that the rows of a pass are written completely."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.signal(number, lambda *_: stop.set())
        resources.callback(signal.signal, number, before)
    return stop


@dataclass(slots=True)
class ExchangeRecorder:
    """Reads the exchange and finds what has changed since the last pass."""

    kalshi: Kalshi
    clock: Callable[[], datetime]
    most_markets: int
    known: dict[tuple[str, str], RecordedItem] = field(default_factory=dict)
    waiting: dict[str, None] = field(default_factory=dict)
    """Markets of the recording that are not final yet, in the order in which they were first seen."""
    read_hour: dict[str, datetime] = field(default_factory=dict)
    """The hour in which the history of a market was last read."""

    def remember(self, rows: Sequence[RecordedRow]) -> None:
        """Continue an earlier recording: its markets that were not final are followed until they are."""
        for seen in changes(rows, self.known):
            if isinstance(seen.item, Market):
                if seen.item.status == FINAL:
                    self.waiting.pop(seen.item.ticker, None)
                else:
                    self.waiting[seen.item.ticker] = None

    def look(self) -> Iterator[RecordedRow]:
        """The rows that are new or changed in one pass. A row has the time at which the answer arrived."""
        return changes(self._all(), self.known)

    def _all(self) -> Iterator[RecordedRow]:
        events = self._open_events()
        for series in sorted(
            {event.series_ticker for event in events if ("series", event.series_ticker) not in self.known}
        ):
            yield RecordedRow(self._now(), self.kalshi.series(series))
        yield from (RecordedRow(self._now(), replace(event, markets=())) for event in events)
        for event in events:
            for market in event.markets:
                if market.ticker in self.waiting or len(self.waiting) < self.most_markets:
                    self.waiting[market.ticker] = None
        yield from self._markets()

    def _markets(self) -> Iterator[RecordedRow]:
        series = {item.ticker: item.series_ticker for item in self.known.values() if isinstance(item, Event)}
        active: list[Market] = []
        for batch in _batches(list(self.waiting)):
            found = self.kalshi.markets(tickers=batch, limit=1000).items
            now = self._now()
            for market in found:
                yield RecordedRow(now, market)
                if market.status == FINAL:
                    del self.waiting[market.ticker]
                elif market.status == "active":
                    active.append(market)
        for batch in _batches([market.ticker for market in active]):
            books = self.kalshi.order_books(batch)
            now = self._now()
            yield from (RecordedRow(now, RecordedBook(ticker, book)) for ticker, book in books.items())
        for market in active:
            yield from self._history(market, series.get(market.event_ticker))

    def _history(self, market: Market, series: str | None) -> Iterator[RecordedRow]:
        """The full hours of a market's history, which are read once an hour."""
        hour = self._now().replace(minute=0, second=0, microsecond=0)
        if series is None or self.read_hour.get(market.ticker) == hour:
            return
        start = self.read_hour.get(market.ticker, hour - HISTORY)
        candles = self.kalshi.candles(
            series, market.ticker, start=int(start.timestamp()), end=int(hour.timestamp()), period_minutes=60
        )
        now = self._now()
        yield from (RecordedRow(now, RecordedCandle(market.ticker, candle)) for candle in candles if candle.end <= now)
        self.read_hour[market.ticker] = hour

    def _open_events(self) -> list[Event]:
        found: list[Event] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = self.kalshi.events(status="open", with_markets=True, limit=200, cursor=cursor)
            found += page.items
            cursor = page.cursor
            if not cursor or sum(len(event.markets) for event in found) >= self.most_markets:
                break
        return found

    def _now(self) -> datetime:
        return self.clock()


def _look(recorder: ExchangeRecorder, sinks: dict[str, TextIO], console: Console) -> None:
    """Write the rows of one pass. After an error of the exchange the next pass reads what is missing."""
    number = 0
    try:
        for seen in recorder.look():
            print(line_of(seen), file=sinks[file_of(seen.item)])
            number += 1
    except SourceError as error:
        console.print(f"[yellow]{error}[/yellow]", highlight=False)
    for sink in sinks.values():
        sink.flush()
    console.print(
        f"{recorder.clock():%H:%M:%S}  {number} new rows, {len(recorder.waiting)} markets followed", highlight=False
    )


def _sinks(folder: Path, exchange: str, files: ExitStack) -> dict[str, TextIO]:
    """The files of the recording, open for appending. An incomplete last line (after a crash) is removed first."""
    (folder / "about.json").write_text(about_text(exchange), encoding="utf-8")
    sinks: dict[str, TextIO] = {}
    for kind in FILES:
        path = folder / f"{kind}.jsonl"
        if path.exists():
            content = path.read_bytes()
            os.truncate(path, content.rfind(b"\n") + 1)
        sinks[kind] = files.enter_context(path.open("a", encoding="utf-8"))
    return sinks


def _batches(tickers: Sequence[str]) -> Iterator[Sequence[str]]:
    return (tickers[start : start + BATCH] for start in range(0, len(tickers), BATCH))
