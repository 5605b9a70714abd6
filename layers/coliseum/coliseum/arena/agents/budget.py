"""The day's money for models: reserved before a request, replaced by the bill when the attempt is recorded.

The database decides in one statement, so that workers cannot reserve more than the cap together. It also counts the
reservation of a dead worker as spent, since the model may have been asked. Money that no request used is free again.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from coliseum.arena.agents.costs import ROUND_CHARACTERS, request_bound
from coliseum.arena.agents.roster import options_of, prices_of, replicates_of
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import Agent, Round
from coliseum.observability import emit_metrics, logger

NEARLY_SPENT = Decimal("0.8")
"""The spent share of a day's budget at which a warning is logged."""


class Budget:
    """The budget of all models together. A round is paid for by the UTC day on which it opens."""

    def __init__(self, records: ArenaRecords, *, cap: Decimal) -> None:
        self._records = records
        self._cap = cap

    def fund(self, agents: Sequence[Agent], round_: Round) -> None:
        """Reserve a whole round per contestant, the cheapest first, so that as many as possible play it.

        Happens once per round; a repetition changes nothing.
        """
        each = {agent.agent_id: reservation_per_decision(agent) for agent in agents}
        funded = self._records.fund_round(round_.round_id, each=each, cap=self._cap)
        if funded is not None and len(funded) < len(each):
            logger().warning("daily budget covers only some models", funded=len(funded), wanted=len(each))

    def reserve(self, decision_id: str, amount: Decimal) -> bool:
        """Reserve `amount` more dollars for a decision; False where the cap forbids it."""
        return self._records.reserve(decision_id, amount, cap=self._cap)


def reservation_per_decision(agent: Agent) -> Decimal:
    """Dollars that a round reserves for one decision of this agent."""
    prices, options = prices_of(agent.params), options_of(agent.params)
    bound = request_bound(prices, characters=ROUND_CHARACTERS, max_tokens=options.max_tokens)
    return bound * replicates_of(agent.params)


def warn_when_nearly_spent(records: ArenaRecords) -> bool:
    """Warn once a day, in log and metrics, when 80 % of the budget are spent. True where this call warned."""
    warning = records.budget_warning(NEARLY_SPENT)
    if warning is None:
        return False
    day, spent, cap = warning["day"], warning["spent_usd"], warning["cap_usd"]
    logger().warning("daily budget for models is nearly spent", day=day, spent_usd=spent, cap_usd=cap)
    emit_metrics({}, BudgetNearlySpent=1)
    return True
