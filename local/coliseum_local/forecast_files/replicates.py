"""Replicates: several answers of one agent to one question, with a label each. Their mean is the forecast. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, counts, ratio, totals
from coliseum.arena.scoring.labels import coded
from coliseum_local.forecast_files.columns import Columns
from coliseum_local.forecast_files.problems import FileProblems

KEY = ("agent", "event", "market", "window")
"""What an agent answers once, or as several replicates."""


def merge_replicates(columns: Columns, problems: FileProblems) -> Columns:
    """Merge the replicates of each question into one row, which gets the line of the first of them.

    `p` is their mean, `noise` their variance. Without replicates the columns stay as they are. Mistakes
    are added to `problems`.
    """
    if columns.label("replicate").marks("").all():
        columns.labels.pop("replicate", None)
        return columns
    group, first = first_rows(columns, KEY)
    _check(columns, first[group], problems)
    p = columns.numbers["p"]
    answered = ~np.isnan(p)
    number = counts(group[answered], len(first))
    mean = ratio(totals(p[answered], group[answered], len(first)), number)
    off = totals(np.square(p - mean[group])[answered], group[answered], len(first))
    noise = np.where(number > 1, ratio(off, np.maximum(number - 1, 0)), np.nan)
    return Columns(
        file=columns.file,
        lines=[columns.lines[row] for row in first.tolist()],
        labels={name: values.rows(first) for name, values in columns.labels.items() if name != "replicate"},
        numbers={**{name: values[first] for name, values in columns.numbers.items()}, "p": mean, "noise": noise},
    )


def first_rows(columns: Columns, key: tuple[str, ...]) -> tuple[Codes, Codes]:
    """(For each row the number of its key, for each number the first row), numbered in the order of the file."""
    code = np.zeros(len(columns), dtype=np.int64)
    for name in key:
        names, minor = coded(columns.labels[name])
        _, found, code = np.unique(code * len(names) + minor, return_index=True, return_inverse=True)
    order = np.argsort(found)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[code], found[order]


def _check(columns: Columns, first: Codes, problems: FileProblems) -> None:
    """Report replicates with the same label, and replicates with different outcomes or prices."""
    same, first_same = first_rows(columns, (*KEY, "replicate"))
    for row in np.flatnonzero(first_same[same] != np.arange(len(same))).tolist():
        agent, _, market, window = (columns.labels[name][row] for name in KEY)
        before = problems.place(columns.file, columns.lines[int(first_same[same[row]])])
        label = columns.labels["replicate"][row]
        where = f"{agent} already answered {market} in window {window!r} as replicate {label!r} in {before}"
        problems.add(columns.file, columns.lines[row], f"{where}: number the replicates")
    differs = _differs(columns.numbers, "y", first) | _differs(columns.numbers, "q", first)
    for row in np.flatnonzero(differs).tolist():
        before = problems.place(columns.file, columns.lines[int(first[row])])
        message = f"y or q differs from {before}: replicates of one question must have the same"
        problems.add(columns.file, columns.lines[row], message)


def _differs(numbers: Mapping[str, Floats], name: str, first: Codes) -> Mask:
    """Marks rows whose value differs from that of the first replicate; NaN equals NaN."""
    values = numbers[name]
    return np.asarray((values != values[first]) & ~(np.isnan(values) & np.isnan(values[first])))
