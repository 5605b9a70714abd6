"""Means over markets, then windows, then events, so that a large event does not outweigh the others. Pure.

The markets of one event and window are averaged, then the windows of an event, then the events. So an event counts
once, however many markets it has and however often it was asked about.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, counts, distinct, ratio, totals
from coliseum.arena.scoring.cells import CellTable


@dataclass(frozen=True)
class Grouping:
    """Rows gathered into groups: `order` brings the rows of a group together, `starts` are the first places."""

    order: Codes | None
    """None if the rows of each group are together already."""
    starts: Codes
    sizes: Codes

    def means(self, values: Floats) -> Floats:
        """The mean of each group."""
        if not len(self.starts):
            return np.zeros(0)
        gathered = values if self.order is None else values[self.order]
        return np.asarray(np.add.reduceat(gathered, self.starts) / self.sizes)

    def places(self) -> Codes:
        """The group of each row, by its place in `starts`."""
        owner = np.repeat(np.arange(len(self.starts)), self.sizes)
        if self.order is None:
            return owner
        places = np.empty_like(owner)
        places[self.order] = owner
        return places


@dataclass(frozen=True)
class NestedGroups:
    """The selected rows of a table in groups of (agent, part). A part is one slice of a dimension."""

    rows: Codes | None
    """None if all rows are selected."""
    window_level: Grouping
    event_level: Grouping
    group: Codes
    """agent * parts + part, for each event value."""
    event: Codes
    agents: int
    parts: int

    def event_values(self, values: Floats) -> Floats:
        """One mean for each (agent, event, part), from one value for each row of the table."""
        kept = values if self.rows is None else values[self.rows]
        return self.event_level.means(self.window_level.means(kept))

    def mean(self, event_values: Floats) -> Floats:
        """The mean over the events, for each (agent, part); NaN without events."""
        size = self.agents * self.parts
        return ratio(totals(event_values, self.group, size), counts(self.group, size))

    def row_events(self) -> Codes:
        """The place of each selected row's event value in `event_values`."""
        return self.event_level.places()[self.window_level.places()]

    def row_weights(self) -> Floats:
        """The weight of each selected row in the mean of its event. The weights of an event add up to 1."""
        window = self.window_level.places()
        return 1.0 / (self.window_level.sizes[window] * self.event_level.sizes[self.event_level.places()[window]])

    def error(self, event_values: Floats, cluster: Codes | None = None) -> Floats:
        """Standard error of the mean of the event values, by cluster, for each (agent, part); NaN below two clusters.

        sqrt(G/(G - 1) sum of R^2)/n, where R is the sum of a cluster's deviations from the mean, G the number of
        clusters and n that of events (Cameron and Miller 2015, equation 10). `cluster` has the cluster of each event
        code. Without it each event is its own cluster, and the error is stdev(ddof 1)/sqrt(n).
        """
        size = self.agents * self.parts
        off = event_values - self.mean(event_values)[self.group]
        owner = self.group
        if cluster is not None:
            owner, off = self._cluster_sums(off, cluster)
        number, events = counts(owner, size), counts(self.group, size)
        variance = ratio(number * totals(np.square(off), owner, size), np.maximum(number - 1, 0))
        return np.sqrt(variance) / np.maximum(events, 1)

    def cluster_counts(self, cluster: Codes) -> Floats:
        """The number of clusters, for each (agent, part)."""
        return counts(self._cluster_sums(np.zeros(len(self.group)), cluster)[0], self.agents * self.parts)

    def _cluster_sums(self, event_values: Floats, cluster: Codes) -> tuple[Codes, Floats]:
        """(The (agent, part), the sum) of each cluster of each (agent, part)."""
        clusters = int(cluster.max(initial=0)) + 1
        keys, owner = distinct(self.group * clusters + cluster[self.event])
        return keys // clusters, totals(event_values, owner, len(keys))

    def event_counts(self) -> Floats:
        """The number of events, for each (agent, part)."""
        return counts(self.group, self.agents * self.parts)

    def events(self, part: int) -> Codes:
        """The codes of the events that have a value in one part, ascending: the columns of `matrix`."""
        return distinct(self.event[self.group % self.parts == part])[0]

    def matrix(self, event_values: Floats, part: int) -> Floats:
        """An agents x events matrix of one part; NaN where an agent has no value. Events are in canonical order."""
        mine = self.group % self.parts == part
        events = self.events(part)
        column = np.searchsorted(events, self.event[mine])
        filled = np.full((self.agents, len(events)), np.nan)
        filled[self.group[mine] // self.parts, column] = event_values[mine]
        return filled


def nest(table: CellTable, keep: Mask, part: Codes | None = None, parts: int = 1) -> NestedGroups:
    """Group the rows of `keep` by agent, event, window and part. Rows with a negative part are left out."""
    if part is not None:
        keep = keep & (part >= 0)
    rows = None if keep.all() else np.flatnonzero(keep)
    agent, event, window = (code if rows is None else code[rows] for code in (table.agent, table.event, table.window))
    slot = np.zeros(len(agent), dtype=np.int64) if part is None else (part if rows is None else part[rows])
    windows = len(table.windows) + 1
    pair = (agent * (len(table.events) + 1) + event) * windows + window
    window_level, pair_of, slot_of = _gather(pair, slot, parts)
    event_level, owner_of, slot_of_event = _gather(pair_of // windows, slot_of, parts)
    return NestedGroups(
        rows=rows,
        window_level=window_level,
        event_level=event_level,
        group=owner_of // (len(table.events) + 1) * parts + slot_of_event,
        event=owner_of % (len(table.events) + 1),
        agents=len(table.agents),
        parts=parts,
    )


def _gather(major: Codes, slot: Codes, parts: int) -> tuple[Grouping, Codes, Codes]:
    """Groups of equal (major, slot). `major` ascends already."""
    key = major * parts + slot
    order = None
    if bool((key[1:] < key[:-1]).any()):
        order = np.argsort(key, kind="stable")
        key = key[order]
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(key)), dtype=np.bool_), key[1:] != key[:-1]]))
    sizes = np.diff(np.append(starts, len(key)))
    return Grouping(order, starts, sizes), key[starts] // parts, key[starts] % parts
