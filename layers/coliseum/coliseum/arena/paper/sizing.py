"""How much to buy: policies and limits. The contestant says a probability, code says the size. Pure.

Limits and defaults are those of docs/scoring.md, "Paper trading"; every refusal has a reason that is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from coliseum.trading.fees import unrounded_fee
from coliseum.trading.markets import Level
from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import Outcome

FLAT_STAKE = Decimal(50)
KELLY_PART = Decimal("0.25")
MINIMUM_EDGE = Decimal("0.02")
MARKET_SHARE = Decimal("0.05")
EVENT_SHARE = Decimal("0.10")
CATEGORY_SHARE = Decimal("0.30")
GROSS_SHARE = Decimal("0.80")
VOLUME_SHARE = Decimal("0.02")
MAXIMUM_SPREAD = Decimal("0.10")
CLOSE_MARGIN_SECONDS = 600
SNAPSHOT_SECONDS = 60
DAILY_LOSS = Decimal("0.10")
DRAWDOWN = Decimal("0.25")


class Policy(StrEnum):
    FLAT = "flat"
    QUARTER_KELLY = "quarter_kelly"
    SELF_SIZED = "self_sized"


class Reason(StrEnum):
    """Why an account did or did not trade; stored with every decision."""

    TRADED = "traded"
    ABSTAINED = "abstained"
    NO_FORECAST = "no_forecast"
    INACTIVE = "market_inactive"
    NEAR_CLOSE = "near_close"
    STALE = "stale_snapshot"
    NO_QUOTE = "no_quote"
    WIDE = "wide_spread"
    NO_EDGE = "edge_below_minimum"
    REDUCE_ONLY = "reduce_only"
    NO_STAKE = "no_stake"
    MARKET_LIMIT = "market_limit"
    EVENT_LIMIT = "event_limit"
    CATEGORY_LIMIT = "category_limit"
    GROSS_LIMIT = "gross_limit"
    VOLUME_LIMIT = "volume_limit"
    CASH = "cash"
    NO_DEPTH = "no_depth"
    UNKNOWN_FEE = "unknown_fee"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a policy may look at: the frozen market and the account's state, all money in dollars."""

    yes_asks: Sequence[Level]
    no_asks: Sequence[Level]
    active: bool
    seconds_to_close: float
    snapshot_age_seconds: float
    volume_24h: Decimal
    """Contracts."""
    cash: Decimal
    equity: Decimal
    market_exposure: Decimal
    """Cost basis in this market; likewise below."""
    event_exposure: Decimal
    category_exposure: Decimal
    gross_exposure: Decimal
    reduce_only: bool
    held: Outcome | None
    """The side held in this market."""
    multiplier: Decimal | None = ONE
    """The series' fee multiplier; None where the fee is not known."""
    close_margin_seconds: float = CLOSE_MARGIN_SECONDS
    """No trade later than this before the close; shorter on a sandbox whose markets live for minutes."""


@dataclass(frozen=True, slots=True)
class Order:
    """Buy up to `contracts` of `side` for at most `budget` dollars, fee included."""

    side: Outcome
    probability: Decimal
    """Of `side`."""
    contracts: Decimal
    budget: Decimal


@dataclass(frozen=True, slots=True)
class NoTrade:
    reason: Reason


def reduce_only(*, equity: Decimal, day_start_equity: Decimal, peak_equity: Decimal) -> bool:
    """After a daily loss of 10 % or a drawdown of 25 % an account may only reduce until the next day."""
    return equity <= day_start_equity * (ONE - DAILY_LOSS) or equity <= peak_equity * (ONE - DRAWDOWN)


def kelly_fraction(probability: Decimal, cost: Decimal) -> Decimal:
    """(p - c) / (1 - c) for a contract that costs `cost` with its fee and pays 1 (Kelly 1956); 0 without an edge."""
    return (probability - cost) / (ONE - cost) if ZERO < cost < ONE and probability > cost else ZERO


def size(
    probability: Decimal | None, situation: Situation, policy: Policy, *, stake: Decimal | None = None
) -> Order | NoTrade:
    """What the account does with a forecast of YES; None is an abstention.

    `stake` is the contestant's own wish in dollars, used by the self-sized account alone.
    """
    refused = _untradable(probability, situation)
    if refused is not None or probability is None:
        return NoTrade(refused or Reason.ABSTAINED)
    side, chance, ask = _better_side(probability, situation)
    if situation.multiplier is None:
        return NoTrade(Reason.UNKNOWN_FEE)
    cost = ask + unrounded_fee(price=ask, count=ONE, multiplier=situation.multiplier)
    if chance - cost < MINIMUM_EDGE:
        return NoTrade(Reason.NO_EDGE)
    reducing = situation.held is not None and situation.held is not side
    if situation.reduce_only and not reducing:
        return NoTrade(Reason.REDUCE_ONLY)
    wish = _wish(policy, chance, cost, situation, stake)
    if wish <= ZERO:
        return NoTrade(Reason.NO_STAKE)
    budget, reason = min([(wish, Reason.NO_STAKE), *_rooms(situation, reducing=reducing)], key=lambda room: room[0])
    if budget < cost:
        return NoTrade(reason)
    by_volume = situation.volume_24h * VOLUME_SHARE
    if by_volume < ONE:
        return NoTrade(Reason.VOLUME_LIMIT)
    return Order(side, chance, min(budget / cost, by_volume), budget)


def _untradable(probability: Decimal | None, situation: Situation) -> Reason | None:
    if probability is None:
        return Reason.ABSTAINED
    if not situation.active:
        return Reason.INACTIVE
    if situation.seconds_to_close < situation.close_margin_seconds:
        return Reason.NEAR_CLOSE
    if situation.snapshot_age_seconds > SNAPSHOT_SECONDS:
        return Reason.STALE
    if not situation.yes_asks or not situation.no_asks:
        return Reason.NO_QUOTE
    # YES ask - YES bid, the bid being 1 - NO ask.
    if situation.yes_asks[0].price + situation.no_asks[0].price - ONE > MAXIMUM_SPREAD:
        return Reason.WIDE
    return None


def _better_side(probability: Decimal, situation: Situation) -> tuple[Outcome, Decimal, Decimal]:
    yes, no = situation.yes_asks[0].price, situation.no_asks[0].price
    if probability - yes >= (ONE - probability) - no:
        return Outcome.YES, probability, yes
    return Outcome.NO, ONE - probability, no


def _wish(policy: Policy, chance: Decimal, cost: Decimal, situation: Situation, stake: Decimal | None) -> Decimal:
    match policy:
        case Policy.FLAT:
            return FLAT_STAKE
        case Policy.QUARTER_KELLY:
            return KELLY_PART * kelly_fraction(chance, cost) * situation.equity
        case Policy.SELF_SIZED:
            return ZERO if stake is None else stake


def _rooms(situation: Situation, *, reducing: bool) -> list[tuple[Decimal, Reason]]:
    """What each limit still allows, in dollars. Reducing a position needs cash alone."""
    cash = (situation.cash, Reason.CASH)
    if reducing:
        return [cash]
    equity = situation.equity
    return [
        (equity * MARKET_SHARE - situation.market_exposure, Reason.MARKET_LIMIT),
        (equity * EVENT_SHARE - situation.event_exposure, Reason.EVENT_LIMIT),
        (equity * CATEGORY_SHARE - situation.category_exposure, Reason.CATEGORY_LIMIT),
        (equity * GROSS_SHARE - situation.gross_exposure, Reason.GROSS_LIMIT),
        cash,
    ]
