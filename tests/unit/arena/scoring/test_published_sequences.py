"""Golden numbers of PyPI's comparecast, the package of Choe & Ramdas.

What both compute is compared: the differences of scores and their running mean. comparecast's own bounds are not what
the engine computes. They are rebuilt here, agree too, and show how much the known range of each cluster gains.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.arena.scoring.published_sequences import empirical_bernstein, predictably_mixed

from coliseum.arena.scoring.cells import CellTable, build_table
from coliseum.arena.scoring.confidence_sequence import confidence_sequences
from coliseum.arena.scoring.report import score
from coliseum.arena.scoring.skill import paired_difference


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).parent / "comparecast.json").read_text())
    return found


def table_of(golden: dict[str, Any], rounds: int) -> CellTable:
    labels = [f"{place:03}" for place in range(rounds)]
    return build_table(
        agent=["p"] * rounds, event=labels, market=labels, window=["1"] * rounds,
        p=golden["p"][:rounds], q=golden["q"][:rounds], y=golden["y"][:rounds], due_at=np.arange(rounds, dtype=float),
    )  # fmt: skip


def test_differences_of_scores_are_those_of_comparecast(golden: dict[str, Any]) -> None:
    table = table_of(golden, len(golden["p"]))

    assert paired_difference(table).tolist() == pytest.approx(golden["difference"], abs=1e-9)


def test_running_means_are_those_of_comparecast(golden: dict[str, Any]) -> None:
    """The centre of its bounds is the running mean."""
    for rounds, low, high in zip(golden["looks"], golden["lcb"], golden["ucb"], strict=True):
        table = table_of(golden, rounds)
        row = score(table, seed=1, draws=0, slices=False).scores()["p"]

        assert row["skill_sequence_mean"] == pytest.approx((low + high) / 2, abs=1e-9)
        assert row["skill"] == pytest.approx((low + high) / 2, abs=1e-9)


def test_the_bounds_of_choe_and_ramdas_are_rebuilt(golden: dict[str, Any]) -> None:
    found = empirical_bernstein(paired_difference(table_of(golden, len(golden["p"]))).tolist())
    at = [found[rounds - 1] for rounds in golden["looks"]]

    assert [low for low, _ in at] == pytest.approx(golden["lcb"], abs=1e-9)
    assert [high for _, high in at] == pytest.approx(golden["ucb"], abs=1e-9)


def test_the_bounds_of_waudby_smith_and_ramdas_are_rebuilt(golden: dict[str, Any]) -> None:
    found = predictably_mixed(paired_difference(table_of(golden, len(golden["p"]))).tolist())
    at = [found[rounds - 1] for rounds in golden["looks"]]

    assert [low for low, _ in at] == pytest.approx(golden["mixed_lcb"], abs=1e-9)
    assert [high for _, high in at] == pytest.approx(golden["mixed_ucb"], abs=1e-9)


def test_known_ranges_make_the_bounds_narrower_than_both(golden: dict[str, Any]) -> None:
    for rounds, low, high, mixed_low, mixed_high in zip(
        *(golden[name] for name in ("looks", "lcb", "ucb", "mixed_lcb", "mixed_ucb")), strict=True
    ):
        ours = confidence_sequences(table_of(golden, rounds))["p"]

        assert ours.high - ours.low < 0.6 * min(high - low, mixed_high - mixed_low)
        assert max(low, mixed_low) < ours.low <= ours.high < min(high, mixed_high)
        assert not math.isnan(ours.low)
