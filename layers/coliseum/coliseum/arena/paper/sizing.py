"""How much an account buys: sizing policies and limits. A contestant gives a probability, this file the size. Pure.

docs/arena.md, "Paper trading", describes the limits. Every refusal has a reason, which is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from coliseum.arena.paper.account import PaperPosition
from coliseum.trading.fees import unrounded_fee
from coliseum.trading.markets import Level
from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import Outcome

DEPOSIT = Decimal(10_000)
"""Dollars that every account of a season begins with."""
FLAT_STAKE = Decimal(50)
KELLY_PART = Decimal("0.25")
LEAST_TOP_UP = Decimal("0.10")
"""Share of the wanted position. A smaller difference is not traded, since fees would take it."""
MINIMUM_EDGE = Decimal("0.02")
MARKET_SHARE = Decimal("0.05")
EVENT_SHARE = Decimal("0.10")
CATEGORY_SHARE = Decimal("0.30")
GROSS_SHARE = Decimal("0.80")
VOLUME_SHARE = Decimal("0.02")
MAXIMUM_SPREAD = Decimal("0.10")
CLOSE_MARGIN_SECONDS = 600
SNAPSHOT_SECONDS = 60
ANSWER_SECONDS = 900
"""A forecast that is sealed later than this after the book was read is not traded: nobody could still count on its
prices. The database has the same limit."""
DAILY_LOSS = Decimal("0.10")
DRAWDOWN = Decimal("0.25")


class Policy(StrEnum):
    FLAT = "flat"
    QUARTER_KELLY = "quarter_kelly"
    SELF_SIZED = "self_sized"


def policies_of(kind: str) -> tuple[Policy, ...]:
    """The accounts of a contestant: only models name a stake of their own, and outside agents have none.

    Outside agents can read prices until the round closes. At the book of its opening they would trade old prices.
    """
    if kind == "entrant":
        return ()
    return tuple(Policy) if kind == "llm" else (Policy.FLAT, Policy.QUARTER_KELLY)


class TradeReason(StrEnum):
    """Why an account did or did not trade; stored with every decision."""

    TRADED = "traded"
    ABSTAINED = "abstained"
    INACTIVE = "market_inactive"
    NEAR_CLOSE = "near_close"
    STALE = "stale_snapshot"
    LATE = "late_answer"
    NO_QUOTE = "no_quote"
    WIDE = "wide_spread"
    NO_EDGE = "edge_below_minimum"
    REDUCE_ONLY = "reduce_only"
    NO_STAKE = "no_stake"
    HELD = "position_held"
    MARKET_LIMIT = "market_limit"
    EVENT_LIMIT = "event_limit"
    CATEGORY_LIMIT = "category_limit"
    GROSS_LIMIT = "gross_limit"
    VOLUME_LIMIT = "volume_limit"
    CASH = "cash"
    NO_DEPTH = "no_depth"
    UNKNOWN_FEE = "unknown_fee"


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingSituation:
    """What a policy may look at: the frozen market and the account's state. All money in dollars."""

    yes_asks: Sequence[Level]
    no_asks: Sequence[Level]
    active: bool
    seconds_to_close: float
    snapshot_age_seconds: float
    """How old the book was when the round opened."""
    answer_seconds: float
    """How old the book was when the forecast was sealed."""
    volume_24h: Decimal
    """Contracts."""
    cash: Decimal
    equity: Decimal
    event_exposure: Decimal
    """Cost basis of all positions in this event, including this market; the next two are alike."""
    category_exposure: Decimal
    gross_exposure: Decimal
    reduce_only: bool
    held: PaperPosition | None
    """The position in this market."""
    multiplier: Decimal | None = ONE
    """The series' fee multiplier; None where the fee is unknown."""
    close_margin_seconds: float = CLOSE_MARGIN_SECONDS
    """No trade later than this before the close. Shorter on the sandbox, whose markets live for minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperOrder:
    """Buy `closing` contracts of `side` against a position of the other, and up to `contracts` more for `budget`."""

    side: Outcome
    probability: Decimal
    """Of `side`."""
    closing: Decimal
    contracts: Decimal
    budget: Decimal
    """Dollars, fee included; the closing contracts need none."""


@dataclass(frozen=True, slots=True)
class NoTrade:
    """The account does nothing, for this reason."""

    reason: TradeReason


def stopped(*, equity: Decimal, day_start: Decimal, peak: Decimal) -> str | None:
    """Why an account may only reduce until the UTC day ends: daily_loss (10 %) or drawdown (25 % from `peak`)."""
    if equity <= peak * (ONE - DRAWDOWN):
        return "drawdown"
    return "daily_loss" if equity <= day_start * (ONE - DAILY_LOSS) else None


def kelly_fraction(probability: Decimal, cost: Decimal) -> Decimal:
    """(p - c) / (1 - c) for a contract that costs `cost` with its fee and pays 1 (Kelly 1956); 0 without an edge."""
    return (probability - cost) / (ONE - cost) if ZERO < cost < ONE and probability > cost else ZERO


def size(
    probability: Decimal | None, situation: TradingSituation, policy: Policy, *, stake: Decimal | None = None
) -> PaperOrder | NoTrade:
    """The order of an account for a forecast of YES; a `probability` of None is an abstention.

    A position of the other side is closed completely. The limits apply only to contracts that open or add. `stake` is
    the contestant's own stake in dollars; only the self-sized account uses it.
    """
    refused = _untradable(probability, situation)
    if refused is not None or probability is None or situation.multiplier is None:
        return NoTrade(refused or TradeReason.UNKNOWN_FEE)
    side, chance, cost = _better_side(probability, situation, situation.multiplier)
    if chance - cost < MINIMUM_EDGE:
        return NoTrade(TradeReason.NO_EDGE)
    held = situation.held
    closing = held.contracts if held is not None and held.side is not side else ZERO
    opening = _opening(_wanted_dollars(policy, chance, cost, situation, stake), cost, situation, closing=closing > ZERO)
    if isinstance(opening, NoTrade):
        if not closing:
            return opening
        opening = (ZERO, ZERO)
    contracts, budget = opening
    return PaperOrder(side=side, probability=chance, closing=closing, contracts=contracts, budget=budget)


def _opening(
    wanted: Decimal, cost: Decimal, situation: TradingSituation, *, closing: bool
) -> tuple[Decimal, Decimal] | NoTrade:
    """(contracts, dollars) by which the position may grow at `cost` per contract.

    With `closing` the present position is on the other side: it is sold first, and its cost counts as free.
    """
    if situation.reduce_only:
        return NoTrade(TradeReason.REDUCE_ONLY)
    if wanted <= ZERO:
        return NoTrade(TradeReason.NO_STAKE)
    held = ZERO if situation.held is None else situation.held.basis
    kept, freed = (ZERO, held) if closing else (held, ZERO)
    if kept > wanted * (ONE - LEAST_TOP_UP):
        return NoTrade(TradeReason.HELD)
    equity = situation.equity
    budget, reason = min(
        (wanted - kept, TradeReason.NO_STAKE),
        (equity * MARKET_SHARE - kept, TradeReason.MARKET_LIMIT),
        (equity * EVENT_SHARE - (situation.event_exposure - freed), TradeReason.EVENT_LIMIT),
        (equity * CATEGORY_SHARE - (situation.category_exposure - freed), TradeReason.CATEGORY_LIMIT),
        (equity * GROSS_SHARE - (situation.gross_exposure - freed), TradeReason.GROSS_LIMIT),
        (situation.cash, TradeReason.CASH),
        key=lambda limit: limit[0],
    )
    if budget < cost:
        return NoTrade(reason)
    by_volume = situation.volume_24h * VOLUME_SHARE
    if by_volume < ONE:
        return NoTrade(TradeReason.VOLUME_LIMIT)
    return min(budget / cost, by_volume), budget


def _untradable(probability: Decimal | None, situation: TradingSituation) -> TradeReason | None:
    if probability is None:
        return TradeReason.ABSTAINED
    if not situation.active:
        return TradeReason.INACTIVE
    if situation.seconds_to_close < situation.close_margin_seconds:
        return TradeReason.NEAR_CLOSE
    if situation.snapshot_age_seconds > SNAPSHOT_SECONDS:
        return TradeReason.STALE
    if situation.answer_seconds > ANSWER_SECONDS:
        return TradeReason.LATE
    if not situation.yes_asks or not situation.no_asks:
        return TradeReason.NO_QUOTE
    # YES ask - YES bid, the bid being 1 - NO ask.
    if situation.yes_asks[0].price + situation.no_asks[0].price - ONE > MAXIMUM_SPREAD:
        return TradeReason.WIDE
    return None


def _better_side(
    probability: Decimal, situation: TradingSituation, multiplier: Decimal
) -> tuple[Outcome, Decimal, Decimal]:
    """(side, its probability, cost of a contract with fee) for the larger edge; YES where both are equal."""

    def cost(ask: Decimal) -> Decimal:
        return ask + unrounded_fee(price=ask, count=ONE, multiplier=multiplier)

    yes, no = cost(situation.yes_asks[0].price), cost(situation.no_asks[0].price)
    if probability - yes >= (ONE - probability) - no:
        return Outcome.YES, probability, yes
    return Outcome.NO, ONE - probability, no


def _wanted_dollars(
    policy: Policy, chance: Decimal, cost: Decimal, situation: TradingSituation, stake: Decimal | None
) -> Decimal:
    """Dollars that the policy wants to hold in this market. It is a position: a repeated forecast adds nothing."""
    match policy:
        case Policy.FLAT:
            return FLAT_STAKE
        case Policy.QUARTER_KELLY:
            return KELLY_PART * kelly_fraction(chance, cost) * situation.equity
        case Policy.SELF_SIZED:
            return ZERO if stake is None else stake
