"""Warns about what is probably a mistake although every line can be read: windows in the wrong order, and outcomes that
contradict the structure of their event. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from coliseum.arena.scoring.labels import coded
from coliseum_local.forecast_files.columns import Columns
from coliseum_local.forecast_files.lookalikes import MOST_WARNINGS
from coliseum_local.forecast_files.problems import FileProblems

_NUMBERS = re.compile(r"(\d+)")


def warn_about_windows(columns: Columns, problems: FileProblems) -> None:
    """Warn once if the labels of windows sort otherwise than their numbers: `w10` comes before `w2`.

    The first window of an event counts for evidence and bounds, so their order matters.
    """
    names, code = coded(columns.label("window"))
    for earlier, later in pairwise(names):
        if _numbered(earlier) > _numbered(later):
            row = int(np.flatnonzero(code == names.index(later))[0])
            message = (
                f'window: "{earlier}" sorts before "{later}", because labels sort as text: write numbers with zeros'
            )
            problems.warn(columns.file, columns.lines[row], message)
            return


def _numbered(label: str) -> tuple[tuple[int, int, str], ...]:
    """The label with its numbers as numbers, as people sort. Numbers come before text, as digits do."""
    parts = [part for part in _NUMBERS.split(label) if part]
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


@dataclass(frozen=True, slots=True)
class _Market:
    """A market of an event, and the first line that has its outcome."""

    name: str
    y: float
    strike: float
    line: int


def warn_about_structures(columns: Columns, problems: FileProblems) -> None:
    """Warn about events whose outcomes their structure excludes, such as two YES where at most one is possible."""
    found = 0
    for event, structure, markets in _events(columns):
        text = _contradiction(structure, markets, columns.file, problems)
        if text is not None:
            problems.warn(columns.file, markets[-1].line, f"structure: event {event} is {structure}, but {text}")
            found += 1
        if found == MOST_WARNINGS:
            return


def _events(columns: Columns) -> Iterator[tuple[str, str, list[_Market]]]:
    """Events with a structure: their settled markets, in order of their lines. Fractions say neither YES nor NO."""
    structures, structure = coded(columns.label("structure"))
    if structures in {(), ("",)}:
        return
    markets, market = coded(columns.label("market"))
    events, event = coded(columns.label("event").filled(columns.labels["market"]))
    _, first = np.unique(event * len(markets) + market, return_index=True)
    y, strike = columns.number("y"), columns.number("strike")
    by_event: defaultdict[tuple[int, int], list[_Market]] = defaultdict(list)
    for row in np.sort(first).tolist():
        if structures[structure[row]]:
            by_event[int(event[row]), int(structure[row])].append(
                _Market(markets[market[row]], float(y[row]), float(strike[row]), columns.lines[row])
            )
    for (event_code, structure_code), found in by_event.items():
        yield events[event_code], structures[structure_code], found


def _contradiction(structure: str, markets: Sequence[_Market], file: str, problems: FileProblems) -> str | None:
    def named(market: _Market) -> str:
        return f"{market.name} ({problems.place(file, market.line)})"

    if structure in {"exclusive", "exhaustive"}:
        yes = [market for market in markets if market.y == 1]
        if len(yes) > 1:
            return f"{named(yes[0])} and {named(yes[1])} are both YES"
        if structure == "exhaustive" and len(markets) > 1 and all(market.y == 0 for market in markets):
            return "all its markets are NO"
        return None
    ladder = sorted((market for market in markets if market.y in {0, 1}), key=lambda market: market.strike)
    if structure == "below":
        ladder.reverse()
    for easier, harder in pairwise(ladder):  # if the harder one is YES, the easier one is YES too
        if easier.strike != harder.strike and easier.y < harder.y:
            return f"{named(harder)} is YES and {named(easier)} is NO"
    return None
