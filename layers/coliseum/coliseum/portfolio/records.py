"""Rows of Postgres and entries of the feed as trades and snapshots. The only file of this package that knows columns.

A list is read page by page: every row comes with its key, and the next page is what follows the last key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from coliseum.errors import InvalidInput, LogError, SourceMalformed
from coliseum.feed.entries import Entry, EntryKind
from coliseum.http.field_types import utc_from
from coliseum.store.client import Condition, Store
from coliseum.store.replies import SOURCE, parse_row
from coliseum.trading.clocks import seconds_ahead
from coliseum.trading.markets import Balance, Market, Settlement
from coliseum.trading.money import decimal_from, optional_decimal
from coliseum.trading.trades import Outcome, Side, Trade, TradeSource

POSTGRES = SOURCE
KALSHI = "kalshi"
_TRADE_COLUMNS = (
    "event_id,trade_id,ticker,side,outcome,quantity::text,price::text,fee::text,order_id,executed_at,source,backfilled,"
    "correction,recorded_at,strategy"
)
_RECENT_TRADES = 1000
"""The newest trades that are searched for tickers."""
SETTLEMENT_COLUMNS = (
    "ticker,event_ticker,result,yes_count::text,yes_cost::text,no_count::text,no_cost::text,revenue::text,value::text,"
    "fee::text,settled_at"
)
_SNAPSHOT_COLUMNS = "taken_at,cash::text,portfolio_value::text,equity::text,source"


@dataclass(frozen=True, slots=True)
class TradeKey:
    """A trade's place in the list: its time as Postgres wrote it, then its event id.

    Without an event id the key stands for the whole moment, and the trades of that moment follow it.
    """

    executed_at: str
    event_id: str | None


@dataclass(frozen=True, slots=True)
class StoredTrade:
    """A trade with its key."""

    trade: Trade
    key: TradeKey
    correction: bool
    """It replaces an earlier report of the same trade."""
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSnapshot:
    """The account at one moment, in dollars."""

    taken_at: datetime
    cash: Decimal
    portfolio_value: Decimal
    equity: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot with its key: its moment as Postgres wrote it."""

    snapshot: BalanceSnapshot
    key: str


@dataclass(frozen=True, slots=True)
class StoredSettlement:
    """A settlement with its key: its moment as Postgres wrote it, then its ticker."""

    settlement: Settlement
    at: str


def select_trades(
    store: Store,
    *,
    ticker: str | None,
    since: datetime | None,
    after: TradeKey | None,
    limit: int,
    until: datetime | None = None,
) -> list[StoredTrade]:
    """At most `limit` trades behind `after`, newest first; `until` is exclusive. Corrected trades are left out."""
    filters: list[Condition] = [("corrected_by", "is", None)]
    if ticker is not None:
        filters.append(("ticker", "eq", ticker))
    if since is not None:
        filters.append(("executed_at", "gte", since))
    if until is not None:
        filters.append(("executed_at", "lt", until))
    if after is None:
        return _trades(store, filters, limit)
    moment = after.executed_at
    if after.event_id is None:
        return _trades(store, [*filters, ("executed_at", "lte", moment)], limit)
    # The store joins conditions by AND only: first the rest of the same moment, then the moments before it.
    same = _trades(store, [*filters, ("executed_at", "eq", moment), ("event_id", "lt", after.event_id)], limit)
    if len(same) == limit:
        return same
    return same + _trades(store, [*filters, ("executed_at", "lt", moment)], limit - len(same))


def select_recorded_trades(
    store: Store, *, ticker: str | None, since: datetime, until: datetime, limit: int
) -> list[StoredTrade]:
    """At most `limit` trades that were stored between two moments of our clock, newest first; `until` is exclusive."""
    filters: list[Condition] = [
        ("corrected_by", "is", None),
        ("recorded_at", "gte", since),
        ("recorded_at", "lt", until),
    ]
    if ticker is not None:
        filters.append(("ticker", "eq", ticker))
    return _trades(store, filters, limit)


