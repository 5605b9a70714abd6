"""How sure we are: Wilson intervals, cluster bootstrap over events, and what the draws say about ranks. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coliseum.arena.scoring.cells import Floats

DRAWS = 10_000
LEVEL = 0.95
Z = 1.959963984540054
"""The normal distribution's 97.5 % point."""
_CHUNK_NUMBERS = 8_000_000
"""Weights held at once: 64 MB, whatever the number of events."""


def wilson(successes: float, trials: float) -> tuple[float, float] | None:
    """95 % score interval of a proportion (Wilson 1927); None without trials."""
    if trials <= 0:
        return None
    share = successes / trials
    centre = share + Z * Z / (2 * trials)
    spread = Z * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    scale = 1 + Z * Z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def _poisson_table() -> NDArray[np.uint8]:
    """16 random bits -> a Poisson(1) count, by inverting its distribution function at 65,536 steps."""
    probability, cumulative, table = math.exp(-1), 0.0, np.zeros(65_536, dtype=np.uint8)
    for count in range(12):
        start = round(cumulative * 65_536)
        cumulative += probability
        table[start : round(cumulative * 65_536)] = count
        table[round(cumulative * 65_536) :] = count + 1
        probability /= count + 1
    return table


@dataclass(frozen=True)
class Draws:
    """Bootstrap replicates of every agent's mean over events: draws x agents, NaN where an agent drew no event."""

    means: Floats

    def interval(self, agent: int) -> tuple[float, float] | None:
        """The percentile interval of one agent's mean."""
        return percentile_interval(self.means[:, agent])


def percentile_interval(values: Floats) -> tuple[float, float] | None:
    """The middle 95 % of the draws; None where fewer than half of them are numbers."""
    values = values[~np.isnan(values)]
    if len(values) < DRAWS // 200:
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def bootstrap(by_event: Floats, *, seed: int, draws: int = DRAWS) -> Draws:
    """Poisson cluster bootstrap over events (Chamandy et al. 2012): every event gets a Poisson(1) weight.

    `by_event` is agents x events with NaN for absent ones. All agents share the weights of a draw, so
    differences between agents are paired. The weights come from PCG64's raw stream: the same seed gives the same
    draws on every machine.
    """
    agents, events = by_event.shape
    present = ~np.isnan(by_event)
    values = np.where(present, by_event, 0.0).T.copy()
    mask = present.T.astype(np.float64)
    both = np.concatenate([values, mask], axis=1)
    means = np.full((draws, agents), np.nan)
    if not events:
        return Draws(means)
    table, bits = _poisson_table().astype(np.float64), np.random.PCG64(seed)
    words = -(-events // 4)
    step = max(1, min(draws, _CHUNK_NUMBERS // (words * 4)))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        raw = bits.random_raw(rows * words).astype("<u8", copy=False).view("<u2").reshape(rows, words * 4)
        sums = table[raw[:, :events]] @ both
        with np.errstate(invalid="ignore", divide="ignore"):
            means[start : start + rows] = sums[:, :agents] / sums[:, agents:]
    return Draws(means)


@dataclass(frozen=True)
class RankDraws:
    """What the shared draws say about the order of the agents; higher means rank first."""

    interval: tuple[tuple[int, int] | None, ...]
    """95 % interval of the competition rank."""
    best: tuple[float, ...]
    """Probability of being first; a tie for first counts as a share."""


def ranks(draws: Draws) -> RankDraws:
    """Rank intervals and P(best) from the draws in which every agent has a value; agents never drawn get None."""
    means = draws.means
    usable = ~np.isnan(means).all(axis=0)
    filled = np.where(np.isnan(means), -np.inf, means)
    order = 1 + (filled[:, None, :] > filled[:, :, None]).sum(axis=2) if means.shape[1] <= 64 else _ranked(filled)
    first = order == 1
    share = first / np.maximum(first.sum(axis=1, keepdims=True), 1)
    spans: list[tuple[int, int] | None] = []
    for agent in range(means.shape[1]):
        if not usable[agent]:
            spans.append(None)
            continue
        low, high = np.quantile(order[:, agent], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
        spans.append((int(low), int(high)))
    best = np.where(usable, share.mean(axis=0), 0.0)
    return RankDraws(tuple(spans), tuple(float(value) for value in best))


def _ranked(filled: Floats) -> NDArray[np.int64]:
    """Competition ranks row by row, without the agents-squared array."""
    order = np.empty(filled.shape, dtype=np.int64)
    for row, values in enumerate(filled):
        ascending = np.sort(values)
        order[row] = 1 + len(values) - np.searchsorted(ascending, values, side="right")
    return order
