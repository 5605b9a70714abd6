"""What the health answer says, from what the probes found. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Finding = Literal["up", "down", "unknown"]
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
    bot: Literal["online", "offline", "unknown"]
    environment: str


def health_from(findings: Mapping[str, Finding], *, version: str, environment: str) -> Health:
    """`findings` by part: database, redis, bot. Healthy is when all three are there."""
    bots: dict[Finding, Literal["online", "offline", "unknown"]] = {"up": "online", "down": "offline"}
    healthy = all(findings[part] == "up" for part in ("database", "redis", "bot"))
    return Health(
        status="healthy" if healthy else "degraded",
        service=SERVICE,
        version=version,
        database="connected" if findings["database"] == "up" else "unavailable",
        redis="connected" if findings["redis"] == "up" else "unavailable",
        bot=bots.get(findings["bot"], "unknown"),
        environment=environment,
    )


def http_status(findings: Mapping[str, Finding]) -> int:
    """200 while anything can be served (every part counts, the exchange too), 503 only when nothing can."""
    return 200 if any(finding == "up" for finding in findings.values()) else 503
