"""The fills that an order would have got: a walk through the frozen book, with a part of each level. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from coliseum.trading.fees import unrounded_fee
from coliseum.trading.markets import Level
from coliseum.trading.money import CENT, ONE, ZERO

DEPTH_SHARE = Decimal("0.25")
"""The part of each level's displayed size that a paper order may take, since all accounts see the same book."""
SAFETY = CENT
"""The margin below the forecast at which a level is still taken, on top of the fee."""
LOT = ONE
"""Paper orders trade whole contracts."""


@dataclass(frozen=True, slots=True)
class Execution:
    """The fills of one order: (price, contracts) per level, best first, and the order's fee in dollars."""

    fills: tuple[tuple[Decimal, Decimal], ...]
    fee: Decimal

    @property
    def contracts(self) -> Decimal:
        return sum((contracts for _, contracts in self.fills), ZERO)

    @property
    def cost(self) -> Decimal:
        """Dollars paid, fee aside."""
        return sum((price * contracts for price, contracts in self.fills), ZERO)

    @property
    def average_price(self) -> Decimal | None:
        return self.cost / self.contracts if self.fills else None


def walk(
    asks: Sequence[Level],
    *,
    probability: Decimal,
    contracts: Decimal,
    budget: Decimal,
    closing: Decimal = ZERO,
    multiplier: Decimal = ONE,
) -> Execution:
    """Buy `closing` contracts, then up to `contracts` more for at most `budget` dollars with fee, best price first.

    The closing contracts reduce a position of the other side. They bring cash, so the budget does not limit them. A
    level is taken while price + fee per contract + 1 cent <= `probability` of the bought side, at most a quarter of
    its size. The rest of the order expires. An order that fills nothing returns an Execution without fills.
    """
    fills: list[tuple[Decimal, Decimal]] = []
    # The charge is rounded up to whole cents once per order: keep one cent back for that.
    money = budget - CENT
    for level in asks:
        cost = level.price + unrounded_fee(price=level.price, count=ONE, multiplier=multiplier)
        if cost + SAFETY > probability:
            break
        available = (level.count * DEPTH_SHARE).to_integral_value(ROUND_FLOOR)
        closes = min(closing, available)
        opens = min(contracts, available - closes, max(ZERO, money / cost)).to_integral_value(ROUND_FLOOR)
        if closes + opens >= LOT:
            fills.append((level.price, closes + opens))
        closing -= closes
        contracts -= opens
        money -= opens * cost
    return Execution(tuple(fills), fee_of(fills, multiplier=multiplier))


def fee_of(fills: Iterable[tuple[Decimal, Decimal]], *, multiplier: Decimal = ONE) -> Decimal:
    """The taker fee of one order over several prices: exact per level, the whole charge rounded up to the cent.

    At whole-cent prices that is the published schedule; at finer ones the fee also fills the price's fraction.
    """
    fills = list(fills)
    paid = sum((price * contracts for price, contracts in fills), ZERO)
    exact = sum((unrounded_fee(price=price, count=count, multiplier=multiplier) for price, count in fills), ZERO)
    return (paid + exact).quantize(CENT, ROUND_CEILING) - paid


def liquidation_value(contracts: Decimal, bid: Decimal | None, *, multiplier: Decimal = ONE) -> Decimal:
    """Dollars from selling the position at the best bid after the fee, rounded down to cents; 0 without a bid."""
    if bid is None:
        return ZERO
    fee = unrounded_fee(price=bid, count=contracts, multiplier=multiplier)
    return max(ZERO, (contracts * bid - fee).quantize(CENT, ROUND_FLOOR))
