"""Takes what the bot pushes, signed: its newest trades, and its status. Without BOT_WEBHOOK_SECRET it answers 404."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import config
from coliseum.aws import load_secrets
from coliseum.bot.client import Bot
from coliseum.config import Settings
from coliseum.feed.feed import Feed
from coliseum.polling.push_endpoint import PushEndpoint
from coliseum.polling.push_receiver import PushReceiver
from coliseum.upstash.client import Redis

clients = ExitStack()
"""Closes the connections. Lambda ends a container without notice, so only tests do."""


def build(settings: Settings) -> PushEndpoint:
    """The endpoint of these settings."""
    secrets = settings.bot_webhook_secrets
    if not secrets:
        return PushEndpoint(None, ())
    bot, redis = Bot.from_settings(settings), Redis.from_settings(settings)
    clients.callback(bot.close)
    clients.callback(redis.close)
    receiver = PushReceiver(bot=bot, feed=Feed.from_settings(settings, redis), exchange_name=settings.exchange_name)
    return PushEndpoint(receiver, secrets)


@cache
def endpoint() -> PushEndpoint:
    """Built by the container's first call."""
    load_secrets()
    return build(config.settings)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the HTTP API."""
    del context
    return endpoint().answer(event)
