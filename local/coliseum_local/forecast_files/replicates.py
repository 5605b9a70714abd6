"""Replicates: several answers of one agent to one question, with a label each. Their mean is the forecast. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, counts, ratio, totals
from coliseum_local.forecast_files.columns import Columns
from coliseum_local.forecast_files.problems import FileProblems


def merge_replicates(columns: Columns, file: str, problems: FileProblems) -> Columns:
    """Merge the replicates of each question into one row, which gets the line of the first of them.

    `p` is their mean, `noise` their variance. Without replicates the columns stay as they are. Mistakes
    are added to `problems`.
    """
    if not any(columns.labels.get("replicate", ())):
        columns.labels.pop("replicate", None)
        return columns
    keys = list(zip(*(columns.labels[name] for name in ("agent", "event", "market", "window")), strict=True))
    place: dict[tuple[str, ...], int] = {}
    group = np.array([place.setdefault(key, len(place)) for key in keys])
    first = np.unique(group, return_index=True)[1]
    _check(columns, keys, first[group], partial(problems.add, file))
    p = columns.numbers["p"]
    answered = ~np.isnan(p)
    number = counts(group[answered], len(place))
    mean = ratio(totals(p[answered], group[answered], len(place)), number)
    off = totals(np.square(p - mean[group])[answered], group[answered], len(place))
    noise = np.where(number > 1, ratio(off, np.maximum(number - 1, 0)), np.nan)
    return Columns(
        lines=[columns.lines[row] for row in first],
        labels={name: [values[row] for row in first] for name, values in columns.labels.items() if name != "replicate"},
        numbers={**{name: values[first] for name, values in columns.numbers.items()}, "p": mean, "noise": noise},
    )


def _check(columns: Columns, keys: Sequence[tuple[str, ...]], first: Codes, report: Callable[[int, str], None]) -> None:
    """Report replicates with the same label, and replicates with different outcomes or prices."""
    seen: dict[tuple[str, ...], int] = {}
    differs = _differs(columns.numbers["y"], first) | _differs(columns.numbers["q"], first)
    for row, (key, name) in enumerate(zip(keys, columns.labels["replicate"], strict=True)):
        line, before = columns.lines[row], seen.setdefault((*key, name), columns.lines[row])
        if before != line:
            where = f"{key[0]} already answered {key[2]} in window {key[3]!r} as replicate {name!r} in line {before}"
            report(line, f"{where}: number the replicates")
        if differs[row]:
            first_line = columns.lines[int(first[row])]
            report(line, f"y or q differs from line {first_line}: replicates of one question must have the same")


def _differs(values: Floats, first: Codes) -> Mask:
    """Marks rows whose value differs from that of the first replicate; NaN equals NaN."""
    return np.asarray((values != values[first]) & ~(np.isnan(values) & np.isnan(values[first])))
