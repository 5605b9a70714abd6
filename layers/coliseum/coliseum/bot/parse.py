"""The bot's JSON as our own types. Pure. A bad row becomes a `RejectedTrade`; another form raises SourceMalformed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from coliseum.bot import wire
from coliseum.errors import InvalidInput, SourceMalformed
from coliseum.trading.markets import ticker_from
from coliseum.trading.money import count_from, decimal_from, price_from
from coliseum.trading.trades import Outcome, Side, Trade

SOURCE = "bot"
_MOST_DIGITS = 18
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_TIME = "unix seconds of the years 2000 to 2100 (1698676800.123, not milliseconds), or RFC 3339 with its offset"


@dataclass(frozen=True, slots=True)
class RejectedTrade:
    """A row that could not be read, with the reason. Equal rows have equal digests (16 hex digits)."""

    trade_id: str | None
    problem: str
    digest: str


@dataclass(frozen=True, slots=True)
class BotTrades:
    """What the bot listed. `trades` are oldest first, as far as the list alone shows the bot's order."""

    trades: tuple[Trade, ...]
    rejected: tuple[RejectedTrade, ...]
    oldest_first: bool = False
    """The list was taken for one that begins with its oldest trade."""
    started_at: str | None = None
    """When the run of this list began, where the answer says so: in the bot's own form, as in `BotHealth`."""
    trade_count: int | None = None
    """All trades of that run, as they were counted with this list; None where the answer does not say so."""


@dataclass(frozen=True, slots=True)
class BotHealth:
    """The bot's answer to /health. None: the bot did not send it."""

    alive: bool
    trade_count: int | None
    started_at: str | None
    """In the bot's own form, because it tells one run from another."""

    @property
    def started(self) -> datetime | None:
        """`started_at` as a time in UTC; None where it is no time with its zone."""
        return None if self.started_at is None else _moment_from(self.started_at)


@dataclass(frozen=True, slots=True)
class IdleReason:
    """Why the bot does not trade, and in how many markets; None where it does not say how many."""

    reason: str
    markets: int | None


@dataclass(frozen=True, slots=True)
class BotStatus:
    """The bot's answer to /status; `raw` is the whole answer."""

    mode: str | None
    """paper or live, as the bot sends it, in lower case."""
    strategy: str | None
    positions: tuple[wire.JsonObject, ...] = field(hash=False)
    last_error: str | None
    idle_reasons: tuple[IdleReason, ...]
    raw: wire.JsonObject = field(hash=False)


def trades_from(body: bytes) -> BotTrades:
    """The trades of a list, each once.

    A row that repeats another exactly is dropped. A row that repeats an id with other facts is rejected, and the first
    row of the list is kept. The result has the order of the rows and not that of their times, because the bot's clock
    may jump. The contract lists the newest trade first; only a list whose times rise from its first row to its last is
    taken for one that begins with the oldest.
    """
    answer = json_from(body, "/trades")
    rows = _rows(answer)
    first_rows: dict[str, Trade] = {}
    rejected: list[RejectedTrade] = []
    for row in rows:
        try:
            trade = _trade_from(row)
        except (InvalidInput, RecursionError) as error:
            rejected.append(RejectedTrade(_readable_id(row), str(error), _digest(row)))
            continue
        first = first_rows.setdefault(trade.trade_id, trade)
        if first.digest() != trade.digest():
            problem = f"trade_id: {trade.trade_id!r} stands twice in one list with different facts; the first is kept"
            rejected.append(RejectedTrade(trade.trade_id, problem, _digest(row)))
    listed = tuple(first_rows.values())
    oldest_first = _rises(listed)
    envelope = answer if isinstance(answer, dict) else {}
    return BotTrades(
        listed if oldest_first else listed[::-1],
        tuple(rejected),
        oldest_first,
        started_at=_started(envelope.get("started_at")),
        trade_count=whole_from(envelope.get("trade_count")),
    )


def _rises(trades: Sequence[Trade]) -> bool:
    """The list begins with its oldest trade."""
    times = [trade.timestamp for trade in trades]
    return len(times) > 1 and times[0] < times[-1] and all(a <= b for a, b in pairwise(times))


def _rows(answer: Any) -> list[Any]:
    rows = answer.get("trades") if isinstance(answer, dict) else answer
    if not isinstance(rows, list):
        kind = "an object without a list of trades" if isinstance(answer, dict) else type(answer).__name__
        raise SourceMalformed(SOURCE, f"/trades: expected a list or an object with trades, got {kind}", field="trades")
    return rows


def json_from(body: bytes, endpoint: str) -> Any:
    """The JSON of an answer; very long integers stay text. Raises SourceMalformed that names the endpoint."""
    try:
        return json.loads(body, parse_int=_integer)
    except (ValueError, RecursionError):
        shown = body[:60].decode("utf-8", "replace")
        raise SourceMalformed(SOURCE, f"{endpoint}: expected JSON, got {shown!r}", field="body") from None


def _integer(digits: str) -> int | str:
    """A very long integer stays text, so that only its row is rejected: Python would refuse the whole list."""
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _trade_from(row: Any) -> Trade:
    if not isinstance(row, dict):
        raise InvalidInput("trade", row, "an object")
    fee = row.get("fee")
    order_id = row.get("order_id")
    return Trade(
        trade_id=_id_from(_required(row, "trade_id"), "trade_id"),
        ticker=ticker_from(_required(row, "ticker")),
        side=_side_from(_required(row, "side")),
        outcome=_outcome_from(row.get("outcome")),
        quantity=count_from(_required(row, "quantity")),
        price=price_from(_required(row, "price")),
        timestamp=_seconds_from(_required(row, "timestamp")),
        fee=None if fee is None else decimal_from(fee, field="fee"),
        order_id=None if order_id is None else _id_from(order_id, "order_id"),
        strategy=strategy_from(row.get("strategy")),
    )


