"""Sign flips: how large the largest t of many comparisons becomes by luck alone. Pure.

If two agents are equally good, the sign of their difference in a cluster is luck. A draw gives each cluster a random
sign, the same for all pairs, and computes each pair's t again from the signed differences about their mean, its error
included. The largest |t| of a draw is what the best of many comparisons reaches without any true difference
(Romano and Wolf 2005; Cameron, Gelbach and Miller 2008 for the signs by cluster). Computing the error again costs
nothing, because a sign has no effect on a square. Without it, ten equal agents split in 17 % of seasons of 30 clusters.

A sign belongs to the place of a cluster among the clusters of the compared agents, and the seed of the signs is a hash
of what is compared. So neither the order of the agents nor an agent outside the comparison changes a draw.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, ratio
from coliseum.arena.scoring.comparisons import PairStatistics, SkillPanel

MOST_SIGNS = 4_096
"""With more clusters, clusters share signs, which bounds the time. A shared sign is still a random sign."""
PAIR_DRAWS = 50_000_000
"""With so many pairs that draws x pairs exceeds this, there are fewer draws, but at least `LEAST_PAIR_DRAWS`."""
LEAST_PAIR_DRAWS = 1_000
CHUNK_NUMBERS = 4_000_000
"""Numbers of one array in memory at a time: 32 MB."""
PAIR_NUMBERS = 400_000
"""Numbers of one array over draws and pairs at a time. They fit into a processor's cache, which is faster."""
_EXACT_BITS = 52
"""Whole numbers up to 2^52 add up exactly as floats, in any order."""
_NO_SPREAD = 1e-12


@dataclass(frozen=True)
class SignDraws:
    """What the draws of some pairs gave."""

    largest: Floats
    """The largest |t| of each draw; 0 where no pair has a spread."""
    ahead: Floats
    """For each pair, the share of the draws in which the first agent is ahead; ties count half."""

    def critical(self, level: float) -> float:
        """The value that the largest |t| exceeds by luck in at most `level` of the seasons.

        The real season counts as one more draw, which makes this hold for any number of draws. Infinite if there are
        too few draws for the level.
        """
        place = math.ceil((1 - level) * (len(self.largest) + 1)) - 1
        return float(np.partition(self.largest, place)[place]) if place < len(self.largest) else math.inf


