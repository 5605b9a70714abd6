"""The engine's one entry: cells in, a canonical, digest-stamped report out. Deterministic and pure.

Every key of a report is explained in docs/scoring.md.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from coliseum.arena.scoring import intervals
from coliseum.arena.scoring.arithmetic import Floats
from coliseum.arena.scoring.brier import brier_index
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.coherence import coherence
from coliseum.arena.scoring.difficulty import adjusted_brier
from coliseum.arena.scoring.evidence import evidence, pair_evidence
from coliseum.arena.scoring.information import information
from coliseum.arena.scoring.measures import CellScores, DimensionScores, score_cells
from coliseum.arena.scoring.slices import Dimension

ENGINE_VERSION = "1.3.0"
"""Changes whenever a number can change for the same input."""
RULES_VERSION = "coliseum-rules-2"
"""Changes whenever a rule of docs/scoring.md changes."""
PLACES = 12
ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRules:
    """What a board may decide for itself; everything else is fixed by `RULES_VERSION`."""

    left_out: frozenset[str] = frozenset({"0-3h"})
    """Horizons that keep their own slice and stay out of everything else: the last hours know more than anyone."""
    pools: frozenset[str] = frozenset()
    """Agents that pool the others' forecasts: no voices of their own where each one's information is told."""


@dataclass(frozen=True)
class ScoreReport:
    """Everything the engine says about a table; `body` is JSON-ready."""

    body: dict[str, Any]
    agents: tuple[str, ...] = ()
    skills: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """Agents x events: paired skill of the headline cells, NaN where absent. What ranking goes by."""
    resampled: intervals.BootstrapDraws | None = None
    """Its bootstrap, with the agents' differences; None without draws."""
    pair_evidence: Mapping[tuple[int, int], float] = field(default_factory=dict)
    """log10 E of agent against agent, by their places in `agents`."""

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON: keys sorted, no white space, floats to 12 places."""
        return digest_of(self.body)

    def scores(self, slice_name: str = ALL) -> dict[str, dict[str, Any]]:
        """Agent -> its numbers in one slice; nobody where there is no such slice."""
        found: dict[str, dict[str, Any]] = self.body["slices"].get(slice_name, {})
        return found


def score(
    table: CellTable,
    *,
    seed: int,
    draws: int = intervals.DRAWS,
    slice_draws: int = intervals.SLICE_DRAWS,
    rules: ScoreRules | None = None,
    slices: bool = True,
    listed: Callable[[str, Mapping[str, Any]], bool] | None = None,
) -> ScoreReport:
    """Score every agent of `table`. `seed` fixes the bootstrap; 0 draws leave its intervals out.

    A row without `p` is a question that was asked and not answered; see `cells.completed`. `listed` tells by an agent's
    name and numbers whether an event must be one of its own to be common; without it everybody is heard.
    """
    rules = rules or ScoreRules()
    headline = table.select(_headline(table, rules))
    body: dict[str, Any] = {
        "engine_version": ENGINE_VERSION,
        "rules_version": RULES_VERSION,
        "rules": {"left_out": sorted(rules.left_out), "pools": sorted(rules.pools)},
        "input_hash": input_hash(table),
        "seed": seed,
        "draws": draws,
        "slice_draws": slice_draws,
        "cells": len(table),
        "answered_cells": int(table.answered.sum()),
        "graded_cells": int(table.graded.sum()),
        "paired_cells": int(table.paired.sum()),
        "events": len(table.events),
        "questions": int(table.question.max()) + 1 if len(table) else 0,
        "slices": {},
    }
    measures = score_cells(headline)
    whole = DimensionScores(measures, None, (ALL,), seed=seed, draws=draws)
    resampled = whole.resampled(ALL, pairs=True) if draws else None
    common = whole.agents_that(listed or _has_skill, ALL)
    body["rules"]["common_of"] = [agent for agent, fits in zip(table.agents, common, strict=True) if fits]
    body["slices"][ALL] = _with_board_wide(whole.scores(ALL, common), headline, rules)
    for dimension, cut in _sliced(table, headline, measures) if slices else ():
        part = DimensionScores(cut, dimension.code, dimension.labels, seed=seed, draws=slice_draws)
        for label in dimension.labels:
            found = part.scores(label, common)
            if found:
                body["slices"][f"{dimension.name}:{label}"] = found
    return ScoreReport(_clean(body), table.agents, whole.skill_matrix(ALL), resampled, pair_evidence(headline))


def canonical(value: Any) -> str:
    """Canonical JSON text: keys sorted, no white space, ASCII, floats to 12 places."""
    return json.dumps(_rounded(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest_of(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(body).encode()).hexdigest()


def input_hash(table: CellTable) -> str:
    """sha256 over the cells in canonical order: the same cells in any order hash alike."""
    labels = [table.agents, table.events, table.markets, table.windows, table.clusters]
    ways = [[one.name, one.labels] for one in table.dimensions]
    digest = hashlib.sha256(json.dumps([labels, ways]).encode())
    codes = (table.agent, table.event, table.market, table.window, table.cluster, table.structure)
    for code in (*codes, *(one.code for one in table.dimensions)):
        digest.update(code.astype("<i4").tobytes())
    numbers = (table.p, table.q, table.y, table.yes_ask, table.no_ask, table.q_1h, table.q_24h, table.q_close)
    for column in (*numbers, table.strike, table.due_at, table.settled_at, table.noise):
        # One NaN and one zero: their other bit patterns mean the same.
        digest.update((np.where(np.isnan(column), np.nan, column) + 0.0).astype("<f8").tobytes())
    return digest.hexdigest()


def seed_of(board: str, table: CellTable) -> int:
    """The bootstrap's seed: it follows from the board's name and the cells, so that nobody can choose it."""
    text = f"{board}\x1f{input_hash(table)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def _headline(table: CellTable, rules: ScoreRules) -> np.ndarray:
    keep = np.ones(len(table), dtype=np.bool_)
    for dimension in table.dimensions:
        if dimension.name == "horizon":
            for code, label in enumerate(dimension.labels):
                if label in rules.left_out:
                    keep &= dimension.code != code
    return keep


def _sliced(table: CellTable, headline: CellTable, measures: CellScores) -> Iterator[tuple[Dimension, CellScores]]:
    """Every dimension with the cells it cuts: the horizons cut all of them, the rest the headline's."""
    for dimension in headline.dimensions:
        if dimension.name != "horizon":
            yield dimension, measures
    for dimension in table.dimensions:
        if dimension.name == "horizon":
            yield dimension, measures if len(table) == len(headline) else score_cells(table)


