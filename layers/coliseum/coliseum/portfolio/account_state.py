"""What is known of the account's positions at one moment, as it is cached. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from coliseum.portfolio.ledger import Holding, LedgerTotals
from coliseum.portfolio.reconciliation import Discrepancy
from coliseum.trading.markets import ExchangePosition, Market


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """What our ledger says, and where the exchange says otherwise."""

    holdings: tuple[Holding, ...]
    """Of the markets with an open position, here or there."""
    totals: LedgerTotals
    differences: tuple[Discrepancy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """The exchange's positions, and our books where they could be brought up to date."""

    rows: tuple[ExchangePosition, ...]
    books: LedgerState | None
    problem: str | None
    """Why our books are unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bids:
    """What a market's contracts can be sold for now; None where nobody bids."""

    ticker: str
    yes: Decimal | None
    no: Decimal | None


def bids_from(market: Market) -> Bids:
    return Bids(ticker=market.ticker, yes=market.yes_bid, no=market.no_bid)
