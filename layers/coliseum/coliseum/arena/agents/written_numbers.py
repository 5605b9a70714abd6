"""Numbers as models write them: `0.62`, `"62 %"`, `"65 percent"`, `"0,65"`, `"60-70%"`. Pure.

A text is one number or one range. Every other text is refused, because a guess could be sealed as a forecast.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from coliseum.trading.money import ONE

HUNDRED = Decimal(100)
MISSING = frozenset({"", "null", "none", "n/a", "na", "unknown", "-"})
"""Texts that stand for a value that is not there."""

LONGEST_TEXT = 80
"""Characters of a number or range in words: "between about 60 and 70 percent"."""

_NUMBER = r"\+?(?:\d{1,40}(?:[.,]\d{1,40})?|[.,]\d{1,40})(?:[eE][+-]?\d{1,3})?"
_MARK = r"(?:%|percent|per\s?cent|pct\.?)"
_APPROXIMATELY = r"(?:(?:about|approximately|approx\.?|around|roughly|circa|ca\.|~|≈)\s{0,3})?"
_MARKED = rf"({_NUMBER})\s{{0,3}}({_MARK})?"
_DASH = r"\s{0,3}(?:-|\u2010|\u2011|\u2013|\u2014|\u2212|\.\.\.?|\bto\b)\s{0,3}"
ONE_PATTERN = rf"{_APPROXIMATELY}{_MARKED}"
RANGE_PATTERN = rf"{_APPROXIMATELY}(?:from\s{{1,3}})?{_MARKED}{_DASH}{_MARKED}"
BETWEEN_PATTERN = rf"{_APPROXIMATELY}between\s{{1,3}}{_MARKED}\s{{1,3}}and\s{{1,3}}{_MARKED}"
_ONE = re.compile(ONE_PATTERN, re.IGNORECASE)
_RANGE = re.compile(RANGE_PATTERN, re.IGNORECASE)
_BETWEEN = re.compile(BETWEEN_PATTERN, re.IGNORECASE)
_THOUSANDS = re.compile(r"\+?[1-9]\d{0,2},\d{3}(?!\d)")
_WRAPPERS = frozenset({"value", "probability", "estimate"})


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its unit where the text names one."""

    value: Decimal
    percent: bool
    """The text names the unit: `%` or `percent`."""

    @property
    def small(self) -> bool:
        """It could be a fraction as well as a percentage."""
        return not self.percent and self.value <= ONE

    def fraction(self, *, small_as_percent: bool) -> Decimal:
        """As a fraction of one. `small_as_percent` decides about a number that could be either."""
        return self.value if self.small and not small_as_percent else self.value / HUNDRED


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in a field: one number, or the two ends of a range."""

    ends: tuple[Number, ...]
    repairs: tuple[str, ...] = ()

    def fraction(self, *, small_as_percent: bool) -> Decimal | None:
        """The number, or the middle of the range. None where the first end would be greater than the second."""
        values = [end.fraction(small_as_percent=small_as_percent) for end in self.ends]
        return None if values[0] > values[-1] else sum(values, Decimal(0)) / len(values)

    @property
    def in_percent(self) -> bool:
        """It can only be a percentage, or its second end names the unit."""
        return any(not end.small for end in self.ends)


def written(value: Any) -> Written | None:
    """The number or range in `value`; None where nothing stands there. Raises ValueError with the reason."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1:
        return _noted(written(value[0]), "one_element_array")
    if isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in _WRAPPERS:
        return _noted(written(next(iter(value.values()))), "wrapped")
    if value is None:
        return None
    if isinstance(value, bool):
        raise ValueError("expected a number, got true or false")  # noqa: TRY004 - pydantic reports ValueErrors only
    if isinstance(value, int | float | Decimal):
        return Written((_number_of(value),))
    if isinstance(value, str):
        return _in_text(value)
    raise ValueError("expected a number such as 0.62")


def _number_of(value: float | Decimal) -> Number:
    if not isinstance(value, int) and not math.isfinite(value):
        raise ValueError("expected a number such as 0.62, got NaN or infinity")
    return Number(_checked(Decimal(repr(value)) if isinstance(value, float) else Decimal(value), str(value)), False)


def _in_text(text: str) -> Written | None:
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain.lower() in MISSING:
        return None
    if len(plain) > LONGEST_TEXT:
        raise ValueError(f"{_shown(text)} is not one number or one range")
    if _THOUSANDS.search(plain):
        raise ValueError(f"{_shown(text)} could have a decimal comma or a comma between thousands")
    if (match := _ONE.fullmatch(plain)) is not None:
        number, mark = match.groups()
        return Written((_parsed(number, mark),), _notes(plain, mark, number_as_text=True))
    for pattern in (_RANGE, _BETWEEN):
        if (match := pattern.fullmatch(plain)) is not None:
            low, low_mark, high, high_mark = match.groups()
            ends = (_parsed(low, low_mark), _parsed(high, high_mark))
            return Written(ends, ("range_middle", *_notes(plain, low_mark or high_mark, number_as_text=False)))
    raise ValueError(f"{_shown(text)} is not one number or one range")


def _notes(text: str, mark: str | None, *, number_as_text: bool) -> tuple[str, ...]:
    notes = ["percent"] if mark else []
    if re.search(r"\d,\d|(?<!\d),\d", text):
        notes.append("decimal_comma")
    return tuple(notes) or (("number_as_text",) if number_as_text else ())


def _parsed(number: str, mark: str | None) -> Number:
    return Number(_checked(Decimal(number.replace(",", ".")), number), bool(mark))


def _checked(value: Decimal, text: str) -> Decimal:
    if not 0 <= value <= HUNDRED:
        raise ValueError(f"{_shown(text)} is neither a fraction from 0 to 1 nor a percentage from 0 to 100")
    return value


def _noted(found: Written | None, repair: str) -> Written | None:
    return None if found is None else Written(found.ends, (repair, *found.repairs))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
