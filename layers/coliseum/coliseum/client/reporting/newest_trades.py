"""The newest trades of a run: what is listed, what is pushed, and their lines in the file."""

from __future__ import annotations

import json
import zlib
from typing import Any, NamedTuple

KEPT = 1_000
"""Trades in memory and on disk. The file holds up to twice as many lines before it is shortened."""
LISTED, LISTED_SECONDS = 100, 3_600.0
"""GET /trades lists at least so many trades, and all of the last hour, so that a poller may be away for a while."""
PUSHED_MIN, PUSHED_BYTES = 20, 60_000
"""A push holds at least so many trades. The receiver takes 64 kB."""


class ListedTrade(NamedTuple):
    trade_id: str
    text: str
    at: float
    """Monotonic seconds when this process recorded or loaded it."""


class NewestTrades:
    """The newest trades of a run, in memory. A run begins with the file, so it outlives the process."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.count = 0
        """Trades of the run, also those that are forgotten. It is the number of the newest one."""
        self.rows: dict[int, ListedTrade] = {}
        self._numbers: dict[str, int] = {}

    def add(self, row: dict[str, Any], *, at: float, ignore_time: bool = False) -> int | None:
        """The number of the trade; None where it is known as it stands. Other facts of a known trade replace it."""
        number = self._numbers.get(row["trade_id"])
        if number is not None:
            known = json.loads(self.rows[number].text)
            if {**known, "timestamp": 0} == {**row, "timestamp": 0} if ignore_time else known == row:
                return None
        else:
            self.count += 1
            number = self.count
        self.put(number, row, at=at)
        return number

    def put(self, number: int, row: dict[str, Any], *, at: float) -> None:
        self.count = max(self.count, number)
        self._numbers[row["trade_id"]] = number
        self.rows[number] = ListedTrade(row["trade_id"], json.dumps(row, separators=(",", ":")), at)
        while len(self.rows) > KEPT:
            forgotten = self.rows.pop(next(iter(self.rows)))
            self._numbers.pop(forgotten.trade_id, None)

    def line(self, number: int) -> bytes:
        """The line of a trade in the file; 0 is the head, which names the run and the count of the trades so far."""
        trade = f'"trade":{self.rows[number].text}' if number else f'"count":{self.count}'
        text = f'{{"run":"{self.run}","n":{number},{trade}}}'.encode()
        return b"%08x %s\n" % (zlib.crc32(text), text)

    def lines(self) -> list[bytes]:
        return [self.line(0), *(self.line(number) for number in self.rows)]

    def listed(self, *, now: float) -> list[str]:
        """The JSON of the listed trades, newest first."""
        rows = reversed(list(self.rows.values()))
        return [row.text for place, row in enumerate(rows) if place < LISTED or now - row.at < LISTED_SECONDS]

    def after(self, anchor: int | None) -> tuple[list[str], int]:
        """What to push, newest first, and the number of its newest trade.

        `anchor` is the newest trade that the receiver has published: the list begins with it, or earlier to hold
        `PUSHED_MIN` trades. Where it is not known, the list holds the newest ones.
        """
        numbers = list(self.rows)
        first = max(0, len(numbers) - LISTED)
        if anchor is not None:
            behind = sum(1 for number in numbers if number >= anchor)
            first = len(numbers) - max(behind, PUSHED_MIN)
        chosen = numbers[max(0, first) :]
        room, fitting = PUSHED_BYTES, []
        for number in chosen if anchor is not None else reversed(chosen):
            room -= len(self.rows[number].text) + 1
            if room < 0:
                break
            fitting.append(number)
        fitting.sort(reverse=True)
        return [self.rows[number].text for number in fitting], fitting[0]


def newest_from(data: bytes, *, at: float) -> NewestTrades | None:
    """The trades of a file, as far as its lines are whole. None where no line is."""
    records = []
    for line in data.split(b"\n"):
        check, _, text = line.partition(b" ")
        try:
            record = json.loads(text) if text and int(check, 16) == zlib.crc32(text) else None
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("run"), str) and isinstance(record.get("n"), int):
            records.append(record)
    if not records:
        return None
    trades = NewestTrades(records[-1]["run"])
    rows: dict[int, Any] = {}
    for record in records:
        if record["run"] == trades.run:
            trades.count = max(trades.count, record["n"], record.get("count", 0))
            if record["n"]:
                rows[record["n"]] = record["trade"]
    for number in sorted(rows)[-KEPT:]:
        trades.put(number, rows[number], at=at)
    return trades
