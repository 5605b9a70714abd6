"""The schema of a model's answer, and what of it is corrected locally, because a retry costs money. Pure.

The reasons come before the probability, since a model writes from top to bottom. There is no field for confidence: the
width of the range shows it. What has only one meaning is read and noted as a repair. What could mean two things is
refused: a guess would be sealed as the model's forecast.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from coliseum.arena.agents.units import LEAST_PERCENT, WrittenOdds, read_odds
from coliseum.arena.agents.written_numbers import Written, written
from coliseum.arena.forecasts import HIGHEST, LOWEST, Forecast, clamped
from coliseum.llm.reading import note
from coliseum.llm.results import storable_text
from coliseum.trading.money import ONE, ZERO

LARGEST_STAKE = 500
"""Dollars: the 5 % of a season's deposit that an account may hold in one market."""
YES_WORDS, NO_WORDS = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0", "", "null", "none"})


def _plain_text(value: Any) -> str:
    """What stands where a text belongs, as text: models send null, numbers, lists and objects there."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _clipped(length: int) -> Callable[[Any, ValidationInfo], str]:
    def clip(value: Any, info: ValidationInfo) -> str:
        text = storable_text(_plain_text(value))
        if len(text) > length:
            note(info, f"cut:{info.field_name}")
        elif not isinstance(value, str):
            note(info, f"text:{info.field_name}")
        return text[:length]

    return clip


def _shortened(items: int, length: int) -> Callable[[Any, ValidationInfo], list[str]]:
    def shorten(value: Any, info: ValidationInfo) -> list[str]:
        values = value if isinstance(value, list) else [] if value is None else [value]
        texts = [storable_text(_plain_text(item)) for item in values]
        if len(texts) > items or any(len(text) > length for text in texts):
            note(info, f"cut:{info.field_name}")
        elif not isinstance(value, list):
            note(info, f"text:{info.field_name}")
        return [text[:length] for text in texts[:items]]

    return shorten


def _dollars(value: Any, info: ValidationInfo) -> float:
    """`"$50"` and `50` are the same; a stake is limited to 0 to LARGEST_STAKE. What is no number is no stake."""
    if isinstance(value, str):
        value = value.strip().lstrip("$").replace(",", "")
    try:
        return min(float(LARGEST_STAKE), max(0.0, float(value)))
    except (TypeError, ValueError, OverflowError):
        note(info, "dropped:stake_usd")
        return 0.0


def _as_bool(value: Any) -> Any:
    word = str(value).strip().lower()
    return True if word in YES_WORDS else False if word in NO_WORDS else value


_FRACTION = {"maximum": 1, "minimum": 0, "type": "number"}
"""The schema of a probability, as the model gets it. Locally it may be missing: an abstention has none."""
MaybeFraction = Annotated[float | None, Field(ge=0, le=1)]
Short = Annotated[str, BeforeValidator(_clipped(200)), Field(max_length=200)]
Points = Annotated[list[str], BeforeValidator(_shortened(4, 160)), Field(max_length=4)]


def _asked_schema(schema: dict[str, Any]) -> None:
    """The schema that the model gets asks for every field. Only the local reading goes on without some of them."""
    for name, shown in schema["properties"].items():
        if name in {"probability", "low", "high"}:
            shown.pop("anyOf")
            shown.update(_FRACTION)
        if name not in {"stake_usd", "abstain"}:
            shown.pop("default", None)
    schema["required"] = [name for name in schema["properties"] if name not in {"stake_usd", "abstain"}]


class ForecastReply(BaseModel):
    """Your forecast for one market. Fill in the fields in their order."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, json_schema_extra=_asked_schema)
    answer_fields: ClassVar[frozenset[str]] = frozenset({"probability", "abstain"})
    """An object with one of these is an answer. Two answers that are equal in these are one."""

    resolution_reading: Annotated[
        str, BeforeValidator(_clipped(300)), Field(max_length=300, description="What exactly makes this resolve YES.")
    ] = ""
    base_rate: float | None = Field(default=None, description="How often this happens in the reference class, or null.")
    base_rate_source: Short = Field(default="", description="The reference class, as n of N where you can.")
    yes_factors: Points = Field(default=[], description="Strongest evidence for YES, at most 4 points.")
    no_factors: Points = Field(default=[], description="Strongest evidence for NO, at most 4 points.")
    key_uncertainty: Short = Field(default="", description="What would change your mind.")
    rationale: Annotated[str, BeforeValidator(_clipped(900)), Field(max_length=900)] = ""
    probability: MaybeFraction = Field(default=None, description="Probability of YES, from 0.01 to 0.99.")
    low: MaybeFraction = Field(default=None, description="Low end of your 80 % range.")
    high: MaybeFraction = Field(default=None, description="High end of your 80 % range.")
    stake_usd: Annotated[float, BeforeValidator(_dollars)] = Field(
        default=0.0, description=f"Dollars you would risk on it, 0 to {LARGEST_STAKE}, of an account of 10000."
    )
    abstain: bool = Field(default=False, description="True only if the question cannot be understood.")

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: Any, info: ValidationInfo) -> Any:
        """The numbers in fractions of one. They are read together, because the range tells the unit."""
        if not isinstance(values, Mapping):
            return values
        known = _known_fields(values, cls.model_fields, info)
        known["abstain"] = _as_bool(known.get("abstain"))
        if known["abstain"] is True:
            return {**known, "probability": None, "low": None, "high": None, "base_rate": None}
        numbers = {name: _number(known, name) for name in ("probability", "low", "high")}
        if (probability := numbers["probability"]) is None:
            raise ValueError("probability: expected a fraction from 0.01 to 0.99, or abstain: true")
        odds = read_odds(probability, numbers["low"], numbers["high"])
        _note_odds(info, numbers, odds)
        rate = _base_rate(known.get("base_rate"), odds, info)
        return {**known, **_floats({"probability": odds.probability, "low": odds.low, "high": odds.high}), **rate}

    def forecast(self) -> Forecast:
        """The answer as a Forecast: four places, and nothing certain."""
        if self.abstain or self.probability is None:
            return Forecast(probability=None, rationale=self.rationale)
        return Forecast(
            probability=_decimal(self.probability),
            low=None if self.low is None else _decimal(self.low),
            high=None if self.high is None else _decimal(self.high),
            base_rate=None if self.base_rate is None else min(ONE, max(ZERO, _decimal(self.base_rate))),
            rationale=self.rationale,
            stake=Decimal(repr(self.stake_usd)).quantize(Decimal("0.01")),
        )


