"""The arena function: contestants, forecasts, leaderboards, paper accounts and admin actions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from secrets import token_bytes

from fastapi import FastAPI

from coliseum import config
from coliseum.arena.api import routes
from coliseum.arena.api.accounts import routes as account_routes
from coliseum.arena.api.accounts.accounts import AccountQueries
from coliseum.arena.api.admin import routes as admin_routes
from coliseum.arena.api.admin.actions import AdminActions, Operator
from coliseum.arena.api.arena import ArenaQueries
from coliseum.arena.api.claims import routes as claim_routes
from coliseum.arena.api.claims.claims import ClaimQueries
from coliseum.arena.api.entry import endpoint_routes
from coliseum.arena.api.entry import routes as entry_routes
from coliseum.arena.api.exports import routes as export_routes
from coliseum.arena.api.exports.exports import Exports
from coliseum.arena.api.leaderboards import routes as leaderboard_routes
from coliseum.arena.api.leaderboards.leaderboards import LeaderboardQueries
from coliseum.arena.api.public.queries import PublicQueries
from coliseum.arena.entry.entrants import Entrants
from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.public import PublicRecords
from coliseum.arena.rounds.opener import RoundOpener
from coliseum.aws import load_secrets
from coliseum.config import Settings
from coliseum.http.app import create_app, lambda_handler
from coliseum.store.client import Store

ROUTERS = (
    routes.router,
    leaderboard_routes.router,
    claim_routes.router,
    export_routes.router,
    account_routes.router,
    admin_routes.router,
    entry_routes.router,
    entry_routes.discovery_router,
    endpoint_routes.router,
    entry_routes.operator_router,
)


def build(settings: Settings) -> FastAPI:
    """The app with its clients, which live as long as the container."""
    settings.require_entry_secrets()
    app = create_app(title="Coliseum arena", routers=ROUTERS, settings=settings)

    @cache
    def store() -> Store:
        opened = Store.from_settings(settings)
        app.state.resources.callback(opened.close)
        return opened

    queries = PublicQueries(PublicRecords(store))
    app.state.queries = queries
    app.state.entrants = Entrants(lambda: EntryRecords(store()), random=token_bytes)
    app.state.claims = ClaimQueries(queries)
    app.state.leaderboards = LeaderboardQueries(queries)
    app.state.accounts = AccountQueries(queries)
    app.state.arena = ArenaQueries(queries, app.state.leaderboards)
    app.state.exports = Exports(queries, app.state.leaderboards)
    actions = _admin_actions(settings, lambda: ArenaRecords(store()), app.state.resources.callback)
    app.state.operator = Operator(actions, has_key=settings.openrouter_api_key is not None)
    return app


def _admin_actions(
    settings: Settings, records: Callable[[], ArenaRecords], close: Callable[[Callable[[], None]], object]
) -> AdminActions:
    """The steps of the scheduled functions, as admin actions. Clients are built when an action first needs them."""

    @cache
    def opener() -> RoundOpener:
        built = RoundOpener.from_settings(settings, records)
        close(built.close)
        return built

    return AdminActions(
        records=records,
        open_round=lambda: opener().open(),
        redrive=lambda: opener().hand_out_at_once(),
    )


load_secrets()
app = build(config.settings)
handler = lambda_handler(app)
