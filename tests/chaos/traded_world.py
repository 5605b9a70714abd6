"""The world of a bot that trades on an exchange: what its list lost comes from the account's fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from tests.chaos.truth import TruthfulBot, TruthfulExchange
from tests.chaos.world import World

from coliseum.bot.client import Bot
from coliseum.feed.entries import Entry, EntryKind
from coliseum.kalshi.client import Kalshi
from coliseum.polling.backfill import CLOCK_DIFFERENCE_MS, START_MARGIN_MS
from coliseum.polling.poller import Poller

MARGIN_SECONDS = (CLOCK_DIFFERENCE_MS + START_MARGIN_MS) / 1000


@dataclass
class TradedWorld(World):
    """`exchange` lists the bot's trades as fills. Redis keeps what it has: its losses are the other world's subject."""

    bot: TruthfulBot = field(default_factory=lambda: TruthfulBot(exchange_ids=True))

    def __post_init__(self) -> None:
        self.exchange = TruthfulExchange(self.bot)
        super().__post_init__()

    def container(self, number: int) -> Poller:
        return Poller(
            bot=cast(Bot, self.bot),
            feed=self.feed,
            exchange=cast(Kalshi, self.exchange),
            interval=3.0,
            clock=lambda: int((self.bot.time + self.skew[number]) * 1000),
        )

    def settle(self) -> None:
        """Everybody answers until nothing waits and no gap is open."""
        self.bot.down = self.exchange.down = False
        for _ in range(3):
            super().settle()

    def _check_order(self, entry: Entry, index: int, *, published: Sequence[int | None]) -> None:
        """Fills come when the exchange shows them; the bot's own reports keep their order."""
        live = [
            cast(int, one.index)
            for one in self.log
            if one.entry.kind is EntryKind.TRADE and one.entry.data["source"] == "bot_live"
        ]
        if entry.data["source"] == "bot_live":
            assert not live or index > live[-1], f"trade {index} was published after trade {live[-1]}"

    def _truth_of(self, entry: Entry) -> int:
        """A fill has the exchange's time, so only the id tells which trade it is."""
        return int(entry.data["trade_id"].removeprefix("fill-"))

    def check_losses(self) -> None:
        """Check that every trade was published or lies in a gap that admits it, and that no gap claims too much."""
        published = {one.index for one in self.log if one.entry.kind is EntryKind.TRADE}
        missing = [index for index in range(self.forgiven, len(self.bot.truth)) if index not in published]
        gaps = self._last_announcements()
        for index in missing:
            admitting = [gap for gap in gaps if gap["lost"] != 0 and self._contains(gap, index)]
            assert admitting, f"trade {index} at {self.bot.times[index]} is missing and nothing admits it: {gaps}"
        for gap in gaps:
            inside = [index for index in missing if self._contains(gap, index)]
            certain = gap["at_least"] if gap["lost"] is None else gap["lost"]
            assert certain <= len(inside), f"{gap} claims more than the missing {inside}"

    def _last_announcements(self) -> list[dict[str, Any]]:
        """The newest announcement of each gap."""
        newest: dict[tuple[str, str, str], dict[str, Any]] = {}
        for one in self.log:
            if one.entry.kind is EntryKind.SOURCE_GAP:
                data = one.entry.data
                newest[data["reason"], data["from"], data["to"]] = data
        return list(newest.values())

    def _contains(self, gap: dict[str, Any], index: int) -> bool:
        begin, end = (datetime.fromisoformat(gap[name]).timestamp() for name in ("from", "to"))
        return begin - MARGIN_SECONDS <= self.bot.times[index] <= end + MARGIN_SECONDS
