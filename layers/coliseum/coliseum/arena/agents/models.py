"""Ask a model for one forecast: check the circuit, reserve money, send the request, record the bill.

No other answer ever replaces one that failed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from coliseum.arena.agents.attempts import Attempt, bill_of, merged_record, total_of
from coliseum.arena.agents.budget import Budget
from coliseum.arena.agents.circuits import Circuits, ModelPermission
from coliseum.arena.agents.costs import request_bound
from coliseum.arena.agents.prompts import Prompt, build_prompt
from coliseum.arena.agents.reply import ForecastReply
from coliseum.arena.agents.roster import options_of, prices_of, replicates_of
from coliseum.arena.forecasts import Forecast
from coliseum.arena.frozen_context import shown_hash, visible_context
from coliseum.arena.records.rows import Agent, Decision, RoundMarket
from coliseum.arena.replicates import combined, least_answers
from coliseum.config import Settings
from coliseum.errors import ColiseumError
from coliseum.llm.client import ModelAgent, create_agent
from coliseum.llm.failures import REPLIED, FailureKind, ModelFailed
from coliseum.llm.names import same_model
from coliseum.llm.options import OutputMode
from coliseum.llm.results import AgentResult, RunRecord
from coliseum.llm.tracing import TraceSpan, span
from coliseum.observability import emit_metrics, logger

CIRCUIT_OPEN = "circuit_open:"
"""Begins the reason of a decision that was not made because the model is paused. The failure class follows."""
LOST_REPLICATE = "replicate_failed:"
"""Begins the note of a replicate without which the forecast stands. The failure class follows."""
MOST_SERVED = 200
"""Characters of a served model's name that are sealed with the forecast."""
SHORTEST_SECONDS = 5.0
"""With less time left the model is not asked: its reply would be paid for and come too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuestion:
    """Which agent is asked about which frozen market, for which decision."""

    agent: Agent
    decision: Decision
    market: RoundMarket


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutcome:
    """How a decision ended: with a forecast, with a failure, or without being asked for `reason`."""

    forecast: Forecast | None = None
    attempt: Attempt | None = None
    failed: ModelFailed | None = None
    reason: str | None = None
    wait_seconds: float | None = None
    """Without being asked: after this time it makes sense to ask again. None: it does not."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One answer of the model, or its failure."""

    forecast: Forecast | None
    record: RunRecord | None
    failed: ModelFailed | None = None


