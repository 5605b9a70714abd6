"""One tick: look at the bot, compare, publish once. And the minute of ticks.

Nothing is lost while Redis is away: findings wait in `_waiting`, and the log's own checkpoint moves only in the
step that publishes them. Nothing is published twice: every candidate carries its identity, and the fence refuses
a poller that concluded from a checkpoint which another one has replaced meanwhile.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

from coliseum.bot.client import Bot
from coliseum.bot.parse import BotHealth, BotStatus
from coliseum.errors import ConfigurationError, LogError, LogMoved, SourceError
from coliseum.feed.entries import Candidate, EntryId
from coliseum.feed.feed import Feed, Fence, now_ms
from coliseum.feed.protocol import PollerHeartbeat
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger
from coliseum.polling.backfill import (
    END_MARGIN_MS,
    earliest_missing_ms,
    fills_since_seconds,
    ids_match,
    recover,
    unknown_fills,
)
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, Checkpoint, decode, encode, newest_reported_ms
from coliseum.polling.diff import BotObservation, ListDifference, compare
from coliseum.polling.metrics import MinuteMetrics, TickResult
from coliseum.polling.publications import (
    Publication,
    TradeOrder,
    batches,
    extend_order,
    fills_publication,
    late_recovery_publication,
    list_publication,
    republish_before_list,
    status_publication,
    without_expired_gap,
)
from coliseum.polling.schedule import ReportOutcome, Step, fresh_seconds, lease_seconds, steps
from coliseum.polling.status import FailedPolls, confirm_mode, is_online, offline_status, online_status
from coliseum.trading.trades import Fill, Trade

LIST_MAX = 1_000
"""Of a longer list, the newest: the contract's list holds 100."""
BATCH_SIZE = 500
"""Candidates in one script call, about; some 250 KB, far below Redis' limits on a request."""
WAITING_MAX = 5_000
"""With this much unpublished we stop looking; the bot's list then overflows, and that is announced."""
REST_TICKS_MAX = 10
"""Ticks without a publish while Redis keeps failing."""
FENCES_MAX = 50
"""Publishes without an answer that are remembered: any one of them may have been the last to arrive."""
TORN_MAX = 3
"""Looks in a row during which the bot's start may change."""
FILLS_EVERY_SECONDS = 15.0
FILLS_WAIT_SECONDS = 6.0
"""For an answer of the exchange; the tick waits for it."""


