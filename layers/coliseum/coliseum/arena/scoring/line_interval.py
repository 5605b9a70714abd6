"""Confidence intervals of a mean difference of Brier scores, from what the prices led to expect. Pure.

The method is test inversion along the line from the price to the agent. For each theta every market is YES with the
probability start + theta (end - start), clipped to [0, 1]: with 0 the start (the price) is right, with 1 the end (the
agent), with 1/2 the difference is 0 on average. The mean difference grows with theta. Outcomes are drawn, and
t = (mean - expected mean) / (error by cluster) is computed from them. The interval has the means of those theta whose
draws do not make the t of the real outcomes extreme (mid-p within [0.025, 0.975]). So the skew of long shots comes from
the prices, which are known, and not from the outcomes, which may show no surprise at all.

Inside a cluster all markets come true together (one uniform number decides, turned round where the agent bets on NO),
which is the worst dependence. The error by cluster makes up for clusters whose events are less dependent.

With many clusters and little skew the draws are not needed: the first term of the Edgeworth expansion of t, with the
skew that the model expects, gives the same interval (Hall 1992, section 3.4).

docs/scoring.md has the simulated coverage, and why other methods were not chosen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, counts, distinct, ratio, totals
from coliseum.arena.scoring.bets import Bets
from coliseum.arena.scoring.brier import fractional
from coliseum.arena.scoring.proportions import student_quantile

DRAWS = 499
SLICE_DRAWS = 199
"""Draws for the intervals of slices. Their ends are a little less exact; no rank depends on them."""
LEAST_DRAWS = 39
"""With fewer draws, no draw is beyond the 97.5 % point."""
LEVEL = 0.95
LEAST_CLUSTERS = 10
"""Below so many clusters in which forecast and price differ there is no interval."""
LEAST_EXPECTED = 5.0
"""Below so many expected outcomes of the rarer kind there is no interval."""
LARGEST_SHARE = 0.25
"""Above this share of the events in one cluster there is no interval."""
EXPANSION_CLUSTERS = 100
"""From so many clusters the expansion can take the place of draws."""
EXPANSION_SKEW = 0.15
"""Largest skew of the mean, in the model, for which the expansion takes the place of draws."""
LEAST_SPREAD = 0.1
"""The expansion needs an error of this share of the smallest that the model expects."""
DRAWN_CLUSTERS = 5_000
"""Above so many clusters nothing is drawn, which bounds time and memory."""
PLACES = 9
"""Ends by draws are rounded to these places: more would only show the search."""
_STEPS = 12
"""Most evaluations of the search for one end."""
_NEAR = 0.02
"""The search ends when the real t is so near to the quantile. The draws leave more doubt than this."""
_TIE = 1e-6
"""Two t within this relative distance are equal. Without it, the last bits of a sum would decide."""
_REACH = 8.0
"""The search goes so many standard errors to both sides of the mean."""
_MOST_EXCESS = 8.0
"""Larger differences of t are cut."""
_LEAST_ERROR = 1e-6
"""Added to every error, in units of the expected one: t stays finite if the outcomes have no spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineInterval:
    """The interval of one group, or the reason in words why there is none."""

    interval: tuple[float, float] | None
    reason: str | None
    clusters: int
    expected_outcomes: float
    """What the prices led to expect: the number of outcomes of the rarer kind."""


@dataclass(frozen=True)
class _Sums:
    """The cells of each (group, cluster), the columns of everything below. Columns are in order of group, cluster."""

    row_column: Codes
    """The column of each cell."""
    start: Floats
    """The probability, at theta = 0, that the cell's market ends on the side on which the agent bets."""
    slope: Floats
    """What theta adds to it."""
    jump: Floats
    """What the cell's value gains if the market ends on this side."""
    group: Codes
    """The group of each column."""
    rank: Codes
    """The place of each column in its group."""
    events: Floats
    base: Floats
    """The column's value if no market ends on the agent's side."""
    value: Floats
    """The value that the real outcomes gave."""
    price: Floats
    """Mean price of the column's cells."""
    unlikely: Floats
    """Mean probability of the less likely outcome."""
    moves: Mask
    """Marks columns whose value depends on an outcome."""
    groups: int

    def total(self, values: Floats | Mask) -> Floats:
        """The sum over the columns of each group."""
        return totals(values, self.group, self.groups)

    def rows_total(self, values: Floats) -> Floats:
        """The sum over the cells of each column."""
        return totals(values, self.row_column, len(self.group))


