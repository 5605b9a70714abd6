"""False claims and power of the bounds that hold at every look: `make simulate ARGUMENTS=sequence`.

Each season has 400 clusters, and the bounds are looked at after every one. `above` is false at a look if the running
mean of the expected skill is not above 0 there. The bounds miss if that mean is outside them at any look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from tests.simulation import seasons as simulated
from tests.simulation.engine_seasons import SEASONS as ENGINE_SEASONS
from tests.simulation.engine_seasons import engine_looks
from tests.simulation.seasons import Codes, Floats, Mask, Seasons

from coliseum.arena.scoring.arithmetic import LN2, exponential, natural_log, scaled
from coliseum.arena.scoring.confidence_sequence import BAR, BETS, WEIGHTS, ClusterSkills, running_stakes
from coliseum.arena.scoring.skill_claims import DETECTABLE_ERRORS, LOOKS_FACTOR, spread

SEASONS = 2000
CLUSTERS = 400
LOOKS = (100, 200, 400)
SINGLE_LOOK = 2.8
"""Standard errors of a skill that a single look finds at 5 % with 80 % power."""
Truth = Callable[[np.random.Generator, Floats, Floats, Codes], Floats]
"""The true probabilities, from prices, forecasts and the cluster of each event."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """An agent without skill, or whose mean skill is at most 0 for long."""

    name: str
    shape: str = "mid"
    agent: str = "noise"
    truth: Truth
    sizes: tuple[int, ...] = (1,)
    """Events of a cluster."""
    dependence: float = 0.0
    """Of the events of a cluster; above 0 all skills of a cluster come out well or badly together."""


def right(_: np.random.Generator, q: Floats, p: Floats, cluster: Codes) -> Floats:
    return q


def no_skill(_: np.random.Generator, q: Floats, p: Floats, cluster: Codes) -> Floats:
    return simulated.between(q, p, 0.5)


def biased(_: np.random.Generator, q: Floats, p: Floats, cluster: Codes) -> Floats:
    return simulated.biased_truth(q)


def by_turns(length: int) -> Truth:
    """The price is right for `length` clusters, then the agent is, and so on."""

    def truth(_: np.random.Generator, q: Floats, p: Floats, cluster: Codes) -> Floats:
        return simulated.between(q, p, (cluster // length % 2).astype(np.float64))

    return truth


def comes_and_goes(rng: np.random.Generator, q: Floats, p: Floats, cluster: Codes) -> Floats:
    return simulated.between(q, p, simulated.ability(rng, len(q), int(cluster[-1]) + 1)[:, cluster])


def knows(share: float) -> Truth:
    """The truth is `share` of the way from the price to the agent."""

    def truth(_: np.random.Generator, q: Floats, p: Floats, cluster: Codes) -> Floats:
        return simulated.between(q, p, share)

    return truth


NULLS = (
    Scenario(name="follows the price", agent="follower", truth=right),
    *(Scenario(name="noise around the price", shape=shape, truth=right) for shape in simulated.SHAPES),
    *(Scenario(name="shrinker, factor 1.15", shape=shape, agent="shrinker", truth=right) for shape in simulated.SHAPES),
    *(Scenario(name="biased price, agent leans wrong", shape=s, agent="widener", truth=biased) for s in ("mid", "U")),
    *(Scenario(name="biased price, noise around it", shape=s, truth=biased) for s in ("mid", "lo")),
    *(Scenario(name="truth halfway to the agent", shape=shape, truth=no_skill) for shape in simulated.SHAPES),
    *(Scenario(name="halfway, rare big bets", shape=s, agent="rare", truth=no_skill) for s in ("mid", "lo", "hi")),
    Scenario(name="20 bad, 20 good, ...", truth=by_turns(20)),
    Scenario(name="200 bad, then 200 good", truth=by_turns(200)),
    Scenario(name="skill comes and goes, AR(1) 0.95", truth=comes_and_goes),
    Scenario(name="the same at long shots", shape="lo", truth=comes_and_goes),
    *(
        Scenario(name="truth halfway to the agent", truth=no_skill, sizes=sizes, dependence=dependence)
        for sizes in ((3,), (10,), (1, 3, 10))
        for dependence in (0.0, 1.0)
    ),
    Scenario(name="halfway, half dependent", truth=no_skill, sizes=(1, 3, 10), dependence=0.5),
    Scenario(name="noise around the price", truth=right, sizes=(10,), dependence=1.0),
    Scenario(name="halfway, long shots", shape="lo", truth=no_skill, sizes=(1, 3, 10), dependence=1.0),
    Scenario(name="shrinker, long shots", shape="lo", agent="shrinker", truth=right, sizes=(10,), dependence=1.0),
)
POWERS = (
    Scenario(name="knows 80 % of what it says", truth=knows(0.8)),
    Scenario(name="is right", truth=knows(1.0)),
    Scenario(name="is right", shape="U", truth=knows(1.0)),
    Scenario(name="is right", shape="lo", truth=knows(1.0)),
    Scenario(name="is right", truth=knows(1.0), sizes=(3,), dependence=1.0),
    Scenario(name="is right", truth=knows(1.0), sizes=(3,), dependence=0.0),
    Scenario(name="too timid: knows twice what it says", shape="U", truth=knows(2.0)),
)
OUTLOOKS = (
    Scenario(name="noise", truth=right),
    Scenario(name="noise", shape="U", truth=right),
    Scenario(name="noise", shape="lo", truth=right),
    Scenario(name="noise", truth=right, sizes=(1, 3, 10), dependence=1.0),
    Scenario(name="noise", truth=right, sizes=(1, 3, 10), dependence=0.0),
)
"""Agents for which the two figures of the outlook are checked, with as much skill as these figures ask for."""


@dataclass(frozen=True)
class Looks:
    """One season, look by look: after every cluster."""

    above: Mask
    false_above: Mask
    missed: Mask
    """Whether the running mean of the expected skill is outside the bounds."""


def season_of(rng: np.random.Generator, scenario: Scenario, *, seasons: int, clusters: int) -> Seasons:
    cluster = simulated.clusters_of(scenario.sizes, clusters)
    q = simulated.prices(rng, scenario.shape, (seasons, len(cluster)))
    p = simulated.forecasts(rng, scenario.agent, q)
    truth = scenario.truth(rng, q, p, cluster)
    y = simulated.outcomes(rng, truth, cluster, dependence=scenario.dependence, turned=p < q)
    return Seasons(q=q, p=p, truth=truth, y=y, cluster=cluster)


def cluster_columns(made: Seasons) -> Iterator[ClusterSkills]:
    """The columns of each season, as the engine makes them of a table."""
    if_yes, if_no = ((made.q - made.p) * (made.q + made.p - 2 * y) for y in (1, 0))
    per_event = (made.skill, np.maximum(-if_yes, -if_no), np.maximum(if_yes, if_no), np.square(made.p - made.q))
    skill, loss, gain, if_right = (simulated.cluster_sums(values, made.cluster) for values in per_event)
    events = np.bincount(made.cluster).astype(np.float64)
    due_at = simulated.START + simulated.DAY * np.arange(len(events), dtype=np.float64)
    for season in range(len(skill)):
        yield ClusterSkills(
            skill=skill[season], loss=loss[season], gain=gain[season], if_right=if_right[season],
            events=events, due_at=due_at,
        )  # fmt: skip


def looks(clusters: ClusterSkills, expected: Floats) -> Looks:
    """What is said after every cluster. `expected` is the expectation of each cluster's skill."""
    target = np.cumsum(expected)
    above, low_missed = _side(clusters, target)
    _, high_missed = _side(clusters.mirrored, -target)
    # Sums of a follower's zeros are not exactly 0.
    return Looks(above, above & (target <= 1e-12), low_missed | high_missed)