def stored_trade_ids(store: Store, trade_ids: Sequence[str]) -> set[str]:
    """Those of these ids under which some trade is stored."""
    rows = store.select("trades", "trade_id", where=[("trade_id", "in", list(trade_ids))])
    return {str(row["trade_id"]) for row in rows}


def _trades(store: Store, where: Sequence[Condition], limit: int) -> list[StoredTrade]:
    rows = store.select("trades", _TRADE_COLUMNS, where=where, order=("executed_at.desc", "event_id.desc"), limit=limit)
    return [parse_row("trades", _stored_trade, row) for row in rows]


def _stored_trade(row: Mapping[str, Any]) -> StoredTrade:
    trade = Trade(
        trade_id=row["trade_id"],
        ticker=row["ticker"],
        side=Side(row["side"]),
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        quantity=Decimal(row["quantity"]),
        price=Decimal(row["price"]),
        timestamp=datetime.fromisoformat(row["executed_at"]).timestamp(),
        fee=optional_decimal(row["fee"]),
        order_id=row["order_id"],
        source=TradeSource(row["source"]),
        backfilled=row["backfilled"],
        strategy=row["strategy"],
    )
    recorded_at = datetime.fromisoformat(row["recorded_at"])
    ahead = seconds_ahead(trade.timestamp, now=recorded_at.timestamp())
    trade = replace(trade, clock_ahead_seconds=ahead)
    key = TradeKey(row["executed_at"], row["event_id"])
    return StoredTrade(trade, key, bool(row["correction"]), recorded_at)


def select_strategies(store: Store) -> list[tuple[str, str | None, str, str]]:
    """Trade id, order id, ticker and strategy of every trade whose strategy the bot named."""
    where: list[Condition] = [("corrected_by", "is", None), ("strategy", "neq", "")]
    rows = store.select("trades", "trade_id,order_id,ticker,strategy", where=where, order=("event_id",))
    return [(row["trade_id"], row["order_id"], row["ticker"], row["strategy"]) for row in rows]


def recently_traded_tickers(store: Store, at: float) -> tuple[str, ...]:
    """Tickers of the newest trades since `at` (unix seconds), the latest traded first."""
    where: list[Condition] = [("corrected_by", "is", None), ("executed_at", "gte", utc_from(at))]
    order = ("executed_at.desc", "event_id.desc")
    rows = store.select("trades", "ticker", where=where, order=order, limit=_RECENT_TRADES)
    return tuple(dict.fromkeys(str(row["ticker"]) for row in rows))


def select_snapshots(
    store: Store, *, since: datetime | None, until: datetime | None, after: str | None, limit: int
) -> list[StoredSnapshot]:
    """At most `limit` balance snapshots behind the key `after`, oldest first; `until` is exclusive."""
    where: list[Condition] = []
    if since is not None:
        where.append(("taken_at", "gte", since))
    if until is not None:
        where.append(("taken_at", "lt", until))
    if after is not None:
        where.append(("taken_at", "gt", after))
    rows = store.select("balance_snapshots", _SNAPSHOT_COLUMNS, where=where, order=("taken_at",), limit=limit)
    return [StoredSnapshot(parse_row("balance_snapshots", _snapshot, row), str(row["taken_at"])) for row in rows]


def snapshot_span(store: Store, *, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime] | None:
    """The times of the oldest and the newest snapshot in this span; None where there is none."""
    where: list[Condition] = []
    if since is not None:
        where.append(("taken_at", "gte", since))
    if until is not None:
        where.append(("taken_at", "lt", until))
    ends = [
        store.select("balance_snapshots", "taken_at", where=where, order=(order,), limit=1)
        for order in ("taken_at", "taken_at.desc")
    ]
    if not all(ends):
        return None
    oldest, newest = (datetime.fromisoformat(str(rows[0]["taken_at"])) for rows in ends)
    return oldest, newest


def newest_snapshot_before(store: Store, at: datetime) -> BalanceSnapshot | None:
    """The last snapshot that was taken before `at`."""
    rows = store.select(
        "balance_snapshots", _SNAPSHOT_COLUMNS, where=[("taken_at", "lt", at)], order=("taken_at.desc",), limit=1
    )
    return parse_row("balance_snapshots", _snapshot, rows[0]) if rows else None