def line_intervals(bets: Bets, *, seed: int, draws: int = DRAWS) -> list[LineInterval]:
    """The interval of the mean over the events of each group.

    The mean of a group is the sum of its cells' values divided by its number of events. Whether there is an interval,
    and by which method, depends on prices, forecasts and clusters alone. A choice by the outcomes would select seasons.
    """
    sums = _sums(bets)
    facts = _facts(sums)
    words = _BETWEEN_AGENTS if bets.between_agents else _AGAINST_PRICE
    few = None if draws >= LEAST_DRAWS else f"{draws} draws, and an interval needs {LEAST_DRAWS}"
    fractions = totals(fractional(bets.y), bets.group, bets.groups).astype(int).tolist()
    reasons = [few or _reason(facts, group, words) or _of_fractions(number) for group, number in enumerate(fractions)]
    shown = np.array([reason is None for reason in reasons], dtype=np.bool_)
    expanded = shown & facts.expands
    ends = _expansion_ends(facts)
    drawn = np.flatnonzero(shown & ~expanded)
    ends[:, drawn] = _drawn_ends(sums, facts, drawn, seed=seed, draws=draws)
    # Where outcomes have no spread, the mean can be an end; rounding must not leave it outside.
    ends = np.stack([np.fmin(ends[0], facts.mean), np.fmax(ends[1], facts.mean)])
    return [
        LineInterval(
            interval=(float(ends[0, group]), float(ends[1, group])) if shown[group] else None,
            reason=reasons[group],
            clusters=int(facts.clusters[group]),
            expected_outcomes=float(facts.expected[group]),
        )
        for group in range(sums.groups)
    ]


def _of_fractions(number: int) -> str | None:
    """Why there is no interval if outcomes are fractions: the model draws YES and NO only."""
    if not number:
        return None
    some = "one outcome is a fraction" if number == 1 else f"{number:,} outcomes are fractions"
    return f"{some} between NO and YES; the interval is for YES and NO only"


def _sums(bets: Bets) -> _Sums:
    clusters = int(bets.cluster.max(initial=-1)) + 1
    keys, column = distinct(bets.group * clusters + bets.cluster)
    size = len(keys)
    group = keys // max(1, clusters)
    first = np.searchsorted(group, np.arange(bets.groups))
    gap = bets.end - bets.start
    raised = 2 * bets.weight * gap
    """What the cell's value gains if its market is YES."""
    markets = int(bets.market.max(initial=-1)) + 1
    _, owner = distinct(bets.group * markets + bets.market)
    # The side of a market is that of all its cells together: they share its outcome.
    turned = totals(raised, owner, int(owner.max(initial=-1)) + 1)[owner] < 0
    lowest = bets.weight * (np.square(bets.start) - np.square(bets.end)) + np.where(turned, raised, 0.0)
    stands = totals(bets.share, column, size)
    return _Sums(
        row_column=column,
        start=np.where(turned, 1 - bets.start, bets.start),
        slope=np.where(turned, -gap, gap),
        jump=np.where(turned, -raised, raised),
        group=group,
        rank=np.arange(size) - first[group],
        events=np.rint(stands),
        base=totals(lowest, column, size),
        value=totals(bets.weight * (np.square(bets.start - bets.y) - np.square(bets.end - bets.y)), column, size),
        price=ratio(totals(bets.share * bets.price, column, size), stands),
        unlikely=ratio(totals(bets.share * np.minimum(bets.price, 1 - bets.price), column, size), stands),
        moves=totals(np.abs(raised), column, size) > 0,
        groups=bets.groups,
    )


