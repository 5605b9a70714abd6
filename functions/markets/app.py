"""The markets function: public market data, for which no key is needed."""

from __future__ import annotations

from fastapi import FastAPI

from coliseum import config
from coliseum.aws import load_secrets
from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache
from coliseum.config import Settings
from coliseum.feed.exchange_changes import ExchangeChanges
from coliseum.feed.feed import Feed
from coliseum.http.app import create_app, lambda_handler
from coliseum.kalshi.client import Kalshi
from coliseum.markets import routes
from coliseum.markets.markets import Markets
from coliseum.store.client import lazy_store
from coliseum.upstash.client import Redis


def build(settings: Settings) -> FastAPI:
    """The app with its clients, which live as long as the container."""
    app = create_app(title="Coliseum markets", routers=[routes.router], settings=settings)
    redis = None if settings.upstash_redis_rest_url is None else Redis.from_settings(settings)
    kalshi = Kalshi.from_settings(settings)
    if redis is not None:
        kalshi.on_change(ExchangeChanges.from_settings(settings, redis, Feed.from_settings(settings, redis)).announce)
    breaker = CircuitBreaker()
    cache = Cache(redis, prefix=settings.cache_prefix, breaker=breaker)
    store = lazy_store(settings, app.state.resources)
    markets = app.state.markets = Markets(kalshi, cache, breaker, store)
    for resource in (redis, kalshi, markets):
        if resource is not None:
            app.state.resources.callback(resource.close)
    return app


load_secrets()
app = build(config.settings)
handler = lambda_handler(app)
