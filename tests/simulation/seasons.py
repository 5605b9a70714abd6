"""Seasons with a known truth: prices, agents, outcomes and clusters, many seasons at once.

Arrays are seasons x events. The events of a season have the same clusters in all seasons. Every part takes the random
generator, so a simulation is the same on every run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coliseum.arena.scoring.cells import CellTable, build_table

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

SHAPES = ("mid", "U", "lo", "hi")
"""Shapes of prices: around one half, extreme at both ends, 2 to 10 %, 90 to 98 %."""
AGENTS = ("follower", "noise", "shrinker", "widener", "rare")
NOISE = 0.5
"""Standard deviation of the log-odds of an agent that knows nothing but the price."""
SHRINK = 1.15
"""Factor of the log-odds of an agent that takes long shots for too dear, as `shrunk_market` does."""
BIAS = 1.15
"""Factor of the price's log-odds that gives the truth, if prices have a favourite-longshot bias."""
DAY = 86_400.0
START = 1_700_000_000.0


@dataclass(frozen=True, kw_only=True)
class Seasons:
    """Prices, forecasts, true probabilities and outcomes of many seasons: seasons x events, in due order."""

    q: Floats
    p: Floats
    truth: Floats
    y: Floats
    cluster: Codes
    """The cluster of each event: 0, 1, 2 … in due order."""

    @property
    def clusters(self) -> int:
        return int(self.cluster[-1]) + 1

    @property
    def skill(self) -> Floats:
        """The Brier score of the price minus that of the agent."""
        return np.square(self.q - self.y) - np.square(self.p - self.y)

    @property
    def expected_skill(self) -> Floats:
        """The expectation of `skill` under the truth."""
        return (self.q - self.p) * (self.q + self.p - 2 * self.truth)


def logit(x: Floats) -> Floats:
    return np.log(x / (1 - x))


def logistic(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def prices(rng: np.random.Generator, shape: str, size: tuple[int, ...]) -> Floats:
    """Prices of one of `SHAPES`."""
    if shape == "mid":
        return logistic(rng.standard_normal(size))
    if shape == "U":
        return np.clip(rng.beta(0.35, 0.6, size), 0.01, 0.99)
    low = rng.uniform(0.02, 0.10, size)
    return low if shape == "lo" else 1 - low


def forecasts(rng: np.random.Generator, agent: str, q: Floats) -> Floats:
    """Forecasts of one of `AGENTS`, made from the price alone.

    `shrinker` takes long shots for too dear, `widener` for too cheap. `rare` follows the price, and in one event of
    twenty it adds 2 to the log-odds.
    """
    if agent == "follower":
        return q.copy()
    if agent == "noise":
        return logistic(logit(q) + NOISE * rng.standard_normal(q.shape))
    if agent == "shrinker":
        return logistic(SHRINK * logit(q))
    if agent == "widener":
        return logistic(logit(q) / SHRINK)
    return np.where(rng.random(q.shape) < 0.05, logistic(logit(q) + 2), q)


def between(q: Floats, p: Floats, share: float | Floats) -> Floats:
    """The truth on the line from price to agent: 0 the price is right, 0.5 no skill, 1 the agent is right."""
    return np.clip(q + share * (p - q), 0.0, 1.0)


def biased_truth(q: Floats) -> Floats:
    """The truth where prices have a favourite-longshot bias."""
    return logistic(BIAS * logit(q))


def clusters_of(sizes: tuple[int, ...], clusters: int) -> Codes:
    """The cluster of each event, if the sizes repeat: (3,) for all of three, (1, 3, 10) for a mixture."""
    return np.repeat(np.arange(clusters), [sizes[place % len(sizes)] for place in range(clusters)])


def alike(values: Floats, cluster: Codes) -> Floats:
    """The value of the first event of each cluster for all its events."""
    first = np.searchsorted(cluster, cluster)
    return values[:, first]


def outcomes(
    rng: np.random.Generator, truth: Floats, cluster: Codes, *, dependence: float = 0.0, turned: Mask | None = None
) -> Floats:
    """Outcomes with the probabilities `truth`.

    `dependence` is the chance that an event uses its cluster's random number instead of its own: 0 independent, 1
    fully dependent. `turned` marks events that use one minus this number. With `p < q` there, all skills of a cluster
    come out well or badly together, which is the worst dependence for the mean skill.
    """
    shape = truth.shape
    own, shared = rng.random(shape), rng.random((shape[0], int(cluster[-1]) + 1))[:, cluster]
    if turned is not None:
        shared = np.where(turned, 1 - shared, shared)
    follows = rng.random(shape) < dependence
    return (np.where(follows, shared, own) < truth).astype(np.float64)


def ability(rng: np.random.Generator, seasons: int, clusters: int, *, memory: float = 0.95) -> Floats:
    """Skill that comes and goes: the share of `between` for each cluster, an AR(1) process around 0.5, in [0, 1]."""
    state = rng.standard_normal(seasons)
    states = np.empty((seasons, clusters))
    for place in range(clusters):
        states[:, place] = state
        state = memory * state + np.sqrt(1 - memory**2) * rng.standard_normal(seasons)
    return np.clip(0.5 + 0.5 * states, 0.0, 1.0)


def cluster_sums(values: Floats, cluster: Codes) -> Floats:
    """The sums over the events of each cluster: seasons x clusters."""
    return np.add.reduceat(values, np.searchsorted(cluster, np.arange(int(cluster[-1]) + 1)), axis=1)


def table_of(seasons: Seasons, season: int) -> CellTable:
    """One season as a table for the engine: one market an event, one cluster due a day, settled when it is due."""
    events = seasons.q.shape[1]
    due_at = np.asarray(START + DAY * seasons.cluster, dtype=np.float64)
    return build_table(
        agent=["agent"] * events,
        event=[f"e{event:05}" for event in range(events)],
        market=[f"m{event:05}" for event in range(events)],
        window=["1"] * events,
        p=seasons.p[season],
        q=seasons.q[season],
        y=seasons.y[season],
        cluster=[f"c{cluster:05}" for cluster in seasons.cluster],
        due_at=due_at,
        settled_at=due_at,
    )
