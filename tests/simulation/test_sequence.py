"""The simulation of the bounds in short. Its seeds are fixed, and the bars are several standard errors wide."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.simulation import sequence
from tests.simulation.engine_seasons import SEASONS as ENGINE_SEASONS
from tests.simulation.engine_seasons import engine_looks, known, right_price, season_cells
from tests.simulation.seasons import Seasons, table_of

from coliseum.arena.scoring.confidence_sequence import confidence_sequence, confidence_sequences

SHORT = 60
MOST_FALSE, MOST_MISSED = (
    math.floor(SHORT * share + 4.5 * math.sqrt(SHORT * share * (1 - share))) / SHORT for share in (0.025, 0.05)
)


@pytest.mark.parametrize("scenario", sequence.NULLS, ids=lambda one: f"{one.name}, {one.shape}, {one.sizes}")
def test_agents_without_skill_are_rarely_above_and_the_mean_stays_in_the_bounds(scenario: sequence.Scenario) -> None:
    false, missed = sequence.false_claims(scenario, seasons=SHORT, clusters=120)

    assert false <= MOST_FALSE
    assert missed <= MOST_MISSED


def test_an_agent_with_skill_is_found_in_time() -> None:
    scenario = sequence.Scenario(name="knows more than it says", truth=sequence.knows(1.5))
    _, _, by = sequence.power(scenario, seasons=30)

    assert by == sorted(by)
    assert by[-1] > 0.9


def test_a_skill_of_3_4_standard_errors_stands_out_in_about_half_of_the_seasons() -> None:
    _, share = sequence.outlook(sequence.OUTLOOKS[0], errors=3.4, clusters=100, looks_at=100, seasons=200)

    assert 0.3 < share < 0.7


def test_the_columns_of_a_simulated_season_are_those_of_the_engine() -> None:
    rng = np.random.default_rng(9)
    scenario = sequence.Scenario(name="", truth=sequence.no_skill, sizes=(1, 3, 10))
    made = sequence.season_of(rng, scenario, seasons=2, clusters=40)
    for season, columns in enumerate(sequence.cluster_columns(made)):
        by_hand, engine = confidence_sequence(columns), confidence_sequences(table_of(made, season))["agent"]
        assert (engine.low, engine.high) == pytest.approx((by_hand.low, by_hand.high), abs=1e-11)


def test_the_simulation_sees_false_claims_where_there_are_some() -> None:
    """If the bounds allowed for less than what the prices let happen, the counts above would show it."""
    rng = np.random.default_rng(8)
    scenario = next(one for one in sequence.NULLS if one.name.startswith("halfway, rare") and one.shape == "lo")
    made = sequence.season_of(rng, scenario, seasons=40, clusters=200)
    skilled = Seasons(
        q=made.q, p=made.p, truth=made.truth, y=np.where(made.p != made.q, 1.0, made.y), cluster=made.cluster
    )
    expected = np.zeros((40, 200))
    found = [sequence.looks(one, mean) for one, mean in zip(sequence.cluster_columns(skilled), expected, strict=True)]

    assert np.mean([one.false_above.any() for one in found]) > 0.9
    assert np.mean([one.missed.any() for one in found]) > 0.9


@pytest.mark.parametrize("name", ["bold in the first window, then the price", "leans to YES"])
def test_the_engine_is_not_deceived_by_markets_that_end_early_on_yes(name: str) -> None:
    """At every look many events are known because they are YES. Without due order or first windows this fails."""
    assert not any("above" in said.values() for said in engine_looks(name, seasons=6))


def test_the_engine_finds_an_informed_agent() -> None:
    found = engine_looks("knows 40 % of what the price does not", seasons=3)

    assert all(said[max(said)] == "above" for said in found)


def test_prices_of_the_engine_s_seasons_are_right_in_every_window() -> None:
    rng = np.random.default_rng(6)
    cells = [cell for _ in range(30) for cell in season_cells(rng, ENGINE_SEASONS["noise around the price"])]
    for window in range(6):
        y = [cell.y for cell in cells if cell.window == f"w{window}" and cell.y is not None]
        assert abs(np.mean(y) - right_price(window)) < 4.5 * 0.5 / math.sqrt(len(y))


def test_nothing_is_known_before_its_time() -> None:
    cells = season_cells(np.random.default_rng(7), ENGINE_SEASONS["leans to YES"])

    assert all((cell.settled_at or 0) <= 80 for cell in known(cells, 80))
    assert any(cell.y is None and cell.settled_at is None for cell in known(cells, 80))
    assert len(known(cells, 80)) < len(cells)
