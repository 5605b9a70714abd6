"""Seasons that the whole engine scores, look by look: windows, voids, ends that depend on the outcome, late results.

Every event is asked about in up to six windows, ten days apart. YES ends an event after each window with a chance of
30 %. The price knows this and is right in every window. A market that ends early is known early, one that comes out NO
is known at the scheduled end or days later, and some are void. One event begins a day, so that at every look many are
known because they are YES.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from coliseum.arena.leaderboard import separated
from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.report import ScoreRules, score

WINDOWS, WINDOW_DAYS, HAZARD = 6, 10, 0.3
LENGTH = WINDOWS * WINDOW_DAYS
EVENTS = 260
LOOK_DAYS = range(40, 341, 20)
RULES = ScoreRules(left_out=frozenset())
Agent = Callable[[np.random.Generator, float, int, int], float]
"""The forecast, from the price, the window and the outcome (for an agent that knows something)."""


def bold_once(_: np.random.Generator, q: float, window: int, y: int) -> float:
    return q if window else min(0.99, q + 0.2)


def noise(rng: np.random.Generator, q: float, window: int, y: int) -> float:
    return float(np.clip(q + rng.normal(0, 0.1), 0.01, 0.99))


def leans_to_yes(_: np.random.Generator, q: float, window: int, y: int) -> float:
    return min(0.99, q + 0.1)


def informed(_: np.random.Generator, q: float, window: int, y: int) -> float:
    return q + 0.4 * (y - q)


SEASONS: dict[str, Agent] = {
    "bold in the first window, then the price": bold_once,
    "noise around the price": noise,
    "leans to YES": leans_to_yes,
    "knows 40 % of what the price does not": informed,
}


def right_price(window: int) -> float:
    """The chance of YES for an event that is still open at a window: YES and NO are equally likely at first."""
    open_if_yes = (1 - HAZARD) ** window
    return float(open_if_yes / (open_if_yes + 1))


def season_cells(rng: np.random.Generator, agent: Agent) -> list[Cell]:
    """Cells with the days of their results; the times of a look are cut off by `known`."""
    cells: list[Cell] = []
    for event in range(EVENTS):
        start = float(event) if event % 5 else float(event - 1)  # every fifth event begins with the one before it
        due = start + LENGTH
        for market in range(rng.choice([1, 1, 2])):
            y = int(rng.random() < 0.5)
            lived = min(int(rng.geometric(HAZARD)), WINDOWS) if y else WINDOWS
            decided = start + lived * WINDOW_DAYS if y else due + rng.choice([0, 0, 0, 3])
            void = rng.random() < 0.05
            cells += [
                Cell(
                    agent="agent", event=f"e{event:03}", market=f"m{market}", window=f"w{window}",
                    p=agent(rng, right_price(window), window, y), q=right_price(window), y=None if void else y,
                    cluster=f"c{int(start):03}", due_at=due, settled_at=float(decided),
                )
                for window in range(lived)
            ]  # fmt: skip
    return cells


def known(cells: list[Cell], day: float) -> list[Cell]:
    """The cells as they are known on a day: asked by then, results decided by then, what is due later is infinite."""
    return [
        replace(
            cell,
            y=cell.y if (cell.settled_at or 0) <= day else None,
            settled_at=cell.settled_at if (cell.settled_at or 0) <= day else None,
            due_at=cell.due_at if (cell.due_at or 0) <= day else float("inf"),
        )
        for cell in cells
        if (cell.due_at or 0) - LENGTH + int(cell.window[1:]) * WINDOW_DAYS <= day
    ]


def engine_looks(name: str, *, seasons: int, seed: int = 4) -> list[dict[float, str | None]]:
    """What the engine said of each season: `above`, `below` or None by the day of the look."""
    rng, result = np.random.default_rng(seed), []
    for _ in range(seasons):
        cells = season_cells(rng, SEASONS[name])
        said: dict[float, str | None] = {}
        for day in LOOK_DAYS:
            report = score(table_from_cells(known(cells, day)), seed=1, draws=0, slices=False, rules=RULES)
            said[day] = separated(report.scores()["agent"])
        result.append(said)
    return result
