"""Means of the groups of questions, and macro-averages over the groups. Pure.

A macro-average is the mean of the means of the groups, so a group counts once, however many questions it has.
ForecastBench's overall score is one: the mean of the score on dataset questions and of that on market questions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Floats, number
from coliseum.arena.scoring.brier import brier_index
from coliseum.arena.scoring.measures import CellScores, DimensionScores
from coliseum.arena.scoring.slices import GROUP, Dimension

MEANS = (
    "brier", "brier_market_weighted", "brier_strict", "brier_sum", "spherical", "log", "log_loss", "baseline", "peer",
    "accuracy", "skill", "skill_strict", "skill_market_weighted", "market_brier", "edge",
)  # fmt: skip
"""Numbers with a mean in each group and a macro-average."""


@dataclass(frozen=True)
class GroupMeans:
    """The means of every group in every slice of one dimension."""

    groups: tuple[str, ...]
    labels: tuple[str, ...]
    columns: Mapping[str, Floats]
    """One array of (agent, slice, group) for each of `MEANS`, and the numbers of graded cells and events."""

    def rows(self, label: str) -> list[dict[str, Any]]:
        """For each agent code: its means by group in the slice, and the macro-averages over the groups.

        Only groups count in which some agent has a graded cell in this slice. An agent without one in such a group has
        no macro-averages, and `macro_reason` says so.
        """
        part = self.labels.index(label)
        columns = {name: column[:, part] for name, column in self.columns.items()}
        present = np.flatnonzero(columns["graded"].any(axis=0)).tolist()
        return [self._row({name: column[agent] for name, column in columns.items()}, present)
                for agent in range(len(columns["graded"]))]  # fmt: skip

    def _row(self, values: Mapping[str, Floats], present: list[int]) -> dict[str, Any]:
        lacks = [self.groups[code] for code in present if not values["graded"][code]]
        reason = f"no graded forecast in {', '.join(lacks)}" if lacks else None if present else "nothing is graded"
        macro = {
            f"{name}_macro": None if reason else number(math.fsum(values[name][present].tolist()) / len(present))
            for name in MEANS
        }
        index = None if macro["brier_macro"] is None else brier_index(macro["brier_macro"])
        return {
            **macro,
            "brier_index_macro": index,
            "macro_reason": reason,
            "groups": {self.groups[code]: _means({name: values[name][code] for name in values}) for code in present},
        }


def _means(values: Mapping[str, float]) -> dict[str, Any]:
    counted = {name: int(values[name]) for name in ("graded", "events")}
    return {**counted, **{name: number(float(values[name])) for name in MEANS}}


def group_means(measures: CellScores, dimension: Dimension) -> GroupMeans | None:
    """The means of the groups in each slice of the dimension. None if the table has no groups."""
    group = next((one for one in measures.table.dimensions if one.name == GROUP), None)
    if group is None:
        return None
    size = len(group.labels)
    inside = (dimension.code >= 0) & (group.code >= 0)
    part = np.where(inside, dimension.code * size + group.code, -1)
    names = tuple(f"{label} {own}" for label in dimension.labels for own in group.labels)
    columns = DimensionScores(measures, part, names, seed=0, draws=0).columns
    shape = (len(measures.table.agents), len(dimension.labels), size)
    return GroupMeans(
        groups=group.labels,
        labels=dimension.labels,
        columns={name: columns[name].reshape(shape) for name in ("graded", "events", *MEANS)},
    )
