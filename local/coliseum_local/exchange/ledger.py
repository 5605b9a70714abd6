"""One account's books: cash, positions at average cost, realised profit, fees. Dollars and contracts.

Law: over all accounts, cash + fees paid + one dollar per open pair of contracts never changes by trading or settling.
A position is signed: above 0 it holds YES, below 0 NO. Buying the opposite outcome first sells what is held.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from coliseum.trading.money import ONE, ZERO

MICRO_DOLLAR = Decimal("0.000001")


@dataclass(slots=True)
class AccountPosition:
    """What one account has in one market."""

    ticker: str
    contracts: Decimal = ZERO
    cost: Decimal = ZERO
    """Paid for the contracts held, without fees."""
    traded: Decimal = ZERO
    """Sum of what was spent on buying, without fees."""
    shares: Decimal = ZERO
    """Contracts that ever changed hands."""
    realized: Decimal = ZERO
    """Profit of closed contracts, before fees."""
    fees: Decimal = ZERO
    updated: float = 0.0
    settled: bool = False

    @property
    def average(self) -> Decimal:
        return self.cost / abs(self.contracts) if self.contracts else ZERO


@dataclass(frozen=True, slots=True)
class PositionChange:
    """What a fill of `delta` YES contracts at `price` would do to a position."""

    closed: Decimal
    opened: Decimal
    proceeds: Decimal
    """Cash from the closed contracts."""
    spent: Decimal
    """Cash for the opened contracts."""

    @property
    def revenue(self) -> Decimal:
        return self.proceeds - self.spent


def split_fill(position: Decimal, delta: Decimal, price: Decimal) -> PositionChange:
    """Split a fill into what it closes and what it opens. `price` is per YES contract, `delta` signed."""
    opposite = position * delta < ZERO
    closed = min(abs(position), abs(delta)) if opposite else ZERO
    opened = abs(delta) - closed
    bought_at = price if delta > ZERO else ONE - price
    return PositionChange(closed=closed, opened=opened, proceeds=closed * (ONE - bought_at), spent=opened * bought_at)


@dataclass(slots=True)
class ExchangeAccount:
    """Cash and positions of one member."""

    account_id: str
    cash: Decimal
    precision: Decimal
    """What the balance is rounded to after each fill."""
    positions: dict[str, AccountPosition] = field(default_factory=dict)
    updated: float = 0.0

    def position(self, ticker: str) -> AccountPosition:
        return self.positions.setdefault(ticker, AccountPosition(ticker))

    def held(self, ticker: str) -> Decimal:
        """Signed contracts, without opening a row."""
        position = self.positions.get(ticker)
        return position.contracts if position else ZERO

    def apply(self, *, ticker: str, delta: Decimal, price: Decimal, fee: Decimal, now: float) -> None:
        """Book one fill of `delta` YES contracts (signed) at the YES price."""
        position = self.position(ticker)
        parts = split_fill(position.contracts, delta, price)
        released = _released(position, parts.closed)
        position.realized += parts.proceeds - released
        position.cost += parts.spent - released
        position.contracts += delta
        position.traded += parts.spent
        position.shares += abs(delta)
        position.fees += fee
        position.updated = self.updated = now
        self.cash += parts.revenue - fee

    def settle(self, ticker: str, *, yes_value: Decimal, now: float) -> Decimal:
        """Pay one position out; the dollars received. Paying twice pays nothing the second time."""
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
    if closed == abs(position.contracts):
        return position.cost
    return (position.cost * closed / abs(position.contracts)).quantize(MICRO_DOLLAR)


def payout(contracts: Decimal, yes_value: Decimal) -> Decimal:
    """What a signed position is worth when a YES contract is worth `yes_value` dollars."""
    return contracts * yes_value if contracts >= ZERO else -contracts * (ONE - yes_value)
