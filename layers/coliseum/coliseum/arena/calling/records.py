"""Reads and writes of calls to endpoints. Each is one call of a SQL function, which makes the rules hold.

A claim is a lease: a worker that dies loses it, and the call is made again. Whoever reports for a lease that was taken
over, or for an address that was replaced meanwhile, stores nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from coliseum.arena.records.batches import StoreRecords

CallOutcome = Literal["abstained", "deferred", "wrong", "unreachable", "stop"]
"""How a call without a forecast ended. `deferred`: the agent will send it. `stop`: it does not want to be called."""
SECONDS_FOR_STORING = 30
"""A lease is longer than its call by this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChallenge:
    """An endpoint that must prove that it is the entrant's. `secrets`: the present one, then the one before it."""

    entrant_id: str
    endpoint: str
    lease: int
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionCall:
    """A question to ask an endpoint. `attempt` is the lease."""

    entrant_id: str
    endpoint: str
    attempt: int
    secrets: tuple[str, ...] = field(repr=False)
    question_id: str
    round_id: str
    ticker: str
    closes_at: datetime
    seconds_left: float
    """Until the close, by the database's clock when it was claimed."""
    context: Mapping[str, Any] = field(repr=False)
    context_hash: str


@dataclass(frozen=True, slots=True)
class ClaimedCalls:
    """What one claim has leased."""

    challenges: tuple[EndpointChallenge, ...]
    questions: tuple[QuestionCall, ...]

    def __len__(self) -> int:
        return len(self.challenges) + len(self.questions)


class CallRecords(StoreRecords):
    """The leases and outcomes of calls."""

    def claim(self, *, questions: int, challenges: int, each: int, call_seconds: float) -> ClaimedCalls:
        """Lease at most so many calls, and at most `each` of one endpoint at a time. Nothing is returned twice while
        its lease lasts."""
        args = {
            "p_questions": questions,
            "p_challenges": challenges,
            "p_each": each,
            "p_lease_seconds": int(call_seconds) + SECONDS_FOR_STORING,
        }
        found = self._store.rpc("arena_claim_calls", args)
        return ClaimedCalls(
            tuple(_challenge(row) for row in found["challenges"]), tuple(_question(row) for row in found["questions"])
        )

    def end_challenge(
        self, asked: EndpointChallenge, *, problem: str | None, retry_after: int | None = None, stop: bool = False
    ) -> bool:
        """The endpoint has given its proof (no problem), or not. False where the lease was taken over."""
        args = {
            "p_entrant": asked.entrant_id,
            "p_lease": asked.lease,
            "p_problem": problem,
            "p_retry_after": retry_after,
            "p_stop": stop,
        }
        return bool(self._store.rpc("arena_end_challenge", args))

    def answer(self, call: QuestionCall, payload: Mapping[str, Any], seal: str) -> str | None:
        """Store the forecast of a call. None where it is stored, else why not.

        The reasons are those of a forecast that an entrant sends itself, and `lease`.
        """
        args = {
            "p_entrant": call.entrant_id,
            "p_question": call.question_id,
            "p_attempt": call.attempt,
            "p_payload": dict(payload),
            "p_seal": seal,
        }
        reason: str | None = self._store.rpc("arena_answer_call", args).get("error")
        return reason

    def end(
        self, call: QuestionCall, outcome: CallOutcome, *, problem: str | None = None, retry_after: int | None = None
    ) -> bool:
        """End a call without a forecast. False where the lease was taken over."""
        args = {
            "p_entrant": call.entrant_id,
            "p_question": call.question_id,
            "p_attempt": call.attempt,
            "p_outcome": outcome,
            "p_problem": problem,
            "p_retry_after": retry_after,
        }
        return bool(self._store.rpc("arena_end_call", args))

    def forget(self) -> int:
        """Delete the calls of more than 30 days ago. Returns how many."""
        return int(self._store.rpc("arena_forget_calls", {}))


def _challenge(row: Mapping[str, Any]) -> EndpointChallenge:
    return EndpointChallenge(
        entrant_id=row["entrant_id"],
        endpoint=row["endpoint"],
        lease=row["lease"],
        secrets=tuple(row["secrets"]),
    )


def _question(row: Mapping[str, Any]) -> QuestionCall:
    return QuestionCall(
        entrant_id=row["entrant_id"],
        endpoint=row["endpoint"],
        attempt=row["attempt"],
        secrets=tuple(row["secrets"]),
        question_id=row["question_id"],
        round_id=row["round_id"],
        ticker=row["ticker"],
        closes_at=datetime.fromisoformat(row["closes_at"]),
        seconds_left=float(row["seconds_left"]),
        context=row["context"],
        context_hash=row["context_hash"],
    )
