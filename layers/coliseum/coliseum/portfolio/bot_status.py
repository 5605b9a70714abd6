"""The bot as the summary and the health answer show it: its own word, else what was heard of it last."""

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
from coliseum.portfolio.summary import UNHEARD, bot_data, mode_data
from coliseum.portfolio.trades import BOT_LIVE, last_contact_at, read_feed
from coliseum.store.client import Store
from coliseum.trading.modes import BotMode, last_mode


class BotStatusReader:
    """One per process. The chain is bot, Redis, Postgres."""

    def __init__(
        self,
        bot: Bot,
        feed: Feed | None,
        store: Callable[[], Store],
        breaker: CircuitBreaker,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bot = bot
        self._feed = feed
        self._store = store
        self._breaker = breaker
        self._clock = clock

    def mode(self) -> BotMode | None:
        """Paper or live; None where nobody knows."""
        try:
            return self._said(self._breaker.call("bot", self._bot.status))
        except ColiseumError:
            return self._last_mode()

    def part(self) -> Part[BotData]:
        """The summary's part; `offline` where nobody knows anything."""
        try:
            health = self._breaker.call("bot", self._bot.health)
        except ColiseumError as error:
            return self._heard(str(error))
        status, problem = None, None
        try:
            status = self._breaker.call("bot", self._bot.status)
            mode = self._said(status)
        except ColiseumError as error:
            problem, mode = str(error), self._last_mode()
        data = bot_data(health, status, mode)
        now = utc_from(self._clock())
        return Part(data=data, source=BOT_LIVE, as_of=now, stale=False, age_seconds=0.0, error=problem)

    def _said(self, status: BotStatus) -> BotMode | None:
        return None if status.mode is None else BotMode(status.mode, utc_from(self._clock()), False)

    def _last_mode(self) -> BotMode | None:
        for ask in (self._told_in_redis, self._told_in_postgres):
            try:
                found = last_mode(ask())
            except ColiseumError:
                continue
            if found is not None:
                return found
        return None

    def _told_in_redis(self) -> dict[str, Any] | None:
        return _told(read_feed(self._feed, self._breaker, 1))

    def _told_in_postgres(self) -> dict[str, Any] | None:
        return self._breaker.call(POSTGRES, lambda: newest_bot_status(self._store()))

    def _heard(self, error: str) -> Part[BotData]:
        try:
            state = read_feed(self._feed, self._breaker, 1)
        except ColiseumError:
            return self._remembered(error)
        told, heard, report = _told(state) or {}, last_contact_at(state), state.heartbeat
        fresh = report is not None and self._clock() * 1000 <= report.at + report.fresh_for
        online = fresh and told.get("status") == "online"
        return self._part(told, CACHE, heard, error, online=online)

    def _remembered(self, error: str) -> Part[BotData]:
        try:
            told = self._told_in_postgres()
        except ColiseumError:
            told = None
        mode = last_mode(told)
        if told is None or mode is None:
            return Part(data=UNHEARD, source=None, as_of=None, stale=True, age_seconds=None, error=error)
        return self._part(told, POSTGRES, mode.as_of.timestamp(), error, online=False)

    def _part(self, told: dict[str, Any], source: str, as_of: float, error: str, *, online: bool) -> Part[BotData]:
        trades = told.get("trades")
        data = UNHEARD.model_copy(
            update={
                "status": "online" if online else "offline",
                "last_error": told.get("detail"),
                "trade_count": trades if isinstance(trades, int) else None,
                **mode_data(last_mode(told)),
            }
        )
        age = round(max(0.0, self._clock() - as_of), 3)
        return Part(data=data, source=source, as_of=utc_from(as_of), stale=True, age_seconds=age, error=error)


def _told(state: FeedState) -> dict[str, Any] | None:
    """The status last published; the poller's report has its mode's newer age."""
    return (state.heartbeat and state.heartbeat.bot) or state.bot