class Poller:
    """The bot's trades and status into the log. One per process; not for two threads at once."""

    def __init__(
        self, *, bot: Bot, feed: Feed, exchange: Kalshi | None, interval: float, clock: Callable[[], int] = now_ms
    ) -> None:
        """`exchange` is None where there is no key for its fills; `clock` gives unix milliseconds."""
        self._bot, self._feed, self._exchange = bot, feed, exchange
        self._interval, self._clock = interval, clock
        self.owner = uuid4().hex
        self._memory = EMPTY_CHECKPOINT
        self._waiting: tuple[Publication, ...] = ()
        self._order: TradeOrder = {}
        self._fences: tuple[str, ...] = ("",)
        self._must_load = self._must_ask_mode = True
        self._log_is_new = False
        self._misses = FailedPolls()
        self._ticks = self._failures = self._rest_until = self._ask_from = self._torn = 0
        self._until = 0
        self.head: tuple[str, EntryId] | None = None
        """Epoch and newest entry of the log, as far as this process knows."""

    @property
    def memory(self) -> Checkpoint:
        """What is known of the bot, including what still waits to be published."""
        return self._memory

    def minute(
        self, *, until: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> MinuteMetrics:
        """Tick until `clock()` reaches `until`, unless another poller does."""
        done = MinuteMetrics()
        self._until = self._clock() + round((until - clock()) * 1000)
        self._must_load = True  # others may have published since our last minute
        self._must_ask_mode = True
        course = steps(interval=self._interval, until=until, clock=clock, sleep=sleep)
        heard: ReportOutcome | None = None
        while True:
            try:
                step = course.send(heard)
            except StopIteration:
                break
            heard = None
            if step is Step.TICK:
                done.add(self.tick())
            else:
                heard = self._report()
                done.redis_errors += heard.failed
                done.waited = done.waited or heard.rest is not None
        if self._until - self._clock() > self._interval * 1000:  # cut short: another tick would have come
            self._leave()
        return done

    def _leave(self) -> None:
        """Let the next poller begin before our minute would have ended."""
        self._until = self._clock()
        with suppress(SourceError):
            self._feed.send_heartbeat(self._word(), ttl_ms=self._lease_ms, notify=False)

    def tick(self) -> TickResult:
        """Look, compare, publish. Never raises for a source that fails: the next tick tries again."""
        now = self._clock()
        self._ticks += 1
        if self._must_load and not self._load():
            return TickResult(redis_failed=True, at_ms=now)
        answered = False
        if sum(len(found.entries) for found in self._waiting) < WAITING_MAX:
            answered = self._look(now)
            self._ask_exchange(now)
        return replace(self._publish(now), bot_answered=answered)

    def _report(self) -> ReportOutcome:
        if self._must_load and self._memory is EMPTY_CHECKPOINT:  # nothing to tell yet, and Redis was asked just now
            return ReportOutcome(failed=True)
        word = self._word()
        try:
            other = self._feed.send_heartbeat(word, ttl_ms=self._lease_ms)
        except (SourceError, LogError) as error:
            logger().warning("redis failed", problem=str(error))
            return ReportOutcome(failed=True)
        if other is None or other.owner == self.owner or other.until <= word.at or not other.precedes(word):
            return ReportOutcome()
        self._must_load = True  # the other one publishes meanwhile
        return ReportOutcome(rest=min(other.until - word.at, self._lease_ms) / 1000)

    @property
    def _lease_ms(self) -> int:
        return round(lease_seconds(self._interval) * 1000)

    def _word(self) -> PollerHeartbeat:
        return PollerHeartbeat(
            owner=self.owner,
            until=self._until,
            at=self._clock(),
            fresh_for=round(fresh_seconds(self._interval) * 1000),
            bot_ok_at=self._memory.ok_ms,
            bot=self._memory.status,
        )

    def _load(self) -> bool:
        if self._ticks < self._rest_until:
            return False
        try:
            position = self._feed.position()
        except (SourceError, LogError) as error:
            self._redis_failed(error)
            return False
        self._failures = 0
        self._must_load = False
        self.head = None if position.epoch is None else (position.epoch, position.head)
        if self._memory is not EMPTY_CHECKPOINT and position.fence in self._fences:
            return True  # nobody else has published: our view is the newest, and what waits still holds
        self._fences = (position.fence,)
        self._log_is_new = position.checkpoint is None and self._memory is not EMPTY_CHECKPOINT
        if not self._log_is_new:  # what waits was concluded from an older view: what is missing is found again
            self._memory, self._waiting, self._order = _decoded(position.checkpoint), (), {}
        return True

    def _look(self, now: int) -> bool:
        try:
            health = self._health()
            difference, trades = self._difference(health, now)
        except SourceError as error:
            self._missed(now, error.problem)
            return False
        if health is not None and not health.alive:
            self._missed(now, "the bot says that it is not alive")
        else:
            self._misses = FailedPolls()
            self._greet(len(trades) if health is None or health.trade_count is None else health.trade_count, now)
        if difference is not None:
            self._take_difference(difference, trades, now)
        return True

    def _difference(self, health: BotHealth | None, now: int) -> tuple[ListDifference | None, tuple[Trade, ...]]:
        """What the list tells, and the list; None where the bot began anew while we looked.

        Where its start keeps changing it tells nothing about runs, and the list alone decides.
        """
        given = self._bot.trades()
        trades = given.trades[-LIST_MAX:]
        seen = BotObservation(
            trades=trades,
            rejected=given.rejected[:LIST_MAX],
            run=None if health is None else health.started_at,
            count=None if health is None else health.trade_count,
            count_after=None,
            at_ms=now,
        )
        difference = compare(self._memory, seen)
        self._must_ask_mode = self._must_ask_mode or difference.after.run != self._memory.run
        if difference.quiet or health is None:
            return difference, trades
        after = self._health()
        if after is None:
            return difference, trades
        if after.started_at != health.started_at:
            self._torn += 1
            return (None if self._torn < TORN_MAX else compare(self._memory, replace(seen, run=None))), trades
        self._torn = 0
        return compare(self._memory, replace(seen, count_after=after.trade_count)), trades

    def _take_difference(self, difference: ListDifference, trades: tuple[Trade, ...], now: int) -> None:
        hole = difference.hole
        recovery = None
        after = replace(difference.after, status=self._memory.status)
        if hole is not None:
            logger().warning("the bot's list has a hole", reason=hole.reason, lost=hole.lost)
            fills = self._fills(fills_since_seconds(hole.from_ms, self._memory.known), urgent=True)
            if fills is not None:
                recovery = recover(hole, fills, known=self._memory.known, listed=trades, now_ms=now)
        new = difference.trades
        if self._log_is_new:  # a log that was emptied gets the whole list again
            self._waiting = (republish_before_list(self._waiting, trades, self._memory, self._order),)
            self._log_is_new = False
            new = trades
        found = list_publication(replace(difference, after=after), recovery, trades=new)
        if hole is not None and self._exchange is None:
            found = replace(found, after=replace(found.after, hole=None))
        self._take(found)

    def _health(self) -> BotHealth | None:
        """None where the bot has none to tell: its list decides whether it is online."""
        try:
            return self._bot.health()
        except SourceError:
            return None

    def _greet(self, count: int, now: int) -> None:
        """Tell that the bot is back, or calls itself otherwise: paper and live must not be mixed up."""
        before = self._memory.status
        if before is None or not is_online(before):
            self._take(
                status_publication(
                    self._memory, online_status(now_ms=now, trades=count, told=self._told(), before=before)
                )
            )
        elif self._must_ask_mode and (told := self._told()) is not None:
            confirmed = confirm_mode(before, told, now_ms=now, trades=count)
            if confirmed is not None:
                self._memory = replace(self._memory, status=confirmed)
            else:
                self._take(
                    status_publication(self._memory, online_status(now_ms=now, trades=count, told=told, before=before))
                )
        self._must_ask_mode = False

    def _told(self) -> BotStatus | None:
        """How the bot describes itself, where it does."""
        try:
            return self._bot.status()
        except SourceError:
            return None

    def _missed(self, now: int, problem: str) -> None:
        self._misses = self._misses.another(now)
        self._take(status_publication(self._memory, offline_status(self._memory.status, self._misses, problem=problem)))

    def _ask_exchange(self, now: int) -> None:
        """Fills for a hole that is still open, or in place of a bot that is offline."""
        memory = self._memory = without_expired_gap(self._memory, now_ms=now)
        if memory.ok_ms is not None and self._misses.offline:
            fills = self._fills(fills_since_seconds(memory.ok_ms, memory.known))
            if fills and ids_match(fills, memory.known):
                begin = earliest_missing_ms(memory.ok_ms, newest_reported_ms(memory.known))
                trades = unknown_fills(
                    fills, known=memory.known, from_ms=begin, to_ms=now + END_MARGIN_MS, backfilled=False
                )
                self._take(fills_publication(memory, trades))
        elif memory.hole is not None:
            fills = self._fills(fills_since_seconds(memory.hole.from_ms, memory.known))
            if fills is not None:
                self._take(
                    late_recovery_publication(
                        memory, recover(memory.hole, fills, known=memory.known, listed=(), now_ms=now)
                    )
                )

    def _fills(self, since: int, *, urgent: bool = False) -> tuple[Fill, ...] | None:
        """None where the exchange has not answered, or is not to be asked yet."""
        if self._exchange is None or (self._ticks < self._ask_from and not urgent):
            return None
        self._ask_from = self._ticks + math.ceil(FILLS_EVERY_SECONDS / self._interval)
        end = time.monotonic() + FILLS_WAIT_SECONDS
        try:
            return self._exchange.within(lambda: end - time.monotonic()).all_fills(since=since)
        except (SourceError, ConfigurationError) as error:
            logger().warning("no fills from the exchange", problem=str(error))
            return None

    def _take(self, found: Publication) -> None:
        self._memory = found.after
        if found.entries:
            self._waiting += (found,)
            self._order = extend_order(self._order, found.after.known)

    def _publish(self, now: int) -> TickResult:
        if not self._waiting or self._ticks < self._rest_until:
            return TickResult(at_ms=now)
        published: list[tuple[EntryId, Candidate]] = []
        self._waiting = batches((*self._waiting, Publication((), self._memory)), size=BATCH_SIZE)
        try:
            for part in self._waiting:
                published += self._publish_part(part, now)
                self._waiting = self._waiting[1:]
            self._order = {}
        except LogMoved:
            logger().info("another poller has published; starting from its checkpoint")
            self._must_load = True
        except (SourceError, LogError) as error:
            self._redis_failed(error)
            return TickResult(published=tuple(published), redis_failed=True, at_ms=now)
        self._failures = 0
        return TickResult(published=tuple(published), at_ms=now)

    def _publish_part(self, part: Publication, now: int) -> tuple[tuple[EntryId, Candidate], ...]:
        fence = Fence(self._fences, uuid4().hex)
        self._fences = (*self._fences[-FENCES_MAX:], fence.token)  # until an answer says which one stands
        checkpoint = encode(part.after)
        done = self._feed.publish(part.entries, now_ms=now, checkpoint=checkpoint, bot=part.after.status, fence=fence)
        self._fences = (fence.token,)
        self.head = (done.epoch, done.head)
        return done.entries

    def _redis_failed(self, error: Exception) -> None:
        """Rest for twice as many ticks each time, so that a service in trouble is not asked every tick."""
        self._failures += 1
        self._rest_until = self._ticks + min(REST_TICKS_MAX, 2 ** (self._failures - 1))
        logger().warning("redis failed", problem=str(error), waiting=len(self._waiting))


def _decoded(text: str | None) -> Checkpoint:
    if text is None:
        return EMPTY_CHECKPOINT
    try:
        return decode(text)
    except LogError as error:
        logger().error("the checkpoint cannot be read; starting without one", problem=str(error))
        return EMPTY_CHECKPOINT
