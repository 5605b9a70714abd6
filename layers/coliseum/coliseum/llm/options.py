"""The options of a request to a model, and the prices of tokens. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

MILLION = Decimal(1_000_000)


class OutputMode(StrEnum):
    """How a model is made to answer in a given schema. `auto` is pydantic-ai's choice for the model."""

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
        """The price of these tokens in dollars."""
        return (self.input * input_tokens + self.output * output_tokens) / MILLION


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of every request. None of them allows another model to answer instead of the requested one."""

    max_tokens: int = 3000
    """Limit of one reply, reasoning included. Always sent: OpenRouter would reserve the model's maximum otherwise."""
    reasoning: Literal["minimal", "low", "medium", "high"] | None = "low"
    temperature: float | None = None
    """Only for models whose hosts support it: OpenRouter finds no host for an unsupported parameter."""
    quantizations: tuple[str, ...] = ()
    """Accepted precisions, for open weights with many hosts."""
    output_retries: int = 2
    """How often an answer in the wrong schema is sent back to the model."""
    connection_retries: int = 1
    cache_seconds: int | None = None
    """How long OpenRouter may answer a byte-identical request from its cache, free of charge. None: never."""
    cache_key: str | None = None
    """Sent as `user` where there is a cache: two requests that differ in it are never answered with one reply."""
    timeout_seconds: float = 90.0
    """Of one request. The deadline of a run can be shorter."""
