"""What is scored: one forecast of one market in one window, beside the market's own price. Columns of numpy. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask
from coliseum.arena.scoring.slices import Dimension, dimensions
from coliseum.errors import InvalidInput

STRUCTURES = ("exclusive", "exhaustive", "above", "below")
"""How an event's markets hang together: at most one is YES; exactly one is, and all are here; a ladder of
"more than `strike`"; a ladder of "less than `strike`"."""
NUMBERS = ("p", "q", "y", "yes_ask", "no_ask", "q_1h", "q_24h", "q_close", "strike", "due_at",
           "settled_at", "noise")  # fmt: skip
_PROBABILITIES = ("p", "q", "yes_ask", "no_ask", "q_1h", "q_24h", "q_close")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One agent's forecast of one market in one window."""

    agent: str
    event: str
    """Markets of one event are weighed together."""
    market: str
    window: str
    """The round, or any label of the instant at which forecast and price were taken; labels sort by time."""
    p: float | None
    """The forecast probability of YES, 0 to 1; None = asked, but no valid answer came."""
    q: float | None = None
    """The market's probability at the same instant; None where it had no usable quote."""
    y: int | None = None
    """1 = YES, 0 = NO; None = void, scalar or not settled: not graded."""
    category: str | None = None
    horizon: str | None = None
    """How long the market had left: a label such as `3-12h`."""
    track: str | None = None
    volume: float | None = None
    """Contracts traded in 24 hours; orders the cells into terciles of liquidity."""
    outcomes: int | None = None
    """How many markets the event has."""
    cluster: str | None = None
    """Dependent events share one: evidence multiplies over clusters. None = the event itself."""
    yes_ask: float | None = None
    no_ask: float | None = None
    q_1h: float | None = None
    """The market's probability an hour later; likewise a day later and at the close."""
    q_24h: float | None = None
    q_close: float | None = None
    structure: str | None = None
    """One of `STRUCTURES`, of the event."""
    strike: float | None = None
    """The market's threshold on a ladder (`above`, `below`)."""
    due_at: float | None = None
    """Unix seconds of the scheduled end that was known when it was asked, infinite while it lies ahead: orders the
    evidence. Of an outcome's own time it must tell nothing."""
    settled_at: float | None = None
    """Unix seconds at which the outcome was known; tells a void market from one that is open."""
    noise: float | None = None
    """Variance of the replicates of which `p` is the mean; None where it was asked once."""


@dataclass(frozen=True)
class CellTable:
    """Cells as columns in canonical order (agent, event, window, market). Codes index sorted labels; absent is NaN."""

    agents: tuple[str, ...]
    events: tuple[str, ...]
    markets: tuple[str, ...]
    windows: tuple[str, ...]
    clusters: tuple[str, ...]
    agent: Codes
    event: Codes
    market: Codes
    window: Codes
    cluster: Codes
    structure: Codes
    """Index into `STRUCTURES`, -1 for none."""
    p: Floats
    q: Floats
    y: Floats
    yes_ask: Floats
    no_ask: Floats
    q_1h: Floats
    q_24h: Floats
    q_close: Floats
    strike: Floats
    due_at: Floats
    settled_at: Floats
    noise: Floats
    dimensions: tuple[Dimension, ...]
    """The ways to slice."""

    def __len__(self) -> int:
        return len(self.p)

    @cached_property
    def answered(self) -> Mask:
        return ~np.isnan(self.p)

    @cached_property
    def resolved(self) -> Mask:
        return ~np.isnan(self.y)

    @cached_property
    def quoted(self) -> Mask:
        return ~np.isnan(self.q)

    @cached_property
    def graded(self) -> Mask:
        """Scored for accuracy."""
        return self.answered & self.resolved

    @cached_property
    def paired(self) -> Mask:
        """Scored for skill."""
        return self.graded & self.quoted

    @cached_property
    def question(self) -> Codes:
        """Numbers (event, window, market): what several agents were asked."""
        return _joined(_joined(self.event, self.window), self.market)

    def select(self, keep: Mask) -> CellTable:
        """The rows of `keep`, with the same codes."""
        return self if keep.all() else self.rows(np.flatnonzero(keep))

    def rows(self, rows: Codes) -> CellTable:
        """Some rows, in the given order, with the same codes."""
        parts = tuple(replace(one, code=one.code[rows]) for one in self.dimensions)
        columns = {name: _taken(getattr(self, name), rows) for name in (*_CODED, *NUMBERS)}
        return replace(self, dimensions=parts, **columns)


