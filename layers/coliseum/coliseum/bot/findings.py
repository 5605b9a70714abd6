"""What is wrong with a bot's answers, row by row, and what would be right. Pure.

Each row is read by the same parser as in the poller, so what is an error here is a trade that is lost there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from coliseum.bot import wire
from coliseum.bot.parse import health_from, json_from, status_from, strategy_from, trades_from, whole_from
from coliseum.errors import SourceMalformed
from coliseum.trading.trades import Trade

CLOCK_TOLERANCE_SECONDS = 5.0
"""Clocks of two machines may differ by so much."""
_MODES = frozenset({"paper", "live"})
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "trade_id": ("id", "tradeId", "fill_id", "fillId", "execution_id"),
    "ticker": ("market", "market_ticker", "symbol", "instrument"),
    "side": ("action", "direction", "type"),
    "quantity": ("qty", "size", "count", "contracts", "amount"),
    "price": ("yes_price", "fill_price", "avg_price", "px"),
    "timestamp": ("ts", "time", "created_time", "executed_at", "date"),
}
"""Names that other programs give to the six required fields."""


class Severity(StrEnum):
    """`error`: something is lost or wrong. `warning`: it works, but less is known."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    severity: Severity
    place: str
    """The endpoint, with the row's number and id where it is about a row."""
    text: str


def health_findings(body: bytes) -> list[Finding]:
    """What the answer to /health lacks."""
    place = "/health"
    try:
        health = health_from(body)
    except SourceMalformed as error:
        return [Finding(Severity.ERROR, place, f"{_after(error, place)}; right is a JSON object")]
    raw = json_from(body, place)
    found: list[Finding] = []
    if not health.alive:
        words = ", ".join(sorted(wire.ALIVE_STATUSES))
        text = f"status {raw.get('status')!r} means that the bot is not alive; alive are: {words}"
        found.append(Finding(Severity.ERROR, place, text))
    if health.trade_count is None:
        text = _missing(raw, "trade_count", "a whole number of 0 or more: how many trades this run made")
        found.append(Finding(Severity.WARNING, place, f"{text}. Without it the number of lost trades is unknown"))
    if health.started_at is None:
        text = _missing(raw, "started_at", "the time when this run began, such as 2026-11-21T07:00:00Z")
        found.append(Finding(Severity.WARNING, place, f"{text}. Without it a restart is only guessed"))
    elif health.started is None:
        text = f"started_at: {raw['started_at']!r} is not a time with its zone; right is 2026-11-21T07:00:00Z"
        found.append(Finding(Severity.WARNING, place, text))
    return found or [Finding(Severity.OK, place, f"alive, {health.trade_count} trades since {health.started_at}")]


def status_findings(body: bytes) -> list[Finding]:
    """What the answer to /status lacks."""
    place = "/status"
    try:
        status = status_from(body)
    except SourceMalformed as error:
        return [Finding(Severity.ERROR, place, f"{_after(error, place)}; right is a JSON object")]
    found: list[Finding] = []
    if status.mode is None:
        text = _missing(status.raw, "mode", "paper or live")
        found.append(Finding(Severity.WARNING, place, f"{text}. Without it it is unknown whether the money is real"))
    elif status.mode not in _MODES:
        found.append(Finding(Severity.WARNING, place, f"mode: got {status.mode!r}; right is paper or live"))
    for name, kind in (("strategy", str), ("positions", list), ("last_error", str), ("idle_reasons", list)):
        value = status.raw.get(name)
        if value is not None and not isinstance(value, kind):
            right = "text" if kind is str else "a list"
            found.append(
                Finding(Severity.WARNING, place, f"{name}: got {_shown(value)}; right is {right}. It is ignored")
            )
    found += _idle_reasons(status.raw.get("idle_reasons"))
    return found or [Finding(Severity.OK, place, f"mode {status.mode}, strategy {status.strategy or 'not named'}")]


