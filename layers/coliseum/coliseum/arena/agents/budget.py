"""The day's money for models: set aside before it is spent, accounted for when the attempt is written down.

The database decides, in one statement, so that no number of workers can reserve beyond the cap. It also finds what a
dead worker held: that counts as spent, since the model may have been asked; what was never asked is free again.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from coliseum.arena.agents.costs import ROUND_CHARACTERS, request_bound
from coliseum.arena.agents.roster import options_of, prices_of
from coliseum.arena.records.arena import ArenaRecords
from coliseum.arena.records.rows import Agent, Round
from coliseum.observability import emit_metrics, logger

NEARLY_SPENT = Decimal("0.8")
"""The share of a day's budget at which somebody should know."""


class Budget:
    """The budget of all models together. A round's UTC day pays for all of it."""

    def __init__(self, records: ArenaRecords, *, cap: Decimal) -> None:
        self._records = records
        self._cap = cap

    def fund(self, agents: Sequence[Agent], held: Round) -> None:
        """Set aside a whole round per contestant, the cheapest first, so that as many as possible play it. Once."""
        each = {agent.agent_id: reservation_per_decision(agent) for agent in agents}
        funded = self._records.fund_round(held.round_id, each=each, cap=self._cap)
        if funded is not None and len(funded) < len(each):
            logger().warning("the day's budget does not reach", extra={"funded": len(funded), "wanted": len(each)})

    def reserve(self, decision_id: str, amount: Decimal) -> bool:
        """More for a decision than it has."""
        return self._records.reserve(decision_id, amount, cap=self._cap)


def reservation_per_decision(agent: Agent) -> Decimal:
    """What a round reserves for one decision of this agent."""
    prices, options = prices_of(agent.params), options_of(agent.params)
    return request_bound(prices, characters=ROUND_CHARACTERS, max_tokens=options.max_tokens)


def warn_when_nearly_spent(records: ArenaRecords) -> bool:
    """Say once a day, in log and metrics, that the money for models runs out."""
    nearly = records.budget_warning(NEARLY_SPENT)
    if nearly is None:
        return False
    logger().warning("the day's budget for models is nearly spent", extra=dict(nearly))
    emit_metrics({}, BudgetNearlySpent=1)
    return True
