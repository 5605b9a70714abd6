"""Clusters of events that depend on each other, and the order in which they are due. Pure.

A row names the cluster of its event. If the rows of one event name several clusters, these depend on each other too,
so they count as one. Two things follow from the clusters: what is resampled together, and the order in which evidence
and the confidence sequence count. That order must not depend on outcomes, because YES may be known days before NO.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask
from coliseum.arena.scoring.cells import CellTable


def joined_clusters(table: CellTable) -> Codes:
    """For each cluster code of the table, the lowest code of the clusters that it is joined with.

    Clusters are joined if they share an event, also in chains. Mostly nothing is joined.
    """
    lowest = np.arange(len(table.clusters))
    while True:
        first = np.full(len(table.events), len(lowest))
        np.minimum.at(first, table.event, lowest[table.cluster])
        found = lowest.copy()
        np.minimum.at(found, lowest[table.cluster], first[table.event])
        found = found[found]  # what a cluster is joined with may itself be joined with a lower one
        if bool((found == lowest).all()):
            return lowest
        lowest = found[lowest]


def event_clusters(table: CellTable) -> Codes:
    """The cluster of each event code of the table; -1 for an event without a row."""
    result = np.full(len(table.events), -1)
    result[table.event] = joined_clusters(table)[table.cluster]
    return result


@dataclass(frozen=True)
class DueOrder:
    """The clusters in order of their due times; clusters due at the same time in order of their names."""

    place: Codes
    """The place of each cluster code in this order. Joined clusters have the same place."""
    due_at: Floats
    """Unix seconds by place: infinite if unknown or in the future, NaN everywhere in a table without times."""
    by: str
    """What orders the clusters: `due_at`, or else `settled_at`, or else `name`."""

    def waits(self, rows: CellTable, place: Codes) -> Mask:
        """Marks rows whose bet is not over. In a table without times, a market without an outcome counts as void."""
        settled = rows.resolved | ~np.isnan(rows.settled_at)
        due_at = self.due_at[place]
        return np.asarray(np.isinf(due_at) | (~settled & ~np.isnan(due_at)))

    def counted(self, bets: CellTable) -> Mask:
        """Marks the bets of each agent that count: those before its first cluster with a bet that is not over."""
        place = self.place[bets.cluster]
        waits = self.waits(bets, place)
        limit = np.full(len(bets.agents), len(self.place))
        np.minimum.at(limit, bets.agent[waits], place[waits])
        return np.asarray(place < limit[bets.agent])


def due_order(table: CellTable) -> DueOrder:
    """The order by `due_at`, or else by `settled_at`. A cluster is due when the last of its markets is."""
    columns = {"due_at": table.due_at, "settled_at": table.settled_at}
    by = next((name for name, column in columns.items() if not np.isnan(column).all()), "name")
    times = columns.get(by)
    joined = joined_clusters(table)
    latest = np.full(len(joined), np.nan if times is None else -np.inf)
    if times is not None:
        np.maximum.at(latest, joined[table.cluster], np.where(np.isnan(times), np.inf, times))
    order = np.argsort(latest, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return DueOrder(place[joined], latest[order], by)


def first_windows(owner: Codes, window: Codes) -> Mask:
    """Marks the rows in the first window of their owner. The rows are in order of (owner, window)."""
    new = np.concatenate([np.ones(min(1, len(owner)), dtype=np.bool_), owner[1:] != owner[:-1]])
    return np.asarray(window == window[np.flatnonzero(new)][np.cumsum(new) - 1])


def first_bets(table: CellTable) -> CellTable:
    """The answers at a price that count for claims over time: of each event the agent's first window with one.

    The number of later windows may depend on the outcome.
    """
    bets = table.select(table.answered & table.quoted)
    return bets.select(first_windows(bets.agent * len(table.events) + bets.event, bets.window))
