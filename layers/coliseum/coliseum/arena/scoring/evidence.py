"""Evidence against "the market is right" that may be looked at every day. Pure.

A forecaster bets against the market: each cluster of dependent events multiplies the stake by p_outcome / q_outcome.
If the market were right, the product would be a fair game: it reaches 20 with at most 5 % chance, whenever one
chooses to stop (Ville 1939). Inside a cluster the geometric mean is taken: whatever the dependence, its expectation
is at most 1 (Hölder), if their number does not depend on the outcome. Across clusters independence given the past is
assumed, and that the time of settling says nothing about the result (docs/scoring.md, "Early closes").
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Floats, counts, ratio, totals
from coliseum.arena.scoring.brier import log_of_outcome
from coliseum.arena.scoring.cells import Table

FLOOR = 0.01
"""p and q are clipped to [0.01, 0.99]. Clipping q can only lower the expectation."""
BAR = 20.0
"""E this large refutes the market at 5 %, at every peek."""


@dataclass(frozen=True)
class Evidence:
    """One agent's stake over its clusters, in order of their settling where all times are known."""

    settled_at: Floats
    """Unix seconds of each cluster's last outcome; NaN where unknown."""
    log10: Floats
    """Running log10 E after each cluster."""

    @property
    def final(self) -> float | None:
        return float(self.log10[-1]) if len(self.log10) else None

    @property
    def peak(self) -> float | None:
        """The largest value at any time; None where the order of settling is not known."""
        if not len(self.log10) or bool(np.isnan(self.settled_at).any()):
            return None
        return max(0.0, float(self.log10.max()))


def evidence(table: Table) -> dict[str, Evidence]:
    """Agent -> its evidence against the market; agents without a paired cell are absent."""
    paired = table.select(table.paired)
    owners, group = np.unique(paired.agent * len(table.clusters) + paired.cluster, return_inverse=True)
    log = log_of_outcome(paired.p, paired.y, FLOOR) - log_of_outcome(paired.q, paired.y, FLOOR)
    factor = totals(log, group, len(owners)) / counts(group, len(owners)) / math.log(10)
    settled = np.full(len(owners), -np.inf)
    np.maximum.at(settled, group, np.where(np.isnan(paired.settled_at), np.inf, paired.settled_at))
    agent = owners // max(1, len(table.clusters))
    order = np.lexsort((settled, agent))
    found: dict[str, Evidence] = {}
    for own in np.split(order, np.flatnonzero(np.diff(agent)) + 1):
        if len(own):
            times = np.where(np.isinf(settled[own]), np.nan, settled[own])
            found[table.agents[agent[own[0]]]] = Evidence(times, np.cumsum(factor[own]))
    return found


def pair_evidence(table: Table) -> dict[tuple[int, int], float]:
    """(first agent's code, second's) -> log10 E of betting on the first where the second sets the price.

    Over the graded questions both answered, clusters as above; pairs without any are absent.
    """
    graded = table.select(table.graded)
    questions, first_row, question = np.unique(graded.question, return_index=True, return_inverse=True)
    log = np.full((len(table.agents), len(questions)), np.nan)
    log[graded.agent, question] = log_of_outcome(graded.p, graded.y, FLOOR)
    cluster = np.unique(graded.cluster[first_row], return_inverse=True)[1]
    size = int(cluster.max()) + 1 if len(cluster) else 0
    found: dict[tuple[int, int], float] = {}
    for first in range(len(table.agents)):
        for second in range(first + 1, len(table.agents)):
            difference = log[first] - log[second]
            both = np.flatnonzero(~np.isnan(difference))
            if len(both):
                group = cluster[both]
                factors = ratio(totals(difference[both], group, size), counts(group, size))
                found[first, second] = float(np.nansum(factors) / math.log(10))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An event's life on the board: from its first forecast to its outcome, in any one unit of time."""

    event: str
    series: str
    start: float
    end: float


def clusters(spans: Iterable[Span]) -> dict[str, str]:
    """Event -> its cluster: events of one series whose lives overlap, in chains, are one. Named by the first event."""
    by_series: defaultdict[str, list[Span]] = defaultdict(list)
    for span in spans:
        by_series[span.series].append(span)
    found: dict[str, str] = {}
    for members in by_series.values():
        name, until = "", -math.inf
        for span in sorted(members, key=lambda one: (one.start, one.event)):
            if span.start >= until:
                name, until = span.event, span.end
            until = max(until, span.end)
            found[span.event] = name
    return found
