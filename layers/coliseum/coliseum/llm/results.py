"""The result of a model's run: answer, bill and record. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar

from coliseum.llm.options import OutputMode

Output = TypeVar("Output")
MOST_DOLLARS = 1000
"""No single reply costs as much. A bill above it is an error and would end the day's budget."""
MOST_TOKENS = 100_000_000
"""Ten times the longest context of any model."""


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
    """None where the reply has no bill, or one that cannot be true. A free answer has 0."""
    estimated: Decimal | None

    @property
    def cost(self) -> Decimal | None:
        """What the reply cost: the bill, or else the price of its tokens. None where it has neither."""
        if self.billed is not None:
            return self.billed
        return self.estimated if self.input_tokens or self.output_tokens else None


def total_bill(turns: Sequence[Turn]) -> Bill:
    """The bill of all replies whose cost is known. It is as certain as its least certain part."""
    known = [turn for turn in turns if turn.cost is not None]
    if not known:
        return Bill(None, None)
    billed = all(turn.billed is not None for turn in known)
    cost = sum((turn.cost for turn in known if turn.cost is not None), Decimal(0))
    return Bill(cost, CostSource.BILLED if billed else CostSource.ESTIMATED)


def usable_cost(cost: object, *, is_byok: bool, upstream: object) -> Decimal | None:
    """The cost in dollars that a reply states, or None where it states none that can be true.

    `cost` is what OpenRouter charged. With one's own key for the provider (`is_byok`) that is a fee, and `upstream` is
    the provider's price: both count.
    """
    charged = _dollars(cost)
    if charged is None or not is_byok:
        return charged
    paid = _dollars(upstream)
    return None if paid is None else charged + paid


def usable_tokens(count: object) -> int | None:
    """A number of tokens that can be true, or None."""
    return count if isinstance(count, int) and 0 <= count <= MOST_TOKENS else None


def _dollars(value: object) -> Decimal | None:
    """A finite amount that is not negative and that one reply can cost; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    amount = Decimal(str(value))
    return amount if amount.is_finite() and 0 <= amount <= MOST_DOLLARS else None


CHARACTERS_REPLACED = "characters_replaced"
"""The repair of a text that held NUL or a lone surrogate."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_text(text: str) -> str:
    """The text with U+FFFD in place of NUL and of lone surrogates, which Postgres cannot store.

    A result that cannot be stored would be requested, and paid for, a second time.
    """
    return _UNSTORABLE.sub("\ufffd", text)


def storable_json(value: Any) -> Any:
    """JSON with every text storable. An equal value comes back where nothing had to be replaced."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, list):
        return [storable_json(item) for item in value]
    if isinstance(value, dict):
        return {storable_text(str(name)): storable_json(item) for name, item in value.items()}
    return value


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
    """Of the replies whose cost is known."""
    raw_reply: str
    """The last reply as the model sent it: text, or the arguments of a tool call."""
    messages: bytes
    """All messages of the run as JSON, in pydantic-ai's form."""
    unbilled_replies: int = 0
    """Replies whose cost is unknown."""
    repairs: tuple[str, ...] = ()
    """What was repaired locally in the last reply, so that no other had to be paid for: `percent:probability`."""
    seconds: float = 0.0
    """From the first request to the answer or the failure."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Requests and tokens of a run. `result.usage()` is the older spelling of `result.usage`."""

    requests: int
    input_tokens: int
    output_tokens: int

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __call__(self) -> Usage:
        return self


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
    def usage(self) -> Usage:
        return Usage(self.record.requests, self.record.input_tokens, self.record.output_tokens)

    @property
    def latency(self) -> float:
        """Seconds from the first request to the answer."""
        return self.record.seconds

    @property
    def repairs(self) -> tuple[str, ...]:
        return self.record.repairs

    @property
    def cost(self) -> Decimal | None:
        """US dollars; None where the cost of a reply is unknown."""
        return None if self.record.unbilled_replies else self.record.bill.cost

    @property
    def cost_usd(self) -> Decimal | None:
        """The older name of `cost`."""
        return self.cost

    @property
    def cost_source(self) -> CostSource | None:
        return None if self.record.unbilled_replies else self.record.bill.source

    @property
    def model_served(self) -> str | None:
        return self.record.model_served

    @property
    def host(self) -> str | None:
        return self.record.host

    @property
    def messages(self) -> bytes:
        return self.record.messages
