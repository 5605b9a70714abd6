"""What an agent knows that the market and the others do not. Pure.

The pool of a question is the mean log-odds of the market and of all who answered. An agent's contribution is how much
worse the pool's Brier score is without it. Whoever pools the others is no voice of its own and left out. A copy of the
market adds weight to the market and nothing else: alone beside it, exactly 0.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Floats, counts, natural_log, number, totals
from coliseum.arena.scoring.brier import LOG_FLOOR, brier
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.nesting import nest

PLACES = 9
"""`exp` may differ in its last bit between machines."""


@dataclass(frozen=True, slots=True)
class Information:
    """Brier of the pool without the agent minus with it, event-weighted; the error needs two events."""

    mean: float
    error: float | None


def information(table: CellTable, pools: Collection[str] = ()) -> dict[str, Information]:
    """Agent -> its contribution over the paired cells; `pools`, and agents without such a cell, are absent."""
    speaks = np.array([agent not in pools for agent in table.agents], dtype=np.bool_)
    paired = table.select(table.paired & speaks[table.agent])
    own, market = _log_odds(paired.p), _log_odds(paired.q)
    size = int(paired.question.max()) + 1 if len(paired) else 0
    others = totals(own, paired.question, size)[paired.question] - own
    voices = counts(paired.question, size)[paired.question] + 1  # the market is one of them
    without = brier(_probability((others + market) / (voices - 1)), paired.y)
    gained = without - brier(_probability((others + market + own) / voices), paired.y)
    level = nest(paired, np.ones(len(paired), dtype=np.bool_))
    values = level.event_values(gained)
    means, errors, events = level.mean(values), level.error(values), level.number()
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