_CODED = ("agent", "event", "market", "window", "cluster", "structure")
Column = Sequence[float] | Floats


def table(
    *,
    agent: Sequence[str],
    event: Sequence[str],
    market: Sequence[str],
    window: Sequence[str],
    p: Column,
    q: Column,
    y: Column,
    category: Sequence[str] | None = None,
    horizon: Sequence[str] | None = None,
    track: Sequence[str] | None = None,
    volume: Column | None = None,
    outcomes: Column | None = None,
    cluster: Sequence[str] | None = None,
    structure: Sequence[str] | None = None,
    **numbers: Column | None,
) -> CellTable:
    """A table from equally long columns in any order; NaN and "" mean absent.

    Raises InvalidInput for probabilities outside [0, 1], outcomes other than 0 and 1, two outcomes of one market, and
    an agent that answers one market twice in one window: choosing the representative forecast is the caller's decision.
    """
    length = len(agent)
    columns = {name: _floats(numbers.get(name), length) for name in NUMBERS} | {
        "p": _floats(p, length),
        "q": _floats(q, length),
        "y": _floats(y, length),
    }
    _check_numbers(columns)
    agents, agent_code = coded(agent)
    events, event_code = coded(event)
    markets, market_code = coded(market)
    windows, window_code = coded(window)
    clusters, cluster_code = (events, event_code) if cluster is None else coded(cluster)
    _check_outcomes(events, event_code, markets, market_code, columns["y"])
    key = _key((agent_code, event_code, window_code, market_code))
    order = np.argsort(key, kind="stable")
    _check_unique(key[order], order, (agent, event, market, window))
    ways = dimensions(
        category=category, horizon=horizon, track=track,
        volume=None if volume is None else _floats(volume, length),
        outcomes=None if outcomes is None else _floats(outcomes, length),
        q=columns["q"],
    )  # fmt: skip
    return CellTable(
        agents=agents,
        events=events,
        markets=markets,
        windows=windows,
        clusters=clusters,
        agent=agent_code[order],
        event=event_code[order],
        market=market_code[order],
        window=window_code[order],
        cluster=cluster_code[order],
        structure=_taken(_structures(structure, length), order),
        dimensions=tuple(replace(way, code=way.code[order]) for way in ways),
        **{name: _taken(column, order) for name, column in columns.items()},
    )


def table_from_cells(cells: Iterable[Cell]) -> CellTable:
    """A table from cells; see `table` for what is refused."""
    rows = list(cells)
    columns: dict[str, Any] = {}
    for name in (one.name for one in fields(Cell)):
        values = [getattr(cell, name) for cell in rows]
        if name in _TEXTS:
            columns[name] = [value or "" for value in values]
        else:
            columns[name] = [math.nan if value is None else float(value) for value in values]
    columns["cluster"] = [cell.cluster or cell.event for cell in rows]
    return table(**columns)


_TEXTS = frozenset({"agent", "event", "market", "window", "category", "horizon", "track", "cluster", "structure"})


def with_unanswered_questions(whole: CellTable) -> CellTable:
    """The same table with every agent asked every question of it: what it did not answer becomes a row without `p`.

    Price, outcome and the rest of an added row are those of the first agent that has the question.
    """
    _, first, question = np.unique(whole.question, return_index=True, return_inverse=True)
    asked = np.zeros((len(whole.agents), len(first)), dtype=np.bool_)
    asked[whole.agent, question] = True
    agent, missing = np.nonzero(~asked)
    if not len(agent):
        return whole
    rows = np.concatenate([np.arange(len(whole)), first[missing]])
    agents = np.concatenate([whole.agent, agent])
    columns = {name: _taken(getattr(whole, name), rows) for name in (*_CODED, *NUMBERS)}
    columns["agent"] = agents
    columns["p"] = np.concatenate([whole.p, np.full(len(agent), np.nan)])
    order = np.argsort(_key((agents, columns["event"], columns["window"], columns["market"])), kind="stable")
    parts = tuple(replace(one, code=one.code[rows][order]) for one in whole.dimensions)
    return replace(whole, dimensions=parts, **{name: _taken(column, order) for name, column in columns.items()})


