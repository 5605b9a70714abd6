from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.agents.contestants import RULES
from coliseum.arena.leaderboard import AgentStanding
from coliseum.arena.scoring.anchoring import Anchoring
from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.groups import MEANS
from coliseum.arena.scoring.money import MoneyFigures
from coliseum.arena.scoring.operations import Operations
from coliseum.arena.scoring.pairs import AgentPair
from coliseum.arena.scoring.report import RULES_VERSION, score
from coliseum_local.forecast_files.values import COLUMNS


@pytest.fixture(scope="module")
def words(root: Path) -> frozenset[str]:
    """Everything that the page sets in code type."""
    text = (root / "docs" / "scoring.md").read_text()
    quoted = re.findall(r"`([^`\n]+)`", text)
    return frozenset(word for part in quoted for word in re.findall(r"[\w.]+", part))


def undocumented(names: object, words: frozenset[str]) -> list[str]:
    return sorted(set(names) - words)  # type: ignore[call-overload]  # any iterable of names


def test_every_key_of_a_report_is_explained(words: frozenset[str]) -> None:
    cells = [replace(cell, group=cell.event[:2]) for cell in random_cells(1, events=10)]
    body = score(table_from_cells(cells), seed=1, draws=0).body
    numbers = body["slices"]["all"]["ana"]
    families = {f"clv_{span}_cells" for span in ("1h", "24h", "close")} | {f"{name}_macro" for name in MEANS}

    assert undocumented([*body, *body["rules"], *numbers, *numbers["bins"][0]], words | families) == []


def test_every_field_of_a_standing_and_a_pair_is_explained(words: frozenset[str]) -> None:
    names = {one.name for kind in (AgentStanding, AgentPair) for one in fields(kind)} - {"agent", "scores"}

    assert undocumented(names, words) == []


def test_every_figure_of_money_and_operations_is_explained(words: frozenset[str]) -> None:
    names = [one.name for kind in (MoneyFigures, Operations, Anchoring) for one in fields(kind)]

    assert undocumented([*names, "skill_per_dollar", "frontier"], words) == []


def test_every_column_of_a_file_is_explained(words: frozenset[str]) -> None:
    assert undocumented(COLUMNS, words) == []
    assert set(COLUMNS) - {"replicate"} == {one.name for one in fields(Cell)}


def test_every_kind_of_slice_is_named(words: frozenset[str]) -> None:
    table = table_from_cells([Cell(agent="a", event="e", market="m", window="1", p=0.5, q=0.5, y=1, category="c",
                             horizon="1-2d", track="blind", volume=1.0, outcomes=2)])  # fmt: skip

    assert undocumented([one.name for one in table.dimensions], words) == []


def test_every_rule_has_a_row_in_the_table_of_contestants(root: Path) -> None:
    section = (root / "docs" / "scoring.md").read_text().partition("\n## Contestants\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    missing = [
        rule for rule in RULES if not any(f"`{rule.replace('_', '-')}`" in row or f"`{rule}`" in row for row in rows)
    ]
    assert missing == [], "each rule needs a row in docs/scoring.md, Contestants"


def test_the_page_is_of_this_version_of_the_rules(root: Path) -> None:
    assert f"`{RULES_VERSION}`" in (root / "docs" / "scoring.md").read_text()


def test_the_worked_example_of_the_page_comes_out(root: Path) -> None:
    from coliseum_local.forecast_files.contents import FileContent
    from coliseum_local.forecast_files.parse import forecasts_from

    text = (root / "docs" / "scoring.md").read_text()
    lines = re.findall(r"^    (agent,.*|a,e\d,.*)$", text, flags=re.MULTILINE)
    parsed = forecasts_from(FileContent("page.csv", "\n".join(lines).encode()))
    assert parsed.table is not None
    numbers = score(parsed.table, seed=1, draws=0).scores()["a"]

    assert numbers["graded"] == 3
    assert numbers["brier"] == pytest.approx(0.4375)
    assert numbers["skill"] == pytest.approx(-0.1125)
    assert numbers["brier_market_weighted"] == pytest.approx(0.3133, abs=1e-4)
