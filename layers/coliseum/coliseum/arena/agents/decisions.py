"""One decision, from its lease to its paper trades.

lease → frozen context → contestant → seal → one transaction (attempt, cost, forecast, status) → accounts → feed

Everything may be killed anywhere and asked again: the lease and the transaction let one answer in, and what follows
a stored forecast is built from its payload alone, so that a repetition writes the same rows.
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
from coliseum.arena.frozen_context import visible_context
from coliseum.arena.notifications import seals_entry
from coliseum.arena.paper.records import PaperRecords
from coliseum.arena.paper.trading import trade_forecast
from coliseum.arena.records.arena import ArenaRecords
from coliseum.arena.records.rows import Agent, Decision, Round, RoundMarket
from coliseum.errors import SourceRefused
from coliseum.feed.feed import Feed, now_ms
from coliseum.llm.failures import FailureKind, ModelFailed
from coliseum.observability import logger

LATE = "55000"
"""The database's word for a forecast that comes after the round's close."""


class DecisionResult(StrEnum):
    """How a message ended."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    REPEATED = "repeated"
    """It had been done; what may have been missing after it is there now."""
    DUPLICATE = "duplicate"
    """Somebody else has it, or its round is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _LeasedDecision:
    agent: Agent
    decision: Decision
    market: RoundMarket
    round: Round


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRunner:
    """Where decisions are made. One per container, used by several decisions at a time."""

    records: ArenaRecords
    paper: PaperRecords
    feed: Feed
    models: Models
    nonce: Callable[[], str]
    """A new one for each seal."""

    async def decide(self, decision_id: str, *, seconds: float) -> DecisionResult:
        """Make the decision within `seconds`.

        Raises ModelFailed where it should be asked again later, and SourceError where a store did not answer.
        """
        deadline = time.monotonic() + seconds
        task = await asyncio.to_thread(self._take, decision_id, seconds)
        if task is None:
            return await asyncio.to_thread(self._repeat, decision_id)
        closes_in = (task.round.closes_at - datetime.now(UTC)).total_seconds()
        left = deadline - time.monotonic()
        if task.round.exchange != "replay":
            left = min(left, closes_in)
        asked = await self._answer(task, left)
        return await asyncio.to_thread(self._conclude, task, asked)

    def _take(self, decision_id: str, seconds: float) -> _LeasedDecision | None:
        decision = self.records.lease_decision(decision_id, seconds=int(seconds) + 30)
        if decision is None:
            return None
        return _LeasedDecision(
            agent=self.records.agent(decision.agent_id),
            decision=decision,
            market=self.records.round_market(decision.round_id, decision.ticker),
            round=self.records.round(decision.round_id),
        )

    async def _answer(self, task: _LeasedDecision, seconds: float) -> ModelOutcome:
        if task.agent.status not in {"active", "needs_key"}:
            return ModelOutcome(reason=task.agent.status)
        if task.agent.kind == "llm":
            question = ModelQuestion(agent=task.agent, decision=task.decision, market=task.market)
            return await self.models.ask(question, seconds=seconds)
        started_at, started = datetime.now(UTC), time.monotonic()
        if task.agent.kind == "consensus":
            forecast = await asyncio.to_thread(self._pooled, task)
        else:
            forecast = _computed(task)
        attempt = Attempt(
            decision=task.decision,
            started_at=started_at,
            latency_ms=round((time.monotonic() - started) * 1000),
            context_hash=task.market.context_hash,
            bill=FREE,
        )
        return ModelOutcome(forecast=forecast, attempt=attempt)

    def _pooled(self, task: _LeasedDecision) -> Forecast:
        """What the panel said by now, pooled in log-odds."""
        decision = task.decision
        said = self.records.forecasts(
            where=[
                ("round_id", "eq", decision.round_id),
                ("ticker", "eq", decision.ticker),
                ("track", "eq", decision.track.value),
            ]
        )
        left_out = {task.agent.agent_id, *task.agent.params.get("leaves_out", ())}
        return contestants.pooled(
            {one.agent_id: one.p for one in said if one.p is not None and one.agent_id not in left_out}
        )

    def _conclude(self, task: _LeasedDecision, asked: ModelOutcome) -> DecisionResult:
        """Write it down, do what follows."""
        ended = self._write(task, asked)
        if asked.failed is not None and ended is None:
            raise asked.failed
        if ended is DecisionResult.DONE:
            self._trade(task.decision.decision_id)
        self._tell(task.decision.round_id, task.decision.agent_id)
        return ended or DecisionResult.FAILED

    def _write(self, task: _LeasedDecision, asked: ModelOutcome) -> DecisionResult | None:
        """None where the decision is to be asked again."""
        finish = partial(self.records.finish_decision, lease=task.decision.attempt)
        decision_id = task.decision.decision_id
        attempt = None if asked.attempt is None else asked.attempt.row()
        if asked.attempt is None:
            finish(decision_id, status="skipped", reason=asked.reason)
            return DecisionResult.SKIPPED
        if asked.failed is not None:
            self._learn(task.agent, asked.failed)
            again = asked.failed.retryable and task.decision.attempt < MAX_ATTEMPTS
            status = "pending" if again else "failed"
            finish(decision_id, status=status, reason=asked.failed.failure.value, attempt=attempt)
            return None if again else DecisionResult.FAILED
        assert asked.forecast is not None
        try:
            finish(decision_id, status="done", attempt=attempt, forecast=_row(task, asked.forecast, self.nonce()))
        except SourceRefused as error:
            if error.code != LATE:
                raise
            finish(decision_id, status="failed", reason="late", attempt=attempt)
            return DecisionResult.FAILED
        self._remember_mode(task.agent, asked)
        return DecisionResult.DONE

    def _learn(self, agent: Agent, failed: ModelFailed) -> None:
        """A model that is gone is not asked again until somebody looks."""
        if failed.failure is FailureKind.MODEL_GONE:
            self.records.set_agent_status(agent.agent_id, "paused")
            logger().error("a model is gone", extra={"agent_id": agent.agent_id, "model": agent.model})

    def _remember_mode(self, agent: Agent, asked: ModelOutcome) -> None:
        record = None if asked.attempt is None else asked.attempt.record
        if record is not None and record.output_mode.value != agent.output_mode:
            self.records.set_output_mode(agent.agent_id, record.output_mode.value)

    def _repeat(self, decision_id: str) -> DecisionResult:
        """Nothing to decide; but whoever decided may have been stopped before all had followed."""
        if not self._trade(decision_id):
            return DecisionResult.DUPLICATE
        round_id, _, agent_id, _ = decision_id.split("/")
        self._tell(round_id, agent_id)
        return DecisionResult.REPEATED

    def _trade(self, decision_id: str) -> bool:
        """Let the accounts trade; False where there is no forecast.

        What they did is told when the round closes: it would give the forecast away.
        """
        found = self.records.forecasts(where=[("forecast_id", "eq", decision_id)], limit=1)
        if found:
            trade_forecast(self.records, self.paper, found[0])
        return bool(found)

    def _tell(self, round_id: str, agent_id: str) -> None:
        """Tell the feed of the agent's seals, all at once, when it has nothing more to say in the round."""
        seals = self.records.finished_seals(round_id, agent_id)
        if seals:
            self.feed.publish([seals_entry(round_id, agent_id, seals)], now_ms=now_ms())


def _computed(task: _LeasedDecision) -> Forecast:
    """The answer of a statistical contestant; blind rules are shown no price."""
    params = task.agent.params
    context = visible_context(task.market.context, task.decision.track)
    parameters: Mapping[str, float] = params.get("parameters", {})
    return contestants.forecast(params["rule"], context, parameters=parameters, seed=task.round.seed)


def _row(task: _LeasedDecision, forecast: Forecast, nonce: str) -> dict[str, Any]:
    decision = task.decision
    payload = forecasts.payload(
        round_id=decision.round_id,
        ticker=decision.ticker,
        agent_id=decision.agent_id,
        track=decision.track,
        context_hash=task.market.context_hash,
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
