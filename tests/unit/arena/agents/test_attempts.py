from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from coliseum.arena.agents.attempts import FREE, LONGEST_REPLY, MAX_ATTEMPTS, Attempt, bill_of
from coliseum.arena.forecasts import Track
from coliseum.arena.records.rows import Decision
from coliseum.llm.failures import FailureKind, ModelFailed
from coliseum.llm.options import OutputMode
from coliseum.llm.results import Bill, CostSource, RunRecord
from coliseum_local.template import load_document

D = Decimal
BOUND = D("0.02")
BILLED, UNKNOWN = Bill(D("0.003"), CostSource.BILLED), Bill(None, None)


def record(bill: Bill, *, unbilled: int = 0, raw: str = "said") -> RunRecord:
    return RunRecord(
        model_requested="a/b",
        model_served="a/b-0901",
        host="Fake",
        generation_id="gen-1",
        output_mode=OutputMode.PROMPTED,
        requests=1,
        input_tokens=100,
        output_tokens=100,
        bill=bill,
        raw_reply=raw,
        messages=b"[]",
        unbilled_replies=unbilled,
    )


def failed(kind: FailureKind, status: int | None = None) -> ModelFailed:
    return ModelFailed(kind, "no answer", status=status)


@pytest.mark.parametrize(
    ("made", "failure", "bill"),
    [
        (record(BILLED), None, BILLED),
        (record(BILLED), failed(FailureKind.INVALID_OUTPUT), BILLED),
        (record(UNKNOWN, unbilled=2), None, Bill(D("0.04"), CostSource.BOUND)),
        (record(BILLED, unbilled=1), None, Bill(D("0.023"), CostSource.BOUND)),
        (record(UNKNOWN), failed(FailureKind.RATE_LIMITED, 429), FREE),
        (None, failed(FailureKind.KEY_REFUSED, 401), FREE),
        (record(UNKNOWN), failed(FailureKind.TIMEOUT), Bill(BOUND, CostSource.BOUND)),
        (record(UNKNOWN), failed(FailureKind.TIMEOUT, 504), FREE),
        (record(UNKNOWN), failed(FailureKind.NETWORK, 403), FREE),
        (record(UNKNOWN, unbilled=1), failed(FailureKind.MALFORMED), Bill(D("0.04"), CostSource.BOUND)),
        (record(BILLED), failed(FailureKind.NETWORK), Bill(D("0.023"), CostSource.BOUND)),
        (None, None, FREE),
    ],
)
def test_a_request_that_may_have_been_billed_counts_with_its_bound(
    made: RunRecord | None, failure: ModelFailed | None, bill: Bill
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
