"""The bot's trades held against the account's fills: which have no fill, which fill no trade, what differs. Pure.

A trade and a fill belong together where they have the same id. What is left then is matched by `order_id`: a bot with
ids of its own may report one trade for an order that was filled in several parts, so the sums of both are compared.
Times decide nothing, because the bot's clock may be wrong. They only say what is too young to be judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeVar

from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import BookSide, Fill, Outcome, Side, Trade

SETTLING_SECONDS = 60.0
"""A trade or fill that is younger may still miss its counterpart: the exchange's lists and the bot's may lag."""
PRICE_TOLERANCE = Decimal("0.0001")
"""Dollars per contract. The average of several fills may not be a round price."""
Field = Literal["ticker", "side", "quantity", "price"]


@dataclass(frozen=True, slots=True)
class ReportedTrade:
    """A trade of the bot, with our time of its first report in unix seconds."""

    trade: Trade
    seen_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeDifference:
    """Trades and fills of one execution or order that differ. `field` is ticker, side, quantity or price."""

    field: Field
    trades: tuple[Trade, ...]
    fills: tuple[Fill, ...]
    bot: str
    """The bot's value; sizes in contracts, prices in dollars per YES contract where the bot names the outcome."""
    exchange: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BotComparison:
    """What does not agree. Trades and fills that are too young are in none of the lists."""

    unconfirmed: tuple[ReportedTrade, ...]
    """Trades without a fill."""
    unreported: tuple[Fill, ...]
    """Fills without a trade."""
    different: tuple[TradeDifference, ...]
    matched: int
    """Trades that have their fill, whether or not it differs."""


def confirmed_ids(trades: Iterable[Trade], fills: Iterable[Fill]) -> set[str]:
    """The ids of the trades that have a fill, by its id or its order's."""
    fills = tuple(fills)
    fill_ids, order_ids = {fill.fill_id for fill in fills}, {fill.order_id for fill in fills}
    return {
        trade.trade_id
        for trade in trades
        if trade.trade_id in fill_ids or (trade.order_id is not None and trade.order_id in order_ids)
    }


def compare_bot(
    reported: Iterable[ReportedTrade],
    fills: Iterable[Fill],
    *,
    now: float,
    report_seconds: float = SETTLING_SECONDS,
) -> BotComparison:
    """Trades and fills of the same time, each once. `now` in unix seconds. Lists are newest first.

    A fill counts as unreported once it is `report_seconds` old: trades need some time until they are stored.
    """
    pairs, trades_left, fills_left = _paired(reported, fills)
    unconfirmed = [row for row in trades_left if now - row.seen_at >= SETTLING_SECONDS]
    unreported = [fill for fill in fills_left if now - fill.timestamp >= max(SETTLING_SECONDS, report_seconds)]
    differences = [_difference(rows, group) for rows, group in pairs if _is_settled(rows, group, now)]
    different = [difference for difference in differences if difference is not None]
    return BotComparison(
        unconfirmed=tuple(sorted(unconfirmed, key=lambda row: (row.seen_at, row.trade.trade_id), reverse=True)),
        unreported=tuple(sorted(unreported, key=_fill_order, reverse=True)),
        different=tuple(sorted(different, key=lambda difference: _fill_order(difference.fills[0]), reverse=True)),
        matched=sum(len(rows) for rows, _ in pairs),
    )


Pair = tuple[list[ReportedTrade], list[Fill]]


