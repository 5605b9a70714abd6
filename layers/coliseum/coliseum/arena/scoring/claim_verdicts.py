"""Decides registered claims about the skill of an agent from a table of cells. Pure.

Only events that were first asked after the registration count, and of each event the first window in which the agent
answered it (against another agent: in which both did). The number of later windows may depend on the outcome.

A claim `at every look` rests on the confidence sequence. It is decided at the first cluster, in due order, after which
the bounds leave the threshold. The bounds after each cluster follow from that cluster and those before it, so a board
that is made daily and a file that is scored once give the same verdict. All other claims get one look: at the interval
over a set of clusters that was fixed by the claim. Each side of either 95 % interval is
meant to fail in 2.5 % of seasons (docs/scoring.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import numpy as np

from coliseum.arena.calendar import time_text
from coliseum.arena.claims import MARKET, Claim, StoppingRule
from coliseum.arena.scoring.arithmetic import LN2, Codes, Floats, Mask, exponential, natural_log
from coliseum.arena.scoring.bets import Bets
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.clusters import DueOrder, due_order, first_windows
from coliseum.arena.scoring.confidence_sequence import (
    BAR,
    BETS,
    WEIGHTS,
    ClusterSkills,
    cluster_skills,
    confidence_sequence,
    running_stakes,
)
from coliseum.arena.scoring.line_interval import line_intervals
from coliseum.arena.scoring.report import input_hash, seed_of


class ClaimVerdict(StrEnum):
    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLook:
    """What a table says about a claim."""

    verdict: ClaimVerdict
    final: bool
    """Nothing that comes later changes the verdict. A single look can be final and unresolved."""
    reason: str
    numbers: Mapping[str, Any]
    """JSON types only: `skill`, `interval`, `clusters`, `events` that it rests on; the `input_hash` of the cells."""


@dataclass(frozen=True)
class _Population:
    """The cells that a claim is about, with the other side's probability in place of the price."""

    table: CellTable
    """Cells of the claim's agent only."""
    price: Floats
    """The market's price of each cell; NaN: none."""
    order: DueOrder


def look_at_claim(
    claim: Claim, table: CellTable, *, counted_events: Mask, left_out: frozenset[str], until: float
) -> ClaimLook:
    """What `table` says about the claim.

    `counted_events` marks the event codes that were first asked after the registration. `left_out` are the horizons
    that do not count, as in `ScoreRules`. All questions and results until `until` (unix seconds) are in the table, so a
    look at a later date has to wait.
    """
    population = _population(claim, table, counted_events, left_out)
    if not len(population.table):
        return _open(f"no question that counts was answered by {_both(claim)} yet", population, None)
    if claim.rule is StoppingRule.EVERY_LOOK:
        return _sequential_look(claim, population)
    return _single_look(claim, population, until)


def _population(claim: Claim, table: CellTable, counted_events: Mask, left_out: frozenset[str]) -> _Population:
    keep = (
        counted_events[table.event] & _of_agent(table, claim.agent) & table.answered & _in_slice(claim, table, left_out)
    )
    own = table.select(keep)
    price = own.q
    if claim.against != MARKET:
        other = table.select(_of_agent(table, claim.against) & table.answered)
        forecasts = np.full(int(table.question.max(initial=-1)) + 1, np.nan)
        forecasts[table.question[_of_agent(table, claim.against) & table.answered]] = other.p
        own = replace(own, q=forecasts[table.question[keep]])
    quoted = own.quoted
    alone = _alone(own.select(quoted))
    return _Population(alone, price[quoted], due_order(alone))


def _alone(table: CellTable) -> CellTable:
    """The table without labels that none of its rows has. So its hash depends on its rows alone."""
    parts: dict[str, Any] = {"dimensions": ()}
    for name in ("agent", "event", "market", "window", "cluster"):
        used, codes = np.unique(getattr(table, name), return_inverse=True)
        labels = getattr(table, f"{name}s")
        parts |= {name: codes, f"{name}s": tuple(labels[code] for code in used)}
    return replace(table, **parts)


def _of_agent(table: CellTable, agent: str) -> Mask:
    code = table.agents.index(agent) if agent in table.agents else -1
    return np.asarray(table.agent == code)


