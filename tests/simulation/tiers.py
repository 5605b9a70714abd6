"""How often equal agents are split, unequal ones ranked wrongly, and better ones found: tiers and rank intervals.

Every season has its own prices, forecasts and outcomes, and goes through the engine's family, critical value, tiers and
rank intervals. A tenth of them goes through `score` and `rank_agents` too, which must give the same tiers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from tests.simulation import seasons as simulated
from tests.simulation.seasons import Codes, Floats

from coliseum.arena.leaderboard import NO_GATES, rank_agents
from coliseum.arena.scoring import tiers
from coliseum.arena.scoring.cells import CellTable, build_table
from coliseum.arena.scoring.comparisons import SkillPanel, compare_pairs
from coliseum.arena.scoring.report import ScoreRules, score
from coliseum.arena.scoring.tiers import Family, family_of

SEASONS = 200
DRAWS = 499
"""The critical value is valid for any number of draws; fewer only cost a little power."""
AGENTS, CLUSTERS, SHAPES, SIZES = (2, 5, 10, 20), (30, 100, 350), ("mid", "U", "lo"), (1, 3, 10)
LEVEL = 0.05
"""A little more than the engine's 0.04, which leaves room: what holds here holds there."""
DEPENDENCE = 0.5
"""Of the events inside a cluster of several."""


@dataclass(frozen=True, kw_only=True)
class Season:
    """One season: forecasts are agents x events, all else by event."""

    q: Floats
    p: Floats
    truth: Floats
    y: Floats
    cluster: Codes

    @property
    def panel(self) -> SkillPanel:
        """What the engine makes of the season, if each event is one market asked once."""
        everyone = np.ones((len(self.p), 1))
        return SkillPanel(
            skills=np.square(self.q - self.y) - np.square(self.p - self.y),
            cluster=self.cluster,
            yes=everyone * self.q,
            unlikely=everyone * np.minimum(self.q, 1 - self.q),
            slopes=2 * (self.p - self.q),
            forecasts=self.p,
            event=np.arange(len(self.q)),
        )

    @property
    def expected(self) -> Floats:
        """The expected skill of each agent, given prices, forecasts and the truth."""
        return np.asarray(((self.q - self.p) * (self.q + self.p - 2 * self.truth)).mean(axis=1))

    def table(self) -> CellTable:
        """The season as a table for the engine."""
        agents, events = self.p.shape
        return build_table(
            agent=[f"a{agent:02}" for agent in range(agents) for _ in range(events)],
            event=[f"e{event:05}" for event in range(events)] * agents,
            market=["m"] * events * agents,
            window=["1"] * events * agents,
            p=self.p.ravel(),
            q=np.tile(self.q, agents),
            y=np.tile(self.y, agents),
            cluster=[f"c{cluster:05}" for cluster in self.cluster] * agents,
        )


Maker = Callable[[np.random.Generator, Codes], Season]
"""Makes a season of events with these clusters."""


def season_of(rng: np.random.Generator, cluster: Codes, *, q: Floats, p: Floats, truth: Floats) -> Season:
    """A season with outcomes; the events of a cluster depend on each other."""
    dependence = DEPENDENCE if len(cluster) > int(cluster[-1]) + 1 else 0.0
    y = simulated.outcomes(rng, truth[None, :], cluster, dependence=dependence)[0]
    return Season(q=q, p=p, truth=truth, y=y, cluster=cluster)


def equal_agents(shape: str, agents: int) -> Maker:
    """Right prices, and agents that add noise of their own: all are equally good."""

    def make(rng: np.random.Generator, cluster: Codes) -> Season:
        q = simulated.prices(rng, shape, cluster.shape)
        p = simulated.forecasts(rng, "noise", np.tile(q, (agents, 1)))
        return season_of(rng, cluster, q=q, p=p, truth=q)

    return make


def shrinkers(shape: str, agents: int) -> Maker:
    """Right prices, and agents that take long shots for too dear, each more than the one before.

    The first is nearly a copy of the price and the best. On long shots the last ones look best until one comes true.
    """

    def make(rng: np.random.Generator, cluster: Codes) -> Season:
        q = simulated.prices(rng, shape, cluster.shape)
        p = np.stack([simulated.logistic((1 + 0.15 * agent) * simulated.logit(q)) for agent in range(agents)])
        return season_of(rng, cluster, q=q, p=p, truth=q)

    return make


