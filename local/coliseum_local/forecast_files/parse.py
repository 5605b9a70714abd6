"""Reads files of forecasts and outcomes into a table. All problems are reported together, with their lines.

Columns of a file of forecasts (the first three are required):

    agent, market, p          the probability of YES (empty: asked, but not answered)
    event, window             what the market belongs to (default: itself); when the agent was asked (default: once)
    y                         1, 0, yes, no, true, false, or a fraction; empty, void or scalar: not graded
    q, yes_ask, no_ask        the market's probability and its asks at that time, in dollars
    q_1h, q_24h, q_close      its probability later
    category, group, horizon, track, volume, outcomes, cluster, structure, strike
    role                      human or reference: the agent is shown, but not ranked
    due_at, settled_at        the scheduled end; when the outcome was known: RFC 3339 or a unix time
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
from coliseum.arena.scoring.cells import CellTable, build_table, shown
from coliseum.arena.scoring.consistency import LEVELS, disagreements
from coliseum.arena.scoring.labels import Labels, coded
from coliseum.errors import InvalidInput
from coliseum_local.forecast_files.columns import Columns, columns_of
from coliseum_local.forecast_files.contents import FileContent
from coliseum_local.forecast_files.doubts import warn_about_structures, warn_about_windows
from coliseum_local.forecast_files.lookalikes import warn_about_lookalikes
from coliseum_local.forecast_files.problems import FileProblem, FileProblems
from coliseum_local.forecast_files.replicates import KEY, first_rows, merge_replicates
from coliseum_local.forecast_files.rows import rows_of
from coliseum_local.forecast_files.texts import ExpectedColumns
from coliseum_local.forecast_files.values import COLUMNS, READERS

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
FORECASTS = ExpectedColumns(("agent", "market", "p"), COLUMNS)
OUTCOMES = ExpectedColumns(("market", "y"), ("market", *OUTCOME_COLUMNS))
MAX_AGENTS = 300
OutcomeRows = Mapping[str, Sequence[Mapping[str, Any]]]
"""The rows of each market in the file of outcomes, one for each event."""
_LINE = ""
"""The key of a row's line. No column has this name."""


@dataclass(frozen=True, slots=True)
class ParsedForecasts:
    """The table of a file without problems, or else the problems."""

    table: CellTable | None
    problems: tuple[FileProblem, ...]
    more: int
    """The number of problems beyond those in `problems`."""
    warnings: tuple[FileProblem, ...] = ()
    """What may be a mistake, but does not stop the scoring."""


def forecasts_from(forecasts: FileContent, outcomes: FileContent | None = None) -> ParsedForecasts:
    """Read the forecasts, and join the outcomes if they are in a separate file.

    The fast reader does not know lines. So a file of which there is anything to say is read a second time.
    """
    parsed = _parsed(forecasts, outcomes, quick=True)
    return parsed if parsed.table is not None and not parsed.warnings else _parsed(forecasts, outcomes, quick=False)


def _parsed(forecasts: FileContent, outcomes: FileContent | None, *, quick: bool) -> ParsedForecasts:
    problems = FileProblems()
    known = None if outcomes is None else columns_of(rows_of(outcomes, OUTCOMES, problems, quick=quick), problems)
    columns = columns_of(rows_of(forecasts, FORECASTS, problems, quick=quick), problems)
    warn_about_lookalikes([columns] if known is None else [columns, known], problems)
    if known is not None and len(known) and len(columns):
        _join(columns, known, problems)
    if len(columns) and not problems.count:
        warn_about_windows(columns, problems)
        warn_about_structures(columns, problems)
    if not len(columns) and not problems.count:
        problems.add(forecasts.name, 0, "the file has no forecast")
    table = None if problems.count else _table(columns, problems)
    return ParsedForecasts(table, problems.first, problems.more, tuple(problems.warnings))


