"""Profit by group with the open positions in it, and the reasons why a number is unknown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from coliseum.portfolio.pnl import Gains, total_gains
from coliseum.portfolio.positions import PortfolioPosition, sum_positions
from coliseum.trading.money import ZERO

TOTAL = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class PnlRow:
    """One group, money in dollars. Unknown is None, with a reason."""

    group: str
    realized: Decimal | None
    settled: Decimal | None
    fees: Decimal | None
    unrealized: Decimal | None
    unrealized_low: Decimal | None
    unrealized_high: Decimal | None
    open_cost: Decimal | None
    fills: int
    markets: int
    first_at: float | None
    last_at: float | None
    reasons: tuple[str, ...]

    @property
    def closed(self) -> Decimal | None:
        """Realised profit less fees."""
        return None if self.realized is None or self.fees is None else self.realized - self.fees

    @property
    def net(self) -> Decimal | None:
        closed = self.closed
        return None if closed is None or self.unrealized is None else closed + self.unrealized


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """What is not known of an account's history."""

    by_ticker: Mapping[str, str]
    """Markets of which a part is not known, each with the reason."""
    general: tuple[str, ...] = ()
    """Doubts about all numbers."""

    def about(self, tickers: Iterable[str]) -> tuple[str, ...]:
        return (*self.general, *(self.by_ticker[name] for name in sorted(tickers) if name in self.by_ticker))

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.general, *self.by_ticker.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPositions:
    """The positions that are open now, each in its group; or why they are in none."""

    positions: tuple[PortfolioPosition, ...] = ()
    group: Callable[[PortfolioPosition], str] | None = None
    unknown: str | None = None
    """Why unrealised profit is unknown in all groups."""

    def by_group(self) -> dict[str, list[PortfolioPosition]]:
        if self.group is None:
            return {}
        groups: dict[str, list[PortfolioPosition]] = {}
        for position in self.positions:
            groups.setdefault(self.group(position), []).append(position)
        return groups


def pnl_rows(gains: Mapping[str, Gains], held: OpenPositions, doubts: Doubts) -> list[PnlRow]:
    """One row per group with bookings or open positions, in the order of their names."""
    positions = held.by_group()
    return [
        _row(name, gains.get(name) or Gains(), positions.get(name, []), held.unknown, doubts)
        for name in sorted(gains.keys() | positions.keys())
    ]


def pnl_totals(gains: Iterable[Gains], held: OpenPositions, doubts: Doubts) -> PnlRow:
    """All groups together. Every doubt counts, also one about a market that is in no group."""
    total = total_gains(gains)
    whole = Doubts(by_ticker={}, general=doubts.all)
    return _row(TOTAL, total, list(held.positions), held.unknown, whole)


def _row(name: str, gains: Gains, positions: list[PortfolioPosition], unknown: str | None, doubts: Doubts) -> PnlRow:
    sums = sum_positions(positions)
    tickers = gains.tickers | {position.ticker for position in positions}
    doubted = doubts.about(tickers)
    marked = unknown is None and not sums.unmarked
    reasons = [*doubted, *([] if unknown is None else [unknown])]
    if unknown is None and sums.unmarked:
        reasons.append(f"open positions without a bid: {sums.unmarked}")
    return PnlRow(
        group=name,
        realized=None if doubted else gains.realized,
        settled=None if doubted else gains.settled,
        fees=None if doubted else gains.fees,
        unrealized=(sums.unrealized_pnl if positions else ZERO) if marked else None,
        unrealized_low=sums.unrealized_low if unknown is None else None,
        unrealized_high=sums.unrealized_high if unknown is None else None,
        open_cost=sums.exposure if unknown is None else None,
        fills=gains.fills,
        markets=len(tickers),
        first_at=gains.first_at,
        last_at=gains.last_at,
        reasons=tuple(reasons),
    )
