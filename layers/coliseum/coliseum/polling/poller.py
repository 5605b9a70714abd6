"""The poller: in each tick it polls the bot, compares, and publishes once. A minute is a series of ticks.

Nothing is lost while Redis is away: publications wait in the queue, and the log's checkpoint moves only in the call
that publishes its entries. Nothing is published twice: every candidate carries its identity, and the fence refuses a
poller that worked from a checkpoint which another one has replaced.

The state lies in parts: `BotPoller` reads the bot, `StatusTracker` follows whether it is online, `FillLookup` asks the
exchange, `FillCheck` looks for a fill of each trade, `UnpublishedQueue` holds what waits, and `LogWriter` writes it.
`Lease` keeps other pollers away.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any
from uuid import uuid4

from coliseum.bot.client import Bot
from coliseum.bot.parse import BotStatus
from coliseum.errors import SourceError
from coliseum.feed.entries import Candidate, EntryId, EntryKind
from coliseum.feed.feed import Feed, now_ms
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger
from coliseum.polling.backfill import recover, unknown_fills, window_while_offline
from coliseum.polling.bot_poll import BotPoll, BotPoller
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, Checkpoint, SourceGap, reported_ids
from coliseum.polling.diff import ListDifference
from coliseum.polling.fill_check import FillCheck
from coliseum.polling.fill_lookup import FillLookup
from coliseum.polling.lease import Lease
from coliseum.polling.log_writer import Loaded, LogWriter
from coliseum.polling.metrics import MinuteMetrics, TickResult
from coliseum.polling.publications import (
    Publication,
    fills_publication,
    late_recoveries,
    list_publication,
    without_expired_gaps,
    without_known,
)
from coliseum.polling.schedule import ReportOutcome, Step, steps
from coliseum.polling.status_tracker import StatusTracker
from coliseum.polling.unpublished import UnpublishedQueue
from coliseum.trading.modes import is_real_money
from coliseum.trading.trades import Trade

WAITING_ENTRIES_MAX = 5_000
"""With so many unpublished entries the bot is no longer polled. Its list then overflows, and that is announced."""
COMPARISONS_MAX = 4
"""How often one look at the bot is compared in a tick, where pushes of the bot are published at the same time."""
PUSHES_COUNT_MS = 24 * 3_600_000
"""For this long after its last push, the bot counts as one that pushes."""


class Poller:
    """Publishes the bot's trades and status to the log. One per process; not for two threads at once."""

    def __init__(  # what a poller is wired with
        self,
        *,
        bot: Bot,
        feed: Feed,
        exchange: Kalshi | None,
        interval: float,
        clock: Callable[[], int] = now_ms,
        exchange_name: str | None = None,
        interval_with_push: float | None = None,
    ) -> None:
        """`interval`: seconds between ticks. `exchange` is None without an API key for its fills. `clock`: unix ms.

        `exchange_name` is compared with the bot's mode; None compares with nothing. `interval_with_push`: seconds
        between two looks at a bot whose pushes have arrived; None looks in every tick.
        """
        self._interval_with_push_ms = round((interval_with_push or 0) * 1000)
        self._looked_ms = self._found_ms = 0
        self._interval, self._clock = interval, clock
        self._bot, self._status = BotPoller(bot), StatusTracker(exchange_name)
        self._fills = FillLookup(exchange, interval=interval)
        self._fill_check = FillCheck(self._fills, watches_paper=is_real_money(exchange_name))
        self._queue = UnpublishedQueue()
        self._log = LogWriter(feed, self._queue)
        self._lease = Lease(feed, owner=uuid4().hex, interval=interval, clock=clock)
        self._tick_number = 0

    @property
    def memory(self) -> Checkpoint:
        """What is known of the bot, including what still waits to be published."""
        return self._queue.memory

    @property
    def head(self) -> tuple[str, EntryId] | None:
        """Epoch and newest entry of the log, as far as this process knows."""
        return self._log.head

    def minute(
        self, *, until: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> MinuteMetrics:
        """Tick until `clock()` reaches `until`, in seconds, and rest while another poller works."""
        totals = MinuteMetrics()
        self._lease.begin(seconds=until - clock())
        self._log.load_soon()  # others may have published since our last minute
        self._status.confirm_mode_soon()
        course = steps(interval=self._interval, until=until, clock=clock, sleep=sleep)
        outcome: ReportOutcome | None = None
        while True:
            try:
                step = course.send(outcome)
            except StopIteration:
                break
            outcome = None
            if step is Step.TICK:
                totals.add(self.tick())
            else:
                outcome = self._report()
                totals.redis_errors += outcome.failed
                totals.waited = totals.waited or outcome.rest_seconds is not None
        if not totals.waited:
            self._check_fills()
        totals.exchange_problem = self._fills.problem
        if self._lease.remaining_ms > self._interval * 1000:  # cut short: there was time for another tick
            self._lease.release(self.memory)
        return totals

    def tick(self) -> TickResult:
        """Poll, compare, publish. Never raises for a source that fails: the next tick tries again."""
        now = self._clock()
        self._tick_number += 1
        if self._log.must_load and self._log.load(tick=self._tick_number) is Loaded.NOTHING:
            return TickResult(redis_failed=True, at_ms=now)
        if self._queue.entry_count >= WAITING_ENTRIES_MAX or self._may_skip_look(now):
            return self._log.publish(now_ms=now, tick=self._tick_number)
        look = self._look_at_bot(now)
        status = cache(self._bot.status)
        result = self._publish(lambda: self._conclude(look, now, ask_bot=status), now)
        if isinstance(look, BotPoll) and any(entry.kind is EntryKind.TRADE for _, entry in result.published):
            self._found_ms = now
        return replace(result, bot_answered=isinstance(look, BotPoll))

    def _may_skip_look(self, now: int) -> bool:
        """Whether this tick leaves the bot alone, because all that it traded lately was pushed."""
        pushed = self.memory.pushed_ms
        if pushed is None or not max(self._found_ms, now - PUSHES_COUNT_MS) < pushed or self._status.failing:
            return False
        return 0 <= now - self._looked_ms < self._interval_with_push_ms

    def _publish(self, conclude: Callable[[], None], now: int) -> TickResult:
        """Queue what `conclude` finds and publish it. Where pushes are published meanwhile, compare again and repeat.

        What was read of the bot is older than those pushes, and `compare` recognises that. Another poller's checkpoint
        may rest on a later look: then this look is dropped, and the next tick takes a new one.
        """
        conclude()
        pushed = self.memory.pushed_ms
        if self._queue and pushed is not None and now - pushed < PUSHES_COUNT_MS:
            # The pushed trades are new to this memory. To read the checkpoint costs one command, to be refused three.
            loaded = self._load_again(conclude)
            if loaded is Loaded.NOTHING or not self._queue:
                return TickResult(redis_failed=loaded is Loaded.NOTHING, at_ms=now)
        entries: tuple[tuple[EntryId, Candidate], ...] = ()
        for _ in range(COMPARISONS_MAX):
            result = self._log.publish(now_ms=now, tick=self._tick_number)
            entries += result.published
            if not self._log.must_load or self._load_again(conclude) is Loaded.NOTHING or not self._queue:
                break
        return replace(result, published=entries)

    def _load_again(self, conclude: Callable[[], None]) -> Loaded:
        """Read the log's checkpoint in the middle of a tick, and compare again where that is still right."""
        before = self.memory.status
        loaded = self._log.load(tick=self._tick_number)
        if loaded is Loaded.PUSHED:
            self._keep_mode(before)
        if loaded in {Loaded.PUSHED, Loaded.EMPTIED}:
            conclude()
        return loaded

    def _keep_mode(self, before: dict[str, Any] | None) -> None:
        """After a reload, keep the time at which the mode was confirmed last; another status is to be confirmed."""
        status = self.memory.status
        if before is None or status is None or {**before, "mode_as_of": None} != {**status, "mode_as_of": None}:
            self._status.confirm_mode_soon()
        else:
            self._queue.remember(replace(self.memory, status=before))

    def _report(self) -> ReportOutcome:
        if self._log.must_load and self.memory is EMPTY_CHECKPOINT:
            return ReportOutcome(failed=True)  # nothing to report yet, and Redis has just failed to answer
        outcome = self._lease.report(self.memory)
        if outcome.rest_seconds is not None:
            self._log.load_soon()  # the other poller publishes meanwhile
        return outcome

    def _check_fills(self) -> None:
        """Compare what the bot listed with the account's fills, and publish what that changes in the bot's status."""
        now, mode = self._clock(), (self.memory.status or {}).get("mode")
        check = self._fill_check.run(mode=mode, now_ms=now, tick=self._tick_number)
        if check is None or self._log.must_load:
            return
        self._publish(
            lambda: self._queue.add(
                self._status.fills_checked(
                    self.memory, now_ms=now, unconfirmed=check.unconfirmed, newest_fill_ms=check.newest_fill_ms
                )
            ),
            now,
        )

    def _look_at_bot(self, now: int) -> BotPoll | SourceError:
        """What the bot answers, or why it does not."""
        self._looked_ms = now
        try:
            poll = self._bot.poll(self.memory, now_ms=now)
        except SourceError as error:
            self._status.count_failure(now)
            return error
        if poll.new_run:  # another run may trade in another mode
            self._status.confirm_mode_soon()
        if not poll.alive:
            self._status.count_failure(now)
        if poll.difference is not None:
            self._fill_check.note(poll.trades, now_ms=now, is_first=self.memory.answered_ms is None)
        return poll

    def _conclude(self, look: BotPoll | SourceError, now: int, *, ask_bot: Callable[[], BotStatus | None]) -> None:
        """Queue what a look at the bot, and the exchange, add to the memory."""
        if isinstance(look, SourceError):
            self._queue.add(self._status.poll_failed(self.memory, problem=look.problem))
        else:
            self._conclude_from_poll(look.compared_with(self.memory), now, ask_bot=ask_bot)
        self._poll_exchange(now)

    def _conclude_from_poll(self, poll: BotPoll, now: int, *, ask_bot: Callable[[], BotStatus | None]) -> None:
        if poll.alive:
            status = self._status.poll_succeeded(self.memory, now_ms=now, trade_count=poll.trade_count, ask_bot=ask_bot)
        else:
            status = self._status.poll_failed(self.memory, problem="the bot says that it is not alive")
        self._queue.add(status)
        if poll.difference is not None:
            self._queue.add(
                self._status.clock_seen(
                    self.memory,
                    now_ms=now,
                    ahead_seconds=poll.difference.clock_ahead_seconds,
                    new_run=poll.new_run,
                )
            )
            self._queue_difference(poll.difference, poll.trades, now)

    def _queue_difference(self, difference: ListDifference, listed: tuple[Trade, ...], now: int) -> None:
        # The status may have changed since the comparison: the queue's is the newest.
        difference = replace(difference, checkpoint=replace(difference.checkpoint, status=self.memory.status))
        if difference.gap is None:
            trades = self._queue.trades_to_publish(listed, new=difference.trades)
            self._queue.add(list_publication(difference, None, trades=trades))
        else:
            self._queue_gap(difference, difference.gap, listed, now)

    def _queue_gap(self, difference: ListDifference, gap: SourceGap, listed: tuple[Trade, ...], now: int) -> None:
        """Queue a list that does not follow the last one, with what the exchange has for it and for earlier gaps."""
        logger().warning("bot trade list has a gap", reason=gap.reason, lost=gap.lost)
        before, late, recovery = self.memory, Publication((), difference.checkpoint), None
        answer = self._fills.search(
            min(one.from_ms for one in (*before.gaps, gap)),
            trade_ids={*before.known, *(trade.trade_id for trade in listed)},
            run=difference.checkpoint.run,
            tick=self._tick_number,
            urgent=True,
        )
        if answer is not None:
            late = late_recoveries(difference.checkpoint, answer, now_ms=now)
            recovery = recover(
                gap,
                answer.fills,
                ids_match=answer.ids_match,
                known=before.known,
                listed=listed,
                now_ms=now,
                before_ids=reported_ids(before.known),
            )
            recovery = without_known(recovery, late.checkpoint)
        trades = self._queue.trades_to_publish(listed, new=difference.trades)
        publication = list_publication(replace(difference, checkpoint=late.checkpoint), recovery, trades=trades)
        if not self._fills.available:  # without an exchange the gap need not stay open
            publication = replace(publication, checkpoint=replace(publication.checkpoint, gaps=()))
        self._queue.add(replace(publication, entries=late.entries + publication.entries))

    def _poll_exchange(self, now: int) -> None:
        """Queue fills for a gap that is still open, or in place of a bot that is offline."""
        memory = without_expired_gaps(self.memory, now_ms=now)
        self._queue.remember(memory)
        if memory.answered_ms is not None and self._status.offline:
            publication = self._fills_while_offline(memory, memory.answered_ms, now)
        elif memory.gaps:
            publication = self._late_recovery(memory, now)
        else:
            return
        if publication is not None:
            self._queue.add(publication)

    def _fills_while_offline(self, memory: Checkpoint, answered_ms: int, now: int) -> Publication | None:
        known = memory.known
        answer = self._fills.search(
            min(answered_ms, now), trade_ids=known.keys(), run=memory.run, tick=self._tick_number
        )
        if answer is None or not answer.ids_match:
            return None
        window = window_while_offline(known, answer.fills, answered_ms=answered_ms, now_ms=now)
        return fills_publication(memory, unknown_fills(answer.fills, known=known, window=window, backfilled=False))

    def _late_recovery(self, memory: Checkpoint, now: int) -> Publication | None:
        """What the exchange adds to the gaps that are open; None where it does not answer."""
        begin = min(gap.from_ms for gap in memory.gaps)
        answer = self._fills.search(begin, trade_ids=memory.known.keys(), run=memory.run, tick=self._tick_number)
        if answer is None:
            return None
        return late_recoveries(memory, answer, now_ms=now)