@dataclass(frozen=True)
class _Facts:
    """One number for each group. All but `mean` and `error` are known before the outcomes."""

    clusters: Floats
    moving: Floats
    events: Floats
    largest: Floats
    """The largest share of the events in one cluster."""
    yes: Floats
    no: Floats
    unlikely: Floats
    mean: Floats
    error: Floats
    """Standard error of the mean, by cluster."""
    gap: Floats
    """Mean squared difference of start and end. The expected mean is `gap` (2 theta - 1) before clipping."""
    deviations: Floats
    """2 x groups: the standard deviation of the mean at theta = 0 and 1 in the model."""
    skews: Floats
    """2 x groups: the skew of the mean at theta = 0 and 1 in the model."""

    @property
    def expected(self) -> Floats:
        return np.minimum(np.minimum(self.yes, self.no), self.unlikely)

    @property
    def skewed(self) -> Mask:
        """Marks groups whose mean is too skew for the expansion."""
        return np.asarray(np.abs(self.skews).max(axis=0, initial=0.0) > EXPANSION_SKEW)

    @property
    def expands(self) -> Mask:
        """Marks groups for which the expansion takes the place of draws.

        If the outcomes have hardly any spread, such as those of an agent that was always right, it would give an
        interval of no width. Draws say what may still be true.
        """
        spread = self.error > LEAST_SPREAD * self.deviations.min(axis=0, initial=np.inf)
        return np.asarray((self.clusters >= EXPANSION_CLUSTERS) & ~self.skewed & spread)

    def theta(self, mean: Floats) -> Floats:
        """The theta at which the mean is expected, before clipping."""
        return (1 + ratio(mean, self.gap)) / 2


def _facts(sums: _Sums) -> _Facts:
    events = sums.total(sums.events)
    clusters = counts(sums.group, sums.groups)
    largest = np.zeros(sums.groups)
    np.maximum.at(largest, sums.group, sums.events)
    mean = ratio(sums.total(sums.value), events)
    off = np.square(sums.value - sums.events * mean[sums.group])
    error = np.sqrt(ratio(clusters, np.maximum(clusters - 1, 0)) * sums.total(off)) / np.maximum(events, 1)
    gap = ratio(sums.total(sums.rows_total(sums.jump * sums.slope)) / 2, events)
    spread = [_moments(sums, theta) for theta in (0.0, 1.0)]
    return _Facts(
        clusters=clusters,
        moving=sums.total(sums.moves),
        events=events,
        largest=ratio(largest, events),
        yes=sums.total(sums.price),
        no=sums.total(1 - sums.price),
        unlikely=sums.total(sums.unlikely),
        mean=mean,
        error=error,
        gap=gap,
        deviations=np.stack([ratio(np.sqrt(variance), events) for variance, _ in spread]),
        skews=np.stack([np.nan_to_num(ratio(third, variance * np.sqrt(variance))) for variance, third in spread]),
    )


def _moments(sums: _Sums, theta: float) -> tuple[Floats, Floats]:
    """Variance and third central moment of the sum of each group, with each cluster as one market of the same size."""
    size = np.abs(sums.jump)
    chance = sums.rows_total(size * np.clip(sums.start + theta * sums.slope, 0.0, 1.0))
    chance = np.nan_to_num(ratio(chance, sums.rows_total(size)))
    jump = sums.rows_total(sums.jump)
    variance = np.square(jump) * chance * (1 - chance)
    return sums.total(variance), sums.total(variance * jump * (1 - 2 * chance))


_AGAINST_PRICE = ("no settled forecast with a price", "every forecast equals the price", "forecast and price differ")
_BETWEEN_AGENTS = ("no common event", "all their forecasts are equal", "their forecasts differ")


def _reason(facts: _Facts, group: int, words: tuple[str, str, str]) -> str | None:
    """Why the group has no interval, in words. None if it has one."""
    clusters, moving = int(facts.clusters[group]), int(facts.moving[group])
    noun = "cluster" if clusters == 1 else "clusters"
    if not clusters:
        return words[0]
    if not moving:
        return words[1]
    if clusters < LEAST_CLUSTERS:
        return f"{clusters} {noun}, and an interval needs {LEAST_CLUSTERS}"
    if moving < LEAST_CLUSTERS:
        return f"{words[2]} in {moving} of {clusters} clusters, and an interval needs {LEAST_CLUSTERS}"
    if facts.largest[group] > LARGEST_SHARE:
        return f"one cluster has {facts.largest[group]:.0%} of the events, and an interval allows {LARGEST_SHARE:.0%}"
    expected = facts.expected[group]
    if expected < LEAST_EXPECTED:
        kinds = ((facts.yes, "YES"), (facts.no, "NO"), (facts.unlikely, "unlikely outcomes"))
        kind = next(name for values, name in kinds if values[group] == expected)
        return f"{clusters} clusters, but the prices expect {expected:.1f} {kind}, and an interval needs 5"
    if clusters > DRAWN_CLUSTERS and not facts.expands[group]:
        few = f"a few of the {clusters} clusters decide the mean"
        return few if facts.skewed[group] else f"the outcomes of {clusters} clusters have no spread"
    return None