def _known_fields(values: Mapping[Any, Any], fields: Mapping[str, Any], info: ValidationInfo) -> dict[str, Any]:
    """The values under the fields' own names: `Yes Factors` and `yesFactors` mean `yes_factors`.

    Raises ValueError for two different values of one field.
    """
    by_letters = {name.replace("_", ""): name for name in fields}
    known: dict[str, Any] = {}
    for key, value in values.items():
        name = by_letters.get("".join(letter for letter in str(key).lower() if letter.isalnum()))
        if name is None:
            continue
        if name in known and known[name] != value:
            raise ValueError(f"{name}: the reply gives two different values")
        if name != key:
            note(info, f"name:{name}")
        known[name] = value
    for name in fields:
        if name not in known and name not in {"stake_usd", "abstain", "probability"}:
            note(info, f"missing:{name}")
    return known


def _number(known: Mapping[str, Any], name: str) -> Written | None:
    try:
        return written(known.get(name))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _note_odds(info: ValidationInfo, numbers: Mapping[str, Written | None], odds: WrittenOdds) -> None:
    for name, number in numbers.items():
        if number is None:
            continue
        for repair in number.repairs:
            note(info, f"{repair}:{name}")
        if any(not end.percent and (odds.in_percent or not end.small) and end.value for end in number.ends):
            note(info, f"percent:{name}")
    for repair in odds.repairs:
        note(info, repair)
    if not LOWEST <= odds.probability <= HIGHEST:
        note(info, "limited:probability")


def _base_rate(value: Any, odds: WrittenOdds, info: ValidationInfo) -> dict[str, float | None]:
    """It is not scored, so one that cannot be read is left out."""
    try:
        number = written(value)
    except ValueError:
        note(info, "dropped:base_rate")
        return {"base_rate": None}
    if number is None:
        return {"base_rate": None}
    rate = number.fraction(small_as_percent=odds.in_percent)
    doubtful = any(not end.percent and 1 < end.value < LEAST_PERCENT for end in number.ends)
    if rate is None or (doubtful and not odds.in_percent):
        note(info, "dropped:base_rate")
        return {"base_rate": None}
    for repair in number.repairs:
        note(info, f"{repair}:base_rate")
    return _floats({"base_rate": rate})


def _floats(values: Mapping[str, Decimal | None]) -> dict[str, float | None]:
    return {name: None if value is None else float(min(HIGHEST, max(LOWEST, value))) for name, value in values.items()}


def _decimal(value: float) -> Decimal:
    return clamped(Decimal(repr(value)))
