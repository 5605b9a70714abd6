"""The roster of contestants: the file roster.json, checked, and the rows of `arena_agents` that it becomes.

A row carries all that a decision needs (rule, prices, limits), so that a season keeps the terms it began with when the
file changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from coliseum.arena.agents.contestants import RULES, reads_price
from coliseum.arena.clean_text import clean_lines
from coliseum.arena.forecasts import Track
from coliseum.arena.replicates import MOST_REPLICATES
from coliseum.errors import InvalidInput
from coliseum.json_objects import strict_json
from coliseum.llm.names import canonical_model
from coliseum.llm.options import Options, Prices

BOTH = [Track.BLIND.value, Track.AWARE.value]
MODEL_TRACKS = [*BOTH, Track.INFORMED.value]
"""What a model may play. Without `tracks` in its entry it plays the first two: each track costs as much again."""
ENTRANT_PREFIX = "e-"
"""Ids of outside agents begin with it, and no others. The database enforces this too."""
AGENT_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
MOST_ENTRIES = 100
MOST_METHOD = 4_000
"""Characters of the steps that a prompt variant is given."""
MOST_DOLLARS = Decimal(10_000)
"""Per million tokens. A higher price is a mistake of units."""
_PARTS = {"about", "options", "models", "statistical", "consensus"}
_MODEL_FIELDS = {"agent_id": str, "name": str, "model": str, "enabled": bool, "prices": dict}
_OWN_OPTIONS = ("max_tokens", "reasoning", "temperature", "quantizations", "replicates")
_RULE_FIELDS = {"agent_id": str, "name": str, "rule": str, "about": str}
_CONSENSUS_FIELDS = {"agent_id": str, "name": str, "about": str}
_TYPE_NAMES = {str: "a text", bool: "true or false", dict: "an object"}


@dataclass(frozen=True, slots=True)
class Roster:
    """The enabled contestants, as rows without season and status."""

    models: tuple[Mapping[str, Any], ...]
    others: tuple[Mapping[str, Any], ...]
    """Statistical contestants and the consensus, which need no key."""


@cache
def roster() -> Roster:
    """The roster that ships with the package."""
    return parse(shipped_document())


def shipped_document() -> dict[str, Any]:
    """The document of the package, unchecked."""
    document: dict[str, Any] = strict_json(files("coliseum.arena.agents").joinpath("roster.json").read_text())
    return document


def problems_of(document: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with a roster document; empty where it can be parsed."""
    problems: list[str] = []
    if unknown := sorted(document.keys() - _PARTS):
        problems.append(f"{unknown[0]}: only {', '.join(sorted(_PARTS))} are known")
    for part in ("models", "statistical", "consensus"):
        entries = document.get(part)
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            problems.append(f"{part}: expected a list of objects")
        elif len(entries) > MOST_ENTRIES:
            problems.append(f"{part}: expected at most {MOST_ENTRIES} entries, got {len(entries)}")
    if not isinstance(document.get("options"), Mapping):
        problems.append("options: expected an object")
    if problems:
        return problems
    for entry in document["models"]:
        problems += _problem(lambda entry=entry: _checked_model(entry, document["options"]))  # type: ignore[misc]
    for entry in document["statistical"]:
        problems += _problem(lambda entry=entry: _statistical(entry))  # type: ignore[misc]
    return problems or _problem(lambda: parse(document))


