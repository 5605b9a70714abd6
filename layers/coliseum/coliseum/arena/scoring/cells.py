"""What is scored: one forecast of one market in one window, beside the market's own price. Columns of numpy. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coliseum.errors import InvalidInput

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One agent's forecast of one market in one window."""

    agent: str
    event: str
    """Markets of one event are weighed together."""
    market: str
    window: str
    """The round, or any label of the instant at which forecast and price were taken."""
    p: float
    """The forecast probability of YES, 0 to 1."""
    q: float | None = None
    """The market's probability at the same instant; None where it had no usable quote."""
    y: int | None = None
    """1 = YES, 0 = NO; None = void, scalar or not settled: not graded."""
    category: str | None = None
    horizon: str | None = None
    """A label such as `3-12h`."""
    cluster: str | None = None
    """Dependent events share one: evidence multiplies over clusters. None = the event itself."""
    q_later: float | None = None
    """The market's probability at the close, for closing-line value."""


@dataclass(frozen=True)
class Table:
    """Cells as columns. Codes index the sorted label tuples; absent numbers are NaN."""

    agents: tuple[str, ...]
    events: tuple[str, ...]
    agent: Codes
    event: Codes
    window: Codes
    """Numbers (event, window) pairs."""
    question: Codes
    """Numbers (event, market, window) triples: what several agents answered."""
    cluster: Codes
    p: Floats
    q: Floats
    y: Floats
    q_later: Floats
    category: tuple[str, ...]
    category_code: Codes
    """-1 where the cell has none."""
    horizon: tuple[str, ...]
    horizon_code: Codes

    def __len__(self) -> int:
        return len(self.p)

    @property
    def graded(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.y)

    @property
    def paired(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.y) & ~np.isnan(self.q)

    def select(self, keep: NDArray[np.bool_]) -> Table:
        """The rows of `keep`, with the same codes."""
        return replace(
            self,
            agent=self.agent[keep],
            event=self.event[keep],
            window=self.window[keep],
            question=self.question[keep],
            cluster=self.cluster[keep],
            p=self.p[keep],
            q=self.q[keep],
            y=self.y[keep],
            q_later=self.q_later[keep],
            category_code=self.category_code[keep],
            horizon_code=self.horizon_code[keep],
        )


def table(
    *,
    agent: Sequence[str],
    event: Sequence[str],
    market: Sequence[str],
    window: Sequence[str],
    p: Sequence[float] | Floats,
    q: Sequence[float] | Floats,
    y: Sequence[float] | Floats,
    category: Sequence[str] | None = None,
    horizon: Sequence[str] | None = None,
    cluster: Sequence[str] | None = None,
    q_later: Sequence[float] | Floats | None = None,
) -> Table:
    """A table from equally long columns; NaN means no quote (`q`), not graded (`y`).

    Raises InvalidInput for probabilities outside [0, 1], outcomes other than 0 and 1, and an agent that answers
    one market twice in one window: choosing the representative forecast is the caller's decision.
    """
    agents, agent_code = _codes(agent)
    events, event_code = _codes(event)
    _, market_code = _codes(market)
    _, window_code = _codes(window)
    pairs = _joined(event_code, window_code)
    questions = _joined(pairs, market_code)
    forecast, quote, outcome = (np.asarray(column, dtype=np.float64) for column in (p, q, y))
    later = np.full(len(agent), np.nan) if q_later is None else np.asarray(q_later, dtype=np.float64)
    _check(forecast, quote, outcome, later)
    keys = _joined(questions, agent_code)
    if len(keys) and np.bincount(keys).max() > 1:
        row = int(np.flatnonzero(np.bincount(keys)[keys] > 1)[0])
        raise InvalidInput(
            "cell",
            (agent[row], event[row], market[row], window[row]),
            "one forecast per agent, market and window (keep the last valid one)",
        )
    categories, category_code = _optional_codes(category, len(agent))
    horizons, horizon_code = _optional_codes(horizon, len(agent))
    return Table(
        agents=agents,
        events=events,
        agent=agent_code,
        event=event_code,
        window=pairs,
        question=questions,
        cluster=event_code if cluster is None else _codes(cluster)[1],
        p=forecast,
        q=quote,
        y=outcome,
        q_later=later,
        category=categories,
        category_code=category_code,
        horizon=horizons,
        horizon_code=horizon_code,
    )


def table_from(cells: Iterable[Cell]) -> Table:
    """A table from cells; see `table` for what is refused."""
    rows = list(cells)
    return table(
        agent=[c.agent for c in rows],
        event=[c.event for c in rows],
        market=[c.market for c in rows],
        window=[c.window for c in rows],
        p=[c.p for c in rows],
        q=[_or_nan(c.q) for c in rows],
        y=[_or_nan(c.y) for c in rows],
        category=[c.category or "" for c in rows],
        horizon=[c.horizon or "" for c in rows],
        cluster=[c.cluster or c.event for c in rows],
        q_later=[_or_nan(c.q_later) for c in rows],
    )


def _check(p: Floats, q: Floats, y: Floats, later: Floats) -> None:
    bad = ~((p >= 0) & (p <= 1))
    if bad.any():
        raise InvalidInput("p", float(p[bad][0]), "a probability between 0 and 1")
    for name, column in (("q", q), ("q_later", later)):
        bad = ~np.isnan(column) & ~((column >= 0) & (column <= 1))
        if bad.any():
            raise InvalidInput(name, float(column[bad][0]), "a probability between 0 and 1, or nothing")
    bad = ~np.isnan(y) & (y != 0) & (y != 1)
    if bad.any():
        raise InvalidInput("y", float(y[bad][0]), "1, 0, or nothing for void and unsettled markets")


def _codes(labels: Sequence[str]) -> tuple[tuple[str, ...], Codes]:
    names, codes = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
    return tuple(names.tolist()), codes.astype(np.int64)


def _optional_codes(labels: Sequence[str] | None, length: int) -> tuple[tuple[str, ...], Codes]:
    if labels is None:
        return (), np.full(length, -1)
    names, codes = _codes(labels)
    if names and names[0] == "":
        return names[1:], codes - 1
    return names, codes


def _joined(major: Codes, minor: Codes) -> Codes:
    """Dense codes of the pairs, in order of (major, minor)."""
    if not len(major):
        return major
    codes: Codes = np.unique(major * (minor.max() + 1) + minor, return_inverse=True)[1].astype(np.int64)
    return codes


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