def _has_skill(_: str, values: Mapping[str, Any]) -> bool:
    return values["skill"] is not None


def _with_board_wide(
    scores: dict[str, dict[str, Any]], table: CellTable, rules: ScoreRules
) -> dict[str, dict[str, Any]]:
    """What is reckoned over the whole board alone: difficulty, evidence, information, coherence."""
    adjusted, proofs, fits = adjusted_brier(table), evidence(table), coherence(table)
    known = information(table, rules.pools)
    for agent, numbers in scores.items():
        value, proof, own, fit = adjusted.get(agent), proofs.get(agent), known.get(agent), fits.get(agent)
        numbers["brier_adjusted"] = value
        numbers["brier_adjusted_index"] = None if value is None or value < 0 else brier_index(value)
        numbers["log10_evidence"] = None if proof is None else proof.final
        numbers["log10_evidence_peak"] = None if proof is None else proof.peak
        numbers["evidence_clusters"] = 0 if proof is None else len(proof.log10)
        numbers["information"] = None if own is None else own.mean
        numbers["information_se"] = None if own is None else own.error
        numbers["coherence_sets"] = 0 if fit is None else fit.sets
        numbers["coherence_sum_gap"] = None if fit is None else fit.sum_gap
        numbers["coherence_ladder_violations"] = None if fit is None else fit.ladder_violations
        numbers["dutch_book_cents"] = None if fit is None else fit.dutch_book_cents
        numbers["dutch_book_worst"] = None if fit is None or fit.worst is None else asdict(fit.worst)
    return scores


def _clean(value: Any) -> Any:
    """JSON's own types only."""
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
