"""Where our ledger and the exchange report different numbers. Pure."""

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
    """One number that our ledger and the exchange have differently. `field` says which: contracts or dollars."""

    ticker: str
    field: str
    ours: Decimal
    exchange: Decimal

    @property
    def difference(self) -> Decimal:
        """Ours less the exchange's."""
        return self.ours - self.exchange


def find_discrepancies(
    holdings: Mapping[str, Holding],
    rows: Iterable[ExchangePosition],
    settlements: Iterable[Settlement],
    settled: Mapping[str, Decimal],
) -> tuple[Discrepancy, ...]:
    """Discrepancies by market, of positions and then of settlements.

    A market is compared when either side has a position in it. `settled` is what our ledger held, in signed contracts
    by ticker, when a market was settled.
    """
    exchange_rows = {row.ticker: row for row in rows}
    open_tickers = {ticker for ticker, holding in holdings.items() if holding.contracts}
    discrepancies: list[Discrepancy] = []
    for ticker in sorted(open_tickers | set(exchange_rows)):
        holding = holdings.get(ticker) or Holding(ticker=ticker)
        discrepancies += _compare_position(holding, exchange_rows.get(ticker))
    for settlement in sorted(settlements, key=lambda row: row.ticker):
        discrepancies += _compare_settlement(settlement, settled.get(settlement.ticker, ZERO))
    return tuple(discrepancies)


def _compare_position(ours: Holding, row: ExchangePosition | None) -> list[Discrepancy]:
    if row is None:
        return [Discrepancy(ticker=ours.ticker, field="contracts", ours=ours.contracts, exchange=ZERO)]
    pairs = {
        "exposure": (ours.basis, row.exposure),
        "realized_pnl": (ours.realized, row.realized_pnl),
        "fees_paid": (ours.fees, row.fees_paid),
    }
    discrepancies = [
        Discrepancy(ticker=row.ticker, field=field, ours=mine, exchange=other)
        for field, (mine, other) in pairs.items()
        if abs(mine - other) >= TOLERANCE
    ]
    if ours.contracts != row.position:
        count = Discrepancy(ticker=row.ticker, field="contracts", ours=ours.contracts, exchange=row.position)
        discrepancies.insert(0, count)
    return discrepancies


def _compare_settlement(settlement: Settlement, ours: Decimal) -> list[Discrepancy]:
    """Our count against the exchange's. Its payment against its own count times value, where the value is known."""
    ticker = settlement.ticker
    discrepancies: list[Discrepancy] = []
    count = settlement.yes_count - settlement.no_count
    if ours != count:
        discrepancies.append(Discrepancy(ticker=ticker, field="settled_contracts", ours=ours, exchange=count))
    value = {"yes": ONE, "no": ZERO}.get(settlement.result, settlement.value)
    if value is not None:
        due = settlement.yes_count * value + settlement.no_count * (ONE - value)
        # A scalar value comes in whole cents, so each contract may be half a cent off.
        tolerance = TOLERANCE if settlement.result in {"yes", "no"} else TOLERANCE + (abs(count) * CENT)
        if abs(due - settlement.revenue) >= tolerance:
            payment = Discrepancy(ticker=ticker, field="settlement", ours=due, exchange=settlement.revenue)
            discrepancies.append(payment)
    return discrepancies
