"""Admin actions. Each can be repeated: the answer gives the present state and whether this call changed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from coliseum.arena.api.admin.answers import AgentStatusAnswer, OpenedAnswer, RedriveAnswer
from coliseum.arena.api.claims.answers import ClaimRequest, RegisteredAnswer
from coliseum.arena.claims import MARKET, check_registration, claim_from
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import Agent
from coliseum.arena.rounds.opening import OpeningReport
from coliseum.errors import InvalidInput
from coliseum.http.routes import PREFIX

AgentCommand = Literal["pause", "resume", "retire"]


@dataclass(frozen=True, slots=True)
class AdminActions:
    """What the admin actions need. Each client is built when an action first needs it."""

    records: Callable[[], ArenaRecords]
    open_round: Callable[[], OpeningReport]
    """Opens the round of the present slot and publishes it."""
    redrive: Callable[[], int]
    """Puts unanswered questions on the queue and returns their number."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Operator:
    """Carries out the admin actions of a caller who has shown the admin token."""

    def __init__(self, actions: AdminActions, *, has_key: bool, clock: Callable[[], datetime] = utc_now) -> None:
        self._actions = actions
        self._clock = clock
        self._has_key = has_key

    def open_round(self) -> OpenedAnswer:
        """Open the round of the present slot, unless it is open already."""
        opened = self._actions.open_round()
        return OpenedAnswer(round_id=opened.round_id, new=opened.new, handed_out=opened.handed_out)

    def command(self, agent_id: str, command: AgentCommand) -> AgentStatusAnswer:
        """Pause, resume or retire an agent.

        Raises NotFound for an unknown agent, and InvalidInput for a retired one, which cannot come back, and for an
        outside agent.
        """
        records = self._actions.records()
        agent = records.agent(agent_id)
        if agent.kind == "entrant":
            wanted = "a contestant of the roster; outside agents have /arena/entrants/{id}/admit, /limit, /ban"
            raise InvalidInput("agent_id", agent_id, wanted)
        status = self._status_after(agent, command)
        if status != agent.status:
            records.set_agent_status(agent_id, status)
        return AgentStatusAnswer.model_validate(
            {"agent_id": agent_id, "status": status, "changed": status != agent.status}
        )

    def register_claim(self, request: ClaimRequest) -> RegisteredAnswer:
        """Register a claim, unless the same one was registered before.

        Raises NotFound for an unknown agent, and InvalidInput for a claim that cannot be registered.
        """
        records, claim = self._actions.records(), claim_from(request.model_dump(exclude_none=True))
        check_registration(claim, self._clock())
        for agent_id in (claim.agent, *([] if claim.against == MARKET else [claim.against])):
            agent = records.agent(agent_id)
            if claim.track not in agent.tracks:
                raise InvalidInput("track", claim.track, f"a track that {agent_id} plays: {', '.join(agent.tracks)}")
        claim_id, new = records.register_claim(claim)
        return RegisteredAnswer(
            claim_id=claim_id, new=new, seal=claim.seal, address=f"{PREFIX}/arena/claims/{claim_id}"
        )

    def redrive(self) -> RedriveAnswer:
        """Put every question of an open round that no worker holds back on the queue."""
        return RedriveAnswer(handed_out=self._actions.redrive())

    def _status_after(self, agent: Agent, command: AgentCommand) -> str:
        if command == "retire":
            return "retired"
        if agent.status == "retired":
            raise InvalidInput("agent_id", agent.agent_id, "an agent that has not retired")
        if command == "pause":
            return "paused"
        return "active" if agent.kind != "llm" or self._has_key else "needs_key"
