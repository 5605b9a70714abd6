"""Checks whether an agent's forecasts of one event fit together, and what a contradiction would cost. Pure.

An agent that trades at probabilities which contradict each other can be made to lose for certain (de Finetti 1937).
The loss here allows at most one contract per market:
- at most one market is YES: the amount by which the sum of the forecasts exceeds 1;
- exactly one market is YES: the distance of the sum from 1;
- a ladder of thresholds: the best set of pairs in which the less likely market has the higher forecast.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, counts, number, ratio, totals
from coliseum.arena.scoring.cells import STRUCTURES, CellTable
from coliseum.errors import InvalidInput

EXCLUSIVE, EXHAUSTIVE, ABOVE, BELOW = range(len(STRUCTURES))
MOST_SHOWN = 10
"""Markets that a contradiction names at most."""
_STEP = 1e-9
"""A smaller contradiction is a rounding error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """The set of forecasts that would cost an agent most."""

    event: str
    window: str
    cents: float
    markets: tuple[str, ...]
    """On a ladder the pair with the largest wrong difference, otherwise the likeliest markets, at most ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coherence:
    """The coherence of one agent. Means are None where nothing could be checked."""

    sets: int
    """(event, window) pairs with at least two forecasts that constrain each other."""
    sum_gap: float | None
    """Mean |sum of p - 1| over the sets in which exactly one market is YES."""
    ladder_violations: float | None
    """Share of neighbours on ladders whose forecasts have the wrong order."""
    dutch_book_cents: float | None
    """Mean sure loss per set, in cents."""
    worst: Contradiction | None
    """None if there is no contradiction."""


def coherence(table: CellTable) -> dict[str, Coherence]:
    """The coherence of each agent; agents without a set to check are absent.

    Raises InvalidInput for a market on a ladder without a strike.
    """
    rows = table.select(table.answered & (table.structure >= 0))
    if not len(rows):
        return {}
    key = (rows.agent * len(table.events) + rows.event) * len(table.windows) + rows.window
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    sizes = np.diff(np.append(starts, len(key)))
    kind, agent = rows.structure[starts], rows.agent[starts]
    gap = np.add.reduceat(rows.p, starts) - 1
    whole = (kind == EXHAUSTIVE) & (sizes == _markets_asked(table, rows)[starts])
    loss = np.where(whole, np.abs(gap), np.maximum(gap, 0.0))
    wrong, pairs = np.zeros(len(starts)), np.zeros(len(starts))
    sets = [slice(start, start + size) for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)]
    for index in np.flatnonzero(kind >= ABOVE):
        rungs = rows.p[_ladder(rows, sets[index], kind[index])].tolist()
        wrong[index] = sum(later > earlier + _STEP for earlier, later in pairwise(rungs))
        pairs[index] = len(rungs) - 1
        loss[index] = ladder_loss(rungs)
    several = sizes > 1
    group, size = agent[several], len(table.agents)
    checked = counts(group, size)
    means = (
        _per_agent(np.abs(gap)[several & whole], agent[several & whole], size),
        ratio(totals(wrong, agent, size), totals(pairs, agent, size)),
        100 * _per_agent(np.where(loss > _STEP, loss, 0.0)[several], group, size),
    )
    return {
        name: Coherence(sets=int(checked[code]), sum_gap=number(means[0][code]),
                        ladder_violations=number(means[1][code]), dutch_book_cents=number(means[2][code]),
                        worst=_worst(rows, sets, kind, np.where((agent == code) & several, loss, 0.0)))
        for code, name in enumerate(table.agents) if checked[code]
    }  # fmt: skip


def ladder_loss(rungs: Sequence[float]) -> float:
    """The sure loss on forecasts that should descend: buy low, then sell high, one contract per market."""
    bought: list[float] = []
    loss = 0.0
    for price in rungs:
        heapq.heappush(bought, price)
        if bought[0] < price:
            # Sells here what was bought cheapest. The price is pushed a second time, so that a later, higher one can
            # take the place of this sale.
            loss += price - heapq.heapreplace(bought, price)
    return loss


def _ladder(rows: CellTable, part: slice, kind: int) -> Codes:
    """The rows of a ladder, from the market that should be likeliest to the least likely one."""
    strikes = rows.strike[part]
    if np.isnan(strikes).any():
        raise InvalidInput(
            "strike", None, f"a number for every market of the ladder {rows.events[rows.event[part.start]]}"
        )
    return np.asarray(part.start + np.argsort(-strikes if kind == BELOW else strikes, kind="stable"))


def _worst(rows: CellTable, sets: Sequence[slice], kinds: Codes, loss: Floats) -> Contradiction | None:
    index = int(loss.argmax())
    if loss[index] <= _STEP:
        return None
    part = sets[index]
    if kinds[index] >= ABOVE:
        ladder = _ladder(rows, part, kinds[index])
        earlier, later = max(combinations(ladder.tolist(), 2), key=lambda pair: rows.p[pair[1]] - rows.p[pair[0]])
        shown = [earlier, later]
    else:
        shown = (part.start + np.argsort(-rows.p[part], kind="stable"))[:MOST_SHOWN].tolist()
    return Contradiction(
        event=rows.events[rows.event[part.start]],
        window=rows.windows[rows.window[part.start]],
        cents=100 * float(loss[index]),
        markets=tuple(rows.markets[rows.market[row]] for row in shown),
    )


def _markets_asked(table: CellTable, rows: CellTable) -> Floats:
    """For each row: the number of markets in its event and window that any agent was asked about."""
    _, first = np.unique(table.question, return_index=True)
    pair = table.event * len(table.windows) + table.window
    kinds, number_of = np.unique(pair[first], return_counts=True)
    place = np.searchsorted(kinds, rows.event * len(table.windows) + rows.window)
    return np.asarray(number_of[place], dtype=np.float64)


def _per_agent(values: Floats, agent: np.ndarray, size: int) -> Floats:
    return ratio(totals(values, agent, size), counts(agent, size))
