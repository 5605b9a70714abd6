"""The scores of single events, agent by agent: what the means of a report are made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Floats, Mask, number
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.measures import score_cells
from coliseum.arena.scoring.nesting import NestedGroups, nest
from coliseum.arena.scoring.report import ScoreRules, headline_of, with_crowds
from coliseum.errors import InvalidInput

MOST_ROWS = 100_000
"""(Agent, event) pairs in the answer at most: about 30 MB of JSON."""


def event_scores(table: CellTable, rules: ScoreRules | None = None) -> list[dict[str, Any]]:
    """One row for each agent and event with a graded cell, in order of event and agent.

    The values are means over the markets and windows of the event, over the headline's cells. So the mean of a column
    over the events of an agent is the number of the same name in its report. A number that the event lacks is None.
    Raises InvalidInput for more than 100,000 rows.
    """
    table, rules = with_crowds(table, rules or ScoreRules())
    table = headline_of(table, rules)
    graded = nest(table, table.graded)
    if len(graded.event) > MOST_ROWS:
        raise InvalidInput(
            "events", f"{len(graded.event):,} scores of events", f"at most {MOST_ROWS:,}; score fewer agents or events"
        )
    columns = _columns(table, rules, graded)
    cells = np.bincount(graded.row_events(), minlength=len(graded.event))
    rows = [
        {
            "event": table.events[graded.event[place]],
            "agent": table.agents[graded.group[place]],
            "graded": int(cells[place]),
            **{name: number(float(column[place])) for name, column in columns.items()},
        }
        for place in range(len(graded.event))
    ]
    return sorted(rows, key=lambda row: (row["event"], row["agent"]))


def _columns(table: CellTable, rules: ScoreRules, graded: NestedGroups) -> Mapping[str, Floats]:
    """For each number its value in each event of `graded`; NaN where it is absent."""
    mine, paired = score_cells(table, rules.pools), table.paired
    values: dict[str, tuple[Mask, Floats]] = {
        "brier": (table.graded, mine.brier),
        "brier_sum": (mine.vectors.complete, mine.vectors.brier_sum),
        "spherical": (mine.vectors.with_length, mine.vectors.spherical),
        "log": (table.graded, mine.log),
        "baseline": (table.graded, mine.baseline),
        "peer": (~np.isnan(mine.peer), mine.peer),
        "market_brier": (paired, mine.market_brier),
        "skill": (paired, mine.difference),
        "edge": (paired, mine.edge),
    }
    keys = graded.group * len(table.events) + graded.event
    result: dict[str, Floats] = {}
    for name, (keep, column) in values.items():
        level = nest(table, keep)
        result[name] = np.full(len(keys), np.nan)
        places = np.searchsorted(keys, level.group * len(table.events) + level.event)
        result[name][places] = level.event_values(column)
    return result
