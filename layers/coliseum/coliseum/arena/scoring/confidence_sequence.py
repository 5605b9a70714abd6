"""Bounds of the mean skill that hold at every look: a confidence sequence from a mixture of fixed bets. Pure.

The skill of an event against the price q is d = (q - p)(q + p - 2y). Once p and q are known, it has a known smallest
and largest value. X is the sum of d over the events of a cluster, a = `loss` how far it can fall below 0, b = `gain`
how far it can rise above 0, however the events depend on each other. For a fixed bet λ > 0 each cluster has the factor

    F = 1 + λX                     where λa <= 0.75
    F = exp(λX - λ²(a + b)²/8)     elsewhere (Hoeffding's lemma)

Given the past, the expectation of F is at most exp(λμ), where μ is the expectation of X. So exp(-λ Σμ) ΠF is a
nonnegative supermartingale, and so is its average over a fixed set of bets. It ever reaches 40 with a chance of at most
1/40 (Ville 1939). The lower bound of Σμ is the s at which the average of exp(-λs) ΠF is 40, and the upper bound is the
lower bound of -X with a and b exchanged. Divided by the number of events they bound the running mean of the expected
skill. At every number of clusters together, both hold with a chance of 95 %.

The target is that of Choe & Ramdas (Comparing sequential forecasters, Operations Research 2023): skill may come and go.
For this the bets must be the same in every cluster; bets that adapt (Waudby-Smith & Ramdas 2024) are valid for a
constant mean only. Bounds of different times are not intersected, because the target moves.

Of each event the agent's first window at a price counts, and clusters count in due order, as for the evidence
(`clusters`). A void market is left out of its event, as in `skill`, and a cluster without a graded market is skipped:
the target takes as given which markets are void.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from coliseum.arena.scoring.arithmetic import (
    LN2,
    Codes,
    Floats,
    Mask,
    counts,
    distinct,
    exponential,
    exponential_parts,
    natural_log,
    scaled,
    totals,
)
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.clusters import due_order, first_bets
from coliseum.arena.scoring.skill import paired_difference

BAR = 40.0
"""Each side fails with a chance of 1/40, so both hold with a chance of 95 %."""
HALF_OCTAVES = range(-8, 13)
"""log2 of the bets in halves: λ = 2^-4 … 2^6. An agent that is right about everything should bet 1/(4p(1 - p))."""
CENTRE, WIDTH = 0.5, 1.75
"""Of the weights' bell curve, in log2 λ."""
LARGEST_STEP = 0.75
"""Above this λa the factor 1 + λX could come too close to 0, or below it."""
HALVINGS = 60
PLACES = 12
"""Decimal places of the bounds."""
SMALLEST_EXPONENT = -60
"""Stakes below 2^-60 cannot change whether the average is 40, so they count as 0."""
BLOCK = 512
"""Clusters at a time. Their mantissas are at least 1/2, so a product of 512 cannot underflow."""


