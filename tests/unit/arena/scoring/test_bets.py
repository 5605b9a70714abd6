from __future__ import annotations

import numpy as np
import pytest
from tests.unit.arena.scoring import reference
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring.bets import Bets, skill_bets
from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.clusters import event_clusters
from coliseum.arena.scoring.nesting import nest


def value(bets: Bets) -> float:
    """The mean over the events of what the bets gained."""
    gained = bets.weight * (np.square(bets.start - bets.y) - np.square(bets.end - bets.y))
    return float(gained.sum() / bets.share.sum())


def event_values(cells: list[Cell], agent: str) -> dict[str, float]:
    own = [cell for cell in cells if cell.agent == agent]
    return reference.event_values(own, reference.paired, reference.difference)


@pytest.mark.parametrize("seed", range(3))
def test_bets_against_the_price_add_up_to_the_skill(seed: int) -> None:
    cells = random_cells(seed)
    table = table_from_cells(cells)
    bets = skill_bets(nest(table, table.paired), table, event_clusters(table))

    for code, agent in enumerate(table.agents):
        own = Bets(**{name: column[bets.group == code] for name, column in columns(bets).items()}, groups=1)
        assert value(own) == pytest.approx(reference.mean(event_values(cells, agent).values()))


def columns(bets: Bets) -> dict[str, np.ndarray]:
    names = ("group", "cluster", "market", "start", "end", "price", "y", "weight", "share")
    return {name: getattr(bets, name) for name in names}
