"""Scores a table of cells and builds the canonical report with its digest. Deterministic and pure.

docs/scoring.md explains every key of a report.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Mask
from coliseum.arena.scoring.brier import brier_index, fractional
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.clusters import due_order
from coliseum.arena.scoring.coherence import coherence
from coliseum.arena.scoring.comparisons import SkillPanel, empty_panel, skill_panel
from coliseum.arena.scoring.crowds import pool_names, with_pools
from coliseum.arena.scoring.difficulty import adjusted_brier
from coliseum.arena.scoring.evidence import evidence, pair_evidence
from coliseum.arena.scoring.groups import GroupMeans, group_means
from coliseum.arena.scoring.information import information
from coliseum.arena.scoring.measures import CellScores, DimensionScores, score_cells
from coliseum.arena.scoring.skill_claims import skill_claims
from coliseum.arena.scoring.slices import GROUP, Dimension

ENGINE_VERSION = "2.0.0"
"""Changes when a number can change for the same input."""
RULES_VERSION = "coliseum-rules-3"
"""Changes when a rule of docs/scoring.md changes."""
PLACES = 12
"""Decimal places of floats in canonical JSON."""
ALL = "all"
DRAWS = 10_000
"""Draws for tiers and pairs. The interval of a skill uses `line_interval.DRAWS` of them at most."""
SLICE_DRAWS = 1_000
"""In the slices, where intervals use `line_interval.SLICE_DRAWS` of them at most."""
WORKERS = 4
"""Threads that compute parts of a report at the same time. numpy lets them run in parallel on large tables. Each part
is computed by one thread alone, so the numbers do not depend on how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRules:
    """The rules that a leaderboard can choose. `RULES_VERSION` fixes all others."""

    left_out: frozenset[str] = frozenset({"0-3h"})
    """Horizons that have their own slice and count nowhere else: in the last hours the outcome may be known already."""
    pools: frozenset[str] = frozenset()
    """Agents that pool the forecasts of others. They are not among the others of `information`, `peer` and
    `brier_adjusted`."""
    crowds: frozenset[str] = frozenset()
    """Kinds of `crowds.POOLS` that are added to the agents of the table, as further `pools`."""
    crowd_of: frozenset[str] | None = None
    """The agents that the crowds pool. None: all."""


