"""Pooled forecasts of the agents of a table, as further agents: median, mean, trimmed mean, mean log-odds. Pure.

They are what a crowd of these agents would have said. They are scored and shown, but they are made of the others'
forecasts, so they are not ranked, and no number of another agent depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, natural_log
from coliseum.arena.scoring.brier import LOG_FLOOR
from coliseum.arena.scoring.cells import CellTable, reordered
from coliseum.errors import InvalidInput

PREFIX = "pool:"
TRIM = 0.1
"""`trimmed` drops this share of the answers, rounded down, at each end: nothing below ten answers."""
PLACES = 9
"""`log-odds` is rounded to these places, because `exp` may differ in its last bit between machines."""


def _median(p: Floats, starts: Codes, sizes: Codes) -> Floats:
    low, high = p[starts + (sizes - 1) // 2], p[starts + sizes // 2]
    return np.asarray((low + high) / 2)


def _mean(p: Floats, starts: Codes, sizes: Codes) -> Floats:
    return np.asarray(np.add.reduceat(p, starts) / sizes)


def _trimmed(p: Floats, starts: Codes, sizes: Codes) -> Floats:
    """The mean without the lowest and the highest tenth (`scipy.stats.trim_mean`)."""
    dropped = (sizes * TRIM + 1e-9).astype(np.int64)
    place = np.arange(len(p)) - np.repeat(starts, sizes)
    kept = (place >= np.repeat(dropped, sizes)) & (place < np.repeat(sizes - dropped, sizes))
    return np.asarray(np.add.reduceat(np.where(kept, p, 0.0), starts) / (sizes - 2 * dropped))


def _log_odds(p: Floats, starts: Codes, sizes: Codes) -> Floats:
    """The probability of the mean log-odds, of answers clipped to [0.001, 0.999] (Satopää et al. 2014)."""
    inside = np.clip(p, LOG_FLOOR, 1 - LOG_FLOOR)
    mean = np.add.reduceat(natural_log(inside) - natural_log(1 - inside), starts) / sizes
    return np.asarray(np.round(1 / (1 + np.exp(-mean)), PLACES))


Pool = Callable[[Floats, Codes, Codes], Floats]
"""Pools the answers of each question. They are sorted in it; it has the first place and the number of them."""
POOLS: Mapping[str, Pool] = {"median": _median, "mean": _mean, "trimmed": _trimmed, "log-odds": _log_odds}
REASONS = {
    "median": "the median of the agents' forecasts",
    "mean": "the mean of the agents' forecasts",
    "trimmed": f"the mean of the agents' forecasts without the lowest and highest {TRIM:.0%}",
    "log-odds": "the mean log-odds of the agents' forecasts",
}
"""Why each pool is not ranked, in words."""


def pool_names(kinds: Collection[str]) -> dict[str, str]:
    """The agents of these pools, each with the reason why it is not ranked. Raises InvalidInput for an unknown kind."""
    for kind in kinds:
        if kind not in POOLS:
            raise InvalidInput("pools", kind, "some of " + ", ".join(POOLS))
    return {PREFIX + kind: REASONS[kind] for kind in sorted(kinds)}


def with_pools(table: CellTable, kinds: Collection[str], members: Collection[str] | None = None) -> CellTable:
    """The table with an agent `pool:…` of each kind, which pools the answers of `members` (all agents if None).

    A pool has a row for every question that a member was asked. The row has no `p` if none of them answered, and price,
    outcome and everything else of the first member's row. Raises InvalidInput for an unknown kind, for members that are
    not in the table, and if an agent has the name of a pool already.
    """
    kinds = sorted(kinds)
    _check(table, kinds, members)
    if not kinds:
        return table
    mine = np.array([members is None or agent in members for agent in table.agents], dtype=np.bool_)
    rows = np.flatnonzero(mine[table.agent])
    questions, first, question = np.unique(table.question[rows], return_index=True, return_inverse=True)
    asked = table.rows(rows[first])
    pools = [replace(asked, p=p) for p in _pooled(table.p[rows], question, len(questions), kinds)]
    return _joined(table, pools, list(pool_names(kinds)))


def _check(table: CellTable, kinds: Sequence[str], members: Collection[str] | None) -> None:
    for name in pool_names(kinds):
        if name in table.agents:
            raise InvalidInput("pools", name, "a name that no agent has already; rename the agent")
    unknown = sorted(set(members or ()) - set(table.agents))
    if unknown:
        raise InvalidInput("pool-of", unknown[0], "an agent that has a forecast")


def _pooled(p: Floats, question: Codes, size: int, kinds: Sequence[str]) -> list[Floats]:
    """For each kind the pooled forecast of each question; NaN where nobody answered."""
    rows = np.flatnonzero(~np.isnan(p))
    rows = rows[np.lexsort((p[rows], question[rows]))]
    own = question[rows]
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(own)), dtype=np.bool_), own[1:] != own[:-1]]))
    sizes = np.diff(np.append(starts, len(own)))
    result: list[Floats] = []
    for kind in kinds:
        values = np.full(size, np.nan)
        if len(starts):
            values[own[starts]] = POOLS[kind](p[rows], starts, sizes)
        result.append(values)
    return result


def _joined(table: CellTable, pools: Sequence[CellTable], names: Sequence[str]) -> CellTable:
    """One table of all rows. The agents are sorted again, so that the order stays canonical."""
    agents = sorted([*table.agents, *names])
    place = {name: code for code, name in enumerate(agents)}
    codes = np.array([place[name] for name in table.agents], dtype=np.int64)
    roles = dict(zip(table.agents, table.roles, strict=True)) if table.roles else {}
    parts: list[Any] = [replace(table, agent=codes[table.agent])]
    for name, pool in zip(names, pools, strict=True):
        parts.append(replace(pool, agent=np.full(len(pool), place[name]), noise=np.full(len(pool), np.nan)))
    return reordered(parts, agents=tuple(agents), roles=tuple(roles.get(name, "") for name in agents) if roles else ())