def _side(clusters: ClusterSkills, target: Floats) -> tuple[Mask, Mask]:
    """(Whether the lower bound is above 0, and whether it is above the target), after each cluster."""
    above, missed = np.zeros(len(clusters), dtype=np.bool_), np.zeros(len(clusters), dtype=np.bool_)
    for block, mantissas, exponents in running_stakes(clusters):
        above[block] = WEIGHTS @ scaled(mantissas, exponents) >= BAR
        log_stakes = natural_log(mantissas) + exponents * LN2
        missed[block] = WEIGHTS @ exponential(log_stakes - BETS[:, None] * target[block]) >= BAR
    return above, missed


def false_claims(scenario: Scenario, *, seasons: int, clusters: int = CLUSTERS, seed: int = 1) -> tuple[float, float]:
    """(Share of seasons with a false `above` at any look, share in which the bounds missed the mean at any look)."""
    made = season_of(np.random.default_rng(seed), scenario, seasons=seasons, clusters=clusters)
    expected = simulated.cluster_sums(made.expected_skill, made.cluster)
    found = [looks(columns, mean) for columns, mean in zip(cluster_columns(made), expected, strict=True)]
    return float(np.mean([one.false_above.any() for one in found])), float(np.mean([one.missed.any() for one in found]))


def power(scenario: Scenario, *, seasons: int, seed: int = 2) -> tuple[float, float, list[float]]:
    """(Expected skill per event, its standard deviation, share of seasons that were `above` by each of `LOOKS`)."""
    made = season_of(np.random.default_rng(seed), scenario, seasons=seasons, clusters=CLUSTERS)
    above = np.array([_side(columns, np.zeros(CLUSTERS))[0] for columns in cluster_columns(made)])
    by = [float(above[:, :look].any(axis=1).mean()) for look in LOOKS]
    return float(made.expected_skill.mean()), float(made.skill.std()), by


