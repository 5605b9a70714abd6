from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from coliseum.arena.agents.attempts import FREE, LONGEST_REPLY, MAX_ATTEMPTS, Attempt, bill_of
from coliseum.arena.forecasts import Track
from coliseum.arena.records.rows import Decision
from coliseum.llm.failures import FailureKind
from coliseum.llm.options import OutputMode
from coliseum.llm.results import Bill, CostSource, RunRecord
from coliseum_local.template import load_document

D = Decimal
BOUND = D("0.02")
BILLED, UNKNOWN = Bill(D("0.003"), CostSource.BILLED), Bill(None, None)


def record(bill: Bill, *, tokens: int = 100, requests: int = 1, raw: str = "said") -> RunRecord:
    return RunRecord(
        model_requested="a/b",
        model_served="a/b-0901",
        host="Fake",
        generation_id="gen-1",
        output_mode=OutputMode.PROMPTED,
        requests=requests,
        input_tokens=tokens,
        output_tokens=tokens,
        bill=bill,
        raw_reply=raw,
        messages=b"[]",
    )


@pytest.mark.parametrize(
    ("made", "failure", "bill"),
    [
        (record(BILLED), None, BILLED),
        (record(BILLED), FailureKind.INVALID_OUTPUT, BILLED),
        (record(UNKNOWN, requests=2), None, Bill(D("0.04"), CostSource.BOUND)),
        (record(UNKNOWN, tokens=0), FailureKind.RATE_LIMITED, FREE),
        (None, FailureKind.KEY_REFUSED, FREE),
        (record(UNKNOWN, tokens=0), FailureKind.TIMEOUT, Bill(BOUND, CostSource.BOUND)),
        (record(BILLED), FailureKind.NETWORK, Bill(D("0.023"), CostSource.BOUND)),
        (None, None, FREE),
    ],
)
def test_a_request_that_may_have_been_billed_counts_with_its_bound(
    made: RunRecord | None, failure: FailureKind | None, bill: Bill
) -> None:
    assert bill_of(made, failure, bound=BOUND) == bill


def test_a_row_keeps_what_was_asked_and_what_came_back() -> None:
    decision = Decision(
        decision_id="r/t/a/blind",
        round_id="r",
        ticker="t",
        agent_id="a",
        track=Track.BLIND,
        status="running",
        attempt=2,
        reason=None,
    )
    row = Attempt(
        decision=decision,
        started_at=datetime(2026, 11, 21, 7, tzinfo=UTC),
        latency_ms=12,
        context_hash="0" * 64,
        bill=BILLED,
        prompt="asked",
        record=record(BILLED, raw="x" * 30_000),
        failure=FailureKind.TRUNCATED,
        problem="cut off",
    ).row()
    assert (row["decision_id"], row["attempt"], row["latency_ms"]) == ("r/t/a/blind", 2, 12)
    assert (row["model_served"], row["host"], row["output_mode"]) == ("a/b-0901", "Fake", "prompted")
    assert (row["cost_usd"], row["cost_source"]) == ("0.003", "billed")
    assert (row["error_class"], row["error_detail"], row["prompt"]) == ("truncated", "cut off", "asked")
    assert len(row["raw_reply"]) == LONGEST_REPLY
    assert row["repairs"] == []


def test_the_queue_gives_a_message_as_often_as_a_decision_may_be_tried(root: Path) -> None:
    """If the queue gave up earlier, the last attempts would never be made."""
    template = load_document(root / "template.yaml")
    queue = template["Resources"]["DecisionsQueue"]["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == MAX_ATTEMPTS
