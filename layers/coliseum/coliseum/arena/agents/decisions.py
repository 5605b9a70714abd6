"""One decision, from its lease to its paper trades.

lease → frozen context → contestant → seal → one transaction (attempt, cost, forecast, status) → accounts → feed

A worker may be killed at any step; the decision is then made again. The lease and the transaction let one answer in.
Trades and feed entries are built from the stored payload alone, so a repetition writes the same rows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

from coliseum.arena import forecasts
from coliseum.arena.agents import contestants
from coliseum.arena.agents.attempts import FREE, MAX_ATTEMPTS, Attempt
from coliseum.arena.agents.models import ModelOutcome, ModelQuestion, Models
from coliseum.arena.calendar import time_text
from coliseum.arena.forecasts import Forecast
from coliseum.arena.frozen_context import shown_hash, visible_context
from coliseum.arena.notifications import seals_entry
from coliseum.arena.paper.records import PaperRecords
from coliseum.arena.paper.trading import trade_forecast
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import Agent, Decision, Round, RoundMarket
from coliseum.errors import SourceRefused
from coliseum.feed.feed import Feed, now_ms
from coliseum.llm.failures import FailureKind, ModelFailed
from coliseum.observability import logger

LATE = "55000"
"""The database's error code for a forecast that comes after the round's close."""


LAST_CHANCE_SECONDS = 30.0
"""A postponed decision is tried this long before its round closes, whatever it waits for."""


class DecisionPostponed(Exception):
    """The decision waits for a paused model. It is to be made again after `seconds`."""

    def __init__(self, decision_id: str, reason: str, seconds: float) -> None:
        super().__init__(f"decision {decision_id} waits {seconds:.0f} s: {reason}")
        self.decision_id = decision_id
        self.seconds = seconds


class DecisionResult(StrEnum):
    """How the message of a decision ended."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    REPEATED = "repeated"
    """The forecast was there; its trades and feed entry have been repeated."""
    DUPLICATE = "duplicate"
    """Another worker has it, or its round is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _LeasedDecision:
    """A decision that this worker holds, with all that it needs."""

    agent: Agent
    decision: Decision
    market: RoundMarket
    round: Round


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRunner:
    """Makes decisions. One per container, used by several decisions at a time."""

    records: ArenaRecords
    paper: PaperRecords
    feed: Feed
    models: Models
    nonce: Callable[[], str]
    """Returns a new random nonce for each seal."""

    async def decide(self, decision_id: str, *, seconds: float) -> DecisionResult:
        """Make the decision within `seconds`.

        Raises ModelFailed where the model is to be asked again later, DecisionPostponed where it is paused, and
        SourceError where a store did not answer.
        """
        deadline = time.monotonic() + seconds
        leased = await asyncio.to_thread(self._lease, decision_id, seconds)
        if leased is None:
            return await asyncio.to_thread(self._repeat, decision_id)
        remaining = deadline - time.monotonic()
        # The rounds of a replay lie in the past: only the function's own time limits them.
        if leased.round.exchange != "replay":
            remaining = min(remaining, (leased.round.closes_at - datetime.now(UTC)).total_seconds())
        outcome = await self._answer(leased, remaining)
        wait = _wait_seconds(leased.round, outcome)
        if wait is not None:
            assert outcome.reason is not None
            await asyncio.to_thread(
                self.records.postpone_decision,
                decision_id,
                lease=leased.decision.attempt,
                reason=outcome.reason,
                seconds=wait,
            )
            raise DecisionPostponed(decision_id, outcome.reason, wait)
        return await asyncio.to_thread(self._conclude, leased, outcome)

    def _lease(self, decision_id: str, seconds: float) -> _LeasedDecision | None:
        # The lease outlives the work by a margin, so that no second worker starts while the answer is being stored.
        decision = self.records.lease_decision(decision_id, seconds=int(seconds) + 30)
        if decision is None:
            return None
        return _LeasedDecision(
            agent=self.records.agent(decision.agent_id),
            decision=decision,
            market=self.records.round_market(decision.round_id, decision.ticker),
            round=self.records.round(decision.round_id),
        )

    async def _answer(self, leased: _LeasedDecision, seconds: float) -> ModelOutcome:
        if leased.agent.status not in {"active", "needs_key"}:
            return ModelOutcome(reason=leased.agent.status)
        if leased.agent.kind == "llm":
            question = ModelQuestion(agent=leased.agent, decision=leased.decision, market=leased.market)
            return await self.models.ask(question, seconds=seconds)
        started_at, started = datetime.now(UTC), time.monotonic()
        if leased.agent.kind == "consensus":
            forecast = await asyncio.to_thread(self._pooled, leased)
        else:
            forecast = _computed(leased)
        attempt = Attempt(
            decision=leased.decision,
            started_at=started_at,
            latency_ms=round((time.monotonic() - started) * 1000),
            context_hash=shown_hash(leased.market.context, leased.decision.track),
            bill=FREE,
        )
        return ModelOutcome(forecast=forecast, attempt=attempt)

    def _pooled(self, leased: _LeasedDecision) -> Forecast:
        """The other contestants' forecasts so far, pooled in log-odds."""
        decision = leased.decision
        others = self.records.forecasts(
            where=[
                ("round_id", "eq", decision.round_id),
                ("ticker", "eq", decision.ticker),
                ("track", "eq", decision.track.value),
            ]
        )
        left_out = {leased.agent.agent_id, *leased.agent.params.get("leaves_out", ())}
        return contestants.pooled(
            {other.agent_id: other.p for other in others if other.p is not None and other.agent_id not in left_out}
        )

    def _conclude(self, leased: _LeasedDecision, outcome: ModelOutcome) -> DecisionResult:
        """Store the outcome, then trade and publish."""
        result = self._store_outcome(leased, outcome)
        if outcome.failed is not None and result is None:
            raise outcome.failed
        if result is DecisionResult.DONE:
            self._trade(leased.decision.decision_id)
        self._publish_seals(leased.decision.round_id, leased.decision.agent_id)
        return result or DecisionResult.FAILED

    def _store_outcome(self, leased: _LeasedDecision, outcome: ModelOutcome) -> DecisionResult | None:
        """None where the decision is to be made again later."""
        finish = partial(self.records.finish_decision, lease=leased.decision.attempt)
        decision_id = leased.decision.decision_id
        attempt = None if outcome.attempt is None else outcome.attempt.row()
        if outcome.attempt is None:
            finish(decision_id, status="skipped", reason=outcome.reason)
            return DecisionResult.SKIPPED
        if outcome.failed is not None:
            self._pause_missing_model(leased.agent, outcome.failed)
            again = outcome.failed.retryable and leased.decision.attempt < MAX_ATTEMPTS
            status = "pending" if again else "failed"
            finish(decision_id, status=status, reason=outcome.failed.failure.value, attempt=attempt)
            return None if again else DecisionResult.FAILED
        assert outcome.forecast is not None
        try:
            finish(decision_id, status="done", attempt=attempt, forecast=_row(leased, outcome.forecast, self.nonce()))
        except SourceRefused as error:
            if error.code != LATE:
                raise
            finish(decision_id, status="failed", reason="late", attempt=attempt)
            return DecisionResult.FAILED
        self._remember_mode(leased.agent, outcome)
        return DecisionResult.DONE

    def _pause_missing_model(self, agent: Agent, failed: ModelFailed) -> None:
        """A model that OpenRouter no longer has stays paused until an operator resumes it."""
        if failed.failure is FailureKind.MODEL_GONE:
            self.records.set_agent_status(agent.agent_id, "paused")
            logger().error("model no longer exists, agent paused", agent_id=agent.agent_id, model=agent.model)

    def _remember_mode(self, agent: Agent, outcome: ModelOutcome) -> None:
        """Store the output mode that worked, so that the next request does not have to find it again."""
        record = None if outcome.attempt is None else outcome.attempt.record
        if record is not None and record.output_mode.value != agent.output_mode:
            self.records.set_output_mode(agent.agent_id, record.output_mode.value)

    def _repeat(self, decision_id: str) -> DecisionResult:
        """The decision is made or not ours. Its worker may have stopped before trading and publishing: repeat both."""
        if not self._trade(decision_id):
            return DecisionResult.DUPLICATE
        round_id, _, agent_id, _ = decision_id.split("/")
        self._publish_seals(round_id, agent_id)
        return DecisionResult.REPEATED

    def _trade(self, decision_id: str) -> bool:
        """Let the accounts trade; False where there is no forecast.

        The trades are published when the round closes, since they show which way the forecast went.
        """
        stored = self.records.forecasts(where=[("forecast_id", "eq", decision_id)], limit=1)
        if stored:
            trade_forecast(self.records, self.paper, stored[0])
        return bool(stored)

    def _publish_seals(self, round_id: str, agent_id: str) -> None:
        """Publish the agent's seals in one entry, once its last decision in the round is finished."""
        seals = self.records.finished_seals(round_id, agent_id)
        if seals:
            self.feed.publish([seals_entry(round_id, agent_id, seals)], now_ms=now_ms())


