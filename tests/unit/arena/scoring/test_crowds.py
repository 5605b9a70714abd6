from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import replace
from statistics import fmean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring.cells import Cell, CellTable, table_from_cells
from coliseum.arena.scoring.crowds import POOLS, pool_names, with_pools
from coliseum.arena.scoring.report import ScoreReport, ScoreRules, score
from coliseum.errors import InvalidInput


def crowd(*answers: float | None) -> CellTable:
    """One question with an answer of each agent."""
    rows = [Cell(agent=f"a{i:02}", event="e", market="m", window="1", p=p, y=1) for i, p in enumerate(answers)]
    return table_from_cells(rows)


def pooled(kind: str, *answers: float | None) -> float:
    table = with_pools(crowd(*answers), [kind])
    return float(table.p[table.agent == table.agents.index(f"pool:{kind}")][0])


def report(cells: list[Cell], **rules: object) -> ScoreReport:
    return score(table_from_cells(cells), seed=1, draws=0, rules=ScoreRules(left_out=frozenset(), **rules))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "answers", "wanted"),
    [
        ("median", (0.1, 0.9, 0.4), 0.4),
        ("median", (0.1, 0.9, 0.4, 0.5), 0.45),
        ("median", (0.1, None, 0.9), 0.5),
        ("mean", (0.1, 0.9, 0.2), 0.4),
        ("trimmed", (0.0, 0.5, 1.0), 0.5),  # nothing is dropped below ten answers
        ("trimmed", (0.0, *[0.4] * 8, 0.9), 0.4),
        ("trimmed", (0.0, 0.1, *[0.4] * 16, 0.8, 0.9), 0.4),
        ("log-odds", (0.2, 0.8), 0.5),
        ("log-odds", (0.9, 0.5), 0.75),  # odds of 3, the geometric mean of 9 and 1
        ("log-odds", (0.0, 0.999), 0.5),  # clipped at 0.001
    ],
)
def test_pools_by_hand(kind: str, answers: tuple[float | None, ...], wanted: float) -> None:
    assert pooled(kind, *answers) == pytest.approx(wanted, abs=1e-9)


def test_nobody_s_answers_are_no_answer() -> None:
    assert math.isnan(pooled("median", None, None))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_pools_agree_with_a_reference_in_plain_python(answers: list[float]) -> None:
    ordered = sorted(answers)
    cut = int(0.1 * len(ordered))
    inside = [min(0.999, max(0.001, p)) for p in ordered]
    odds = fmean(math.log(p / (1 - p)) for p in inside)

    assert pooled("median", *answers) == pytest.approx(median(answers), abs=1e-15)
    assert pooled("mean", *answers) == pytest.approx(fmean(answers))
    assert pooled("trimmed", *answers) == pytest.approx(fmean(ordered[cut : len(ordered) - cut]))
    assert pooled("log-odds", *answers) == pytest.approx(1 / (1 + math.exp(-odds)), abs=2e-9)


def test_a_pool_answers_every_question_of_the_table() -> None:
    cells = random_cells(3, events=20)
    table = with_pools(table_from_cells(cells), ["mean"])
    answers: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
    for cell in cells:
        answers[cell.event, cell.window, cell.market] += [] if cell.p is None else [cell.p]
    pool = table.rows((table.agent == table.agents.index("pool:mean")).nonzero()[0])

    names = [
        (table.events[event], table.windows[window], table.markets[market])
        for event, window, market in zip(pool.event, pool.window, pool.market, strict=True)
    ]
    assert sorted(names) == sorted(answers)
    for name, p in zip(names, pool.p.tolist(), strict=True):
        assert p == pytest.approx(fmean(answers[name]) if answers[name] else math.nan, nan_ok=True)


def test_pools_change_no_number_of_the_agents() -> None:
    """Not even those that compare agents: peer, information, adjusted Brier score, common events."""
    cells = random_cells(4)
    alone, beside = report(cells), report(cells, crowds=frozenset(POOLS))

    assert set(pool_names(POOLS)) == set(beside.agents) - set(alone.agents)
    for name, scores in alone.body["slices"].items():
        for agent, numbers in scores.items():
            assert beside.scores(name)[agent] == numbers
    assert beside.body["input_hash"] == alone.body["input_hash"]
    assert beside.body["rules"]["pools"] == sorted(pool_names(POOLS))


def test_a_pool_has_numbers_but_no_information_of_its_own() -> None:
    numbers = report(random_cells(4), crowds=frozenset({"median"})).scores()["pool:median"]

    assert numbers["brier"] is not None
    assert numbers["peer"] is not None
    assert numbers["brier_adjusted"] is not None
    assert numbers["information"] is None


def test_a_pool_of_chosen_agents() -> None:
    cells = random_cells(4)
    chosen = report(cells, crowds=frozenset({"median"}), crowd_of=frozenset({"ana", "bo"}))
    alone = report([cell for cell in cells if cell.agent in {"ana", "bo"}], crowds=frozenset({"median"}))

    for name in ("brier", "log", "offered", "answered"):
        assert chosen.scores()["pool:median"][name] == alone.scores()["pool:median"][name]


def test_the_adjusted_score_of_a_pool_is_measured_against_the_others_difficulties() -> None:
    """A pool of one agent is that agent, so it has its adjusted score."""
    cells = random_cells(6)
    numbers = report(cells, crowds=frozenset({"mean"}), crowd_of=frozenset({"bo"})).scores()

    assert numbers["pool:mean"]["brier_adjusted"] == pytest.approx(numbers["bo"]["brier_adjusted"], abs=2e-9)


@pytest.mark.parametrize(
    ("kinds", "members", "wanted"),
    [
        (["mode"], None, "pools: got 'mode', expected some of median, mean, trimmed, log-odds"),
        (["mean"], ["nobody"], "pool-of: got 'nobody', expected an agent that has a forecast"),
    ],
)
def test_unknown_pools_and_members_are_refused(kinds: list[str], members: list[str] | None, wanted: str) -> None:
    with pytest.raises(InvalidInput, match=wanted):
        with_pools(crowd(0.5), kinds, members)


def test_an_agent_with_the_name_of_a_pool_is_refused() -> None:
    rows = [Cell(agent="pool:mean", event="e", market="m", window="1", p=0.5)]
    with pytest.raises(InvalidInput, match="rename the agent"):
        with_pools(table_from_cells(rows), ["mean"])


def test_the_order_of_the_rows_changes_no_pool() -> None:
    cells = [replace(cell, role="human" if cell.agent == "bo" else None) for cell in random_cells(9, events=20)]
    shuffled = random.Random(1).sample(cells, len(cells))
    rules = {"crowds": frozenset(POOLS)}

    assert report(cells, **rules).digest == report(shuffled, **rules).digest
