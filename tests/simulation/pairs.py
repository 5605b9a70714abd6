"""Coverage of the interval of a pair: how often it holds the true difference of two agents' skills.

The engine's interval is Student's t with the error of `comparisons`, which is raised to what the forecasts lead to
expect. `run` prints two tables: the engine's coverage, which is in docs/scoring.md, and that of test inversion along
the line between the two forecasts, on the same seasons. The line is narrower with long shots, but it holds the truth
less often where there are few clusters, and it takes too long for hundreds of pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from tests.simulation import seasons as simulated
from tests.simulation.seasons import Floats, Seasons

from coliseum.arena.scoring.bets import Bets
from coliseum.arena.scoring.comparisons import SkillPanel, compare_pairs
from coliseum.arena.scoring.line_interval import LineInterval, line_intervals
from coliseum.arena.scoring.pairs import LEAST_CLUSTERS
from coliseum.arena.scoring.proportions import student_quantile
from coliseum.arena.scoring.tiers import pair_gap

SEASONS = 1000
CLUSTERS = (10, 30, 100, 350)
SHAPES = ("mid", "U", "lo")
STRUCTURES = {"1": (1, 0.0), "3, half": (3, 0.5), "10, half": (10, 0.5), "10, full": (10, 1.0)}
DRAWS = 199


@dataclass(frozen=True, kw_only=True)
class PairSeasons:
    """Seasons with a second agent, `other`: seasons x events."""

    made: Seasons
    other: Floats

    @property
    def expected(self) -> Floats:
        """The true difference of each season: the first agent's skill minus the other's."""
        p, other, truth = self.made.p, self.other, self.made.truth
        return np.asarray(((other - p) * (other + p - 2 * truth)).mean(axis=1))


Truth = Callable[[np.random.Generator, Floats, Floats, Floats], Floats]
AGENTS: dict[str, tuple[str, str, Truth]] = {
    "both add noise": ("noise", "noise", lambda _, q, p, other: q),
    "both add noise, truth halfway": ("noise", "noise", lambda _, q, p, other: (p + other) / 2),
    "both add noise, first is right": ("noise", "noise", lambda _, q, p, other: p),
    "price and shrinker": ("follower", "shrinker", lambda _, q, p, other: q),
    "shrinker and widener": ("shrinker", "widener", lambda _, q, p, other: q),
    "rare big bets and noise": ("rare", "noise", lambda _, q, p, other: q),
    "truth elsewhere": ("noise", "noise", lambda rng, q, p, other: simulated.forecasts(rng, "noise", q)),
}
"""(First agent, second agent, the truth)."""


def seasons_of(
    rng: np.random.Generator, shape: str, agents: str, *, clusters: int, size: int, dependence: float, count: int
) -> PairSeasons:
    first, second, truth_of = AGENTS[agents]
    cluster = simulated.clusters_of((size,), clusters)
    q = simulated.prices(rng, shape, (count, len(cluster)))
    p, other = simulated.forecasts(rng, first, q), simulated.forecasts(rng, second, q)
    truth = truth_of(rng, q, p, other)
    y = simulated.outcomes(rng, truth, cluster, dependence=dependence)
    return PairSeasons(made=Seasons(q=q, p=p, truth=truth, y=y, cluster=cluster), other=other)


def line_of(season: PairSeasons, *, draws: int = DRAWS) -> list[LineInterval]:
    made = season.made
    count, events = made.q.shape
    one = np.ones(count * events)
    bets = Bets(
        group=np.repeat(np.arange(count), events),
        cluster=np.tile(made.cluster, count),
        market=np.tile(np.arange(events), count),
        start=season.other.ravel(),
        end=made.p.ravel(),
        price=made.q.ravel(),
        y=made.y.ravel(),
        weight=one,
        share=one,
        groups=count,
        between_agents=True,
    )
    return line_intervals(bets, seed=1, draws=draws)


def student_of(season: PairSeasons) -> list[tuple[float, float] | None]:
    """Student's t with the error of `comparisons`; None where the pair is not compared."""
    made, found = season.made, list[tuple[float, float] | None]()
    for q, p, other, y in zip(made.q, made.p, season.other, made.y, strict=True):
        both, everyone = np.stack([p, other]), np.ones((2, 1))
        panel = SkillPanel(
            skills=np.square(q - y) - np.square(both - y),
            cluster=made.cluster,
            yes=everyone * q,
            unlikely=everyone * np.minimum(q, 1 - q),
            slopes=2 * (both - q),
            forecasts=both,
            event=np.arange(len(q)),
        )
        statistics = compare_pairs(panel)
        mean, error = float(statistics.difference[0, 1]), float(statistics.error[0, 1])
        width = student_quantile(int(statistics.clusters[0, 1]) - 1) * error
        gap = pair_gap(statistics, 0, 1, least=LEAST_CLUSTERS)
        found.append(None if gap else (mean - width, mean + width))
    return found


def held(found: list[tuple[float, float] | None], truth: Floats) -> tuple[int, int]:
    """(Intervals that hold the truth, intervals)."""
    hits = [one[0] <= true <= one[1] for one, true in zip(found, truth, strict=True) if one is not None]
    return sum(hits), len(hits)


def run(seasons: int | None) -> None:
    """Print the tables."""
    count = seasons or SEASONS
    rows: dict[str, list[str]] = {"the engine": [], "the line": []}
    for agents, structure in product(AGENTS, STRUCTURES):
        size, _ = STRUCTURES[structure]
        if size > 1 and agents not in {"both add noise", "price and shrinker"}:
            continue
        cells: dict[str, list[str]] = {name: [] for name in rows}
        for shape in SHAPES:
            found: dict[str, list[str]] = {name: [] for name in rows}
            for clusters in CLUSTERS:
                made = season_of(shape, agents, structure, clusters=clusters, count=count)
                found["the engine"].append(_text(held(student_of(made), made.expected), count))
                found["the line"].append(_text(held([one.interval for one in line_of(made)], made.expected), count))
            for name, parts in cells.items():
                parts.append(" / ".join(found[name]))
        for name, parts in cells.items():
            rows[name].append(f"| {agents} | {structure} | " + " | ".join(parts) + " |")
    for name, lines in rows.items():
        print(f"\nCoverage of {name} in %, n = {' / '.join(map(str, CLUSTERS))} clusters, {count} seasons each")
        print("| agents | events a cluster | " + " | ".join(SHAPES) + " |")
        print("|---" * (2 + len(SHAPES)) + "|", *lines, sep="\n", flush=True)


def season_of(shape: str, agents: str, structure: str, *, clusters: int, count: int) -> PairSeasons:
    """Seasons of one cell of the tables."""
    size, dependence = STRUCTURES[structure]
    seed = [clusters, list(AGENTS).index(agents), SHAPES.index(shape), size]
    return seasons_of(
        np.random.default_rng(seed), shape, agents, clusters=clusters, size=size, dependence=dependence, count=count
    )


def _text(found: tuple[int, int], count: int) -> str:
    right, shown = found
    if shown < count / 20:
        return "-"
    return f"{100 * right / shown:.0f}" if shown >= count / 3 else f"({100 * right / shown:.0f})"