def _idle_reasons(value: object) -> Iterator[Finding]:
    place = "/status"
    reasons = value if isinstance(value, list) else []
    if len(reasons) > wire.MAX_REASONS:
        text = (
            f"idle_reasons: got {len(reasons)} reasons; right are at most {wire.MAX_REASONS}. The others are not shown"
        )
        yield Finding(Severity.WARNING, place, text)
    for number, reason in enumerate(reasons, 1):
        name = f"idle_reasons, entry {number}"
        said = reason.get("reason") if isinstance(reason, dict) else reason
        markets = reason.get("markets") if isinstance(reason, dict) else None
        if not isinstance(said, str) or not said.strip():
            right = "right is a text, or an object with the text `reason`"
            yield Finding(Severity.WARNING, place, f"{name}: got {_shown(reason)}; {right}. It is left out")
        elif markets is not None and whole_from(markets) is None:
            right = "right is a whole number of 0 or more"
            yield Finding(Severity.WARNING, place, f"{name}: `markets` is {_shown(markets)}; {right}. It is ignored")


def trades_findings(body: bytes, *, now: float, trade_count: int | None) -> list[Finding]:
    """What is wrong in the answer to /trades. `now` in unix seconds; `trade_count` is what /health says."""
    place = "/trades"
    try:
        trades_from(body)
    except SourceMalformed as error:
        text = f"{_after(error, place)}; right is a list of trades, or an object with the list `trades`"
        return [Finding(Severity.ERROR, place, text)]
    raw = json_from(body, place)
    rows: list[Any] = raw["trades"] if isinstance(raw, dict) else raw
    read = [_read(row) for row in rows]
    trades = [(index, trade) for index, (trade, _) in enumerate(read) if trade is not None]
    found = [
        Finding(Severity.ERROR, _row(index, row), text)
        for index, (row, (_, problem)) in enumerate(zip(rows, read, strict=True))
        if problem
        for text in _missing_fields(row) or [problem]
    ]
    found += _strategies(rows)
    found += _repetitions(trades)
    found += _order(trades)
    found += _ahead(trades, now)
    found += _count(len(rows), trade_count)
    return found or [Finding(Severity.OK, place, f"{len(rows)} rows, all readable, {_direction(trades)}")]


def stability_findings(first: bytes, second: bytes) -> list[Finding]:
    """What two answers to /trades right after each other contradict: a trade must keep its id."""
    try:
        before, after = trades_from(first).trades, trades_from(second).trades
    except SourceMalformed:
        return []
    known, facts = {trade.trade_id for trade in before}, {_facts(trade): trade.trade_id for trade in before}
    for trade in after:
        earlier = facts.get(_facts(trade))
        if trade.trade_id not in known and earlier is not None:
            text = (
                f"the same trade was {earlier!r} in one answer and {trade.trade_id!r} in the next; "
                "right is an id that a trade keeps as long as it is listed"
            )
            return [Finding(Severity.ERROR, "/trades", text)]
    return []


def run_findings(first: bytes, second: bytes) -> list[Finding]:
    """What two answers to /health right after each other contradict: the run must have one start."""
    try:
        before, after = health_from(first).started_at, health_from(second).started_at
    except SourceMalformed:
        return []
    if before == after:
        return []
    text = (
        f"started_at was {before!r} in one answer and {after!r} in the next; "
        "right is the time at which the process began, the same in every answer"
    )
    return [Finding(Severity.ERROR, "/health", text)]


def _read(row: Any) -> tuple[Trade | None, str]:
    """The row as the poller reads it, or why it does not."""
    try:
        answer = trades_from(json.dumps([row]).encode())
    except (SourceMalformed, RecursionError):
        return None, "nested too deeply to be read"
    return (answer.trades[0], "") if answer.trades else (None, answer.rejected[0].problem)


def _missing_fields(row: Any) -> list[str]:
    """A sentence for each required field that a row lacks. It may have the field under another name."""
    if not isinstance(row, dict):
        return []
    texts: list[str] = []
    for name, right in wire.REQUIRED.items():
        if row.get(name) is None:
            other = next((other for other in _OTHER_NAMES[name] if row.get(other) is not None), None)
            texts.append(
                f"{name}: missing; right is {right}" if other is None else f"{name}: missing; rename `{other}` to it"
            )
    return texts


