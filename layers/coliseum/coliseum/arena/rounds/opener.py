"""Everything that opening a round needs, wired from the settings: the schedule and the admin action share it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from coliseum.arena.agents.budget import Budget
from coliseum.arena.agents.enrollment import OperatorsRoster
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.rounds.opening import Enqueue, OpeningReport, RoundPlan, hand_out, open_round
from coliseum.arena.sources.catalogue import configured_feeds
from coliseum.arena.sources.gathering import SourceGatherer
from coliseum.arena.sources.records import SourceRecords
from coliseum.arena.sources.search import ExaSearch
from coliseum.aws import send_batch
from coliseum.config import Settings
from coliseum.feed.exchange_changes import ExchangeChanges
from coliseum.feed.feed import Feed, now_ms
from coliseum.kalshi.client import Kalshi
from coliseum.upstash.client import Redis


class RoundOpener:
    """Opens rounds and publishes them. Lives as long as its container; `close` closes the clients it built."""

    def __init__(
        self, settings: Settings, *, records: ArenaRecords, kalshi: Kalshi, feed: Feed, enqueue: Enqueue
    ) -> None:
        """Raises ConfigurationError for a list of feeds or a roster that cannot be read."""
        self._plan = RoundPlan.from_settings(settings)
        self._records = records
        self._kalshi = kalshi
        self._feed = feed
        self._enqueue = enqueue
        has_key = settings.openrouter_api_key is not None
        self._enroll = OperatorsRoster(records, settings.arena_roster, has_key=has_key).enroll
        self._fund = Budget(records, cap=settings.arena_daily_budget_usd).fund
        key = settings.exa_api_key
        self._gather = SourceGatherer(
            lambda: SourceRecords(records.store),
            feeds=configured_feeds(settings.arena_sources),
            clock=_now,
            search=None if key is None else ExaSearch(key.get_secret_value(), clock=_now),
        ).gather
        self._resources = ExitStack()

    @classmethod
    def from_settings(cls, settings: Settings, records: Callable[[], ArenaRecords]) -> RoundOpener:
        """An opener with clients of its own. Raises ConfigurationError without DECISIONS_QUEUE_URL.

        `records` is called after that check, so that the error names the queue's setting where the database's is
        missing as well.
        """
        settings.require("decisions_queue_url")
        kalshi, redis = Kalshi.from_settings(settings), Redis.from_settings(settings)
        feed = Feed.from_settings(settings, redis)
        kalshi.on_change(ExchangeChanges.from_settings(settings, redis, feed).announce)
        opener = cls(
            settings,
            records=records(),
            kalshi=kalshi,
            feed=feed,
            enqueue=partial(send_batch, str(settings.decisions_queue_url)),
        )
        opener.on_close(kalshi.close)
        opener.on_close(redis.close)
        return opener

    def open(self) -> OpeningReport:
        """Open the round of the present slot unless it is open, hand out due decisions, publish `round_opened`."""
        report = open_round(
            self._plan,
            clock=_now,
            kalshi=self._kalshi,
            records=self._records,
            enqueue=self._enqueue,
            enroll=self._enroll,
            fund=self._fund,
            gather=self._gather,
        )
        if report.entries:
            self._feed.publish(report.entries, now_ms=now_ms())
        return report

    def hand_out_at_once(self) -> int:
        """Put every unanswered decision of open rounds on the queue, however recently it was queued. Their number."""
        return hand_out(self._records, self._enqueue, again_seconds=0)

    def on_close(self, close: Callable[[], object]) -> None:
        """Call `close` when the opener is closed."""
        self._resources.callback(close)

    def close(self) -> None:
        self._resources.close()


def _now() -> datetime:
    return datetime.now(UTC)
