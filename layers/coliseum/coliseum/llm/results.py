"""What a run of a model comes to: its answer, its bill, and the record of both. Pure."""

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
    """US dollars; `cost` is None where nothing is known, which is not nothing."""

    cost: Decimal | None
    source: CostSource | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply of a model: tokens, what OpenRouter billed, and what the tokens come to by the price list."""

    input_tokens: int
    output_tokens: int
    billed: Decimal | None
    """OpenRouter leaves a bill of nothing out; so its absence may mean a free answer or a missing bill."""
    estimated: Decimal | None


def total_bill(turns: Sequence[Turn]) -> Bill:
    """The bill of all replies, as good as its worst part. A run without a reply has no known bill."""
    if not turns:
        return Bill(None, None)
    parts = [turn.estimated if turn.billed is None else turn.billed for turn in turns]
    if any(part is None for part in parts):
        return Bill(None, None)
    billed = all(turn.billed is not None for turn in turns)
    cost = sum((part for part in parts if part is not None), Decimal(0))
    return Bill(cost, CostSource.BILLED if billed else CostSource.ESTIMATED)


def storable_text(text: str) -> str:
    """Without NUL and half characters, which Postgres cannot hold: what cannot be kept would be paid for again."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What a run left behind, answered or not."""

    model_requested: str
    model_served: str | None
    host: str | None
    """Who computed it, as OpenRouter names its providers."""
    generation_id: str | None
    output_mode: OutputMode
    """The mode of the last request; differs from the one asked for where that one was beyond the model's hosts."""
    requests: int
    """Requests sent, answered or not."""
    input_tokens: int
    output_tokens: int
    bill: Bill
    raw_reply: str
    """The last reply as the model gave it: text, or a tool call's arguments."""
    messages: bytes
    """The whole exchange as JSON, in pydantic-ai's form."""


@dataclass(frozen=True, slots=True)
class AgentResult(Generic[Output]):
    """An answer with its record."""

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
