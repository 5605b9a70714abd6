"""Which fills stand in for missing trades, and when they must not."""

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
"""Unix seconds when the hole begins; it lasts a minute."""
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
    return tuple(replace(fill(one, T + 61).as_trade(), source=TradeSource.BOT_LIVE) for one in ids)


def test_the_missing_trades_are_recovered_oldest_first_and_marked() -> None:
    found = recover(GAP, (OLD, *INSIDE), known=KNOWN, listed=(), now_ms=NOW)

    assert [trade.trade_id for trade in found.trades] == ["a", "b", "c"]
    assert all(trade.backfilled and trade.source is TradeSource.KALSHI for trade in found.trades)
    assert (found.gap.lost, found.gap.backfilled, found.final) == (0, 3, True)


def test_what_remains_missing_is_counted_exactly() -> None:
    found = recover(GAP, (OLD, INSIDE[0]), known=KNOWN, listed=(), now_ms=NOW)

    assert (found.gap.lost, found.gap.backfilled, found.final) == (2, 1, True)


def test_nothing_is_guessed_where_ids_do_not_join() -> None:
    """A bot on paper, or with ids of its own: its trades are not the account's fills."""
    found = recover(GAP, INSIDE, known=KNOWN, listed=listed("x", "y"), now_ms=NOW)

    assert (found.trades, found.gap, found.final) == ((), GAP, True)


def test_a_trade_of_the_current_list_proves_that_ids_join_and_is_not_missing() -> None:
    found = recover(GAP, (fill("x", T + 61), *INSIDE), known=KNOWN, listed=listed("x"), now_ms=NOW)

    assert [trade.trade_id for trade in found.trades] == ["a", "b", "c"]


def test_a_young_answer_is_not_taken_for_complete() -> None:
    """The exchange shows fills late."""
    found = recover(GAP, (OLD, INSIDE[0]), known=KNOWN, listed=(), now_ms=NOW - 1)

    assert (found.gap.lost, found.final) == (2, False)


def test_a_hole_of_unknown_size_is_closed_by_a_complete_answer_only() -> None:
    unsure = replace(GAP, lost=None, at_least=0)

    assert recover(unsure, (OLD, *INSIDE), known=KNOWN, listed=(), now_ms=NOW).gap.lost == 0
    assert recover(unsure, (OLD, *INSIDE), known=KNOWN, listed=(), now_ms=NOW - 1).gap.lost is None


def test_a_complete_answer_with_fewer_fills_than_certain_leaves_the_size_unknown() -> None:
    found = recover(replace(GAP, lost=None, at_least=5), (OLD, *INSIDE), known=KNOWN, listed=(), now_ms=NOW)

    assert (found.gap.lost, found.gap.at_least) == (None, 2)


def test_a_second_answer_adds_to_the_first() -> None:
    first = recover(GAP, (OLD, INSIDE[0]), known=KNOWN, listed=(), now_ms=NOW - 1)
    known = KNOWN | {trade.trade_id: KnownTrade("", trade.timestamp) for trade in first.trades}
    second = recover(first.gap, (OLD, *INSIDE), known=known, listed=(), now_ms=NOW)

    assert [trade.trade_id for trade in second.trades] == ["a", "c"]
    assert (second.gap.lost, second.gap.backfilled) == (0, 3)


def test_more_fills_than_lost_trades_leave_nothing_missing() -> None:
    found = recover(replace(GAP, lost=1), (OLD, *INSIDE), known=KNOWN, listed=(), now_ms=NOW)

    assert found.gap.lost == 0


def test_fills_of_another_time_are_left_alone() -> None:
    fills = (OLD, fill("before", T - 31), fill("overlap", T - 29), fill("slack", T + 64), fill("after", T + 66))
    found = recover(GAP, fills, known=KNOWN, listed=(), now_ms=NOW)

    assert [trade.trade_id for trade in found.trades] == ["overlap", "slack"]


def test_a_fill_older_than_a_trade_the_bot_told_is_not_the_bots() -> None:
    """The account may be traded by hand as well."""
    fills = (OLD, fill("by hand", T - 20), fill("late", T - 5))
    found = recover(replace(GAP, newest_reported_ms=(T - 10) * 1000), fills, known=KNOWN, listed=(), now_ms=NOW)

    assert [trade.trade_id for trade in found.trades] == ["late"]


def test_fills_at_one_instant_have_one_order() -> None:
    fills = (fill("b", T + 1), fill("a", T + 1))
    once, again = (
        unknown_fills(given, known={}, from_ms=0, to_ms=NOW, backfilled=False) for given in (fills, fills[::-1])
    )

    assert once == again


def test_a_sale_reads_as_a_sale() -> None:
    sold = replace(fill("s", T + 1), sold=True, outcome=Outcome.NO, book_side=BookSide.ASK)
    (trade,) = unknown_fills((sold,), known={}, from_ms=0, to_ms=NOW, backfilled=True)

    assert (trade.side, trade.outcome, trade.price) == (Side.SELL, Outcome.YES, Decimal("0.40"))


def test_a_trade_learnt_from_the_exchange_proves_that_ids_join() -> None:
    assert ids_match((fill("late", T),), {"late": KnownTrade("", T)})
    assert not ids_match((), KNOWN)


def test_fills_are_asked_for_from_before_the_hole_and_back_to_a_known_trade() -> None:
    start = T * 1000

    assert fills_since_seconds(start, {}) == T - 30
    assert fills_since_seconds(start, {"a": KnownTrade("d", T - 3.0)}) == T - 30
    assert fills_since_seconds(start, {"a": KnownTrade("d", T - 500.0), "b": KnownTrade("", T - 50.0)}) == T - 501
    assert fills_since_seconds(start, {"a": KnownTrade("d", T - ID_MATCH_WINDOW_MS / 1000 - 1)}) == T - 30
    assert fills_since_seconds(1000, {}) == 0
