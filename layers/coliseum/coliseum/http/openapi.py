"""The OpenAPI document of all functions, built from their routers and the stream's paths. Pure.

`openapi.json` beside this file is the result. Every function serves that file, so that the documentation shows all
routes and not only those of the function that answers. A test keeps the two equal; `make openapi` writes the file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic.json_schema import models_json_schema

from coliseum.http import push_paths, stream_paths
from coliseum.http.problems import ProblemDetails

_TAGS = [
    {"name": "portfolio", "description": "The account on the exchange and the bot's trades."},
    {"name": "markets", "description": "Market data; no key needed."},
    {"name": "arena", "description": "Forecasts, their proofs, leaderboards and paper accounts."},
    {"name": "arena entry", "description": "For outside agents. They exist only where ARENA_ENTRY is set."},
    {"name": "alerts", "description": "What was raised and who was told. Orders need ADMIN_TOKEN."},
    {"name": "arena operation", "description": "Actions of the operator. They exist only where ADMIN_TOKEN is set."},
    {"name": "utility", "description": "What this service is and whether it works."},
]
_DESCRIPTION = """\
Watch a Kalshi trading bot live, the account and markets behind it, and the arena in which models forecast them.

Money and prices are decimal **strings** in dollars, times RFC 3339 in UTC. Unknown is `null`, never 0.
Every answer gives its `source`, the time of the data (`as_of`), and whether the source has failed since (`stale`).
Errors are problem details (RFC 9457) with a `correlation_id`.
"""
_REFERENCE = "#/components/schemas/"
_PUBLISHED_NAMES = {
    ("arena", "MarketData"): "coliseum__arena__answers__MarketData",
    ("arena", "MarketsAnswer"): "coliseum__arena__answers__MarketsAnswer",
    ("arena", "PositionData"): "coliseum__arena__books__answers__PositionData",
    ("arena", "TotalsData"): "coliseum__arena__answers__TotalsData",
}
"""Schemas whose generated name holds the Python module: (package, class) → the name that clients already know."""


def build_document(routers: Sequence[APIRouter], *, version: str) -> dict[str, Any]:
    """The merged document, OpenAPI 3.1."""
    app = FastAPI(
        title="Coliseum",
        version=version,
        description=_DESCRIPTION,
        openapi_tags=[*_TAGS, *push_paths.TAGS, *stream_paths.TAGS],
    )
    for router in routers:
        app.include_router(router)
    merged = _with_published_names(app.openapi())
    _, problem = models_json_schema([(ProblemDetails, "validation")])
    merged["paths"] |= push_paths.PATHS | stream_paths.PATHS
    schemas = push_paths.SCHEMAS | stream_paths.SCHEMAS
    merged["components"]["schemas"] |= {"Problem": problem["$defs"]["ProblemDetails"], **schemas}
    merged["components"]["securitySchemes"] = stream_paths.SECURITY
    merged["servers"] = [{"url": "/", "description": "This host"}]
    return merged


def _with_published_names(document: dict[str, Any]) -> dict[str, Any]:
    """FastAPI puts the module into the names of two classes that share one. A moved module must not rename a schema."""
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        package_and_class = (name.split("__")[1], name.split("__")[-1]) if "__" in name else ("", name)
        published = _PUBLISHED_NAMES.get(package_and_class)
        if published is not None:
            text = text.replace(f'"{_REFERENCE}{name}"', f'"{_REFERENCE}{published}"')
            text = text.replace(f'"{name}": ', f'"{published}": ')
    renamed: dict[str, Any] = json.loads(text)
    return renamed
