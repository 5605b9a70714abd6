"""Tables that hold cells as columns. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, distinct
from coliseum.arena.scoring.cell import ROLES
from coliseum.arena.scoring.cell import STRUCTURES as STRUCTURES  # noqa: PLC0414  # who makes tables finds it here
from coliseum.arena.scoring.cell import Cell as Cell  # noqa: PLC0414
from coliseum.arena.scoring.consistency import LEVELS, disagreements, level_name
from coliseum.arena.scoring.labels import coded
from coliseum.arena.scoring.slices import Dimension, dimensions
from coliseum.errors import InvalidInput

NUMBERS = ("p", "q", "y", "yes_ask", "no_ask", "q_1h", "q_24h", "q_close", "strike", "due_at",
           "settled_at", "noise")  # fmt: skip
_PROBABILITIES = ("p", "q", "yes_ask", "no_ask", "q_1h", "q_24h", "q_close")


@dataclass(frozen=True)
class CellTable:
    """Cells as columns, in the canonical order (agent, event, window, market).

    Codes are indexes into the sorted labels. Absent numbers are NaN. A (agent, event, window, market) occurs once.
    """

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
    """Index into `STRUCTURES`; -1: none."""
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
    """The ways to slice the table."""
    roles: tuple[str, ...] = ()
    """The role of each agent, one of `ROLES` or "" for a competitor. Empty if all agents compete."""

    def __len__(self) -> int:
        return len(self.p)

    @property
    def role_by_agent(self) -> dict[str, str]:
        """The role of each agent that has one."""
        return {agent: role for agent, role in zip(self.agents, self.roles, strict=True) if role} if self.roles else {}

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
        """Marks the cells that are scored for accuracy: forecast and outcome are there."""
        return self.answered & self.resolved

    @cached_property
    def paired(self) -> Mask:
        """Marks the cells that are scored for skill: a price is there too."""
        return self.graded & self.quoted

    @cached_property
    def question(self) -> Codes:
        """A code for each (event, window, market). Agents with the same question have the same code."""
        return _joined(_joined(self.event, self.window), self.market)

    def select(self, keep: Mask) -> CellTable:
        """The marked rows, with the same codes."""
        return self if keep.all() else self.rows(np.flatnonzero(keep))

    def rows(self, rows: Codes) -> CellTable:
        """The rows with these indexes, in the given order, with the same codes."""
        parts = tuple(replace(dimension, code=dimension.code[rows]) for dimension in self.dimensions)
        columns: dict[str, Any] = {name: _rows_of(getattr(self, name), rows) for name in (*_CODED, *NUMBERS)}
        return replace(self, dimensions=parts, **columns)


_CODED = ("agent", "event", "market", "window", "cluster", "structure")
Column = Sequence[float] | Floats


def build_table(
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
    group: Sequence[str] | None = None,
    role: Sequence[str] | None = None,
    volume: Column | None = None,
    outcomes: Column | None = None,
    cluster: Sequence[str] | None = None,
    structure: Sequence[str] | None = None,
    **numbers: Column | None,
) -> CellTable:
    """Build a table from columns of equal length, with rows in any order; NaN and "" mean absent.

    Raises InvalidInput for a probability or an outcome outside [0, 1], rows that disagree about what their question,
    market or event has once (see `consistency.LEVELS`; the message names both rows), and two answers of one agent to
    one market in one window. The caller must decide which of the answers counts.
    """
    length = len(agent)
    columns = {name: _floats(numbers.get(name), length) for name in NUMBERS} | {
        "p": _floats(p, length),
        "q": _floats(q, length),
        "y": _floats(y, length),
    }
    _check_numbers(columns)
    labels: dict[str, Any] = {}
    codes: dict[str, Codes] = {}
    for name, column in (("agent", agent), ("event", event), ("market", market), ("window", window)):
        labels[f"{name}s"], codes[name] = coded(column)
    labels["clusters"], codes["cluster"] = (labels["events"], codes["event"]) if cluster is None else coded(cluster)
    codes["structure"] = _structures(structure, length)
    key = _key((codes["agent"], codes["event"], codes["window"], codes["market"]))
    order = np.argsort(key, kind="stable")
    _check_unique(key[order], order, (agent, event, market, window))
    counted = {"volume": _floats(volume, length), "outcomes": _floats(outcomes, length)}
    slices = dimensions(
        category=category, horizon=horizon, track=track, group=group,
        volume=None if volume is None else counted["volume"],
        outcomes=None if outcomes is None else counted["outcomes"],
        q=columns["q"],
    )  # fmt: skip
    named = {one.name: one.code for one in slices if one.name in LEVELS and one.name not in counted}
    if role is not None:
        named["role"] = coded(role)[1]
    texts = {"category": category, "horizon": horizon, "group": group, "structure": structure, "cluster": cluster}
    _check_consistent(codes, columns | counted | named, (agent, event, market, window), texts | {"role": role})
    ordered: dict[str, Any] = {name: _rows_of(column, order) for name, column in (codes | columns).items()}
    return CellTable(
        **labels,
        roles=_roles(role, codes["agent"], len(labels["agents"])),
        dimensions=tuple(replace(dimension, code=dimension.code[order]) for dimension in slices),
        **ordered,
    )


def table_from_cells(cells: Iterable[Cell]) -> CellTable:
    """Build a table from cells. Raises InvalidInput as `build_table` does."""
    rows = list(cells)
    columns: dict[str, Any] = {}
    for name in (field.name for field in fields(Cell)):
        values = [getattr(cell, name) for cell in rows]
        if name in _TEXTS:
            columns[name] = [value or "" for value in values]
        else:
            columns[name] = [math.nan if value is None else float(value) for value in values]
    columns["cluster"] = [cell.cluster or cell.event for cell in rows]
    return build_table(**columns)


_TEXTS = frozenset({
    "agent", "event", "market", "window", "category", "horizon", "track", "group", "role", "cluster", "structure"
})  # fmt: skip


def with_unanswered_questions(whole: CellTable) -> CellTable:
    """The table with a row for every agent and every question. Added rows have no `p`: asked and not answered.

    Price, outcome and everything else of an added row are those of the first agent that has the question.
    """
    _, first, question = np.unique(whole.question, return_index=True, return_inverse=True)
    asked = np.zeros((len(whole.agents), len(first)), dtype=np.bool_)
    asked[whole.agent, question] = True
    agent, missing = np.nonzero(~asked)
    if not len(agent):
        return whole
    rows = np.concatenate([np.arange(len(whole)), first[missing]])
    agents = np.concatenate([whole.agent, agent])
    columns: dict[str, Any] = {name: _rows_of(getattr(whole, name), rows) for name in (*_CODED, *NUMBERS)}
    columns["agent"] = agents
    columns["p"] = np.concatenate([whole.p, np.full(len(agent), np.nan)])
    order = np.argsort(_key((agents, columns["event"], columns["window"], columns["market"])), kind="stable")
    parts = tuple(replace(dimension, code=dimension.code[rows][order]) for dimension in whole.dimensions)
    return replace(whole, dimensions=parts, **{name: _rows_of(column, order) for name, column in columns.items()})


def reordered(parts: Sequence[CellTable], *, agents: tuple[str, ...], roles: tuple[str, ...]) -> CellTable:
    """The rows of several tables in canonical order. All of them have the codes of the first, and agents as given."""
    first = parts[0]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in (*_CODED, *NUMBERS)
    }
    order = np.argsort(_key(tuple(columns[name] for name in ("agent", "event", "window", "market"))), kind="stable")
    dimensions_of = [
        np.concatenate([part.dimensions[place].code for part in parts])[order] for place in range(len(first.dimensions))
    ]
    return replace(
        first,
        agents=agents,
        roles=roles,
        dimensions=tuple(replace(one, code=code) for one, code in zip(first.dimensions, dimensions_of, strict=True)),
        **{name: column[order] for name, column in columns.items()},
    )


def _floats(column: Column | None, length: int) -> Floats:
    return _constant(np.nan, length) if column is None else np.asarray(column, dtype=np.float64)


def _constant(value: float, length: int) -> Any:
    """A column with one value for all rows. It takes no memory, because most tables lack most columns."""
    return np.broadcast_to(np.asarray(value), (length,))


def _rows_of(column: Any, rows: Codes) -> Any:
    """Some rows of a column, in the given order. A column from `_constant` stays one."""
    return np.broadcast_to(column[:1], (len(rows),)) if len(column) and column.strides == (0,) else column[rows]


def _check_numbers(columns: Mapping[str, Floats]) -> None:
    for name in _PROBABILITIES:
        column = columns[name]
        with np.errstate(invalid="ignore"):
            bad = (column < 0) | (column > 1)
        if bad.any():
            raise InvalidInput(name, float(column[bad][0]), "a probability between 0 and 1, or nothing")
    y = columns["y"]
    with np.errstate(invalid="ignore"):
        bad = (y < 0) | (y > 1)
    if bad.any():
        raise InvalidInput("y", float(y[bad][0]), "1, 0, a fraction between them, or nothing for void and open markets")


def _check_consistent(
    codes: Mapping[str, Codes],
    columns: Mapping[str, Any],
    names: tuple[Sequence[str], ...],
    labels: Mapping[str, Sequence[str] | None],
) -> None:
    """Raises InvalidInput if two rows disagree about what their question, market or event has only once."""
    for found in disagreements(codes, {**columns, **{name: codes[name] for name in ("structure", "cluster")}}):
        row, first = int(found.rows[0]), int(found.first[0])
        values = labels.get(found.column)
        values = columns[found.column] if values is None else values
        raise InvalidInput(
            found.column,
            f"{shown(values[row])} in {_row_name(names, row)}",
            f"one value for each {level_name(found.column)}: it is {shown(values[first])} in {_row_name(names, first)}",
        )


def shown(value: object) -> str:
    """A value of a column for a message: a number without needless digits, `nothing` for an absent one."""
    if isinstance(value, str):
        return value or "nothing"
    number = float(value)  # type: ignore[arg-type]  # the columns hold texts and numbers only
    return "nothing" if math.isnan(number) else repr(number).removesuffix(".0")


def _row_name(names: tuple[Sequence[str], ...], row: int) -> str:
    return "/".join(str(column[row]) for column in names)


def _check_unique(ordered: Codes, order: Codes, names: tuple[Sequence[str], ...]) -> None:
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(twice):
        row = int(order[twice[0] + 1])
        raise InvalidInput(
            "cell",
            _row_name(names, row),
            "one forecast per agent, event, market and window (keep the last valid one)",
        )


def _structures(labels: Sequence[str] | None, length: int) -> Codes:
    if labels is None:
        return np.asarray(_constant(-1, length))
    index = {"": -1, **{name: code for code, name in enumerate(STRUCTURES)}}
    names, code = coded(labels)
    unknown = sorted(set(names) - index.keys())
    if unknown:
        raise InvalidInput("structure", unknown[0], "one of " + ", ".join(STRUCTURES) + ", or nothing")
    return np.array([index[name] for name in names], dtype=np.int64)[code]


def _roles(column: Sequence[str] | None, agent: Codes, agents: int) -> tuple[str, ...]:
    """The role of each agent. All rows of an agent have the same one. Raises InvalidInput for an unknown role."""
    if column is None:
        return ()
    names, code = coded(column)
    unknown = sorted(set(names) - {"", *ROLES})
    if unknown:
        raise InvalidInput("role", unknown[0], "one of " + ", ".join(ROLES) + ", or nothing for a competitor")
    if not any(names):
        return ()
    of_agent = np.zeros(agents, dtype=np.int64)
    of_agent[agent] = code
    return tuple(names[place] for place in of_agent.tolist())


def _key(codes: tuple[Codes, ...]) -> Codes:
    """One number for each row, in the order of the codes."""
    key = codes[0]
    if not len(key):
        return key
    for minor in codes[1:]:
        size = int(minor.max()) + 1
        if (int(key.max()) + 1) * size > np.iinfo(np.int64).max:
            # Without this the product could exceed 64 bits; dense codes keep the order.
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
        key = key * size + minor
    return key


def _joined(major: Codes, minor: Codes) -> Codes:
    """Codes 0, 1, 2 … of the distinct pairs, in order of (major, minor)."""
    return distinct(_key((major, minor)))[1]
