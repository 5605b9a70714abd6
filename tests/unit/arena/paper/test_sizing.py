from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.paper.account import PaperPosition
from coliseum.arena.paper.sizing import (
    CATEGORY_SHARE,
    EVENT_SHARE,
    GROSS_SHARE,
    MARKET_SHARE,
    MINIMUM_EDGE,
    NoTrade,
    PaperOrder,
    Policy,
    TradeReason,
    TradingSituation,
    kelly_fraction,
    policies_of,
    size,
    stopped,
)
from coliseum.trading.fees import unrounded_fee
from coliseum.trading.markets import Level
from coliseum.trading.trades import Outcome

YES, NO = Outcome.YES, Outcome.NO
CALM = TradingSituation(
    yes_asks=(Level(D("0.40"), D(1000)),),
    no_asks=(Level(D("0.62"), D(1000)),),
    active=True,
    seconds_to_close=3600,
    snapshot_age_seconds=1,
    answer_seconds=40,
    volume_24h=D(100_000),
    cash=D(10_000),
    equity=D(10_000),
    event_exposure=D(0),
    category_exposure=D(0),
    gross_exposure=D(0),
    reduce_only=False,
    held=None,
)
YES_COST = D("0.40") + unrounded_fee(price=D("0.40"), count=D(1))


def held(side: Outcome, contracts: int, basis: int) -> dict[str, Any]:
    exposure = dict.fromkeys(("event_exposure", "category_exposure", "gross_exposure"), D(basis))
    return {"held": PaperPosition(side, D(contracts), D(basis)), **exposure}


REFUSALS: list[tuple[dict[str, Any], D | None, Policy, TradeReason]] = [
    ({}, None, Policy.FLAT, TradeReason.ABSTAINED),
    ({"active": False}, D("0.6"), Policy.FLAT, TradeReason.INACTIVE),
    ({"seconds_to_close": 599}, D("0.6"), Policy.FLAT, TradeReason.NEAR_CLOSE),
    ({"snapshot_age_seconds": 61}, D("0.6"), Policy.FLAT, TradeReason.STALE),
    ({"answer_seconds": 900.001}, D("0.6"), Policy.FLAT, TradeReason.LATE),
    ({"yes_asks": ()}, D("0.6"), Policy.FLAT, TradeReason.NO_QUOTE),
    ({"no_asks": ()}, D("0.6"), Policy.FLAT, TradeReason.NO_QUOTE),
    ({"no_asks": (Level(D("0.71"), D(9)),)}, D("0.6"), Policy.FLAT, TradeReason.WIDE),
    ({}, D("0.43"), Policy.FLAT, TradeReason.NO_EDGE),
    ({"multiplier": None}, D("0.6"), Policy.FLAT, TradeReason.UNKNOWN_FEE),
    ({"reduce_only": True}, D("0.6"), Policy.FLAT, TradeReason.REDUCE_ONLY),
    ({}, D("0.6"), Policy.SELF_SIZED, TradeReason.NO_STAKE),
    (held(YES, 125, 50), D("0.6"), Policy.FLAT, TradeReason.HELD),
    (held(YES, 1250, 500), D("0.9"), Policy.QUARTER_KELLY, TradeReason.MARKET_LIMIT),
    ({"event_exposure": D(1000)}, D("0.6"), Policy.FLAT, TradeReason.EVENT_LIMIT),
    ({"category_exposure": D(3000)}, D("0.6"), Policy.FLAT, TradeReason.CATEGORY_LIMIT),
    ({"gross_exposure": D(8000)}, D("0.6"), Policy.FLAT, TradeReason.GROSS_LIMIT),
    ({"cash": D("0.10")}, D("0.6"), Policy.FLAT, TradeReason.CASH),
    ({"cash": D(-5)}, D("0.6"), Policy.FLAT, TradeReason.CASH),
    ({"volume_24h": D(49)}, D("0.6"), Policy.FLAT, TradeReason.VOLUME_LIMIT),
]


@pytest.mark.parametrize(("changes", "probability", "policy", "reason"), REFUSALS)
def test_every_limit_refuses_with_its_reason(
    changes: dict[str, Any], probability: D | None, policy: Policy, reason: TradeReason
) -> None:
    assert size(probability, replace(CALM, **changes), policy) == NoTrade(reason)


def test_every_reason_but_those_of_the_walk_and_the_trade_is_in_the_table() -> None:
    elsewhere = {TradeReason.TRADED, TradeReason.NO_DEPTH}
    assert {reason for *_, reason in REFUSALS} | elsewhere == set(TradeReason)


def test_flat_wants_fifty_dollars_of_the_better_side() -> None:
    order = size(D("0.6"), CALM, Policy.FLAT)
    assert isinstance(order, PaperOrder)
    assert (order.side, order.probability, order.closing, order.budget) == (YES, D("0.6"), D(0), D(50))
    assert order.contracts == D(50) / YES_COST
    other = size(D("0.2"), CALM, Policy.FLAT)
    assert isinstance(other, PaperOrder)
    assert (other.side, other.probability) == (NO, D("0.8"))


def test_flat_tops_up_what_an_earlier_order_did_not_get() -> None:
    order = size(D("0.6"), replace(CALM, **held(YES, 50, 20)), Policy.FLAT)
    assert isinstance(order, PaperOrder)
    assert order.budget == 30


