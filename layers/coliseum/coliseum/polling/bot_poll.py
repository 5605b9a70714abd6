"""One poll of the bot: its health and its list, read so that both belong to the same run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from coliseum.bot.client import Bot
from coliseum.bot.parse import BotHealth, BotStatus
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
    trades: tuple[Trade, ...]
    """The bot's list, oldest first."""
    difference: ListDifference | None
    """None where the bot restarted during the poll, so that health and list may belong to different runs."""
    new_run: bool
    """The bot's run is another one than in the last poll."""


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
        seen = BotObservation(
            trades=answer.trades[-LIST_MAX:],
            rejected=answer.rejected[:LIST_MAX],
            run=None if health is None else health.started_at,
            trade_count=None if health is None else health.trade_count,
            trade_count_after=None,
            at_ms=now_ms,
            oldest_first=answer.oldest_first,
        )
        difference = compare(memory, seen)
        listed = len(seen.trades)
        return BotPoll(
            alive=health is None or health.alive,
            trade_count=listed if health is None or health.trade_count is None else health.trade_count,
            trades=difference.listed,
            difference=self._with_strategies(self._confirm(difference, seen, memory, health)),
            new_run=difference.checkpoint.run != memory.run,
        )

    def status(self) -> BotStatus | None:
        """How the bot describes itself; None where it does not."""
        try:
            return self._bot.status()
        except SourceError:
            return None

    def _with_strategies(self, difference: ListDifference | None) -> ListDifference | None:
        """New trades that name no strategy get the one that the bot names in its status now."""
        if difference is None or all(trade.strategy is not None for trade in difference.trades):
            return difference
        status = self.status()
        if status is None or status.strategy is None:
            return difference
        named = (replace(each, strategy=each.strategy or status.strategy) for each in difference.trades)
        return replace(difference, trades=tuple(named))

    def _confirm(
        self, difference: ListDifference, seen: BotObservation, memory: Checkpoint, health: BotHealth | None
    ) -> ListDifference | None:
        """The difference, after a second health request where the first one shows something new.

        The second request proves that count and list belong to the same run. A bot whose start changes all the time
        proves nothing about runs, so after `TORN_READS_MAX` polls the list alone decides.
        """
        if difference.is_empty or health is None:
            return difference
        after = self._health()
        if after is None:
            return difference
        if after.started_at != health.started_at:
            self._torn_reads += 1
            return None if self._torn_reads < TORN_READS_MAX else compare(memory, replace(seen, run=None))
        self._torn_reads = 0
        return compare(memory, replace(seen, trade_count_after=after.trade_count))

    def _health(self) -> BotHealth | None:
        """None where the bot answers no health request. The list then decides whether the bot is online."""
        try:
            return self._bot.health()
        except SourceError:
            return None