def outlook(scenario: Scenario, *, errors: float, clusters: int, looks_at: int, seasons: int) -> tuple[float, float]:
    """(Expected skill, share of seasons that are `above` after `looks_at` clusters).

    The agent has as much skill as makes it `errors` standard errors after `clusters` clusters.
    """
    rng = np.random.default_rng(3)
    blank = season_of(rng, scenario, seasons=1, clusters=20 * clusters)
    (columns,) = cluster_columns(blank)
    wanted = errors * spread(columns) * np.sqrt(20)
    share = 0.5 + wanted / (2 * columns.mean_if_right)
    skilled = Scenario(**{**vars(scenario), "truth": knows(float(share))})
    made = season_of(rng, skilled, seasons=seasons, clusters=looks_at)
    above = [_side(one, np.zeros(looks_at))[0][-1] for one in cluster_columns(made)]
    return float(made.expected_skill.mean()), float(np.mean(above))


def run(seasons: int | None) -> None:
    """Print the tables of docs/scoring.md."""
    number = seasons or SEASONS
    print(f"False claims, in % of {number:,} seasons of {CLUSTERS} clusters, looked at after every cluster\n")
    _header("agent and truth", "prices", "clusters of", "false `above` ever", "mean ever outside the bounds")
    for scenario in NULLS:
        false, missed = false_claims(scenario, seasons=number)
        _row(scenario.name, scenario.shape, _sizes(scenario), f"{false:.1%}", f"{missed:.1%}")
    number = max(1, number // 4)
    print(f"\nPower: share of {number:,} seasons that were `above` by so many clusters\n")
    _header("agent", "prices", "clusters of", "skill (sd)", *(f"{look}" for look in LOOKS))
    for scenario in POWERS:
        skill, deviation, by = power(scenario, seasons=number)
        shares = (f"{share:.0%}" for share in by)
        _row(scenario.name, scenario.shape, _sizes(scenario), f"{skill:.4f} ({deviation:.3f})", *shares)
    _print_outlook(number)
    _print_engine(max(1, number // 20))


def _print_outlook(number: int) -> None:
    print(f"\nThe outlook: share of {number:,} seasons that are `above` at a look, and the true skill there\n")
    at_once, later = f"{DETECTABLE_ERRORS} errors, {{}} clusters", f"{SINGLE_LOOK} errors at {{}}, twice as many"
    heads = [
        *(at_once.format(clusters) for clusters in (100, 400)),
        *(later.format(clusters) for clusters in (100, 400)),
    ]
    _header("agent", "prices", "clusters of", *heads)
    for scenario in OUTLOOKS:
        found = [
            outlook(scenario, errors=errors, clusters=clusters, looks_at=times * clusters, seasons=number)
            for errors, times in ((DETECTABLE_ERRORS, 1), (SINGLE_LOOK, LOOKS_FACTOR))
            for clusters in (100, 400)
        ]
        cells = (f"{share:.0%} ({skill:.4f})" for skill, share in found)
        _row(scenario.name, scenario.shape, _sizes(scenario), *cells)


def _print_engine(number: int) -> None:
    print(f"\nWhole reports with windows, voids and early ends, a look every 20 days: share of {number:,} seasons\n")
    _header("agent", "`above` ever", "`below` ever")
    for name in ENGINE_SEASONS:
        found = [set(said.values()) for said in engine_looks(name, seasons=number)]
        _row(name, *(f"{np.mean([side in said for said in found]):.1%}" for side in ("above", "below")))


def _header(*names: str) -> None:
    _row(*names)
    _row(*["---"] * len(names))


def _row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def _sizes(scenario: Scenario) -> str:
    sizes = ", ".join(map(str, scenario.sizes))
    if scenario.sizes == (1,):
        return sizes
    return f"{sizes}, " + {0.0: "independent", 0.5: "half dependent", 1.0: "dependent"}[scenario.dependence]