def _in_slice(claim: Claim, table: CellTable, left_out: frozenset[str]) -> Mask:
    """Marks the cells of the claim's slice; without one, those of the headline."""
    kind, _, label = (claim.slice or "").partition(":")
    keep = np.full(len(table), not kind, dtype=np.bool_)
    for dimension in table.dimensions:
        if dimension.name == kind:
            keep = np.asarray(dimension.code == _code(dimension.labels, label))
    for dimension in table.dimensions:
        if dimension.name == "horizon" and kind != "horizon":
            hidden = [code for code, name in enumerate(dimension.labels) if name in left_out]
            keep = keep & ~np.isin(dimension.code, hidden)
    return keep


def _code(labels: tuple[str, ...], label: str) -> int:
    return labels.index(label) if label in labels else len(labels)


def _both(claim: Claim) -> str:
    return f"{claim.agent} at a price" if claim.against == MARKET else f"both {claim.agent} and {claim.against}"


# -- every look


def _sequential_look(claim: Claim, population: _Population) -> ClaimLook:
    clusters = cluster_skills(population.table).get(claim.agent)
    if clusters is None:
        return _open("no cluster of events that counts is due and settled yet", population, None)
    above = reached_above(clusters, claim.threshold)
    below = reached_above(clusters.mirrored, -claim.threshold)
    decided = np.flatnonzero(above | below)
    number = int(decided[0]) + 1 if len(decided) else len(clusters)
    seen = first_clusters(clusters, number)
    bounds = confidence_sequence(seen)
    numbers = _numbers(population, seen, (bounds.low, bounds.high))
    shown = f"after {number:,} {_plural(number, 'cluster')} the skill lies in {bounds.low:+.3g} .. {bounds.high:+.3g}"
    if not len(decided):
        return ClaimLook(
            verdict=ClaimVerdict.UNRESOLVED,
            final=False,
            reason=f"{shown} at every look, which contains {claim.threshold:g}",
            numbers=numbers,
        )
    side = "above" if above[number - 1] else "below"
    reason = f"{shown} at every look, which is {side} {claim.threshold:g}"
    return ClaimLook(verdict=_verdict(claim, side), final=True, reason=reason, numbers=numbers)


def reached_above(clusters: ClusterSkills, threshold: float) -> Mask:
    """After each cluster, whether the lower bound of the mean skill per event was above the threshold.

    The bound is never below what was possible at all, given prices and forecasts.
    """
    events = np.cumsum(clusters.events)
    reached = np.asarray(-np.cumsum(clusters.loss) / events > threshold)
    for block, mantissas, exponents in running_stakes(clusters):
        log = natural_log(mantissas) + exponents * LN2 - BETS[:, None] * (threshold * events[block])
        stakes = np.where(log > _LOG_BAR, np.inf, exponential(np.minimum(log, _LOG_BAR)))
        reached[block] |= np.add.reduce(WEIGHTS[:, None] * stakes, axis=0) >= BAR
    return reached


_LOG_BAR = 300.0
"""A stake of e^300 is above the bar whatever its weight is."""


def first_clusters(clusters: ClusterSkills, number: int) -> ClusterSkills:
    """The first clusters, in due order."""
    return ClusterSkills(**{field.name: getattr(clusters, field.name)[:number] for field in fields(clusters)})


# -- one look


def _single_look(claim: Claim, population: _Population, until: float) -> ClaimLook:
    table = population.table
    first = np.flatnonzero(first_windows(table.event, table.window))  # it has rows of one agent, all with a price
    bets = table.rows(first)
    place = population.order.place[bets.cluster]
    counted = population.order.counted(bets)
    graded = counted & bets.resolved
    if claim.look_at is not None:
        limit, wait = _places_by_date(claim.look_at, population.order, place, counted, until)
    else:
        limit, wait = _places_by_count(claim, bets, place, graded)
    if wait is not None:
        return _open(wait, population, bets.select(graded))
    chosen = np.flatnonzero(graded & (place <= limit))
    return _look_once(claim, population, first[chosen])


def _places_by_date(
    look_at: datetime, order: DueOrder, place: Codes, counted: Mask, until: float
) -> tuple[int, str | None]:
    """(The last place in due order that the look includes, why the look cannot be made yet)."""
    moment, day = look_at.timestamp(), time_text(look_at.astimezone(UTC))
    if until < moment:
        return -1, f"the only look is at {day}"
    included = order.due_at[place] <= moment
    waiting = int((included & ~counted).sum())
    if waiting:
        return -1, f"waits for the results of {waiting:,} {_plural(waiting, 'question')} due by {day}"
    return int(place[included].max(initial=-1)), None


