"""Contestants that need no model: fixed rules over the frozen context, and the consensus. Pure.

Rules compute with floats in log-odds and answer with four-place probabilities from 0.01 to 0.99. A rule without the
data that it needs abstains. The formulas are in docs/scoring.md, "Contestants".
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from statistics import fmean
from typing import Any

from coliseum.arena.forecasts import Forecast, Track, clamped
from coliseum.arena.frozen_context import PRICED_KEYS, visible_context
from coliseum.trading.money import decimal_text

Context = Mapping[str, Any]
Parameters = Mapping[str, float]
RuleAnswer = tuple[float | None, dict[str, float]]
"""(probability of YES or None, the numbers that explain it)."""
Rule = Callable[[Context, Parameters, int], RuleAnswer]
"""Called with the part of the context that the rule's track shows, its parameters, and the round's seed."""

SHRINK = 1.15
"""Factor on the log-odds: markets price long shots too high and favourites too low."""
PRIOR_YES, PRIOR_NO = 1.0, 1.5
"""Beta prior of the base rate: more NO than YES, as among all resolved markets."""
MOMENTUM = 0.5
REVERSION = 0.5
DECAY = 0.25
LEAST_POOLED = 2
"""With fewer forecasts the consensus abstains."""


def forecast(rule: str, context: Context, *, parameters: Parameters, seed: int) -> Forecast:
    """The forecast of one rule of `RULES`. Only `noise` uses `seed`. Raises KeyError for an unknown rule."""
    probability, numbers = RULES[rule](context, parameters, seed)
    shown = {name: format(value, ".6g") for name, value in numbers.items()}
    if probability is None:
        return Forecast(probability=None, rationale=f"{rule}: nothing to go by", numbers=shown)
    return Forecast(
        probability=clamped(Decimal(repr(probability))),
        rationale=f"{rule}: " + ", ".join(f"{name} {value}" for name, value in shown.items()),
        numbers=shown,
    )


class _RecordingContext(dict[str, Any]):
    """A context that records which of its top-level parts are read. To go through it counts as reading every part."""

    def __init__(self, content: Context) -> None:
        super().__init__(content)
        self.parts_read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.parts_read.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.parts_read.add(str(name))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self._read_all()
        return super().__iter__()

    def get(self, name: str, default: Any = None) -> Any:
        self.parts_read.add(name)
        return super().get(name, default)

    def keys(self) -> Any:
        self._read_all()
        return super().keys()

    def values(self) -> Any:
        self._read_all()
        return super().values()

    def items(self) -> Any:
        self._read_all()
        return super().items()

    def _read_all(self) -> None:
        self.parts_read.update(super().keys())


_EXAMPLE_CONTEXT: Context = {
    "as_of": "2026-01-01T12:00:00Z",
    "question": {"ticker": "EXAMPLE", "open_time": "2026-01-01T00:00:00Z", "close_time": "2026-01-02T00:00:00Z"},
    "precedent": {"yes": 1, "resolved": 3},
    "sources": [],
    "terms": {},
    "quote": {"yes_bid": "0.3000", "yes_ask": "0.3200", "probability": "0.3100", "last_price": "0.3100"},
    "history": [[1767250800, "0.2800"], [1767254400, "0.2900"], [1767258000, "0.3000"]],
    "activity": {"volume_24h": "100.00", "open_interest": "50.00"},
}


def reads_price(rule: Rule, parameters: Parameters) -> bool:
    """Whether a rule, with these parameters, reads a part of the context that only the aware track shows."""
    recording = _RecordingContext(_EXAMPLE_CONTEXT)
    answer = _answer_or_error(rule, recording, parameters)
    if not recording.parts_read.isdisjoint(PRICED_KEYS):
        return True
    # A dictionary can be read in ways that are not recorded (its length, a copy): then the answers differ.
    return answer != _answer_or_error(rule, visible_context(_EXAMPLE_CONTEXT, Track.BLIND), parameters)


def _answer_or_error(rule: Rule, context: Context, parameters: Parameters) -> RuleAnswer | str:
    """The rule's answer, or the text of its error."""
    try:
        return rule(context, parameters, 0)
    except Exception as error:  # noqa: BLE001 - any error is a reaction to the context, to be compared
        return repr(error)


