"""Takes what the bot pushes: publishes trades behind the known ones at once, and leaves the rest to the next poll."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from uuid import uuid4

from coliseum.bot.client import Bot
from coliseum.bot.parse import BotStatus, BotTrades, status_from, trades_from
from coliseum.errors import InvalidInput, LogError, LogMoved, SourceError, SourceMalformed, SourceUnavailable
from coliseum.feed.feed import Feed, now_ms
from coliseum.feed.protocol import Fence
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, Checkpoint, decode, encode
from coliseum.polling.publications import Publication, status_publication
from coliseum.polling.push import PushComparison, compare_push
from coliseum.polling.status import is_online, online_status
from coliseum.trading.modes import mode_warning

PUBLISH_TRIES = 3
"""How often one push is compared, where other publishers move the log on meanwhile."""
STRATEGY_SECONDS = 60.0
"""How long the strategy counts that the bot named in its status."""


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What became of a push."""

    published: int
    """Entries that were added to the log."""
    waits_for: str | None = None
    """Why the next poll has to do the rest; None where nothing is left to do."""


class PushReceiver:
    """One per process, for any number of threads.

    It publishes as the poller does: fenced, with the checkpoint that belongs to the entries. Its memory is the log's
    checkpoint and fence as it last saw them, so a push that it knows costs no Redis command. It leaves alone what only
    a poll can conclude: the run, gaps, corrections, and when the bot answered last.
    """

    def __init__(
        self,
        *,
        bot: Bot,
        feed: Feed,
        exchange_name: str | None,
        clock: Callable[[], int] = now_ms,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`exchange_name` is compared with the bot's mode. `clock` gives unix ms, `monotonic` seconds."""
        self._bot, self._feed, self._exchange_name = bot, feed, exchange_name
        self._clock, self._monotonic = clock, monotonic
        self._lock = threading.Lock()
        self._checkpoint: Checkpoint | None = None
        self._fence = ""
        self._strategy: tuple[float, str | None] = (-inf, None)
        """When the bot was asked for its strategy last, and what it answered."""

    def take_trades(self, body: bytes) -> PushAnswer:
        """Publish what a list in the form of the bot's /trades adds.

        Raises InvalidInput for a body in another form, SourceUnavailable where the log moved on all the time, and the
        errors of Redis. After each of these the same push may be repeated.
        """
        try:
            pushed = trades_from(body)
        except SourceMalformed as error:
            raise InvalidInput("body", "a JSON body", f"the JSON of the bot's /trades ({error.problem})") from None
        with self._lock:
            return self._publish(lambda before: self._compare(before, pushed))

    def take_status(self, body: bytes) -> PushAnswer:
        """Publish another mode than the known one, once the bot confirms it: a pushed status may be an old one.

        Raises as `take_trades` does.
        """
        try:
            pushed = status_from(body)
        except SourceMalformed as error:
            raise InvalidInput("body", "a JSON body", f"the JSON of the bot's /status ({error.problem})") from None
        with self._lock:
            return self._publish(lambda before: self._compare_status(before, pushed))

    def _publish(self, compare: Callable[[Checkpoint], PushComparison]) -> PushAnswer:
        was_loaded = False
        for _ in range(PUBLISH_TRIES):
            try:
                if self._checkpoint is None:
                    self._checkpoint, was_loaded = self._load(), True
                comparison = compare(self._checkpoint)
                if comparison.waits_for is not None and not was_loaded:
                    self._checkpoint, was_loaded = self._load(), True
                    comparison = compare(self._checkpoint)
                if comparison.publication is None:
                    return PushAnswer(0, comparison.waits_for)
                return PushAnswer(self._send(comparison.publication))
            except LogMoved:
                self._checkpoint = None
            except (SourceError, LogError):
                self._checkpoint = None  # the call may have been executed, so the log has to be read again
                raise
        raise SourceUnavailable("redis", "other publishers move the log on all the time")

    def _load(self) -> Checkpoint:
        position = self._feed.position()
        self._fence = position.fence
        return EMPTY_CHECKPOINT if position.checkpoint is None else decode(position.checkpoint)

    def _send(self, publication: Publication) -> int:
        fence = Fence((self._fence,), uuid4().hex)
        done = self._feed.publish(
            publication.entries,
            now_ms=self._clock(),
            checkpoint=encode(publication.checkpoint),
            bot=publication.checkpoint.status,
            fence=fence,
        )
        self._fence, self._checkpoint = fence.token, publication.checkpoint
        return len(done.entries)

    def _compare(self, before: Checkpoint, pushed: BotTrades) -> PushComparison:
        """What the list adds. New trades that name no strategy get the bot's, as in a poll."""
        pushed = self._with_strategies(pushed)
        comparison = compare_push(before, pushed, at_ms=self._clock())
        if comparison.publication is None or self._strategy_is_fresh() or not _lacks_strategy(pushed):
            return comparison
        status = self._ask()
        self._strategy = (self._monotonic(), None if status is None else status.strategy)
        return compare_push(before, self._with_strategies(pushed), at_ms=self._clock())

    def _with_strategies(self, pushed: BotTrades) -> BotTrades:
        strategy = self._strategy[1] if self._strategy_is_fresh() else None
        if strategy is None or not _lacks_strategy(pushed):
            return pushed
        named = (trade if trade.strategy else replace(trade, strategy=strategy) for trade in pushed.trades)
        return replace(pushed, trades=tuple(named))

    def _strategy_is_fresh(self) -> bool:
        return self._monotonic() - self._strategy[0] < STRATEGY_SECONDS

    def _compare_status(self, before: Checkpoint, pushed: BotStatus) -> PushComparison:
        status = before.status
        if status is None or not is_online(status):
            return PushComparison(waits_for="the bot is not known to be online")
        if status.get("mode") == pushed.mode:
            return PushComparison()
        reported = self._ask()
        if reported is None:
            return PushComparison(waits_for="the bot does not answer, so its mode is not confirmed")
        if status.get("mode") == reported.mode:
            return PushComparison()
        now = online_status(now_ms=self._clock(), trades=before.trade_count, reported=reported, before=status)
        now["mode_warning"] = mode_warning(reported.mode, exchange=self._exchange_name)
        return PushComparison(status_publication(before, now))

    def _ask(self) -> BotStatus | None:
        try:
            return self._bot.status()
        except SourceError:
            return None


def _lacks_strategy(pushed: BotTrades) -> bool:
    return any(trade.strategy is None for trade in pushed.trades)
