"""Compares every pair of agents: the difference of their skills and its error, by cluster. Pure.

Two agents are compared on the events that both have. Events of one cluster depend on each other, so the error comes
from the sums of the clusters. With the event-weighted mean D, the sum S and the number m of common events of each of n
clusters, and M common events in all (Cameron, Gelbach and Miller 2008):

    error^2 = n/(n - 1) * sum (S - D m)^2 / M^2

Rare outcomes can make this error far too small. If thirty long shots at 5 % all fail, every difference is about the
same. So the error is compared with what the forecasts lead to expect. If the truth lies halfway between two forecasts
a and b, at t = (a + b)/2, neither agent is better, and a difference of Brier scores has the variance
4 (a - b)^2 t (1 - t). If the events vary less than that, the error is raised by the ratio. It is the error of a score
test, and it needs no bar on the outcomes seen, which would select.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, counts, distinct, ratio, totals
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.clusters import event_clusters
from coliseum.arena.scoring.nesting import nest
from coliseum.arena.scoring.skill import paired_difference

CHUNK_NUMBERS = 4_000_000
"""Differences in memory at a time: 32 MB for each intermediate array."""
_TINY = 1e-300
_NO_SPREAD = 1e-9
"""Events that vary by less than this share of the expected variance show no spread."""


@dataclass(frozen=True)
class SkillPanel:
    """What agents are compared on: their skill in each event, and what an outcome changes.

    The columns for events are in order of (cluster, event), those for markets in order of (event, market).
    """

    skills: Floats
    """Agents x events; NaN where the agent has no paired cell."""
    cluster: Codes
    """The cluster of each event: 0, 1, 2 … in canonical order."""
    yes: Floats
    """Agents x events: the price of YES, the mean over the agent's cells of the event; 0 where absent."""
    unlikely: Floats
    """Agents x events: the price of the less likely outcome, in the same way."""
    slopes: Floats
    """Agents x markets: what the skill in the event gains if the market is YES instead of NO; 0 where absent."""
    forecasts: Floats
    """Agents x markets: the mean forecast; where absent, the mean price of the others' cells."""
    event: Codes
    """The column in `skills` of each market's event."""

    @property
    def present(self) -> Mask:
        """Marks the events that each agent has."""
        return ~np.isnan(self.skills)

    @property
    def clusters(self) -> int:
        return int(self.cluster[-1]) + 1 if len(self.cluster) else 0

    def of(self, agents: Codes, *, shared: bool = False) -> SkillPanel:
        """The panel with some of the agents, in this order, and the events that one of them has, or all (`shared`)."""
        present = self.present[agents]
        kept = present.all(axis=0) if shared else present.any(axis=0)
        place = np.cumsum(kept) - 1
        markets = kept[self.event]
        return SkillPanel(
            skills=self.skills[agents][:, kept],
            yes=self.yes[agents][:, kept],
            unlikely=self.unlikely[agents][:, kept],
            cluster=distinct(self.cluster[kept])[1],
            slopes=self.slopes[agents][:, markets],
            forecasts=self.forecasts[agents][:, markets],
            event=place[self.event[markets]],
        )

    def cluster_starts(self) -> Codes:
        """The first column of each cluster."""
        return np.searchsorted(self.cluster, np.arange(self.clusters))


def empty_panel() -> SkillPanel:
    """The panel of no agent."""
    none, codes = np.zeros((0, 0)), np.zeros(0, dtype=np.int64)
    return SkillPanel(skills=none, cluster=codes, yes=none, unlikely=none, slopes=none, forecasts=none, event=codes)


