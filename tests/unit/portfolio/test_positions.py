from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from coliseum.portfolio.account_state import Bids
from coliseum.portfolio.ledger import Holding
from coliseum.portfolio.positions import positions_from, sum_positions
from coliseum.trading.markets import ExchangePosition
from coliseum.trading.money import ZERO
from coliseum.trading.trades import Outcome


def row(ticker: str, position: str, exposure: str) -> ExchangePosition:
    return ExchangePosition(
        ticker=ticker,
        position=Decimal(position),
        exposure=Decimal(exposure),
        realized_pnl=ZERO,
        fees_paid=ZERO,
        total_traded=ZERO,
        updated_at=None,
    )


def test_a_no_position_is_valued_at_the_no_bid() -> None:
    bids = {"A": Bids(ticker="A", yes=Decimal("0.30"), no=Decimal("0.65"))}
    (position,) = positions_from([row("A", "-10", "6.00")], {}, bids)
    assert (position.outcome, position.contracts) == (Outcome.NO, Decimal(10))
    assert position.unrealized_pnl == Decimal("0.50")


def test_the_average_cost_is_ours_only_where_both_counts_agree() -> None:
    ours = {"A": Holding(ticker="A", contracts=Decimal(10), basis=Decimal("4.10"))}
    other = {"A": Holding(ticker="A", contracts=Decimal(9), basis=Decimal("9.00"))}
    assert positions_from([row("A", "10", "4.00")], ours, {})[0].average_cost == Decimal("0.41")
    assert positions_from([row("A", "10", "4.00")], other, {})[0].average_cost == Decimal("0.40")


def test_without_a_bid_value_and_profit_are_unknown_and_so_are_their_sums() -> None:
    bids = {"A": Bids(ticker="A", yes=None, no=Decimal("0.99")), "B": Bids(ticker="B", yes=Decimal("0.5"), no=None)}
    positions = positions_from([row("A", "10", "4.00"), row("B", "1", "0.4"), row("C", "0", "0")], {}, bids)
    assert [position.ticker for position in positions] == ["A", "B"]
    assert positions[0].mark is None
    assert positions[0].unrealized_pnl is None
    totals = sum_positions(positions)
    assert (totals.open_positions, totals.unmarked, totals.exposure) == (2, 1, Decimal("4.40"))
    assert totals.market_value is None
    assert totals.unrealized_pnl is None


def test_where_a_mark_is_missing_the_sums_have_bounds() -> None:
    bids = {"B": Bids(ticker="B", yes=Decimal("0.5"), no=None)}
    totals = sum_positions(positions_from([row("A", "10", "4.00"), row("B", "1", "0.4")], {}, bids))
    assert (totals.market_value_low, totals.market_value_high) == (Decimal("0.5"), Decimal("10.5"))
    assert (totals.unrealized_low, totals.unrealized_high) == (Decimal("-3.9"), Decimal("6.1"))


COUNT = st.integers(1, 10_000).map(lambda cents: Decimal(cents) / 100)
BID = st.none() | st.integers(0, 100).map(lambda cents: Decimal(cents) / 100)


@given(st.lists(st.tuples(COUNT, BID, BID), max_size=6))
def test_whatever_the_missing_marks_are_the_value_lies_within_its_bounds(
    rows: list[tuple[Decimal, Decimal | None, Decimal | None]],
) -> None:
    """The third number of a row is the mark that turns out later, where there is one."""
    held = [row(f"T{n}", str(count), "1.00") for n, (count, _, _) in enumerate(rows)]
    now = {f"T{n}": Bids(ticker=f"T{n}", yes=bid, no=None) for n, (_, bid, _) in enumerate(rows)}
    later = {
        f"T{n}": Bids(ticker=f"T{n}", yes=bid if bid is not None else after or ZERO, no=None)
        for n, (_, bid, after) in enumerate(rows)
    }
    totals, known = sum_positions(positions_from(held, {}, now)), sum_positions(positions_from(held, {}, later))
    assert known.market_value is not None
    assert totals.market_value_low <= known.market_value <= totals.market_value_high
    assert totals.unmarked or totals.market_value == totals.market_value_low == totals.market_value_high


def test_a_position_says_in_words_what_it_pays_on() -> None:
    words = {"yes_meaning": "Rain", "no_meaning": "not: Rain", "title": "Rain in NYC?", "crossed": True}
    bids = {name: Bids(ticker=name, yes=None, no=None, **words) for name in ("A", "B")}  # type: ignore[arg-type]  # by name
    yes, no = positions_from([row("A", "2", "1.00"), row("B", "-2", "0.90")], {}, bids)
    assert (yes.meaning, no.meaning, yes.title, yes.crossed) == ("Rain", "not: Rain", "Rain in NYC?", True)


def test_the_largest_exposure_comes_first_and_equal_ones_by_ticker() -> None:
    rows = [row("A", "1", "2.00"), row("D", "1", "5.00"), row("C", "-1", "9.00"), row("B", "1", "5.00")]
    assert [position.ticker for position in positions_from(rows, {}, {})] == ["C", "B", "D", "A"]


def test_without_positions_the_sums_are_zero_not_unknown() -> None:
    totals = sum_positions(())
    assert (totals.market_value, totals.unrealized_pnl, totals.unmarked) == (ZERO, ZERO, 0)
