"""Which fills replace missing trades, and when none may."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from coliseum.polling.backfill import (
    FILL_DELAY_MS,
    FillWindow,
    Recovery,
    earlier_since,
    ids_match,
    recent_since,
    recover,
    unknown_fills,
    window_while_offline,
)
from coliseum.polling.checkpoint import KnownTrade, SourceGap
from coliseum.trading.trades import BookSide, Fill, Outcome, Side, Trade, TradeSource

T = 1_700_000_000
"""Unix seconds when the gap begins. It lasts a minute."""
GAP = SourceGap(
    reason="overflow",
    key="k",
    from_ms=T * 1000,
    to_ms=(T + 60) * 1000,
    lost=3,
    at_least=3,
    before_ids=("old",),
    after_ids=("x",),
)
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


def recovered(
    gap: SourceGap, fills: tuple[Fill, ...], *, trades: tuple[Trade, ...] = (), now_ms: int = NOW
) -> Recovery:
    match = ids_match(fills, {*KNOWN, *(trade.trade_id for trade in trades)})
    return recover(gap, fills, ids_match=match, known=KNOWN, listed=trades, now_ms=now_ms)


WHOLE = FillWindow(from_ms=0, to_ms=NOW)


def test_missing_trades_are_recovered_oldest_first_and_marked_as_backfilled() -> None:
    recovery = recovered(GAP, (OLD, *INSIDE))

    assert [trade.trade_id for trade in recovery.trades] == ["a", "b", "c"]
    assert all(trade.backfilled and trade.source is TradeSource.KALSHI for trade in recovery.trades)
    assert (recovery.gap.lost, recovery.gap.backfilled, recovery.final) == (0, 3, True)


def test_trades_that_remain_missing_are_counted_exactly() -> None:
    recovery = recovered(GAP, (OLD, INSIDE[0]))

    assert (recovery.gap.lost, recovery.gap.backfilled, recovery.final) == (2, 1, True)


def test_nothing_is_recovered_where_ids_do_not_match() -> None:
    """A bot on paper, or with ids of its own: its trades are not the account's fills."""
    recovery = recovered(GAP, INSIDE, trades=listed("x", "y"))

    assert (recovery.trades, recovery.gap, recovery.final) == ((), GAP, True)


def test_a_trade_of_the_current_list_proves_that_ids_match_and_is_not_missing() -> None:
    recovery = recovered(GAP, (fill("x", T + 61), *INSIDE), trades=listed("x"))

    assert [trade.trade_id for trade in recovery.trades] == ["a", "b", "c"]


def test_an_answer_soon_after_the_gap_is_not_final() -> None:
    """The exchange shows fills late."""
    recovery = recovered(GAP, (OLD, INSIDE[0]), now_ms=NOW - 1)

    assert (recovery.gap.lost, recovery.final) == (2, False)


def test_a_gap_of_unknown_size_is_closed_only_by_a_complete_answer() -> None:
    unknown_size = replace(GAP, lost=None, at_least=0)

    assert recovered(unknown_size, (OLD, *INSIDE)).gap.lost == 0
    assert recovered(unknown_size, (OLD, *INSIDE), now_ms=NOW - 1).gap.lost is None


def test_a_complete_answer_with_fewer_fills_than_certain_leaves_the_size_unknown() -> None:
    recovery = recovered(replace(GAP, lost=None, at_least=5), (OLD, *INSIDE))

    assert (recovery.gap.lost, recovery.gap.at_least) == (None, 2)


def test_a_second_answer_adds_to_the_first() -> None:
    first = recovered(GAP, (OLD, INSIDE[0]), now_ms=NOW - 1)
    known = KNOWN | {trade.trade_id: KnownTrade("", trade.timestamp) for trade in first.trades}
    second = recover(first.gap, (OLD, *INSIDE), ids_match=True, known=known, listed=(), now_ms=NOW)

    assert [trade.trade_id for trade in second.trades] == ["a", "c"]
    assert (second.gap.lost, second.gap.backfilled) == (0, 3)


def test_more_fills_than_lost_trades_leave_nothing_missing() -> None:
    recovery = recovered(replace(GAP, lost=1), (OLD, *INSIDE))

    assert recovery.gap.lost == 0


