"""The log's entries: their kinds, their ids `<ms>-<seq>`, and their text form in Redis and in URLs. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from coliseum.errors import InvalidInput, LogError
from coliseum.trading.money import decimal_text
from coliseum.trading.trades import Trade

_ID = re.compile(r"(0|[1-9]\d{0,15})-(0|[1-9]\d{0,15})", re.ASCII)
FIELD = "d"
"""The only field of a Redis stream entry. Its value is the JSON text."""


class EntryKind(StrEnum):
    """What an entry is about. The value is also the name of the SSE event; only trades have other event names."""

    TRADE = "trade"
    TRADE_CORRECTED = "trade_corrected"
    BOT_STATUS = "bot_status"
    SOURCE_GAP = "source_gap"
    ROUND_OPENED = "round_opened"
    FORECAST = "forecast"
    PAPER_TRADE = "paper_trade"
    SETTLED = "settled"
    LEADERBOARD_CHANGED = "leaderboard_changed"
    TRADE_CONTEXT = "trade_context"
    EXCHANGE_CHANGED = "exchange_changed"
    ALERT = "alert"
    LATER = "later"
    """A kind that only a later version of this program knows. It counts for contiguity; readers here skip it."""


_KINDS = frozenset(kind.value for kind in EntryKind)


@dataclass(frozen=True, slots=True, order=True)
class EntryId:
    """`<ms>-<seq>`: the publisher's unix milliseconds, which never fall, and a counter within the epoch.

    Ids are ordered as two integers. `seq` grows by exactly one, so it alone shows whether an entry is missing.
    """

    ms: int
    seq: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> EntryId:
        """Raises InvalidInput unless `text` is exactly two plain integers joined by a hyphen."""
        match = _ID.fullmatch(text)
        if match is None:
            raise InvalidInput("event id", text, "<milliseconds>-<sequence>, such as 1698676800123-42")
        return cls(int(match[1]), int(match[2]))


START = EntryId(0, 0)
"""The position before the first entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log."""

    id: EntryId
    kind: EntryKind
    data: dict[str, Any] = field(hash=False)
    """JSON values only; for trades the shape of `trade_json`."""

    @property
    def tickers(self) -> tuple[str, ...]:
        """The markets this entry is about, under `ticker` or `tickers`; none where it concerns every reader."""
        one, several = self.data.get("ticker"), self.data.get("tickers")
        return (one,) if isinstance(one, str) else tuple(several) if isinstance(several, list) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something to publish, with the identity by which the log recognises a repetition.

    An equal `key` and `digest` is a repetition and is dropped. An equal `key` with another digest is a correction, or a
    new entry where both `boot` and `at` differ too.
    """

    kind: EntryKind
    key: str
    """A trade's id, or any text that is unique to what is published."""
    digest: str
    """Changes when the content changes."""
    data: dict[str, Any] = field(hash=False)
    boot: str = ""
    """The run of the bot that reported it: after a restart the bot may use its ids again."""
    at: str = ""
    """The execution time, as text. A known key from another run at another time is a new trade, not a correction."""
    correctable: bool = True
    """False for the exchange's report, whose details differ from the bot's: published only where the key is new."""


def event_candidate(kind: EntryKind, key: str, data: dict[str, Any]) -> Candidate:
    """A candidate of a kind that is never corrected, so all but trades. `key` is unique within the kind."""
    return Candidate(kind=kind, key=f"{kind.value}:{key}", digest="", data=data)


def parse_entry(entry_id: str, text: str) -> Entry:
    """The entry from its stream id and JSON text. Raises LogError for anything that this program did not write."""
    try:
        body = json.loads(text)
        name, data = body["k"], {**body["v"]}
        if isinstance(name, str) and name and name not in _KINDS:
            return Entry(EntryId.parse(entry_id), EntryKind.LATER, {"kind": name, "data": data})
        return Entry(EntryId.parse(entry_id), EntryKind(name), data)
    except (ValueError, KeyError, TypeError, RecursionError, InvalidInput) as error:
        raise LogError(f"feed entry {entry_id!r} cannot be read: {type(error).__name__}: {error}") from error


def trade_json(trade: Trade) -> dict[str, Any]:
    """A trade as the stream shows it: the six fields of the bot's contract, then further ones.

    `price` and `quantity` are JSON numbers; `price_dollars` and `quantity_contracts` are the same values as exact text.
    `timestamp` is what the source said, even where it lies ahead of our clock: `clock_ahead_seconds` then says by how
    much. It stays because a trade's repetitions and corrections are recognised by it.
    """
    shown: dict[str, Any] = {
        "timestamp": trade.timestamp,
        "ticker": trade.ticker,
        "side": trade.side.value,
        "quantity": _number(decimal_text(trade.quantity, places=0)),
        "price": float(trade.price),
        "trade_id": trade.trade_id,
        "outcome": None if trade.outcome is None else trade.outcome.value,
        "price_dollars": decimal_text(trade.price, places=4),
        "quantity_contracts": decimal_text(trade.quantity),
        "fee": None if trade.fee is None else decimal_text(trade.fee),
        "order_id": trade.order_id,
        "source": trade.source.value,
    }
    if trade.backfilled:
        shown["backfilled"] = True
    if trade.clock_ahead_seconds is not None:
        shown["clock_ahead_seconds"] = trade.clock_ahead_seconds
    if trade.strategy is not None:
        shown["strategy"] = trade.strategy
    return shown


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)
