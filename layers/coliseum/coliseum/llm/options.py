"""How a model is asked, and what its words cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

MILLION = Decimal(1_000_000)


class OutputMode(StrEnum):
    """How a model is made to answer in a shape. `auto` is what pydantic-ai knows to suit the model."""

    AUTO = "auto"
    TOOL = "tool"
    NATIVE = "native"
    PROMPTED = "prompted"


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal

    def of(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Dollars."""
        return (self.input * input_tokens + self.output * output_tokens) / MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What goes with every request. Nothing here ever lets another model answer in a contestant's place."""

    max_tokens: int = 3000
    """Of one reply, thinking included. Always sent: OpenRouter reckons with the model's maximum otherwise."""
    reasoning: Literal["minimal", "low", "medium", "high"] | None = "low"
    temperature: float | None = None
    """Only for models whose hosts take it: a parameter nobody supports leaves no host to route to."""
    quantizations: tuple[str, ...] = ()
    """Precisions that are good enough, for open weights that anyone may host."""
    output_retries: int = 2
    """How often an answer in the wrong shape is sent back."""
    connection_retries: int = 1
    cache_seconds: int | None = None
    """Let OpenRouter answer a byte-identical request from its cache, free of charge, for this long."""
    timeout_seconds: float = 90.0
    """Of one attempt; a run's own deadline may be shorter."""
