"""Reads and writes of the contestants' tables: seasons, agents, and the accounts they begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coliseum.arena.calendar import season_span
from coliseum.arena.records.batches import StoreRecords
from coliseum.arena.records.rows import AGENT_COLUMNS, Agent, agent_from
from coliseum.errors import NotFound


class AgentRecords(StoreRecords):
    """Contestants and their seasons."""

    def enroll_season(
        self, season: str, *, agents: Sequence[Mapping[str, Any]], accounts: Sequence[Mapping[str, Any]]
    ) -> None:
        """Create what is missing of the season, its agents and their accounts with deposits, in one transaction.

        Existing rows stay as they are, model slugs included. Agents of an earlier season enter this one under the new
        terms. The given status counts between `active` and `needs_key`; paused and retired agents stay so.
        """
        start, end = season_span(season)
        named = {"season": season, "starts_at": start.isoformat(), "ends_at": end.isoformat()}
        body = {
            "season": named,
            "agents": [dict(agent) for agent in agents],
            "accounts": [dict(account) for account in accounts],
        }
        self._store.rpc("arena_field", {"p": body})

    def agents(self) -> tuple[Agent, ...]:
        rows = self._store.select("arena_agents", AGENT_COLUMNS, order=("agent_id",))
        return tuple(agent_from(row) for row in rows)

    def playing_entrants(self) -> frozenset[str]:
        """The active outside agents that have forecast within the last seven days. New rounds ask them."""
        return frozenset(self._store.rpc("arena_playing_entrants", {}))

    def agent(self, agent_id: str) -> Agent:
        """Raises NotFound for an unknown agent."""
        rows = self._store.select("arena_agents", AGENT_COLUMNS, where=[("agent_id", "eq", agent_id)], limit=1)
        if not rows:
            raise NotFound("agent", agent_id)
        return agent_from(rows[0])

    def set_agent_status(self, agent_id: str, status: str) -> None:
        """Raises NotFound for an unknown agent."""
        self._set_agent(agent_id, p_status=status)

    def set_output_mode(self, agent_id: str, output_mode: str) -> None:
        """Remember how this agent's model can be made to answer. Raises NotFound for an unknown agent."""
        self._set_agent(agent_id, p_output_mode=output_mode)

    def _set_agent(self, agent_id: str, **changes: str) -> None:
        if not self._store.rpc("arena_set_agent", {"p_agent": agent_id, **changes}):
            raise NotFound("agent", agent_id)
