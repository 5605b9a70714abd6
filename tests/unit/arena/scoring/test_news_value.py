from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.scoring.cell import Cell
from coliseum.arena.scoring.news_value import NewsValue, news_value


def twins(gain: float, *, events: int = 60, seed: int = 0, agent: str = "a") -> tuple[list[Cell], list[Cell]]:
    """Blind forecasts, and the same moved by `gain` towards the outcome, with some noise."""
    blind: list[Cell] = []
    informed: list[Cell] = []
    for event in range(events):
        rng = random.Random(f"{seed}/{event}")
        q, p = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8)
        y = float(rng.random() < q)
        cell = Cell(agent=agent, event=f"e{event}", market="m", window="1", p=p, q=q, y=y)
        blind.append(cell)
        informed.append(replace(cell, p=min(1.0, max(0.0, p + gain * (y - p) + rng.uniform(-0.05, 0.05)))))
    return blind, informed


def of(blind: list[Cell], informed: list[Cell]) -> NewsValue:
    return news_value(blind, informed)["a"]


def test_sources_that_help_have_a_value_above_zero_with_its_interval() -> None:
    result = of(*twins(0.3))
    assert result.interval is not None
    assert 0 < result.interval[0] < (result.value or 0) < result.interval[1]
    assert (result.questions, result.events, result.clusters, result.interval_reason) == (60, 60, 60, None)


def test_sources_that_mislead_have_a_value_below_zero() -> None:
    result = of(*twins(-0.2))
    assert result.interval is not None
    assert result.interval[1] < 0


def test_two_questions_by_hand() -> None:
    one = Cell(agent="a", event="e1", market="m", window="1", p=0.4, q=0.5, y=1)
    two = Cell(agent="a", event="e2", market="m", window="1", p=0.4, q=0.5, y=0)
    result = of([one, two], [replace(one, p=0.7), replace(two, p=0.6)])
    assert result.value == pytest.approx(((0.36 - 0.09) + (0.16 - 0.36)) / 2)
    assert (result.informed_skill or 0) - (result.blind_skill or 0) == pytest.approx(result.value)
    assert result.moved == pytest.approx(0.25)
    assert result.interval is None
    assert result.interval_reason == "2 common clusters, and 10 are needed"


def test_an_agent_that_ignores_its_sources_has_a_value_of_zero_and_the_reason() -> None:
    blind, _ = twins(0.0)
    result = of(blind, blind)
    assert (result.value, result.moved, result.interval) == (0.0, 0.0, None)
    assert result.interval_reason == "both forecasts have the same score in every event"


def test_events_of_one_cluster_count_as_one() -> None:
    blind, informed = twins(0.3)
    shared = [
        [replace(cell, cluster=f"c{number % 5}") for number, cell in enumerate(cells)] for cells in (blind, informed)
    ]
    assert of(*shared).clusters == 5
    assert of(*shared).interval is None


@given(st.data())
def test_only_questions_with_a_price_and_two_answers_count(data: st.DataObject) -> None:
    blind, informed = twins(0.2, events=20)
    kept = 0
    for place in range(20):
        change = data.draw(st.sampled_from(["none", "blind", "informed", "price", "absent"]))
        kept += change == "none"
        if change == "blind":
            blind[place] = replace(blind[place], p=None)
        elif change == "informed":
            informed[place] = replace(informed[place], p=None)
        elif change == "absent":
            informed[place] = replace(informed[place], agent="b")
        elif change == "price":
            blind[place], informed[place] = replace(blind[place], q=None), replace(informed[place], q=None)
    found = news_value(data.draw(st.permutations(blind)), data.draw(st.permutations(informed)))
    assert (found["a"].questions if found else 0) == kept
    assert found == news_value(blind, informed)


def test_an_open_question_moves_but_has_no_value_yet() -> None:
    blind, informed = ([replace(cell, y=None) for cell in cells] for cells in twins(0.3))
    result = of(blind, informed)
    assert (result.value, result.events, result.blind_skill) == (None, 0, None)
    assert result.interval_reason == "no common event"
    assert result.moved > 0


@pytest.mark.slow
def test_the_interval_holds_zero_in_ninetyfive_of_a_hundred_seasons_without_value() -> None:
    inside = 0
    for season in range(300):
        result = of(*twins(0.0, events=40, seed=season))
        assert result.interval is not None
        true_value = -(0.05**2) / 3  # the noise costs its variance
        inside += result.interval[0] <= true_value <= result.interval[1]
    assert inside >= 0.91 * 300
