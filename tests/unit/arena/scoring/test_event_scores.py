from __future__ import annotations

from collections import defaultdict
from statistics import fmean

import pytest
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring import event_scores as module
from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.event_scores import event_scores
from coliseum.arena.scoring.report import ScoreRules, score
from coliseum.errors import InvalidInput


@pytest.mark.parametrize("rules", [ScoreRules(), ScoreRules(left_out=frozenset(), crowds=frozenset({"median"}))])
@pytest.mark.parametrize("seed", range(2))
def test_the_means_over_the_events_are_the_numbers_of_the_report(seed: int, rules: ScoreRules) -> None:
    table = table_from_cells(random_cells(seed, fractions=True))
    report, rows = score(table, seed=1, draws=0, rules=rules), event_scores(table, rules)
    columns: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            if name not in {"event", "agent", "graded"} and value is not None:
                columns[row["agent"], name].append(value)

    assert {agent for agent, _ in columns} == set(report.scores())
    for (agent, name), values in columns.items():
        assert fmean(values) == pytest.approx(report.scores()[agent][name], abs=1e-12), name
    for agent, numbers in report.scores().items():
        assert sum(row["graded"] for row in rows if row["agent"] == agent) == numbers["graded"]


def test_an_event_by_hand() -> None:
    """Two markets: (0.04 + 0.09) / 2, and against the market (0.12 + 0.07) / 2."""
    cells = [
        Cell(agent="a", event="e1", market="m1", window="1", p=0.8, q=0.6, y=1),
        Cell(agent="a", event="e1", market="m2", window="1", p=0.3, q=0.4, y=0),
        Cell(agent="a", event="e2", market="m3", window="1", p=0.9, q=None, y=0),
        Cell(agent="a", event="e3", market="m4", window="1", p=0.9, q=0.5, y=None),
    ]
    first, second = event_scores(table_from_cells(cells))

    assert (first["event"], first["agent"], first["graded"]) == ("e1", "a", 2)
    assert first["brier"] == pytest.approx(0.065)
    assert first["brier_sum"] == pytest.approx(0.13)
    assert first["skill"] == pytest.approx(0.095)
    assert (second["brier"], second["skill"]) == (pytest.approx(0.81), None)


def test_too_many_rows_are_refused_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 10)
    with pytest.raises(InvalidInput, match="at most 10; score fewer agents or events"):
        event_scores(table_from_cells(random_cells(1)))
