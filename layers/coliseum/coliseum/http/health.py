"""What the health answer says, from what the probes found. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from coliseum.http.field_types import UtcTime
from coliseum.trading.modes import BotMode

ProbeResult = Literal["up", "down", "unknown"]
"""`unknown`: the probe did not end in time, or broke."""
SERVICE = "coliseum-api"


class Health(BaseModel):
    """Can this API do its work, and which of its parts are there?"""

    model_config = ConfigDict(frozen=True)

    status: Literal["healthy", "degraded"]
    service: str = Field(examples=[SERVICE])
    version: str
    database: Literal["connected", "unavailable"]
    redis: Literal["connected", "unavailable"]
    exchange: Literal["connected", "unavailable"] = Field(description="Tells nothing of the account's key.")
    bot: Literal["online", "offline", "unknown"]
    bot_mode: str | None = Field(description="`paper` or `live`; null is not known, not paper.", examples=["paper"])
    bot_mode_as_of: UtcTime | None = Field(description="When the bot said so.")
    bot_mode_stale: bool = Field(description="True where the mode is not the bot's word of now.")
    environment: str


def health_from(
    findings: Mapping[str, ProbeResult], *, version: str, environment: str, mode: BotMode | None = None
) -> Health:
    """`findings` by part: database, redis, exchange, bot. Healthy is when database, Redis and bot are there."""
    bots: dict[ProbeResult, Literal["online", "offline", "unknown"]] = {"up": "online", "down": "offline"}
    healthy = all(findings[part] == "up" for part in ("database", "redis", "bot"))
    return Health(
        status="healthy" if healthy else "degraded",
        service=SERVICE,
        version=version,
        database="connected" if findings["database"] == "up" else "unavailable",
        redis="connected" if findings["redis"] == "up" else "unavailable",
        exchange="connected" if findings["exchange"] == "up" else "unavailable",
        bot=bots.get(findings["bot"], "unknown"),
        bot_mode=None if mode is None else mode.name,
        bot_mode_as_of=None if mode is None else mode.as_of,
        bot_mode_stale=mode is None or mode.stale,
        environment=environment,
    )


def http_status(findings: Mapping[str, ProbeResult]) -> int:
    """200 while anything can be served (every part counts, the exchange too), 503 only when nothing can."""
    return 200 if any(finding == "up" for finding in findings.values()) else 503