def _paired(
    reported: Iterable[ReportedTrade], fills: Iterable[Fill]
) -> tuple[list[Pair], list[ReportedTrade], list[Fill]]:
    """What belongs together, the trades that are left, and the fills that are left."""
    fills_by_id = {fill.fill_id: fill for fill in fills}
    pairs: list[Pair] = []
    trades: list[ReportedTrade] = []
    for row in reported:
        fill = fills_by_id.pop(row.trade.trade_id, None)
        if fill is None:
            trades.append(row)
        else:
            pairs.append(([row], [fill]))
    trades_by_order = _grouped((row.trade.order_id, row) for row in trades if row.trade.order_id is not None)
    fills_by_order = _grouped((fill.order_id, fill) for fill in fills_by_id.values())
    shared = trades_by_order.keys() & fills_by_order.keys()
    pairs += [(trades_by_order[order_id], fills_by_order[order_id]) for order_id in sorted(shared)]
    return (
        pairs,
        [row for row in trades if row.trade.order_id not in shared],
        [fill for fill in fills_by_id.values() if fill.order_id not in shared],
    )


def _fill_order(fill: Fill) -> tuple[float, str]:
    return fill.timestamp, fill.fill_id


Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")


def _grouped(rows: Iterable[tuple[Key, Row]]) -> dict[Key, list[Row]]:
    groups: defaultdict[Key, list[Row]] = defaultdict(list)
    for key, row in rows:
        groups[key].append(row)
    return dict(groups)


def _is_settled(rows: Sequence[ReportedTrade], fills: Sequence[Fill], now: float) -> bool:
    """Whether no part of the pair is so young that more of it may follow."""
    return all(now - row.seen_at >= SETTLING_SECONDS for row in rows) and all(
        now - fill.timestamp >= SETTLING_SECONDS for fill in fills
    )


def _difference(rows: Sequence[ReportedTrade], fills: Sequence[Fill]) -> TradeDifference | None:
    """The first thing that differs; None where trades and fills agree."""
    trades = tuple(row.trade for row in rows)
    for field, bot, exchange in (_tickers(trades, fills), _sides(trades, fills), *_sums(trades, fills)):
        if bot != exchange:
            return TradeDifference(field=field, trades=trades, fills=tuple(fills), bot=bot, exchange=exchange)
    return None


def _tickers(trades: Sequence[Trade], fills: Sequence[Fill]) -> tuple[Field, str, str]:
    return (
        "ticker",
        ",".join(sorted({trade.ticker for trade in trades})),
        ",".join(sorted({fill.ticker for fill in fills})),
    )


def _sides(trades: Sequence[Trade], fills: Sequence[Fill]) -> tuple[Field, str, str]:
    """Towards which outcome. A purchase of NO and a sale of YES are the same."""
    directions = {_direction(trade) for trade in trades if trade.outcome is not None}
    theirs = {"longer yes" if fill.book_side is BookSide.BID else "longer no" for fill in fills}
    exchange = ", ".join(sorted(theirs))
    return "side", ", ".join(sorted(directions)) or exchange, exchange  # a bot that names no outcome contradicts none


def _direction(trade: Trade) -> str:
    is_yes = (trade.side is Side.BUY) == (trade.outcome is Outcome.YES)
    return "longer yes" if is_yes else "longer no"


def _sums(trades: Sequence[Trade], fills: Sequence[Fill]) -> tuple[tuple[Field, str, str], ...]:
    ours, theirs = sum((trade.quantity for trade in trades), ZERO), sum((fill.count for fill in fills), ZERO)
    quantity: tuple[Field, str, str] = ("quantity", f"{ours:.2f}", f"{theirs:.2f}")
    if not ours or not theirs:
        return (quantity,)
    yes = sum((fill.yes_price * fill.count for fill in fills), ZERO) / theirs
    paid = sum((_yes_price(trade, yes=yes) * trade.quantity for trade in trades), ZERO) / ours
    if abs(paid - yes) < PRICE_TOLERANCE:
        return (quantity,)
    return quantity, ("price", f"{paid:.4f}", f"{yes:.4f}")


def _yes_price(trade: Trade, *, yes: Decimal) -> Decimal:
    """The price of the YES contract. Of a trade without an outcome the reading that is nearer to `yes`."""
    if trade.outcome is Outcome.YES:
        return trade.price
    if trade.outcome is Outcome.NO:
        return ONE - trade.price
    return min(trade.price, ONE - trade.price, key=lambda price: abs(price - yes))
