"""Reads the texts of a file into values. A refused text gives an error that says what was expected. Pure."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from coliseum.arena.scoring.cell import ROLES, STRUCTURES, Cell

COLUMNS = (*(field.name for field in fields(Cell) if field.name != "noise"), "replicate")
"""A file has a row for each replicate of a question. `noise` is computed from them."""
OUTCOMES: dict[str, float] = {  # NaN: not graded
    **dict.fromkeys(("1", "1.0", "yes", "true"), 1.0),
    **dict.fromkeys(("0", "0.0", "no", "false"), 0.0),
    **dict.fromkeys(("", "void", "scalar", "null"), math.nan),
}
_LARGEST_OUTCOMES = 100_000


@dataclass(frozen=True, slots=True)
class Reader:
    """How the texts of a column become values. NaN and the empty text mean absent."""

    read: Callable[[str], float | str]
    """Takes a text without surrounding white space. Raises ValueError, whose message says what was expected."""
    absent: float | str

    def __call__(self, text: str) -> float | str:
        return self.read(text.strip())


def problem_text(name: str, text: str, expected: ValueError) -> str:
    """The message about a text that cannot be read: its column, the text, and what was expected."""
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
    value = OUTCOMES.get(text.lower(), _finite(text))
    if value is None or not (math.isnan(value) or 0 <= value <= 1):
        raise ValueError("1, 0, yes, no, a fraction between 0 and 1, or nothing for void and unsettled markets")
    return value


def _probability(text: str) -> float:
    if not text:
        return math.nan
    value = _finite(text)
    if value is None or not 0 <= value <= 1:
        raise ValueError(f"a probability between 0 and 1, or nothing{_hint(text)}")
    return value


def _hint(text: str) -> str:
    """A hint such as " (0.5?)" for a text in per cent or with a decimal comma, otherwise nothing."""
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


def _role(text: str) -> str:
    if text and text not in ROLES:
        raise ValueError("one of " + ", ".join(ROLES) + ", or nothing for a competitor")
    return text


def _structure(text: str) -> str:
    if text and text not in STRUCTURES:
        raise ValueError("one of " + ", ".join(STRUCTURES) + ", or nothing")
    return text


def _unix_seconds(text: str) -> float:
    """Unix seconds. A time without a zone is UTC."""
    seconds = _finite(text) if text else math.nan
    if seconds is not None:
        return seconds
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("a time as 2026-11-21T12:00:00Z, or unix seconds") from None


def _due_time(text: str) -> float:
    """As `_unix_seconds`; `inf` means that the market's cluster was not due yet when the file was made."""
    return math.inf if text.lower() == "inf" else _unix_seconds(text)


def _finite(text: str) -> float | None:
    """The number, or None if the text is not a finite number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None  # Python would read 0_1 as 1


READERS: dict[str, Reader] = {
    **dict.fromkeys(COLUMNS, Reader(_label, "")),
    **dict.fromkeys(("agent", "market"), Reader(_name, "")),
    **dict.fromkeys(("p", "q", "yes_ask", "no_ask", "q_1h", "q_24h", "q_close"), Reader(_probability, math.nan)),
    **dict.fromkeys(("volume", "strike"), Reader(_number, math.nan)),
    "y": Reader(_outcome, math.nan),
    "outcomes": Reader(_count, math.nan),
    "structure": Reader(_structure, ""),
    "due_at": Reader(_due_time, math.nan),
    "settled_at": Reader(_unix_seconds, math.nan),
    "role": Reader(_role, ""),
}
