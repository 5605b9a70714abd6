"""Examples that others worked out: papers, other engines, and a tournament's published scores."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import pytest

from coliseum.arena.scoring import brier, calibration
from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.report import score
from coliseum.arena.scoring.returns import gross_return, yes_share


@pytest.fixture(scope="module")
def examples(shared_data: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((shared_data / "scoring-worked-examples.json").read_text())
    return result


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def expected_brier(p: float, truth: float) -> float:
    happened, not_happened = brier.brier(column(p, p), column(1, 0))
    return float(truth * happened + (1 - truth) * not_happened)


def test_the_better_forecast_can_earn_less(examples: dict[str, Any]) -> None:
    case = examples["brier_vs_return"]
    truth, price = case["true_p"], case["yes_price"]
    for name in ("A", "B"):
        p = case[name]["forecast"]
        assert 1 - expected_brier(p, truth) == pytest.approx(case[name]["expected_1_minus_brier"])
        rows = [Cell(agent="a", event=str(y), market="m", window="1", p=p, q=price, y=y) for y in (0, 1)]
        lost, won = gross_return(table_from_cells(rows), 0.0)
        profit = price * (truth * won + (1 - truth) * lost - 1)
        assert profit == pytest.approx(case[name]["expected_profit_per_contract"])


def test_certainty_costs_more_than_the_truth(examples: dict[str, Any]) -> None:
    case = examples["caveat_1"]
    for name in ("alice", "bob"):
        assert expected_brier(case[name], case["true_p"]) == pytest.approx(case[f"{name}_expected_brier"])


def test_an_agent_that_always_forecasts_one_half_is_perfectly_calibrated(examples: dict[str, Any]) -> None:
    case = examples["ece_vs_brier"]
    for name in ("alice", "bob"):
        p = [forecast for forecast, truth in zip(case[name], case["markets_true_p"], strict=True) for _ in range(10)]
        y = [i < 10 * truth for truth in case["markets_true_p"] for i in range(10)]
        (histogram,) = calibration.histograms(column(*p), column(*y), np.zeros(20, dtype=np.int64), 1)
        assert histogram.expected_error == pytest.approx(case[f"{name}_ece"])


def test_several_outcomes_are_scored_in_the_mean_form_and_never_renormalised(examples: dict[str, Any]) -> None:
    for case in examples["multi_outcome"]:
        cells = [
            Cell(agent="a", event="e", market=str(i), window="1", p=p, y=y)
            for i, (p, y) in enumerate(zip(case["p"], case["y"], strict=True))
        ]
        numbers = score(table_from_cells(cells), seed=1, draws=0).scores()["a"]
        assert numbers["brier"] == pytest.approx(case["brier_mean_form"])
        if "brier_sum_form" in case:
            assert numbers["brier"] * len(cells) == pytest.approx(case["brier_sum_form"])
        if "log" in case:
            assert -brier.log_score(column(case["p"][0]), column(1))[0] == pytest.approx(case["log"])


def test_events_have_equal_weights(examples: dict[str, Any]) -> None:
    case = examples["mean_of_two"]
    cells = [
        Cell(agent="a", event=str(event), market=str(i), window="1", p=p, y=y)
        for event, (ps, ys, _) in enumerate(case["events"])
        for i, (p, y) in enumerate(zip(ps, ys, strict=True))
    ]

    assert score(table_from_cells(cells), seed=1, draws=0).scores()["a"]["brier"] == pytest.approx(case["mean"])


def test_risk_aversion_splits_the_dollar(examples: dict[str, Any]) -> None:
    for case in examples["crra_allocation"]["cases"]:
        assert yes_share(column(case["p"]), column(case["q"]), case["gamma"])[0] == pytest.approx(case["aY"])


def test_the_log_score_has_a_floor(examples: dict[str, Any]) -> None:
    case = examples["log_floor"]
    logs = brier.log_score(column(*case["p"]), column(*case["y"]), case["floor"])

    assert -logs == pytest.approx([case["log_score"]] * 2)


def test_the_superforecasters_published_scores_come_out(shared_data: Path) -> None:
    """ForecastBench, July 2024: medians of real forecasts, six published Brier scores."""
    folder = shared_data / "forecastbench-2024-07-21"
    wanted = json.loads((folder / "expected.json").read_text())
    result = _forecastbench(folder)
    result["overall_resolved"] = (result["dataset"] + result["market_resolved"]) / 2
    result["overall"] = (result["dataset"] + result["market_all"]) / 2

    for name, published in wanted["published_3dp"].items():
        assert round(result[name], 3) == published["brier"]
        assert result[name] == pytest.approx(wanted["recomputed"][name], abs=1e-12)


MARKETS = {"manifold", "metaculus", "polymarket", "infer"}


def _forecastbench(folder: Path) -> dict[str, float]:
    answers: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in _rows(folder / "forecasts.csv"):
        answers[row["question"], row["resolution_date"]].append(float(row["forecast"]))
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for row in _rows(folder / "resolutions.csv"):
        key = row["question"], row["resolution_date"]
        market, resolved = row["source"] in MARKETS, row["resolved"] in {"1", "True", "true"}
        if key not in answers or not (market or resolved):
            continue
        error = float(brier.brier(column(median(answers[key])), column(float(row["resolved_to"])))[0])
        for name in ["market_all", "market_resolved" if resolved else "market_unresolved"] if market else ["dataset"]:
            groups[name].append(error)
    return {name: fmean(errors) for name, errors in groups.items()}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_worked_numbers() -> None:
    """Small enough for a pencil: two events, one of two markets."""
    cells = [
        Cell(agent="a", event="e1", market="m1", window="1", p=0.8, q=0.6, y=1),
        Cell(agent="a", event="e1", market="m2", window="1", p=0.3, q=0.4, y=0),
        Cell(agent="a", event="e2", market="m3", window="1", p=0.9, q=0.7, y=0),
    ]
    numbers = score(table_from_cells(cells), seed=1, draws=0).scores()["a"]

    assert numbers["brier"] == pytest.approx(((0.04 + 0.09) / 2 + 0.81) / 2)
    assert numbers["skill"] == pytest.approx((((0.16 - 0.04) + (0.16 - 0.09)) / 2 + (0.49 - 0.81)) / 2)
    assert numbers["brier_market_weighted"] == pytest.approx((0.04 + 0.09 + 0.81) / 3)
    assert numbers["direction"] == pytest.approx(2 / 3)
    assert numbers["brier_index"] == pytest.approx(100 * (1 - ((0.13 / 2 + 0.81) / 2) ** 0.5))
