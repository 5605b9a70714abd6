"""The arena function: contestants, forecasts, leaderboards, paper accounts and admin commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial

from fastapi import FastAPI

from coliseum import config
from coliseum.arena.agents.budget import Budget
from coliseum.arena.agents.enrollment import enroll_roster
from coliseum.arena.api import routes
from coliseum.arena.api.accounts import routes as account_routes
from coliseum.arena.api.accounts.accounts import AccountQueries
from coliseum.arena.api.admin import routes as admin_routes
from coliseum.arena.api.admin.actions import AdminActions, Operator
from coliseum.arena.api.arena import Arena
from coliseum.arena.api.exports import Exports
from coliseum.arena.api.leaderboards import routes as leaderboard_routes
from coliseum.arena.api.leaderboards.leaderboards import LeaderboardQueries
from coliseum.arena.api.public.queries import PublicQueries
from coliseum.arena.records.arena import ArenaRecords
from coliseum.arena.records.public import PublicRecords
from coliseum.arena.rounds.opening import OpeningReport, RoundPlan, hand_out, open_round
from coliseum.aws import load_secrets, send_batch
from coliseum.config import Settings
from coliseum.feed.feed import Feed, now_ms
from coliseum.http.app import create_app, lambda_handler
from coliseum.kalshi.client import Kalshi
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

ROUTERS = (routes.router, leaderboard_routes.router, account_routes.router, admin_routes.router)


def build(settings: Settings) -> FastAPI:
    """The app with its clients, which live as long as the container."""
    app = create_app(title="Coliseum arena", routers=ROUTERS, settings=settings)

    @cache
    def store() -> Store:
        opened = Store.from_settings(settings)
        app.state.resources.callback(opened.close)
        return opened

    queries = PublicQueries(PublicRecords(store))
    app.state.leaderboards = LeaderboardQueries(queries)
    app.state.accounts = AccountQueries(queries)
    app.state.arena = Arena(queries, app.state.leaderboards)
    app.state.exports = Exports(queries)
    actions = _admin_actions(settings, lambda: ArenaRecords(store()), app.state.resources.callback)
    app.state.operator = Operator(actions, has_key=settings.openrouter_api_key is not None)
    return app


def _admin_actions(
    settings: Settings, records: Callable[[], ArenaRecords], close: Callable[[Callable[[], None]], object]
) -> AdminActions:
    """The steps of the scheduled functions, as admin commands. Clients are built when a command first needs them."""

    @cache
    def outside() -> tuple[Kalshi, Feed, partial[None]]:
        settings.require("decisions_queue_url")
        kalshi, redis = Kalshi.from_settings(settings), Redis.from_settings(settings)
        close(kalshi.close)
        close(redis.close)
        feed = Feed.from_settings(settings, redis)
        return kalshi, feed, partial(send_batch, str(settings.decisions_queue_url))

    def opened() -> OpeningReport:
        kalshi, feed, enqueue = outside()
        kept = records()
        found = open_round(
            RoundPlan.from_settings(settings),
            clock=lambda: datetime.now(UTC),
            kalshi=kalshi,
            records=kept,
            enqueue=enqueue,
            field=partial(enroll_roster, kept, has_key=settings.openrouter_api_key is not None),
            fund=Budget(kept, cap=settings.arena_daily_budget_usd).fund,
        )
        if found.entries:
            feed.publish(found.entries, now_ms=now_ms())
        return found

    def redrive() -> int:
        at_once = replace(RoundPlan.from_settings(settings), open_for=timedelta(0))
        return hand_out(at_once, records(), outside()[2])

    return AdminActions(records=records, open_round=opened, redrive=redrive)


load_secrets()
app = build(config.settings)
handler = lambda_handler(app)
