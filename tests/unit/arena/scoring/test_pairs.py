from __future__ import annotations

import random
from dataclasses import replace

import pytest

from coliseum.arena.leaderboard import NO_GATES, Leaderboard, rank_agents
from coliseum.arena.scoring.cell import Cell
from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.pairs import AgentPair
from coliseum.arena.scoring.report import ScoreRules, score


def cells_of(levels: dict[str, float], *, events: int = 60, cluster: int = 1, q: float = 0.5) -> list[Cell]:
    """Agents that move from the price towards the outcome by a level, give or take 0.1."""
    cells: list[Cell] = []
    for event in range(events):
        y = random.Random(f"y/{event}").randrange(2)
        for agent, level in levels.items():
            shift = level + random.Random(f"{agent}/{event}").uniform(-0.1, 0.1)
            p = min(1.0, max(0.0, q + shift * (1 if y else -1)))
            cells.append(Cell(agent=agent, event=f"e{event:03}", market="m", window="1", p=p, q=q, y=y,
                              cluster=f"c{event // cluster:03}"))  # fmt: skip
    return cells


def board_of(cells: list[Cell], *, draws: int = 400) -> Leaderboard:
    report = score(table_from_cells(cells), seed=1, draws=draws, slices=False, rules=ScoreRules(left_out=frozenset()))
    return rank_agents(report, days={}, gates=NO_GATES)


def pair_of(cells: list[Cell], *, draws: int = 400) -> AgentPair:
    return board_of(cells, draws=draws).pairs[0]


def test_the_adjusted_interval_holds_the_interval_and_both_hold_the_difference() -> None:
    for pair in board_of(cells_of({"a": 0.1, "b": 0.05, "c": 0.0})).pairs:
        assert pair.interval is not None
        assert pair.adjusted_interval is not None
        assert pair.difference is not None
        assert pair.adjusted_interval[0] < pair.interval[0] < pair.difference < pair.interval[1]
        assert pair.interval[1] < pair.adjusted_interval[1]
        assert pair.reason is None


def test_dependent_events_make_an_interval_wider_and_more_events_are_needed() -> None:
    alike = [
        replace(cell, event=f"{cell.event}/{copy}") for cell in cells_of({"a": 0.03, "b": 0.0}) for copy in range(3)
    ]
    together, alone = pair_of(alike), pair_of([replace(cell, cluster=None) for cell in alike])

    assert (together.events, together.clusters, alone.clusters) == (180, 60, 180)
    assert together.interval is not None
    assert alone.interval is not None
    ratio = (together.interval[1] - together.interval[0]) / (alone.interval[1] - alone.interval[0])
    assert ratio == pytest.approx(3**0.5, rel=0.03)
    assert (together.events_needed or 0) > 2 * (alone.events_needed or 0)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (cells_of({"a": 0.1, "b": 0.0}, events=9), "9 common clusters, and 10 are needed"),
        (cells_of({"a": 0.1, "b": 0.0}, events=12, cluster=2), "6 common clusters, and 10 are needed"),
        (cells_of({"a": 0.1}) + [replace(c, event=f"x{c.event}") for c in cells_of({"b": 0.0})], "no common event"),
        (
            cells_of({"a": 0.01, "b": 0.0}, q=0.05, events=40),
            "40 common clusters, but their prices expect 2.0 outcomes",
        ),
    ],
)
def test_a_pair_that_cannot_be_compared_says_why_and_is_no_tie(cells: list[Cell], reason: str) -> None:
    pair = pair_of(cells)

    assert (pair.interval, pair.adjusted_interval, pair.superiority) == (None, None, None)
    assert (pair.reason or "").startswith(reason)


def test_a_pair_outside_the_family_has_an_interval_for_itself_only() -> None:
    pair = pair_of(cells_of({"a": 0.1, "b": 0.0}, events=29))

    assert pair.interval is not None
    assert pair.adjusted_interval is None
    assert (pair.superiority or 0) > 0.9
    assert pair.reason == "a has no tier: 29 clusters, and a tier needs 30"


def test_identical_agents_are_said_to_be_identical() -> None:
    cells = cells_of({"a": 0.1})
    pair = pair_of([*cells, *(replace(cell, agent="b") for cell in cells)])

    assert (pair.difference, pair.interval, pair.superiority) == (0, None, 0.5)
    assert pair.reason == "both have the same skill in every common event"


def test_a_difference_without_spread_has_the_expected_error() -> None:
    """One agent is right by 0.4 in every event, so no resample differs from the season."""
    cells = [
        Cell(agent=agent, event=f"e{event:03}", market="m", window="1", p=p if event % 2 else 1 - p, q=0.5, y=event % 2)
        for event in range(200)
        for agent, p in (("bad", 0.3), ("good", 0.7))
    ]
    result = board_of(cells)

    assert {one.agent: one.tier for one in result.standings} == {"good": 1, "bad": 2}
    assert result.pairs[0].superiority is None
    assert result.pairs[0].reason == "the difference is the same in every event, so there is nothing to resample"
    assert result.pairs[0].interval == pytest.approx((-0.4 - 1.972 * 0.0284, -0.4 + 1.972 * 0.0284), abs=1e-3)


def test_without_draws_there_are_intervals_for_one_pair_only() -> None:
    pair = pair_of(cells_of({"a": 0.1, "b": 0.0}), draws=0)

    assert pair.interval is not None
    assert (pair.adjusted_interval, pair.superiority) == (None, None)
