"""Which event and category a market belongs to, from the exchange. Both never change, so a process asks once."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import TypeAdapter

from coliseum.cache.cache import Cache, CacheSpec
from coliseum.cache.freshness import EVENTS
from coliseum.errors import ColiseumError
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.records import KALSHI

_TICKERS_PER_CALL = 100
_WAIT_SECONDS = 5.0
"""How long a request waits for all names together. What is missing then is `unknown`, with the reason."""
_TEXT = TypeAdapter(str)


class MarketGroups:
    """One per process."""

    def __init__(self, kalshi: Kalshi, cache: Cache) -> None:
        self._kalshi = kalshi
        self._cache = cache
        self._events: dict[str, str] = {}

    def events(self, tickers: Iterable[str]) -> tuple[dict[str, str], tuple[ColiseumError, ...]]:
        """The event of each market that the exchange knows, archived ones included; and why others are missing."""
        wanted = sorted(set(tickers))
        kalshi = self._kalshi.for_seconds(_WAIT_SECONDS)
        try:
            for read in (kalshi.markets, kalshi.historical_markets):
                missing = [ticker for ticker in wanted if ticker not in self._events]
                for start in range(0, len(missing), _TICKERS_PER_CALL):
                    chunk = missing[start : start + _TICKERS_PER_CALL]
                    page = read(tickers=chunk, limit=len(chunk))
                    self._events |= {market.ticker: market.event_ticker for market in page.items}
        except ColiseumError as error:
            return self._known(wanted), (error,)
        return self._known(wanted), ()

    def categories(self, series: Iterable[str]) -> tuple[dict[str, str], tuple[ColiseumError, ...]]:
        """The category of each series that the exchange knows, and why others are missing."""
        kalshi = self._kalshi.for_seconds(_WAIT_SECONDS)
        found: dict[str, str] = {}
        failures: list[ColiseumError] = []
        for name in sorted(set(series)):
            spec = CacheSpec(key=f"series-category:{name}", source=KALSHI, tier=EVENTS, shape=_TEXT)
            try:
                found[name] = self._cache.get(spec, lambda name=name: kalshi.series(name).category).value  # type: ignore[misc]  # bound now
            except ColiseumError as error:
                failures.append(error)
        return found, tuple(failures)

    def _known(self, tickers: Iterable[str]) -> dict[str, str]:
        return {ticker: self._events[ticker] for ticker in tickers if ticker in self._events}