def test_quarter_kelly_takes_a_quarter_of_the_growth_optimal_part_after_fees() -> None:
    order = size(D("0.45"), CALM, Policy.QUARTER_KELLY)
    assert isinstance(order, PaperOrder)
    assert order.budget == D("0.25") * (D("0.45") - YES_COST) / (1 - YES_COST) * 10_000
    assert order.budget < 10_000 * MARKET_SHARE


def test_the_self_sized_account_takes_the_contestants_own_stake() -> None:
    order = size(D("0.6"), CALM, Policy.SELF_SIZED, stake=D(123))
    assert isinstance(order, PaperOrder)
    assert order.budget == 123
    for policy in (Policy.FLAT, Policy.QUARTER_KELLY):
        assert size(D("0.6"), CALM, policy, stake=D(123)) == size(D("0.6"), CALM, policy)


def test_a_position_of_the_other_side_is_closed_completely_and_frees_its_limits() -> None:
    full = replace(CALM, **held(NO, 800, 500), cash=D(0))
    order = size(D("0.6"), full, Policy.FLAT)
    assert isinstance(order, PaperOrder)
    assert (order.side, order.closing, order.contracts) == (YES, D(800), D(0))
    rich = size(D("0.6"), replace(full, cash=D(1000)), Policy.FLAT)
    assert isinstance(rich, PaperOrder)
    assert (rich.closing, rich.budget) == (D(800), D(50))


def test_a_stopped_account_closes_and_opens_nothing() -> None:
    order = size(D("0.6"), replace(CALM, **held(NO, 80, 50), reduce_only=True), Policy.FLAT)
    assert isinstance(order, PaperOrder)
    assert (order.closing, order.contracts) == (D(80), D(0))


def test_a_sandbox_may_trade_closer_to_the_close() -> None:
    late = replace(CALM, seconds_to_close=60)
    assert size(D("0.6"), late, Policy.FLAT) == NoTrade(TradeReason.NEAR_CLOSE)
    assert isinstance(size(D("0.6"), replace(late, close_margin_seconds=30), Policy.FLAT), PaperOrder)


@pytest.mark.parametrize(
    ("probability", "cost", "fraction"),
    [("0.6", "0.5", "0.2"), ("1", "0.5", "1"), ("0.5", "0.5", "0"), ("0.4", "0.5", "0"), ("0.9", "1", "0")],
)
def test_the_kelly_fraction(probability: str, cost: str, fraction: str) -> None:
    assert kelly_fraction(D(probability), D(cost)) == D(fraction)


@pytest.mark.parametrize(
    ("equity", "day_start", "peak", "reason"),
    [
        ("9001", "10000", "10000", None),
        ("9000", "10000", "10000", "daily_loss"),
        ("9000", "9500", "11900", None),
        ("9000", "9500", "12000", "drawdown"),
    ],
)
def test_losses_stop_an_account_for_the_day(equity: str, day_start: str, peak: str, reason: str | None) -> None:
    assert stopped(equity=D(equity), day_start=D(day_start), peak=D(peak)) == reason


def test_only_models_have_a_self_sized_account() -> None:
    assert set(policies_of("llm")) == set(Policy)
    assert Policy.SELF_SIZED not in {*policies_of("statistical"), *policies_of("consensus")}


DOLLARS = st.integers(min_value=0, max_value=1_200_000).map(lambda cents: D(cents) / 100)


@given(
    probability=st.integers(1, 99).map(lambda cents: D(cents) / 100),
    ask=st.integers(13, 95),
    spread=st.integers(0, 12),
    cash=DOLLARS,
    basis=DOLLARS,
    more=DOLLARS,
    policy=st.sampled_from(Policy),
    side=st.sampled_from([YES, NO, None]),
)
def test_no_order_opens_more_than_any_limit_or_without_an_edge(**drawn: Any) -> None:
    ask, policy, more = drawn["ask"], drawn["policy"], drawn["more"]
    position = None if drawn["side"] is None else PaperPosition(drawn["side"], D(100), drawn["basis"])
    kept = D(0) if position is None else position.basis
    situation = replace(
        CALM,
        yes_asks=(Level(D(ask) / 100, D(1000)),),
        no_asks=(Level(D(100 - ask + drawn["spread"]) / 100, D(1000)),),
        cash=drawn["cash"],
        equity=drawn["cash"] + kept + more,
        held=position,
        event_exposure=kept,
        category_exposure=kept + more / 2,
        gross_exposure=kept + more,
    )
    order = size(drawn["probability"], situation, policy, stake=more)
    if isinstance(order, NoTrade):
        return
    asks = situation.yes_asks if order.side is YES else situation.no_asks
    cost = asks[0].price + unrounded_fee(price=asks[0].price, count=D(1))
    assert order.probability - cost >= MINIMUM_EDGE
    if position is not None and position.side is not order.side:
        assert order.closing == position.contracts
        kept = D(0)
    else:
        assert order.closing == 0
    equity = situation.equity
    assert order.budget <= max(D(0), situation.cash)
    if order.contracts:
        assert kept + order.budget <= equity * MARKET_SHARE <= equity * EVENT_SHARE
        assert kept + more / 2 + order.budget <= equity * CATEGORY_SHARE
        assert kept + more + order.budget <= equity * GROSS_SHARE
        assert order.contracts * cost <= order.budget + D("1e-20")
