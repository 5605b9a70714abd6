from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.coherence import coherence, ladder_loss
from coliseum.errors import InvalidInput


def cells(structure: str, *ps: float | None, strikes: bool = True, agent: str = "a", event: str = "e") -> list[Cell]:
    return [
        Cell(agent=agent, event=event, market=f"m{i}", window="1", p=p, structure=structure,
             strike=float(10 * i) if strikes else None)
        for i, p in enumerate(ps)
    ]  # fmt: skip


def of(*rows: Cell) -> tuple[int, float | None, float | None, float | None]:
    result = coherence(table_from_cells(rows))["a"]
    return result.sets, result.sum_gap, result.ladder_violations, result.dutch_book_cents


@pytest.mark.parametrize(
    ("structure", "ps", "wanted"),
    [
        ("exclusive", (0.5, 0.3, 0.4), (1, None, None, 20.0)),
        ("exclusive", (0.5, 0.3), (1, None, None, 0.0)),
        ("exhaustive", (0.5, 0.3), (1, 0.2, None, 20.0)),
        ("exhaustive", (0.5, 0.7), (1, 0.2, None, 20.0)),
        ("exhaustive", (0.5, 0.5), (1, 0.0, None, 0.0)),
        ("above", (0.9, 0.5, 0.6), (1, None, 0.5, 10.0)),
        ("above", (0.9, 0.5, 0.1), (1, None, 0.0, 0.0)),
        ("below", (0.1, 0.5, 0.9), (1, None, 0.0, 0.0)),
        ("below", (0.4, 0.1, 0.9), (1, None, 0.5, 30.0)),
    ],
)
def test_contradictions_cost_the_sure_loss(structure: str, ps: tuple[float, ...], wanted: tuple[object, ...]) -> None:
    assert of(*cells(structure, *ps)) == pytest.approx(wanted)


def test_an_exhaustive_set_with_a_missing_market_can_only_exceed_one() -> None:
    whole = cells("exhaustive", 0.2, 0.3, 0.5, agent="b")
    parts = cells("exhaustive", 0.2, 0.3, None)

    assert of(*whole, *parts) == (1, None, None, 0.0)


def test_sets_have_equal_weights() -> None:
    assert of(*cells("exclusive", 0.6, 0.6), *cells("exclusive", 0.2, 0.2, event="f"))[3] == pytest.approx(10)


@pytest.mark.parametrize(
    ("rows", "event", "cents", "markets"),
    [
        (cells("exclusive", 0.5, 0.1, 0.6, event="f"), "f", 20, ("m2", "m0", "m1")),
        (cells("above", 0.9, 0.2, 0.6, 0.3, event="f"), "f", 40, ("m1", "m2")),
        (cells("below", 0.9, 0.2, 0.6, 0.3, event="f"), "f", 100, ("m1", "m0")),
        (cells("exclusive", 0.5, 0.5, event="f"), "e", 1, ("m0", "m1", "m2")),
    ],
)
def test_the_worst_contradiction_is_shown(rows: list[Cell], event: str, cents: float, markets: tuple[str]) -> None:
    result = coherence(table_from_cells([*rows, *cells("exhaustive", 0.5, 0.4, 0.11)]))["a"].worst

    assert result is not None
    assert (result.event, result.markets) == (event, markets)
    assert result.cents == pytest.approx(cents)


def test_coherent_forecasts_have_no_worst_contradiction() -> None:
    assert coherence(table_from_cells(cells("exclusive", 0.2, 0.2)))["a"].worst is None


def test_a_single_forecast_contradicts_nothing() -> None:
    assert coherence(table_from_cells(cells("exclusive", 0.9))) == {}
    assert coherence(table_from_cells([Cell(agent="a", event="e", market="m", window="1", p=0.5)])) == {}


def test_a_ladder_market_without_a_strike_is_refused() -> None:
    with pytest.raises(InvalidInput, match="strike"):
        coherence(table_from_cells(cells("above", 0.5, 0.6, strikes=False)))


@given(st.lists(st.integers(0, 10), min_size=1, max_size=6))
def test_the_loss_on_a_ladder_is_that_of_the_best_sure_bet(tenths: list[int]) -> None:
    """Against every portfolio of at most one contract per market: what it takes in whatever happens."""
    rungs = [value / 10 for value in tenths]
    best = 0.0
    for stakes in product((-1, 0, 1), repeat=len(rungs)):
        taken = sum(stake * price for stake, price in zip(stakes, rungs, strict=True))
        # The outcome passes the first n strikes: those contracts pay the agent what it bought.
        worst = min(-sum(stakes[:n]) for n in range(len(rungs) + 1))
        best = max(best, taken + worst)

    assert ladder_loss(rungs) == pytest.approx(best)
