from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.leaderboard import NO_GATES, Leaderboard, rank_agents
from coliseum.arena.scoring.cell import Cell
from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.report import score
from coliseum.arena.scoring.roles import Role

PRICES = [round(0.03 + 0.94 * place / 199, 4) for place in range(200)]


def said(agent: str, forecasts: Sequence[float | None], prices: Sequence[float | None] | None = None) -> list[Cell]:
    """One cell per event, at the prices from 0.03 to 0.97 or those given. Every third event is YES."""
    return [
        Cell(agent=agent, event=f"e{place:03}", market="m", window="1", p=p, q=q, y=int(place % 3 == 0))
        for place, (p, q) in enumerate(zip(forecasts, prices or PRICES, strict=False))
    ]


def ranked(cells: list[Cell], references: dict[str, str] | None = None) -> Leaderboard:
    report = score(table_from_cells(cells), seed=1, draws=0, slices=False)
    return rank_agents(report, days={}, gates=NO_GATES, references=references)


def role(cells: list[Cell]) -> Role:
    (standing,) = ranked(cells).standings
    return standing.role


@pytest.mark.parametrize(
    ("forecasts", "expected"),
    [
        (PRICES, Role.COPY),
        ([round(q, 3) for q in PRICES], Role.COPY),
        ([q + 0.02 for q in PRICES], Role.COMPETITOR),
        ([0.9, *PRICES[1:]], Role.COPY),
        ([0.9, 0.9, *PRICES[2:]], Role.COMPETITOR),
        ([None, *PRICES[1:]], Role.COPY),
        ([0.5] * 10, Role.REFERENCE),
        ([0.5] * 9, Role.COMPETITOR),
        ([0.5] * 199 + [0.4], Role.COMPETITOR),
        ([0.4] * 200, Role.COMPETITOR),
    ],
)
def test_the_role_follows_from_forecasts_and_prices(forecasts: list[float | None], expected: Role) -> None:
    assert role(said("a", forecasts)) is expected


def test_a_copy_of_a_price_beyond_the_arena_s_bounds_is_a_copy() -> None:
    assert role(said("a", [0.01] * 20 + [0.99] * 20, [0.004] * 20 + [0.9985] * 20)) is Role.COPY


def test_without_a_price_there_is_nothing_to_copy() -> None:
    cells = [replace(cell, q=None) for cell in said("a", [*PRICES])]
    (standing,) = ranked(cells).standings
    assert standing.role is Role.COMPETITOR
    assert standing.scores["own_forecasts"] is None


def test_copies_and_references_keep_their_row_and_numbers_and_are_not_ranked() -> None:
    competitor = said("a", [min(1.0, q + 0.02) for q in PRICES])
    human = said("people", [max(0.0, q - 0.02) for q in PRICES])
    standings = ranked(
        [*competitor, *human, *said("market", [*PRICES])], references={"people": "people, not a contestant"}
    ).standings
    rows = {one.agent: one for one in standings}

    assert (standings[0].agent, standings[0].rank, standings[0].listed) == ("a", 1, True)
    assert (rows["market"].rank, rows["market"].tier, rows["market"].listed) == (None, None, False)
    assert rows["market"].scores["skill"] == 0
    assert rows["market"].role_reason == "copies the price: none of its 200 forecasts at a price differ from it"
    assert (rows["people"].role, rows["people"].role_reason) == (Role.REFERENCE, "people, not a contestant")


@given(
    outcomes=st.lists(st.sampled_from([0, 1, None]), min_size=40, max_size=40), shift=st.sampled_from([0.0, 0.0, 0.1])
)
def test_outcomes_never_change_a_role(outcomes: list[int | None], shift: float) -> None:
    cells = said("a", [q + shift if place == 0 else q for place, q in enumerate(PRICES[:40])])
    other = [replace(cell, y=y) for cell, y in zip(cells, outcomes, strict=True)]
    assert role(other) is role(cells)
