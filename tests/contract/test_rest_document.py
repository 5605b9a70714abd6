"""The published OpenAPI document is the one that the routers produce."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import coliseum
from coliseum.alerts import routes as alerts
from coliseum.arena.api import routes as arena
from coliseum.arena.api.accounts import routes as accounts
from coliseum.arena.api.admin import routes as admin
from coliseum.arena.api.claims import routes as claims
from coliseum.arena.api.entry import endpoint_routes as endpoints
from coliseum.arena.api.entry import mcp_routes as mcp
from coliseum.arena.api.entry import routes as entry
from coliseum.arena.api.exports import routes as exports
from coliseum.arena.api.leaderboards import routes as leaderboards
from coliseum.http import routes as utility
from coliseum.http import schema_routes as schemas
from coliseum.http.openapi import build_document
from coliseum.markets import routes as markets
from coliseum.portfolio import routes as portfolio

PUBLISHED = Path(coliseum.__file__).parent / "http" / "openapi.json"


def merged() -> dict[str, Any]:
    modules = (portfolio, markets, arena, leaderboards, claims, exports, accounts, admin, utility, schemas, endpoints)
    routers = [*(module.router for module in modules), entry.router, entry.operator_router, mcp.router]
    routers += [alerts.router, alerts.orders]
    return build_document(routers, version=coliseum.__version__)


def test_the_published_document_is_the_one_that_the_routers_build() -> None:
    published, built = json.loads(PUBLISHED.read_text()), json.loads(json.dumps(merged()))
    assert published == built, "a route or an answer has changed: write http/openapi.json with `make openapi`"


if __name__ == "__main__":
    PUBLISHED.write_text(json.dumps(merged(), indent=1, ensure_ascii=False) + "\n")
