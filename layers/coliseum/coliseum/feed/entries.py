"""The log's entries: their kinds, their ids `<ms>-<seq>`, and their form in Redis and in a URL. Pure."""

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
"""The one field of a stream entry; its value is JSON."""


class Kind(StrEnum):
    """What an entry tells. The value is also the event name on the wire, but for trades."""

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
    LATER = "later"
    """Written by a later version than ours: it keeps its number in the log, and nobody here takes it."""


_KINDS = frozenset(kind.value for kind in Kind)


@dataclass(frozen=True, slots=True, order=True)
class EntryId:
    """`<ms>-<seq>`: publisher's unix milliseconds, never falling; `seq` counts by one within an epoch.

    Ordered as two integers. `seq` alone proves contiguity.
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
"""Before every entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log."""

    id: EntryId
    kind: Kind
    data: dict[str, Any] = field(hash=False)
    """JSON values only; for trades the shape of `trade_json`."""

    @property
    def tickers(self) -> tuple[str, ...]:
        """The markets this entry is about, under `ticker` or `tickers`; none where it concerns every reader."""
        one, several = self.data.get("ticker"), self.data.get("tickers")
        return (one,) if isinstance(one, str) else tuple(several) if isinstance(several, list) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something to publish, with what makes it the same thing as one published before."""

    kind: Kind
    key: str
    """Identity: a trade's id, or any text unique to the happening."""
    digest: str
    """Changes when the content changes; same key and digest is a repetition."""
    data: dict[str, Any] = field(hash=False)
    boot: str = ""
    """The bot's run that reported it: ids may begin again after a restart."""
    at: str = ""
    """The happening's own time; a known key from another boot at another time is a new thing, not a correction."""
    correctable: bool = True
    """False for a report from a second source, worded differently: it counts where the key is new, never corrects."""


def payload(kind: Kind, data: dict[str, Any]) -> str:
    """The entry's JSON text: one line, ASCII, keys in their given order."""
    return json.dumps({"k": kind.value, "v": data}, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def entry_from(entry_id: str, text: str) -> Entry:
    """The entry behind a stream id and its JSON text. Raises LogError for anything we did not write."""
    try:
        body = json.loads(text)
        name, data = body["k"], {**body["v"]}
        if isinstance(name, str) and name and name not in _KINDS:
            return Entry(EntryId.parse(entry_id), Kind.LATER, {"kind": name, "data": data})
        return Entry(EntryId.parse(entry_id), Kind(name), data)
    except (ValueError, KeyError, TypeError, RecursionError, InvalidInput) as error:
        raise LogError(f"feed entry {entry_id!r} is not ours: {type(error).__name__}: {error}") from error


def trade_json(trade: Trade) -> dict[str, Any]:
    """A trade as the stream shows it: the contract's six names with JSON numbers, then ours with exact strings."""
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
    return shown


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)
