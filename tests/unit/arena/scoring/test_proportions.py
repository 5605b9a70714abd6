from __future__ import annotations

import pytest

from coliseum.arena.scoring.proportions import student_quantile, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "wanted"),
    [(0, 10, (0.0, 0.27753)), (5, 10, (0.23659, 0.76341)), (10, 10, (0.72247, 1.0)), (81, 263, (0.2553, 0.3662))],
)
def test_wilson_intervals_of_the_literature(successes: int, trials: int, wanted: tuple[float, float]) -> None:
    assert wilson(successes, trials) == pytest.approx(wanted, abs=1e-4)


def test_no_trials_have_no_interval() -> None:
    assert wilson(0, 0) is None


@pytest.mark.parametrize(("freedom", "wanted"), [(8, 2.3060), (9, 2.2622), (29, 2.0452), (99, 1.9842), (1e9, 1.9600)])
def test_quantiles_of_student_as_in_the_tables(freedom: float, wanted: float) -> None:
    assert student_quantile(freedom) == pytest.approx(wanted, abs=1e-4)
