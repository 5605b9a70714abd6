"""An operator's orders. Each may be repeated: it says what is, and whether this call changed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from coliseum.arena.api.admin.answers import AgentStatusAnswer, OpenedAnswer, RedriveAnswer
from coliseum.arena.records.arena import ArenaRecords
from coliseum.arena.records.rows import Agent
from coliseum.arena.rounds.opening import Opened
from coliseum.errors import InvalidInput

AgentCommand = Literal["pause", "resume", "retire"]


@dataclass(frozen=True, slots=True)
class AdminActions:
    """What an operator sets in motion. Each is made when it is first asked for."""

    records: Callable[[], ArenaRecords]
    open_round: Callable[[], Opened]
    """Opens the round of the present slot and tells of it."""
    redrive: Callable[[], int]
    """Puts what is unanswered on the queue; how many questions that were."""


class Operator:
    """Whoever holds the operator's token."""

    def __init__(self, works: AdminActions, *, has_key: bool) -> None:
        self._works = works
        self._has_key = has_key

    def open_round(self) -> OpenedAnswer:
        """The round of the present slot, opened now unless it is open already."""
        opened = self._works.open_round()
        return OpenedAnswer(round_id=opened.round_id, new=opened.new, handed_out=opened.handed_out)

    def command(self, agent_id: str, order: AgentCommand) -> AgentStatusAnswer:
        """Raises NotFound for an unknown agent, InvalidInput for one that has retired: that is for good."""
        records = self._works.records()
        agent = records.agent(agent_id)
        status = self._status_after(agent, order)
        if status != agent.status:
            records.set_agent_status(agent_id, status)
        return AgentStatusAnswer.model_validate(
            {"agent_id": agent_id, "status": status, "changed": status != agent.status}
        )

    def redrive(self) -> RedriveAnswer:
        """Put every question of an open round that nobody works on back on the queue."""
        return RedriveAnswer(handed_out=self._works.redrive())

    def _status_after(self, agent: Agent, order: AgentCommand) -> str:
        if order == "retire":
            return "retired"
        if agent.status == "retired":
            raise InvalidInput("agent_id", agent.agent_id, "an agent that has not retired")
        if order == "pause":
            return "paused"
        return "active" if agent.kind != "llm" or self._has_key else "needs_key"
