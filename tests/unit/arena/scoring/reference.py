"""The engine once more, in plain Python and as slowly as the formulas read; and random boards to compare on."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

import numpy as np

from coliseum.arena.scoring.cells import Cell

Score = Callable[[Cell], float | None]


def random_cells(
    seed: int,
    *,
    events: int = 60,
    agents: Sequence[str] = ("ana", "bo", "cy", "dee"),
    gaps: bool = True,
    fractions: bool = False,
) -> list[Cell]:
    """A board with multi-market events, several windows, voids, missing quotes and, with `gaps`, missing answers.

    With `fractions`, every third market with an outcome resolved to a value between NO and YES.
    """
    cells = _random_cells(random.Random(seed), events, agents, gaps=gaps)
    return [_fractional(cell) for cell in cells] if fractions else cells


def _fractional(cell: Cell) -> Cell:
    """The cell with a value between NO and YES as its outcome, chosen by its market's name."""
    rng = random.Random(f"{cell.event} {cell.market}")
    return replace(cell, y=round(rng.uniform(0.01, 0.99), 2)) if cell.y is not None and rng.random() < 1 / 3 else cell


def _random_cells(rng: random.Random, events: int, agents: Sequence[str], *, gaps: bool) -> list[Cell]:
    cells: list[Cell] = []
    for event in range(events):
        category = rng.choice(["Politics", "Sports", "Weather", None])
        outcomes = [rng.choice([0, 1, 1, None]) for _ in range(rng.choice([1, 1, 2, 4]))]
        for window in range(rng.choice([1, 1, 2, 3])):
            horizon = rng.choice(["0-3h", "3-12h", "1-2d", None])
            for market, outcome in enumerate(outcomes):
                quote = rng.choice([None, 0.5, round(rng.uniform(0.02, 0.98), 2), rng.uniform(0.02, 0.98)])
                shared = Cell(
                    agent="", event=f"e{event}", market=f"m{market}", window=f"w{window}", p=None, q=quote, y=outcome,
                    category=category, horizon=horizon, volume=float(rng.randrange(6)), outcomes=len(outcomes),
                    yes_ask=None if quote is None else min(1.0, quote + 0.01),
                    no_ask=None if quote is None else min(1.0, 1 - quote + 0.01 + rng.choice([0, 0, 0.05])),
                    q_close=rng.choice([None, rng.random()]), cluster=f"c{event // 2}",
                    due_at=float(event // 2 * 37 % 30),  # not in order of their names, and two at once
                    settled_at=None if outcome is None and event % 13 == 12 else float(event * 100 + market),
                )  # fmt: skip
                for agent in agents:
                    p = rng.choice([round(rng.random(), 1), round(rng.random(), 2), rng.random(), quote or 0.3])
                    if gaps and rng.random() < 0.15:
                        continue
                    cells.append(replace(shared, agent=agent, p=None if gaps and rng.random() < 0.05 else p))
    return cells


def graded(cell: Cell) -> bool:
    return cell.p is not None and cell.y is not None


def paired(cell: Cell) -> bool:
    return graded(cell) and cell.q is not None


def brier(cell: Cell) -> float:
    assert cell.p is not None
    assert cell.y is not None
    return (cell.p - cell.y) ** 2


def difference(cell: Cell) -> float:
    assert cell.q is not None
    assert cell.y is not None
    return (cell.q - cell.y) ** 2 - brier(cell)


def log_score(cell: Cell) -> float:
    assert cell.p is not None
    return cross_entropy(cell, 0.001)


def cross_entropy(cell: Cell, floor: float) -> float:
    assert cell.p is not None
    assert cell.y is not None
    p = min(1 - floor, max(floor, cell.p))
    return -(cell.y * math.log(p) + (1 - cell.y) * math.log(1 - p))


def event_values(
    cells: Iterable[Cell], keep: Callable[[Cell], bool], score: Callable[[Cell], float]
) -> dict[str, float]:
    """Event -> mean of windows of mean of markets."""
    windows: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for cell in cells:
        if keep(cell):
            windows[cell.event, cell.window].append(score(cell))
    events: defaultdict[str, list[float]] = defaultdict(list)
    for (event, _), values in windows.items():
        events[event].append(fmean(values))
    return {event: fmean(values) for event, values in events.items()}


def mean(values: Iterable[float]) -> float | None:
    rows = list(values)
    return fmean(rows) if rows else None


def cluster_error(values: Mapping[str, float], cells: Iterable[Cell]) -> float | None:
    """Standard error of the mean of event values, by cluster."""
    cluster = {cell.event: cell.cluster or cell.event for cell in cells}
    if len({cluster[event] for event in values}) < 2:
        return None
    centre = fmean(values.values())
    sums: defaultdict[str, float] = defaultdict(float)
    for event, value in values.items():
        sums[cluster[event]] += value - centre
    factor = len(sums) / (len(sums) - 1)
    return math.sqrt(factor * sum(one * one for one in sums.values())) / len(values)


def bins(cells: Iterable[Cell]) -> list[list[Cell]]:
    result: list[list[Cell]] = [[] for _ in range(10)]
    for cell in cells:
        if graded(cell) and cell.p is not None:
            result[min(9, int(round(cell.p * 10, 9)))].append(cell)
    return result


def expected_error(cells: Sequence[Cell]) -> float | None:
    groups = [group for group in bins(cells) if group]
    total = sum(map(len, groups))
    if not total:
        return None
    return sum(len(g) * abs(fmean(c.p or 0 for c in g) - fmean(c.y or 0 for c in g)) for g in groups) / total


def area_under_curve(cells: Sequence[Cell]) -> float | None:
    rows = [cell for cell in cells if graded(cell)]
    yes = [cell.p or 0.0 for cell in rows if cell.y == 1]
    no = [cell.p or 0.0 for cell in rows if cell.y == 0]
    if not yes or not no:
        return None
    return sum((a > b) + (a == b) / 2 for a in yes for b in no) / (len(yes) * len(no))


def peer(cells: Sequence[Cell], agent: str) -> float | None:
    """Event-weighted mean of 100 (ln p - mean of the others' ln p)."""
    questions: defaultdict[tuple[str, str, str], dict[str, Cell]] = defaultdict(dict)
    for cell in cells:
        if graded(cell):
            questions[cell.event, cell.window, cell.market][cell.agent] = cell

    def others(cell: Cell) -> list[float]:
        rows = questions[cell.event, cell.window, cell.market]
        return [-log_score(one) for name, one in rows.items() if name != agent]

    own = [cell for cell in cells if cell.agent == agent]
    return mean(
        event_values(
            own,
            lambda cell: graded(cell) and bool(others(cell)),
            lambda cell: 100 * (-log_score(cell) - fmean(others(cell))),
        ).values()
    )


def log10_evidence(cells: Sequence[Cell], agent: str, other: str | None = None) -> list[float] | None:
    """Running log10 E against the market, or against the other agent, over clusters in order of their due times."""
    priced: dict[tuple[str, str, str], float | None]
    if other is None:
        priced = {(cell.event, cell.window, cell.market): cell.q for cell in cells}
    else:
        priced = {(cell.event, cell.window, cell.market): cell.p for cell in cells if cell.agent == other}
    bets = [
        (cell, price)
        for cell in cells
        for price in [priced.get((cell.event, cell.window, cell.market))]
        if cell.agent == agent and cell.p is not None and price is not None
    ]
    first = {event: min(c.window for c, _ in bets if c.event == event) for event in {c.event for c, _ in bets}}
    due = {name: max(c.due_at or 0.0 for c in cells if c.cluster == name) for name in {c.cluster for c in cells}}
    running: list[float] = []
    for cluster in sorted(due, key=lambda name: (due[name], name or "")):
        own = [(c, price) for c, price in bets if c.cluster == cluster and c.window == first[c.event]]
        if any(c.y is None and c.settled_at is None for c, _ in own):
            break
        gains = [_gain(c.p or 0.0, price, c.y) for c, price in own]
        if any(c.y is not None for c, _ in own):
            running.append((running or [0.0])[-1] + fmean(gains))
    return running or None


def _gain(p: float, q: float, y: float | None) -> float:
    """log10 of what the stake becomes; a void market gives it back."""
    if y is None:
        return 0.0
    p, q = (min(0.99, max(0.01, one)) for one in (p, q))
    return math.log10(y * p / q + (1 - y) * (1 - p) / (1 - q))


def direction(cells: Iterable[Cell]) -> tuple[float | None, int]:
    """(Share on the side of the outcome, number that took a side) of the forecasts outside the dead band."""
    rows = [
        (c.p - c.q) * (c.y - c.q)
        for c in cells
        if c.p is not None and c.q is not None and c.y is not None and abs(c.p - c.q) > 0.02 + 1e-9
        if c.y in {0, 1} or c.y != c.q
    ]
    return mean(float(one > 0) for one in rows), len(rows)


def classification(cells: Iterable[Cell]) -> dict[str, float | None]:
    """As KalshiBench counts: 0.5 says YES. Numbers without a denominator are None."""
    rows = [(cell.p, cell.y == 1) for cell in cells if cell.p is not None and cell.y in {0, 1}]
    right = [(p, max(p, 1 - p)) for p, y in rows if (p >= 0.5) == y]
    wrong = [(p, max(p, 1 - p)) for p, y in rows if (p >= 0.5) != y]
    result = {
        "accuracy": _share(len(right), len(rows)),
        "avg_confidence": mean(confidence for _, confidence in [*right, *wrong]),
        "avg_confidence_when_correct": mean(confidence for _, confidence in right),
        "avg_confidence_when_wrong": mean(confidence for _, confidence in wrong),
    }
    for name, says in (("yes", True), ("no", False)):
        hits = sum((p >= 0.5) == says == y for p, y in rows)
        precision = _share(hits, sum((p >= 0.5) == says for p, _ in rows))
        recall = _share(hits, sum(y == says for _, y in rows))
        result |= {f"precision_{name}": precision, f"recall_{name}": recall, f"f1_{name}": None}
        if precision is not None or recall is not None:
            result[f"f1_{name}"] = 0.0
        if precision and recall:
            result[f"f1_{name}"] = 2 * precision * recall / (precision + recall)
    yes, no = result["f1_yes"], result["f1_no"]
    result["macro_f1"] = None if yes is None or no is None else (yes + no) / 2
    for threshold in (0.70, 0.80, 0.90):
        confident = [(p, y) for p, y in rows if p > threshold or p < (1 - threshold)]
        missed = sum((p >= 0.5) != y for p, y in confident)
        result[f"overconfidence_rate_{round(threshold * 100)}"] = _share(missed, len(confident))
    return result


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def linspace_errors(cells: Iterable[Cell]) -> tuple[float, float, int] | None:
    """KalshiBench's loop over the bins, with numpy's edges: (ECE, MCE, forecasts in no bin)."""
    rows = [(cell.p, cell.y) for cell in cells if cell.p is not None and cell.y is not None]
    if not rows:
        return None
    edges = np.linspace(0, 1, 11).tolist()
    expected, largest, binned = 0.0, 0.0, 0
    for low, high in pairwise(edges):
        mine = [(p, y) for p, y in rows if low <= p < high]
        if mine:
            gap = abs(fmean(p for p, _ in mine) - fmean(y for _, y in mine))
            expected, largest, binned = expected + len(mine) * gap, max(largest, gap), binned + len(mine)
    return expected / len(rows), largest, len(rows) - binned


def vectors(cells: Sequence[Cell], agent: str) -> dict[tuple[str, str], tuple[float, float | None]]:
    """(Sum-form Brier score, spherical score) by event and window, where the agent answered the whole event."""
    result: dict[tuple[str, str], tuple[float, float | None]] = {}
    for key in {(cell.event, cell.window) for cell in cells}:
        asked = {cell.market for cell in cells if (cell.event, cell.window) == key}
        own = [c for c in cells if c.agent == agent and (c.event, c.window) == key and graded(c)]
        if {cell.market for cell in own} != asked:
            continue
        pairs = [(cell.p or 0.0, cell.y or 0.0) for cell in own]
        if len(pairs) == 1:
            pairs.append((1 - pairs[0][0], 1 - pairs[0][1]))
        length = math.sqrt(sum(p * p for p, _ in pairs))
        spherical = sum(p * y for p, y in pairs) / length if length else None
        result[key] = (sum((p - y) ** 2 for p, y in pairs), spherical)
    return result


def by_event(values: Mapping[tuple[str, str], float | None]) -> float | None:
    """Mean over the windows of an event, then over the events; None values are left out."""
    events: defaultdict[str, list[float]] = defaultdict(list)
    for (event, _), value in values.items():
        if value is not None:
            events[event].append(value)
    return mean(fmean(rows) for rows in events.values())


def murphy(cells: Sequence[Cell]) -> tuple[float, float, float] | None:
    """(Reliability, resolution, uncertainty) over the bins; the uncertainty is the variance of the outcomes."""
    rows = [cell for cell in cells if graded(cell)]
    if not rows:
        return None
    base = fmean(c.y or 0 for c in rows)
    groups = [group for group in bins(cells) if group]
    means = [(len(g), fmean(c.p or 0 for c in g), fmean(c.y or 0 for c in g)) for g in groups]
    return (
        sum(n * (p - y) ** 2 for n, p, y in means) / len(rows),
        sum(n * (y - base) ** 2 for n, _, y in means) / len(rows),
        fmean(((c.y or 0) - base) ** 2 for c in rows),
    )
