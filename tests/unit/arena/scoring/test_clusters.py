from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring.cells import Cell, CellTable, table_from_cells
from coliseum.arena.scoring.clusters import (
    due_order,
    event_clusters,
    first_bets,
    joined_clusters,
)
from coliseum.arena.scoring.measures import DimensionScores, score_cells


def table_of(*rows: tuple[str, str]) -> CellTable:
    """One cell for each (event, cluster)."""
    return table_from_cells(
        Cell(agent="a", event=event, market=f"m{i}", window="1", p=0.5, q=0.5, y=1, cluster=cluster)
        for i, (event, cluster) in enumerate(rows)
    )


def named(table: CellTable) -> dict[str, str]:
    return {event: table.clusters[code] for event, code in zip(table.events, event_clusters(table), strict=True)}


def test_an_event_has_the_cluster_of_its_rows() -> None:
    assert named(table_of(("e1", "rain"), ("e2", "snow"), ("e3", "rain"))) == {"e1": "rain", "e2": "snow", "e3": "rain"}


def test_clusters_that_share_an_event_are_joined_in_chains() -> None:
    table = table_of(("e1", "d"), ("e1", "c"), ("e2", "c"), ("e2", "b"), ("e3", "b"), ("e3", "a"), ("e4", "x"))

    assert named(table) == {"e1": "a", "e2": "a", "e3": "a", "e4": "x"}


def test_an_event_without_a_row_has_no_cluster() -> None:
    table = table_of(("e1", "c1"), ("e2", "c2"))

    assert event_clusters(table.select(table.event == 1)).tolist() == [-1, 1]
    assert event_clusters(table_from_cells([])).tolist() == []


links = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25)


@given(links)
def test_two_clusters_are_joined_exactly_if_events_connect_them(rows: list[tuple[int, int]]) -> None:
    table = table_of(*((f"e{event}", f"c{cluster}") for event, cluster in rows))
    joined = joined_clusters(table)
    groups = [{code} for code in range(len(table.clusters))]
    for event in range(len(table.events)):
        touched = set(table.cluster[table.event == event].tolist())
        merged = set().union(*(group for group in groups if group & touched))
        groups = [*(group for group in groups if not group & touched), merged]

    assert all(joined[code] == min(group) for group in groups for code in group)


def test_joined_clusters_have_one_place_and_are_due_with_the_last_market() -> None:
    rows = [("e1", "a", 5.0), ("e1", "b", 9.0), ("e2", "c", 7.0), ("e3", "d", math.inf)]
    table = table_from_cells(
        Cell(agent="a", event=event, market=f"m{i}", window="1", p=0.5, q=0.5, y=1, cluster=cluster, due_at=due)
        for i, (event, cluster, due) in enumerate(rows)
    )
    order = due_order(table)

    assert order.place[0] == order.place[1]
    assert [order.due_at[order.place[code]] for code in range(4)] == [9.0, 9.0, 7.0, math.inf]
    assert order.place[2] < order.place[0] < order.place[3]


def test_the_scheduled_end_orders_clusters_before_the_time_of_the_result() -> None:
    """YES may be known days before NO, so an order by results would count surprises first."""
    cells = [
        Cell(agent="a", event=event, market="m", window="1", p=0.6, q=0.5, y=1, due_at=due, settled_at=settled)
        for event, due, settled in (("early", 1.0, 9.0), ("late", 2.0, 3.0))
    ]
    both = due_order(table_from_cells(cells))
    results_only = due_order(table_from_cells([replace(cell, due_at=None) for cell in cells]))
    assert (both.by, both.place.tolist(), both.due_at.tolist()) == ("due_at", [0, 1], [1.0, 2.0])
    assert (results_only.by, results_only.place.tolist()) == ("settled_at", [1, 0])


def test_the_bets_that_count_are_those_of_the_first_answered_window() -> None:
    cell = Cell(agent="a", event="e", market="m", window="1", p=0.8, q=None, y=1)
    table = table_from_cells([cell, replace(cell, window="2", q=0.5), replace(cell, window="3", q=0.5),
                              replace(cell, window="1", agent="b", p=None),
                              replace(cell, window="3", q=0.5, agent="b")])  # fmt: skip
    bets = first_bets(table)

    assert [(table.agents[agent], table.windows[window]) for agent, window in zip(bets.agent, bets.window, strict=True)
            ] == [("a", "2"), ("b", "3")]  # fmt: skip


def test_every_column_of_the_skill_matrix_has_the_cluster_of_its_event() -> None:
    cells = random_cells(3)
    table = table_from_cells(cells)
    whole = DimensionScores(score_cells(table), None, ("all",), seed=1, draws=0)
    paired = {one.event for one in cells if one.p is not None and one.q is not None and one.y is not None}
    wanted = [f"c{int(event[1:]) // 2}" for event in table.events if event in paired]

    assert [table.clusters[code] for code in whole.skill_clusters("all")] == wanted
    assert whole.skill_matrix("all").shape[1] == len(wanted)
    assert np.isfinite(whole.skill_matrix("all")).any(axis=0).all()
