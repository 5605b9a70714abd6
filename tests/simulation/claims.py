"""How often claims are supported: false ones (at most 2.5 %, ever) and true ones.

A false claim is `above 0` about an agent with no skill: the truth is half-way between price and agent in each event, or
the price is right. Every season is judged by the engine's own code, from a table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from tests.simulation.seasons import (
    Codes,
    Seasons,
    between,
    biased_truth,
    clusters_of,
    forecasts,
    outcomes,
    prices,
    table_of,
)

from coliseum.arena.claims import Claim, claim_from
from coliseum.arena.scoring.claim_verdicts import ClaimVerdict, look_at_claim

SHAPES = ("mid", "U", "lo", "hi")
TRUTHS = ("price", "zero", "biased")
RULES = ("every_look", "clusters")
CLUSTERS = 200
SEASONS = 500


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of the seasons."""

    false: float
    """In which a false claim was supported."""
    refuted: float
    """In which it was refuted, as is right if the skill is below 0."""


def supported(
    shape: str,
    *,
    rule: str,
    seasons: int,
    clusters: int = CLUSTERS,
    truth: str = "zero",
    sizes: tuple[int, ...] = (1,),
    dependence: float = 0.0,
    seed: int = 1,
) -> Rates:
    """The verdicts on `the agent is better than the market` where it is not."""
    rng = np.random.default_rng([seed, SHAPES.index(shape), TRUTHS.index(truth), clusters])
    made = _seasons(rng, shape, truth, clusters_of(sizes, clusters), seasons=seasons, dependence=dependence)
    claim, verdicts = _claim(rule, clusters), []
    for season in range(seasons):
        table = table_of(made, season)
        counted = np.ones(len(table.events), dtype=np.bool_)
        found = look_at_claim(claim, table, counted_events=counted, left_out=frozenset(), until=math.inf)
        verdicts.append(found.verdict)
    return Rates(
        false=sum(verdict is ClaimVerdict.SUPPORTED for verdict in verdicts) / seasons,
        refuted=sum(verdict is ClaimVerdict.REFUTED for verdict in verdicts) / seasons,
    )


def _claim(rule: str, clusters: int) -> Claim:
    stopping = {"rule": rule, "count": clusters} if rule == "clusters" else {"rule": rule}
    return claim_from({"agent": "agent", "direction": "above", "population": {}, "stopping": stopping, "text": "x"})


def _seasons(
    rng: np.random.Generator, shape: str, truth: str, cluster: Codes, *, seasons: int, dependence: float
) -> Seasons:
    q = prices(rng, shape, (seasons, len(cluster)))
    p = forecasts(rng, "noise", q)
    if truth == "biased":  # the price is wrong, and the agent is never on the side of the truth
        real = biased_truth(q)
        p = np.where((p > q) == (real > q), q, p)
    else:
        real = between(q, p, 0.5 if truth == "zero" else 0.0)
    y = outcomes(rng, real, cluster, dependence=dependence, turned=p < q)
    return Seasons(q=q, p=p, truth=real, y=y, cluster=cluster)


def run(seasons: int | None) -> None:
    """Print a table: the share of seasons in which a false claim is supported, and in which it is refuted."""
    number = seasons or SEASONS
    print(f"false claims, {number} seasons of {CLUSTERS} clusters: supported / refuted, %")
    for rule, truth in product(RULES, TRUTHS):
        for sizes, dependence in (((1,), 0.0), ((1, 3, 10), 1.0)):
            cells = []
            for shape in SHAPES:
                rates = supported(shape, rule=rule, truth=truth, seasons=number, sizes=sizes, dependence=dependence)
                cells.append(f"{shape} {100 * rates.false:.1f} / {100 * rates.refuted:.1f}")
            print(f"{rule:10} {truth:6} sizes {','.join(map(str, sizes)):6} " + "   ".join(cells), flush=True)
