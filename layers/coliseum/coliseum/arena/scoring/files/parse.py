"""Files of forecasts and outcomes into cells: every problem of a file at once, each with its line. Pure.

Columns of forecasts, of which the first three are required:

    agent, market, p          who, which question, the probability of YES (empty: asked, not answered)
    event, window             what the market belongs to (default: itself), when it was asked (default: once)
    y                         1, 0, yes, no, true, false; empty, void or scalar: not graded
    q, yes_ask, no_ask        the market's probability and its asks at that instant, in dollars
    q_1h, q_24h, q_close      its probability later
    category, horizon, track, volume, outcomes, cluster, structure, strike
    settled_at                when the outcome was known: RFC 3339 or unix seconds

A file of outcomes has `market` and `y`, and where wanted `event` and the other columns of `OF_A_MARKET`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coliseum.arena.scoring.cells import Cell
from coliseum.arena.scoring.files.problems import Problem, Problems
from coliseum.arena.scoring.files.rows import Row, Text, rows
from coliseum.arena.scoring.files.values import COLUMNS, values_of

REQUIRED = ("agent", "market", "p")
OF_A_MARKET = ("y", "event", "category", "cluster", "structure", "strike", "outcomes", "volume", "settled_at")
"""What a file of outcomes may tell about a market; where the forecasts tell it too, they count."""
Known = Mapping[str, Sequence[Row]]
"""Market -> its rows in the file of outcomes, one per event."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The cells of the good lines, and the problems of the others."""

    cells: tuple[Cell, ...]
    problems: tuple[Problem, ...]
    more: int
    """Problems beyond those told."""


def forecasts_from(forecasts: Text, outcomes: Text | None = None) -> Parsed:
    """All cells of a file, joined with the outcomes where they are in a file of their own."""
    problems = Problems()
    known = {} if outcomes is None else _outcomes_from(outcomes, problems)
    cells: list[Cell] = []
    answered: dict[tuple[str, str, str, str], int] = {}
    decided: dict[tuple[str, str], tuple[int | None, int]] = {}
    for line, row in rows(forecasts, required=REQUIRED, known=COLUMNS, problems=problems):
        values, complaints = values_of(row)
        if not complaints:
            cell = _cell(values, known, complaints)
            complaints += _contradictions(cell, line, answered, decided)
            cells.append(cell)
        for complaint in complaints:
            problems.add(forecasts.name, line, complaint)
    if not cells and not problems.told:
        problems.add(forecasts.name, 0, "there is no forecast in it")
    return Parsed(tuple(cells), tuple(problems.told), problems.more)


def _outcomes_from(outcomes: Text, problems: Problems) -> Known:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for line, row in rows(outcomes, required=("market", "y"), known=("market", *OF_A_MARKET), problems=problems):
        values, complaints = values_of(row)
        for complaint in complaints:
            problems.add(outcomes.name, line, complaint)
        if complaints:
            continue
        twins = [one for one in found[values["market"]] if one.get("event") == values.get("event")]
        if any(one != values for one in twins):
            problems.add(outcomes.name, line, f"market {values['market']} stands here twice, and differently")
        elif not twins:
            found[values["market"]].append(values)
    return found


def _cell(values: Row, known: Known, complaints: list[str]) -> Cell:
    event = values.get("event")
    fitting = [
        one
        for one in known.get(values["market"], ())
        if event is None or one.get("event") is None or one["event"] == event
    ]
    if len(fitting) > 1:
        complaints.append(f"event: {values['market']} is a market of {len(fitting)} events; name the one that is meant")
    told = fitting[0] if fitting else {}
    merged: dict[str, Any] = {name: told.get(name) for name in OF_A_MARKET}
    merged |= {name: value for name, value in values.items() if value is not None}
    merged["event"] = merged["event"] or values["market"]
    merged["window"] = merged.get("window") or "1"
    merged.setdefault("p", None)
    return Cell(**merged)


def _contradictions(
    cell: Cell,
    line: int,
    answered: dict[tuple[str, str, str, str], int],
    decided: dict[tuple[str, str], tuple[int | None, int]],
) -> list[str]:
    """What is wrong with a line only beside the earlier ones."""
    found: list[str] = []
    first = answered.setdefault((cell.agent, cell.event, cell.market, cell.window), line)
    if first != line:
        found.append(
            f"{cell.agent} answered {cell.market} in window {cell.window!r} in line {first} already: "
            "keep the last valid answer"
        )
    outcome, where = decided.setdefault((cell.event, cell.market), (cell.y, line))
    if outcome != cell.y:
        found.append(f"y: {cell.market} came out {_told(cell.y)} here and {_told(outcome)} in line {where}")
    if cell.structure in {"above", "below"} and cell.strike is None:
        found.append(f"strike: a ladder's market needs one, and {cell.market} has none")
    return found


def _told(outcome: int | None) -> str:
    return "nothing" if outcome is None else str(outcome)
