"""Evidence against "the market is right" that may be looked at every day. Pure.

A forecaster bets against the market: each cluster of dependent events multiplies the stake by p_outcome / q_outcome.
If the market were right, the product would be a fair game: it reaches 20 with at most 5 % chance, whenever one
chooses to stop (Ville 1939). For that nothing but the outcomes may decide what a bet is worth, so

- an event counts with the first window in which the agent answered it: how many follow may depend on its outcome;
- clusters follow each other in order of their due times, which were known before, not of their settling;
- a cluster counts once all that were due before it are settled: YES may be known earlier than NO.

Inside a cluster the geometric mean is taken: whatever the dependence, its expectation is at most 1 (Hölder). A void
market gives the stake back. Across clusters independence given the past is assumed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, counts, ratio, totals
from coliseum.arena.scoring.brier import log_of_outcome
from coliseum.arena.scoring.cells import CellTable

FLOOR = 0.01
"""p and q are clipped to [0.01, 0.99]. Clipping q can only lower the expectation."""
BAR = 20.0
"""E this large refutes the market at 5 %, at every peek."""


@dataclass(frozen=True)
class Evidence:
    """One agent's stake over the settled clusters, in order of their due times."""

    due_at: Floats
    """Unix seconds at which each cluster was due; NaN where the table has no times."""
    log10: Floats
    """Running log10 E after each cluster."""

    @property
    def final(self) -> float | None:
        return float(self.log10[-1]) if len(self.log10) else None

    @property
    def peak(self) -> float | None:
        """The largest value after any cluster, at least the stake itself; None where there are no times."""
        if not len(self.log10) or bool(np.isnan(self.due_at).any()):
            return None
        return max(0.0, float(self.log10.max()))


def evidence(table: CellTable) -> dict[str, Evidence]:
    """Agent -> its evidence against the market; agents without a settled bet that counts are absent."""
    order = _order(table)
    bets = table.select(table.answered & table.quoted)
    bets = bets.select(_first_windows(bets.agent * len(table.events) + bets.event, bets.window))
    place, size = order.place[bets.cluster], len(table.clusters)
    waits = order.waits(bets, place)
    limit = np.full(len(table.agents), size)
    np.minimum.at(limit, bets.agent[waits], place[waits])
    counted = place < limit[bets.agent]
    bets, place = bets.select(counted), place[counted]
    owners, group = np.unique(bets.agent * size + place, return_inverse=True)
    log = np.where(bets.resolved, log_of_outcome(bets.p, bets.y, FLOOR) - log_of_outcome(bets.q, bets.y, FLOOR), 0.0)
    factor = totals(log, group, len(owners)) / counts(group, len(owners)) / math.log(10)
    graded = np.flatnonzero(counts(group[bets.resolved], len(owners)))
    agent, place = owners[graded] // max(1, size), owners[graded] % max(1, size)
    return {
        table.agents[agent[own[0]]]: Evidence(order.due_at[place[own]], np.cumsum(factor[graded[own]]))
        for own in np.split(np.arange(len(graded)), np.flatnonzero(np.diff(agent)) + 1)
        if len(own)
    }


def pair_evidence(table: CellTable) -> dict[tuple[int, int], float]:
    """(first agent's code, second's) -> log10 E of betting on the first where the second sets the price.

    Over the first window of each event that both answered, in the same order; pairs without a settled bet are absent.
    """
    order = _order(table)
    said = table.select(table.answered)
    questions, first_row, question = np.unique(said.question, return_index=True, return_inverse=True)
    asked = said.rows(first_row)
    log = np.full((len(table.agents), len(questions)), np.nan)
    log[said.agent, question] = np.where(said.resolved, log_of_outcome(said.p, said.y, FLOOR), 0.0)
    place, size = order.place[asked.cluster], len(table.clusters)
    waits = order.waits(asked, place)
    found: dict[tuple[int, int], float] = {}
    for first in range(len(table.agents)):
        for second in range(first + 1, len(table.agents)):
            difference = log[first] - log[second]
            both = np.flatnonzero(~np.isnan(difference))
            both = both[_first_windows(asked.event[both], asked.window[both])]
            both = both[place[both] < place[both[waits[both]]].min(initial=size)]
            if asked.resolved[both].any():
                factors = ratio(totals(difference[both], place[both], size), counts(place[both], size))
                found[first, second] = float(np.nansum(factors) / math.log(10))
    return found


@dataclass(frozen=True)
class _DueOrder:
    """The clusters in order of their due times; those due at once in order of their names."""

    place: Codes
    """By cluster."""
    due_at: Floats
    """By place, unix seconds: infinite where it is not told or lies ahead; NaN everywhere in a table without times."""

    def waits(self, rows: CellTable, place: Codes) -> Mask:
        """Rows whose bet is not over. Without times whatever has no outcome is taken for void."""
        settled = rows.resolved | ~np.isnan(rows.settled_at)
        due_at = self.due_at[place]
        return np.asarray(np.isinf(due_at) | (~settled & ~np.isnan(due_at)))


def _order(table: CellTable) -> _DueOrder:
    """By `due_at`, else by `settled_at`; a cluster is due with the last of its markets."""
    times = next((one for one in (table.due_at, table.settled_at) if not np.isnan(one).all()), None)
    latest = np.full(len(table.clusters), np.nan if times is None else -np.inf)
    if times is not None:
        np.maximum.at(latest, table.cluster, np.where(np.isnan(times), np.inf, times))
    order = np.argsort(latest, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return _DueOrder(place, latest[order])


def _first_windows(owner: Codes, window: Codes) -> Mask:
    """Of rows in order of (owner, window): those in their owner's first window."""
    new = np.concatenate([np.ones(min(1, len(owner)), dtype=np.bool_), owner[1:] != owner[:-1]])
    return np.asarray(window == window[np.flatnonzero(new)][np.cumsum(new) - 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpan:
    """An event's life on the board as it was known at its start: from its first window to its scheduled end."""

    event: str
    series: str
    start: float
    end: float


def clusters(spans: Iterable[EventSpan]) -> dict[str, str]:
    """Event -> its cluster: events of one series whose lives overlap, in chains, are one. Named by the first event."""
    by_series: defaultdict[str, list[EventSpan]] = defaultdict(list)
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