def _market(context: Context, parameters: Parameters, seed: int) -> RuleAnswer:
    quote = _quote(context)
    return quote, {} if quote is None else {"market": quote}


def _shrunk(context: Context, parameters: Parameters, seed: int) -> RuleAnswer:
    quote = _quote(context)
    if quote is None:
        return None, {}
    factor = parameters.get("factor", SHRINK)
    return _expit(factor * _logit(quote)), {"market": quote, "factor": factor}


def _base_rate(context: Context, parameters: Parameters, seed: int) -> RuleAnswer:
    yes, resolved = float(context["precedent"]["yes"]), float(context["precedent"]["resolved"])
    prior_yes, prior_no = parameters.get("prior_yes", PRIOR_YES), parameters.get("prior_no", PRIOR_NO)
    rate = (yes + prior_yes) / (resolved + prior_yes + prior_no)
    return rate, {"yes": yes, "resolved": resolved, "rate": rate}


def _momentum(context: Context, parameters: Parameters, seed: int) -> RuleAnswer:
    return _drifted(context, parameters.get("weight", MOMENTUM))


def _reversion(context: Context, parameters: Parameters, seed: int) -> RuleAnswer:
    return _drifted(context, -parameters.get("weight", REVERSION))


def _drifted(context: Context, weight: float) -> RuleAnswer:
    """The quote, moved by `weight` times its distance from the mean of its history, in log-odds."""
    quote, history = _quote(context), [float(price) for _, price in context.get("history", ())]
    if quote is None or len(history) < 3:
        return quote, {} if quote is None else {"market": quote, "points": float(len(history))}
    move = _logit(quote) - fmean(_logit(price) for price in history)
    return _expit(_logit(quote) + weight * move), {"market": quote, "move": move, "weight": weight}


def _time_decay(context: Context, parameters: Parameters, seed: int) -> RuleAnswer:
    """Nothing happens: while YES is not the favourite, it loses the more, the nearer the close."""
    quote = _quote(context)
    if quote is None:
        return None, {}
    question = context["question"]
    start, end, now = (_time(text) for text in (question["open_time"], question["close_time"], context["as_of"]))
    passed = min(1.0, max(0.0, (now - start) / (end - start))) if end > start else 1.0
    pull = parameters.get("pull", DECAY) * passed if quote < 0.5 else 0.0
    return _expit(_logit(quote) - pull), {"market": quote, "passed": passed, "pull": pull}


def _uniform(context: Context, parameters: Parameters, seed: int) -> RuleAnswer:
    return 0.5, {"always": 0.5}


def _noise(context: Context, parameters: Parameters, seed: int) -> RuleAnswer:
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

REFERENCES: Mapping[str, str] = {
    "market": "the market's own price",
    "uniform": "says 0.5 to every question",
    "noise": "says a random number",
}
"""Rules that are shown for comparison only and are not ranked, each with the reason in words."""


def consensus(probabilities: Mapping[str, float]) -> float | None:
    """The mean log-odds of the agents' probabilities, as a probability; None without any.

    Source: Satopää et al. 2014, without extremising.
    """
    if not probabilities:
        return None
    return _expit(fmean(_logit(value) for value in probabilities.values()))


def pooled(panel: Mapping[str, Decimal]) -> Forecast:
    """The forecast of the consensus from the probabilities of the others, by agent. Abstains with fewer than two."""
    numbers = {agent_id: decimal_text(p) for agent_id, p in sorted(panel.items())}
    probability = consensus({agent_id: float(p) for agent_id, p in panel.items()})
    if probability is None or len(panel) < LEAST_POOLED:
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