@dataclass(frozen=True)
class ScoreReport:
    """All scores of a table. `body` is ready for JSON; ranking uses the other fields."""

    body: dict[str, Any]
    agents: tuple[str, ...] = ()
    panel: SkillPanel = field(default_factory=empty_panel)
    """The paired skills of the headline cells, on which agents are compared."""
    pair_evidence: Mapping[tuple[int, int], float] = field(default_factory=dict)
    """log10 E of one agent against another, by their places in `agents`."""

    @property
    def draws(self) -> int:
        return int(self.body["draws"])

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON: keys sorted, no white space, floats to 12 places."""
        return digest_of(self.body)

    def scores(self, slice_name: str = ALL) -> dict[str, dict[str, Any]]:
        """The numbers of each agent in one slice. Empty if there is no such slice."""
        scores: dict[str, dict[str, Any]] = self.body["slices"].get(slice_name, {})
        return scores


def score(
    table: CellTable,
    *,
    seed: int,
    draws: int = DRAWS,
    slice_draws: int = SLICE_DRAWS,
    rules: ScoreRules | None = None,
    slices: bool = True,
    listed: Callable[[str, Mapping[str, Any]], bool] | None = None,
) -> ScoreReport:
    """Score every agent of `table`. `seed` fixes what is drawn; with 0 draws there are no intervals of skill.

    A row without `p` is a question that was asked and not answered (see `cells.with_unanswered_questions`). Common
    events are those that all agents have for which `listed(name, numbers)` is true. Without `listed` these are all
    agents with a skill.
    """
    rules = rules or ScoreRules()
    body = _header(table, rules, seed=seed, draws=draws, slice_draws=slice_draws)
    table, rules = with_crowds(table, rules)
    headline = headline_of(table, rules)
    measures = score_cells(headline, rules.pools)
    whole = DimensionScores(measures, None, (ALL,), seed=seed, draws=draws)
    common = whole.agents_that(_competing(table, rules, listed or _has_skill), ALL)
    body["rules"]["common_of"] = [agent for agent, counts in zip(table.agents, common, strict=True) if counts]
    with ThreadPoolExecutor(WORKERS) as pool:
        overall = pool.submit(_overall_scores, whole, measures, common, rules)
        panel, bets = pool.submit(skill_panel, headline), pool.submit(pair_evidence, headline)
        parts = list(_sliced(table, headline, measures, rules)) if slices else []
        sliced = pool.map(partial(_slices_of, common=common, seed=seed, draws=slice_draws), parts)
        body["slices"][ALL] = overall.result()
        for scores in sliced:
            body["slices"].update(scores)
        return ScoreReport(_clean(body), table.agents, panel.result(), bets.result())


def _overall_scores(
    whole: DimensionScores, measures: CellScores, common: Mask, rules: ScoreRules
) -> dict[str, dict[str, Any]]:
    """The numbers of each agent over all cells."""
    table = measures.table
    scores = _with_overall_numbers(whole.scores(ALL, common), table, rules)
    everything = Dimension(ALL, (ALL,), np.zeros(len(table), dtype=np.int64))
    _add_groups(scores, group_means(measures, everything), ALL, table.agents)
    return scores


def _slices_of(
    part: tuple[Dimension, CellScores], *, common: Mask, seed: int, draws: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """The numbers of each agent in every slice of one dimension, by the name of the slice."""
    dimension, measures = part
    sliced = DimensionScores(measures, dimension.code, dimension.labels, seed=seed, draws=draws)
    groups = None if dimension.name == GROUP else group_means(measures, dimension)
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for label in dimension.labels:
        scores = sliced.scores(label, common)
        if scores:
            _add_groups(scores, groups, label, measures.table.agents)
            result[f"{dimension.name}:{label}"] = scores
    return result


def with_crowds(table: CellTable, rules: ScoreRules) -> tuple[CellTable, ScoreRules]:
    """The table with the crowds of the rules as agents, and the rules with them among the pools."""
    rules = replace(rules, pools=rules.pools | set(pool_names(rules.crowds)))
    return with_pools(table, rules.crowds, rules.crowd_of), rules


def headline_of(table: CellTable, rules: ScoreRules) -> CellTable:
    """The cells that count outside the slices of the horizons."""
    return table.select(_headline(table, rules))


def _header(table: CellTable, rules: ScoreRules, *, seed: int, draws: int, slice_draws: int) -> dict[str, Any]:
    """The report without its numbers."""
    return {
        "engine_version": ENGINE_VERSION,
        "rules_version": RULES_VERSION,
        "rules": {
            "left_out": sorted(rules.left_out),
            "pools": sorted(rules.pools | set(pool_names(rules.crowds))),
            "crowd_of": None if rules.crowd_of is None else sorted(rules.crowd_of),
        },
        "cluster_order": due_order(table).by,
        "input_hash": input_hash(table),
        "seed": seed,
        "draws": draws,
        "slice_draws": slice_draws,
        "cells": len(table),
        "answered_cells": int(table.answered.sum()),
        "graded_cells": int(table.graded.sum()),
        "paired_cells": int(table.paired.sum()),
        "fractional_cells": int((table.graded & fractional(table.y)).sum()),
        "events": len(table.events),
        "questions": int(table.question.max()) + 1 if len(table) else 0,
        "slices": {},
    }


def canonical(value: Any) -> str:
    """Canonical JSON text: keys sorted, no white space, ASCII, floats to 12 places."""
    return json.dumps(_rounded(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest_of(body: Mapping[str, Any]) -> str:
    """sha256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical(body).encode()).hexdigest()


def input_hash(table: CellTable) -> str:
    """sha256 over the cells in canonical order, in hex. The order in which cells were given does not matter."""
    labels = [table.agents, table.events, table.markets, table.windows, table.clusters]
    slices = [[dimension.name, dimension.labels] for dimension in table.dimensions]
    roles = [table.roles] if table.roles else []
    digest = hashlib.sha256(json.dumps([labels, slices, *roles]).encode())
    codes = (table.agent, table.event, table.market, table.window, table.cluster, table.structure)
    for code in (*codes, *(dimension.code for dimension in table.dimensions)):
        digest.update(code.astype("<i4").tobytes())
    numbers = (table.p, table.q, table.y, table.yes_ask, table.no_ask, table.q_1h, table.q_24h, table.q_close)
    for column in (*numbers, table.strike, table.due_at, table.settled_at, table.noise):
        # NaN and zero have several bit patterns (-0.0 too); each is hashed in one form.
        digest.update((np.where(np.isnan(column), np.nan, column) + 0.0).astype("<f8").tobytes())
    return digest.hexdigest()


