"""Rows of profit: open positions in their groups, and what a doubt does to the numbers."""

from __future__ import annotations

from decimal import Decimal

from tests.unit.portfolio.test_ledger import fill, ledger_of
from tests.unit.portfolio.test_positions import row

from coliseum.portfolio.account_state import Bids
from coliseum.portfolio.pnl import Gains, by_market, group_gains
from coliseum.portfolio.pnl_rows import Doubts, OpenPositions, PnlRow, pnl_rows, pnl_totals
from coliseum.portfolio.positions import PortfolioPosition, positions_from
from coliseum.trading.money import ZERO
from coliseum.trading.trades import BookSide

BIDS = {"KXA-1": Bids(ticker="KXA-1", yes=Decimal("0.50"), no=None)}
NO_DOUBTS = Doubts(by_ticker={})


def gains() -> dict[str, Gains]:
    """10 YES of KXA-1 for 0.40 each with 0.10 fees, and KXB-1 bought and sold with a profit of 1."""
    ledger = ledger_of(
        [
            fill(1, BookSide.BID, "10", "0.40", fee="0.10"),
            fill(2, BookSide.BID, "10", "0.40", ticker="KXB-1"),
            fill(3, BookSide.ASK, "10", "0.50", ticker="KXB-1"),
        ]
    )
    return group_gains(ledger.bookings, by_market)


def held(bids: dict[str, Bids] = BIDS) -> OpenPositions:
    def ticker_of(position: PortfolioPosition) -> str:
        return position.ticker

    return OpenPositions(positions=positions_from([row("KXA-1", "10", "4.00")], {}, bids), group=ticker_of)


def by_group(rows: list[PnlRow]) -> dict[str, PnlRow]:
    return {each.group: each for each in rows}


def test_an_open_position_counts_in_its_group_and_in_the_total() -> None:
    rows = by_group(pnl_rows(gains(), held(), NO_DOUBTS))
    total = pnl_totals(gains().values(), held(), NO_DOUBTS)
    assert (rows["KXA-1"].unrealized, rows["KXA-1"].net) == (Decimal("1.00"), Decimal("0.90"))
    assert (rows["KXB-1"].unrealized, rows["KXB-1"].net) == (ZERO, Decimal("1.00"))
    assert (total.net, total.open_cost, total.markets) == (Decimal("1.90"), Decimal("4.00"), 2)


def test_without_a_bid_a_group_has_bounds_and_the_reason() -> None:
    rows = by_group(pnl_rows(gains(), held({}), NO_DOUBTS))
    assert (rows["KXA-1"].unrealized, rows["KXA-1"].net) == (None, None)
    assert (rows["KXA-1"].unrealized_low, rows["KXA-1"].unrealized_high) == (Decimal(-4), Decimal(6))
    assert rows["KXA-1"].reasons == ("open positions without a bid: 1",)
    assert rows["KXB-1"].net == Decimal("1.00")


def test_a_doubt_about_a_market_makes_its_group_and_the_total_unknown_and_no_other() -> None:
    doubts = Doubts(by_ticker={"KXB-1": "KXB-1: its end is unknown"})
    rows = by_group(pnl_rows(gains(), held(), doubts))
    assert (rows["KXB-1"].realized, rows["KXB-1"].reasons) == (None, ("KXB-1: its end is unknown",))
    assert rows["KXA-1"].net == Decimal("0.90")
    assert pnl_totals(gains().values(), held(), doubts).closed is None


def test_a_doubt_about_a_market_outside_the_groups_makes_the_total_unknown() -> None:
    doubts = Doubts(by_ticker={"KXC-1": "an archived position without fills"})
    assert pnl_totals(gains().values(), held(), doubts).realized is None
    assert all(each.realized is not None for each in pnl_rows(gains(), held(), doubts))


def test_why_unrealised_profit_is_unknown_stands_in_every_row() -> None:
    rows = pnl_rows(gains(), OpenPositions(unknown="of no day"), NO_DOUBTS)
    assert {(each.unrealized, each.unrealized_low, each.open_cost, each.reasons) for each in rows} == {
        (None, None, None, ("of no day",))
    }


def test_a_position_without_bookings_has_a_row_of_its_own() -> None:
    rows = pnl_rows({}, held(), NO_DOUBTS)
    assert [(each.group, each.fills, each.unrealized) for each in rows] == [("KXA-1", 0, Decimal("1.00"))]