def _snapshot(row: Mapping[str, Any]) -> BalanceSnapshot:
    return BalanceSnapshot(
        taken_at=datetime.fromisoformat(row["taken_at"]),
        cash=Decimal(row["cash"]),
        portfolio_value=Decimal(row["portfolio_value"]),
        equity=Decimal(row["equity"]),
        source=row["source"],
    )


def newest_bot_status(store: Store) -> dict[str, Any] | None:
    """The data of the `bot_status` entry that the projection wrote last; None where there is none."""
    order = ("published_at.desc", "epoch.desc", "seq.desc")
    rows = store.select("feed_events", "data", where=[("kind", "eq", EntryKind.BOT_STATUS.value)], order=order, limit=1)
    data = rows[0]["data"] if rows else None
    return data if isinstance(data, dict) else None


def has_balance_since(store: Store, at: int) -> bool:
    """Whether a balance snapshot exists that was taken at `at` (unix seconds) or later."""
    return bool(store.select("balance_snapshots", "taken_at", where=[("taken_at", "gte", utc_from(at))], limit=1))


def insert_balance(store: Store, at: int, balance: Balance, *, source: str) -> int:
    """Write one balance snapshot for the moment `at` (unix seconds). Returns 0 where one exists already."""
    row = {
        "taken_at": utc_from(at),
        "cash": balance.cash,
        "portfolio_value": balance.portfolio_value,
        "source": source,
    }
    return store.insert("balance_snapshots", [row], ignore_duplicates_on="account,taken_at")


def insert_market_snapshots(store: Store, at: int, markets: Sequence[Market]) -> int:
    """Write one row per market for the moment `at` (unix seconds). Rows that exist are left as they are."""
    rows = [
        {
            "ticker": market.ticker,
            "taken_at": utc_from(at),
            "status": market.status,
            "yes_bid": market.yes_bid,
            "yes_ask": market.yes_ask,
            "last_price": market.last_price,
            "volume": market.volume,
            "open_interest": market.open_interest,
        }
        for market in markets
    ]
    return store.insert("market_snapshots", rows, ignore_duplicates_on="ticker,taken_at")


def upsert_settlements(store: Store, settlements: Sequence[Settlement]) -> int:
    """Write the newest version of each market's settlement; `settlements` come newest first."""
    newest = {settlement.ticker: settlement for settlement in reversed(settlements)}
    rows = [settlement_row(settlement) for settlement in newest.values()]
    return store.upsert("settlements", rows, on_conflict="account,ticker")


def settlement_row(settlement: Settlement) -> dict[str, Any]:
    """The columns that `settlements` and `account_settlements` share."""
    return {
        "ticker": settlement.ticker,
        "event_ticker": settlement.event_ticker,
        "result": settlement.result,
        "yes_count": settlement.yes_count,
        "yes_cost": settlement.yes_cost,
        "no_count": settlement.no_count,
        "no_cost": settlement.no_cost,
        "revenue": settlement.revenue,
        "value": settlement.value,
        "fee": settlement.fee,
        "settled_at": settlement.settled_at,
    }


def select_settlements(
    store: Store,
    *,
    ticker: str | None,
    since: datetime | None,
    until: datetime | None,
    at: str | None,
    behind: str | None,
    inclusive: bool,
    limit: int,
) -> list[StoredSettlement]:
    """At most `limit` settlements, newest first, of one moment by ticker; `until` is exclusive.

    `at` (RFC 3339) leaves out what is newer. At that moment itself come the tickers after `behind`, all of them with
    `inclusive`, none without either.
    """
    filters: list[Condition] = []
    if ticker is not None:
        filters.append(("ticker", "eq", ticker))
    if since is not None:
        filters.append(("settled_at", "gte", since))
    if until is not None:
        filters.append(("settled_at", "lt", until))
    if at is None:
        return _settlements(store, filters, limit)
    if inclusive:
        return _settlements(store, [*filters, ("settled_at", "lte", at)], limit)
    same: list[StoredSettlement] = []
    if behind is not None:
        same = _settlements(store, [*filters, ("settled_at", "eq", at), ("ticker", "gt", behind)], limit)
    if len(same) == limit:
        return same
    return same + _settlements(store, [*filters, ("settled_at", "lt", at)], limit - len(same))