def _wait_seconds(round_: Round, outcome: ModelOutcome) -> float | None:
    """How long the decision is postponed; None where it is not, or where its round has no time for it."""
    if outcome.wait_seconds is None or round_.exchange == "replay":
        return None
    left = (round_.closes_at - datetime.now(UTC)).total_seconds() - LAST_CHANCE_SECONDS
    return min(outcome.wait_seconds, left) if left >= 1 else None


def _computed(leased: _LeasedDecision) -> Forecast:
    """The answer of a statistical contestant; rules of the blind track are given no price."""
    params = leased.agent.params
    shown = visible_context(leased.market.context, leased.decision.track)
    parameters: Mapping[str, float] = params.get("parameters", {})
    return contestants.forecast(params["rule"], shown, parameters=parameters, seed=leased.round.seed)


def _row(leased: _LeasedDecision, forecast: Forecast, nonce: str) -> dict[str, Any]:
    decision = leased.decision
    payload = forecasts.payload(
        round_id=decision.round_id,
        ticker=decision.ticker,
        agent_id=decision.agent_id,
        track=decision.track,
        context_hash=shown_hash(leased.market.context, decision.track),
        forecast=forecast,
        made_at=time_text(datetime.now(UTC)),
        nonce=nonce,
    )
    return {
        "forecast_id": decision.decision_id,
        "seal": forecasts.seal(payload),
        "round_id": decision.round_id,
        "ticker": decision.ticker,
        "agent_id": decision.agent_id,
        "track": decision.track.value,
        "p": payload["probability"],
        "low": payload["low"],
        "high": payload["high"],
        "abstain": forecast.abstain,
        "payload": payload,
    }
