from __future__ import annotations

import numpy as np
import pytest

from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.classification import answers_of, classification


def numbers(*rows: tuple[float, float | None]) -> dict[str, float]:
    """The numbers of one agent with these (forecast, outcome) pairs."""
    cells = [Cell(agent="a", event=str(i), market="m", window="1", p=p, y=y) for i, (p, y) in enumerate(rows)]
    table = table_from_cells(cells)
    return {name: float(column[0]) for name, column in classification(answers_of(table), table.agent, 1).items()}


def test_a_table_by_hand() -> None:
    """Three right of five: YES said twice and right once, NO said three times and right twice."""
    found = numbers((0.9, 1), (0.75, 0), (0.2, 0), (0.1, 0), (0.4, 1))

    assert found["accuracy"] == pytest.approx(3 / 5)
    assert (found["precision_yes"], found["recall_yes"], found["f1_yes"]) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert (found["precision_no"], found["recall_no"], found["f1_no"]) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert found["macro_f1"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_confidence_by_hand() -> None:
    """Confidences 0.9, 0.75, 0.8, 0.9 and 0.6; the second and the last forecast are wrong."""
    found = numbers((0.9, 1), (0.75, 0), (0.2, 0), (0.1, 0), (0.4, 1))

    assert found["avg_confidence"] == pytest.approx((0.9 + 0.75 + 0.8 + 0.9 + 0.6) / 5)
    assert found["avg_confidence_when_correct"] == pytest.approx((0.9 + 0.8 + 0.9) / 3)
    assert found["avg_confidence_when_wrong"] == pytest.approx((0.75 + 0.6) / 2)
    assert found["overconfidence_rate_70"] == pytest.approx(1 / 4)
    assert found["overconfidence_rate_80"] == 0.0


def test_one_half_says_yes() -> None:
    assert numbers((0.5, 1), (0.5, 0))["accuracy"] == 0.5
    assert numbers((0.5, 1))["recall_yes"] == 1.0


@pytest.mark.parametrize(("p", "confident"), [(0.9, False), (0.9000001, True), (0.1, False), (0.0999999, True)])
def test_a_confident_forecast_is_beyond_the_threshold(p: float, *, confident: bool) -> None:
    """1 - 0.9 is 0.0999... in binary, so 0.1 is not below it. KalshiBench compares the same floats."""
    assert np.isnan(numbers((p, 1))["overconfidence_rate_90"]) != confident


def test_three_tenths_is_confident_at_seventy_percent_because_of_binary_fractions() -> None:
    """1 - 0.7 is 0.30000000000000004, and KalshiBench counts 0.3 as below it."""
    assert numbers((0.3, 1))["overconfidence_rate_70"] == 1.0
    assert np.isnan(numbers((0.7, 1))["overconfidence_rate_70"])


def test_fractions_and_open_markets_are_no_answers() -> None:
    assert numbers((0.9, 1), (0.9, 0.4), (0.9, None)) == pytest.approx(numbers((0.9, 1)), nan_ok=True)


def test_numbers_without_a_denominator_are_absent() -> None:
    found = numbers((0.9, 1))

    assert np.isnan([found["precision_no"], found["recall_no"], found["f1_no"], found["macro_f1"]]).all()
    assert found["f1_yes"] == 1.0
