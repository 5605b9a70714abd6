"""Enrol the season's contestants, and let models play as soon as a key exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coliseum.arena.agents.roster import Roster, roster
from coliseum.arena.agents.roster_setting import configured_roster
from coliseum.arena.forecasts import Track
from coliseum.arena.paper.sizing import DEPOSIT, policies_of
from coliseum.arena.records.agents import AgentRecords
from coliseum.errors import SourceError
from coliseum.observability import logger
from coliseum.trading.money import decimal_text

ACTIVE, NEEDS_KEY = "active", "needs_key"


def enroll_roster(records: AgentRecords, season: str, *, has_key: bool, contestants: Roster | None = None) -> None:
    """Create the season's contestants; models wait with `needs_key` while there is no key.

    Contestants of the season keep their model slug and terms, and agents that an operator paused or retired stay so.
    """
    contestants = contestants or roster()
    models = [_with_status(row, ACTIVE if has_key else NEEDS_KEY) for row in contestants.models]
    enroll(records, season, [*models, *(_with_status(row, ACTIVE) for row in contestants.others)])


class OperatorsRoster:
    """Enrols the roster of ARENA_ROSTER. A file is read at once; an address when the first round opens."""

    def __init__(self, records: AgentRecords, value: str | None, *, has_key: bool) -> None:
        """Raises ConfigurationError for a file or document that is wrong."""
        self._records = records
        self._value = value
        self._has_key = has_key
        at_address = value is not None and value.strip().startswith("https://")
        self._roster = None if at_address else configured_roster(value)

    def enroll(self, season: str) -> None:
        """Create the season's contestants. Where the address does not answer, a season that has some goes on with them.

        Raises SourceError where it has none, and ConfigurationError for a wrong document.
        """
        try:
            self._roster = self._roster or configured_roster(self._value)
        except SourceError as error:
            if not any(agent.season == season and agent.kind != "entrant" for agent in self._records.agents()):
                raise
            logger().warning("the roster's address does not answer, nobody new enters", problem=str(error))
            return
        enroll_roster(self._records, season, has_key=self._has_key, contestants=self._roster)


def enroll(records: AgentRecords, season: str, agents: Sequence[Mapping[str, Any]]) -> None:
    """Create these agents (rows of `arena_agents`) and their paper accounts for the season."""
    records.enroll_season(season, agents=agents, accounts=account_rows(agents, season))


def account_rows(agents: Sequence[Mapping[str, Any]], season: str) -> list[dict[str, str]]:
    """One paper account per agent and policy. Pure."""
    return [
        {
            "account_id": f"{season}/{agent['agent_id']}/{policy.value}",
            "agent_id": agent["agent_id"],
            "policy": policy.value,
            "deposit": decimal_text(DEPOSIT),
            # An agent that plays several tracks trades its blind forecasts: they owe nothing to the price.
            "track": next(track.value for track in Track if track in agent["tracks"]),
        }
        for agent in agents
        for policy in policies_of(agent["kind"])
    ]


def _with_status(row: Mapping[str, Any], status: str) -> dict[str, Any]:
    return {**row, "status": status}
