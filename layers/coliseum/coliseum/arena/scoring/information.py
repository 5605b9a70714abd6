"""Measures what an agent knows that the market and the other agents do not know. Pure.

The pool of a question is the mean log-odds of the market and of all agents that answered. The contribution of an agent
is how much worse the Brier score of the pool is without it. Agents that pool the others are left out, because their
forecasts are made of the others'. A copy of the market only adds weight to the market. If it is the only agent, its
contribution is exactly 0.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Floats, counts, natural_log, number, totals
from coliseum.arena.scoring.brier import LOG_FLOOR, brier
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.clusters import event_clusters
from coliseum.arena.scoring.nesting import nest

PLACES = 9
"""Results are rounded to these places, because `exp` may differ in its last bit between machines."""


@dataclass(frozen=True, slots=True)
class Information:
    """Brier score of the pool without the agent minus with it, event-weighted.

    `error` is its standard error by cluster, None below two clusters.
    """

    mean: float
    error: float | None


def information(table: CellTable, pools: Collection[str] = ()) -> dict[str, Information]:
    """The contribution of each agent over its paired cells. `pools`, and agents without a paired cell, are absent."""
    counts_in_pool = np.array([agent not in pools for agent in table.agents], dtype=np.bool_)
    paired = table.select(table.paired & counts_in_pool[table.agent])
    own, market = _log_odds(paired.p), _log_odds(paired.q)
    size = int(paired.question.max()) + 1 if len(paired) else 0
    others = totals(own, paired.question, size)[paired.question] - own
    pool_size = counts(paired.question, size)[paired.question] + 1  # agents and the market
    without = brier(_probability((others + market) / (pool_size - 1)), paired.y)
    gained = without - brier(_probability((others + market + own) / pool_size), paired.y)
    level = nest(paired, np.ones(len(paired), dtype=np.bool_))
    values = level.event_values(gained)
    means, errors = level.mean(values), level.error(values, event_clusters(table))
    events = level.event_counts()
    return {
        agent: Information(round(float(means[code]), PLACES), _rounded(number(errors[code])))
        for code, agent in enumerate(table.agents)
        if events[code]
    }


def _log_odds(p: Floats) -> Floats:
    inside = np.clip(p, LOG_FLOOR, 1 - LOG_FLOOR)
    return natural_log(inside) - natural_log(1 - inside)


def _probability(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, PLACES)
