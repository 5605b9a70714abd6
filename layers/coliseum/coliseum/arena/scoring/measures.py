"""All scores of the cells of a table, and their means for each agent and slice. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from coliseum.arena.scoring import brier as scores
from coliseum.arena.scoring import calibration, line_interval, returns, roles, skill
from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, counts, number, ratio, totals
from coliseum.arena.scoring.bets import skill_bets
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.classification import Answers, answers_of, classification
from coliseum.arena.scoring.clusters import event_clusters
from coliseum.arena.scoring.dependent_shares import EffectiveTrials, effective_trials
from coliseum.arena.scoring.nesting import NestedGroups, nest
from coliseum.arena.scoring.outcome_vectors import VectorScores, vector_scores

RATIO_MINIMUM = 30
"""Below so many cells the Brier skill scores (`bss_…`) are not reported."""
_LEAST_VARIANCE = 1e-12
"""A smaller variance of the outcomes is a rounding error: they are all equal."""


@dataclass(frozen=True)
class CellScores:
    """One value for each cell and metric. Values of cells that a metric does not cover are masked out later."""

    table: CellTable
    brier: Floats
    brier_strict: Floats
    market_brier: Floats
    log: Floats
    log_loss: Floats
    baseline: Floats
    peer: Floats
    difference: Floats
    difference_strict: Floats
    edge: Floats
    gross: Mapping[float, Floats]
    profit: Floats
    cost: Floats
    vectors: VectorScores
    answers: Answers
    by_p: Codes
    """Graded rows in order of ascending forecast."""


def score_cells(table: CellTable, pools: Collection[str] = ()) -> CellScores:
    """Every score of each cell. It has no meaning where the cell is not graded or not paired.

    `pools` are the agents that pool the forecasts of others.
    """
    p, y = table.p, np.nan_to_num(table.y)
    error = scores.brier(p, y)
    log = scores.log_score(np.nan_to_num(p), y)
    profit, cost = returns.profit_and_cost(table)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        gross = {gamma: returns.gross_return(table, gamma) for gamma in returns.GAMMAS}
    graded = np.flatnonzero(table.graded)
    return CellScores(
        table=table,
        brier=error,
        brier_strict=np.where(table.answered, error, scores.brier(np.full(len(y), scores.COIN_FLIP), y)),
        market_brier=scores.brier(table.q, y),
        log=log,
        log_loss=scores.log_loss(np.nan_to_num(p), y, log),
        baseline=scores.baseline_score(log),
        peer=scores.peer_score(table, log, pools),
        difference=skill.paired_difference(table),
        difference_strict=skill.strict_difference(table),
        edge=skill.edge(table),
        gross=gross,
        profit=profit,
        cost=cost,
        vectors=vector_scores(table),
        answers=answers_of(table),
        by_p=graded[np.argsort(p[graded], kind="stable")],
    )


class DimensionScores:
    """The numbers of every agent in every slice of one dimension.

    `part` is the slice of each row, -1 for none; without it all rows are in one slice. A group is (agent, slice).
    Metrics are computed for all groups at once when they are first needed.
    """

    def __init__(
        self, measures: CellScores, part: Codes | None, labels: tuple[str, ...], *, seed: int, draws: int
    ) -> None:
        self._measures, self._table = measures, measures.table
        self._part, self._labels = part, labels
        self._seed, self._draws = seed, draws
        table = self._table
        own = np.zeros(len(table), dtype=np.int64) if part is None else part
        self._sliced = own >= 0
        self._group = table.agent * len(labels) + np.maximum(own, 0)
        self._size = len(table.agents) * len(labels)
        self._line_draws = line_interval.DRAWS if part is None else line_interval.SLICE_DRAWS

    def scores(self, label: str, common: Mask) -> dict[str, dict[str, Any]]:
        """The numbers of each agent in the slice; agents without a question there are absent.

        `common` marks the agents whose shared events are the common ones (`skill_common`).
        """
        part = self._labels.index(label)
        shared = skill.common_events(self.skill_matrix(label), common)
        clusters = self.skill_clusters(label)
        result: dict[str, dict[str, Any]] = {}
        for code, agent in enumerate(self._table.agents):
            group = code * len(self._labels) + part
            if self.columns["offered"][group]:
                result[agent] = {
                    **self._row(group),
                    **self._skill_row(group, shared[code], clusters),
                    **self._calibrated(group),
                }
        return result

    def agents_that(self, qualifies: Callable[[str, Mapping[str, Any]], bool], label: str) -> Mask:
        """Marks the agents whose name and numbers in the slice qualify. The numbers lack intervals and calibration."""
        part, size = self._labels.index(label), len(self._labels)
        offered = self.columns["offered"]
        groups = [code * size + part for code in range(len(self._table.agents))]
        marks = [bool(offered[group]) and qualifies(agent, self._row(group))
                for agent, group in zip(self._table.agents, groups, strict=True)]  # fmt: skip
        return np.array(marks, dtype=np.bool_)

    def skill_matrix(self, label: str) -> Floats:
        """The skill of each agent in each event of the slice; NaN where the agent has no paired cell."""
        return self.pairs.matrix(self.event_skill, self._labels.index(label))

    def skill_clusters(self, label: str) -> Codes:
        """The cluster code of each column of `skill_matrix`. Columns with the same code depend on each other."""
        return self._event_cluster[self.pairs.events(self._labels.index(label))]

    @cached_property
    def _event_cluster(self) -> Codes:
        return event_clusters(self._table)

    @cached_property
    def _row_cluster(self) -> Codes:
        return self._event_cluster[self._table.event]

    @cached_property
    def _intervals(self) -> list[line_interval.LineInterval]:
        """The interval of the skill of each (agent, slice)."""
        bets = skill_bets(self.pairs, self._table, self._event_cluster)
        return line_interval.line_intervals(bets, seed=self._seed, draws=min(self._draws, self._line_draws))

    @cached_property
    def pairs(self) -> NestedGroups:
        return self._nest(self._table.paired)

    @cached_property
    def event_skill(self) -> Floats:
        return self.pairs.event_values(self._measures.difference)

    @cached_property
    def columns(self) -> dict[str, Floats]:
        """One number for each (agent, slice), by metric."""
        return {
            **self._counted,
            **self._nested_graded,
            **self._nested_vectors,
            **self._nested_paired,
            **self._pooled,
            **classification(self._measures.answers, np.where(self._sliced, self._group, -1), self._size),
        }

    @cached_property
    def _counted(self) -> dict[str, Floats]:
        table = self._table
        side = skill.takes_side(table)
        return {
            "offered": self._count(np.ones(len(table), dtype=np.bool_)),
            "answered": self._count(table.answered),
            "graded": self._count(table.graded),
            "paired": self._count(table.paired),
            "fractional": self._count(table.graded & scores.fractional(table.y)),
            "log_clipped": self._count(table.graded & scores.clip_outside(table.p)),
            "direction_decided": self._count(side),
            "direction_right": self._count(skill.right_side(table)),
            "priced_forecasts": self._count(table.answered & table.quoted),
            "own": self._count(roles.own_forecasts(table)),
            "half": self._count(table.p == roles.HALF),
        }

    @cached_property
    def _nested_graded(self) -> dict[str, Floats]:
        """Event-weighted means over the graded cells."""
        mine, graded = self._measures, self._nest(self._table.graded)
        strict = graded if bool(self._table.answered.all()) else self._nest(self._table.resolved)
        peers = self._nest(~np.isnan(mine.peer))
        return {
            "events": graded.event_counts(),
            "brier": _mean(graded, mine.brier),
            "brier_strict": _mean(strict, mine.brier_strict),
            "log": _mean(graded, mine.log),
            "baseline": _mean(graded, mine.baseline),
            "peer": _mean(peers, mine.peer),
        }

    @cached_property
    def _nested_vectors(self) -> dict[str, Floats]:
        """Event-weighted means of the scores of whole events. A slice has an event if it has a market of it."""
        vectors = self._measures.vectors
        complete = self._nest(vectors.complete)
        with_length = (
            complete if bool((vectors.with_length == vectors.complete).all()) else self._nest(vectors.with_length)
        )
        return {
            "brier_sum": _mean(complete, vectors.brier_sum),
            "spherical": _mean(with_length, vectors.spherical),
            "complete_events": complete.event_counts(),
        }

    @cached_property
    def _nested_paired(self) -> dict[str, Floats]:
        """Event-weighted means over the paired cells."""
        mine, table = self._measures, self._table
        paired = self.pairs
        strict = paired if bool(table.answered.all()) else self._nest(table.resolved & table.quoted)
        bought = returns.buyable(table)
        bets = paired if bool((bought == table.paired).all()) else self._nest(bought)
        return {
            "skill": paired.mean(self.event_skill),
            "skill_se": paired.error(self.event_skill, self._event_cluster),
            "skill_events": paired.event_counts(),
            "skill_clusters": paired.cluster_counts(self._event_cluster),
            "market_brier": _mean(paired, mine.market_brier),
            "skill_strict": _mean(strict, mine.difference_strict),
            "edge": _mean(paired, mine.edge),
            **{f"pa_return_{gamma:g}": _mean(bets, values) for gamma, values in mine.gross.items()},
        }

    @cached_property
    def _pooled(self) -> dict[str, Floats]:
        """Means over cells with equal weights."""
        mine, table, count = self._measures, self._table, self._counted
        graded, paired = table.graded, table.paired
        own, market = self._total(mine.brier, paired), self._total(mine.market_brier, paired)
        brier = self._total(mine.brier, graded)
        base = self._mean_of(table.y, graded)
        variance = base * (1 - base) - self._mean_of(table.y * (1 - table.y), graded)
        variance = np.where(variance > _LEAST_VARIANCE, variance, 0.0)
        cost = self._total(mine.cost, graded)
        return {
            "brier_market_weighted": ratio(brier, count["graded"]),
            "log_loss": self._mean_of(mine.log_loss, graded),
            "skill_market_weighted": ratio(self._total(mine.difference, paired), count["paired"]),
            "bss_market": _enough(1 - ratio(own, market), count["paired"]),
            "bss_base": _enough(1 - ratio(ratio(brier, count["graded"]), variance), count["graded"]),
            "sharpness": ratio(self._total(np.abs(table.p - 0.5), graded), count["graded"]),
            "bias": ratio(self._total(table.p - table.y, graded), count["graded"]),
            "direction": ratio(count["direction_right"], count["direction_decided"]),
            "pm_roi": ratio(self._total(mine.profit, graded), cost),
            "pm_roi_bets": self._count(graded & (mine.cost > 0)),
            "replicated": self._count(~np.isnan(table.noise)),
            "replicate_stdev": np.sqrt(self._mean_of(table.noise, ~np.isnan(table.noise))),
            **self._line_values(),
        }

    def _line_values(self) -> dict[str, Floats]:
        table = self._table
        result: dict[str, Floats] = {}
        for name, later in (("1h", table.q_1h), ("24h", table.q_24h), ("close", table.q_close)):
            known = table.answered & table.quoted & ~np.isnan(later)
            result[f"clv_{name}"] = self._mean_of(skill.line_value(table, later), known)
            result[f"clv_{name}_cells"] = self._count(known)
        return result

    def _row(self, group: int) -> dict[str, Any]:
        values = {name: column[group] for name, column in self.columns.items()}
        row: dict[str, Any] = {
            name: int(value) if name in _WHOLE else number(float(value)) for name, value in values.items()
        }
        row.pop("direction_right")
        row["own_forecasts"] = _share(row.pop("own"), row["priced_forecasts"])
        row["half_forecasts"] = _share(row.pop("half"), row["answered"])
        row["coverage"] = row["answered"] / row["offered"]
        row["brier_index"] = None if row["brier"] is None else scores.brier_index(row["brier"])
        row["direction_interval"] = self._direction.interval(group, row["direction"])
        return row

    def _skill_row(self, group: int, shared: Floats, clusters: Codes) -> dict[str, Any]:
        mean, error = float(self.columns["skill"][group]), float(self.columns["skill_se"][group])
        events, count = int(self.columns["skill_events"][group]), int(self.columns["skill_clusters"][group])
        common, line = ~np.isnan(shared), self._intervals[group]
        needed = skill.events_needed(mean, error, events)
        return {
            "skill_interval": line.interval,
            "skill_interval_reason": line.reason,
            "expected_outcomes": line.expected_outcomes,
            "skill_events_needed": needed,
            "skill_clusters_needed": None if needed is None else math.ceil(needed * count / events),
            "skill_common": float(shared[common].mean()) if common.any() else None,
            "skill_common_se": number(skill.cluster_error(shared[common], clusters[common])),
            "skill_common_events": int(common.sum()),
        }

    @cached_property
    def _direction(self) -> EffectiveTrials:
        rows = np.flatnonzero(skill.takes_side(self._table) & self._sliced)
        right = skill.right_side(self._table)[rows].astype(np.float64)
        return effective_trials(right, self._group[rows], self._row_cluster[rows], self._size)

    def _calibrated(self, group: int) -> dict[str, Any]:
        p, y = self._by_forecast[group]
        histogram, linspace = self._histograms[group], calibration.linspace_errors(p, y)
        line, parts = calibration.platt(p, y), calibration.decomposition(p, y)
        return {
            "ece": histogram.expected_error,
            "mce": histogram.maximum_error,
            "ece_linspace": None if linspace is None else linspace.expected,
            "mce_linspace": None if linspace is None else linspace.maximum,
            "linspace_lost": 0 if linspace is None else linspace.lost,
            "ace": calibration.adaptive_error(p, y),
            "platt_intercept": None if line is None else line[0],
            "platt_slope": None if line is None else line[1],
            "auc": calibration.area_under_curve(p, y),
            "murphy_reliability": None if parts is None else parts.reliability,
            "murphy_resolution": None if parts is None else parts.resolution,
            "murphy_uncertainty": None if parts is None else parts.uncertainty,
            "murphy_remainder": None if parts is None else parts.remainder,
            "bins": [_bin_numbers(reliability_bin) for reliability_bin in histogram.bins],
        }

    @cached_property
    def _histograms(self) -> list[calibration.Histogram]:
        rows = np.flatnonzero(self._table.graded & self._sliced)
        p, y, cluster = self._table.p[rows], self._table.y[rows], self._row_cluster[rows]
        return calibration.histograms(p, y, self._group[rows], self._size, cluster=cluster)

    @cached_property
    def _by_forecast(self) -> list[tuple[Floats, Floats]]:
        """The forecasts of each group in ascending order, and their outcomes."""
        rows = self._measures.by_p
        rows = rows[self._sliced[rows]]
        group = self._group[rows]
        if self._size <= np.iinfo(np.int16).max:
            group = group.astype(np.int16)  # numpy sorts 16-bit integers by radix, which is faster
        rows = rows[np.argsort(group, kind="stable")]
        ends = np.cumsum(np.bincount(self._group[rows], minlength=self._size))
        p, y = self._table.p[rows], self._table.y[rows]
        return list(zip(np.split(p, ends[:-1]), np.split(y, ends[:-1]), strict=True))

    def _nest(self, keep: Mask) -> NestedGroups:
        return nest(self._table, keep, self._part, len(self._labels))

    def _count(self, keep: Mask) -> Floats:
        return counts(self._group[keep & self._sliced], self._size)

    def _mean_of(self, values: Floats, keep: Mask) -> Floats:
        return ratio(self._total(values, keep), self._count(keep))

    def _total(self, values: Floats, keep: Mask) -> Floats:
        rows = keep & self._sliced
        return totals(values[rows], self._group[rows], self._size)


_WHOLE = frozenset({
    "offered", "answered", "graded", "paired", "fractional", "events", "skill_events", "skill_clusters",
    "complete_events", "log_clipped", "direction_decided", "direction_right", "pm_roi_bets", "replicated",
    "clv_1h_cells", "clv_24h_cells", "clv_close_cells", "priced_forecasts", "own", "half",
})  # fmt: skip
"""Metrics that are counts, and so whole numbers in a report."""


def _bin_numbers(one: calibration.Bin) -> dict[str, Any]:
    """As `dataclasses.asdict`, which is ten times slower."""
    return {
        "low": one.low,
        "high": one.high,
        "count": one.count,
        "forecast": one.forecast,
        "observed": one.observed,
        "interval": one.interval,
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(groups: NestedGroups, values: Floats) -> Floats:
    return groups.mean(groups.event_values(values))


def _enough(values: Floats, cells: Floats) -> Floats:
    """The values, with NaN where there are too few cells."""
    return np.where(cells >= RATIO_MINIMUM, values, np.nan)