def _places_by_count(claim: Claim, bets: CellTable, place: Codes, graded: Mask) -> tuple[int, str | None]:
    """As `_places_by_date`, for a number of clusters or events."""
    wanted = claim.count or 0
    keys = np.unique(place[graded] * len(bets.events) + bets.event[graded])
    places, events = np.unique(keys // max(1, len(bets.events)), return_counts=True)
    so_far = np.cumsum(events) if claim.rule is StoppingRule.EVENTS else np.arange(1, len(places) + 1)
    enough = np.flatnonzero(so_far >= wanted)
    if not len(enough):
        have = int(so_far[-1]) if len(so_far) else 0
        return -1, f"the only look is after {wanted:,} {claim.rule.value}; {have:,} are settled"
    return int(places[enough[0]]), None


def _look_once(claim: Claim, population: _Population, chosen: Codes) -> ClaimLook:
    rows, price = _alone(population.table.rows(chosen)), population.price[chosen]
    if not len(rows):
        reason = "no cluster of events that counts was due and settled at the only look"
        return ClaimLook(
            verdict=ClaimVerdict.UNRESOLVED, final=True, reason=reason, numbers=_numbers(population, None, None)
        )
    clusters = cluster_skills(rows)[claim.agent]
    bets = _line_bets(rows, price, between_agents=claim.against != MARKET)
    found = line_intervals(bets, seed=seed_of(claim.seal, rows))[0]
    numbers = _numbers(population, clusters, found.interval)
    if found.interval is None:
        reason = f"the only look has no interval: {found.reason}"
        return ClaimLook(verdict=ClaimVerdict.UNRESOLVED, final=True, reason=reason, numbers=numbers)
    low, high = found.interval
    side = "above" if low > claim.threshold else "below" if high < claim.threshold else None
    place = f"which is {side}" if side else "which contains"
    reason = f"at the only look the skill lies in {low:+.3g} .. {high:+.3g}, {place} {claim.threshold:g}"
    verdict = ClaimVerdict.UNRESOLVED if side is None else _verdict(claim, side)
    return ClaimLook(verdict=verdict, final=True, reason=reason, numbers=numbers)


def _line_bets(rows: CellTable, price: Floats, *, between_agents: bool) -> Bets:
    """The rows as cells of one group, each event with the weight 1. A missing price is taken as half-way."""
    events, event = np.unique(rows.event, return_inverse=True)
    weight = 1 / np.bincount(event, minlength=len(events))[event]
    order = due_order(rows)
    return Bets(
        group=np.zeros(len(rows), dtype=np.int64),
        cluster=order.place[rows.cluster],
        market=np.unique(rows.event * len(rows.markets) + rows.market, return_inverse=True)[1],
        start=rows.q,
        end=rows.p,
        price=np.where(np.isnan(price), (rows.p + rows.q) / 2, price),
        y=rows.y,
        weight=weight,
        share=weight,
        groups=1,
        between_agents=between_agents,
    )


# -- answers


def _verdict(claim: Claim, side: str) -> ClaimVerdict:
    return ClaimVerdict.SUPPORTED if side == claim.direction else ClaimVerdict.REFUTED


def _open(reason: str, population: _Population, graded: CellTable | None) -> ClaimLook:
    clusters = None if graded is None or not len(graded) else next(iter(cluster_skills(graded).values()), None)
    numbers = _numbers(population, clusters, None)
    # Before its only look, a claim shows how much there is, and not how it looks.
    return ClaimLook(verdict=ClaimVerdict.UNRESOLVED, final=False, reason=reason, numbers={**numbers, "skill": None})


def _numbers(
    population: _Population, clusters: ClusterSkills | None, interval: tuple[float, float] | None
) -> dict[str, Any]:
    return {
        "skill": None if clusters is None else round(clusters.mean, 12),
        "interval": None if interval is None else list(interval),
        "clusters": 0 if clusters is None else len(clusters),
        "events": 0 if clusters is None else int(clusters.events.sum()),
        "questions": len(population.table),
        "input_hash": input_hash(population.table),
    }


def _plural(number: int, noun: str) -> str:
    return noun if number == 1 else f"{noun}s"
