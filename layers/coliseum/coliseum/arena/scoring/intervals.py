"""Uncertainty: a bootstrap over events that gives the same draws on every machine. Pure.

Each draw gives each event a Poisson(1) weight. The alternative is to draw n events with replacement (multinomial).
Poisson weights of different events are independent. So agents with different events stay paired in a draw, and memory
is bounded for any number of events. A draw's mean divides by the total weight of the draw. For the mean over events
both schemes have the same variance up to a factor 1 + O(1/n) (Chamandy et al. 2012). Below ten events a bootstrap
interval is far too narrow, so there is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from coliseum.arena.scoring.arithmetic import Floats, ratio

DRAWS = 10_000
SLICE_DRAWS = 1_000
"""Draws in the slices. Fewer are enough there, because no rank depends on them."""
LEVEL = 0.95
LEAST_EVENTS = 10
"""Below so many events there is no interval: they say too little about their own spread."""
LEAST_DRAWS = 40
"""Below so many draws with a value there is no 95 % interval: its ends would be the extreme draws."""
CHUNK_NUMBERS = 8_000_000
"""Weights in memory at a time: 64 MB for any number of events."""
SUM_NUMBERS = 32_000_000
"""Sums in memory at a time: 256 MB for any number of agents."""
_EXACT_BITS = 52
"""Whole numbers up to 2^52 add up exactly as floats, in any order."""


def poisson_table() -> NDArray[np.uint8]:
    """The Poisson(1) count for every value of 16 random bits, by inverting the distribution function."""
    probability, cumulative = math.exp(-1), 0.0
    table = np.zeros(65_536, dtype=np.uint8)
    for count in range(12):
        cumulative += probability
        table[round(cumulative * 65_536) :] = count + 1
        probability /= count + 1
    return table


def weighted_sums(columns: Floats, *, seed: int, draws: int) -> Floats:
    """A draws x columns matrix: the sums of the columns with a Poisson(1) weight per row. Exact for whole numbers.

    All columns share the weights of a draw. The bits are PCG64's raw stream, which is the same on every machine.
    """
    rows = len(columns)
    sums = np.zeros((draws, columns.shape[1]))
    table, bits = poisson_table().astype(np.float64), np.random.PCG64(seed)
    words = -(-rows // 4)  # one 64-bit word gives four weights
    step = max(1, CHUNK_NUMBERS // max(1, words * 4))
    for start in range(0, draws, step):
        batch = min(step, draws - start)
        raw = bits.random_raw(batch * words).astype("<u8", copy=False).view("<u2").reshape(batch, words * 4)
        sums[start : start + batch] = table[raw[:, :rows]] @ columns
    return sums


@dataclass(frozen=True, slots=True)
class BootstrapDifference:
    """The draws of one agent's mean minus another's, over the events that both have."""

    interval: tuple[float, float] | None
    """The middle 95 % of the draws."""
    superiority: float | None
    """Share of the draws in which the first agent is ahead; ties count half."""


@dataclass(frozen=True)
class BootstrapDraws:
    """Bootstrap draws that all agents share."""

    means: Floats
    """draws x agents; NaN where no event of the agent was drawn."""
    differences: Mapping[tuple[int, int], BootstrapDifference]
    """By the codes of two agents, the lower code first. Empty if they were not asked for."""


def bootstrap(by_event: Floats, *, seed: int, draws: int = DRAWS, pairs: bool = False) -> BootstrapDraws:
    """Draws from an agents x events matrix, NaN for absent values.

    Values are rounded to whole multiples of a power of two (about 1e-9 for 100,000 events, finer for fewer), because
    sums of whole numbers are exact in any order. If agents have many different sets of events, the pairs are handled in
    parts. Each part makes the same draws again, which keeps memory bounded.
    """
    agents, events = by_event.shape
    present = ~np.isnan(by_event)
    largest = float(np.abs(by_event[present]).max(initial=1.0))
    scale = 2.0 ** (_EXACT_BITS - math.ceil(math.log2(12 * max(1, events) * largest)))
    whole = np.rint(np.where(present, by_event, 0.0) * scale)
    means, differences = np.zeros((draws, agents)), dict[tuple[int, int], BootstrapDifference]()
    wanted = [(agent, agent) for agent in range(agents)]
    wanted += combinations(range(agents), 2) if pairs else ()
    while wanted:
        columns = _SumColumns(whole, present)
        places = columns.fill(wanted, most=SUM_NUMBERS // max(1, draws))
        sums = weighted_sums(np.stack(columns.columns, axis=1), seed=seed, draws=draws)
        for (first, second), (mine, other, weight) in zip(wanted, places, strict=False):
            top = sums[:, mine] if first == second else sums[:, mine] - sums[:, other]
            replicates = ratio(top, sums[:, weight] * scale)
            if first == second:
                means[:, first] = replicates
            else:
                differences[first, second] = BootstrapDifference(
                    percentile_interval(replicates), superiority(replicates)
                )
        wanted = wanted[len(places) :]
    return BootstrapDraws(means, differences)


class _SumColumns:
    """The distinct columns of which one pass computes weighted sums."""

    def __init__(self, whole: Floats, present: NDArray[np.bool_]) -> None:
        self.columns: list[Floats] = []
        self._whole, self._present = whole, present
        self._index: dict[tuple[int, bytes], int] = {}
        """The place of each (agent, set of events); agent -1 stands for the weights of the set."""

    def fill(self, wanted: Sequence[tuple[int, int]], *, most: int) -> list[tuple[int, int, int]]:
        """Add columns for the next pairs, up to about `most`.

        Returns for each pair the places of the first agent's values over the common events, the second's, and the
        weights.
        """
        places: list[tuple[int, int, int]] = []
        for first, second in wanted:
            if places and len(self.columns) > most:
                break
            common = self._present[first] & self._present[second]
            places.append((self._place(first, common), self._place(second, common), self._place(-1, common)))
        return places

    def _place(self, agent: int, events: NDArray[np.bool_]) -> int:
        name = agent, np.packbits(events).tobytes()
        if name not in self._index:
            self._index[name] = len(self.columns)
            self.columns.append(events.astype(float) if agent < 0 else np.where(events, self._whole[agent], 0.0))
        return self._index[name]


def percentile_interval(values: Floats) -> tuple[float, float] | None:
    """The middle 95 % of the draws, without interpolation. None if fewer than 40 of them are numbers."""
    values = values[~np.isnan(values)]
    last = len(values) - 1
    if last < LEAST_DRAWS - 1:
        return None
    low, high = math.floor((1 - LEVEL) / 2 * last), math.ceil((1 + LEVEL) / 2 * last)
    ordered = np.partition(values, (low, high))
    return float(ordered[low]), float(ordered[high])


def superiority(replicates: Floats) -> float | None:
    """Share of the draws above 0; draws of exactly 0 count half. None without any."""
    numbers = replicates[~np.isnan(replicates)]
    if not len(numbers):
        return None
    return float(((numbers > 0).sum() + 0.5 * (numbers == 0).sum()) / len(numbers))


@dataclass(frozen=True)
class RankDraws:
    """Ranks of the agents in shared draws; the highest mean is first."""

    interval: tuple[tuple[int, int] | None, ...]
    """95 % interval of the competition rank."""
    best: tuple[float | None, ...]
    """Share of the draws in which the agent is first; a first place shared by n agents counts 1/n."""


def ranks(means: Floats) -> RankDraws:
    """Rank intervals from the draws (draws x agents) in which every agent has a value; None below 40 such draws."""
    whole = means[~np.isnan(means).any(axis=1)]
    agents = means.shape[1]
    if len(whole) < LEAST_DRAWS:
        return RankDraws((None,) * agents, (None,) * agents)
    order = _competition_ranks(whole)
    first = order == 1
    best = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    spans = [percentile_interval(order[:, agent].astype(np.float64)) for agent in range(agents)]
    return RankDraws(
        tuple(None if span is None else (int(span[0]), int(span[1])) for span in spans),
        tuple(float(value) for value in best),
    )


def _competition_ranks(means: Floats) -> NDArray[np.int64]:
    """1 + the number of agents that are strictly ahead, for each row."""
    order = np.ones(means.shape, dtype=np.int64)
    for agent in range(means.shape[1]):
        order += means[:, [agent]] > means
    return order
