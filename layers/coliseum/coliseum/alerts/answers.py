"""What the alert routes answer and take."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from coliseum.alerts.rules import AlertSeverity, RuleName
from coliseum.http.answers import Answer, Listing
from coliseum.http.field_types import UtcTime
from coliseum.http.strict_body import StrictRequest

DeliveryStatus = Literal["waiting", "sent", "undelivered", "muted", "untold"]


class DeliveryData(Answer):
    """One message about the alert for one service."""

    service: str = Field(description="The service's name, which does not show its address; `log` is the streams.")
    phase: str = Field(description="raised, noted, cleared, or repeated-1 and so on.")
    status: DeliveryStatus = Field(
        description="`untold`: the end of an alert whose beginning never arrived. `undelivered`: given up after a day."
    )
    attempts: int = Field(ge=0)
    sent_at: UtcTime | None
    next_attempt_at: UtcTime | None = Field(description="While it is waiting.")
    problem: str | None = Field(description="Why the last attempt failed.")


class AlertData(Answer):
    """One alert."""

    id: str = Field(
        description="rule:subject:episode, as in every message about it.", examples=["bot_offline:all:1796"]
    )
    rule: str
    subject: str
    severity: AlertSeverity
    state: Literal["firing", "cleared", "event"] = Field(description="An event happened once and has no end.")
    text: str = Field(description="A plain sentence.")
    raised_at: UtcTime
    cleared_at: UtcTime | None
    acknowledged_at: UtcTime | None
    deliveries: list[DeliveryData]


class AlertsAnswer(Listing[AlertData]):
    """Alerts, newest first."""


class AcknowledgedAnswer(Answer):
    """An acknowledged alert is not repeated."""

    id: str
    acknowledged_at: UtcTime


class MuteRequest(StrictRequest):
    """Send nothing about a rule for a while. The history and the streams go on."""

    rule: str = Field(
        description="A rule, or * for all of them.",
        json_schema_extra={"enum": ["*", *(name.value for name in RuleName)]},
    )
    hours: float = Field(ge=0, le=168, description="At most seven days; 0 ends a mute.")

    @field_validator("rule")
    @classmethod
    def _check_rule(cls, value: str) -> str:
        if value != "*" and value not in {name.value for name in RuleName}:
            raise ValueError(f"expected * or one of {', '.join(name.value for name in RuleName)}")
        return value


class MutedAnswer(Answer):
    """Until when nothing is sent about the rule."""

    rule: str
    until: UtcTime
