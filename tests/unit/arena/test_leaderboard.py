from __future__ import annotations

import random
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.leaderboard import NO_GATES, Gates, Leaderboard, rank_agents, separated
from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.report import ScoreRules, score

OPEN = ScoreRules(left_out=frozenset())
LISTED = dict.fromkeys("abcdefgh", 30.0)


def panel(levels: dict[str, float], *, events: int = 60, noise: float = 0.02, seed: int = 1) -> list[Cell]:
    """Cells of agents whose p moves from q towards the outcome by `level`, plus noise."""
    cells: list[Cell] = []
    for event in range(events):
        world = random.Random(f"{seed}/{event}")
        quote, outcome = round(world.uniform(0.2, 0.8), 2), world.randrange(2)
        for agent, level in levels.items():
            shift = level + random.Random(f"{seed}/{event}/{agent}").uniform(-noise, noise)
            p = min(1.0, max(0.0, quote + shift * (1 if outcome else -1)))
            cells.append(Cell(agent=agent, event=f"e{event}", market="m", window="1", p=p, q=quote, y=outcome))
    return cells


def board_of(
    cells: list[Cell], *, gates: Gates = NO_GATES, draws: int = 400, days: dict[str, float] | None = None
) -> Leaderboard:
    report = score(table_from_cells(cells), seed=1, draws=draws, slices=False, rules=OPEN)
    return rank_agents(report, days=LISTED if days is None else days, gates=gates)


def lines(result: Leaderboard, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(one, name) for name in names) for one in result.standings]


def test_more_skill_ranks_first() -> None:
    result = board_of(panel({"a": 0.0, "b": 0.2, "c": 0.1}))

    assert lines(result, "agent", "rank", "tier") == [("b", 1, 1), ("c", 2, 2), ("a", 3, 3)]
    assert lines(result, "rank_interval", "best_probability") == [((1, 1), 1.0), ((2, 2), None), ((3, 3), None)]
    assert lines(result, "best_probability_reason")[1:] == [("an agent is significantly better",)] * 2


