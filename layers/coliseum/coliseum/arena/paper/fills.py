"""What an order would really have got: a walk through the frozen book, level by level, at most a part of each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from coliseum.trading.fees import unrounded_fee
from coliseum.trading.markets import Level
from coliseum.trading.money import CENT, ONE, ZERO

DEPTH_SHARE = Decimal("0.25")
"""The part of each level's displayed size that a paper order may take: others see the same book."""
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
    asks: Sequence[Level], *, probability: Decimal, contracts: Decimal, budget: Decimal, multiplier: Decimal = ONE
) -> Execution:
    """Buy up to `contracts` for at most `budget` dollars (fee included) from `asks`, best first.

    A level is taken while price + fee per contract + 1 cent <= `probability` of the side that is bought, at most a
    quarter of its size. What is not filled expires. Nothing filled is an Execution without fills.
    """
    fills: list[tuple[Decimal, Decimal]] = []
    left, money = contracts, budget
    for level in asks:
        per_contract = unrounded_fee(price=level.price, count=ONE, multiplier=multiplier)
        if left < LOT or level.price + per_contract + SAFETY > probability:
            break
        # The whole order's fee is rounded up to the cent once; a cent kept back pays for it.
        affordable = (money - CENT) / (level.price + per_contract)
        size = min(left, level.count * DEPTH_SHARE, affordable).to_integral_value(ROUND_FLOOR)
        if size < LOT:
            if affordable < LOT:
                break
            continue
        fills.append((level.price, size))
        left -= size
        money -= size * (level.price + per_contract)
    return Execution(tuple(fills), fee_of(fills, multiplier=multiplier))


def fee_of(fills: Iterable[tuple[Decimal, Decimal]], *, multiplier: Decimal = ONE) -> Decimal:
    """The taker fee of one order over several prices: exact per level, rounded up to the cent on the total."""
    exact = sum(
        (unrounded_fee(price=price, count=contracts, multiplier=multiplier) for price, contracts in fills), ZERO
    )
    return exact.quantize(CENT, ROUND_CEILING)


def liquidation_value(contracts: Decimal, bid: Decimal | None, *, multiplier: Decimal = ONE) -> Decimal:
    """What selling the position at the best bid would bring after the fee; without a bid nothing would."""
    if bid is None:
        return ZERO
    fee = fee_of([(bid, contracts)], multiplier=multiplier)
    return max(ZERO, contracts * bid - fee)
