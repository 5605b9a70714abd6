"""What is known about the account's positions at one moment, in the form that is cached in Redis. Pure.

The field names are part of the cached JSON: renaming one makes every cached value unreadable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from coliseum.portfolio.ledger import Holding, LedgerTotals
from coliseum.portfolio.reconciliation import Discrepancy
from coliseum.trading.markets import ExchangePosition, Market


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSummary:
    """Our ledger's holdings and totals, and where the exchange reports something else."""

    holdings: tuple[Holding, ...]
    """Only markets with an open position, in our ledger or on the exchange."""
    totals: LedgerTotals | None
    """None where they would be wrong: `BooksLoad.doubts` says why."""
    differences: tuple[Discrepancy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksLoad:
    """How far the books are."""

    status: Literal["complete", "loading", "unavailable"]
    """`loading`: a part of the history is not read or booked yet. `unavailable`: a source did not answer."""
    fills: int | None = None
    """Fills that are known, booked or not; None where the books could not be read."""
    oldest: float | None = None
    """Unix seconds of the oldest known fill."""
    newest: float | None = None
    problem: str | None = None
    doubts: tuple[str, ...] = ()
    """What is not known although the books are complete: every total over them is None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """The exchange's positions, and our ledger where it could be brought up to date."""

    rows: tuple[ExchangePosition, ...]
    books: LedgerSummary | None
    """Our ledger; None where the fills or settlements could not be read."""
    problem: str | None
    """Why `books` is None."""
    load: BooksLoad | None = None
    """None in values that were cached by an earlier version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bids:
    """The best bids of a market: what its contracts can be sold for now, None where there is no bid. And its names."""

    ticker: str
    yes: Decimal | None
    no: Decimal | None
    problem: str | None = None
    """Why the market could not be read; then it has no bids here."""
    event_ticker: str | None = None
    title: str | None = None
    yes_meaning: str | None = None
    """What a YES contract pays on, in words."""
    no_meaning: str | None = None
    close_time: datetime | None = None
    """When trading ends; a market may close earlier."""
    crossed: bool | None = None
    """A bid at or above the ask: one of the two is out of date or wrong."""


def bids_from(market: Market) -> Bids:
    return Bids(
        ticker=market.ticker,
        yes=market.yes_bid,
        no=market.no_bid,
        event_ticker=market.event_ticker,
        title=market.title or None,
        yes_meaning=market.subtitle or None,
        no_meaning=market.no_meaning or None,
        close_time=market.close_time,
        crossed=market.crossed,
    )
