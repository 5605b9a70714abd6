"""Texts into our values; what is refused says what was expected. Pure."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from coliseum.arena.scoring.cells import STRUCTURES, Cell

COLUMNS = (*(one.name for one in fields(Cell) if one.name != "noise"), "replicate")
"""Replicates of a question are told row by row; their noise is reckoned from them."""
OUTCOMES: dict[str, float] = {
    **dict.fromkeys(("1", "1.0", "yes", "true"), 1.0),
    **dict.fromkeys(("0", "0.0", "no", "false"), 0.0),
    **dict.fromkeys(("", "void", "scalar", "null"), math.nan),
}
_LARGEST_OUTCOMES = 100_000


@dataclass(frozen=True, slots=True)
class Reader:
    """How a column's texts become values. NaN and "" are absent."""

    read: Callable[[str], float | str]
    """Of a text without white space around it. Raises ValueError that says what was expected."""
    absent: float | str

    def __call__(self, text: str) -> float | str:
        return self.read(text.strip())


def refusal(name: str, text: str, expected: ValueError) -> str:
    """What is said of a text that cannot be read."""
    shown = json.dumps(text.strip(), ensure_ascii=False)
    return f"{name}: got {shown if len(shown) <= 40 else shown[:37] + '...'}, expected {expected}"


def _name(text: str) -> str:
    if not text:
        raise ValueError("a name")
    return _label(text)


def _label(text: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError("a text without control characters")
    return text


def _outcome(text: str) -> float:
    if text.lower() not in OUTCOMES:
        raise ValueError("1, 0, yes, no, or nothing for void and unsettled markets")
    return OUTCOMES[text.lower()]


def _probability(text: str) -> float:
    if not text:
        return math.nan
    value = _finite(text)
    if value is None or not 0 <= value <= 1:
        raise ValueError(f"a probability between 0 and 1, or nothing{_meant(text)}")
    return value


def _meant(text: str) -> str:
    """A guess for those who write per cent, or a comma."""
    number = _finite(text.removesuffix("%").strip().replace(",", "."))
    if number is None or not text.endswith("%"):
        number = None if "," not in text else number
    else:
        number /= 100
    return f" ({number:g}?)" if number is not None and 0 <= number <= 1 else ""


def _number(text: str) -> float:
    value = _finite(text) if text else math.nan
    if value is None:
        raise ValueError("a number")
    return value


def _count(text: str) -> float:
    value = _finite(text) if text else math.nan
    if value is None or (text and (not 1 <= value <= _LARGEST_OUTCOMES or value != int(value))):
        raise ValueError("a whole number above 0")
    return value


def _structure(text: str) -> str:
    if text and text not in STRUCTURES:
        raise ValueError("one of " + ", ".join(STRUCTURES) + ", or nothing")
    return text


def _moment(text: str) -> float:
    """Unix seconds; a time without a zone is UTC."""
    seconds = _finite(text) if text else math.nan
    if seconds is not None:
        return seconds
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("a time as 2026-11-21T12:00:00Z, or unix seconds") from None


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None  # Python reads 0_1 as 1


READERS: dict[str, Reader] = {
    **dict.fromkeys(COLUMNS, Reader(_label, "")),
    **dict.fromkeys(("agent", "market"), Reader(_name, "")),
    **dict.fromkeys(("p", "q", "yes_ask", "no_ask", "q_1h", "q_24h", "q_close"), Reader(_probability, math.nan)),
    **dict.fromkeys(("volume", "strike"), Reader(_number, math.nan)),
    "y": Reader(_outcome, math.nan),
    "outcomes": Reader(_count, math.nan),
    "structure": Reader(_structure, ""),
    **dict.fromkeys(("due_at", "settled_at"), Reader(_moment, math.nan)),
}