def halfway(shape: str) -> Maker:
    """A price and an agent, with the truth halfway, so that neither is better. Long shots make this skewed."""

    def make(rng: np.random.Generator, cluster: Codes) -> Season:
        q = simulated.prices(rng, shape, cluster.shape)
        p = np.stack([q, simulated.forecasts(rng, "shrinker", q)])
        return season_of(rng, cluster, q=q, p=p, truth=p.mean(axis=0))

    return make


def unequal_agents(shape: str, agents: int, *, best: int) -> Maker:
    """Prices that miss something of which `best` agents know half, and the others none. All add noise."""

    def make(rng: np.random.Generator, cluster: Codes) -> Season:
        q = simulated.prices(rng, shape, cluster.shape)
        missed = simulated.logistic(simulated.logit(q) + 0.55 * rng.standard_normal(cluster.shape))
        p = simulated.logistic(simulated.logit(q) + 0.3 * rng.standard_normal((agents, len(cluster))))
        p[:best] = simulated.logistic((simulated.logit(q) + simulated.logit(missed)) / 2)
        p[:best] = simulated.logistic(simulated.logit(p[:best]) + 0.1 * rng.standard_normal((best, len(cluster))))
        return season_of(rng, cluster, q=q, p=p, truth=missed)

    return make


def compared(season: Season, *, draws: int = DRAWS, level: float = LEVEL) -> Family:
    """The family of all agents of the season."""
    panel = season.panel
    names = [f"a{agent:02}" for agent in range(len(season.p))]
    statistics = compare_pairs(panel)
    return family_of(panel, statistics, range(len(names)), names=names, barred={}, draws=draws, level=level)


@dataclass(kw_only=True)
class Tally:
    """Counts over seasons of one kind."""

    seasons: int = 0
    shown: int = 0
    """Seasons with tiers."""
    split: int = 0
    """Seasons with more than one tier."""
    wrong: int = 0
    """Seasons in which an agent is significantly better than one that is at least as good."""
    uncovered: int = 0
    """Seasons in which one of the rank intervals misses the true rank."""
    width: float = 0.0
    """Sum of the mean number of ranks in an interval."""
    found: float = 0.0
    """Sum of the shares of worse agents that are split off from the best."""
    critical: float = 0.0
    disagreements: int = 0
    """Seasons in which `rank_agents` gives other tiers."""

    def share(self, count: float) -> str:
        return "–" if not self.shown else f"{100 * count / self.shown:.1f}"


def tally(
    make: Maker,
    clusters: int,
    size: int,
    *,
    seasons: int,
    seed: int,
    draws: int = DRAWS,
    whole: int = 0,
    level: float = LEVEL,
) -> Tally:
    """Play seasons. The first `whole` of them go through `score` and `rank_agents` too."""
    rng, found = np.random.default_rng(seed), Tally(seasons=seasons)
    cluster = simulated.clusters_of((size,), clusters)
    for number in range(seasons):
        season = make(rng, cluster)
        family = compared(season, draws=draws, level=level)
        if number < whole:
            found.disagreements += _disagrees(season, compared(season, draws=draws, level=tiers.LEVEL), draws=draws)
        if family.members:
            _count(found, season, family)
    return found


def _count(found: Tally, season: Season, family: Family) -> None:
    skill, agents = season.expected, len(season.p)
    tier = np.array([family.tiers[agent] for agent in range(agents)])
    low = np.array([1 + family.better[agent] for agent in range(agents)])
    high = np.array([agents - family.worse[agent] for agent in range(agents)])
    better = (skill[None, :] > skill[:, None] + 1e-12).sum(axis=1)
    worse = (skill[None, :] < skill[:, None] - 1e-12).sum(axis=1)
    best = skill >= skill.max() - 1e-12
    found.shown += 1
    found.split += len(set(tier.tolist())) > 1
    found.wrong += bool((tier[best] > 1).any())
    found.uncovered += bool((low > 1 + better).any() or (high < agents - worse).any())
    found.width += float((high - low + 1).mean())
    found.found += float((tier[~best] > 1).mean()) if not best.all() else 0.0
    found.critical += family.critical or 0.0


