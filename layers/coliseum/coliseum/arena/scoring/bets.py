"""Cells as bets between two probabilities, for the intervals of mean differences of Brier scores. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.nesting import NestedGroups


@dataclass(frozen=True, slots=True, kw_only=True)
class Bets:
    """Cells whose values are weight ((start - y)^2 - (end - y)^2). All columns have one entry for each cell.

    For skill, start is the price and end the agent's forecast. To compare two agents, see `pair_bets`.
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


class PairedCells:
    """The cells of which the difference between two agents is made.

    `groups` are the paired cells of `table`, without slices. `event_cluster` is the cluster of each event code.
    """

    def __init__(self, groups: NestedGroups, table: CellTable, event_cluster: Codes) -> None:
        self._table = table
        rows = np.arange(len(table)) if groups.rows is None else groups.rows
        self._market, self._cluster = _markets(table), event_cluster
        ends = np.searchsorted(table.agent[rows], np.arange(len(table.agents) + 1))
        question, weight = table.question[rows], groups.row_weights()
        self._agents = [_AgentCells(rows[own], question[own], weight[own]) for own in map(slice, ends, ends[1:])]

    def bets(self, first: int, second: int) -> Bets:
        """The skill of the first agent minus that of the second, over the events that both have. One group.

        In a difference of skills the price cancels out, so a cell that both answered is a bet between the two
        forecasts. The price remains in a cell that only one of them answered, and where their weights differ because
        they answered different cells of the event.
        """
        mine, other = self._common(first, second)
        shared, rest, other_rest = _shared_weights(mine, other)
        both, matched = np.flatnonzero(shared.place >= 0), shared.place[shared.place >= 0]
        alone, other_alone = np.flatnonzero(rest > _LEAST_WEIGHT), np.flatnonzero(other_rest > _LEAST_WEIGHT)
        p, q = self._table.p, self._table.q
        row = np.concatenate([mine.row[both], mine.row[alone], other.row[other_alone]])
        return Bets(
            group=np.zeros(len(row), dtype=np.int64),
            cluster=self._cluster[self._table.event[row]],
            market=self._market[row],
            start=np.concatenate([p[other.row[matched]], q[mine.row[alone]], p[other.row[other_alone]]]),
            end=np.concatenate([p[mine.row[both]], p[mine.row[alone]], q[other.row[other_alone]]]),
            price=q[row],
            y=self._table.y[row],
            weight=np.concatenate([shared.weight[both], rest[alone], other_rest[other_alone]]),
            share=np.concatenate([shared.weight[both], rest[alone], np.zeros(len(other_alone))]),
            groups=1,
            between_agents=True,
        )

    def _common(self, first: int, second: int) -> tuple[_AgentCells, _AgentCells]:
        """The cells of both agents in the events that both have."""
        event = self._table.event
        mine, other = self._agents[first], self._agents[second]
        if np.array_equal(mine.question, other.question):
            return mine, other
        common = np.intersect1d(event[mine.row], event[other.row])
        return mine.only(np.isin(event[mine.row], common)), other.only(np.isin(event[other.row], common))


_LEAST_WEIGHT = 1e-12
"""A smaller weight is a rounding error."""


@dataclass(frozen=True)
class _AgentCells:
    """The paired cells of one agent, in the canonical order."""

    row: Codes
    question: Codes
    weight: Floats

    def only(self, keep: Mask) -> _AgentCells:
        return _AgentCells(self.row[keep], self.question[keep], self.weight[keep])


@dataclass(frozen=True)
class _SharedWeights:
    """Of each cell of the first agent."""

    place: Codes
    """The second agent's cell of the same question; -1 without one."""
    weight: Floats
    """The weight that both cells have at least."""


def _shared_weights(mine: _AgentCells, other: _AgentCells) -> tuple[_SharedWeights, Floats, Floats]:
    """(What both agents' cells share, the rest of the first agent's weights, the rest of the second's)."""
    place = np.searchsorted(other.question, mine.question)
    place = np.minimum(place, max(0, len(other.question) - 1))
    found = other.question[place] == mine.question if len(other.question) else np.zeros(len(place), dtype=np.bool_)
    place = np.where(found, place, -1)
    weight = np.where(found, np.minimum(mine.weight, other.weight[place]), 0.0) if len(place) else mine.weight
    rest = other.weight.copy()
    rest[place[found]] -= weight[found]
    return _SharedWeights(place, weight), mine.weight - weight, rest


def _markets(table: CellTable) -> Codes:
    """A code for each (event, market), because markets of different events may share a name."""
    return table.event * (len(table.markets) + 1) + table.market
