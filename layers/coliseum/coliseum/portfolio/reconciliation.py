"""Where our books and the exchange disagree. Shown, counted, never hidden. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from coliseum.portfolio.ledger import Holding
from coliseum.trading.markets import ExchangePosition, Settlement
from coliseum.trading.money import CENT, ONE, ZERO

TOLERANCE = CENT
"""Dollars below which a difference of money is rounding. Contracts have no tolerance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """One number that we and the exchange have differently."""

    ticker: str
    field: str
    ours: Decimal
    exchange: Decimal

    @property
    def difference(self) -> Decimal:
        return self.ours - self.exchange


def find_discrepancies(
    holdings: Mapping[str, Holding],
    rows: Iterable[ExchangePosition],
    settlements: Iterable[Settlement],
    settled: Mapping[str, Decimal],
) -> tuple[Discrepancy, ...]:
    """Positions by market, both ways, then each settlement's count and payment.

    `settled` is what our books held, in signed contracts, when a market was settled.
    """
    theirs = {row.ticker: row for row in rows}
    held = {ticker for ticker, holding in holdings.items() if holding.contracts}
    found: list[Discrepancy] = []
    for ticker in sorted(held | set(theirs)):
        found += _of_market(holdings.get(ticker) or Holding(ticker=ticker), theirs.get(ticker))
    for settlement in sorted(settlements, key=lambda row: row.ticker):
        found += _of_settlement(settlement, settled.get(settlement.ticker, ZERO))
    return tuple(found)


def _of_market(ours: Holding, row: ExchangePosition | None) -> list[Discrepancy]:
    if row is None:
        return [Discrepancy(ticker=ours.ticker, field="contracts", ours=ours.contracts, exchange=ZERO)]
    pairs = {
        "exposure": (ours.basis, row.exposure),
        "realized_pnl": (ours.realized, row.realized_pnl),
        "fees_paid": (ours.fees, row.fees_paid),
    }
    found = [
        Discrepancy(ticker=row.ticker, field=field, ours=mine, exchange=other)
        for field, (mine, other) in pairs.items()
        if abs(mine - other) >= TOLERANCE
    ]
    if ours.contracts != row.position:
        found.insert(0, Discrepancy(ticker=row.ticker, field="contracts", ours=ours.contracts, exchange=row.position))
    return found


def _of_settlement(settlement: Settlement, ours: Decimal) -> list[Discrepancy]:
    """Our count against the exchange's, and its payment against its own count and value where that is known."""
    found: list[Discrepancy] = []
    count = settlement.yes_count - settlement.no_count
    if ours != count:
        found.append(Discrepancy(ticker=settlement.ticker, field="settled_contracts", ours=ours, exchange=count))
    value = {"yes": ONE, "no": ZERO}.get(settlement.result, settlement.value)
    if value is not None:
        due = settlement.yes_count * value + settlement.no_count * (ONE - value)
        # A scalar value comes in whole cents, so each contract may be half a cent off.
        tolerance = TOLERANCE if settlement.result in {"yes", "no"} else TOLERANCE + (abs(count) * CENT)
        if abs(due - settlement.revenue) >= tolerance:
            told = Discrepancy(ticker=settlement.ticker, field="settlement", ours=due, exchange=settlement.revenue)
            found.append(told)
    return found
