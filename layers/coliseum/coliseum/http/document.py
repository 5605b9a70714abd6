"""The OpenAPI document of all functions, put together from their routers and the stream's paths. Pure.

`openapi.json` beside this file is its result: every function serves that file, whether or not it has the routes.
A test keeps the two equal and says how to write the file anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic.json_schema import models_json_schema

from coliseum.http.pages import ProblemDetails
from coliseum.http.stream_paths import PATHS, SCHEMAS, SECURITY, TAGS

_TAGS = [
    {"name": "portfolio", "description": "The account on the exchange and the bot's trades."},
    {"name": "markets", "description": "Market data; no key needed."},
    {"name": "arena", "description": "Who knows more than the market: forecasts, proofs, boards, paper accounts."},
    {"name": "arena operation", "description": "An operator's orders; they exist only where ADMIN_TOKEN is set."},
    {"name": "utility", "description": "What this is and whether it works."},
]
_DESCRIPTION = """\
Watch a Kalshi trading bot live, the account and markets behind it, and the arena in which models forecast them.

Money and prices are decimal **strings** in dollars, times RFC 3339 in UTC. Unknown is `null`, never 0.
Every answer says its `source`, when that said so (`as_of`), and whether the source failed meanwhile (`stale`).
Errors are problem details (RFC 9457) with a `correlation_id`.
"""


def document(routers: Sequence[APIRouter], *, version: str) -> dict[str, Any]:
    """The merged document, OpenAPI 3.1."""
    app = FastAPI(title="Coliseum", version=version, description=_DESCRIPTION, openapi_tags=[*_TAGS, *TAGS])
    for router in routers:
        app.include_router(router)
    merged = app.openapi()
    _, problem = models_json_schema([(ProblemDetails, "validation")])
    merged["paths"] |= PATHS
    merged["components"]["schemas"] |= {"Problem": problem["$defs"]["ProblemDetails"], **SCHEMAS}
    merged["components"]["securitySchemes"] = SECURITY
    merged["servers"] = [{"url": "/", "description": "This host"}]
    return merged
