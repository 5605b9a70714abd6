"""How an event's outcome comes about: the true probability of each market over time, and the result at the end.

Both models are martingales, so the simulated odds are calibrated: of all markets that stood at 0.30, three in ten
settle yes. Time and randomness are arguments; one long step has the same distribution as many short ones.

- `NumberProcess`: a number makes a random walk until the close. A market asks whether it ends inside (floor, cap].
- `ChoiceProcess`: one of several outcomes is drawn at the start, and evidence for it arrives until the close.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

StrikeRange = tuple[float | None, float | None]


@dataclass(slots=True)
class NumberProcess:
    """A Gaussian random walk from `now` to `end`, both in unix seconds."""

    mean: float
    """Where the number stands, which is also what it is expected to end at."""
    spread: float
    """Standard deviation per square root of a second."""
    now: float
    end: float
    spans: dict[str, StrikeRange]
    """(floor, cap] of each market by ticker; None is open."""
    decimals: int
    """Digits after the point in the published result."""

    def advance(self, now: float, rng: Random) -> None:
        """Move to `now`, at most to the end."""
        seconds = min(now, self.end) - self.now
        if seconds > 0:
            self.mean += rng.gauss(0.0, self.spread * math.sqrt(seconds))
            self.now += seconds

    def probability(self, ticker: str) -> float:
        """That the market resolves to yes: P(floor < number <= cap) of a normal distribution."""
        floor, cap = self.spans[ticker]
        left = self.spread * math.sqrt(max(self.end - self.now, 0.0))
        return self._below(cap, left) - self._below(floor, left, missing=0.0)

    def truth(self, ticker: str) -> bool:
        """Whether the market resolves to yes, once `now` has reached the end."""
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
    """One of several outcomes, `winner`, is true, and the evidence for it grows from `now` to `end`.

    Source: log-likelihoods of the outcomes when the winner drives a Brownian motion with drift; the posterior of such
    a problem is a martingale.
    """

    weights: dict[str, float]
    """Log odds of each outcome, given the evidence so far."""
    winner: str
    evidence: float
    """Information per second about the winner."""
    now: float
    end: float

    def advance(self, now: float, rng: Random) -> None:
        """Move to `now`, at most to the end."""
        seconds = min(now, self.end) - self.now
        if seconds > 0:
            scale = math.sqrt(self.evidence)
            for name in self.weights:
                drift = scale * seconds if name == self.winner else 0.0
                self.weights[name] += scale * (drift + rng.gauss(0.0, math.sqrt(seconds)))
            self.now += seconds

    def probability(self, ticker: str) -> float:
        """That this outcome is the winner: the softmax of the weights."""
        top = max(self.weights.values())  # subtracted, so that exp() cannot overflow
        odds = {name: math.exp(weight - top) for name, weight in self.weights.items()}
        return odds[ticker] / sum(odds.values())

    def truth(self, ticker: str) -> bool:
        return ticker == self.winner

    def expiration_value(self, ticker: str) -> str:
        return "Yes" if self.truth(ticker) else "No"


OutcomeProcess = NumberProcess | ChoiceProcess


def draw_name(odds: dict[str, float], rng: Random) -> str:
    """One of the names, drawn with probability proportional to its share."""
    return rng.choices(list(odds), weights=list(odds.values()))[0]
