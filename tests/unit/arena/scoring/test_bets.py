from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.arena.scoring import reference
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring.bets import Bets, PairedCells, skill_bets
from coliseum.arena.scoring.cells import Cell, CellTable, table_from_cells
from coliseum.arena.scoring.clusters import event_clusters
from coliseum.arena.scoring.nesting import nest


def paired_cells(table: CellTable) -> PairedCells:
    return PairedCells(nest(table, table.paired), table, event_clusters(table))


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


@pytest.mark.parametrize("seed", range(4))
def test_bets_between_two_agents_add_up_to_the_difference_over_their_common_events(seed: int) -> None:
    cells = random_cells(seed)  # with gaps, so that windows and markets of an event differ between agents
    table = table_from_cells(cells)
    first, second = event_values(cells, table.agents[0]), event_values(cells, table.agents[1])
    common = first.keys() & second.keys()
    bets = paired_cells(table).bets(0, 1)

    assert value(bets) == pytest.approx(sum(first[event] - second[event] for event in common) / len(common))
    assert bets.share.sum() == pytest.approx(len(common))
    assert (bets.weight > 0).all()


def test_the_price_cancels_out_of_bets_between_agents_with_the_same_cells() -> None:
    cells = random_cells(1, gaps=False)
    other_price = [replace(cell, q=None if cell.q is None else 0.5) for cell in cells]
    bets = paired_cells(table_from_cells(cells)).bets(0, 1)
    again = paired_cells(table_from_cells(other_price)).bets(0, 1)

    assert bets.start.tolist() == again.start.tolist()
    assert bets.end.tolist() == again.end.tolist()


def test_agents_without_a_common_event_have_no_bets() -> None:
    apart = [Cell(agent=agent, event=agent, market="m", window="1", p=0.4, q=0.5, y=1) for agent in ("ana", "bo")]

    assert len(paired_cells(table_from_cells(apart)).bets(0, 1).y) == 0
