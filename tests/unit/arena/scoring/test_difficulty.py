from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.difficulty import adjusted_brier


def cell(agent: str, question: int, p: float, y: float) -> Cell:
    return Cell(agent=agent, event=f"e{question}", market="m", window="1", p=p, y=y)


def incomplete(seed: int) -> list[Cell]:
    rng = random.Random(seed)
    outcomes = [rng.randrange(2) for _ in range(40)]
    return [
        cell(agent, question, rng.random(), outcome)
        for question, outcome in enumerate(outcomes)
        for agent in ("a", "b", "c")
        if rng.random() < 0.7
    ]


@pytest.mark.parametrize("seed", range(3))
def test_effects_are_those_of_least_squares_over_dummies(seed: int) -> None:
    cells = incomplete(seed)
    agents, questions = sorted({c.agent for c in cells}), sorted({c.event for c in cells})
    design = np.zeros((len(cells), len(agents) + len(questions)))
    scores = np.array([((c.p or 0) - (c.y or 0)) ** 2 for c in cells])
    for row, one in enumerate(cells):
        design[row, agents.index(one.agent)] = 1
        design[row, len(agents) + questions.index(one.event)] = 1
    effects = np.linalg.lstsq(design, scores, rcond=None)[0]
    wanted = effects[: len(agents)] + effects[len(agents) :].mean()

    result = adjusted_brier(table_from_cells(cells))
    assert [result[agent] for agent in agents] == pytest.approx(wanted.tolist(), abs=1e-8)


def test_an_agent_that_always_forecasts_one_half_has_an_adjusted_brier_score_of_one_quarter() -> None:
    cells = [c for c in incomplete(5) if c.agent != "c"]
    questions = {c.event: c.y or 0 for c in cells}
    cells += [cell("flip", int(event[1:]), 0.5, y) for event, y in questions.items()]
    result = adjusted_brier(table_from_cells(cells))

    assert result["flip"] == pytest.approx(0.25, abs=1e-9)


def test_one_half_has_one_quarter_also_if_outcomes_are_fractions() -> None:
    cells = [replace(c, y=0.25 if c.event < "e2" else c.y) for c in incomplete(5) if c.agent != "c"]
    questions = {c.event: c.y or 0 for c in cells}
    cells += [cell("flip", int(event[1:]), 0.5, y) for event, y in questions.items()]

    assert adjusted_brier(table_from_cells(cells))["flip"] == pytest.approx(0.25, abs=1e-9)


def test_an_agent_with_hard_questions_gains_from_the_adjustment() -> None:
    hard, easy = [(i, 0.5) for i in range(10)], [(i, 0.9) for i in range(10, 20)]
    cells = [cell("all", i, p, 1) for i, p in [*hard, *easy]]
    cells += [cell("hard", i, p, 1) for i, p in hard] + [cell("easy", i, p, 1) for i, p in easy]
    result = adjusted_brier(table_from_cells(cells))

    assert result["hard"] == pytest.approx(result["easy"])


def test_nothing_is_adjusted_if_all_agents_answered_the_same_questions() -> None:
    cells = [cell(agent, i, 0.3, 1) for agent in "ab" for i in range(5)]

    assert adjusted_brier(table_from_cells(cells)) == {}
    assert adjusted_brier(table_from_cells(cells[:3])) == {}
    assert adjusted_brier(table_from_cells([])) == {}


def test_agents_without_a_common_question_get_no_adjusted_score() -> None:
    cells = [cell("a", i, 0.3, 1) for i in range(5)] + [cell("b", i, 0.3, 1) for i in range(5, 9)]

    assert adjusted_brier(table_from_cells(cells)) == {}