def _settlements(store: Store, where: Sequence[Condition], limit: int) -> list[StoredSettlement]:
    order = ("settled_at.desc", "ticker")
    rows = store.select("settlements", SETTLEMENT_COLUMNS, where=where, order=order, limit=limit)
    return [StoredSettlement(parse_row("settlements", settlement_from, row), str(row["settled_at"])) for row in rows]


def settlement_from(row: Mapping[str, Any]) -> Settlement:
    """A row of `settlements` or `account_settlements`, with its numbers as texts."""
    return Settlement(
        ticker=row["ticker"],
        event_ticker=row["event_ticker"],
        result=row["result"],
        yes_count=Decimal(row["yes_count"]),
        yes_cost=Decimal(row["yes_cost"]),
        no_count=Decimal(row["no_count"]),
        no_cost=Decimal(row["no_cost"]),
        revenue=Decimal(row["revenue"]),
        value=optional_decimal(row["value"]),
        fee=Decimal(row["fee"]),
        settled_at=datetime.fromisoformat(row["settled_at"]),
    )


def prune_history(store: Store, at: float, *, limit: int) -> dict[str, int]:
    """Delete rows that are older than the retention in the migrations allows, at most `limit` per table.

    `at` is now, in unix seconds. Returns the number of deleted rows by table.
    """
    deleted = store.rpc("prune_history", {"p_now": utc_from(at), "p_limit": limit})
    if not isinstance(deleted, dict) or not all(isinstance(count, int) for count in deleted.values()):
        raise SourceMalformed(
            POSTGRES, f"prune_history: expected counts by table, got {str(deleted)[:80]}", field="prune_history"
        )
    return deleted


def trades_from_feed(entries: Sequence[Entry]) -> tuple[Trade, ...]:
    """The trades among the log's entries, newest first. A correction replaces the newest trade with its id.

    The bot's own reports have the log's order and time, because the bot's clock may be wrong. Fills of the exchange,
    which may have been published late, come in between by the exchange's time.
    """
    trades: list[tuple[float, Trade]] = []
    for entry in entries:
        if entry.kind not in {EntryKind.TRADE, EntryKind.TRADE_CORRECTED}:
            continue
        trade = _feed_trade(entry)
        at = entry.id.ms / 1000 if trade.source is TradeSource.BOT_LIVE else trade.timestamp
        earlier = [index for index, (_, other) in enumerate(trades) if other.trade_id == trade.trade_id]
        if entry.kind is EntryKind.TRADE_CORRECTED and earlier:
            trades[earlier[-1]] = trades[earlier[-1]][0], trade
        else:
            trades.append((at, trade))
    return tuple(trade for _, trade in sorted(trades, key=lambda row: row[0])[::-1])


def _feed_trade(entry: Entry) -> Trade:
    data = entry.data
    try:
        return Trade(
            trade_id=str(data["trade_id"]),
            ticker=str(data["ticker"]),
            side=Side(data["side"]),
            outcome=None if data.get("outcome") is None else Outcome(data["outcome"]),
            quantity=decimal_from(data.get("quantity_contracts", data["quantity"]), field="quantity"),
            price=decimal_from(data.get("price_dollars", data["price"]), field="price"),
            timestamp=float(data["timestamp"]),
            fee=None if data.get("fee") is None else decimal_from(data["fee"], field="fee"),
            order_id=data.get("order_id"),
            source=TradeSource(data.get("source", TradeSource.BOT_LIVE)),
            backfilled=bool(data.get("backfilled", False)),
            clock_ahead_seconds=data.get("clock_ahead_seconds"),
            strategy=data.get("strategy"),
        )
    except (KeyError, ValueError, TypeError, InvalidInput) as error:
        raise LogError(f"feed entry {entry.id} is not a trade: {type(error).__name__}: {error}") from error
