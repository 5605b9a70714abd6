"""Limits hold whatever a strategy wants; leaving is always free."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from coliseum.trading.trades import Outcome, Side
from coliseum_local.bot.models import BotPosition, Idle, OrderIntent
from coliseum_local.bot.risk import Limits, RiskState, check

D = Decimal
LIMITS = Limits(contracts_per_market=D(20), exposure=D(100), daily_loss=D(50))
BUY = OrderIntent(
    strategy="s", ticker="T", side=Side.BUY, outcome=Outcome.YES, count=D(10), price=D("0.5"), rests=False, why="w"
)
CALM = RiskState(holdings={}, resting_cost=D(0), equity=D(1000), day_start_equity=D(1000))


def held(contracts: str, cost: str) -> dict[str, BotPosition]:
    return {"T": BotPosition(ticker="T", contracts=D(contracts), cost=D(cost), realized=D(0), fees=D(0))}


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (replace(CALM, holdings=held("-11", "5")), "more than 20 contracts"),
        (replace(CALM, holdings=held("5", "96")), "exposure"),
        (replace(CALM, resting_cost=D("95.01")), "exposure"),
        (replace(CALM, equity=D(950)), "the day's loss of 50.00 reached its limit of 50"),
    ],
)
def test_a_purchase_beyond_a_limit_is_stopped_and_a_sale_is_not(standing: RiskState, reason: str) -> None:
    stopped = check(BUY, standing=standing, limits=LIMITS)
    assert isinstance(stopped, Idle)
    assert reason in stopped.reason
    sale = replace(BUY, side=Side.SELL)
    assert check(sale, standing=standing, limits=LIMITS) is sale


@pytest.mark.parametrize(
    "standing",
    [CALM, replace(CALM, holdings=held("10", "95")), replace(CALM, equity=None), replace(CALM, equity=D(1200))],
)
def test_within_the_limits_the_intent_passes_as_it_is(standing: RiskState) -> None:
    assert check(BUY, standing=standing, limits=LIMITS) is BUY


def test_a_reason_to_stay_out_stays_a_reason() -> None:
    idle = Idle("no")
    assert check(idle, standing=CALM, limits=LIMITS) is idle