def _required(row: wire.JsonObject, name: str) -> object:
    value = row.get(name)
    if value is None:
        raise InvalidInput(name, value, wire.REQUIRED[name])
    return value


def _id_from(value: object, name: str) -> str:
    """Printable text, because ids are used in log lines and Redis keys. A whole number is read as its digits."""
    if isinstance(value, float) and value.is_integer() and value < wire.INEXACT_NUMBERS:
        value = int(value)  # JSON does not tell 3 from 3.0
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        return str(value)
    if isinstance(value, str) and value.strip() and len(value) <= wire.MAX_ID_CHARACTERS and value.isprintable():
        return value
    expected = f"text of 1 to {wire.MAX_ID_CHARACTERS} printable characters, or a whole number of at most 18 digits"
    raise InvalidInput(name, value, expected)


def strategy_from(value: object) -> str | None:
    """None for anything but a short printable text: a label that cannot be read must not cost the trade."""
    if not isinstance(value, str) or len(value) > wire.MAX_STRATEGY_CHARACTERS or not value.isprintable():
        return None
    return value.strip() or None


def _side_from(value: object) -> Side:
    name = value.upper() if isinstance(value, str) else ""
    if name not in {"BUY", "SELL"}:
        raise InvalidInput("side", value, "BUY or SELL")
    return Side(name)


def _outcome_from(value: object) -> Outcome | None:
    """None where the bot does not say which contract it traded."""
    if value is None:
        return None
    name = value.lower() if isinstance(value, str) else ""
    if name not in {"yes", "no"}:
        raise InvalidInput("outcome", value, "yes or no")
    return Outcome(name)


def _seconds_from(value: object) -> float:
    """Unix seconds. A time without an offset is ambiguous and refused."""
    seconds: object = value
    if isinstance(value, str) and _NUMBER.fullmatch(value):  # as text, like prices
        seconds = float(value)
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidInput("timestamp", value, _TIME) from None
        seconds = moment.timestamp() if moment.tzinfo is not None else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidInput("timestamp", value, _TIME)
    if not wire.EARLIEST_SECONDS <= seconds < wire.LATEST_SECONDS:  # also false for NaN
        raise InvalidInput("timestamp", value, _TIME)
    return float(seconds)


def _readable_id(row: Any) -> str | None:
    """The id of a rejected row, where it can be read."""
    try:
        return _id_from(row.get("trade_id"), "trade_id") if isinstance(row, dict) else None
    except InvalidInput:
        return None


def _digest(row: Any) -> str:
    try:
        text = json.dumps(row, sort_keys=True)
    except RecursionError:
        text = "nested too deeply to be written out"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def health_from(body: bytes) -> BotHealth:
    """The bot's health. It is alive if `status` is one of the usual values or missing. Raises SourceMalformed."""
    raw = _object(body, "/health")
    status = raw.get("status")
    return BotHealth(
        alive=status is None or (isinstance(status, str) and status.lower() in wire.ALIVE_STATUSES),
        trade_count=whole_from(raw.get("trade_count")),
        started_at=_started(raw.get("started_at")),
    )


def _started(value: object) -> str | None:
    """A text that differs between two runs of the bot; a number serves as well as a date."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)[: wire.MAX_ID_CHARACTERS]
    return _text(value)


def _moment_from(text: str) -> datetime | None:
    """RFC 3339 with its offset, or unix seconds or milliseconds."""
    with suppress(ValueError):
        number = float(text)
        for seconds in (number, number / 1000):
            if wire.EARLIEST_SECONDS <= seconds < wire.LATEST_SECONDS:
                return datetime.fromtimestamp(seconds, UTC)
        return None
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    return None


def status_from(body: bytes) -> BotStatus:
    """The bot's status. A field that is missing or has another form is None or empty. Raises SourceMalformed."""
    raw = _object(body, "/status")
    mode, positions = _text(raw.get("mode")), raw.get("positions")
    return BotStatus(
        mode=None if mode is None else mode.lower(),
        strategy=_text(raw.get("strategy")),
        positions=tuple(row for row in positions if isinstance(row, dict)) if isinstance(positions, list) else (),
        last_error=_text(raw.get("last_error"), most=wire.MAX_ERROR_CHARACTERS),
        idle_reasons=_idle_reasons(raw.get("idle_reasons")),
        raw=raw,
    )


def _idle_reasons(value: object) -> tuple[IdleReason, ...]:
    rows = value[: wire.MAX_REASONS] if isinstance(value, list) else []
    reasons = [(_text(row), None) if not isinstance(row, dict) else (_text(row.get("reason")), row) for row in rows]
    return tuple(
        IdleReason(reason, None if row is None else whole_from(row.get("markets"))) for reason, row in reasons if reason
    )


def whole_from(value: object) -> int | None:
    """A number that is whole, however it is written: 3 or 3.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value: object, *, most: int = wire.MAX_ID_CHARACTERS) -> str | None:
    """A text as one printable line of limited length; None where it is empty or no text."""
    if not isinstance(value, str):
        return None
    line = "".join(character if character.isprintable() else " " for character in value).strip()
    return line[:most] or None


def _object(body: bytes, endpoint: str) -> wire.JsonObject:
    raw = json_from(body, endpoint)
    if not isinstance(raw, dict):
        raise SourceMalformed(SOURCE, f"{endpoint}: expected an object, got {type(raw).__name__}", field="body")
    return raw