def _disagrees(season: Season, family: Family, *, draws: int) -> bool:
    """Whether the whole way, from a table of cells to the leaderboard, gives other tiers."""
    report = score(season.table(), seed=1, draws=draws, slices=False, rules=ScoreRules(left_out=frozenset()))
    board = rank_agents(report, days={}, gates=NO_GATES)
    found = {int(one.agent[1:]): one.tier for one in board.standings if one.tier is not None}
    return bool(found) and found != family.tiers


def run(seasons: int | None) -> None:
    """Print the tables of docs/scoring.md."""
    count = seasons or SEASONS
    print(f"{count} seasons each, {DRAWS} draws, level {LEVEL}")
    _equal_table(count)
    _skewed_table(count)
    _power_table(count // 2)


def _equal_table(seasons: int, shapes: tuple[str, ...] = SHAPES) -> None:
    print("\nEqual agents: % of seasons with more than one tier")
    print("| prices | events a cluster | clusters | " + " | ".join(f"K = {agents}" for agents in AGENTS) + " |")
    print("|---" * (3 + len(AGENTS)) + "|", flush=True)
    for shape, size, clusters in product(shapes, SIZES, CLUSTERS):
        cells = []
        for agents in AGENTS:
            skip = size > 1 and agents != 10
            made = Tally() if skip else tally(
                equal_agents(shape, agents), clusters, size, seasons=seasons, seed=agents * clusters + size,
                whole=seasons // 10 if agents == 5 and clusters == 100 else 0,
            )  # fmt: skip
            cells.append("" if skip else made.share(made.split))
            if made.disagreements:
                print(f"{made.disagreements} leaderboards have other tiers")
        print(f"| {shape} | {size} | {clusters} | " + " | ".join(cells) + " |", flush=True)


def _skewed_table(seasons: int) -> None:
    print("\nSkewed and unequal agents")
    print("| agents | prices | events a cluster | clusters | a best agent below tier 1, % | a rank interval misses, % "
          "| ranks in an interval |")  # fmt: skip
    print("|---" * 7 + "|", flush=True)
    kinds: list[tuple[str, str, Maker]] = [
        *(("shrinkers, K = 5", shape, shrinkers(shape, 5)) for shape in ("U", "lo")),
        *(("price and shrinker, truth halfway", shape, halfway(shape)) for shape in ("U", "lo")),
        *((f"{best} of 10 know half", "mid", unequal_agents("mid", 10, best=best)) for best in (1, 5)),
    ]
    for (name, shape, make), (size, clusters) in product(kinds, ((1, 30), (1, 100), (1, 350), (10, 100))):
        made = tally(make, clusters, size, seasons=seasons, seed=clusters + size)
        width = "–" if not made.shown else f"{made.width / made.shown:.1f}"
        print(f"| {name} | {shape} | {size} | {clusters} | {made.share(made.wrong)} | {made.share(made.uncovered)} "
              f"| {width} |", flush=True)  # fmt: skip


def _power_table(seasons: int) -> None:
    print("\nOne agent knows half of what the price misses: % of its equal rivals that are split off")
    print("| K | gap in skill | " + " | ".join(f"{clusters} clusters" for clusters in (100, 350, 1000)) + " |")
    print("|---" * 5 + "|", flush=True)
    for agents in (2, 5, 10, 20):
        cells, gap = [], 0.0
        for clusters in (100, 350, 1000):
            make = unequal_agents("mid", agents, best=1)
            made = tally(make, clusters, 1, seasons=seasons, seed=agents + clusters)
            season = make(np.random.default_rng(1), simulated.clusters_of((1,), 20_000))
            gap = float(season.expected[0] - season.expected[1:].mean())
            cells.append(made.share(made.found))
        print(f"| {agents} | {gap:.3f} | " + " | ".join(cells) + " |", flush=True)
