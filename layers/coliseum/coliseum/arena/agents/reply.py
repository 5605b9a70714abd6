"""The schema of a model's answer. It accepts what can be corrected safely, because a retry costs money. Pure.

The reasons come before the probability, since a model writes from top to bottom. There is no field for confidence: the
width of the range shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from coliseum.arena.forecasts import Forecast, clamped
from coliseum.llm.results import storable_text
from coliseum.trading.money import ONE, ZERO

LARGEST_STAKE = 500
"""Dollars: the 5 % of a season's deposit that an account may hold in one market."""


LEAST_PERCENT = 2
"""A number without a percent sign is a percentage from this value on."""


def _unit(value: Any) -> Any:
    """`"62%"`, `"62 %"`, `62` and `0.62` are the same; a number between 1 and 2 could be either and is refused."""
    if isinstance(value, bool):
        raise ValueError("a probability is a number")  # noqa: TRY004 - pydantic turns ValueErrors into its own
    if isinstance(value, str):
        text = value.strip().rstrip("%").strip()
        try:
            number = float(text)
        except ValueError:
            return value
        percent = value.strip().endswith("%")
    elif isinstance(value, int | float):
        number, percent = float(value), False
    else:
        return value
    if percent or LEAST_PERCENT <= number <= 100:
        number /= 100
    return min(0.99, max(0.01, number)) if 0 <= number <= 1 else value


def _optional_unit(value: Any) -> Any:
    """As `_unit`; an empty text, "null", "none" and "n/a" are None."""
    return None if isinstance(value, str) and value.strip().lower() in {"", "null", "none", "n/a"} else _unit(value)


def _clipped(length: int) -> Callable[[Any], Any]:
    return lambda value: storable_text(value)[:length] if isinstance(value, str) else value


def _shortened(items: int, length: int) -> Callable[[Any], Any]:
    def shorten(value: Any) -> Any:
        values = [value] if isinstance(value, str) else value
        return [_clipped(length)(item) for item in values[:items]] if isinstance(values, list) else values

    return shorten


def _dollars(value: Any) -> Any:
    """`"$50"` and `50` are the same; a stake is limited to 0 to LARGEST_STAKE."""
    if isinstance(value, str):
        value = value.strip().lstrip("$").replace(",", "")
    try:
        return min(float(LARGEST_STAKE), max(0.0, float(value)))
    except (TypeError, ValueError):
        return value


Probability = Annotated[float, BeforeValidator(_unit), Field(ge=0, le=1)]
MaybeProbability = Annotated[float | None, BeforeValidator(_optional_unit)]
Short = Annotated[str, BeforeValidator(_clipped(200)), Field(max_length=200)]
Points = Annotated[list[str], BeforeValidator(_shortened(4, 160)), Field(max_length=4)]


_ENDS = frozenset({"low", "probability", "high"})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class ForecastReply(BaseModel):
    """Your forecast for one market. Fill in the fields in their order."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    resolution_reading: Annotated[
        str, BeforeValidator(_clipped(300)), Field(max_length=300, description="What exactly makes this resolve YES.")
    ]
    base_rate: MaybeProbability = Field(description="How often this happens in the reference class, or null.")
    base_rate_source: Short = Field(description="The reference class, as n of N where you can.")
    yes_factors: Points = Field(description="Strongest evidence for YES, at most 4 points.")
    no_factors: Points = Field(description="Strongest evidence for NO, at most 4 points.")
    key_uncertainty: Short = Field(description="What would change your mind.")
    rationale: Annotated[str, BeforeValidator(_clipped(900)), Field(max_length=900)]
    probability: Probability = Field(description="Probability of YES, from 0.01 to 0.99.")
    low: Probability = Field(description="Low end of your 80 % range.")
    high: Probability = Field(description="High end of your 80 % range.")
    stake_usd: Annotated[float, BeforeValidator(_dollars)] = Field(
        default=0.0, description=f"Dollars you would risk on it, 0 to {LARGEST_STAKE}, of an account of 10000."
    )
    abstain: bool = Field(default=False, description="True only if the question cannot be understood.")

    @model_validator(mode="before")
    @classmethod
    def _in_one_unit(cls, values: Any) -> Any:
        """A 1 between a low of 1 and a high of 3 is one percent. Read alone it would be certainty."""
        if not isinstance(values, Mapping):
            return values
        ends = {name: value for name, value in values.items() if name in _ENDS and _is_number(value)}
        if len(ends) < len(_ENDS) or not ends["low"] <= ends["probability"] <= ends["high"] >= LEAST_PERCENT:
            return values
        return {**values, **{name: value / 100 for name, value in ends.items() if 1 <= value < LEAST_PERCENT}}

    def forecast(self) -> Forecast:
        """The answer as a Forecast: four places, and a range that includes the probability."""
        if self.abstain:
            return Forecast(probability=None, rationale=self.rationale)
        probability = _decimal(self.probability)
        ends = (_decimal(self.low), _decimal(self.high), probability)
        return Forecast(
            probability=probability,
            low=min(ends),
            high=max(ends),
            base_rate=None if self.base_rate is None else min(ONE, max(ZERO, _decimal(self.base_rate))),
            rationale=self.rationale,
            stake=Decimal(repr(self.stake_usd)).quantize(Decimal("0.01")),
        )


def _decimal(value: float) -> Decimal:
    return clamped(Decimal(repr(value)))
