"""The utility routes: what this service is, and whether it works."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from coliseum import __version__
from coliseum.config import Settings
from coliseum.http.health import SERVICE, Health, health_from, http_status
from coliseum.http.probes import Prober

PREFIX = "/api/python"
STREAMS = ("trading", "trades", "portfolio", "status", "arena")
router = APIRouter(prefix=PREFIX, tags=["utility"])
plain_router = APIRouter(include_in_schema=False)


class Links(BaseModel):
    """Paths on this host."""

    docs: str = Field(examples=[f"{PREFIX}/docs"])
    openapi: str
    health: str
    streams: dict[str, str] = Field(description="Server-sent events, by name.")
    events: str = Field(description="The same log by long poll, as JSON.")
    dashboard: str


class About(BaseModel):
    """Name, version and environment of this service."""

    model_config = ConfigDict(frozen=True)

    name: Literal["Coliseum"]
    service: str
    version: str
    environment: str
    links: Links


def settings_of(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def prober_of(request: Request) -> Prober:
    prober: Prober = request.app.state.prober
    return prober


@router.get("/", summary="What this is")
def about(settings: Annotated[Settings, Depends(settings_of)]) -> About:
    """Name, version, environment, and links to the documentation, the streams and the dashboard."""
    links = Links(
        docs=f"{PREFIX}/docs",
        openapi=f"{PREFIX}/openapi.json",
        health=f"{PREFIX}/health",
        streams={name: f"{PREFIX}/sse/{name}" for name in STREAMS},
        events=f"{PREFIX}/events",
        dashboard="/",
    )
    return About(name="Coliseum", service=SERVICE, version=__version__, environment=settings.environment, links=links)


@router.get(
    "/health",
    summary="Whether it works",
    responses={503: {"model": Health, "description": "Nothing can be served."}},
)
def health(
    response: Response,
    settings: Annotated[Settings, Depends(settings_of)],
    prober: Annotated[Prober, Depends(prober_of)],
) -> Health:
    """Probes database, Redis, exchange and bot in parallel, for four seconds at most.

    The status is 200 while any of them answers, else 503. `degraded` means that one of them is missing.
    The bot's mode comes from the bot, else it is the last one known.
    """
    results, mode, changes = prober.run()
    response.status_code = http_status(results)
    return health_from(
        results,
        version=__version__,
        environment=settings.environment,
        identity=settings.identity,
        mode=mode,
        exchange_changes=changes,
    )


router.add_api_route("", about, include_in_schema=False)
plain_router.add_api_route("/", about)
plain_router.add_api_route("/health", health)
