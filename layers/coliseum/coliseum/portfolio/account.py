"""Balance and positions: asked of the exchange, compared with our own books, marked at the bid."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from aws_lambda_powertools.metrics import MetricUnit
from pydantic import TypeAdapter

from coliseum.cache.cache import Cache, CachedValue, CacheSpec
from coliseum.cache.freshness import BALANCE, MARKETS, POSITIONS
from coliseum.errors import SourceError
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger, metrics
from coliseum.portfolio.account_state import AccountState, Bids, LedgerState, bids_from
from coliseum.portfolio.ledger import Ledger
from coliseum.portfolio.positions import OpenPosition, positions_from
from coliseum.portfolio.reconciliation import find_discrepancies
from coliseum.trading.markets import Balance, ExchangePosition, Settlement

KALSHI = "kalshi"
_BALANCE = CacheSpec(key="balance", source=KALSHI, tier=BALANCE, shape=TypeAdapter(Balance), pace_seconds=1.0)
_STANDING = CacheSpec(key="positions", source=KALSHI, tier=POSITIONS, shape=TypeAdapter(AccountState))
_BIDS = TypeAdapter(tuple[Bids, ...])
_WAIT_SECONDS = 5.0
"""Somebody waits for the answer, and an older one may stand in."""
_TICKERS_PER_CALL = 100
_LAG_SECONDS = 30
"""How far the exchange's lists may trail its matching engine."""
_AMENDED_SECONDS = 7 * 86_400
"""How long after a settlement we look for another version of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPositions:
    """Open positions with what they were learnt from."""

    positions: tuple[OpenPosition, ...]
    standing: CachedValue[AccountState]
    failures: tuple[SourceError, ...]
    """What did not answer, where the positions are shown all the same."""

    @property
    def stale(self) -> bool:
        return bool(self.failures)


class ExchangeAccount:
    """One per process: it keeps the books between requests, so that a refresh asks for new fills only."""

    def __init__(self, kalshi: Kalshi, cache: Cache) -> None:
        self._kalshi = kalshi
        self._cache = cache
        self._ledger = Ledger()
        self._settlements: dict[str, Settlement] = {}
        self._fills_since: int | None = None

    def balance(self) -> CachedValue[Balance]:
        """The account's money; the exchange is asked once a second at most, by all processes together."""
        return self._cache.get(_BALANCE, lambda: self._kalshi.for_seconds(_WAIT_SECONDS).balance())

    def balance_now(self, kalshi: Kalshi) -> Balance:
        """The exchange's own word, for who would take no older one. Kept to the same pace; not left for others."""
        return self._cache.ask(_BALANCE, kalshi.balance)

    def positions(self) -> AccountPositions:
        """Open positions. Without marks where the markets do not answer, with older rows where the account does not."""
        standing = self._cache.get(_STANDING, self._fetch)
        failures = [] if standing.error is None else [standing.error]
        held = [row.ticker for row in standing.value.rows if row.position]
        bids: dict[str, Bids] = {}
        try:
            marks = self._bids(held)
            bids = {row.ticker: row for row in marks.value}
            failures += [] if marks.error is None else [marks.error]
        except SourceError as error:
            failures.append(error)
        books = standing.value.books
        holdings = {} if books is None else {holding.ticker: holding for holding in books.holdings}
        positions = positions_from(standing.value.rows, holdings, bids)
        return AccountPositions(positions=positions, standing=standing, failures=tuple(failures))

    def _bids(self, tickers: Iterable[str]) -> CachedValue[tuple[Bids, ...]]:
        wanted = sorted(tickers)
        digest = hashlib.sha256(",".join(wanted).encode()).hexdigest()[:16]
        slot = CacheSpec(key=f"bids:{digest}", source=KALSHI, tier=MARKETS, shape=_BIDS)
        return self._cache.get(slot, lambda: self._fetch_bids(wanted))

    def _fetch_bids(self, tickers: list[str]) -> tuple[Bids, ...]:
        found: list[Bids] = []
        kalshi = self._kalshi.for_seconds(_WAIT_SECONDS)
        for start in range(0, len(tickers), _TICKERS_PER_CALL):
            some = tickers[start : start + _TICKERS_PER_CALL]
            found += map(bids_from, kalshi.markets(tickers=some, limit=len(some)).items)
        return tuple(found)

    def _fetch(self) -> AccountState:
        """Positions first, then our books; where they differ once more, since trading goes on in between."""
        rows = self._kalshi.for_seconds(_WAIT_SECONDS).positions()
        try:
            self._update_books()
        except SourceError as error:
            return AccountState(rows=rows, books=None, problem=str(error))
        books = self._books(rows)
        if books.differences:
            rows = self._kalshi.for_seconds(_WAIT_SECONDS).positions()
            books = self._books(rows)
        _report(books)
        return AccountState(rows=rows, books=books, problem=None)

    def _update_books(self) -> None:
        """Book what happened since the last time; the first time, everything there ever was."""
        fills = self._kalshi.all_fills(since=self._fills_since)
        settlements = self._new_settlements()
        self._ledger.book_fills(fills)
        self._settlements |= {row.ticker: row for row in settlements}
        self._ledger.book_settlements(self._settlements.values())
        if fills:
            self._fills_since = max(self._fills_since or 0, int(fills[0].timestamp) - _LAG_SECONDS)

    def _new_settlements(self) -> tuple[Settlement, ...]:
        """Oldest first, so that of two versions the later one stays."""
        latest = max((row.settled_at.timestamp() for row in self._settlements.values()), default=None)
        since = None if latest is None else int(latest) - _AMENDED_SECONDS
        return self._kalshi.all_settlements(since=since)[::-1]

    def _books(self, rows: tuple[ExchangePosition, ...]) -> LedgerState:
        holdings = self._ledger.holdings
        shown = {row.ticker for row in rows} | {name for name, holding in holdings.items() if holding.contracts}
        return LedgerState(
            holdings=tuple(holdings[ticker] for ticker in sorted(shown & set(holdings))),
            totals=self._ledger.totals(),
            differences=find_discrepancies(holdings, rows, self._settlements.values(), self._ledger.settled),
        )


def _report(books: LedgerState) -> None:
    """Make disagreement visible to whoever watches the service, not only to who asks for the summary."""
    metrics().add_metric(name="ReconciliationDifferences", unit=MetricUnit.Count, value=len(books.differences))
    for found in books.differences[:10]:
        logger().warning(
            "our books and the exchange differ",
            extra={"ticker": found.ticker, "field": found.field, "ours": found.ours, "exchange": found.exchange},
        )
