"""Coverage of intervals: how often a 95 % interval of the skill holds the true skill, over seasons of known truth.

`run` prints three tables of docs/scoring.md: coverage of the engine's interval by number of clusters, price shape, size
of clusters and dependence inside them; coverage of other methods on some of the same seasons; and coverage of whole
reports, with several windows and markets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

import numpy as np
from tests.simulation import seasons as simulated
from tests.simulation.seasons import Floats, Seasons

from coliseum.arena.scoring.bets import Bets
from coliseum.arena.scoring.cells import Cell, CellTable, table_from_cells
from coliseum.arena.scoring.line_interval import LineInterval, line_intervals
from coliseum.arena.scoring.proportions import student_quantile
from coliseum.arena.scoring.report import score

SEASONS = 200
"""Of each agent and truth, where docs/scoring.md does not say otherwise."""
CLUSTERS = (10, 30, 100, 350)
STRUCTURES: dict[str, tuple[int, float, float | None]] = {
    "1": (1, 0.0, 0.0),
    "1, truth halfway": (1, 0.0, 0.5),
    "1, truth elsewhere": (1, 0.0, None),
    "3, independent": (3, 0.0, 0.0),
    "3, half": (3, 0.5, 0.0),
    "3, full": (3, 1.0, 0.0),
    "10, independent": (10, 0.0, 0.0),
    "10, half": (10, 0.5, 0.0),
    "10, full": (10, 1.0, 0.0),
}
"""(Events of a cluster, chance that an event depends on the others of its cluster, `truth` of `season_of`)."""
AGENTS = ("noise", "shrinker", "rare")
DRAWS = 199


@dataclass(frozen=True)
class Coverage:
    """How many intervals were shown and how many of them held the truth."""

    seasons: int
    shown: int
    held: int

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(self.seasons + other.seasons, self.shown + other.shown, self.held + other.held)

    @property
    def share(self) -> float:
        return self.held / self.shown

    def __str__(self) -> str:
        """Percent; in brackets if less than a third of the seasons have an interval, `-` if less than 1 in 20 have."""
        if self.shown < self.seasons / 20:
            return "-"
        return f"{100 * self.share:.0f}" if self.shown >= self.seasons / 3 else f"({100 * self.share:.0f})"


def run(seasons: int | None) -> None:
    count = seasons or SEASONS
    _show_engine(count)
    _show_methods(count)
    _show_reports(count * 3 // 5)


def _show_engine(count: int) -> None:
    places = " / ".join(map(str, CLUSTERS))
    print(f"Coverage in %, n = {places} clusters; {count} seasons of each of {len(AGENTS)} agents")
    print("| events a cluster | " + " | ".join(simulated.SHAPES) + " |")
    print("|---|" + "---|" * len(simulated.SHAPES))
    for name in STRUCTURES:
        row = [
            " / ".join(str(pooled(shape, clusters, name, count)) for clusters in CLUSTERS) for shape in simulated.SHAPES
        ]
        print(f"| {name} | " + " | ".join(row) + " |", flush=True)


def pooled(shape: str, clusters: int, structure: str, count: int) -> Coverage:
    """Coverage over the agents."""
    total = Coverage(0, 0, 0)
    size, dependence, truth = STRUCTURES[structure]
    for place, agent in enumerate(AGENTS):
        seed = [clusters, place, simulated.SHAPES.index(shape), list(STRUCTURES).index(structure)]
        made = season_of(np.random.default_rng(seed), shape, agent, clusters=clusters, size=size,
                         dependence=dependence, count=count, truth=truth)  # fmt: skip
        total += coverage(intervals_of(made), made.expected_skill.mean(axis=1))
    return total


def season_of(
    rng: np.random.Generator,
    shape: str,
    agent: str,
    *,
    clusters: int,
    size: int,
    dependence: float,
    count: int,
    truth: float | None = 0.0,
) -> Seasons:
    """Seasons in which dependent events have one price. `truth` is the place on the line from price to agent.

    Without it the truth is off the line: a random number is added to the price's log-odds.
    """
    cluster = simulated.clusters_of((size,), clusters)
    q = simulated.prices(rng, shape, (count, len(cluster)))
    q = simulated.alike(q, cluster) if dependence else q
    p = simulated.forecasts(rng, agent, q)
    true = simulated.forecasts(rng, "noise", q) if truth is None else simulated.between(q, p, truth)
    y = simulated.outcomes(rng, true, cluster, dependence=dependence)
    return Seasons(q=q, p=p, truth=true, y=y, cluster=cluster)


def intervals_of(made: Seasons, *, draws: int = DRAWS) -> list[LineInterval]:
    """The engine's interval of each season."""
    seasons, events = made.q.shape
    number, one = np.arange(events), np.ones(seasons * events)
    bets = Bets(
        group=np.repeat(np.arange(seasons), events),
        cluster=np.tile(made.cluster, seasons),
        market=np.tile(number, seasons),
        start=made.q.ravel(),
        end=made.p.ravel(),
        price=made.q.ravel(),
        y=made.y.ravel(),
        weight=one,
        share=one,
        groups=seasons,
    )
    return line_intervals(bets, seed=1, draws=draws)


