"""Which fills replace missing trades, and when none may."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from coliseum.polling.backfill import (
    FILL_DELAY_MS,
    ID_MATCH_WINDOW_MS,
    fills_since_seconds,
    ids_match,
    recover,
    unknown_fills,
)
from coliseum.polling.checkpoint import KnownTrade, SourceGap
from coliseum.trading.trades import BookSide, Fill, Outcome, Side, Trade, TradeSource

T = 1_700_000_000
"""Unix seconds when the gap begins. It lasts a minute."""
GAP = SourceGap(reason="overflow", key="k", from_ms=T * 1000, to_ms=(T + 60) * 1000, lost=3, at_least=3)
NOW = (T + 60) * 1000 + FILL_DELAY_MS
KNOWN = {"old": KnownTrade("digest", T - 10.0)}


def fill(fill_id: str, at: float) -> Fill:
    return Fill(
        fill_id=fill_id,
        order_id="o",
        ticker="ALPHA",
        book_side=BookSide.BID,
        outcome=Outcome.YES,
        sold=False,
        count=Decimal(2),
        yes_price=Decimal("0.40"),
        no_price=Decimal("0.60"),
        fee=Decimal("0.01"),
        is_taker=True,
        timestamp=at,
    )


OLD = fill("old", T - 10)
INSIDE = (fill("b", T + 20), fill("a", T + 10), fill("c", T + 30))


def listed(*ids: str) -> tuple[Trade, ...]:
    return tuple(replace(fill(trade_id, T + 61).as_trade(), source=TradeSource.BOT_LIVE) for trade_id in ids)


def test_missing_trades_are_recovered_oldest_first_and_marked_as_backfilled() -> None:
    recovery = recover(GAP, (OLD, *INSIDE), known=KNOWN, listed=(), now_ms=NOW)

    assert [trade.trade_id for trade in recovery.trades] == ["a", "b", "c"]
    assert all(trade.backfilled and trade.source is TradeSource.KALSHI for trade in recovery.trades)
    assert (recovery.gap.lost, recovery.gap.backfilled, recovery.final) == (0, 3, True)


def test_trades_that_remain_missing_are_counted_exactly() -> None:
    recovery = recover(GAP, (OLD, INSIDE[0]), known=KNOWN, listed=(), now_ms=NOW)

    assert (recovery.gap.lost, recovery.gap.backfilled, recovery.final) == (2, 1, True)


def test_nothing_is_recovered_where_ids_do_not_match() -> None:
    """A bot on paper, or with ids of its own: its trades are not the account's fills."""
    recovery = recover(GAP, INSIDE, known=KNOWN, listed=listed("x", "y"), now_ms=NOW)

    assert (recovery.trades, recovery.gap, recovery.final) == ((), GAP, True)


def test_a_trade_of_the_current_list_proves_that_ids_match_and_is_not_missing() -> None:
    recovery = recover(GAP, (fill("x", T + 61), *INSIDE), known=KNOWN, listed=listed("x"), now_ms=NOW)

    assert [trade.trade_id for trade in recovery.trades] == ["a", "b", "c"]


def test_an_answer_soon_after_the_gap_is_not_final() -> None:
    """The exchange shows fills late."""
    recovery = recover(GAP, (OLD, INSIDE[0]), known=KNOWN, listed=(), now_ms=NOW - 1)

    assert (recovery.gap.lost, recovery.final) == (2, False)


def test_a_gap_of_unknown_size_is_closed_only_by_a_complete_answer() -> None:
    unknown_size = replace(GAP, lost=None, at_least=0)

    assert recover(unknown_size, (OLD, *INSIDE), known=KNOWN, listed=(), now_ms=NOW).gap.lost == 0
    assert recover(unknown_size, (OLD, *INSIDE), known=KNOWN, listed=(), now_ms=NOW - 1).gap.lost is None


def test_a_complete_answer_with_fewer_fills_than_certain_leaves_the_size_unknown() -> None:
    recovery = recover(replace(GAP, lost=None, at_least=5), (OLD, *INSIDE), known=KNOWN, listed=(), now_ms=NOW)

    assert (recovery.gap.lost, recovery.gap.at_least) == (None, 2)


def test_a_second_answer_adds_to_the_first() -> None:
    first = recover(GAP, (OLD, INSIDE[0]), known=KNOWN, listed=(), now_ms=NOW - 1)
    known = KNOWN | {trade.trade_id: KnownTrade("", trade.timestamp) for trade in first.trades}
    second = recover(first.gap, (OLD, *INSIDE), known=known, listed=(), now_ms=NOW)

    assert [trade.trade_id for trade in second.trades] == ["a", "c"]
    assert (second.gap.lost, second.gap.backfilled) == (0, 3)


def test_more_fills_than_lost_trades_leave_nothing_missing() -> None:
    recovery = recover(replace(GAP, lost=1), (OLD, *INSIDE), known=KNOWN, listed=(), now_ms=NOW)

    assert recovery.gap.lost == 0


def test_fills_outside_the_gap_are_ignored() -> None:
    fills = (OLD, fill("before", T - 31), fill("overlap", T - 29), fill("slack", T + 64), fill("after", T + 66))
    recovery = recover(GAP, fills, known=KNOWN, listed=(), now_ms=NOW)

    assert [trade.trade_id for trade in recovery.trades] == ["overlap", "slack"]


def test_a_fill_older_than_a_reported_trade_is_not_the_bots() -> None:
    """The account may be traded by hand as well."""
    fills = (OLD, fill("by hand", T - 20), fill("late", T - 5))
    recovery = recover(replace(GAP, newest_reported_ms=(T - 10) * 1000), fills, known=KNOWN, listed=(), now_ms=NOW)

    assert [trade.trade_id for trade in recovery.trades] == ["late"]


def test_fills_of_the_same_time_have_a_fixed_order() -> None:
    fills = (fill("b", T + 1), fill("a", T + 1))
    once, again = (
        unknown_fills(order, known={}, from_ms=0, to_ms=NOW, backfilled=False) for order in (fills, fills[::-1])
    )

    assert once == again


def test_a_sold_fill_becomes_a_sell_trade() -> None:
    sold = replace(fill("s", T + 1), sold=True, outcome=Outcome.NO, book_side=BookSide.ASK)
    (trade,) = unknown_fills((sold,), known={}, from_ms=0, to_ms=NOW, backfilled=True)

    assert (trade.side, trade.outcome, trade.price) == (Side.SELL, Outcome.YES, Decimal("0.40"))


def test_a_trade_known_from_the_exchange_proves_that_ids_match() -> None:
    assert ids_match((fill("late", T),), {"late": KnownTrade("", T)})
    assert not ids_match((), KNOWN)


def test_fills_are_requested_from_before_the_gap_back_to_a_known_trade() -> None:
    start = T * 1000

    assert fills_since_seconds(start, {}) == T - 30
    assert fills_since_seconds(start, {"a": KnownTrade("d", T - 3.0)}) == T - 30
    assert fills_since_seconds(start, {"a": KnownTrade("d", T - 500.0), "b": KnownTrade("", T - 50.0)}) == T - 501
    assert fills_since_seconds(start, {"a": KnownTrade("d", T - ID_MATCH_WINDOW_MS / 1000 - 1)}) == T - 30
    assert fills_since_seconds(1000, {}) == 0
