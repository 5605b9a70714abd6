"""What will really happen, and how likely it looks now: the hidden truth behind an event's markets.

Both models are martingales by construction, so the simulated odds are honest: of all markets that stood at 0.30,
three in ten settle yes. Time and randomness come in; steps of any length give the same law.

- `Value`: a number that drifts until the close. A market asks whether it ends inside (floor, cap].
- `Choice`: one of several outcomes is drawn at the start, and evidence for it leaks out until the close.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Any

StrikeRange = tuple[float | None, float | None]


@dataclass(slots=True)
class NumberProcess:
    """A number with a normal walk of `spread` per square root of a second."""

    mean: float
    spread: float
    now: float
    end: float
    spans: dict[str, StrikeRange]
    decimals: int

    def advance(self, now: float, rng: Random) -> None:
        seconds = min(now, self.end) - self.now
        if seconds > 0:
            self.mean += rng.gauss(0.0, self.spread * math.sqrt(seconds))
            self.now += seconds

    def probability(self, ticker: str) -> float:
        floor, cap = self.spans[ticker]
        left = self.spread * math.sqrt(max(self.end - self.now, 0.0))
        return self._below(cap, left) - self._below(floor, left, missing=0.0)

    def truth(self, ticker: str) -> bool:
        """The outcome, once `now` has reached the end."""
        floor, cap = self.spans[ticker]
        value = round(self.mean, self.decimals)
        return (floor is None or value > floor) and (cap is None or value <= cap)

    def expiration_value(self, ticker: str) -> str:
        del ticker
        return f"{self.mean:.{self.decimals}f}"

    def _below(self, border: float | None, left: float, *, missing: float = 1.0) -> float:
        if border is None:
            return missing
        if left <= 0:
            return 1.0 if self.mean <= border else 0.0
        return 0.5 * (1 + math.erf((border - self.mean) / (left * math.sqrt(2))))


@dataclass(slots=True)
class ChoiceProcess:
    """One of several outcomes is true; `weights` are log odds that the evidence so far supports."""

    weights: dict[str, float]
    winner: str
    evidence: float
    """Information per second about the winner."""
    now: float
    end: float

    def advance(self, now: float, rng: Random) -> None:
        seconds = min(now, self.end) - self.now
        if seconds > 0:
            scale = math.sqrt(self.evidence)
            for name in self.weights:
                drift = scale * seconds if name == self.winner else 0.0
                self.weights[name] += scale * (drift + rng.gauss(0.0, math.sqrt(seconds)))
            self.now += seconds

    def probability(self, ticker: str) -> float:
        top = max(self.weights.values())
        odds = {name: math.exp(weight - top) for name, weight in self.weights.items()}
        return odds[ticker] / sum(odds.values())

    def truth(self, ticker: str) -> bool:
        return ticker == self.winner

    def expiration_value(self, ticker: str) -> str:
        return "Yes" if self.truth(ticker) else "No"


OutcomeProcess = NumberProcess | ChoiceProcess


def draw_name(odds: dict[str, float], rng: Random) -> str:
    """One name, each as likely as its share."""
    return rng.choices(list(odds), weights=list(odds.values()))[0]


def latent_from(row: dict[str, Any]) -> OutcomeProcess:
    """The model back from its stored fields."""
    if "spans" in row:
        spans = {ticker: (span[0], span[1]) for ticker, span in row["spans"].items()}
        return NumberProcess(**{**row, "spans": spans})
    return ChoiceProcess(**row)
