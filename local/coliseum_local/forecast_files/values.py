"""Reads the texts of a file into values. A refused text gives an error that says what was expected. Pure."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, fields

from coliseum.arena.scoring.cell import ROLES, STRUCTURES, Cell
from coliseum_local.forecast_files.times import Moment, moment

COLUMNS = (*(field.name for field in fields(Cell)), "replicate")
"""A file has a row for each replicate of a question, from which `noise` is computed, or one row with its `noise`."""
MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "<na>", "null", "none", "nat"})
"""How programs write that a value is missing, in lower case."""
OUTCOMES: dict[str, float] = {  # NaN: not graded
    **dict.fromkeys(("yes", "true"), 1.0),
    **dict.fromkeys(("no", "false"), 0.0),
    **dict.fromkeys(("void", "scalar", *MISSING), math.nan),
}
LONGEST_LABEL = 500
_LARGEST_OUTCOMES = 100_000


@dataclass(frozen=True, slots=True)
class Reader:
    """How the texts of a column become values. NaN and the empty text mean absent."""

    read: Callable[[str], float | str | Moment]
    """Takes a text without surrounding white space. Raises ValueError, whose message says what was expected."""
    absent: float | str
    numbers: tuple[float, float] | None = None
    """The least and the greatest value, if the column holds plain numbers."""

    def __call__(self, text: str) -> float | str | Moment:
        return self.read(text.strip())


def problem_text(name: str, text: str, expected: ValueError) -> str:
    """The message about a text that cannot be read: its column, the text, and what was expected."""
    shown = json.dumps(text.strip(), ensure_ascii=False)
    return f"{name}: got {shown if len(shown) <= 40 else shown[:37] + '...'}, expected {expected}"


def _name(text: str) -> str:
    if not text:
        raise ValueError("a name")
    if is_missing(text):
        raise ValueError("a name; this text stands for a missing value")
    return _label(text)


def _label(text: str) -> str:
    if not text.isprintable() and any(_controls(character) for character in text):
        raise ValueError("a text without control characters and changes of the direction of writing")
    if len(text) > LONGEST_LABEL:
        raise ValueError(f"a text of at most {LONGEST_LABEL} characters")
    return "" if is_missing(text) else text


def _controls(character: str) -> bool:
    """Whether a character changes how the text around it is shown: a table could show another name than it has."""
    return unicodedata.category(character) in {"Cc", "Cs"} or unicodedata.bidirectional(character) in {
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"
    }  # fmt: skip


def is_missing(text: str) -> bool:
    """Whether a text is the mark of a missing value."""
    return text.lower() in MISSING


def _outcome(text: str) -> float:
    value = OUTCOMES.get(text.lower(), _finite(text))
    if value is None or not (math.isnan(value) or 0 <= value <= 1):
        raise ValueError("1, 0, yes, no, a fraction between 0 and 1, or nothing for void and unsettled markets")
    return value


def _probability(text: str) -> float:
    if is_missing(text):
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
    value = math.nan if is_missing(text) else _finite(text)
    if value is None:
        plain = _finite(text.replace(",", "").replace(" ", ""))
        raise ValueError("a number" if plain is None else "a number with a decimal point and without other marks")
    return value


def _variance(text: str) -> float:
    value = math.nan if is_missing(text) else _finite(text)
    if value is None or (not math.isnan(value) and not 0 <= value <= 1):
        raise ValueError("a variance of probabilities, 0 to 1")
    return value


def _count(text: str) -> float:
    value = math.nan if is_missing(text) else _finite(text)
    if value is None or (not math.isnan(value) and (not 1 <= value <= _LARGEST_OUTCOMES or value != int(value))):
        raise ValueError("a whole number above 0")
    return value


def _role(text: str) -> str:
    if is_missing(text):
        return ""
    if text not in ROLES:
        raise ValueError("one of " + ", ".join(ROLES) + ", or nothing for a competitor")
    return text


def _structure(text: str) -> str:
    if is_missing(text):
        return ""
    if text not in STRUCTURES:
        raise ValueError("one of " + ", ".join(STRUCTURES) + ", or nothing")
    return text


def _time(text: str) -> float | Moment:
    return math.nan if is_missing(text) else moment(text)


def _due_time(text: str) -> float | Moment:
    """As `_time`; `inf` means that the market's cluster was not due yet when the file was made."""
    return math.inf if text.lower() == "inf" else _time(text)


def _finite(text: str) -> float | None:
    """The number, or None if the text is not a finite number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None  # Python would read 0_1 as 1


_PROBABILITY = Reader(_probability, math.nan, numbers=(0.0, 1.0))
_NUMBER = Reader(_number, math.nan, numbers=(-math.inf, math.inf))
READERS: dict[str, Reader] = {
    **dict.fromkeys(COLUMNS, Reader(_label, "")),
    **dict.fromkeys(("agent", "market"), Reader(_name, "")),
    **dict.fromkeys(("p", "q", "yes_ask", "no_ask", "q_1h", "q_24h", "q_close"), _PROBABILITY),
    **dict.fromkeys(("volume", "strike"), _NUMBER),
    "y": Reader(_outcome, math.nan),
    "outcomes": Reader(_count, math.nan),
    "noise": Reader(_variance, math.nan, numbers=(0.0, 1.0)),
    "structure": Reader(_structure, ""),
    "due_at": Reader(_due_time, math.nan),
    "settled_at": Reader(_time, math.nan),
    "role": Reader(_role, ""),
}
