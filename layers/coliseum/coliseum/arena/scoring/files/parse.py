"""Files of forecasts and outcomes into a table: every problem of a file at once, each with its line. Pure.

Columns of forecasts, of which the first three are required:

    agent, market, p          who, which question, the probability of YES (empty: asked, not answered)
    event, window             what the market belongs to (default: itself), when it was asked (default: once)
    y                         1, 0, yes, no, true, false; empty, void or scalar: not graded
    q, yes_ask, no_ask        the market's probability and its asks at that instant, in dollars
    q_1h, q_24h, q_close      its probability later
    category, horizon, track, volume, outcomes, cluster, structure, strike
    due_at, settled_at        when the market was to end, when its outcome was known: RFC 3339 or unix seconds
    replicate                 tells apart several answers to one question, whose mean is scored

A file of outcomes has `market` and `y`, and where wanted `event` and the other columns of `OF_A_MARKET`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Mask, counts, totals
from coliseum.arena.scoring.cells import CellTable, table
from coliseum.arena.scoring.files.columns import Columns, columns_of, filled
from coliseum.arena.scoring.files.problems import FileProblem, FileProblems
from coliseum.arena.scoring.files.replicates import averaged
from coliseum.arena.scoring.files.rows import FileText
from coliseum.arena.scoring.files.values import COLUMNS, READERS
from coliseum.errors import InvalidInput

REQUIRED = ("agent", "market", "p")
OF_A_MARKET = ("y", "event", "category", "cluster", "structure", "strike", "outcomes", "volume", "due_at", "settled_at")
"""What a file of outcomes may tell about a market; where the forecasts tell it too, they count."""
MOST_AGENTS = 300
Known = Mapping[str, Sequence[Mapping[str, Any]]]
"""Market -> its rows in the file of outcomes, one per event."""


@dataclass(frozen=True, slots=True)
class ParsedForecasts:
    """The table of a file without problems, or its problems."""

    table: CellTable | None
    problems: tuple[FileProblem, ...]
    more: int
    """Problems beyond those told."""


def forecasts_from(forecasts: FileText, outcomes: FileText | None = None) -> ParsedForecasts:
    """The forecasts, joined with the outcomes where they are in a file of their own."""
    problems = FileProblems()
    known = {} if outcomes is None else _outcomes_from(outcomes, problems)
    columns = columns_of(forecasts, required=REQUIRED, known=COLUMNS, problems=problems)
    if outcomes is not None and known and len(columns):
        _join(columns, known, forecasts.name, problems)
        markets = columns.labels["market"]
        if known.keys().isdisjoint(markets):
            told = f"none of its markets, such as {min(known)}, is in {forecasts.name}, where {markets[0]} is one"
            problems.add(outcomes.name, 0, told)
    if not len(columns) and not problems.count:
        problems.add(forecasts.name, 0, "there is no forecast in it")
    made = None if problems.count else _table(columns, forecasts.name, problems)
    return ParsedForecasts(made, problems.told, problems.more)


def _outcomes_from(outcomes: FileText, problems: FileProblems) -> Known:
    columns = columns_of(outcomes, required=("market", "y"), known=("market", *OF_A_MARKET), problems=problems)
    told = {name: columns.labels.get(name) or columns.numbers[name].tolist()
            for name in (*columns.labels, *columns.numbers)}  # fmt: skip
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line, *values in zip(columns.lines, *told.values(), strict=True):
        row = dict(zip(told, values, strict=True))
        twins = [one for one in found[row["market"]] if one.get("event") == row.get("event")]
        if any(repr(one) != repr(row) for one in twins):  # NaN is like NaN
            problems.add(outcomes.name, line, f"market {row['market']} stands here twice, and differently")
        elif not twins:
            found[row["market"]].append(row)
    return found


def _join(columns: Columns, known: Known, file: str, problems: FileProblems) -> None:
    """Add to the forecasts what the outcomes tell, where they do not tell it themselves."""
    none = [""] * len(columns)
    pairs: dict[tuple[str, str], int] = {}
    row_of = [
        pairs.setdefault(pair, len(pairs))
        for pair in zip(columns.labels["market"], columns.labels.get("event", none), strict=True)
    ]
    told = [
        [one for one in known.get(market, ()) if not event or one.get("event", "") in {"", event}]
        for market, event in pairs
    ]
    for line, row in zip(columns.lines, row_of, strict=True):
        if len(told[row]) > 1:
            market = told[row][0]["market"]
            text = f"event: {market} is a market of {len(told[row])} events; name the one that is meant"
            problems.add(file, line, text)
    first = [rows[0] if rows else {} for rows in told]
    for name in dict.fromkeys(name for row in first for name in row if name != "market"):
        absent = READERS[name].absent
        others = [row.get(name, absent) for row in first]
        if isinstance(absent, str):
            columns.labels[name] = filled(columns.labels.get(name, none), (others[row] for row in row_of))
        else:
            own, wide = columns.numbers.get(name), np.array(others)[row_of]
            columns.numbers[name] = wide if own is None else np.where(np.isnan(own), wide, own)


def _table(columns: Columns, file: str, problems: FileProblems) -> CellTable | None:
    """None where lines contradict each other, which is told."""
    labels, none = columns.labels, [""] * len(columns)
    labels["event"] = filled(labels.get("event", none), labels["market"])
    labels["window"] = filled(labels.get("window", none), ["1"] * len(columns))
    if "cluster" in labels:
        labels["cluster"] = filled(labels["cluster"], labels["event"])
    for name in ("q", "y"):
        columns.numbers.setdefault(name, np.full(len(columns), np.nan))
    columns = averaged(columns, file, problems)
    if problems.count:
        return None
    try:
        made = table(**columns.labels, **columns.numbers)  # type: ignore[arg-type]  # names and kinds are those of its columns
    except InvalidInput as error:
        _contradictions(columns, file, problems)
        if not problems.count:
            problems.add(file, 0, str(error))
        return None
    if len(made.agents) > MOST_AGENTS:
        told = f"agent: got {len(made.agents):,} different ones, expected at most {MOST_AGENTS}: every pair is compared"
        problems.add(file, 0, told)
        return None
    if _half_graded(made) or _lacks_strike(columns).any():
        _contradictions(columns, file, problems)
        return None
    return made


def _half_graded(made: CellTable) -> bool:
    """Whether some market has an outcome in one line and none in another."""
    market = np.unique(made.event * len(made.markets) + made.market, return_inverse=True)[1]
    size = int(market.max()) + 1
    known = totals(made.resolved, market, size)
    return bool(((known > 0) & (known < counts(market, size))).any())


def _lacks_strike(columns: Columns) -> Mask:
    """Markets of a ladder without a threshold."""
    ladder = np.isin(columns.labels.get("structure", ["" for _ in columns.lines]), ("above", "below"))
    return np.asarray(ladder & np.isnan(columns.numbers.get("strike", np.full(len(columns), np.nan))))


def _contradictions(columns: Columns, file: str, problems: FileProblems) -> None:
    """What is wrong with a line only beside the earlier ones."""
    answered: dict[tuple[str, ...], int] = {}
    decided: dict[tuple[str, str], tuple[float, int]] = {}
    keys = zip(*(columns.labels[name] for name in ("agent", "event", "market", "window")), strict=True)
    rows = zip(columns.lines, keys, columns.numbers["y"].tolist(), _lacks_strike(columns).tolist(), strict=True)
    for line, key, y, lacks_strike in rows:
        agent, event, market, window = key
        first = answered.setdefault(key, line)
        if first != line:
            told = f"{agent} answered {market} in window {window!r} in line {first} already: keep the last valid answer"
            problems.add(file, line, told)
        outcome, where = decided.setdefault((event, market), (y, line))
        if _told(outcome) != _told(y):
            told = f"y: {market} came out {_told(y)} here and {_told(outcome)} in line {where}"
            problems.add(file, line, told)
        if lacks_strike:
            problems.add(file, line, f"strike: a ladder's market needs one, and {market} has none")


def _told(outcome: float) -> str:
    return "nothing" if math.isnan(outcome) else f"{outcome:g}"