def skill_panel(table: CellTable) -> SkillPanel:
    """The panel of the paired cells of a table, with one row for each of its agents."""
    rows = table.select(table.paired)
    groups = nest(rows, np.ones(len(rows), dtype=np.bool_))
    cluster = event_clusters(table)
    events, column = distinct(groups.event)
    order = np.argsort(cluster[events], kind="stable")
    place = np.empty(len(events), dtype=np.int64)
    place[order] = np.arange(len(events))

    def by_event(values: Floats, absent: float) -> Floats:
        filled = np.full((len(table.agents), len(events)), absent)
        filled[groups.group, place[column]] = groups.event_values(values)
        return filled

    row_event = place[np.searchsorted(events, rows.event)]
    names, market = distinct(row_event * len(table.markets) + rows.market)
    slopes, forecasts = _outcome_effects(rows, groups.row_weights(), market, len(names))
    return SkillPanel(
        skills=by_event(paired_difference(rows), math.nan),
        yes=by_event(rows.q, 0.0),
        unlikely=by_event(np.minimum(rows.q, 1 - rows.q), 0.0),
        cluster=distinct(cluster[events][order])[1],
        slopes=slopes,
        forecasts=forecasts,
        event=names // max(1, len(table.markets)),
    )


def _outcome_effects(rows: CellTable, weight: Floats, market: Codes, markets: int) -> tuple[Floats, Floats]:
    """(`slopes`, `forecasts`) of the panel. A cell's skill is linear in y: its slope is 2 (p - q)."""
    agents = len(rows.agents)
    group, size = rows.agent * markets + market, agents * markets
    slopes = totals(2 * weight * (rows.p - rows.q), group, size).reshape(agents, markets)
    forecasts = ratio(totals(weight * rows.p, group, size), totals(weight, group, size)).reshape(agents, markets)
    price = ratio(totals(rows.q, market, markets), counts(market, markets))
    return slopes, np.where(np.isnan(forecasts), price[None, :], forecasts)


@dataclass(frozen=True)
class PairStatistics:
    """Agents x agents; the first index minus the second. Symmetric but for the sign of `difference`."""

    difference: Floats
    """Event-weighted mean difference over the common events; NaN without any."""
    error: Floats
    """Its standard error by cluster, raised to the expected one; NaN below two common clusters."""
    squares: Floats
    """Sum over the clusters of the squared sums about the mean; 0 if the events show no spread at all."""
    floor: Floats
    """What the forecasts lead to expect for `squares`. The error uses the larger of the two."""
    events: Codes
    clusters: Codes
    largest: Floats
    """The largest share of the common events in one cluster."""
    expected: Floats
    """The number of outcomes of the rarer kind that the prices of the common events expect, over clusters."""
    identical: Mask
    """Marks pairs with the same skill in every common event, such as an agent and itself."""

    def of(self, agents: Codes) -> PairStatistics:
        """The statistics of some of the agents, in this order."""
        return PairStatistics(**{one.name: getattr(self, one.name)[np.ix_(agents, agents)] for one in fields(self)})

    @property
    def raised(self) -> Floats:
        """The factor by which the floor raised the error, at least 1; infinite without any spread."""
        known = self.squares > 0
        factor = np.sqrt(np.maximum(1.0, self.floor / np.where(known, self.squares, 1.0)))
        return np.where(self.identical, 1.0, np.where(known, factor, np.inf))

    @property
    def t(self) -> Floats:
        """difference / error; 0 for identical agents."""
        return np.where(self.identical, 0.0, ratio(self.difference, np.nan_to_num(self.error)))