def seed_of(name: str, table: CellTable) -> int:
    """The seed of the bootstrap. It follows from the leaderboard's name and the cells, so that it cannot be chosen."""
    text = f"{name}\x1f{input_hash(table)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def _headline(table: CellTable, rules: ScoreRules) -> np.ndarray:
    """Marks the cells that count outside the slices of the horizons."""
    keep = np.ones(len(table), dtype=np.bool_)
    for dimension in table.dimensions:
        if dimension.name == "horizon":
            for code, label in enumerate(dimension.labels):
                if label in rules.left_out:
                    keep &= dimension.code != code
    return keep


def _sliced(
    table: CellTable, headline: CellTable, measures: CellScores, rules: ScoreRules
) -> Iterator[tuple[Dimension, CellScores]]:
    """Every dimension and the cells that it slices: all cells for the horizons, the headline's cells otherwise."""
    for dimension in headline.dimensions:
        if dimension.name != "horizon":
            yield dimension, measures
    for dimension in table.dimensions:
        if dimension.name == "horizon":
            yield dimension, measures if len(table) == len(headline) else score_cells(table, rules.pools)


def _add_groups(
    scores: Mapping[str, dict[str, Any]], groups: GroupMeans | None, label: str, agents: Sequence[str]
) -> None:
    """Add the means of the groups and their macro-averages to the numbers of each agent, if the table has groups."""
    if groups is not None:
        for agent, row in zip(agents, groups.rows(label), strict=True):
            if agent in scores:
                scores[agent].update(row)


def _competing(
    table: CellTable, rules: ScoreRules, listed: Callable[[str, Mapping[str, Any]], bool]
) -> Callable[[str, Mapping[str, Any]], bool]:
    """Whether an agent is listed and competes: no crowd that was added, no human and no other reference."""
    others = {*pool_names(rules.crowds), *table.role_by_agent}
    return lambda agent, numbers: agent not in others and listed(agent, numbers)


def _has_skill(_: str, values: Mapping[str, Any]) -> bool:
    return values["skill"] is not None


def _with_overall_numbers(
    scores: dict[str, dict[str, Any]], table: CellTable, rules: ScoreRules
) -> dict[str, dict[str, Any]]:
    """Add what is computed over all cells only: adjusted Brier, evidence, bounds of skill, information, coherence."""
    adjusted, stakes, coherences = adjusted_brier(table, rules.pools), evidence(table), coherence(table)
    contributions, claims = information(table, rules.pools), skill_claims(table)
    for agent, numbers in scores.items():
        value, stake = adjusted.get(agent), stakes.get(agent)
        contribution, fit = contributions.get(agent), coherences.get(agent)
        numbers["brier_adjusted"] = value
        numbers["brier_adjusted_index"] = None if value is None or value < 0 else brier_index(value)
        numbers["log10_evidence"] = None if stake is None else stake.final
        numbers["log10_evidence_peak"] = None if stake is None else stake.peak
        numbers["evidence_clusters"] = 0 if stake is None else len(stake.log10)
        numbers.update(claims[agent])
        numbers["information"] = None if contribution is None else contribution.mean
        numbers["information_se"] = None if contribution is None else contribution.error
        numbers["coherence_sets"] = 0 if fit is None else fit.sets
        numbers["coherence_sum_gap"] = None if fit is None else fit.sum_gap
        numbers["coherence_ladder_violations"] = None if fit is None else fit.ladder_violations
        numbers["dutch_book_cents"] = None if fit is None else fit.dutch_book_cents
        numbers["dutch_book_worst"] = None if fit is None or fit.worst is None else asdict(fit.worst)
    return scores


def _clean(value: Any) -> Any:
    """The value with JSON's types only: lists for tuples, None for NaN and infinity."""
    if isinstance(value, Mapping):
        return {str(key): _clean(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, PLACES) + 0.0
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return value
