"""One attempt at a decision, as it is stored: the prompt, the reply, who answered, and the cost. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from coliseum.arena.records.rows import Decision
from coliseum.llm.failures import FailureKind, ModelFailed
from coliseum.llm.names import same_model
from coliseum.llm.results import Bill, CostSource, RunRecord, storable_text

MAX_ATTEMPTS = 3
"""How often a decision is given to a worker before it fails; `maxReceiveCount` in template.yaml is equal."""
LONGEST_REPLY = 20_000
"""Characters kept of a reply; a forecast has about 2,000."""
FREE = Bill(Decimal(0), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt. Contestants without a model have no prompt and no record, and cost nothing."""

    decision: Decision
    started_at: datetime
    latency_ms: int
    context_hash: str
    bill: Bill
    prompt: str | None = None
    record: RunRecord | None = None
    failure: FailureKind | None = None
    problem: str | None = None

    def row(self) -> dict[str, Any]:
        """As a row of the table of attempts."""
        record = self.record
        return {
            "decision_id": self.decision.decision_id,
            "attempt": self.decision.attempt,
            "started_at": self.started_at.isoformat(),
            "latency_ms": self.latency_ms,
            "model_requested": None if record is None else record.model_requested,
            "model_served": None if record is None else record.model_served,
            "host": None if record is None else record.host,
            "output_mode": None if record is None else record.output_mode.value,
            "prompt": self.prompt,
            "context_hash": self.context_hash,
            "raw_reply": None if record is None else record.raw_reply[:LONGEST_REPLY],
            "repairs": None if record is None or not record.raw_reply else list(record.repairs),
            "input_tokens": None if record is None else record.input_tokens,
            "output_tokens": None if record is None else record.output_tokens,
            "cost_usd": None if self.bill.cost is None else format(self.bill.cost, "f"),
            "cost_source": None if self.bill.source is None else self.bill.source.value,
            "error_class": None if self.failure is None else self.failure.value,
            "error_detail": None if self.problem is None else storable_text(self.problem),
        }


def bill_of(record: RunRecord | None, failed: ModelFailed | None, *, bound: Decimal) -> Bill:
    """The cost that the attempt counts with; `bound` is the most that one request may cost, in dollars.

    A request that was refused with an HTTP error is free. One whose reply never came may have been answered and billed,
    so it counts with `bound`, as does each reply without a usable bill and without a price.
    """
    if record is None:
        return Bill(bound, CostSource.BOUND) if failed is not None and failed.traits.may_be_billed else FREE
    lost = failed is not None and failed.status is None and failed.traits.may_be_billed
    unknown = record.unbilled_replies + int(lost)
    if unknown:
        return Bill((record.bill.cost or Decimal(0)) + bound * unknown, CostSource.BOUND)
    return FREE if record.bill.cost is None else record.bill


def total_of(bills: Sequence[Bill]) -> Bill:
    """The bill of several replicates. It is as certain as its least certain part; what cost nothing has no source."""
    sources = [bill.source for bill in bills if bill.source is not None]
    cost = sum((bill.cost for bill in bills if bill.cost is not None), Decimal(0))
    return Bill(cost, max(sources, key=list(CostSource).index, default=None))


def merged_record(records: Sequence[RunRecord]) -> RunRecord | None:
    """The records of several replicates as one. A replicate that another model answered decides who served it."""
    if len(records) < 2:
        return records[0] if records else None
    first = records[0]
    served = next((one for one in records if one.model_served is not None and not _is_asked(one)), first)
    number = len(records)
    replies = [f"--- replicate {place} of {number} ---\n{one.raw_reply}" for place, one in enumerate(records, start=1)]
    return replace(
        first,
        model_served=served.model_served or next((one.model_served for one in records if one.model_served), None),
        host=served.host,
        requests=sum(one.requests for one in records),
        input_tokens=sum(one.input_tokens for one in records),
        output_tokens=sum(one.output_tokens for one in records),
        bill=total_of([one.bill for one in records]),
        unbilled_replies=sum(one.unbilled_replies for one in records),
        raw_reply="\n".join(text[: LONGEST_REPLY // number - 1] for text in replies),
        repairs=tuple(dict.fromkeys(repair for one in records for repair in one.repairs)),
        seconds=max(one.seconds for one in records),
    )


def _is_asked(record: RunRecord) -> bool:
    return record.model_served is not None and same_model(record.model_requested, record.model_served)
