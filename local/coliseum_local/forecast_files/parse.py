"""Reads files of forecasts and outcomes into a table. All problems are reported together, with their lines. Pure.

Columns of a file of forecasts (the first three are required):

    agent, market, p          the probability of YES (empty: asked, but not answered)
    event, window             what the market belongs to (default: itself); when the agent was asked (default: once)
    y                         1, 0, yes, no, true, false, or a fraction; empty, void or scalar: not graded
    q, yes_ask, no_ask        the market's probability and its asks at that time, in dollars
    q_1h, q_24h, q_close      its probability later
    category, group, horizon, track, volume, outcomes, cluster, structure, strike
    role                      human or reference: the agent is shown, but not ranked
    due_at, settled_at        the scheduled end; when the outcome was known: RFC 3339 or unix seconds
    replicate                 a label for each of several answers to one question; their mean is scored

A file of outcomes has `market` and `y`, and optionally `event` and the other columns of `OUTCOME_COLUMNS`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Mask
from coliseum.arena.scoring.cells import CellTable, build_table, coded, shown
from coliseum.arena.scoring.consistency import LEVELS, disagreements
from coliseum.errors import InvalidInput
from coliseum_local.forecast_files.columns import Columns, columns_of, filled
from coliseum_local.forecast_files.problems import FileProblem, FileProblems
from coliseum_local.forecast_files.replicates import merge_replicates
from coliseum_local.forecast_files.rows import FileText
from coliseum_local.forecast_files.values import COLUMNS, READERS

REQUIRED = ("agent", "market", "p")
OUTCOME_COLUMNS = (
    "y",
    "event",
    "category",
    "group",
    "cluster",
    "structure",
    "strike",
    "outcomes",
    "volume",
    "due_at",
    "settled_at",
)
"""What a file of outcomes may say about a market. If the file of forecasts says it too, that counts."""
MAX_AGENTS = 300
OutcomeRows = Mapping[str, Sequence[Mapping[str, Any]]]
"""The rows of each market in the file of outcomes, one for each event."""


@dataclass(frozen=True, slots=True)
class ParsedForecasts:
    """The table of a file without problems, or else the problems."""

    table: CellTable | None
    problems: tuple[FileProblem, ...]
    more: int
    """The number of problems beyond those in `problems`."""


def forecasts_from(forecasts: FileText, outcomes: FileText | None = None) -> ParsedForecasts:
    """Read the forecasts, and join the outcomes if they are in a separate file."""
    problems = FileProblems()
    known = {} if outcomes is None else _outcomes_from(outcomes, problems)
    columns = columns_of(forecasts, required=REQUIRED, known=COLUMNS, problems=problems)
    if outcomes is not None and known and len(columns):
        _join(columns, known, forecasts.name, problems)
        markets = columns.labels["market"]
        if known.keys().isdisjoint(markets):
            message = f"no market of it ({min(known)} …) is in {forecasts.name} ({markets[0]} …)"
            problems.add(outcomes.name, 0, message)
    if not len(columns) and not problems.count:
        problems.add(forecasts.name, 0, "the file has no forecast")
    table = None if problems.count else _table(columns, forecasts.name, problems)
    return ParsedForecasts(table, problems.first, problems.more)


def _outcomes_from(outcomes: FileText, problems: FileProblems) -> OutcomeRows:
    columns = columns_of(outcomes, required=("market", "y"), known=("market", *OUTCOME_COLUMNS), problems=problems)
    values_by_column = {name: columns.labels.get(name) or columns.numbers[name].tolist()
            for name in (*columns.labels, *columns.numbers)}  # fmt: skip
    result: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line, *values in zip(columns.lines, *values_by_column.values(), strict=True):
        row = dict(zip(values_by_column, values, strict=True))
        same_market = [other for other in result[row["market"]] if other.get("event") == row.get("event")]
        if any(repr(other) != repr(row) for other in same_market):  # repr, because NaN != NaN
            problems.add(outcomes.name, line, f"market {row['market']} occurs twice with different values")
        elif not same_market:
            result[row["market"]].append(row)
    return result


def _join(columns: Columns, known: OutcomeRows, file: str, problems: FileProblems) -> None:
    """Add the values of the outcomes to the forecasts where the forecasts have none."""
    none = [""] * len(columns)
    pairs: dict[tuple[str, str], int] = {}
    row_of = [
        pairs.setdefault(pair, len(pairs))
        for pair in zip(columns.labels["market"], columns.labels.get("event", none), strict=True)
    ]
    matches = [
        [outcome for outcome in known.get(market, ()) if not event or outcome.get("event", "") in {"", event}]
        for market, event in pairs
    ]
    for line, row in zip(columns.lines, row_of, strict=True):
        if len(matches[row]) > 1:
            market = matches[row][0]["market"]
            message = f"event: {market} is a market of {len(matches[row])} events, so this column must name one of them"
            problems.add(file, line, message)
    first = [rows[0] if rows else {} for rows in matches]
    for name in dict.fromkeys(name for row in first for name in row if name != "market"):
        absent = READERS[name].absent
        others = [row.get(name, absent) for row in first]
        if isinstance(absent, str):
            columns.labels[name] = filled(columns.labels.get(name, none), (others[row] for row in row_of))
        else:
            own, wide = columns.numbers.get(name), np.array(others)[row_of]
            columns.numbers[name] = wide if own is None else np.where(np.isnan(own), wide, own)


def _table(columns: Columns, file: str, problems: FileProblems) -> CellTable | None:
    """The table. None if lines contradict each other; then the contradictions are added to the problems."""
    labels, none = columns.labels, [""] * len(columns)
    labels["event"] = filled(labels.get("event", none), labels["market"])
    labels["window"] = filled(labels.get("window", none), ["1"] * len(columns))
    if "cluster" in labels:
        labels["cluster"] = filled(labels["cluster"], labels["event"])
    for name in ("q", "y"):
        columns.numbers.setdefault(name, np.full(len(columns), np.nan))
    columns = merge_replicates(columns, file, problems)
    if problems.count:
        return None
    try:
        table = build_table(**columns.labels, **columns.numbers)  # type: ignore[arg-type]  # names and kinds are those of its columns
    except InvalidInput as error:
        _contradictions(columns, file, problems)
        if not problems.count:
            problems.add(file, 0, str(error))
        return None
    if len(table.agents) > MAX_AGENTS:
        message = f"agent: got {len(table.agents):,} agents, expected at most {MAX_AGENTS}: every pair is compared"
        problems.add(file, 0, message)
        return None
    if _lacks_strike(columns).any():
        _contradictions(columns, file, problems)
        return None
    return table


def _lacks_strike(columns: Columns) -> Mask:
    """Marks the markets of a ladder without a threshold."""
    ladder = np.isin(columns.labels.get("structure", ["" for _ in columns.lines]), ("above", "below"))
    return np.asarray(ladder & np.isnan(columns.numbers.get("strike", np.full(len(columns), np.nan))))


def _contradictions(columns: Columns, file: str, problems: FileProblems) -> None:
    """Add the problems that show only when a line is compared with earlier ones."""
    answered: dict[tuple[str, ...], int] = {}
    keys = zip(*(columns.labels[name] for name in ("agent", "event", "market", "window")), strict=True)
    for line, key, lacks_strike in zip(columns.lines, keys, _lacks_strike(columns).tolist(), strict=True):
        agent, _, market, window = key
        first = answered.setdefault(key, line)
        if first != line:
            message = (
                f"{agent} answered {market} in window {window!r} already in line {first}: keep the last valid answer"
            )
            problems.add(file, line, message)
        if lacks_strike:
            problems.add(file, line, f"strike: a market of a ladder needs one, and {market} has none")
    _disagreements(columns, file, problems)


def _disagreements(columns: Columns, file: str, problems: FileProblems) -> None:
    """Add the lines that give a question, a market or an event another value than an earlier line."""
    codes = {name: coded(columns.labels[name])[1] for name in columns.labels}
    for found in disagreements(codes, {**columns.numbers, **codes}):
        values = columns.labels.get(found.column, columns.numbers.get(found.column))
        assert values is not None
        for row, first in zip(found.rows.tolist(), found.first.tolist(), strict=True):
            name = _level_text(columns, found.column, row)
            message = f"{found.column}: {name} has {shown(values[row])} here and {shown(values[first])} in line "
            problems.add(file, columns.lines[row], f"{message}{columns.lines[first]}")


def _level_text(columns: Columns, column: str, row: int) -> str:
    """What the column belongs to, with its names."""
    names = {name: columns.labels[name][row] for name in LEVELS[column]}
    if "agent" in names:
        return names["agent"]
    own = names.get("market", f"event {names['event']}")
    return own if "window" not in names else f"{own} in window {names['window']!r}"
