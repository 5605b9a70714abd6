"""The result of a model's run: answer, bill and record. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from coliseum.llm.options import OutputMode

Output = TypeVar("Output")


class CostSource(StrEnum):
    """How well a cost is known, best first."""

    BILLED = "billed"
    ESTIMATED = "estimated"
    BOUND = "bound"


@dataclass(frozen=True, slots=True)
class Bill:
    """The cost in US dollars and how well it is known. None means unknown, not 0."""

    cost: Decimal | None
    source: CostSource | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply of a model: tokens, the cost that OpenRouter billed, and the cost by the price list, in dollars."""

    input_tokens: int
    output_tokens: int
    billed: Decimal | None
    """None may mean a missing bill or a free answer: OpenRouter leaves out a bill of 0."""
    estimated: Decimal | None


def total_bill(turns: Sequence[Turn]) -> Bill:
    """The bill of all replies. It is as certain as its least certain part; without replies it is unknown."""
    if not turns:
        return Bill(None, None)
    parts = [turn.estimated if turn.billed is None else turn.billed for turn in turns]
    if any(part is None for part in parts):
        return Bill(None, None)
    billed = all(turn.billed is not None for turn in turns)
    cost = sum((part for part in parts if part is not None), Decimal(0))
    return Bill(cost, CostSource.BILLED if billed else CostSource.ESTIMATED)


def storable_text(text: str) -> str:
    """The text without NUL and lone surrogates, which Postgres cannot store.

    A result that cannot be stored would be requested, and paid for, a second time.
    """
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The record of a run, with or without an answer."""

    model_requested: str
    model_served: str | None
    host: str | None
    """The company that computed the reply, by OpenRouter's name for the provider."""
    generation_id: str | None
    output_mode: OutputMode
    """The mode of the last request. It differs from the requested one where the model's hosts lack that one."""
    requests: int
    """Requests sent, answered or not."""
    input_tokens: int
    output_tokens: int
    bill: Bill
    raw_reply: str
    """The last reply as the model sent it: text, or the arguments of a tool call."""
    messages: bytes
    """All messages of the run as JSON, in pydantic-ai's form."""


@dataclass(frozen=True, slots=True)
class AgentResult(Generic[Output]):
    """The answer of a run with its record."""

    output: Output
    record: RunRecord

    @property
    def data(self) -> Output:
        """The older name of `output`."""
        return self.output

    @property
    def cost_usd(self) -> Decimal | None:
        return self.record.bill.cost

    @property
    def cost_source(self) -> CostSource | None:
        return self.record.bill.source

    @property
    def model_served(self) -> str | None:
        return self.record.model_served

    @property
    def host(self) -> str | None:
        return self.record.host

    @property
    def messages(self) -> bytes:
        return self.record.messages