def test_equal_agents_share_their_rank_and_the_next_one_is_missing() -> None:
    cells = panel({"a": 0.1}, noise=0)
    twins = [*cells, *(replace(cell, agent="b") for cell in cells), *panel({"c": -0.01}, noise=0)]

    assert lines(board_of(twins), "agent", "rank", "tier", "best_probability") == [
        ("a", 1, 1, 0.5),
        ("b", 1, 1, 0.5),
        ("c", 3, 2, None),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_equal_skills_share_a_rank_in_whatever_order_their_events_are(seed: int) -> None:
    rng = random.Random(seed)
    cells: list[Cell] = []
    for y in (0, 1):
        forecasts = [round(rng.uniform(0.2, 0.8), 3) for _ in range(30)]
        for agent in ("ana", "bo"):  # the same forecasts of events with the same outcome, in another order
            rng.shuffle(forecasts)
            cells += [
                Cell(agent=agent, event=f"{y}{number}", market="m", window="1", p=p, q=0.5, y=y)
                for number, p in enumerate(forecasts)
            ]
    assert [standing.rank for standing in board_of(cells).standings] == [1, 1]


def test_agents_of_one_tier_do_not_differ_and_those_below_do() -> None:
    """Each agent differs from the next by less than the noise, and the last from the first by more."""
    result = board_of(panel({"a": 0.10, "b": 0.08, "c": 0.06, "d": 0.04, "e": 0.02}, noise=0.2, events=60))
    tiers = {one.agent: one.tier or 0 for one in result.standings}
    pairs = {(pair.first, pair.second): pair.adjusted_interval for pair in result.pairs}

    assert list(tiers.values()) == sorted(tiers.values())
    assert 1 < len(set(tiers.values())) < len(tiers)
    for (first, second), interval in pairs.items():
        assert interval is not None
        significant = not interval[0] <= 0 <= interval[1]
        assert not significant or tiers[first] != tiers[second]


def test_an_agent_that_shares_no_event_changes_nothing_for_the_others() -> None:
    cells = panel({"a": 0.1, "b": 0.0, "c": 0.09}, noise=0.1)
    lucky = Cell(agent="lucky", event="x", market="m", window="1", p=0.99, q=0.5, y=1)
    alone, beside = board_of(cells), board_of([*cells, lucky])
    names = ("agent", "tier", "best_probability")

    assert lines(beside, *names)[1:] == lines(alone, *names)
    assert lines(beside, "agent", "rank", "tier", "rank_interval")[0] == ("lucky", 1, None, None)
    assert beside.standings[0].tier_reason is not None
    assert [one.rank_interval for one in beside.standings[1:]] == [
        (low, high + 1) for one in alone.standings for low, high in [one.rank_interval or (0, 0)]
    ]


@pytest.mark.parametrize(
    ("gates", "days", "missing"),
    [
        (Gates(coverage=0, events=0, days=0), 0.0, ()),
        (Gates(coverage=0, events=60, days=10), 10.0, ()),
        (Gates(coverage=0, events=61, days=10), 10.0, ("60 of 61 events",)),
        (Gates(coverage=0, events=60, days=10), 9.94, ("9.9 of 10 days",)),
        (Gates(), 3.0, ("3.0 of 10 days",)),
    ],
)
def test_an_agent_is_listed_when_it_passes_every_gate(gates: Gates, days: float, missing: tuple[str, ...]) -> None:
    (line,) = board_of(panel({"a": 0.1}), gates=gates, days={"a": days}).standings

    assert line.missing == missing
    assert (line.listed, line.rank) == ((True, 1) if not missing else (False, None))


def test_coverage_below_ninety_per_cent_keeps_an_agent_provisional() -> None:
    cells = panel({"a": 0.1})
    cells = [replace(cell, p=None) if i % 8 == 0 else cell for i, cell in enumerate(cells)]
    (line,) = board_of(cells, gates=Gates()).standings

    assert line.missing == ("coverage 87% of 90%",)


def test_provisional_agents_come_last_and_have_no_rank() -> None:
    cells = panel({"a": 0.0, "b": 0.1})
    newcomer = panel({"c": 0.4}, events=20)
    result = board_of([*cells, *newcomer], gates=Gates(coverage=0, events=30, days=0))

    assert lines(result, "agent", "rank", "rank_interval", "best_probability") == [
        ("b", 1, (1, 1), 1.0),
        ("a", 2, (2, 2), None),
        ("c", None, None, None),
    ]


def test_an_agent_without_paired_cells_comes_last_and_has_no_rank() -> None:
    cells = [*panel({"a": -0.1}), Cell(agent="b", event="own", market="m", window="1", p=0.5, q=None, y=None)]
    result = board_of(cells)

    assert lines(result, "agent", "rank") == [("a", 1), ("b", None)]


def test_with_few_events_there_is_no_interval_and_no_chance_of_being_first() -> None:
    result = board_of(panel({"a": 0.05, "b": 0.0}, events=9))

    assert lines(result, "rank", "tier", "rank_interval", "best_probability", "separated") == [
        (1, None, None, None, None),
        (2, None, None, None, None),
    ]
    assert all(one.tier_reason for one in result.standings)
    assert (result.pairs[0].interval, result.pairs[0].reason) == (None, "9 common clusters, and 10 are needed")


def test_a_pair_is_compared_on_common_events() -> None:
    cells = panel({"a": 0.1, "b": 0.0}, events=40)
    cells = [cell for cell in cells if cell.agent == "a" or int(cell.event[1:]) < 25]
    (pair,) = board_of(cells).pairs

    assert (pair.first, pair.second, pair.events) == ("a", "b", 25)
    assert pair.difference is not None
    assert pair.difference > 0
    assert pair.superiority == 1.0
    assert pair.events_needed is not None


def test_agents_without_a_common_event_are_not_compared() -> None:
    cells = [*panel({"a": 0.1}, events=15), *(replace(c, event=f"x{c.event}") for c in panel({"b": 0.0}, events=15))]
    (pair,) = board_of(cells).pairs

    assert asdict(pair) == {
        "first": "a", "second": "b", "difference": None, "interval": None, "superiority": None, "events": 0,
        "events_needed": None, "log10_evidence": None, "adjusted_interval": None, "clusters": 0,
        "reason": "no common event",
    }  # fmt: skip


def test_without_draws_there_are_ranks_but_no_rank_intervals() -> None:
    result = board_of(panel({"a": 0.0, "b": 0.2}), draws=0)

    assert lines(result, "agent", "rank", "tier", "rank_interval") == [("b", 1, None, None), ("a", 2, None, None)]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"skill_sequence": [0.001, 0.02]}, "above"),
        ({"skill_sequence": [-0.02, -0.001]}, "below"),
        ({"skill_sequence": [-0.01, 0.02]}, None),
        ({"skill_sequence": [0.0, 0.01]}, None),
        ({"skill_sequence": [0.0, 0.0]}, None),
        ({"skill_sequence": None, "log10_evidence": 9.0, "log10_evidence_peak": 9.0, "skill_interval": [1, 2]}, None),
        ({"skill_sequence": [-0.1, 0.1], "log10_evidence_peak": 9.0, "skill_interval": [0.01, 0.02]}, None),
        ({"log10_evidence": 9.0}, None),
    ],
)
def test_only_the_bounds_that_hold_at_every_look_separate_from_the_market(
    values: dict[str, Any], wanted: str | None
) -> None:
    assert separated(values) == wanted


