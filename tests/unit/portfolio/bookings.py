"""Random histories of an account for property tests, through the real ledger."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st
from tests.unit.portfolio.test_ledger import TICKERS, fill, settlement

from coliseum.portfolio.ledger import Ledger
from coliseum.trading.markets import Settlement
from coliseum.trading.trades import BookSide, Fill

Row = tuple[BookSide, int, int, int, str, int]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(BookSide),
        st.integers(1, 3000),  # hundredths of a contract
        st.integers(1, 9999),  # hundredths of a cent
        st.integers(0, 200_000),  # millionths of a dollar of fees
        st.sampled_from(TICKERS),
        st.integers(0, 20),  # hours since the fill before
    ),
    max_size=14,
)
ENDS = st.dictionaries(st.sampled_from(TICKERS), st.integers(0, 100), max_size=3)
START = 1_795_262_400


def fills_of(rows: list[Row]) -> list[Fill]:
    """Fills in the order of `rows`, hours apart."""
    at, fills = START, []
    for number, (side, count, price, fee, ticker, hours) in enumerate(rows, 1):
        at += hours * 3600 + 1
        fills.append(
            fill(
                number,
                side,
                str(Decimal(count) / 100),
                str(Decimal(price) / 10_000),
                fee=str(Decimal(fee) / 1_000_000),
                ticker=ticker,
                at=at,
            )
        )
    return fills


def ends_of(fills: list[Fill], ends: dict[str, int]) -> list[Settlement]:
    """Settlements of what is held after the fills, at a value in cents."""
    held = {ticker: sum((row.yes_delta for row in fills if row.ticker == ticker), Decimal(0)) for ticker in ends}
    return [
        settlement(ticker, held[ticker], str(Decimal(cents) / 100), at=START + 10**7 + number)
        for number, (ticker, cents) in enumerate(sorted(ends.items()))
    ]


def ledger_from(rows: list[Row], ends: dict[str, int], *, late: int = 0) -> Ledger:
    """The ledger of a history. The first `late` fills become known after everything else."""
    fills = fills_of(rows)
    ledger = Ledger()
    for known in (fills[late:], fills):
        ledger.book_fills(known)
        ledger.book_settlements(ends_of(fills, ends))
    return ledger
