"""Several answers of one agent to one question, told apart by a label: their mean is the forecast. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, counts, ratio, totals
from coliseum.arena.scoring.files.columns import Columns
from coliseum.arena.scoring.files.problems import FileProblems


def averaged(columns: Columns, file: str, problems: FileProblems) -> Columns:
    """One row per question, dated by its first line; `noise` is the variance of its replicates."""
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


def _check(columns: Columns, keys: Sequence[tuple[str, ...]], first: Codes, tell: Callable[[int, str], None]) -> None:
    """Replicates have labels of their own, and all else in common."""
    seen: dict[tuple[str, ...], int] = {}
    other = _other(columns.numbers["y"], first) | _other(columns.numbers["q"], first)
    for row, (key, name) in enumerate(zip(keys, columns.labels["replicate"], strict=True)):
        line, before = columns.lines[row], seen.setdefault((*key, name), columns.lines[row])
        if before != line:
            told = f"{key[0]} answered {key[2]} in window {key[3]!r} as replicate {name!r} in line {before} already"
            tell(line, f"{told}: number the replicates")
        if other[row]:
            told = f"replicates of one question share its y and q, and line {columns.lines[int(first[row])]} has others"
            tell(line, told)


def _other(values: Floats, first: Codes) -> Mask:
    return np.asarray((values != values[first]) & ~(np.isnan(values) & np.isnan(values[first])))
