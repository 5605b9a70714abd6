"""The bot's status for the summary and the health answer: from the bot itself, else its last known status."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from coliseum.bot.client import Bot
from coliseum.bot.parse import BotStatus
from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import CACHE
from coliseum.errors import ColiseumError
from coliseum.feed.feed import Feed
from coliseum.feed.protocol import FeedState
from coliseum.http.field_types import utc_from
from coliseum.portfolio.answers import BotData, Part
from coliseum.portfolio.records import POSTGRES, newest_bot_status
from coliseum.portfolio.summary import UNKNOWN_BOT, bot_data, marks_data, mode_data
from coliseum.portfolio.trades import BOT_LIVE, last_contact_at, read_feed
from coliseum.store.client import Store
from coliseum.trading.modes import BotMode, is_real_money, last_mode, mode_warning


class BotStatusReader:
    """One per process. It asks the bot, then Redis, then Postgres."""

    def __init__(
        self,
        bot: Bot,
        feed: Feed | None,
        store: Callable[[], Store],
        breaker: CircuitBreaker,
        clock: Callable[[], float] = time.time,
        *,
        exchange: str | None = None,
    ) -> None:
        """`exchange` is the name of the exchange with which the bot's mode is compared."""
        self._exchange = exchange
        self._bot = bot
        self._feed = feed
        self._store = store
        self._breaker = breaker
        self._clock = clock

    def mode(self) -> BotMode | None:
        """Paper or live; None where no source knows."""
        try:
            status = self._breaker.call("bot", self._bot.status)
            # Only the poller sees the fills that contradict `paper`.
            needs_poller = status.mode == "paper" and is_real_money(self._exchange)
            return self._current_mode(status, self._published() if needs_poller else None)
        except ColiseumError:
            return self._last_known_mode()

    def part(self) -> Part[BotData]:
        """The summary's part. Never raises a ColiseumError: without any source the bot is `offline`."""
        try:
            health = self._breaker.call("bot", self._bot.health)
        except ColiseumError as error:
            return self._from_redis(str(error))
        status, problem, published = None, None, self._published()
        try:
            status = self._breaker.call("bot", self._bot.status)
            mode = self._current_mode(status, published)
        except ColiseumError as error:
            problem, mode = str(error), self._last_known_mode()
        data = bot_data(health, status, mode, published=published)
        now = utc_from(self._clock())
        return Part(data=data, source=BOT_LIVE, as_of=now, stale=False, age_seconds=0.0, error=problem)

    def _current_mode(self, status: BotStatus, published: dict[str, Any] | None) -> BotMode | None:
        if status.mode is None:
            return None
        warning = mode_warning(status.mode, exchange=self._exchange)
        before = last_mode(published)
        if warning is None and before is not None and before.name == status.mode:
            warning = before.warning
        return BotMode(status.mode, utc_from(self._clock()), False, warning)

    def _published(self) -> dict[str, Any] | None:
        """The status that the poller published last; None where Redis does not answer."""
        try:
            return self._status_in_redis()
        except ColiseumError:
            return None

    def _last_known_mode(self) -> BotMode | None:
        for read in (self._status_in_redis, self._status_in_postgres):
            try:
                mode = last_mode(read())
            except ColiseumError:
                continue
            if mode is not None:
                return mode
        return None

    def _status_in_redis(self) -> dict[str, Any] | None:
        return _published_status(read_feed(self._feed, self._breaker, 1))

    def _status_in_postgres(self) -> dict[str, Any] | None:
        return self._breaker.call(POSTGRES, lambda: newest_bot_status(self._store()))

    def _from_redis(self, error: str) -> Part[BotData]:
        try:
            state = read_feed(self._feed, self._breaker, 1)
        except ColiseumError:
            return self._from_postgres(error)
        status, heartbeat = _published_status(state) or {}, state.heartbeat
        # The bot did not answer us, but the poller may have reached it a moment ago.
        fresh = heartbeat is not None and self._clock() * 1000 <= heartbeat.at + heartbeat.fresh_for
        online = fresh and status.get("status") == "online"
        return self._part(status, CACHE, last_contact_at(state), error, online=online)

    def _from_postgres(self, error: str) -> Part[BotData]:
        try:
            status = self._status_in_postgres()
        except ColiseumError:
            status = None
        mode = last_mode(status)
        if status is None or mode is None:
            return Part(data=UNKNOWN_BOT, source=None, as_of=None, stale=True, age_seconds=None, error=error)
        return self._part(status, POSTGRES, mode.as_of.timestamp(), error, online=False)

    def _part(self, status: dict[str, Any], source: str, as_of: float, error: str, *, online: bool) -> Part[BotData]:
        trades = status.get("trades")
        data = UNKNOWN_BOT.model_copy(
            update={
                "status": "online" if online else "offline",
                "last_error": status.get("detail"),
                "trade_count": trades if isinstance(trades, int) else None,
                **mode_data(last_mode(status)),
                **marks_data(status),
            }
        )
        age = round(max(0.0, self._clock() - as_of), 3)
        return Part(data=data, source=source, as_of=utc_from(as_of), stale=True, age_seconds=age, error=error)


def _published_status(state: FeedState) -> dict[str, Any] | None:
    """The bot status published last. The poller's heartbeat repeats it with a newer time of its mode."""
    return (state.heartbeat and state.heartbeat.bot) or state.bot
