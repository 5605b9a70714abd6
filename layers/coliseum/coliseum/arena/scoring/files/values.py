"""Raw values of a row into ours; what is refused says what was expected. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from coliseum.arena.scoring.cells import STRUCTURES, Cell

COLUMNS = tuple(one.name for one in fields(Cell))
OUTCOMES: dict[str, int | None] = {
    **dict.fromkeys(("1", "1.0", "yes", "true"), 1),
    **dict.fromkeys(("0", "0.0", "no", "false"), 0),
    **dict.fromkeys(("", "void", "scalar", "null"), None),
}
_LARGEST_OUTCOMES = 100_000


def values_of(row: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """(column -> value, complaints). Empty values are None."""
    found: dict[str, Any] = {}
    complaints: list[str] = []
    for name, raw in row.items():
        text = "" if raw is None else raw.strip() if isinstance(raw, str) else json.dumps(raw)
        try:
            found[name] = _READERS.get(name, _label)(text) if text or name in _ALWAYS else None
        except ValueError as error:
            complaints.append(f"{name}: got {_shown(raw)}, expected {error}")
    return found, complaints


def _name(text: str) -> str:
    if not text:
        raise ValueError("a name")
    return text


def _label(text: str) -> str:
    return text


def _outcome(text: str) -> int | None:
    if text.lower() not in OUTCOMES:
        raise ValueError("1, 0, yes, no, or nothing for void and unsettled markets")
    return OUTCOMES[text.lower()]


def _probability(text: str) -> float:
    value = _finite(text)
    if value is None or not 0 <= value <= 1:
        raise ValueError("a probability between 0 and 1")
    return value


def _number(text: str) -> float:
    value = _finite(text)
    if value is None:
        raise ValueError("a number")
    return value


def _count(text: str) -> int:
    value = _finite(text)
    if value is None or not 1 <= value <= _LARGEST_OUTCOMES or value != int(value):
        raise ValueError("a whole number above 0")
    return int(value)


def _structure(text: str) -> str:
    if text not in STRUCTURES:
        raise ValueError("one of " + ", ".join(STRUCTURES) + ", or nothing")
    return text


def _moment(text: str) -> float:
    seconds = _finite(text)
    if seconds is not None:
        return seconds
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ValueError("a time as 2026-11-21T12:00:00Z, or unix seconds") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _shown(raw: Any) -> str:
    text = json.dumps(raw, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."


_ALWAYS = frozenset({"agent", "market", "y"})
"""Columns whose empty value means something, or is refused."""
_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("agent", "market"), _name),
    **dict.fromkeys(("p", "q", "yes_ask", "no_ask", "q_1h", "q_24h", "q_close"), _probability),
    **dict.fromkeys(("volume", "strike"), _number),
    "y": _outcome,
    "outcomes": _count,
    "structure": _structure,
    "settled_at": _moment,
}
