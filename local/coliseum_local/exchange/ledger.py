"""One account's ledger: cash, positions at average cost, realised profit, fees. In dollars and contracts.

Invariant: over all accounts, cash + fees paid + one dollar per open pair of contracts is changed by no trade and no
settlement. A position is signed: above 0 it holds YES, below 0 NO. Buying the opposite outcome first closes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from coliseum.trading.money import ONE, ZERO

MICRO_DOLLAR = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Purchases:
    """What one account ever bought in one market, gross: a sale of YES is a purchase of NO.

    The exchange reports these on a settlement, although pairs of YES and NO were paid out when they met.
    """

    yes_count: Decimal = ZERO
    yes_cost: Decimal = ZERO
    """Dollars, without fees."""
    no_count: Decimal = ZERO
    no_cost: Decimal = ZERO

    def with_fill(self, delta: Decimal, price: Decimal) -> Purchases:
        """These purchases and one fill of `delta` YES contracts (signed) at the YES price."""
        if delta > ZERO:
            return replace(self, yes_count=self.yes_count + delta, yes_cost=self.yes_cost + delta * price)
        return replace(self, no_count=self.no_count - delta, no_cost=self.no_cost - delta * (ONE - price))


NO_PURCHASES = Purchases()


@dataclass(slots=True)
class AccountPosition:
    """One account's position in one market."""

    ticker: str
    contracts: Decimal = ZERO
    cost: Decimal = ZERO
    """Dollars paid for the contracts held, without fees."""
    traded: Decimal = ZERO
    """Dollars ever spent on opening contracts, without fees."""
    shares: Decimal = ZERO
    """Contracts ever bought or sold."""
    realized: Decimal = ZERO
    """Dollars of profit from closed contracts, before fees."""
    fees: Decimal = ZERO
    updated: float = 0.0
    settled: bool = False
    purchases: Purchases = NO_PURCHASES

    @property
    def average(self) -> Decimal:
        return self.cost / abs(self.contracts) if self.contracts else ZERO


@dataclass(frozen=True, slots=True)
class PositionChange:
    """What one fill does to a position."""

    closed: Decimal
    """Contracts."""
    opened: Decimal
    """Contracts."""
    proceeds: Decimal
    """Dollars received for the closed contracts."""
    spent: Decimal
    """Dollars paid for the opened contracts."""

    @property
    def revenue(self) -> Decimal:
        return self.proceeds - self.spent


def split_fill(position: Decimal, delta: Decimal, price: Decimal) -> PositionChange:
    """Split a fill of `delta` YES contracts (signed) at the YES price into what it closes and what it opens."""
    opposite = position * delta < ZERO
    closed = min(abs(position), abs(delta)) if opposite else ZERO
    opened = abs(delta) - closed
    bought_at = price if delta > ZERO else ONE - price
    return PositionChange(closed=closed, opened=opened, proceeds=closed * (ONE - bought_at), spent=opened * bought_at)


@dataclass(slots=True)
class TradingAccount:
    """Cash and positions of one member or simulated trader."""

    account_id: str
    cash: Decimal
    precision: Decimal
    """Dollars that the balance is rounded to after each fill."""
    positions: dict[str, AccountPosition] = field(default_factory=dict)
    updated: float = 0.0

    def position(self, ticker: str) -> AccountPosition:
        """The position in a market; an empty one is added where there is none."""
        return self.positions.setdefault(ticker, AccountPosition(ticker))

    def held(self, ticker: str) -> Decimal:
        """Signed contracts in a market, without adding an empty position."""
        position = self.positions.get(ticker)
        return position.contracts if position else ZERO

    def apply(self, *, ticker: str, delta: Decimal, price: Decimal, fee: Decimal, now: float) -> None:
        """Enter one fill of `delta` YES contracts (signed) at the YES price. `now` is in unix seconds."""
        position = self.position(ticker)
        parts = split_fill(position.contracts, delta, price)
        released = _released(position, parts.closed)
        position.realized += parts.proceeds - released
        position.cost += parts.spent - released
        position.contracts += delta
        position.traded += parts.spent
        position.shares += abs(delta)
        position.purchases = position.purchases.with_fill(delta, price)
        position.fees += fee
        position.updated = self.updated = now
        self.cash += parts.revenue - fee

    def settle(self, ticker: str, *, yes_value: Decimal, now: float) -> Decimal:
        """Pay one position out; returns the dollars received. A second call finds no contracts and pays nothing."""
        position = self.position(ticker)
        revenue = payout(position.contracts, yes_value)
        position.realized += revenue - position.cost
        position.contracts = position.cost = ZERO
        position.settled = True
        position.updated = self.updated = now
        self.cash += revenue
        return revenue


def _released(position: AccountPosition, closed: Decimal) -> Decimal:
    """Cost basis of the contracts closed, at average cost, to the millionth of a dollar."""
    # All contracts take all of the cost with them, so that no rounding is left in an empty position.
    if closed == abs(position.contracts):
        return position.cost
    return (position.cost * closed / abs(position.contracts)).quantize(MICRO_DOLLAR)


def payout(contracts: Decimal, yes_value: Decimal) -> Decimal:
    """Dollars that a signed position is worth when a YES contract is worth `yes_value` dollars."""
    return contracts * yes_value if contracts >= ZERO else -contracts * (ONE - yes_value)
