"""Price grids. Each market names one (`price_level_structure`), and the price of an order must lie on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from types import MappingProxyType

from coliseum.trading.money import ONE, ZERO


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Prices from `start` to `end` dollars move in steps of `step`."""

    start: Decimal
    end: Decimal
    step: Decimal


def _range(start: str, end: str, step: str) -> PriceRange:
    return PriceRange(Decimal(start), Decimal(end), Decimal(step))


STRUCTURES: Mapping[str, Sequence[PriceRange]] = MappingProxyType(
    {
        "linear_cent": (_range("0", "1", "0.01"),),
        "tapered_deci_cent": (
            _range("0", "0.10", "0.001"),
            _range("0.10", "0.90", "0.01"),
            _range("0.90", "1", "0.001"),
        ),
        "deci_cent": (_range("0", "1", "0.001"),),
    }
)


def step_at(structure: str, price: Decimal) -> Decimal:
    """The smallest price change at `price`; where two ranges meet, the finer one."""
    return min(each.step for each in STRUCTURES[structure] if each.start <= price <= each.end)


def is_valid(structure: str, price: Decimal) -> bool:
    """Whether an order may have this price: on the grid, above 0 and below 1 dollar."""
    return ZERO < price < ONE and price % step_at(structure, price) == ZERO


def nearest(structure: str, price: float) -> Decimal:
    """The valid price closest to `price`; one step inside 0 and 1 where it lies outside."""
    return _nearest(structure, round(price, 4))


@lru_cache(maxsize=40_000)
def _nearest(structure: str, price: float) -> Decimal:
    """Cached, because drawing weeks of generated past asks for the same few prices many times."""
    exact = min(ONE, max(ZERO, Decimal(str(price))))
    step = step_at(structure, exact)
    on_grid = (exact / step).to_integral_value(ROUND_HALF_EVEN) * step
    lowest = STRUCTURES[structure][0].step
    highest = ONE - STRUCTURES[structure][-1].step
    return min(highest, max(lowest, on_grid))