def _outcome_rows(outcomes: Columns, problems: FileProblems) -> OutcomeRows:
    names = (*outcomes.labels, *outcomes.numbers)
    values = [list(outcomes.labels[name]) if name in outcomes.labels else outcomes.numbers[name].tolist()
              for name in names]  # fmt: skip
    result: defaultdict[str, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for line, *texts in zip(outcomes.lines, *values, strict=True):
        row = dict(zip(names, texts, strict=True))
        same = next((one for one in result[row["market"]] if one[1].get("event") == row.get("event")), None)
        if same is None:
            result[row["market"]].append((line, row))
        elif repr(same[1]) != repr(row):  # repr, because NaN != NaN
            name = next(name for name in names if repr(same[1][name]) != repr(row[name]))
            before = problems.place(outcomes.file, same[0])
            both = f"{name} is {shown(row[name])} here and {shown(same[1][name])} in {before}"
            problems.add(outcomes.file, line, f"market {row['market']} occurs twice with different values: {both}")
    return {market: [{**row, _LINE: line} for line, row in rows] for market, rows in result.items()}


def _join(columns: Columns, outcomes: Columns, problems: FileProblems) -> None:
    """Add the values of the outcomes to the forecasts where the forecasts have none."""
    known = _outcome_rows(outcomes, problems)
    markets, market = coded(columns.labels["market"])
    if known.keys().isdisjoint(markets):
        first = columns.labels["market"][0]
        message = f"no market of it ({min(known)} …) is in {columns.file} ({first} …)"
        problems.add(outcomes.file, 0, message)
        return
    events, event = coded(columns.label("event"))
    pairs, pair = np.unique(market * len(events) + event, return_inverse=True)
    matches = [_matches(known, markets[key // len(events)], events[key % len(events)]) for key in pairs.tolist()]
    several = np.array([len(rows) > 1 for rows in matches], dtype=np.bool_)
    for row in np.flatnonzero(several[pair]).tolist():
        rows = matches[int(pair[row])]
        message = f"event: {rows[0]['market']} is a market of {len(rows)} events, so this column must name one of them"
        problems.add(columns.file, columns.lines[row], message)
    found = [rows[0] if rows else {} for rows in matches]
    for name in dict.fromkeys(name for row in found for name in row if name not in {"market", _LINE}):
        absent = READERS[name].absent
        others = [row.get(name, absent) for row in found]
        if isinstance(absent, str):
            columns.labels[name] = columns.label(name).filled(Labels(others, pair))
        else:
            own, wide = columns.number(name), np.array(others, dtype=np.float64)[pair]
            columns.numbers[name] = np.where(np.isnan(own), wide, own)
            if name == "y":
                differs = ~np.isnan(own) & ~np.isnan(wide) & (own != wide)
                for row in np.flatnonzero(differs).tolist():
                    before = problems.place(outcomes.file, found[int(pair[row])][_LINE])
                    values = f"{shown(own[row])} here and {shown(wide[row])} in {outcomes.file}, {before}"
                    problems.add(columns.file, columns.lines[row], f"y: {columns.labels['market'][row]} has {values}")


def _matches(known: OutcomeRows, market: str, event: str) -> Sequence[Mapping[str, Any]]:
    rows = known.get(market, ())
    return [row for row in rows if row.get("event", "") in {"", event}] if event else rows


def _table(columns: Columns, problems: FileProblems) -> CellTable | None:
    """The table. None if lines contradict each other; then the contradictions are added to the problems."""
    labels = columns.labels
    labels["event"] = columns.label("event").filled(labels["market"])
    labels["window"] = columns.label("window").filled(Labels.constant("1", len(columns)))
    if "cluster" in labels:
        labels["cluster"] = labels["cluster"].filled(labels["event"])
    for name in ("q", "y"):
        columns.numbers[name] = columns.number(name)
    columns = merge_replicates(columns, problems)
    if problems.count:
        return None
    try:
        table = build_table(**columns.labels, **columns.numbers)  # type: ignore[arg-type]  # names and kinds are those of its columns
    except InvalidInput as error:
        _contradictions(columns, problems)
        if not problems.count:
            problems.add(columns.file, 0, str(error))
        return None
    if len(table.agents) > MAX_AGENTS:
        message = f"agent: got {len(table.agents):,} agents, expected at most {MAX_AGENTS}: every pair is compared"
        problems.add(columns.file, 0, message)
        return None
    if _lacks_strike(columns).any():
        _contradictions(columns, problems)
        return None
    return table


def _lacks_strike(columns: Columns) -> Mask:
    """Marks the markets of a ladder without a threshold."""
    return np.asarray(columns.label("structure").marks("above", "below") & np.isnan(columns.number("strike")))


def _contradictions(columns: Columns, problems: FileProblems) -> None:
    """Add the problems that show only when a line is compared with earlier ones."""
    group, first = first_rows(columns, KEY)
    for row in np.flatnonzero(first[group] != np.arange(len(group))).tolist():
        agent, _, market, window = (columns.labels[name][row] for name in KEY)
        before = problems.place(columns.file, columns.lines[int(first[group[row]])])
        message = f"{agent} answered {market} in window {window!r} already in {before}: keep the last valid answer"
        problems.add(columns.file, columns.lines[row], message)
    for row in np.flatnonzero(_lacks_strike(columns)).tolist():
        market = columns.labels["market"][row]
        problems.add(columns.file, columns.lines[row], f"strike: a market of a ladder needs one, and {market} has none")
    _disagreements(columns, problems)


def _disagreements(columns: Columns, problems: FileProblems) -> None:
    """Add the lines that give a question, a market or an event another value than an earlier line."""
    codes = {name: coded(values)[1] for name, values in columns.labels.items()}
    for found in disagreements(codes, {**columns.numbers, **codes}):
        values = columns.labels.get(found.column, columns.numbers.get(found.column))
        assert values is not None
        for row, first in zip(found.rows.tolist(), found.first.tolist(), strict=True):
            name, before = _level_text(columns, found.column, row), problems.place(columns.file, columns.lines[first])
            message = f"{found.column}: {name} has {shown(values[row])} here and {shown(values[first])} in {before}"
            problems.add(columns.file, columns.lines[row], message)


def _level_text(columns: Columns, column: str, row: int) -> str:
    """What the column belongs to, with its names."""
    names = {name: columns.labels[name][row] for name in LEVELS[column]}
    if "agent" in names:
        return names["agent"]
    own = names.get("market", f"event {names['event']}")
    return own if "window" not in names else f"{own} in window {names['window']!r}"
