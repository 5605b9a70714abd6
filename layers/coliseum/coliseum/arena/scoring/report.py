"""The engine's one entry: cells in, a canonical, digest-stamped report out. Deterministic and pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from coliseum.arena.scoring import brier as scores
from coliseum.arena.scoring import calibration, intervals, skill
from coliseum.arena.scoring.cells import Floats, Table

ENGINE_VERSION = "1.0.0"
"""Changes whenever a number can change for the same input."""
RULES_VERSION = "coliseum-rules-1"
"""Changes whenever a rule of docs/scoring.md changes."""
RATIO_MINIMUM = 30
"""Graded cells below which skill-score ratios are not reported."""
PLACES = 12


@dataclass(frozen=True)
class Report:
    """Everything the engine says about a table; `body` is JSON-ready."""

    body: dict[str, Any]

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON: keys sorted, no white space, floats to 12 places."""
        return hashlib.sha256(canonical(self.body).encode()).hexdigest()

    def agents(self, slice_name: str = "all") -> dict[str, dict[str, Any]]:
        """Agent -> its numbers in one slice."""
        found: dict[str, dict[str, Any]] = self.body["slices"].get(slice_name, {})
        return found


def canonical(value: Any) -> str:
    """Canonical JSON text of a report body."""
    return json.dumps(_rounded(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def score(
    table: Table,
    *,
    seed: int,
    draws: int = intervals.DRAWS,
    offered: Mapping[str, int] | None = None,
    slices: bool = True,
) -> Report:
    """Score every agent of `table`.

    `seed` fixes the bootstrap. `offered` is the number of cells each agent was asked for; where it is missing an
    agent was offered every question of the table. Void and unsettled cells count as answered, never as graded.
    """
    questions = int(table.question.max()) + 1 if len(table) else 0
    body: dict[str, Any] = {
        "engine_version": ENGINE_VERSION,
        "rules_version": RULES_VERSION,
        "input_hash": input_hash(table),
        "seed": seed,
        "draws": draws,
        "cells": len(table),
        "graded_cells": int(table.graded.sum()),
        "events": len(table.events),
        "questions": questions,
        "slices": {},
    }
    adjusted = _adjusted(table)
    for name, part in _slices(table) if slices else iter([("all", table)]):
        body["slices"][name] = _score_slice(part, seed=seed, draws=draws)
    for agent, numbers in body["slices"]["all"].items():
        asked = questions if offered is None else offered.get(agent, questions)
        numbers["coverage"] = min(1.0, numbers["answered"] / asked) if asked else None
        numbers["strict_brier"] = _strict(numbers, asked)
        numbers["adjusted_brier"] = adjusted.get(agent)
        value = adjusted.get(agent)
        numbers["adjusted_brier_index"] = None if value is None or value < 0 else scores.brier_index(value)
    return Report(_clean(body))


def input_hash(table: Table) -> str:
    """sha256 over the cells in a canonical order: the same cells in any order hash alike."""
    order = np.lexsort((table.agent, table.question))
    digest = hashlib.sha256()
    digest.update(json.dumps([table.agents, table.events, table.category, table.horizon]).encode())
    for codes in (table.agent, table.event, table.window, table.question, table.cluster):
        digest.update(codes[order].astype("<i8").tobytes())
    for codes in (table.category_code, table.horizon_code):
        digest.update(codes[order].astype("<i8").tobytes())
    for column in (table.p, table.q, table.y, table.q_later):
        digest.update(column[order].astype("<f8").tobytes())
    return digest.hexdigest()


def _slices(table: Table) -> Iterator[tuple[str, Table]]:
    yield "all", table
    for code, name in enumerate(table.category):
        yield f"category:{name}", table.select(table.category_code == code)
    for code, name in enumerate(table.horizon):
        yield f"horizon:{name}", table.select(table.horizon_code == code)


def _score_slice(table: Table, *, seed: int, draws: int) -> dict[str, dict[str, Any]]:
    graded, paired = table.graded, table.paired
    outcome = np.nan_to_num(table.y)
    by_event = scores.event_values(scores.brier(table.p, outcome), table, graded)
    logs = scores.event_values(scores.log_score(table.p, outcome), table, graded)
    skills = scores.event_values(np.nan_to_num(skill.paired_difference(table)), table, paired)
    replicates = intervals.bootstrap(skills, seed=seed, draws=draws)
    order = intervals.ranks(replicates)
    shared = skill.common_events(skills)
    evidence = skill.event_log_evidence(table)
    peers = scores.peer_score(table)
    result: dict[str, dict[str, Any]] = {}
    for code, agent in enumerate(table.agents):
        own = table.agent == code
        if not own.any():
            continue
        mean, common = skill.mean_of_events(skills[code]), skill.mean_of_events(shared[code])
        proof = evidence[code][~np.isnan(evidence[code])]
        result[agent] = {
            **_accuracy(table.select(own), by_event[code], logs[code]),
            "peer": _mean(peers[own]),
            "skill": mean.value,
            "skill_se": mean.se,
            "skill_interval": replicates.interval(code),
            "skill_events": mean.events,
            "skill_events_needed": skill.events_needed(skills[code]),
            "skill_common": common.value,
            "skill_common_se": common.se,
            "skill_common_events": common.events,
            "rank_interval": order.interval[code],
            "best_probability": order.best[code],
            "log10_evidence": float(proof.sum() / math.log(10)) if len(proof) else None,
            **_against_market(table.select(own)),
            **_calibrated(table.select(own & graded)),
        }
    return result


def _accuracy(own: Table, by_event: Floats, logs: Floats) -> dict[str, Any]:
    graded = own.select(own.graded)
    value = _mean(by_event)
    floor = scores.LOG_FLOOR
    return {
        "answered": len(own),
        "graded": len(graded),
        "events": int((~np.isnan(by_event)).sum()),
        "brier": value,
        "brier_market_weighted": _mean(scores.brier(graded.p, graded.y)),
        "brier_index": None if value is None else scores.brier_index(value),
        "log": _mean(logs),
        "log_clipped": int(((graded.p < floor) | (graded.p > 1 - floor)).sum()),
        "baseline": _mean(scores.baseline_score(graded.p, graded.y)),
        "sharpness": _mean(np.abs(graded.p - 0.5)),
    }


def _against_market(own: Table) -> dict[str, Any]:
    paired = own.select(own.paired)
    right, decided = skill.direction(own)
    enough = len(paired) >= RATIO_MINIMUM
    mine = _mean(scores.brier(paired.p, paired.y))
    market = _mean(scores.brier(paired.q, paired.y))
    graded = own.select(own.graded)
    base = float(graded.y.mean()) if len(graded) else 0.0
    total = _mean(scores.brier(graded.p, graded.y))
    return {
        "paired": len(paired),
        "bss_market": skill.skill_score_ratio(mine, market) if enough and mine is not None and market else None,
        "bss_base": (
            skill.skill_score_ratio(total, base * (1 - base))
            if len(graded) >= RATIO_MINIMUM and total is not None
            else None
        ),
        "direction": right / decided if decided else None,
        "direction_interval": intervals.wilson(right, decided),
        "direction_decided": int(decided),
        "edge": skill.edge(own),
        "closing_line_value": skill.closing_line_value(own),
    }


def _calibrated(graded: Table) -> dict[str, Any]:
    ece, mce = calibration.expected_error(graded.p, graded.y)
    parts = calibration.decomposition(graded.p, graded.y)
    line = calibration.platt(graded.p, graded.y) if len(graded) else None
    return {
        "ece": ece,
        "mce": mce,
        "ace": calibration.adaptive_error(graded.p, graded.y),
        "bias": float((graded.p - graded.y).mean()) if len(graded) else None,
        "platt_intercept": None if line is None else line[0],
        "platt_slope": None if line is None else line[1],
        "auc": calibration.area_under_curve(graded.p, graded.y),
        "murphy": None
        if parts is None
        else {
            "reliability": parts.reliability,
            "resolution": parts.resolution,
            "uncertainty": parts.uncertainty,
            "remainder": parts.remainder,
        },
        "bins": [
            {
                "low": part.low,
                "high": part.high,
                "count": part.count,
                "forecast": part.forecast,
                "observed": part.observed,
                "interval": part.interval,
            }
            for part in calibration.reliability(graded.p, graded.y)
        ],
    }


def _adjusted(table: Table) -> dict[str, float]:
    """Only where agents answered different sets: otherwise it equals the plain Brier score and says nothing."""
    graded = table.select(table.graded)
    if not len(graded):
        return {}
    sizes = np.bincount(graded.agent, minlength=len(table.agents))
    questions = len(np.unique(graded.question))
    if bool((sizes[sizes > 0] == questions).all()):
        return {}
    values, _ = skill.adjusted_brier(table)
    return {agent: float(value) for agent, value in zip(table.agents, values, strict=True) if not math.isnan(value)}


def _strict(numbers: Mapping[str, Any], asked: int) -> float | None:
    """Market-weighted Brier with every cell that was offered and not answered scored as 0.5."""
    missing = max(0, asked - int(numbers["answered"]))
    graded = int(numbers["graded"])
    if graded + missing == 0:
        return None
    return (graded * (numbers["brier_market_weighted"] or 0.0) + missing * 0.25) / (graded + missing)


def _mean(values: Floats) -> float | None:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else None


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
