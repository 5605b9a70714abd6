"""The exchange's fills, requested at a limited rate and with a limited wait."""

from __future__ import annotations

import math
from collections.abc import Collection

from coliseum.errors import ConfigurationError, SourceError
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger
from coliseum.polling.backfill import FillAnswer, earlier_since, ids_match, recent_since
from coliseum.trading.trades import Fill

INTERVAL_SECONDS = 15.0
"""Between two requests."""
TIMEOUT_SECONDS = 6.0
"""For an answer of the exchange. The tick waits for it."""
EARLIER_INTERVAL_SECONDS = 600.0
"""Between two requests that reach a day back, which may take many pages; an urgent one does not wait."""


class FillLookup:
    """Requests for the account's fills. Invariant: two requests are `INTERVAL_SECONDS` apart, except an urgent one.

    That the ids match is remembered for the bot's run in which some trade of the bot was among the fills.
    """

    def __init__(self, exchange: Kalshi | None, *, interval: float) -> None:
        """`exchange` is None where there is no API key for it. `interval` is the time between ticks in seconds."""
        self._exchange = exchange
        self._ticks_between = math.ceil(INTERVAL_SECONDS / interval)
        self._ticks_between_earlier = math.ceil(EARLIER_INTERVAL_SECONDS / interval)
        self._next_tick = self._next_earlier_tick = 0
        self._matched_run: str | None = None
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the last request had no answer; None where it had one."""
        return self._problem

    @property
    def available(self) -> bool:
        """Whether there is an exchange to ask."""
        return self._exchange is not None

    def fills(self, since: int, *, tick: int, urgent: bool = False) -> tuple[Fill, ...] | None:
        """All fills since the unix second `since`.

        None where the exchange failed, or must not be asked in this `tick` yet. An `urgent` request does not wait for
        its turn.
        """
        if self._exchange is None or (tick < self._next_tick and not urgent):
            return None
        self._next_tick = tick + self._ticks_between
        return self._request(self._exchange, since)

    def search(
        self, begin_ms: int, *, trade_ids: Collection[str], run: str, tick: int, urgent: bool = False
    ) -> FillAnswer | None:
        """All fills since shortly before `begin_ms`; None as for `fills`.

        Where none of them is one of `trade_ids`, the ones that the bot reported, a second request reaches a day back.
        """
        fills = self.fills(recent_since(begin_ms), tick=tick, urgent=urgent)
        if fills is None or self._exchange is None:
            return None
        if self._matched_run != run and not ids_match(fills, trade_ids):
            if not trade_ids or (tick < self._next_earlier_tick and not urgent):
                return FillAnswer(fills, ids_match=False)
            earlier = self._request(self._exchange, earlier_since(begin_ms))
            if earlier is None:
                return None
            self._next_earlier_tick = tick + self._ticks_between_earlier
            if not ids_match(earlier, trade_ids):
                return FillAnswer(earlier, ids_match=False)
            fills = earlier
        self._matched_run = run
        return FillAnswer(fills, ids_match=True)

    def _request(self, exchange: Kalshi, since: int) -> tuple[Fill, ...] | None:
        try:
            fills = exchange.for_seconds(TIMEOUT_SECONDS).all_fills(since=since)
        except (SourceError, ConfigurationError) as error:
            self._problem = str(error)
            logger().warning("exchange fills are not available", problem=self._problem)
            return None
        self._problem = None
        return fills
