"""Who plays: the roster file, read and checked, and the rows of `arena_agents` it becomes.

A row carries what a decision needs (rule, prices, limits), so that a season goes on under the terms it began with
even when the file changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from coliseum.arena.agents.contestants import RULES, track_of
from coliseum.arena.forecasts import Track
from coliseum.errors import InvalidInput
from coliseum.llm.names import canonical_model
from coliseum.llm.options import Options, Prices

BOTH = [track.value for track in Track]


@dataclass(frozen=True, slots=True)
class Roster:
    """The contestants that are fielded, as rows without season and status."""

    models: tuple[Mapping[str, Any], ...]
    others: tuple[Mapping[str, Any], ...]
    """Statistical contestants and the consensus, which need no key."""


@cache
def roster() -> Roster:
    """The roster that ships with the package."""
    return parse(json.loads(files("coliseum.arena.agents").joinpath("roster.json").read_text()))


def parse(document: Mapping[str, Any]) -> Roster:
    """Enabled contestants only. Raises InvalidInput for unknown rules, slugs without vendor and repeated ids."""
    models = [_model(entry, document["options"]) for entry in document["models"] if entry["enabled"]]
    others = [_statistical(entry) for entry in document["statistical"]]
    others += [_consensus(entry) for entry in document["consensus"]]
    ids = [row["agent_id"] for row in (*models, *others)]
    if repeated := next((one for one in ids if ids.count(one) > 1), None):
        raise InvalidInput("agent_id", repeated, "an id that nobody else has")
    return Roster(tuple(models), tuple(others))


def prices_of(params: Mapping[str, Any]) -> Prices:
    """The prices a model was fielded with."""
    return Prices(Decimal(params["prices"]["input"]), Decimal(params["prices"]["output"]))


def options_of(params: Mapping[str, Any]) -> Options:
    """How a model that was fielded is asked."""
    given = params["options"]
    return Options(
        max_tokens=given["max_tokens"],
        reasoning=given["reasoning"],
        temperature=given.get("temperature"),
        quantizations=tuple(given.get("quantizations", ())),
        output_retries=given["output_retries"],
        cache_seconds=given["cache_seconds"],
    )


def _model(entry: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: entry[name] for name in ("max_tokens", "reasoning", "temperature", "quantizations") if name in entry}
    params = {"prices": entry["prices"], "options": {**shared, **own}}
    prices_of(params), options_of(params)  # refuse here what would fail at the first decision
    row = {"agent_id": entry["agent_id"], "kind": "llm", "name": entry["name"], "tracks": BOTH, "params": params}
    return {**row, "model": canonical_model(entry["model"])}


def _statistical(entry: Mapping[str, Any]) -> dict[str, Any]:
    rule = entry["rule"]
    if rule not in RULES:
        raise InvalidInput("rule", rule, f"one of {', '.join(RULES)}")
    params = {"rule": rule, "about": entry["about"], "parameters": entry.get("parameters", {})}
    row = {"agent_id": entry["agent_id"], "kind": "statistical", "name": entry["name"], "model": None}
    return {**row, "tracks": [track_of(rule).value], "params": params}


def _consensus(entry: Mapping[str, Any]) -> dict[str, Any]:
    params = {"about": entry["about"], "leaves_out": entry["leaves_out"]}
    row = {"agent_id": entry["agent_id"], "kind": "consensus", "name": entry["name"], "model": None}
    return {**row, "tracks": BOTH, "params": params}