def test_a_wrong_price_does_not_put_a_worse_agent_above_the_market() -> None:
    """YES comes in 10 %, the price says 2 %, the agent 22 %: the evidence against the price is not skill."""
    cells = [
        Cell(
            agent="overbold", event=f"e{i}", market="m", window="1", p=0.22, q=0.02, y=int(i % 10 == 9), due_at=float(i)
        )
        for i in range(1500)
    ]
    (line,) = board_of(cells, draws=0).standings

    assert line.scores["log10_evidence_peak"] > 1.31
    assert line.scores["skill"] < 0
    assert (line.separated, line.scores["above_last"]) == (None, None)


def test_an_agent_that_is_always_right_is_above_and_its_rival_below() -> None:
    cells = panel({"good": 0.2, "bad": -0.2}, events=200)
    result = {one.agent: one.separated for one in board_of(cells, draws=0).standings}

    assert result == {"good": "above", "bad": "below"}


def test_an_empty_report_gives_an_empty_leaderboard() -> None:
    assert board_of([]) == Leaderboard((), ())


@given(st.integers(0, 1000), st.permutations("abcde"))
def test_names_and_rows_change_nothing(seed: int, names: list[str]) -> None:
    cells = panel({"a": 0.06, "b": 0.05, "c": 0.03, "d": 0.0, "e": 0.0}, events=40, noise=0.2, seed=seed)
    renamed = [replace(cell, agent=names["abcde".index(cell.agent)]) for cell in cells]
    random.Random(seed).shuffle(renamed)
    plain, other = ({one.agent: one for one in board_of(one, draws=99).standings} for one in (cells, renamed))

    for agent, name in zip("abcde", names, strict=True):
        assert plain[agent].tier == other[name].tier
        assert plain[agent].rank_interval == other[name].rank_interval
        assert plain[agent].best_probability == pytest.approx(other[name].best_probability)


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.2]))
def test_ranks_tiers_and_first_places_agree(seed: int, absent: float) -> None:
    """Also if every agent lacks some events, so that agents are compared on other events than those of their skill."""
    cells = panel({"a": 0.06, "b": 0.05, "c": 0.03, "d": 0.0}, events=60, noise=0.2, seed=seed)
    kept = [cell for cell in cells if random.Random(f"{seed}/{cell.agent}/{cell.event}").random() >= absent]
    result = board_of(kept, draws=99)
    ranked = [one for one in result.standings if one.tier is not None]

    assert all(one.rank_interval and one.rank and one.rank_interval[0] <= one.rank <= one.rank_interval[1]
               for one in ranked)  # fmt: skip
    first = [one.best_probability for one in ranked if one.best_probability is not None]
    assert sum(first) == pytest.approx(1) if first else all(one.best_probability_reason for one in ranked)
    assert len(first) in {0, sum(one.tier == 1 for one in ranked)}
    tier = {one.agent: one.tier or 0 for one in ranked}
    for pair in result.pairs:
        assert (pair.adjusted_interval is not None) == ({pair.first, pair.second} <= tier.keys())
        if pair.adjusted_interval is not None and pair.adjusted_interval[0] > 0:
            assert tier[pair.first] < tier[pair.second]
        if pair.adjusted_interval is not None and pair.adjusted_interval[1] < 0:
            assert tier[pair.first] > tier[pair.second]
