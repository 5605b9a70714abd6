"""One poll of the bot: its health and its list, read so that both belong to the same run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from coliseum.bot.client import Bot
from coliseum.bot.parse import BotHealth, BotStatus, BotTrades
from coliseum.errors import SourceError
from coliseum.polling.checkpoint import Checkpoint
from coliseum.polling.diff import BotObservation, ListDifference, compare
from coliseum.trading.trades import Trade

LIST_MAX = 1_000
"""Rows that are read of the bot's list, the newest ones. The bot's contract says that the list holds 100."""
TORN_READS_MAX = 3
"""Polls in a row during which the bot may restart. After so many its reported start is ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotPoll:
    """What the bot answered, compared with what was known."""

    alive: bool
    """False where the bot says that it is not alive."""
    trade_count: int
    """Trades of the run as the bot counts them; the list's length where it does not count them."""
    seen: BotObservation
    memory: Checkpoint
    """What `difference` was compared with."""
    difference: ListDifference | None
    """None where the bot restarted during the poll, so that health and list may belong to different runs."""
    new_run: bool
    """The bot's run is another one than in the last poll."""
    strategy: str | None = None
    """What the bot names in its status: the strategy of new trades that name none."""

    @property
    def trades(self) -> tuple[Trade, ...]:
        """The bot's list, oldest first."""
        return self.seen.trades if self.difference is None else self.difference.listed

    def compared_with(self, memory: Checkpoint) -> BotPoll:
        """The same answers, compared with a newer checkpoint in which only pushed trades were added."""
        if self.difference is None or memory is self.memory:
            return self
        return replace(self, memory=memory, difference=_named(compare(memory, self.seen), self.strategy))


class BotPoller:
    """Reads the bot. Its only state is the number of torn reads in a row.

    A read is torn when the bot's start changes between the two health requests around its list.
    """

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._torn_reads = 0

    def poll(self, memory: Checkpoint, *, now_ms: int) -> BotPoll:
        """Health and list, compared with `memory`. Raises SourceError where the list is not available or not valid."""
        health = self._health()
        answer = self._bot.trades()
        seen = _observation(health, answer, at_ms=now_ms)
        difference = compare(memory, seen)
        listed = len(seen.trades)
        new_run = difference.checkpoint.run != memory.run
        confirmed = self._confirm(difference, seen, memory, health, is_atomic=answer.started_at is not None)
        if confirmed is not None and confirmed is not seen:
            difference = compare(memory, confirmed)
        strategy = None
        if confirmed is not None and any(trade.strategy is None for trade in difference.trades):
            status = self.status()
            strategy = None if status is None else status.strategy
        return BotPoll(
            alive=health is None or health.alive,
            trade_count=listed if seen.trade_count is None else seen.trade_count,
            seen=seen if confirmed is None else confirmed,
            memory=memory,
            difference=None if confirmed is None else _named(difference, strategy),
            new_run=new_run,
            strategy=strategy,
        )

    def status(self) -> BotStatus | None:
        """How the bot describes itself; None where it does not."""
        try:
            return self._bot.status()
        except SourceError:
            return None

    def _confirm(
        self,
        difference: ListDifference,
        seen: BotObservation,
        memory: Checkpoint,
        health: BotHealth | None,
        *,
        is_atomic: bool,
    ) -> BotObservation | None:
        """What was seen, after a second health request where the first one shows something new. None: a torn read.

        The second request proves that count and list belong to the same run. A list that says itself to which run it
        belongs (`is_atomic`) needs no proof. A bot whose start changes all the time proves nothing about runs, so
        after `TORN_READS_MAX` polls the list alone decides.
        """
        if difference.is_empty or health is None or is_atomic:
            return seen
        after = self._health()
        if after is None:
            return seen
        if after.started_at != health.started_at:
            self._torn_reads += 1
            return None if self._torn_reads < TORN_READS_MAX else replace(seen, run=None)
        self._torn_reads = 0
        return replace(seen, trade_count_after=after.trade_count)

    def _health(self) -> BotHealth | None:
        """None where the bot answers no health request. The list then decides whether the bot is online."""
        try:
            return self._bot.health()
        except SourceError:
            return None


def _observation(health: BotHealth | None, answer: BotTrades, *, at_ms: int) -> BotObservation:
    """The answers of one poll. A list that names its own run and count is right about both."""
    run, count, count_after = (None, None, None) if health is None else (health.started_at, health.trade_count, None)
    if answer.started_at is not None:
        run, count, count_after = answer.started_at, answer.trade_count, answer.trade_count
    return BotObservation(
        trades=answer.trades[-LIST_MAX:],
        rejected=answer.rejected[:LIST_MAX],
        run=run,
        trade_count=count,
        trade_count_after=count_after,
        at_ms=at_ms,
        oldest_first=answer.oldest_first,
    )


def _named(difference: ListDifference, strategy: str | None) -> ListDifference:
    """The difference, whose new trades without a strategy get this one."""
    if strategy is None:
        return difference
    named = (replace(each, strategy=each.strategy or strategy) for each in difference.trades)
    return replace(difference, trades=tuple(named))
