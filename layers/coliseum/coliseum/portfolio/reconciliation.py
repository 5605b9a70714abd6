"""Where our ledger and the exchange report different numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from coliseum.portfolio.ledger import Holding
from coliseum.trading.markets import ExchangePosition, Settlement
from coliseum.trading.money import CENT, ZERO

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
    by ticker, when a market was settled: the settlements' own counts are gross, so their difference is compared.
    """
    exchange_rows = {row.ticker: row for row in rows}
    open_tickers = {ticker for ticker, holding in holdings.items() if holding.contracts}
    discrepancies: list[Discrepancy] = []
    for ticker in sorted(open_tickers | set(exchange_rows)):
        holding = holdings.get(ticker) or Holding(ticker=ticker)
        discrepancies += _compare_position(holding, exchange_rows.get(ticker))
    for settlement in sorted(settlements, key=lambda row: row.ticker):
        discrepancies += compare_settlement(settlement, settled.get(settlement.ticker, ZERO))
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


def compare_settlement(settlement: Settlement, ours: Decimal) -> list[Discrepancy]:
    """What we held at the end against what the exchange's purchases leave, and its payment against that."""
    ticker, held = settlement.ticker, settlement.held
    discrepancies: list[Discrepancy] = []
    if ours != held:
        discrepancies.append(Discrepancy(ticker=ticker, field="settled_contracts", ours=ours, exchange=held))
    due = _due(settlement)
    if abs(due - settlement.revenue) >= TOLERANCE:
        payment = Discrepancy(ticker=ticker, field="settlement", ours=due, exchange=settlement.revenue)
        discrepancies.append(payment)
    return discrepancies


def _due(settlement: Settlement) -> Decimal:
    """Dollars that the exchange owes for what was held: a dollar for each contract that won.

    Of a scalar result no field gives the price (`value` is the payment again), so any payment is right that lies
    between nothing and a dollar for each contract.
    """
    if settlement.result == "yes":
        return max(settlement.held, ZERO)
    if settlement.result == "no":
        return max(-settlement.held, ZERO)
    return min(max(settlement.revenue, ZERO), abs(settlement.held))
