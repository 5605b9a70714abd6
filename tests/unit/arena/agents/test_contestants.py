from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.agents.contexts import context

from coliseum.arena.agents.contestants import (
    RULES,
    Context,
    Parameters,
    RuleAnswer,
    consensus,
    forecast,
    reads_price,
)
from coliseum.arena.forecasts import HIGHEST, LOWEST, Track
from coliseum.arena.frozen_context import visible_context

D = Decimal


def said(rule: str, seed: int = 7, **changes: Any) -> Decimal | None:
    return forecast(rule, context(**changes), parameters={}, seed=seed).probability


@pytest.mark.parametrize(
    ("rule", "probability"),
    [
        ("market", "0.3100"),
        ("shrunk_market", "0.2849"),
        ("base_rate", "0.3059"),
        ("momentum", "0.3214"),
        ("mean_reversion", "0.2989"),
        ("time_decay", "0.2890"),
        ("uniform", "0.5000"),
    ],
)
def test_each_rule_says_what_its_formula_gives(rule: str, probability: str) -> None:
    assert said(rule) == D(probability)


def test_two_formulas_agree_with_a_calculation_by_hand() -> None:
    """base_rate: (12 + 1) / (40 + 1 + 1.5); time_decay: 24 of 60 hours have passed, pull 0.25 * 0.4 in log-odds."""
    assert said("base_rate") == D(repr(13 / 42.5)).quantize(D("0.0001"))
    odds = 0.31 / 0.69 * 2.718281828459045**-0.1
    assert said("time_decay") == D(repr(odds / (1 + odds))).quantize(D("0.0001"))


@pytest.mark.parametrize("rule", ["market", "shrunk_market", "momentum", "mean_reversion", "time_decay"])
def test_a_rule_that_reads_the_price_abstains_without_a_quote(rule: str) -> None:
    made = forecast(rule, context(quote={"probability": None}), parameters={}, seed=7)
    assert made.abstain
    assert made.rationale == f"{rule}: nothing to go by"


def test_a_young_market_has_neither_momentum_nor_mean() -> None:
    for rule in ("momentum", "mean_reversion"):
        assert said(rule, history=[[1795240000, "0.2"]]) == D("0.3100")


def test_noise_differs_between_rounds_and_markets_and_repeats_itself() -> None:
    assert said("noise", seed=1) == said("noise", seed=1) != said("noise", seed=2)
    other = {**context()["question"], "ticker": "KXRAIN-26NOV22-BOS"}
    assert said("noise", seed=1) != said("noise", seed=1, question=other)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_answers_from_what_its_track_shows(rule: str) -> None:
    track = Track.AWARE if reads_price(RULES[rule], {}) else Track.BLIND
    shown = forecast(rule, visible_context(context(), track), parameters={}, seed=7)
    assert not shown.abstain
    assert shown == forecast(rule, context(), parameters={}, seed=7)


def test_rules_that_read_no_price_answer_the_same_at_every_price() -> None:
    blind = [rule for rule in RULES.values() if not reads_price(rule, {})]
    assert blind
    cheap, dear = context(quote={"probability": "0.1"}), context(quote={"probability": "0.9"}, history=[])
    for rule in blind:
        assert rule(cheap, {}, 5) == rule(dear, {}, 5)


@given(st.sampled_from(sorted(RULES)), st.decimals("0.01", "0.99", places=2), st.integers(0, 2**48), st.integers(0, 99))
def test_every_answer_is_a_clamped_probability_that_explains_itself(
    rule: str, quote: Decimal, seed: int, yes: int
) -> None:
    changes = {"quote": {"probability": str(quote)}, "precedent": {"yes": yes, "resolved": 99}}
    made = forecast(rule, context(**changes), parameters={}, seed=seed)
    assert made.probability is not None
    assert LOWEST <= made.probability <= HIGHEST
    assert made.numbers
    assert made.rationale.startswith(f"{rule}: ")


@pytest.mark.parametrize(
    "read",
    [
        lambda context: context.get("history"),
        lambda context: "quote" in context,
        lambda context: [part for name, part in context.items() if name == "activity"],
        lambda context: [*context.values()],
        lambda context: context.keys() & {"quote"},
        lambda context: [*context],
        lambda context: {**context}.get("quote"),
        json.dumps,
    ],
    ids=["get", "in", "items", "values", "keys", "iteration", "unpacking", "json"],
)
def test_a_rule_that_looks_at_a_price_without_effect_on_its_answer_is_noticed(read: Callable[[Any], object]) -> None:
    def rule(context: Context, parameters: Parameters, seed: int) -> RuleAnswer:
        read(context)
        return 0.5, {}

    assert reads_price(rule, {})


@pytest.mark.parametrize(
    "answer",
    [
        lambda context: float(context["quote"]["probability"]),
        lambda context: 1 / len(context),
        lambda context: 1 / len(json.dumps(dict.copy(context))),
        lambda context: 0.5 if dict.__contains__(context, "quote") else None,
        lambda context: 1 / (len(context) - 5),
    ],
    ids=["item", "length", "copy", "abstention", "error"],
)
def test_a_rule_whose_answer_or_error_depends_on_the_priced_parts_is_noticed(answer: Callable[[Any], Any]) -> None:
    assert reads_price(lambda context, parameters, seed: (answer(context), {}), {})


def test_a_rule_is_judged_with_its_own_parameters() -> None:
    def blend(context: Context, parameters: Parameters, seed: int) -> RuleAnswer:
        return (float(context["quote"]["probability"]) if parameters["weight"] else 0.5), {}

    assert reads_price(blend, {"weight": 1.0})
    assert not reads_price(blend, {"weight": 0.0})


def test_a_rule_that_fails_without_a_look_at_the_price_reads_none() -> None:
    assert not reads_price(lambda context, parameters, seed: (parameters["absent"], {}), {})


PANEL = st.dictionaries(st.text(min_size=1, max_size=5), st.floats(0.01, 0.99), min_size=1, max_size=8)


@given(PANEL)
def test_the_consensus_lies_within_its_panel(panel: dict[str, float]) -> None:
    pooled = consensus(panel)
    assert pooled is not None
    assert min(panel.values()) - 1e-9 <= pooled <= max(panel.values()) + 1e-9


@given(st.floats(0.01, 0.99))
def test_opposite_opinions_pool_to_one_half(p: float) -> None:
    assert consensus({"a": p, "b": 1 - p}) == pytest.approx(0.5)


def test_no_forecasts_have_no_consensus() -> None:
    assert consensus({}) is None
