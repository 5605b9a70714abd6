"""Whether a reply is in fractions or in percent. Pure.

Models are asked for a fraction from 0.01 to 0.99. Some answer in percent, and 0.5 can then be 50 % or half a percent.
The range decides: `low <= probability <= high` holds in the right unit only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from coliseum.arena.agents.written_numbers import Written
from coliseum.trading.money import ONE

LEAST_PERCENT = 2
"""A number without a unit and without a range is a percentage from this value on. 1.7 alone is more likely a slip."""


@dataclass(frozen=True, slots=True)
class WrittenOdds:
    """A probability with its range, as fractions. `in_percent`: numbers up to 1 were percentages, too."""

    probability: Decimal
    low: Decimal | None
    high: Decimal | None
    in_percent: bool
    repairs: tuple[str, ...] = ()


def read_odds(probability: Written, low: Written | None, high: Written | None) -> WrittenOdds:
    """The only meaning that the three numbers have together. Raises ValueError where there is none, or more than one.

    A number above 1 is a percentage. Numbers up to 1 without a unit are all fractions or all percentages.
    """
    fits = [odds for percent in (False, True) if (odds := _fit(probability, low, high, percent)) is not None]
    if fits:
        return _only_meaning(fits, probability, low, high)
    if (low is not None or high is not None) and all(end.percent for end in probability.ends):
        # Its unit is named. The range that contradicts it is left out, not changed.
        return replace(read_odds(probability, None, None), repairs=("dropped:range",))
    raise ValueError(_no_unit(low, high))


def _fit(probability: Written, low: Written | None, high: Written | None, percent: bool) -> WrittenOdds | None:
    values = [None if part is None else part.fraction(small_as_percent=percent) for part in (low, probability, high)]
    parts = (low, probability, high)
    if any(value is None for value, part in zip(values, parts, strict=True) if part is not None):
        return None
    known = [value for value in values if value is not None]
    middle = values[1]
    if middle is None or known != sorted(known):
        return None
    return WrittenOdds(middle, values[0], values[2], percent)


def _only_meaning(
    fits: list[WrittenOdds], probability: Written, low: Written | None, high: Written | None
) -> WrittenOdds:
    others = [part for part in (low, high) if part is not None]
    percent_seen = any(part.in_percent for part in (probability, *others))
    if len(fits) == 1:
        return _checked_alone(fits[0], probability, alone=not others)
    fraction, percentage = fits
    if fraction.probability == percentage.probability:  # a zero, or a number whose unit is known
        return _checked_alone(fraction, probability, alone=not others)
    if percent_seen:
        raise ValueError(f"the probability could be {_shown(fraction)} or {_shown(percentage)}: both fit its range")
    if fraction.probability == ONE:
        raise ValueError("a probability of 1 could be certainty or 1 %: expected a fraction from 0.01 to 0.99")
    return fraction  # the unit that was asked for


def _checked_alone(odds: WrittenOdds, probability: Written, *, alone: bool) -> WrittenOdds:
    unmarked = [end.value for end in probability.ends if not end.percent]
    if alone and len(probability.ends) == 1 and unmarked and 1 < unmarked[0] < LEAST_PERCENT:
        raise ValueError(f"{unmarked[0]} names no unit, and no range decides it: expected a fraction from 0.01 to 0.99")
    return odds


def _no_unit(low: Written | None, high: Written | None) -> str:
    if low is None and high is None:
        return "the ends of the probability's range are not in order: expected a fraction from 0.01 to 0.99"
    return "the probability is not between low and high, neither in fractions nor in percent"


def _shown(odds: WrittenOdds) -> str:
    return f"{(odds.probability * 100).normalize():f} %"