def test_fills_outside_the_gap_are_ignored() -> None:
    fills = (OLD, fill("before", T - 31), fill("overlap", T - 9), fill("slack", T + 74), fill("after", T + 76))
    recovery = recovered(GAP, fills)

    assert [trade.trade_id for trade in recovery.trades] == ["overlap", "slack"]


def test_a_fill_older_than_a_reported_trade_is_not_the_bots() -> None:
    """The account may be traded by hand as well."""
    fills = (OLD, fill("by hand", T - 20), fill("late", T - 5))
    recovery = recovered(GAP, fills)

    assert [trade.trade_id for trade in recovery.trades] == ["late"]


def test_fills_of_the_same_time_have_a_fixed_order() -> None:
    fills = (fill("b", T + 1), fill("a", T + 1))
    once, again = (unknown_fills(order, known={}, window=WHOLE, backfilled=False) for order in (fills, fills[::-1]))

    assert once == again


def test_a_sold_fill_becomes_a_sell_trade() -> None:
    sold = replace(fill("s", T + 1), sold=True, outcome=Outcome.NO, book_side=BookSide.ASK)
    (trade,) = unknown_fills((sold,), known={}, window=WHOLE, backfilled=True)

    assert (trade.side, trade.outcome, trade.price) == (Side.SELL, Outcome.YES, Decimal("0.40"))


def test_a_trade_known_from_the_exchange_proves_that_ids_match() -> None:
    assert ids_match((fill("late", T),), {"late": KnownTrade("", T)}.keys())
    assert not ids_match((), KNOWN.keys())


def test_fills_are_requested_from_before_the_gap_and_from_a_day_before_it() -> None:
    assert recent_since(T * 1000) == T - 30
    assert earlier_since(T * 1000) == T - 86_400
    assert (recent_since(1000), earlier_since(1000)) == (0, 0)


@pytest.mark.parametrize("hours", [-24, 5, 8760])
def test_the_bots_clock_moves_no_search_window(hours: int) -> None:
    """Trades of the bot are found in the fills by their ids; only the fills' times count."""
    wrong = {"old": KnownTrade("digest", T - 10 + hours * 3600.0)}
    late = replace(listed("x")[0], timestamp=T + 61 + hours * 3600.0)
    fills = (fill("by hand", T - 20), OLD, *INSIDE, fill("x", T + 40), fill("after", T + 46))
    recovery = recover(GAP, fills, ids_match=True, known=wrong, listed=(late,), now_ms=NOW)

    assert [trade.trade_id for trade in recovery.trades] == ["a", "b", "c"]
    assert (recovery.gap.lost, recovery.final) == (0, True)


def test_fills_behind_the_oldest_listed_trade_are_not_missing() -> None:
    fills = (OLD, INSIDE[1], fill("x", T + 12), fill("next", T + 18))
    recovery = recovered(GAP, fills, trades=listed("x"))

    assert [trade.trade_id for trade in recovery.trades] == ["a"]
    assert recovery.gap.lost == 2


def test_nothing_is_said_to_be_found_in_an_empty_window() -> None:
    """Our own clock went back between two polls, so nobody knows for how long the bot was not seen."""
    empty = replace(GAP, lost=None, at_least=0, from_ms=GAP.to_ms)
    recovery = recovered(empty, (OLD,))

    assert (recovery.trades, recovery.gap.lost, recovery.final) == ((), None, True)


def test_enough_fills_for_the_bots_count_are_searched_again_after_the_delay() -> None:
    """One of them may be of another owner of the account, and a missing one may still come."""
    recovery = recovered(GAP, (OLD, *INSIDE), now_ms=NOW - 1)

    assert (recovery.gap.lost, recovery.final) == (0, False)


def test_a_bot_that_is_offline_has_the_fills_since_it_answered_and_since_its_newest_trade() -> None:
    window = window_while_offline(KNOWN, (OLD,), answered_ms=T * 1000, now_ms=NOW)

    assert (window.from_ms, window.to_ms) == ((T - 10) * 1000, NOW + 15_000)
    assert window_while_offline({}, (OLD,), answered_ms=T * 1000, now_ms=NOW).from_ms == (T - 30) * 1000