def coverage(found: list[LineInterval], truth: Floats) -> Coverage:
    held = [one.interval[0] <= true <= one.interval[1] for one, true in zip(found, truth, strict=True) if one.interval]
    return Coverage(len(found), len(held), sum(held))


# Other methods. Each takes the sums of the clusters (seasons x clusters), all of the same size, and returns both ends.

RESAMPLES = 399
Ends = tuple[Floats, Floats]


def percentile(sums: Floats, rng: np.random.Generator) -> Ends:
    means = np.sort(_resampled(sums, rng).mean(axis=2), axis=1)
    return means[:, _place(0.025)], means[:, _place(0.975)]


def student(sums: Floats, _: np.random.Generator) -> Ends:
    clusters = sums.shape[1]
    width = student_quantile(clusters - 1) * _errors(sums)
    return sums.mean(axis=1) - width, sums.mean(axis=1) + width


def bootstrap_t(sums: Floats, rng: np.random.Generator) -> Ends:
    drawn, mean = _resampled(sums, rng), sums.mean(axis=1, keepdims=True)
    t = np.sort((drawn.mean(axis=2) - mean) / np.maximum(_errors(drawn), 1e-12), axis=1)
    error = _errors(sums)
    return mean[:, 0] - t[:, _place(0.975)] * error, mean[:, 0] - t[:, _place(0.025)] * error


def wild_t(sums: Floats, rng: np.random.Generator) -> Ends:
    """Signs of the deviations from the mean, studentised again in each draw; symmetric."""
    off = sums - sums.mean(axis=1, keepdims=True)
    drawn = off[:, None, :] * rng.choice([-1.0, 1.0], (len(sums), RESAMPLES, sums.shape[1]))
    t = np.sort(np.abs(drawn.mean(axis=2)) / np.maximum(_errors(drawn), 1e-12), axis=1)
    width = t[:, _place(0.95)] * _errors(sums)
    return sums.mean(axis=1) - width, sums.mean(axis=1) + width


def bias_corrected(sums: Floats, rng: np.random.Generator) -> Ends:
    """BCa (Efron 1987), with the acceleration from the jackknife."""
    means, mean = np.sort(_resampled(sums, rng).mean(axis=2), axis=1), sums.mean(axis=1, keepdims=True)
    below = ((means < mean).sum(axis=1) + 0.5 * (means == mean).sum(axis=1) + 0.5) / (RESAMPLES + 1)
    bias = np.array([_normal_quantile(share) for share in below])
    off = mean - sums
    squares = np.square(off).sum(axis=1)
    acceleration = (off**3).sum(axis=1) / np.maximum(6 * squares**1.5, 1e-300) * (squares > 0)
    ends = []
    for z in (-1.96, 1.96):
        adjusted = bias + (bias + z) / (1 - acceleration * (bias + z))
        place = np.clip(np.array([_normal_share(one) for one in adjusted]) * RESAMPLES, 0, RESAMPLES - 1).astype(int)
        ends.append(means[np.arange(len(means)), place])
    return ends[0], ends[1]


METHODS: dict[str, Callable[[Floats, np.random.Generator], Ends]] = {
    "percentile": percentile,
    "t": student,
    "bootstrap-t": bootstrap_t,
    "BCa": bias_corrected,
    "wild t": wild_t,
}
SCENARIOS = (("mid", "noise", 1), ("U", "shrinker", 1), ("lo", "shrinker", 1), ("lo", "noise", 1), ("mid", "noise", 3),
             ("lo", "shrinker", 3))  # fmt: skip
"""(Shape, agent, events of a cluster that all end alike)."""


def _resampled(sums: Floats, rng: np.random.Generator) -> Floats:
    seasons, clusters = sums.shape
    places = rng.integers(0, clusters, (seasons, RESAMPLES, clusters))
    return np.take_along_axis(sums[:, None, :], places, axis=2)


def _errors(sums: Floats) -> Floats:
    """The standard error of the mean over the last axis."""
    return np.asarray(sums.std(axis=-1, ddof=1) / np.sqrt(sums.shape[-1]))


def _place(share: float) -> int:
    return round(share * (RESAMPLES + 1)) - 1


def _normal_share(z: float) -> float:
    return NormalDist().cdf(z)


def _normal_quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)


