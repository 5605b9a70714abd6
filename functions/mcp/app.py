"""The MCP function: outside agents as MCP clients. Its packages double the cost of an import, so it stands alone."""

from __future__ import annotations

from functools import cache
from secrets import token_bytes

from fastapi import FastAPI

from coliseum import config
from coliseum.arena.api.entry import mcp_routes
from coliseum.arena.api.entry.mcp_server import mcp_server
from coliseum.arena.entry.entrants import Entrants
from coliseum.arena.entry.records import EntryRecords
from coliseum.aws import load_secrets
from coliseum.config import Settings
from coliseum.http.app import create_app, lambda_handler
from coliseum.store.client import Store


def build(settings: Settings) -> FastAPI:
    """The app with its clients, which live as long as the container."""
    app = create_app(title="Coliseum MCP", routers=(mcp_routes.router,), settings=settings)

    @cache
    def store() -> Store:
        opened = Store.from_settings(settings)
        app.state.resources.callback(opened.close)
        return opened

    app.state.entrants = Entrants(lambda: EntryRecords(store()), random=token_bytes)
    app.state.mcp_server = mcp_server(app.state.entrants)
    return app


load_secrets()
app = build(config.settings)
handler = lambda_handler(app)