def _expansion_ends(facts: _Facts) -> Floats:
    """2 x groups: the ends by the Edgeworth expansion, with the model's skew at each end."""
    quantile = np.array([student_quantile(max(1.0, clusters - 1)) for clusters in facts.clusters])
    correction = (2 * quantile * quantile + 1) / 6
    ends = np.stack([facts.mean - quantile * facts.error, facts.mean + quantile * facts.error])
    theta = np.clip(np.nan_to_num(np.stack([facts.theta(end) for end in ends])), -1.0, 2.0)
    skew = facts.skews[0] + theta * (facts.skews[1] - facts.skews[0])
    # Events that depend on each other less than the model says have less spread, and less skew in the same measure.
    less = np.minimum(1.0, np.nan_to_num(ratio(facts.error, facts.deviations.max(axis=0)), nan=1.0))
    return np.asarray(ends + less * skew * correction * facts.error)


def _drawn_ends(sums: _Sums, facts: _Facts, groups: Codes, *, seed: int, draws: int) -> Floats:
    """2 x len(groups): the ends by drawn outcomes."""
    ends = np.full((2, len(groups)), np.nan)
    if len(groups):
        orders = _Orders(seed, draws, int(facts.clusters[groups].max()))
        first = np.searchsorted(sums.group, np.arange(sums.groups + 1))
        by_column = np.argsort(sums.row_column, kind="stable")
        first_row = np.searchsorted(sums.row_column[by_column], first)
        for index, group in enumerate(groups):
            rows = by_column[first_row[group] : first_row[group + 1]]
            model = _DrawnModel(sums, facts, int(group), rows, orders)
            ends[:, index] = model.end((1 + LEVEL) / 2), model.end((1 - LEVEL) / 2)
    return ends