def _show_methods(count: int) -> None:
    print(f"\nCoverage in % of all seasons, without a gate; n = {' / '.join(map(str, CLUSTERS))}; {count} seasons")
    names = [*METHODS, "line"]
    print("| prices, agent, events a cluster | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for shape, agent, size in SCENARIOS:
        rows: dict[str, list[str]] = {name: [] for name in names}
        for clusters in CLUSTERS:
            for name, share in _compared(shape, agent, clusters, size, count):
                rows[name].append("-" if np.isnan(share) else f"{100 * share:.0f}")
        print(f"| {shape}, {agent}, {size} | " + " | ".join("/".join(rows[name]) for name in names) + " |", flush=True)


def _compared(shape: str, agent: str, clusters: int, size: int, count: int) -> Iterator[tuple[str, float]]:
    rng = np.random.default_rng([clusters, size, simulated.SHAPES.index(shape), AGENTS.index(agent)])
    made = season_of(rng, shape, agent, clusters=clusters, size=size, dependence=float(size > 1), count=count)
    sums, truth = simulated.cluster_sums(made.skill, made.cluster) / size, made.expected_skill.mean(axis=1)
    for name, method in METHODS.items():
        held = np.zeros(0, dtype=np.bool_)
        for start in range(0, count, 20):  # bounds memory
            low, high = method(sums[start : start + 20], rng)
            true = truth[start : start + 20]
            held = np.concatenate([held, (low - 1e-12 <= true) & (true <= high + 1e-12)])
        yield name, float(held.mean())
    found = coverage(intervals_of(made), truth)
    yield "line", found.share if found.shown else np.nan


def board(rng: np.random.Generator, *, clusters: int, agent: str, windows: int = 3) -> tuple[CellTable, float]:
    """(A table of events with one to three exclusive markets and several windows, the true skill of its agent).

    Two events of a cluster end alike. Prices move by a martingale: with probability q_k, an outcome k gains a fifth of
    what is missing to 1. Prices are right in every window.
    """
    cells: list[Cell] = []
    skills: list[float] = []
    for cluster in range(clusters):
        markets = int(rng.integers(1, 4))
        path, winner = _path(rng.dirichlet(np.full(markets + 1, 1.5)), rng.random(windows))
        for event in range(1 + cluster % 2):
            event_skill = []
            for window, q in enumerate(path):
                p = np.clip(simulated.forecasts(rng, agent, np.clip(q[:markets], 0.001, 0.999)), 0.001, 0.999)
                event_skill.append(-float(np.square(p - q[:markets]).mean()))
                cells += [
                    Cell(
                        agent="a",
                        event=f"e{cluster:03}-{event}",
                        market=f"m{market}",
                        window=f"w{window}",
                        cluster=f"c{cluster:03}",
                        category=f"k{cluster % 3}",
                        p=float(p[market]),
                        q=float(q[market]),
                        y=int(winner == market),
                    )
                    for market in range(markets)
                ]
            skills.append(float(np.mean(event_skill)))
    return table_from_cells(cells), float(np.mean(skills))


def _path(start: Floats, luck: Floats) -> tuple[list[Floats], int]:
    """(Prices by window, the outcome). The last of `luck` decides the outcome."""
    path = [start]
    for number in luck[:-1]:
        path.append(0.8 * path[-1] + 0.2 * (np.arange(len(start)) == _drawn(path[-1], number)))
    return path, _drawn(path[-1], luck[-1])


def _drawn(chances: Floats, number: float) -> int:
    return min(int(np.searchsorted(np.cumsum(chances), number)), len(chances) - 1)


def report_coverage(clusters: int, agent: str, count: int) -> tuple[Coverage, Coverage]:
    """Coverage of the headline interval and of those of the categories, through the whole engine."""
    rng = np.random.default_rng([clusters, len(agent)])
    whole = Coverage(0, 0, 0)
    parts = Coverage(0, 0, 0)
    for _ in range(count):
        table, true = board(rng, clusters=clusters, agent=agent)
        report = score(table, seed=1, draws=DRAWS, slice_draws=DRAWS)
        whole += _held(report.scores()["a"]["skill_interval"], true)
        for name in ("k0", "k1", "k2"):
            part = report.scores(f"category:{name}")
            parts += _held(part["a"]["skill_interval"], _true_skill(table, name))
    return whole, parts


def _held(interval: list[float] | None, true: float) -> Coverage:
    return Coverage(1, interval is not None, interval is not None and interval[0] <= true <= interval[1])


def _true_skill(table: CellTable, category: str) -> float:
    """Of a category: minus the mean squared distance of forecast and price, event-weighted. Events are complete."""
    (dimension,) = (one for one in table.dimensions if one.name == "category")
    rows = dimension.code == dimension.labels.index(category)
    gaps = -np.square(table.p - table.q)[rows]
    event = np.unique(table.event[rows], return_inverse=True)[1]
    return float((np.bincount(event, weights=gaps) / np.bincount(event)).mean())


def _show_reports(count: int) -> None:
    print(f"\nCoverage in % through `score`, with windows, markets and clusters of one or two events; {count} seasons")
    print("| clusters, agent | all | categories |")
    print("|---|---|---|")
    for clusters, agent in product((60, 150), ("noise", "shrinker")):
        whole, parts = report_coverage(clusters, agent, count)
        print(f"| {clusters}, {agent} | {whole} | {parts} |", flush=True)
