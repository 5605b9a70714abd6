"""Changes of the exchange's interface: each is published once, whichever process sees it, and kept for `/health`.

They are kept in a hash in Redis. A change is published before it is kept, so a process that is killed in between leaves
it to the next one, and the log drops the repetition.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from coliseum.config import Settings
from coliseum.errors import ColiseumError, SourceError
from coliseum.feed.entries import EntryKind, event_candidate
from coliseum.feed.feed import Feed, now_ms
from coliseum.observability import logger
from coliseum.trading.exchange import ExchangeChange
from coliseum.upstash.client import Redis

KEPT_SECONDS = 30 * 86_400
"""How long the changes are shown after one was last seen by a process that just started."""


class ExchangeChanges:
    """The changes of one exchange, for all processes. Thread-safe."""

    def __init__(self, redis: Redis, feed: Feed, *, key: str) -> None:
        self._redis = redis
        self._feed = feed
        self._key = key

    @classmethod
    def from_settings(cls, settings: Settings, redis: Redis, feed: Feed) -> ExchangeChanges:
        """Under the key prefix of the settings; the sandbox's changes are kept apart from the real exchange's."""
        return cls(redis, feed, key=f"{settings.redis_key_prefix}exchange-changes:{settings.identity.exchange.label}")

    def announce(self, change: ExchangeChange) -> bool:
        """Publish and keep a change that no process has seen before. True where this call did. Never raises.

        One command where it is known, four where it is new.
        """
        field = hashlib.sha256(change.key.encode()).hexdigest()[:16]
        data = change_json(change)
        try:
            if self._redis.read("HEXISTS", self._key, field):
                self._redis.command("EXPIRE", self._key, KEPT_SECONDS)
                return False
            self._feed.publish([event_candidate(EntryKind.EXCHANGE_CHANGED, field, data)], now_ms=now_ms())
            keep = ("HSETNX", self._key, field, json.dumps(data))
            self._redis.pipeline((keep, ("EXPIRE", self._key, KEPT_SECONDS)))
        except ColiseumError as error:
            logger().warning("a change of the exchange could not be published", problem=str(error), key=change.key)
            return False
        return True

    def known(self) -> tuple[Mapping[str, Any], ...]:
        """The kept changes as JSON objects, oldest first. Raises SourceError where Redis fails."""
        texts = self._redis.read("HVALS", self._key)
        rows = [_object(text) for text in texts if isinstance(text, str)] if isinstance(texts, list) else []
        return tuple(sorted((row for row in rows if row), key=lambda row: str(row.get("first_seen"))))

    def known_or(self, own: Callable[[], Sequence[ExchangeChange]]) -> tuple[Mapping[str, Any], ...]:
        """The same; where Redis fails, only those that this process saw, which `own` gives."""
        try:
            return self.known()
        except SourceError:
            return tuple(change_json(change) for change in own())


def change_json(change: ExchangeChange) -> dict[str, Any]:
    """A change as events and answers show it."""
    data = asdict(change)
    del data["key"]
    return {"object": data.pop("shape"), **data, "change": change.change.value}


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
