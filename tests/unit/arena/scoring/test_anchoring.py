from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from coliseum.arena.scoring.anchoring import Anchoring, anchoring
from coliseum.arena.scoring.cells import Cell


def twins(lean: float, *, events: int = 40, noise: float = 0.0, agent: str = "a") -> tuple[list[Cell], list[Cell]]:
    """Forecasts before the price is seen, and the same moved towards it."""
    blind: list[Cell] = []
    aware: list[Cell] = []
    for event in range(events):
        rng = random.Random(event)
        p, q, y = rng.uniform(0.1, 0.9), rng.uniform(0.2, 0.8), rng.randrange(2)
        cell = Cell(agent=agent, event=f"e{event}", market="m", window="1", p=p, q=q, y=y)
        blind.append(cell)
        aware.append(replace(cell, p=min(1.0, max(0.0, p + lean * (q - p) + rng.uniform(-noise, noise)))))
    return blind, aware


def of(blind: list[Cell], aware: list[Cell], agent: str = "a") -> Anchoring:
    return anchoring(blind, aware)[agent]


@pytest.mark.parametrize("lean", [0.0, 0.3, 1.0])
def test_the_lean_is_the_share_of_the_gap_to_the_price(lean: float) -> None:
    result = of(*twins(lean))

    assert result.alpha == pytest.approx(lean)
    assert result.interval == pytest.approx((lean, lean))
    assert (result.questions, result.events) == (40, 40)


def test_the_interval_covers_the_lean_of_noisy_forecasts() -> None:
    result = of(*twins(0.5, events=200, noise=0.1))

    assert result.interval is not None
    assert result.interval[0] < 0.5 < result.interval[1]
    assert result.interval[1] - result.interval[0] < 0.15


def test_the_gain_of_a_pure_lean_comes_from_the_market() -> None:
    result = of(*twins(0.6))

    assert result.blind_skill is not None
    assert result.aware_skill == pytest.approx(result.blind_skill + (result.borrowed_skill or 0))
    assert (result.borrowed_skill or 0) > 0
    assert of(*twins(1.0)).aware_skill == pytest.approx(0)


def test_the_slope_and_the_skills_of_two_questions_by_hand() -> None:
    one = Cell(agent="a", event="e1", market="m", window="1", p=0.2, q=0.6, y=1)
    two = Cell(agent="a", event="e2", market="m", window="1", p=0.5, q=0.3, y=0)
    result = of([one, two], [replace(one, p=0.4), replace(two, p=0.5)])
    alpha = 0.2 * 0.4 / (0.16 + 0.04)

    assert result.alpha == pytest.approx(alpha)
    assert result.interval is None
    assert result.blind_skill == pytest.approx(((0.16 - 0.64) + (0.09 - 0.25)) / 2)
    assert result.aware_skill == pytest.approx(((0.16 - 0.36) + (0.09 - 0.25)) / 2)
    leant = ((0.16 - (0.8 - 0.4 * alpha) ** 2) + (0.09 - (0.5 - 0.2 * alpha) ** 2)) / 2
    assert result.borrowed_skill == pytest.approx(leant - (result.blind_skill or 0))


def test_an_event_of_many_markets_counts_once() -> None:
    blind, aware = twins(0.0, events=1)
    many = [replace(cell, event="big", market=f"m{i}", p=0.2, q=0.6) for i, cell in enumerate(blind * 9)]
    result = of([*blind, *many], [*aware, *(replace(cell, p=0.6) for cell in many)])
    room = (blind[0].q or 0) - (blind[0].p or 0)

    assert result.alpha == pytest.approx(0.16 / (0.16 + room**2))


def test_only_questions_with_a_price_and_both_answers_count() -> None:
    blind, aware = twins(0.5, events=4)
    aware[0] = replace(aware[0], p=None)
    aware[1], blind[2] = replace(aware[1], q=None), replace(blind[2], p=None)

    assert of(blind, aware).questions == 1
    assert anchoring(blind, twins(0.5, agent="b")[1]) == {}
    assert anchoring([], []) == {}


def test_without_outcomes_there_is_a_lean_and_no_skill() -> None:
    blind, aware = ([replace(cell, y=None) for cell in side] for side in twins(0.5))
    result = of(blind, aware)

    assert result.alpha == pytest.approx(0.5)
    assert (result.blind_skill, result.aware_skill, result.borrowed_skill) == (None, None, None)


def test_blind_forecasts_equal_to_the_prices_give_no_lean() -> None:
    blind, _ = twins(0.0)
    same = [replace(cell, p=cell.q) for cell in blind]

    assert (of(same, same).alpha, of(same, same).interval) == (None, None)


def test_few_clusters_leave_a_lean_without_an_interval_and_a_reason() -> None:
    blind, aware = twins(0.5, noise=0.1)
    first, second = ([replace(c, cluster=f"c{int(c.event[1:]) // 10}") for c in side] for side in (blind, aware))
    result = of(first, second)

    assert result.interval is None
    assert result.interval_reason == "blind forecast and price differ in 4 clusters, and an interval needs 10"


def test_a_lean_that_one_cluster_decides_has_no_interval() -> None:
    blind, aware = twins(0.5, noise=0.1)
    near = [replace(cell, p=(cell.q or 0) + 0.01) for cell in blind[1:]]
    result = of([replace(blind[0], p=0.01, q=0.9), *near], [replace(aware[0], q=0.9), *aware[1:]])

    assert result.interval is None
    assert result.interval_reason == "a few of the 40 clusters decide the lean"


def test_intervals_of_leans_cover_with_few_clusters_of_dependent_events() -> None:
    """300 agents with 12 clusters of 3 events. The noise of a cluster is shared by its events."""
    rng = np.random.default_rng(1)
    held = 0
    seasons = 300
    for _ in range(seasons):
        gap, noise = rng.normal(0, 0.12, (12, 3)), rng.normal(0, 0.04, (12, 1)) + rng.normal(0, 0.02, (12, 3))
        blind = [
            Cell(agent="a", event=f"e{c}-{e}", market="m", window="1", p=0.5, q=0.5 + float(gap[c, e]), cluster=f"c{c}")
            for c in range(12)
            for e in range(3)
        ]
        moved = (0.5 + 0.4 * gap + noise).ravel()
        low, high = of(blind, [replace(cell, p=float(p)) for cell, p in zip(blind, moved, strict=True)]).interval or (
            math.nan,
            math.nan,
        )
        held += low <= 0.4 <= high
    assert 0.95 - 4.5 * math.sqrt(0.05 * 0.95 / seasons) < held / seasons
