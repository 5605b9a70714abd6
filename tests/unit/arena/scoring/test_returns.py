from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.scoring.arithmetic import Floats
from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.report import ScoreRules, score
from coliseum.arena.scoring.returns import gross_return, profit_and_cost, yes_share

inside = st.floats(0.01, 0.99)


def cell(p: float, yes_ask: float | None, no_ask: float | None, y: int | None, **more: object) -> Cell:
    values = {"agent": "a", "event": "e", "market": "m", "window": "1", **more}
    return Cell(p=p, yes_ask=yes_ask, no_ask=no_ask, y=y, **values)  # type: ignore[arg-type]


def column(value: float) -> Floats:
    return np.array([value])


@given(inside, inside, st.sampled_from([0.2, 0.5, 0.8, 1.0]))
def test_the_share_is_the_rule_s(p: float, q: float, gamma: float) -> None:
    yes = q ** (1 - 1 / gamma) * p ** (1 / gamma)
    no = (1 - q) ** (1 - 1 / gamma) * (1 - p) ** (1 / gamma)

    assert yes_share(column(p), column(q), gamma)[0] == pytest.approx(yes / (yes + no), rel=1e-9)


@given(inside, inside)
def test_without_risk_aversion_everything_is_bet_on_the_side_with_the_edge(p: float, q: float) -> None:
    assert yes_share(column(p), column(q), 0.0)[0] == (1.0 if p >= q else 0.0)


@given(inside, st.sampled_from([0.0, 0.5, 1.0]), st.booleans())
def test_a_copy_of_the_market_breaks_even_with_risk_aversion(p: float, gamma: float, outcome: bool) -> None:
    table = table_from_cells([Cell(agent="a", event="e", market="m", window="1", p=p, q=p, y=int(outcome))])
    (result,) = gross_return(table, gamma)

    assert result == pytest.approx(1 if gamma else outcome / p)


def test_nothing_is_bought_at_a_price_of_0_or_1() -> None:
    cells = [
        Cell(agent="a", event=f"e{i}", market="m", window="1", p=0.5, q=q, y=1) for i, q in enumerate([0.0, 1.0, 0.5])
    ]
    numbers = score(table_from_cells(cells), seed=1, draws=0).scores()["a"]

    assert numbers["pa_return_1"] == 1.0


@pytest.mark.parametrize(
    ("p", "y", "profit", "cost"),
    [
        (0.7, 1, 0.18 * 0.48, 0.18 * 0.52),  # 0.18 contracts of YES at 0.52
        (0.7, 0, -0.18 * 0.52, 0.18 * 0.52),
        (0.3, 0, 0.2 * 0.5, 0.2 * 0.5),  # 0.2 contracts of NO at 0.50
        (0.3, 1, -0.2 * 0.5, 0.2 * 0.5),
        (0.51, 1, 0.0, 0.0),  # between 1 - 0.50 and 0.52
    ],
)
def test_a_bet_is_as_large_as_the_edge_over_the_ask(p: float, y: int, profit: float, cost: float) -> None:
    result = profit_and_cost(table_from_cells([cell(p, 0.52, 0.50, y)]))

    assert (result[0][0], result[1][0]) == pytest.approx((profit, cost), abs=1e-15)


def test_an_event_with_high_asks_is_left_out_completely() -> None:
    dear = cell(0.9, 0.55, 0.50, 1, market="dear")
    _, cost = profit_and_cost(
        table_from_cells([dear, cell(0.9, 0.52, 0.50, 1), cell(0.9, 0.52, 0.5, 1, event="other")])
    )

    assert cost.tolist() == pytest.approx([0.0, 0.0, 0.38 * 0.52])


def test_an_event_bets_in_its_middle_window() -> None:
    cells = [cell(0.9, 0.52, 0.5, 1, window=f"w{i}") for i in range(4)]
    table = table_from_cells(
        [*cells, cell(0.9, 0.6, 0.4, 1, event="f", window="w9"), cell(0.9, None, None, 1, window="w5")]
    )
    _, cost = profit_and_cost(table)

    assert [bool(value) for value in cost] == [False, True, False, False, False, True]


def test_the_return_on_investment_is_profit_over_cost() -> None:
    cells = [
        cell(0.7, 0.5, 0.52, 1, event="e1"),
        cell(0.8, 0.5, 0.52, 0, event="e2"),
        cell(0.5, 0.51, 0.51, 0, event="x"),
    ]
    numbers = score(table_from_cells(cells), seed=1, draws=0, rules=ScoreRules()).scores()["a"]

    assert numbers["pm_roi"] == pytest.approx((0.2 * 0.5 - 0.3 * 0.5) / (0.5 * 0.5))
    assert numbers["pm_roi_bets"] == 2


def test_a_fraction_pays_both_sides() -> None:
    """A dollar split 0.6 and 0.4 at the prices 0.5 and 0.5 buys 1.2 YES and 0.8 NO, and YES pays 0.25."""
    table = table_from_cells([Cell(agent="a", event="e", market="m", window="1", p=0.6, q=0.5, y=0.25)])

    assert gross_return(table, 1.0) == pytest.approx([1.2 * 0.25 + 0.8 * 0.75])
