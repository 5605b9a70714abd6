"""The exchange's trading fee, and how it rounds. Dollars and contracts as Decimal.

Two rules, both published by Kalshi in 2026:

- Fee schedule: `order_fee`. A taker pays rate × multiplier × count × price × (1 − price) with rate 0.07, rounded up
  to the cent on the whole order. A maker pays the same with rate 0.0175, and only where the series' `fee_type` says
  so; elsewhere nothing. Settlement is free. Decimal only: with binary floats, a third of the published table's rows
  come out one cent too high.
- Fee rounding: `charge_fill`. Each fill's fee is rounded up to $0.0001 (`trade_fee`), and the balance change is
  floored to the account's precision; the difference is a rounding fee. The rounding fees of an order add up in its
  accumulator; once that exceeds one cent, a cent is paid back. So many small fills cost the same as one large fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import NotRequired, TypedDict, Unpack

from coliseum.errors import InvalidInput
from coliseum.trading.money import CENT, ONE, ZERO

TAKER_RATE = Decimal("0.07")
MAKER_RATE = Decimal("0.0175")
CENTICENT = Decimal("0.0001")
"""Precision of a fill's fee, and of a direct member's balance. Other members' balances are whole cents (`CENT`)."""


class FeeType(StrEnum):
    """`fee_type` of a series. A multiplier of the series, or an override of the event, scales it."""

    QUADRATIC = "quadratic"
    QUADRATIC_WITH_MAKER_FEES = "quadratic_with_maker_fees"
    QUADRATIC_WITH_COMBO_MAKER_FEES = "quadratic_with_combo_maker_fees"
    """Makers pay on combos alone; on a single market this is `QUADRATIC`."""


class FeeTerms(TypedDict):
    """What a fee depends on: dollars per contract, contracts, the series' scale and type, and the order's role."""

    price: Decimal
    count: Decimal
    multiplier: NotRequired[Decimal]
    fee_type: NotRequired[FeeType]
    maker: NotRequired[bool]


def unrounded_fee(
    *,
    price: Decimal,
    count: Decimal,
    multiplier: Decimal = ONE,
    fee_type: FeeType = FeeType.QUADRATIC,
    maker: bool = False,
) -> Decimal:
    """The quadratic formula itself, in dollars. The price of either outcome gives the same."""
    if not ZERO <= price <= ONE:
        raise InvalidInput("price", price, "dollars per contract between 0 and 1")
    if count < ZERO:
        raise InvalidInput("count", count, "a number of contracts, 0 or more")
    if multiplier < ZERO:
        raise InvalidInput("multiplier", multiplier, "0 or more")
    if not maker:
        rate = TAKER_RATE
    elif fee_type is FeeType.QUADRATIC_WITH_MAKER_FEES:
        rate = MAKER_RATE
    else:
        return ZERO
    return rate * multiplier * count * price * (ONE - price)


def order_fee(**terms: Unpack[FeeTerms]) -> Decimal:
    """Fee of a whole order at one price, rounded up to the cent, as the fee schedule prints it."""
    return unrounded_fee(**terms).quantize(CENT, ROUND_CEILING)


def trade_fee(**terms: Unpack[FeeTerms]) -> Decimal:
    """Fee of one fill before the balance is rounded: up to the next $0.0001."""
    return unrounded_fee(**terms).quantize(CENTICENT, ROUND_CEILING)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillCharge:
    """What one fill costs on top of its price, in dollars."""

    trade_fee: Decimal
    rounding_fee: Decimal
    rebate: Decimal
    """0 or one cent, returned from the order's accumulator."""
    balance_change: Decimal
    """Revenue less both fees, a multiple of the account's precision; the rebate comes on top."""
    accumulated: Decimal
    """The order's accumulator with this fill's rounding fee in it, before the rebate leaves it."""

    @property
    def net_fee(self) -> Decimal:
        return self.trade_fee + self.rounding_fee - self.rebate

    @property
    def carried(self) -> Decimal:
        """The accumulator for the order's next fill."""
        return self.accumulated - self.rebate


def charge_fill(
    *, revenue: Decimal, trade_fee: Decimal, accumulator: Decimal = ZERO, precision: Decimal = CENT
) -> FillCharge:
    """Round one fill onto the account's balance.

    `revenue` is signed: below 0 for a buyer. `accumulator` is what the order's earlier fills left (0 for its first).
    The net fee is never below 0: a rebate that would make it so waits for a later fill.
    """
    exact = revenue - trade_fee
    floored = (exact / precision).to_integral_value(ROUND_FLOOR) * precision
    rounding_fee = exact - floored
    accumulated = accumulator + rounding_fee
    rebate = CENT if accumulated > CENT and trade_fee + rounding_fee >= CENT else ZERO
    return FillCharge(
        trade_fee=trade_fee,
        rounding_fee=rounding_fee,
        rebate=rebate,
        balance_change=floored,
        accumulated=accumulated,
    )
