"""What the exchange says in one look: open or paused, whether it takes the key, money, positions, closing times."""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import TypeVar

from coliseum.alerts.facts import ExchangeFacts
from coliseum.errors import ColiseumError, SourceError
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger
from coliseum.trading.transfers import APPLIED, TransferKind

PROBE_SECONDS = 6.0
"""For all calls of one look."""
CLOSES_SECONDS = 600.0
"""Closing times are read again after so long, since markets are extended."""
_MARKETS_PER_CALL = 100
Value = TypeVar("Value")


class ExchangeProbe:
    """One per process. It remembers closing times only."""

    def __init__(self, kalshi: Kalshi | None, *, has_key: bool, clock: Callable[[], float]) -> None:
        """Without `kalshi` nothing is asked; without a key only whether trading is on. `clock`: unix seconds."""
        self._kalshi, self._has_key, self._clock = kalshi, has_key, clock
        self._closes: dict[str, float] = {}
        self._closes_at = 0.0

    def look(self, tickers: Collection[str]) -> ExchangeFacts:
        """`tickers` are the markets with an open position. Never raises: what is not answered is unknown."""
        if self._kalshi is None:
            return ExchangeFacts()
        kalshi = self._kalshi.for_seconds(PROBE_SECONDS)
        status = _answered(kalshi.exchange_status)
        trading = None if status is None else status.exchange_active and status.trading_active
        if not self._has_key:
            return ExchangeFacts(trading=trading, closes=self._closing_times(kalshi, tickers))
        try:
            balance = kalshi.balance()
        except SourceError as error:
            refused = True if error.status in {401, 403} else None
            return ExchangeFacts(trading=trading, key_refused=refused)
        rows = _answered(kalshi.positions)
        return ExchangeFacts(
            trading=trading,
            key_refused=False,
            equity=balance.equity,
            positions=None if rows is None else {row.ticker: row.position for row in rows if row.position},
            closes=self._closing_times(kalshi, tickers),
        )

    def transfers(self) -> tuple[tuple[float, Decimal], ...]:
        """Applied deposits and withdrawals; none where they are unknown: a loss is rather told than hidden."""
        if self._kalshi is None or not self._has_key or not self._kalshi.is_whole_member:
            return ()
        kalshi = self._kalshi.for_seconds(PROBE_SECONDS)
        rows = [*(_answered(kalshi.deposits) or ()), *(_answered(kalshi.withdrawals) or ())]
        return tuple(
            (
                (row.finalized_at or row.created_at).timestamp(),
                row.amount if row.kind is TransferKind.DEPOSIT else -row.amount,
            )
            for row in rows
            if row.status == APPLIED
        )

    def _closing_times(self, kalshi: Kalshi, tickers: Collection[str]) -> dict[str, float]:
        now = self._clock()
        if tickers and (now - self._closes_at >= CLOSES_SECONDS or not set(tickers) <= self._closes.keys()):
            wanted = sorted(tickers)[:_MARKETS_PER_CALL]
            page = _answered(lambda: kalshi.markets(tickers=wanted, limit=len(wanted)))
            if page is not None:
                self._closes = {market.ticker: market.close_time.timestamp() for market in page.items}
                self._closes_at = now
        return dict(self._closes)


def _answered(call: Callable[[], Value]) -> Value | None:
    try:
        return call()
    except ColiseumError as error:
        logger().info("the exchange did not answer a question of the alerts", problem=str(error))
        return None
