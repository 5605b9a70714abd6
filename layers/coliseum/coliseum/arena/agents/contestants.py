"""Contestants that need no model: each a stated rule over the frozen context, the control group of the arena. Pure.

They compute with floats in log-odds and answer with clamped four-place probabilities. None means they have nothing to
go by and abstain. The formulas are in docs/scoring.md, "Contestants".
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from statistics import fmean
from typing import Any

from coliseum.arena.forecasts import Forecast, Track, clamped
from coliseum.trading.money import decimal_text

Context = Mapping[str, Any]
Rule = Callable[[Context, Mapping[str, float], int], tuple[float | None, dict[str, float]]]

SHRINK = 1.15
"""Prices of long shots are too high and of favourites too low: log-odds are stretched by this."""
PRIOR_YES, PRIOR_NO = 1.0, 1.5
"""Beta prior of the base rate: a little more NO than YES, as on resolved markets at large."""
MOMENTUM = 0.5
REVERSION = 0.5
DECAY = 0.25
POOLED = 2
"""The fewest forecasts that make a consensus."""


def forecast(rule: str, context: Context, *, parameters: Mapping[str, float], seed: int) -> Forecast:
    """The answer of one rule of `RULES`; `seed` matters to `noise` alone."""
    probability, numbers = RULES[rule](context, parameters, seed)
    shown = {name: format(value, ".6g") for name, value in numbers.items()}
    if probability is None:
        return Forecast(probability=None, rationale=f"{rule}: nothing to go by", numbers=shown)
    return Forecast(
        probability=clamped(Decimal(repr(probability))),
        rationale=f"{rule}: " + ", ".join(f"{name} {value}" for name, value in shown.items()),
        numbers=shown,
    )


def track_of(rule: str) -> Track:
    """Rules that read the price play on the aware track, the others blind."""
    return Track.BLIND if rule in {"base_rate", "uniform", "noise"} else Track.AWARE


def _market(context: Context, _: Mapping[str, float], __: int) -> tuple[float | None, dict[str, float]]:
    quote = _quote(context)
    return quote, {} if quote is None else {"market": quote}


def _shrunk(context: Context, parameters: Mapping[str, float], _: int) -> tuple[float | None, dict[str, float]]:
    quote = _quote(context)
    if quote is None:
        return None, {}
    factor = parameters.get("factor", SHRINK)
    return _expit(factor * _logit(quote)), {"market": quote, "factor": factor}


def _base_rate(context: Context, parameters: Mapping[str, float], _: int) -> tuple[float | None, dict[str, float]]:
    yes, resolved = float(context["precedent"]["yes"]), float(context["precedent"]["resolved"])
    prior_yes, prior_no = parameters.get("prior_yes", PRIOR_YES), parameters.get("prior_no", PRIOR_NO)
    rate = (yes + prior_yes) / (resolved + prior_yes + prior_no)
    return rate, {"yes": yes, "resolved": resolved, "rate": rate}


def _momentum(context: Context, parameters: Mapping[str, float], _: int) -> tuple[float | None, dict[str, float]]:
    return _drifted(context, parameters.get("weight", MOMENTUM))


def _reversion(context: Context, parameters: Mapping[str, float], _: int) -> tuple[float | None, dict[str, float]]:
    return _drifted(context, -parameters.get("weight", REVERSION))


def _drifted(context: Context, weight: float) -> tuple[float | None, dict[str, float]]:
    """The quote moved by `weight` times how far it stands from the mean of its history, in log-odds."""
    quote, history = _quote(context), [float(price) for _, price in context.get("history", ())]
    if quote is None or len(history) < 3:
        return quote, {} if quote is None else {"market": quote, "points": float(len(history))}
    move = _logit(quote) - fmean(_logit(price) for price in history)
    return _expit(_logit(quote) + weight * move), {"market": quote, "move": move, "weight": weight}


def _time_decay(context: Context, parameters: Mapping[str, float], _: int) -> tuple[float | None, dict[str, float]]:
    """Nothing ever happens: the nearer the close, the further from YES, while YES is not yet the favourite."""
    quote = _quote(context)
    if quote is None:
        return None, {}
    question = context["question"]
    start, end, now = (_time(text) for text in (question["open_time"], question["close_time"], context["as_of"]))
    passed = min(1.0, max(0.0, (now - start) / (end - start))) if end > start else 1.0
    pull = parameters.get("pull", DECAY) * passed if quote < 0.5 else 0.0
    return _expit(_logit(quote) - pull), {"market": quote, "passed": passed, "pull": pull}


def _uniform(_: Context, __: Mapping[str, float], ___: int) -> tuple[float | None, dict[str, float]]:
    return 0.5, {"always": 0.5}


def _noise(context: Context, _: Mapping[str, float], seed: int) -> tuple[float | None, dict[str, float]]:
    digest = hashlib.sha256(f"{seed}\x1f{context['question']['ticker']}".encode()).digest()
    draw = int.from_bytes(digest[:7], "big") / 2**56
    return draw, {"draw": draw}


RULES: dict[str, Rule] = {
    "market": _market,
    "shrunk_market": _shrunk,
    "base_rate": _base_rate,
    "momentum": _momentum,
    "mean_reversion": _reversion,
    "time_decay": _time_decay,
    "uniform": _uniform,
    "noise": _noise,
}


def consensus(probabilities: Mapping[str, float]) -> float | None:
    """The panel's pooled probability: the mean of its log-odds (Satopää et al. 2014, without extremising)."""
    if not probabilities:
        return None
    return _expit(fmean(_logit(value) for value in probabilities.values()))


def pooled(panel: Mapping[str, Decimal]) -> Forecast:
    """The consensus of what the panel said, by agent; it abstains below two voices."""
    numbers = {agent_id: decimal_text(p) for agent_id, p in sorted(panel.items())}
    probability = consensus({agent_id: float(p) for agent_id, p in panel.items()})
    if probability is None or len(panel) < POOLED:
        return Forecast(probability=None, rationale="consensus: too few forecasts to pool", numbers=numbers)
    return Forecast(
        probability=clamped(Decimal(repr(probability))),
        low=min(panel.values()),
        high=max(panel.values()),
        rationale=f"consensus: {len(panel)} forecasts pooled in log-odds",
        numbers=numbers,
    )


def _quote(context: Context) -> float | None:
    text = (context.get("quote") or {}).get("probability")
    return None if text is None else float(text)


def _logit(probability: float) -> float:
    inside = min(0.999, max(0.001, probability))
    return math.log(inside / (1 - inside))


def _expit(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
