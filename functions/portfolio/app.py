"""The portfolio function: the account, the bot's trades, and the service's own health and documents."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from coliseum import config
from coliseum.alerts import routes as alerts
from coliseum.alerts.history import AlertHistory
from coliseum.aws import load_secrets
from coliseum.bot.client import Bot
from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache
from coliseum.config import Settings
from coliseum.feed.exchange_changes import ExchangeChanges, change_json
from coliseum.feed.feed import Feed
from coliseum.http import routes as utility
from coliseum.http import schema_routes
from coliseum.http.app import create_app, lambda_handler
from coliseum.http.probes import Changes, Prober
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio import routes
from coliseum.portfolio.bot_reconciliation import BotReconciliation
from coliseum.portfolio.gains import AccountGains
from coliseum.portfolio.lists import AccountLists
from coliseum.portfolio.market_groups import MarketGroups
from coliseum.portfolio.pnl import Strategies
from coliseum.portfolio.portfolio import Portfolio, PortfolioDependencies
from coliseum.portfolio.records import POSTGRES, select_strategies
from coliseum.store.client import lazy_store
from coliseum.upstash.client import Redis


def build(settings: Settings) -> FastAPI:
    """The app with its clients, which live as long as the container."""
    routers = [utility.router, utility.plain_router, schema_routes.router, routes.router, alerts.router, alerts.orders]
    app = create_app(title="Coliseum", routers=routers, settings=settings)
    close = app.state.resources.callback
    redis = None if settings.upstash_redis_rest_url is None else Redis.from_settings(settings)
    bot, kalshi, breaker = Bot.from_settings(settings), Kalshi.from_settings(settings), CircuitBreaker()
    store = lazy_store(settings, app.state.resources)
    feed = None if redis is None else Feed.from_settings(settings, redis)
    cache = Cache(redis, prefix=settings.cache_prefix, breaker=breaker)
    portfolio = app.state.portfolio = Portfolio(
        PortfolioDependencies(kalshi, bot, feed, store, cache, breaker, settings.identity)
    )
    app.state.account_lists = AccountLists(kalshi, store, cache, breaker, portfolio.account.transfers)
    app.state.account_gains = AccountGains(
        portfolio.account,
        MarketGroups(kalshi, cache),
        lambda: breaker.call(POSTGRES, lambda: Strategies.from_trades(select_strategies(store()))),
    )
    app.state.alert_history = AlertHistory(store, breaker, owner=settings.identity.label)
    app.state.bot_reconciliation = BotReconciliation(kalshi, bot, store, breaker)
    prober = app.state.prober = Prober(
        {
            "database": lambda: store().ping(),
            "redis": lambda: (redis or Redis.from_settings(settings)).command("PING"),
            "bot": bot.health,
            "exchange": lambda: kalshi.for_seconds(1.0).exchange_status(),
        },
        mode=portfolio.bot_mode,
        changes=_changes(settings, redis, feed, kalshi),
    )
    for resource in (redis, bot, kalshi, portfolio, prober):
        if resource is not None:
            close(resource.close)
    return app


def _changes(settings: Settings, redis: Redis | None, feed: Feed | None, kalshi: Kalshi) -> Callable[[], Changes]:
    """What reads the known changes of the exchange. Those that this process sees are announced from now on."""
    if redis is None or feed is None:
        return lambda: tuple(change_json(change) for change in kalshi.changes)
    changes = ExchangeChanges.from_settings(settings, redis, feed)
    kalshi.on_change(changes.announce)
    return lambda: changes.known_or(lambda: kalshi.changes)


load_secrets()
app = build(config.settings)
handler = lambda_handler(app)
