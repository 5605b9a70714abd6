"""The health answer, from the results of the probes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from coliseum.http.answers import IdentityData
from coliseum.http.field_types import UtcTime
from coliseum.identity import Identity
from coliseum.trading.modes import BotMode

ProbeResult = Literal["up", "down", "unknown"]
"""`unknown`: the probe did not end in time, or failed with an unexpected exception."""
SERVICE = "coliseum-api"


class ExchangeChangeData(BaseModel):
    """A field of the exchange's answers that differs from the form that this version knows."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    object: str = Field(description="The object that has the field.", examples=["Market"])
    field: str = Field(examples=["yes_bid_dollars"])
    change: str = Field(
        description="unknown_field, missing_field, renamed_field, other_type, other_unit, new_value or parameter."
    )
    endpoint: str = Field(description="Where it was seen first.", examples=["GET /markets"])
    detail: str = Field(description="What came, and what was expected.")
    depends_on: str = Field(description="What in Coliseum depends on the field.")
    first_seen: UtcTime


class Health(BaseModel):
    """Whether this API can do its work, and which of the systems behind it answer."""

    model_config = ConfigDict(frozen=True)

    status: Literal["healthy", "degraded"]
    service: str = Field(examples=[SERVICE])
    version: str
    database: Literal["connected", "unavailable"]
    redis: Literal["connected", "unavailable"]
    exchange: Literal["connected", "unavailable"] = Field(description="Says nothing about the account's key.")
    bot: Literal["online", "offline", "unknown"]
    bot_mode: str | None = Field(description="`paper` or `live`. Null means unknown, not paper.", examples=["paper"])
    bot_mode_as_of: UtcTime | None = Field(description="When the bot reported the mode.")
    bot_mode_stale: bool = Field(description="True where the bot did not report the mode just now.")
    bot_mode_warning: str | None = Field(
        description="Why the mode does not fit the exchange: `live` on the sandbox or the demo, or `paper` while real "
        "money trades."
    )
    environment: str
    identity: IdentityData
    exchange_changes: list[ExchangeChangeData] = Field(
        description="Changes of the exchange's interface that this version does not know, oldest first."
    )


def health_from(
    results: Mapping[str, ProbeResult],
    *,
    version: str,
    environment: str,
    identity: Identity,
    mode: BotMode | None = None,
    exchange_changes: Sequence[Mapping[str, Any]] = (),
) -> Health:
    """The answer from `results` by part (database, redis, exchange, bot). The exchange may be down in `healthy`."""
    bots: dict[ProbeResult, Literal["online", "offline", "unknown"]] = {"up": "online", "down": "offline"}
    healthy = all(results[part] == "up" for part in ("database", "redis", "bot"))
    return Health(
        status="healthy" if healthy else "degraded",
        service=SERVICE,
        version=version,
        database="connected" if results["database"] == "up" else "unavailable",
        redis="connected" if results["redis"] == "up" else "unavailable",
        exchange="connected" if results["exchange"] == "up" else "unavailable",
        bot=bots.get(results["bot"], "unknown"),
        bot_mode=None if mode is None else mode.name,
        bot_mode_as_of=None if mode is None else mode.as_of,
        bot_mode_stale=mode is None or mode.stale,
        bot_mode_warning=None if mode is None else mode.warning,
        environment=environment,
        identity=IdentityData(**identity.data()),
        exchange_changes=[ExchangeChangeData(**change) for change in exchange_changes],
    )


def http_status(results: Mapping[str, ProbeResult]) -> int:
    """200 while at least one part is up (the exchange counts too), else 503."""
    return 200 if any(result == "up" for result in results.values()) else 503