def coded(labels: Sequence[str]) -> tuple[tuple[str, ...], Codes]:
    """(sorted distinct labels, the index of each row's)."""
    rows = labels.tolist() if isinstance(labels, np.ndarray) else labels
    names = sorted(set(rows))
    index: Mapping[str, int] = {name: code for code, name in enumerate(names)}
    return tuple(names), np.fromiter(map(index.__getitem__, rows), dtype=np.int64, count=len(rows))


def _floats(column: Column | None, length: int) -> Floats:
    return _constant(np.nan, length) if column is None else np.asarray(column, dtype=np.float64)


def _constant(value: float, length: int) -> Any:
    """A column of one value, which takes no memory: most tables lack most columns."""
    return np.broadcast_to(np.asarray(value), (length,))


def _taken(column: Any, rows: Codes) -> Any:
    """Some rows of a column, in their order."""
    return np.broadcast_to(column[:1], (len(rows),)) if len(column) and column.strides == (0,) else column[rows]


def _check_numbers(columns: Mapping[str, Floats]) -> None:
    for name in _PROBABILITIES:
        column = columns[name]
        with np.errstate(invalid="ignore"):
            bad = (column < 0) | (column > 1)
        if bad.any():
            raise InvalidInput(name, float(column[bad][0]), "a probability between 0 and 1, or nothing")
    y = columns["y"]
    bad = ~np.isnan(y) & (y != 0) & (y != 1)
    if bad.any():
        raise InvalidInput("y", float(y[bad][0]), "1, 0, or nothing for void and unsettled markets")


def _check_outcomes(events: Sequence[str], event: Codes, markets: Sequence[str], market: Codes, y: Floats) -> None:
    """A market has one outcome, whoever was asked and whenever. Its name may be reused by other events."""
    owner = np.zeros(len(markets), dtype=np.int64)
    owner[market] = event
    asked = market if bool((owner[market] == event).all()) else _joined(event, market)
    known = np.flatnonzero(~np.isnan(y))
    outcome = np.zeros(int(asked.max()) + 1 if len(asked) else 0)
    outcome[asked[known]] = y[known]
    bad = known[outcome[asked[known]] != y[known]]
    if len(bad):
        row = int(bad[0])
        name = f"{events[event[row]]}/{markets[market[row]]}"
        raise InvalidInput("y", name, "one outcome per market; this one is both YES and NO")


def _check_unique(ordered: Codes, order: Codes, names: tuple[Sequence[str], ...]) -> None:
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(twice):
        row = int(order[twice[0] + 1])
        raise InvalidInput(
            "cell",
            "/".join(str(column[row]) for column in names),
            "one forecast per agent, event, market and window (keep the last valid one)",
        )


def _structures(labels: Sequence[str] | None, length: int) -> Codes:
    if labels is None:
        return np.asarray(_constant(-1, length))
    index = {"": -1, **{name: code for code, name in enumerate(STRUCTURES)}}
    unknown = sorted(set(labels) - index.keys())
    if unknown:
        raise InvalidInput("structure", unknown[0], "one of " + ", ".join(STRUCTURES) + ", or nothing")
    return np.fromiter((index[label] for label in labels), dtype=np.int64, count=length)


def _key(codes: tuple[Codes, ...]) -> Codes:
    """One sortable number per row, in order of the codes."""
    key = codes[0]
    if not len(key):
        return key
    for minor in codes[1:]:
        size = int(minor.max()) + 1
        if (int(key.max()) + 1) * size > np.iinfo(np.int64).max:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
        key = key * size + minor
    return key


def _joined(major: Codes, minor: Codes) -> Codes:
    """Dense codes of the pairs, in order of (major, minor)."""
    return np.unique(_key((major, minor)), return_inverse=True)[1].astype(np.int64)
