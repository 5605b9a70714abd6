"""Evidence that the price is not exactly right. It can be checked every day. Pure.

An agent bets against the market: each cluster of dependent events multiplies its stake by p_outcome / q_outcome. If the
market is right, this is a fair game, and the product reaches 20 with at most 5 % chance, whenever one stops
(Ville 1939). A wrong price can be shown by an agent that is worse than it, so this is no claim about skill: see
`confidence_sequence`. For E only the outcomes may decide what a bet is worth. Three rules ensure it:

- An event counts with the first window in which the agent answered it. The number of later ones may depend on the
  outcome.
- Clusters are ordered by their due times, which were known before, and not by the times at which they settled.
- A cluster counts when all clusters that were due before it are settled, because YES may be known earlier than NO.

Inside a cluster the geometric mean is taken: however the events depend on each other, its expectation is at most 1
(Hölder). A void market returns the stake, and a market that resolved to a fraction y pays y for YES and 1 - y for NO:
that is fair too, if the price is the mean of y. Given the past, clusters are assumed to be independent of each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, counts, distinct, first_places, ratio, totals
from coliseum.arena.scoring.brier import fractional, log_of_outcome, log_of_payoff
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.clusters import due_order, first_bets, first_windows

FLOOR = 0.01
"""p and q are clipped to [0.01, 0.99]. Clipping q can only lower the expectation of E."""
BAR = 20.0
"""An E of this size says at 5 % that the price is not exactly right, however often E is checked."""


@dataclass(frozen=True)
class Evidence:
    """The running stake of one agent over the settled clusters, in order of their due times."""

    due_at: Floats
    """Unix seconds at which each cluster was due; NaN if the table has no times."""
    log10: Floats
    """Running log10 E after each cluster."""

    @property
    def final(self) -> float | None:
        return float(self.log10[-1]) if len(self.log10) else None

    @property
    def peak(self) -> float | None:
        """The largest log10 E after any cluster, at least 0 (the stake itself). None if the table has no times."""
        if not len(self.log10) or bool(np.isnan(self.due_at).any()):
            return None
        return max(0.0, float(self.log10.max()))


def evidence(table: CellTable) -> dict[str, Evidence]:
    """The evidence of each agent against the market. Agents without a settled bet that counts are absent."""
    order, bets, size = due_order(table), first_bets(table), len(table.clusters)
    bets = bets.select(order.counted(bets))
    place = order.place[bets.cluster]
    owners, group = distinct(bets.agent * size + place)
    log = np.where(bets.resolved, log_of_payoff(bets.p, bets.q, bets.y, FLOOR), 0.0)
    factor = totals(log, group, len(owners)) / counts(group, len(owners)) / math.log(10)
    graded = np.flatnonzero(counts(group[bets.resolved], len(owners)))
    agent, place = owners[graded] // max(1, size), owners[graded] % max(1, size)
    return {
        table.agents[agent[own[0]]]: Evidence(order.due_at[place[own]], np.cumsum(factor[graded[own]]))
        for own in np.split(np.arange(len(graded)), np.flatnonzero(np.diff(agent)) + 1)
        if len(own)
    }


def pair_evidence(table: CellTable) -> dict[tuple[int, int], float]:
    """log10 E of betting on the first agent at the prices of the second, by the codes of the two agents.

    It uses the first window of each event that both answered, in the same order of clusters as `evidence`. Pairs
    without a settled bet are absent.
    """
    order = due_order(table)
    answers = table.select(table.answered)
    questions, question = distinct(answers.question)
    asked = answers.rows(first_places(question, len(questions)))
    log = np.full((len(table.agents), len(questions)), np.nan)
    log[answers.agent, question] = np.where(answers.resolved, log_of_outcome(answers.p, answers.y, FLOOR), 0.0)
    place, size = order.place[asked.cluster], len(table.clusters)
    waits, split = order.waits(asked, place), _SplitBets(answers, question, asked)
    result: dict[tuple[int, int], float] = {}
    for first in range(len(table.agents)):
        for second in range(first + 1, len(table.agents)):
            difference = split.with_fractions(log[first] - log[second], first, second)
            both = np.flatnonzero(~np.isnan(difference))
            both = both[first_windows(asked.event[both], asked.window[both])]
            both = both[place[both] < place[both[waits[both]]].min(initial=size)]
            if asked.resolved[both].any():
                factors = ratio(totals(difference[both], place[both], size), counts(place[both], size))
                result[first, second] = float(np.nansum(factors) / math.log(10))
    return result


class _SplitBets:
    """What bets between two agents become where the outcome is a fraction, so that it pays for both sides."""

    def __init__(self, answers: CellTable, question: Codes, asked: CellTable) -> None:
        self._columns = np.flatnonzero(fractional(asked.y))
        self._y = asked.y[self._columns]
        self._p = np.full((len(asked.agents), len(self._columns)), np.nan)
        if len(self._columns):
            rows = np.flatnonzero(fractional(answers.y))
            self._p[answers.agent[rows], np.searchsorted(self._columns, question[rows])] = answers.p[rows]

    def with_fractions(self, log: Floats, first: int, second: int) -> Floats:
        """The logarithms of the factors, with those of the fractions put in; NaN where one of the two is absent."""
        if len(self._columns):
            log[self._columns] = log_of_payoff(self._p[first], self._p[second], self._y, FLOOR)
        return log