def _problem(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except InvalidInput as error:
        return [str(error)]
    return []


def parse(document: Mapping[str, Any]) -> Roster:
    """The enabled contestants of a roster document.

    Raises InvalidInput for a field that is missing, unknown or of the wrong type, an unknown rule, a model slug without
    vendor, an unknown track, a repeated id, an id of outside agents, and a rule whose track contradicts what it reads.
    """
    checked = [_checked_model(entry, document["options"]) for entry in document["models"]]
    models = [row for row, entry in zip(checked, document["models"], strict=True) if entry["enabled"]]
    others = [_statistical(entry) for entry in document["statistical"]]
    # The stored row of the consensus lists the contestants that it leaves out.
    left_out = [entry["agent_id"] for entry in document["statistical"] if not entry["in_consensus"]]
    others += [_consensus(entry, left_out) for entry in document["consensus"]]
    ids = [row["agent_id"] for row in (*models, *others)]
    if repeated := next((agent_id for agent_id in ids if ids.count(agent_id) > 1), None):
        raise InvalidInput("agent_id", repeated, "an id that no other contestant has")
    if taken := next((agent_id for agent_id in ids if agent_id.startswith(ENTRANT_PREFIX)), None):
        raise InvalidInput(
            "agent_id", taken, f"an id that does not begin with {ENTRANT_PREFIX}, which marks outside agents"
        )
    return Roster(tuple(models), tuple(others))


def prices_of(params: Mapping[str, Any]) -> Prices:
    """The prices in a model's row."""
    return Prices(Decimal(params["prices"]["input"]), Decimal(params["prices"]["output"]))


def options_of(params: Mapping[str, Any]) -> Options:
    """The request options in a model's row."""
    options = params["options"]
    return Options(
        max_tokens=options["max_tokens"],
        reasoning=options["reasoning"],
        temperature=options.get("temperature"),
        quantizations=tuple(options.get("quantizations", ())),
        output_retries=options["output_retries"],
        cache_seconds=options["cache_seconds"],
    )


def replicates_of(params: Mapping[str, Any]) -> int:
    """How often a model's row has it asked about each question."""
    return int(params["options"].get("replicates", 1))


def _check_fields(entry: Mapping[str, Any], required: Mapping[str, type], *, optional: Sequence[str] = ()) -> None:
    """Raises InvalidInput unless the entry has the `required` fields in their types, and no field beyond `optional`."""
    place = f"in the roster entry of {entry.get('agent_id', 'a contestant without agent_id')}"
    for name, kind in required.items():
        if not isinstance(entry.get(name), kind):
            raise InvalidInput(name, entry.get(name), f'"{name}", {_TYPE_NAMES[kind]}, {place}')
    if unknown := sorted(entry.keys() - required.keys() - set(optional)):
        known = ", ".join((*required, *optional))
        raise InvalidInput(unknown[0], entry[unknown[0]], f"only the fields {known} {place}")


def _checked_model(entry: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a model's entry, also of one that is not enabled."""
    _check_fields(entry, _MODEL_FIELDS, optional=(*_OWN_OPTIONS, "tracks", "method"))
    _check_method(entry)
    if not AGENT_ID.fullmatch(entry["agent_id"]):
        raise InvalidInput("agent_id", entry["agent_id"], "small letters, digits, dots and hyphens, at most 64")
    _check_options({**shared, **entry}, place=f"in the roster entry of {entry['agent_id']}")
    return _model(entry, shared)


def _check_method(entry: Mapping[str, Any]) -> None:
    """Raises InvalidInput for a prompt variant whose steps a prompt cannot hold as they stand."""
    method = entry.get("method")
    if method is None:
        return
    clean = isinstance(method, str) and "\n".join(clean_lines(method, most=MOST_METHOD)) == method
    if not clean or not method:
        expected = (
            f"a text of 1 to {MOST_METHOD} visible characters in lines without blanks at their ends, "
            f"in the roster entry of {entry['agent_id']}"
        )
        raise InvalidInput("method", method, expected)


def _check_options(options: Mapping[str, Any], *, place: str) -> None:
    """Raises InvalidInput for an option that a request could not carry."""
    max_tokens, temperature = options.get("max_tokens"), options.get("temperature")
    if type(max_tokens) is not int or not 100 <= max_tokens <= 64_000:
        raise InvalidInput("max_tokens", max_tokens, f"a whole number from 100 to 64000 {place}")
    if options.get("reasoning") not in {None, "minimal", "low", "medium", "high"}:
        raise InvalidInput("reasoning", options.get("reasoning"), f"minimal, low, medium, high or null {place}")
    if temperature is not None and (type(temperature) not in {int, float} or not 0 <= temperature <= 2):
        raise InvalidInput("temperature", temperature, f"a number from 0 to 2 {place}")
    replicates = options.get("replicates", 1)
    if type(replicates) is not int or not 1 <= replicates <= MOST_REPLICATES:
        raise InvalidInput("replicates", replicates, f"a whole number from 1 to {MOST_REPLICATES} {place}")
    formats = options.get("quantizations", [])
    if not isinstance(formats, list) or not all(isinstance(name, str) for name in formats):
        raise InvalidInput("quantizations", formats, f"a list of texts {place}")


def _model(entry: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: entry[name] for name in _OWN_OPTIONS if name in entry}
    params = {"prices": entry["prices"], "options": {**shared, **own}}
    if entry.get("method") is not None:
        params["method"] = entry["method"]
    try:
        prices = prices_of(params)
        options_of(params)  # an entry that cannot be read fails here, not at the first decision
        are_prices = all(price.is_finite() and 0 <= price <= MOST_DOLLARS for price in (prices.input, prices.output))
    except (KeyError, TypeError, ArithmeticError):
        are_prices = False
    are_texts = all(isinstance(value, str) for value in entry["prices"].values())
    if not are_prices or not are_texts or entry["prices"].keys() != {"input", "output"}:
        expected = f"input and output in US dollars per million tokens as texts, for {entry['agent_id']}"
        raise InvalidInput("prices", entry["prices"], expected)
    row = {"agent_id": entry["agent_id"], "kind": "llm", "name": entry["name"], "params": params}
    return {**row, "tracks": _model_tracks(entry), "model": canonical_model(entry["model"])}


def _model_tracks(entry: Mapping[str, Any]) -> list[str]:
    """The tracks of a model's entry, in their usual order."""
    named = entry.get("tracks", BOTH)
    known = isinstance(named, list) and all(track in MODEL_TRACKS for track in named)
    if not known or not named or len(set(named)) < len(named):
        expected = f"a list of some of {', '.join(MODEL_TRACKS)}, each once, in the roster entry of {entry['agent_id']}"
        raise InvalidInput("tracks", named, expected)
    return [track for track in MODEL_TRACKS if track in named]


def _statistical(entry: Mapping[str, Any]) -> dict[str, Any]:
    _check_fields(entry, _RULE_FIELDS, optional=("track", "in_consensus", "parameters"))
    rule = entry["rule"]
    if rule not in RULES:
        raise InvalidInput("rule", rule, f"one of {', '.join(RULES)}")
    if not isinstance(entry.get("in_consensus"), bool):
        expected = f'"in_consensus": true or false in the roster entry of rule {rule}'
        raise InvalidInput("in_consensus", entry.get("in_consensus"), expected)
    params = {"rule": rule, "about": entry["about"], "parameters": entry.get("parameters", {})}
    row = {"agent_id": entry["agent_id"], "kind": "statistical", "name": entry["name"], "model": None}
    return {**row, "tracks": [_track(entry)], "params": params}


def _track(entry: Mapping[str, Any]) -> str:
    """The track of a rule's entry, checked against what the rule reads."""
    rule, track = entry["rule"], entry.get("track")
    right = Track.AWARE if reads_price(RULES[rule], entry.get("parameters", {})) else Track.BLIND
    if track != right:
        reads = "a price" if right is Track.AWARE else "no price"
        expected = f'"track": "{right.value}" in the roster entry of rule {rule}, which reads {reads}'
        raise InvalidInput("track", track, expected)
    return right.value


def _consensus(entry: Mapping[str, Any], left_out: list[str]) -> dict[str, Any]:
    _check_fields(entry, _CONSENSUS_FIELDS)
    params = {"about": entry["about"], "leaves_out": left_out}
    row = {"agent_id": entry["agent_id"], "kind": "consensus", "name": entry["name"], "model": None}
    return {**row, "tracks": BOTH, "params": params}