class Models:
    """All models. They share one API key and one budget."""

    def __init__(
        self, settings: Settings, *, circuits: Circuits, budget: Budget, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives the unix time for the circuits."""
        self._settings = settings
        self._clock = clock
        self._circuits = circuits
        self._budget = budget

    async def ask(self, question: ModelQuestion, *, seconds: float) -> ModelOutcome:
        """Ask the model within `seconds`. Its failures are in the outcome. Raises SourceError for a store's."""
        agent, decision = question.agent, question.decision
        assert agent.model is not None  # the table holds no model contestant without one
        if self._settings.openrouter_api_key is None:
            return ModelOutcome(reason="needs_key")
        if seconds < SHORTEST_SECONDS:
            return ModelOutcome(reason="no_time")
        allowed = await asyncio.to_thread(self._circuits.allows, agent.model, now=self._clock())
        if not allowed.go:
            emit_metrics({"model": agent.model}, CircuitOpen=1)
            return ModelOutcome(reason=f"{CIRCUIT_OPEN}{allowed.reason}", wait_seconds=allowed.wait_seconds)
        prompt = build_prompt(
            visible_context(question.market.context, decision.track), decision.track, method=agent.params.get("method")
        )
        money = _DecisionBudget(self._budget, question)
        covered = False
        try:
            covered = await money.cover(prompt)
        finally:
            if not covered:
                await asyncio.to_thread(self._circuits.release, allowed)
        if not covered:
            emit_metrics({"model": agent.model}, BudgetRejected=1)
            return ModelOutcome(reason="budget")
        return await self._run(question, prompt, money, seconds, allowed)

    async def _run(
        self,
        question: ModelQuestion,
        prompt: Prompt,
        money: _DecisionBudget,
        seconds: float,
        permission: ModelPermission,
    ) -> ModelOutcome:
        agent = question.agent
        assert agent.model is not None
        started_at, started = datetime.now(UTC), time.monotonic()
        replicates = replicates_of(agent.params)
        with span("forecast {agent_id}", **_span_attributes(question)) as traced:
            asked = await asyncio.gather(
                *(self._ask_once(agent, prompt, money, seconds, number) for number in range(1, replicates + 1))
            )
            answers = [each.forecast for each in asked if each.forecast is not None]
            failed = next((each.failed for each in asked if each.failed is not None), None)
            forecast = combined(answers) if len(answers) >= least_answers(replicates) else None
            if forecast is not None:
                failed = None  # the forecast stands without the replicates that failed
            record = merged_record([each.record for each in asked if each.record is not None])
            if record is not None and forecast is not None:
                lost = (f"{LOST_REPLICATE}{each.failed.failure.value}" for each in asked if each.failed is not None)
                record = replace(record, repairs=(*record.repairs, *lost))
                forecast = replace(forecast, served_model=_other_model(agent, record))
            attempt = Attempt(
                decision=question.decision,
                started_at=started_at,
                latency_ms=round((time.monotonic() - started) * 1000),
                context_hash=shown_hash(question.market.context, question.decision.track),
                bill=total_of([bill_of(each.record, each.failed, bound=money.bound) for each in asked]),
                prompt=prompt.text,
                record=record,
                failure=None if failed is None else failed.failure,
                problem=None if failed is None else failed.problem[:500],
            )
            _annotate(traced, attempt)
        _measure_attempt(agent.model, attempt)
        _warn_of_another_model(agent, attempt)
        await asyncio.to_thread(self._update_circuit, agent.model, failed, permission)
        return ModelOutcome(forecast=forecast, attempt=attempt, failed=failed)

    async def _ask_once(
        self, agent: Agent, prompt: Prompt, money: _DecisionBudget, seconds: float, number: int
    ) -> _Asked:
        """One of the replicates: the `number`-th, from 1. Never raises."""
        assert agent.model is not None
        result: AgentResult[ForecastReply] | None = None
        try:
            model = _model_agent(agent, prompt, self._settings, number)
            result = await model.run(prompt.user, deadline_seconds=seconds, permit=money.another)
            return _Asked(result.output.forecast(), result.record)
        except ModelFailed as error:
            return _Asked(None, error.record, error)
        except Exception as error:  # noqa: BLE001 - the request may have been paid for, so it must be recorded
            failed = _surprise(agent.model, error, result)
            return _Asked(None, failed.record, failed)

    def _update_circuit(self, model: str, failed: ModelFailed | None, permission: ModelPermission) -> None:
        if failed is None or failed.failure in REPLIED:
            self._circuits.answered(model, permission)
        else:
            self._circuits.failed(model, failed, now=self._clock(), permission=permission)


def _warn_of_another_model(agent: Agent, attempt: Attempt) -> None:
    """A reply of another model is kept and marked: it is not what the leaderboard says it is."""
    served = None if attempt.record is None else _other_model(agent, attempt.record)
    if served is not None:
        emit_metrics({"model": agent.model or ""}, OtherModelServed=1)
        logger().warning("another model replied", agent_id=agent.agent_id, asked=agent.model, served=served)


def _other_model(agent: Agent, record: RunRecord) -> str | None:
    """The model that replied, where that is not the one asked."""
    if agent.model is None or record.model_served is None or same_model(agent.model, record.model_served):
        return None
    return record.model_served[:MOST_SERVED]


def _model_agent(agent: Agent, prompt: Prompt, settings: Settings, number: int) -> ModelAgent[ForecastReply]:
    """The model's `number`-th replicate. A repeated request may be answered from the cache, another one's may not."""
    assert agent.model is not None
    return create_agent(
        model=agent.model,
        system_prompt=prompt.system,
        output_type=ForecastReply,
        output_mode=OutputMode(agent.output_mode),
        options=replace(options_of(agent.params), cache_key=f"{agent.agent_id}/{number}"),
        prices=prices_of(agent.params),
        name=agent.agent_id,
        settings=settings,
    )


def _surprise(model: str, error: Exception, result: AgentResult[ForecastReply] | None) -> ModelFailed:
    """What nobody expected, as a failure. Its text may hold a secret, so only its class is stored and logged."""
    if result is not None:
        failure = FailureKind.INVALID_OUTPUT
    else:  # our own errors come before the request
        failure = FailureKind.REJECTED if isinstance(error, ColiseumError) else FailureKind.MALFORMED
    logger().error("asking a model failed in a new way", model=model, error_class=type(error).__name__)
    problem = f"{model}: {failure.value}: {type(error).__name__}"
    return ModelFailed(failure, problem, record=None if result is None else result.record)


class _DecisionBudget:
    """The money of one decision: the first request is reserved when the round opens, more when it is needed."""

    def __init__(self, budget: Budget, question: ModelQuestion) -> None:
        self._budget = budget
        self._question = question
        self._reserved = question.decision.reserved
        self.bound = Decimal(0)
        """The most one request of this decision may cost."""

    async def cover(self, prompt: Prompt) -> bool:
        """Make sure that the first request of each replicate is reserved; False where the budget does not allow it."""
        agent = self._question.agent
        options, characters = options_of(agent.params), len(prompt.text)
        self.bound = request_bound(prices_of(agent.params), characters=characters, max_tokens=options.max_tokens)
        needed = self.bound * replicates_of(agent.params)
        return needed <= self._reserved or await self._add(needed - self._reserved)

    async def another(self) -> bool:
        """Reserve one more request; False where the budget does not allow it."""
        return await self._add(self.bound)

    async def _add(self, amount: Decimal) -> bool:
        return await asyncio.to_thread(self._budget.reserve, self._question.decision.decision_id, amount)


def _span_attributes(question: ModelQuestion) -> dict[str, str]:
    return {
        "agent_id": question.agent.agent_id,
        "model": question.agent.model or "",
        "decision_id": question.decision.decision_id,
        "round_id": question.decision.round_id,
        "market.ticker": question.market.ticker,
        "market.title": question.market.title,
        "track": question.decision.track.value,
    }


def _annotate(traced: TraceSpan, attempt: Attempt) -> None:
    record, bill = attempt.record, attempt.bill
    traced.set(
        {
            "coliseum.cost_usd_billed": None if bill.cost is None else float(bill.cost),
            "coliseum.cost_source": None if bill.source is None else bill.source.value,
            "downstream_provider": None if record is None else record.host,
            "model_served": None if record is None else record.model_served,
            "requests": None if record is None else record.requests,
            "repairs": None if record is None else ",".join(record.repairs) or None,
            "error_class": None if attempt.failure is None else attempt.failure.value,
        }
    )


def _measure_attempt(model: str, attempt: Attempt) -> None:
    record = attempt.record
    emit_metrics(
        {"model": model},
        LlmCalls=0 if record is None else record.requests,
        LlmCostUsd=float(attempt.bill.cost or 0),
        LlmTokens=0 if record is None else record.input_tokens + record.output_tokens,
        LlmErrors=int(attempt.failure is not None),
        DecisionLatencyMs=attempt.latency_ms,
    )
