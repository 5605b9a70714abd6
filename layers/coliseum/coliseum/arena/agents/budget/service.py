"""The day's money for models: set aside before it is spent, given back when the bill is known.

The database decides, in one statement, so that no number of workers can reserve beyond the cap. What a dead worker
had reserved stays reserved until the day is over: rather too little is spent than too much.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from coliseum.arena.agents.costs import ROUND_CHARACTERS, request_bound, round_bound
from coliseum.arena.agents.roster import options_of, prices_of
from coliseum.arena.records import Agent, ArenaRecords
from coliseum.observability import logger


class Budget:
    """The budget of all models together."""

    def __init__(self, records: ArenaRecords, *, cap: Decimal) -> None:
        self._records = records
        self._cap = cap

    def reserve_round(self, agents: Sequence[Agent], markets: int, *, day: date) -> frozenset[str]:
        """Set aside a whole round per contestant, the cheapest first, so that as many as possible play it.

        The ids of those whose round is paid for. Bind `day` (the round's, UTC) to get opening's `Reserve`.
        """
        wanted = sorted((_round(agent, markets), agent.agent_id) for agent in agents)
        funded = {agent_id for amount, agent_id in wanted if self.reserve(day, amount)}
        if len(funded) < len(wanted):
            logger().warning("the day's budget does not reach", extra={"funded": len(funded), "wanted": len(wanted)})
        return frozenset(funded)

    def reserve(self, day: date, amount: Decimal) -> bool:
        return self._records.reserve(day, amount, cap=self._cap)

    def settle(self, day: date, *, reserved: Decimal, spent: Decimal) -> None:
        if reserved or spent:
            self._records.settle_budget(day, reserved=reserved, spent=spent)


def set_aside(agent: Agent) -> Decimal:
    """What the round had reserved for one decision of this agent."""
    prices, options = prices_of(agent.params), options_of(agent.params)
    return request_bound(prices, characters=ROUND_CHARACTERS, max_tokens=options.max_tokens)


def _round(agent: Agent, markets: int) -> Decimal:
    prices, options = prices_of(agent.params), options_of(agent.params)
    return round_bound(prices, max_tokens=options.max_tokens, tracks=len(agent.tracks), markets=markets)
