"""Cells as bets between two probabilities, for the intervals of mean differences of Brier scores. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from coliseum.arena.scoring.arithmetic import Codes, Floats
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.nesting import NestedGroups


@dataclass(frozen=True, slots=True, kw_only=True)
class Bets:
    """Cells whose values are weight ((start - y)^2 - (end - y)^2). All columns have one entry for each cell.

    For skill, start is the price and end the agent's forecast. For a claim about two agents, start is the other's.
    """

    group: Codes
    """Each group gets an interval: 0 to `groups` - 1."""
    cluster: Codes
    market: Codes
    """Cells of the same market share the outcome."""
    start: Floats
    end: Floats
    price: Floats
    """The market's probability. It decides whether enough can be known for an interval."""
    y: Floats
    weight: Floats
    """The cell's weight in the mean of its event."""
    share: Floats
    """The part of an event that the cell stands for: the shares of an event add up to 1."""
    groups: int
    between_agents: bool = False
    """Whether start is another agent's forecast. Only words depend on it."""


def skill_bets(groups: NestedGroups, table: CellTable, event_cluster: Codes) -> Bets:
    """The skill of every agent and slice of `groups`, which are the paired cells of `table`.

    `event_cluster` is the cluster of each event code.
    """
    rows = slice(None) if groups.rows is None else groups.rows
    weight, event_value = groups.row_weights(), groups.row_events()
    return Bets(
        group=groups.group[event_value],
        cluster=event_cluster[table.event[rows]],
        market=_markets(table)[rows],
        start=table.q[rows],
        end=table.p[rows],
        price=table.q[rows],
        y=table.y[rows],
        weight=weight,
        share=weight,
        groups=groups.agents * groups.parts,
    )


def _markets(table: CellTable) -> Codes:
    """A code for each (event, market), because markets of different events may share a name."""
    return table.event * (len(table.markets) + 1) + table.market