def _strategies(rows: Sequence[Any]) -> Iterator[Finding]:
    for index, row in enumerate(rows):
        value = row.get("strategy") if isinstance(row, dict) else None
        if value is not None and strategy_from(value) is None:
            text = f"strategy: got {_shown(value)}; right is text of 1 to {wire.MAX_STRATEGY_CHARACTERS} characters"
            yield Finding(Severity.WARNING, _row(index, row), f"{text}. It is ignored")


def _repetitions(trades: Sequence[tuple[int, Trade]]) -> Iterator[Finding]:
    first: dict[str, tuple[int, Trade]] = {}
    for index, trade in trades:
        before_index, before = first.setdefault(trade.trade_id, (index, trade))
        if before_index == index:
            continue
        if before.digest() == trade.digest():
            text = f"repeats row {before_index + 1} exactly; it is read once"
            yield Finding(Severity.WARNING, _row(index, trade), text)
        else:
            text = (
                f"has the id of row {before_index + 1} and other facts; right is an id of its own for each trade. "
                "Only the first row is kept"
            )
            yield Finding(Severity.ERROR, _row(index, trade), text)


def _order(trades: Sequence[tuple[int, Trade]]) -> Iterator[Finding]:
    if _direction(trades) != "in no order":
        return
    for (_, earlier), (index, later) in pairwise(trades):
        if later.timestamp > earlier.timestamp:
            text = "is newer than the row before it; right is the newest trade first"
            yield Finding(Severity.WARNING, _row(index, later), text)
            return


def _direction(trades: Sequence[tuple[int, Trade]]) -> str:
    steps = [later.timestamp - earlier.timestamp for (_, earlier), (_, later) in pairwise(trades)]
    if all(step <= 0 for step in steps):
        return "newest first"
    return "oldest first" if all(step >= 0 for step in steps) else "in no order"


def _ahead(trades: Sequence[tuple[int, Trade]], now: float) -> Iterator[Finding]:
    for index, trade in trades:
        seconds = trade.timestamp - now
        if seconds > CLOCK_TOLERANCE_SECONDS:
            text = (
                f"timestamp: {seconds:.0f} s ahead of this machine's clock; right is unix time by a clock that is set"
            )
            yield Finding(Severity.WARNING, _row(index, trade), text)


def _count(listed: int, trade_count: int | None) -> Iterator[Finding]:
    if listed > wire.LISTED_TRADES:
        text = f"{listed} rows; right are the newest {wire.LISTED_TRADES}. More cost time in every poll"
        yield Finding(Severity.WARNING, "/trades", text)
    if trade_count is None:
        return
    if trade_count < listed:
        text = f"{listed} rows, but /health counts {trade_count} trades; right is the number of all trades of this run"
        yield Finding(Severity.ERROR, "/health", text)
    elif listed < min(trade_count, wire.LISTED_TRADES):
        text = (
            f"{listed} rows, but /health counts {trade_count} trades; "
            f"right are the newest {wire.LISTED_TRADES}, or all where there are fewer"
        )
        yield Finding(Severity.WARNING, "/trades", text)


def _facts(trade: Trade) -> tuple[object, ...]:
    return (trade.ticker, trade.side, trade.outcome, trade.quantity, trade.price, trade.timestamp, trade.order_id)


def _row(index: int, row: Any) -> str:
    trade_id = row.trade_id if isinstance(row, Trade) else row.get("trade_id") if isinstance(row, dict) else None
    return f"/trades row {index + 1}" + ("" if trade_id is None else f" ({_shown(trade_id)})")


def _missing(raw: Mapping[str, Any], name: str, right: str) -> str:
    value = raw.get(name)
    return f"{name}: {'missing' if value is None else f'got {_shown(value)}'}; right is {right}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _after(error: SourceMalformed, place: str) -> str:
    return error.problem.removeprefix(f"{place}: ")