class _Orders:
    """The uniform numbers of each cluster: a Latin hypercube, the same on every machine.

    In the draws, cluster k has the numbers (place + offset_k) / draws, each place once, in an order of its own.
    """

    def __init__(self, seed: int, draws: int, clusters: int) -> None:
        words = -(-draws // 2) + 1  # one 64-bit word gives two sort keys; one more gives the offset
        raw = np.random.PCG64(seed).random_raw(clusters * words).astype("<u8", copy=False).reshape(clusters, words)
        self.draws = draws
        self.offset = (raw[:, 0] >> np.uint64(11)).astype(np.float64) / 2.0**53
        keys = np.ascontiguousarray(raw[:, 1:]).view("<u4")[:, :draws]
        self.place = np.ascontiguousarray(np.argsort(keys, axis=1, kind="stable").astype(np.int32).T)
        """draws x clusters."""


class _DrawnModel:
    """Draws outcomes of one group for any theta. Matrices are draws x clusters."""

    def __init__(self, sums: _Sums, facts: _Facts, group: int, rows: Codes, orders: _Orders) -> None:
        columns = slice(*np.searchsorted(sums.group, [group, group + 1]))
        self._draws, self._column = orders.draws, sums.row_column[rows] - columns.start
        self._start, self._slope, self._jump = sums.start[rows], sums.slope[rows], sums.jump[rows]
        self._events, self._base = sums.events[columns], sums.base[columns]
        self._size = size = len(self._base)
        self._place, self._offset = orders.place[:, :size], orders.offset[:size][self._column]
        self._whole = float(facts.events[group])
        self._correction = math.sqrt(size / (size - 1)) / self._whole
        self._mean, self._error, self._gap = (float(one[group]) for one in (facts.mean, facts.error, facts.gap))
        self._scale = max(self._error, *(float(one) for one in facts.deviations[:, group]))
        self._least_error = _LEAST_ERROR * self._scale
        self._buffer = np.empty((self._draws, size))
        many = counts(self._column, size) > 1
        self._many = np.flatnonzero(many)
        """Clusters with more than one cell."""
        self._one_row = np.flatnonzero(~many[self._column])
        self._one_column = self._column[self._one_row]
        self._many_row = np.flatnonzero(many[self._column])
        self._many_column = np.searchsorted(self._many, self._column[self._many_row])
        self._many_place = self._place[:, self._many] * len(self._many) + np.arange(len(self._many))

    def end(self, chance: float) -> float:
        """The expected mean at the theta for which the t of drawn outcomes is below the real one with this chance.

        The excess of the real t over the quantile of the drawn ones falls almost linearly with theta, so the search is
        regula falsi with the Illinois rule. A clipped excess makes it halve where t jumps.
        """
        low, high = (self._theta(self._mean + side * _REACH * self._scale) for side in (-1, 1))
        above, below = _MOST_EXCESS, -_MOST_EXCESS
        last, middle = 0, (low + high) / 2
        for _ in range(_STEPS):
            excess = min(max(self._excess(middle, chance), -_MOST_EXCESS), _MOST_EXCESS)
            if excess > 0:
                low, above = middle, excess
                below = below / 2 if last > 0 else below  # Illinois: an end that stays twice has its value halved
                last = 1
            else:
                high, below = middle, excess
                above = above / 2 if last < 0 else above
                last = -1
            middle = low + (high - low) * above / (above - below)
            if abs(excess) < _NEAR:
                break
        return round(self._expected(middle)[1], PLACES)

    def _theta(self, mean: float) -> float:
        """The theta at which this mean is expected, before clipping."""
        return (1 + mean / self._gap) / 2

    def _expected(self, theta: float) -> tuple[Floats, float]:
        """(The chance that each cell's market ends on the agent's side, the expected mean)."""
        chance = np.clip(self._start + theta * self._slope, 0.0, 1.0)
        return chance, float(self._base.sum() + (self._jump * chance).sum()) / self._whole

    def _excess(self, theta: float, chance: float) -> float:
        """The t of the real outcomes minus the quantile of the drawn ones.

        If several draws have the real t, the sign says on which side of `chance` its mid-p is.
        """
        chances, expected = self._expected(theta)
        drawn = self._drawn(chances)
        mean = drawn.sum(axis=1) / self._whole
        drawn -= mean[:, None] * self._events
        np.square(drawn, out=drawn)
        error = np.sqrt(drawn.sum(axis=1)) * self._correction
        t = np.sort((mean - expected) / (error + self._least_error))
        real = (self._mean - expected) / (self._error + self._least_error)
        tie = _TIE * (1 + abs(real))
        smaller, not_larger = np.searchsorted(t, [real - tie, real + tie])
        if not_larger - smaller > 1:
            return math.copysign(_MOST_EXCESS, (smaller + not_larger) / 2 / self._draws - chance)
        place = chance * (self._draws + 1) - 1  # the k-th of D draws is exceeded with the chance 1 - k/(D + 1)
        down = int(place)
        up = min(down + 1, self._draws - 1)
        return real - float(t[down] + (place - down) * (t[up] - t[down]))

    def _drawn(self, chance: Floats) -> Floats:
        """The value of each cluster in each draw."""
        won = np.ceil(chance * self._draws - self._offset).astype(np.int64)
        most, jump = np.zeros(self._size, dtype=np.int32), np.zeros(self._size)
        most[self._column[self._one_row]], jump[self._column[self._one_row]] = (
            won[self._one_row],
            self._jump[self._one_row],
        )
        np.multiply(self._place < most, jump, out=self._buffer)
        self._buffer += self._base
        if len(self._many):
            self._buffer[:, self._many] = self._drawn_many(won[self._many_row])
        return self._buffer

    def _drawn_many(self, won: Codes) -> Floats:
        """The values of the clusters with more cells.

        In ascending order of the uniform numbers, a value falls from the highest to the lowest by one jump for each
        cell. Then the cluster's own order spreads the values over the draws.
        """
        size, column, jump = len(self._many), self._many_column, self._jump[self._many_row]
        steps = totals(-jump, np.clip(won, 0, self._draws) * size + column, size * (self._draws + 1))
        values = steps.reshape(self._draws + 1, size)
        values[0] += self._base[self._many] + totals(jump, column, size)
        np.cumsum(values, axis=0, out=values)
        return np.asarray(np.take(values.ravel(), self._many_place))