def flip_signs(
    panel: SkillPanel, pairs: Sequence[tuple[int, int]], statistics: PairStatistics, *, draws: int
) -> SignDraws:
    """Draw signs for the pairs of agents of `panel`. `statistics` are those of the panel."""
    draws = min(draws, max(LEAST_PAIR_DRAWS, PAIR_DRAWS // max(1, len(pairs))))
    blocks = _Blocks(panel)
    largest, ahead = np.zeros(draws), np.zeros(len(pairs))
    seed, done = seed_of(panel), 0
    while done < len(pairs):
        part = _Part(blocks.part(pairs[done:]), statistics)
        here = slice(done, done + part.pairs)
        step = max(1, min(CHUNK_NUMBERS // blocks.size, PAIR_NUMBERS // part.pairs))
        for start, signs in _signs(seed, draws, blocks.size, step):
            top, wins = part.drawn(signs)
            largest[start : start + len(signs)] = np.maximum(largest[start : start + len(signs)], top)
            ahead[here] += wins
        done = here.stop
    return SignDraws(largest, ahead / max(1, draws))


def first_places(panel: SkillPanel, agents: Codes, statistics: PairStatistics, *, draws: int) -> Floats:
    """The share of the draws in which each of `agents` has the highest mean over the events that all of them have.

    Agents that tie share a draw. The draws are those of the panel. `statistics` compares `agents` over these events:
    the difference of each agent to the one with the highest mean varies as much more as its error was raised.
    """
    blocks, events = _Blocks(panel), panel.present[agents].all(axis=0)
    totals_of = np.where(events, panel.skills[agents], 0.0).sum(axis=1)
    leader = int(np.argmax(totals_of))
    whole, scale = _whole(blocks.centred(agents, events))
    raised = statistics.raised[leader].copy()
    raised[leader] = 1.0
    behind, tie = totals_of - totals_of[leader], (blocks.size + 1) / scale
    wins = np.zeros(len(agents))
    for _, signs in _signs(seed_of(panel), draws, blocks.size, max(1, CHUNK_NUMBERS // blocks.size)):
        sums = signs @ whole.T
        gaps = behind + raised * (sums - sums[:, [leader]]) / scale
        first = gaps >= gaps.max(axis=1, keepdims=True) - tie
        wins += (first / first.sum(axis=1, keepdims=True)).sum(axis=0)
    return np.asarray(wins / max(1, draws))


def seed_of(panel: SkillPanel) -> int:
    """The seed of the signs. It follows from skills and clusters, in any order of the agents."""
    rows = sorted(hashlib.sha256((np.round(row, 12) + 0.0).astype("<f8").tobytes()).digest() for row in panel.skills)
    digest = hashlib.sha256(panel.cluster.astype("<i8").tobytes() + b"".join(rows)).digest()
    return int.from_bytes(digest[:8], "big")


def _signs(seed: int, draws: int, size: int, step: int) -> Iterator[tuple[int, Floats]]:
    """(First draw, draws x size matrix of +1 and -1) for `step` draws at a time. PCG64's raw bits are the same on
    every machine; bit k of the words, least significant bit first, is the sign at place k."""
    bits, words = np.random.PCG64(seed), -(-size // 64)
    for start in range(0, draws, step):
        batch = min(step, draws - start)
        raw = bits.random_raw(batch * words).astype("<u8", copy=False).view(np.uint8).reshape(batch, words * 8)
        drawn = np.unpackbits(raw, axis=1, count=size, bitorder="little").astype(np.float64)
        yield start, 1.0 - 2.0 * drawn


def _whole(columns: Floats) -> tuple[Floats, float]:
    """(The columns as whole numbers, the factor that made them so). Their sums with any signs are exact."""
    largest = float(np.abs(columns).sum(axis=1).max(initial=0.0))
    scale = 2.0 ** (_EXACT_BITS - 1 - math.frexp(largest or 1.0)[1])
    return np.rint(columns * scale), scale


@dataclass(frozen=True, slots=True)
class _PairColumns:
    first: int
    second: int
    first_column: int
    second_column: int
    sizes: Floats
    """The number of common events in each block."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """The distinct columns of some pairs: for each (agent, set of events) its sums and the events by block."""

    values: list[Floats]
    sizes: list[Floats]
    pairs: list[_PairColumns]
    index: dict[tuple[int, bytes], int] = field(default_factory=dict)


def _squared_gaps(values: Floats, first: Codes, second: Codes) -> Floats:
    """For each pair of columns, the sum of their squared differences."""
    result = np.zeros(len(first))
    step = max(1, CHUNK_NUMBERS // max(1, values.shape[1]))
    for start in range(0, len(first), step):
        here = slice(start, start + step)
        result[here] = np.square(values[first[here]] - values[second[here]]).sum(axis=1)
    return result


class _Blocks:
    """The clusters of a panel, gathered into at most `MOST_SIGNS` blocks that share a sign."""

    def __init__(self, panel: SkillPanel) -> None:
        self._panel, self._present = panel, panel.present
        self._starts = panel.cluster_starts()
        self.size = min(MOST_SIGNS, len(self._starts))
        self._block = np.arange(len(self._starts)) % max(1, self.size)

    def centred(self, agents: Codes, events: Mask) -> Floats:
        """Agents x blocks: sums over the marked events of the skills minus the agent's mean over them."""
        skills = np.where(events, self._panel.skills[agents], 0.0)
        means = skills.sum(axis=1) / max(1, int(events.sum()))
        return self._gathered(np.where(events, skills - means[:, None], 0.0))

    def sizes(self, events: Mask) -> Floats:
        """The number of marked events in each block."""
        return np.asarray(self._gathered(events[None, :].astype(np.float64))[0])

    def part(self, pairs: Sequence[tuple[int, int]]) -> _Columns:
        """Columns for the next pairs, as many as fit into memory."""
        most = max(2, CHUNK_NUMBERS // max(1, self.size))
        result = _Columns([], [], [])
        sizes: dict[bytes, Floats] = {}
        for first, second in pairs[:most]:
            if len(result.values) >= most:
                break
            events = self._present[first] & self._present[second]
            name = np.packbits(events).tobytes()
            if name not in sizes:
                sizes[name] = self.sizes(events)
            mine, other = (self._column(result, agent, events, (agent, name), sizes[name]) for agent in (first, second))
            result.pairs.append(_PairColumns(first, second, mine, other, sizes[name]))
        return result

    def _column(self, into: _Columns, agent: int, events: Mask, name: tuple[int, bytes], sizes: Floats) -> int:
        """The place of the column of an agent over some events."""
        if name not in into.index:
            into.index[name] = len(into.values)
            into.values.append(self.centred(np.array([agent]), events)[0])
            into.sizes.append(sizes)
        return into.index[name]

    def _gathered(self, values: Floats) -> Floats:
        """The sums over the events of each block."""
        by_cluster = np.add.reduceat(values, self._starts, axis=1) if values.shape[1] else values
        if self.size == len(self._starts):
            return np.asarray(by_cluster)
        short = -len(self._starts) % self.size
        return np.asarray(np.pad(by_cluster, ((0, 0), (0, short))).reshape(len(values), -1, self.size).sum(axis=1))


class _Part:
    """Some pairs of agents, ready to be drawn. A pair is two columns: its agents' sums over their common events."""

    def __init__(self, columns: _Columns, statistics: PairStatistics) -> None:
        self.pairs = len(columns.pairs)
        agents = np.array([(one.first, one.second) for one in columns.pairs])
        self._first = np.array([one.first_column for one in columns.pairs])
        self._second = np.array([one.second_column for one in columns.pairs])
        sizes = np.array([one.sizes for one in columns.pairs])
        self._events = sizes.sum(axis=1)
        self._squared_sizes = np.square(sizes).sum(axis=1)
        blocks = (sizes > 0).sum(axis=1).astype(np.float64)
        self._correction = ratio(blocks, np.maximum(blocks - 1, 0))
        self._tie = sizes.shape[1] + 1
        values = np.array(columns.values)
        self._squares = _squared_gaps(values, self._first, self._second)
        self._whole, self._scale = _whole(values)
        self._weighted, self._weighted_scale = _whole(values * np.array(columns.sizes))
        raised = statistics.raised[agents[:, 0], agents[:, 1]]
        self._raised = np.where(np.isinf(raised), 1.0, raised)
        self._lead = statistics.difference[agents[:, 0], agents[:, 1]] * self._events

    def drawn(self, signs: Floats) -> tuple[Floats, Floats]:
        """(The largest |t| of each draw, the number of draws in which the first agent of each pair is ahead)."""
        gap = self._gaps(signs, self._whole, self._scale)
        mean = gap / self._events
        off = self._squares - 2 * mean * self._gaps(signs, self._weighted, self._weighted_scale)
        off += np.square(mean) * self._squared_sizes
        # A pair without spread has no t. A draw in which rounding leaves no spread has an infinite one.
        squared_t = np.broadcast_to(np.where(self._squares > 0, np.inf, 0.0), off.shape).copy()
        np.divide(np.square(gap), self._correction * off, out=squared_t, where=off > _NO_SPREAD * self._squares)
        lead = self._lead + self._raised * gap
        tie = np.abs(lead) <= self._tie / self._scale
        return np.sqrt(squared_t.max(axis=1, initial=0.0)), ((lead > 0) & ~tie).sum(axis=0) + tie.sum(axis=0) / 2

    def _gaps(self, signs: Floats, whole: Floats, scale: float) -> Floats:
        """Draws x pairs: the signed sums of the first agents minus those of the second."""
        sums = signs @ whole.T
        return np.asarray((sums[:, self._first] - sums[:, self._second]) / scale)
