"""The exchange's fills, requested at a limited rate and with a limited wait."""

from __future__ import annotations

import math

from coliseum.errors import ConfigurationError, SourceError
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger
from coliseum.trading.trades import Fill

INTERVAL_SECONDS = 15.0
"""Between two requests."""
TIMEOUT_SECONDS = 6.0
"""For an answer of the exchange. The tick waits for it."""


class FillLookup:
    """Requests for the account's fills. Invariant: two requests are `INTERVAL_SECONDS` apart, except an urgent one."""

    def __init__(self, exchange: Kalshi | None, *, interval: float) -> None:
        """`exchange` is None where there is no API key for it. `interval` is the time between ticks in seconds."""
        self._exchange = exchange
        self._ticks_between = math.ceil(INTERVAL_SECONDS / interval)
        self._next_tick = 0

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
        try:
            return self._exchange.for_seconds(TIMEOUT_SECONDS).all_fills(since=since)
        except (SourceError, ConfigurationError) as error:
            logger().warning("exchange fills are not available", problem=str(error))
            return None
