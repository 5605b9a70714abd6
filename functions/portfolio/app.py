"""The portfolio function: the account, the bot's trades, and the service's own health and documents."""

from __future__ import annotations

from functools import cache

from fastapi import FastAPI

from coliseum import config
from coliseum.aws.client import load_secrets
from coliseum.bot.client import Bot
from coliseum.cache.breaker import Breaker
from coliseum.cache.service import Cache
from coliseum.config import Settings
from coliseum.feed.service import Feed
from coliseum.http import routes as utility
from coliseum.http.app import create_app, lambda_handler
from coliseum.http.service import Prober
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio import routes
from coliseum.portfolio.service import Doors, Portfolio
from coliseum.store.client import Store
from coliseum.upstash.client import Redis


def build(settings: Settings) -> FastAPI:
    """The app with its clients, which live as long as the container."""
    redis = None if settings.upstash_redis_rest_url is None else Redis.from_settings(settings)
    breaker = Breaker()
    bot, kalshi = Bot.from_settings(settings), Kalshi.from_settings(settings)

    @cache
    def store() -> Store:
        return Store.from_settings(settings)

    doors = Doors(
        kalshi=kalshi,
        bot=bot,
        feed=None if redis is None else Feed(redis, prefix=settings.redis_key_prefix, maxlen=settings.feed_maxlen),
        store=store,
        cache=Cache(redis, prefix=settings.redis_key_prefix, breaker=breaker),
        breaker=breaker,
    )
    app = create_app(title="Coliseum", routers=[utility.router, utility.plain_router, routes.router], settings=settings)
    app.state.portfolio = Portfolio(doors)
    app.state.prober = Prober(
        {
            "database": lambda: store().ping(),
            "redis": lambda: (redis or Redis.from_settings(settings)).command("PING"),
            "bot": bot.health,
            "exchange": kalshi.exchange_status,
        }
    )
    return app


load_secrets()
app = build(config.settings)
handler = lambda_handler(app)