def compare_pairs(panel: SkillPanel) -> PairStatistics:
    """Compare all pairs of agents of the panel."""
    agents = len(panel.skills)
    found = {name: np.full((agents, agents), np.nan) for name in _NUMBERS}
    np.fill_diagonal(found["identical"], 1)
    step = max(1, CHUNK_NUMBERS // max(1, panel.skills.shape[1], panel.slopes.shape[1]))
    for first in range(agents):
        for start in range(first + 1, agents, step):
            others = np.arange(start, min(agents, start + step))
            for name, values in _compared(panel, first, others).items():
                found[name][first, others] = values
                found[name][others, first] = -values if name == "difference" else values
    return PairStatistics(
        difference=found["difference"],
        error=found["error"],
        squares=found["squares"],
        floor=found["floor"],
        events=np.nan_to_num(found["events"]).astype(np.int64),
        clusters=np.nan_to_num(found["clusters"]).astype(np.int64),
        largest=found["largest"],
        expected=found["expected"],
        identical=found["identical"] == 1,
    )


_NUMBERS = ("difference", "error", "squares", "floor", "events", "clusters", "largest", "expected", "identical")


def _compared(panel: SkillPanel, first: int, others: Codes) -> dict[str, Floats]:
    """One agent minus each of the others."""
    difference = panel.skills[first] - panel.skills[others]
    common = ~np.isnan(difference)
    difference = np.where(common, difference, 0.0)
    starts = panel.cluster_starts()
    sizes = _cluster_sums(common.astype(np.float64), starts)
    events, clusters = sizes.sum(axis=1), (sizes > 0).sum(axis=1).astype(np.float64)
    sums = _cluster_sums(difference, starts)
    mean = ratio(sums.sum(axis=1), events)
    off = np.square(sums - np.nan_to_num(mean)[:, None] * sizes).sum(axis=1)
    spread = np.square(np.where(common, difference - np.nan_to_num(mean)[:, None], 0.0)).sum(axis=1)
    floor = _expected_squares(panel, first, others, common, off / np.maximum(spread, _TINY))
    none = spread <= _NO_SPREAD * floor
    off = np.where(none, 0.0, off)
    correction = ratio(clusters, np.maximum(clusters - 1, 0))
    return {
        "difference": mean,
        "error": np.sqrt(correction * np.maximum(off, floor)) / np.maximum(events, 1),
        "squares": off,
        "floor": floor,
        "events": events,
        "clusters": clusters,
        "largest": ratio(sizes.max(axis=1, initial=0), events),
        "expected": _expected_outcomes(panel, first, others, common / np.maximum(sizes, 1)[:, panel.cluster]),
        "identical": ((difference == 0).all(axis=1) & (events > 0)).astype(np.float64),
    }


def _expected_squares(panel: SkillPanel, first: int, others: Codes, common: Mask, dependence: Floats) -> Floats:
    """The sum of squares over clusters that the forecasts lead to expect.

    Events vary as if they were independent, times `dependence`, the observed ratio of the squares of clusters to those
    of events. Where events do not vary at all, the dependence is unknown, so the worst is assumed: all events of a
    cluster end together.
    """
    deviation = _expected_deviations(panel, first, others) * common[:, panel.event]
    independent = np.square(deviation).sum(axis=1)
    starts = np.searchsorted(panel.cluster[panel.event], np.arange(len(panel.cluster_starts())))
    worst = np.square(_cluster_sums(deviation, starts)).sum(axis=1)
    return np.where(dependence > 0, np.minimum(independent * dependence, worst), worst)


def _expected_deviations(panel: SkillPanel, first: int, others: Codes) -> Floats:
    """Others x markets: the standard deviation of the difference if the truth is halfway between the forecasts."""
    slope = panel.slopes[first] - panel.slopes[others]
    chance = (panel.forecasts[first] + panel.forecasts[others]) / 2
    return np.asarray(np.abs(slope) * np.sqrt(chance * (1 - chance)))


def _expected_outcomes(panel: SkillPanel, first: int, others: Codes, weight: Floats) -> Floats:
    """Expected outcomes of the rarer kind. `weight` is 1/m for the m common events of a cluster, 0 for the others."""
    yes = (weight * (panel.yes[first] + panel.yes[others]) / 2).sum(axis=1)
    unlikely = (weight * (panel.unlikely[first] + panel.unlikely[others]) / 2).sum(axis=1)
    return np.asarray(np.minimum(np.minimum(yes, weight.sum(axis=1) - yes), unlikely))


def _cluster_sums(values: Floats, starts: Codes) -> Floats:
    """The sums over the columns of each cluster."""
    if len(starts) == values.shape[1]:
        return values
    return np.asarray(np.add.reduceat(values, starts, axis=1)) if len(starts) else values
