"""Answers of the admin actions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coliseum.http.answers import Answer


class OpenedAnswer(Answer):
    """The round of the present slot."""

    round_id: str | None = Field(description="Null if no market qualified.")
    new: bool = Field(description="False if the slot had its round already.")
    handed_out: int = Field(description="Questions put on the queue by this call.")


class AgentStatusAnswer(Answer):
    """An agent after an admin action."""

    agent_id: str
    status: Literal["active", "needs_key", "paused", "retired"]
    changed: bool


class RedriveAnswer(Answer):
    """Unanswered questions of open rounds, put on the queue again."""

    handed_out: int