def _bets() -> tuple[Floats, Floats]:
    """The bets and their weights, which add up to 1."""
    halves = np.array(HALF_OCTAVES, dtype=np.float64)
    bets = np.ldexp(np.where(halves % 2 == 0, 1.0, math.sqrt(2.0)), (halves // 2).astype(np.int32))
    weights = exponential(-0.5 * np.square((halves / 2 - CENTRE) / WIDTH))
    return bets, weights / float(np.add.accumulate(weights)[-1])


BETS, WEIGHTS = _bets()


@dataclass(frozen=True, kw_only=True)
class ClusterSkills:
    """What one agent did in each cluster, in order: one value for each cluster."""

    skill: Floats
    """The sum over the events of the cluster."""
    loss: Floats
    """By how much `skill` could have been below 0, as known before the outcomes; not negative."""
    gain: Floats
    """By how much `skill` could have been above 0."""
    events: Floats
    if_right: Floats
    """The expectation of `skill` if all probabilities of the agent are right: the sum of (p - q)²."""
    due_at: Floats
    """Unix seconds; NaN if the table has no times."""

    def __len__(self) -> int:
        return len(self.skill)

    @property
    def mirrored(self) -> ClusterSkills:
        """The price against the agent: what one gains the other loses."""
        return replace(self, skill=-self.skill, loss=self.gain, gain=self.loss)

    @property
    def mean(self) -> float:
        """Skill per event over all clusters."""
        return _sum(self.skill) / _sum(self.events)

    @property
    def mean_if_right(self) -> float:
        return _sum(self.if_right) / _sum(self.events)


@dataclass(frozen=True)
class ConfidenceSequence:
    """The bounds of one agent over its clusters, in due order."""

    clusters: ClusterSkills
    """At least one."""
    low: float
    """95 % bounds of the mean expected skill per event, after the last cluster."""
    high: float
    above: Mask
    """After each cluster: whether the lower bound was above 0."""
    below: Mask
    """After each cluster: whether the upper bound was below 0."""

    @cached_property
    def mean(self) -> float:
        return self.clusters.mean


def confidence_sequence(clusters: ClusterSkills) -> ConfidenceSequence:
    """The bounds after all clusters, and on which side of 0 they were after each. `clusters` has at least one."""
    above, log_stakes = _run(clusters)
    below, log_mirrored = _run(clusters.mirrored)
    return ConfidenceSequence(
        clusters=clusters,
        low=_lower_bound(clusters, log_stakes) + 0.0,
        high=-_lower_bound(clusters.mirrored, log_mirrored) + 0.0,
        above=above,
        below=below,
    )


def confidence_sequences(table: CellTable) -> dict[str, ConfidenceSequence]:
    """The bounds of each agent. Agents without a settled cluster that counts are absent."""
    return {agent: confidence_sequence(clusters) for agent, clusters in cluster_skills(table).items()}


def cluster_skills(table: CellTable) -> dict[str, ClusterSkills]:
    """The clusters of each agent that count, in due order. Agents without one are absent."""
    order, bets, size = due_order(table), first_bets(table), len(table.clusters)
    bets = bets.select(order.counted(bets) & bets.resolved)
    if not len(bets):
        return {}
    p, q = bets.p, bets.q
    if_yes, if_no = (q - p) * (q + p - 2), (q - p) * (q + p)
    event_key = bets.agent * len(table.events) + bets.event
    starts = np.flatnonzero(np.concatenate([[True], event_key[1:] != event_key[:-1]]))
    markets = np.diff(np.append(starts, len(bets)))
    columns = (paired_difference(bets), np.maximum(-if_yes, -if_no), np.maximum(if_yes, if_no), np.square(p - q))
    by_event = [np.add.reduceat(column, starts) / markets for column in columns]
    owners, group = distinct(bets.agent[starts] * size + order.place[bets.cluster[starts]])
    skill, loss, gain, right = (totals(column, group, len(owners)) for column in by_event)
    events, agent, due_at = counts(group, len(owners)), owners // size, order.due_at[owners % size]
    ends = np.flatnonzero(np.diff(agent)) + 1
    return {
        table.agents[agent[own[0]]]: ClusterSkills(
            skill=skill[own],
            loss=loss[own],
            gain=gain[own],
            events=events[own],
            if_right=right[own],
            due_at=due_at[own],
        )
        for own in np.split(np.arange(len(owners)), ends)
    }


def running_stakes(clusters: ClusterSkills) -> Iterator[tuple[slice, Floats, Codes]]:
    """The product of F for each bet after each cluster: blocks of bets x clusters, as mantissas and exponents of 2.

    Scaling by powers of two is exact, so the products do not depend on where a block ends.
    """
    mantissa, exponent = np.ones(len(BETS)), np.zeros(len(BETS), dtype=np.int64)
    for start in range(0, len(clusters), BLOCK):
        block = slice(start, start + BLOCK)
        factors, exponents = _factors(clusters, block)
        factors[:, 0] *= mantissa
        exponents[:, 0] += exponent
        products, more = np.frexp(np.multiply.accumulate(factors, axis=1))
        exponents = np.cumsum(exponents, axis=1) + more
        mantissa, exponent = products[:, -1], exponents[:, -1]
        yield block, products, exponents


def _factors(clusters: ClusterSkills, block: slice) -> tuple[Floats, Codes]:
    """F for each bet and cluster of a block, as mantissas of 1/2 or more and exponents of 2."""
    skill, loss, gain = clusters.skill[block], clusters.loss[block], clusters.gain[block]
    stake = BETS[:, None]
    large = stake * loss > LARGEST_STEP
    factors, exponents = np.frexp(np.where(large, 1.0, 1.0 + stake * skill))
    exponents = exponents.astype(np.int64)
    if large.any():
        exponent = stake * skill - np.square(stake * (loss + gain)) / 8
        parts, twos = exponential_parts(exponent[large])
        factors[large], more = np.frexp(parts)
        exponents[large] = twos + more
    return factors, exponents


def _run(clusters: ClusterSkills) -> tuple[Mask, Floats]:
    """(Whether the averaged stake is at least 40 after each cluster, ln of the stake of each bet at the end)."""
    reached = np.zeros(len(clusters), dtype=np.bool_)
    last = np.ones(len(BETS)), np.zeros(len(BETS), dtype=np.int64)
    for block, mantissas, exponents in running_stakes(clusters):
        matters = exponents.max(axis=1) > SMALLEST_EXPONENT
        stakes = scaled(mantissas[matters], exponents[matters])
        reached[block] = np.add.reduce(WEIGHTS[matters, None] * stakes, axis=0) >= BAR
        last = mantissas[:, -1], exponents[:, -1]
    return reached, natural_log(last[0]) + last[1] * LN2


def _lower_bound(clusters: ClusterSkills, log_stakes: Floats) -> float:
    """The lower bound of the mean: where the averaged stake against it is 40, but not below what was possible."""
    number = _sum(clusters.events)
    low, high = -_sum(clusters.loss) / number, _sum(clusters.gain) / number
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _sum(WEIGHTS * exponential(log_stakes - BETS * (number * middle))) >= BAR:
            low = middle
        else:
            high = middle
    return round(low, PLACES)


def _sum(values: Floats) -> float:
    """The sum in the order of the values."""
    return float(np.cumsum(values)[-1])
