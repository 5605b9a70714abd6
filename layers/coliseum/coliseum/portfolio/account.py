"""Balance and positions: read from the exchange, compared with our own ledger, valued at the bid."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from aws_lambda_powertools.metrics import MetricUnit
from pydantic import TypeAdapter

from coliseum.cache.cache import Cache, CachedValue, CacheSpec
from coliseum.cache.freshness import BALANCE, MARKETS, POSITIONS
from coliseum.errors import SourceError, SourceMalformed
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger, metrics
from coliseum.portfolio.account_state import AccountState, Bids, LedgerSummary, bids_from
from coliseum.portfolio.ledger import Ledger
from coliseum.portfolio.positions import PortfolioPosition, positions_from
from coliseum.portfolio.reconciliation import find_discrepancies
from coliseum.trading.markets import Balance, ExchangePosition, Settlement

KALSHI = "kalshi"
BALANCE_SPEC = CacheSpec(key="balance", source=KALSHI, tier=BALANCE, shape=TypeAdapter(Balance), pace_seconds=1.0)
_POSITIONS = CacheSpec(key="positions", source=KALSHI, tier=POSITIONS, shape=TypeAdapter(AccountState))
_BIDS = TypeAdapter(tuple[Bids, ...])
_WAIT_SECONDS = 5.0
"""How long a request waits for the exchange before an older value is served."""
_TICKERS_PER_CALL = 100
_LAG_SECONDS = 30
"""The exchange's lists may be this far behind its matching engine."""
_AMENDED_SECONDS = 7 * 86_400
"""How long after a settlement we look for a corrected version of it."""
_DISCREPANCIES_LOGGED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPositions:
    """Open positions with the account state that they were derived from."""

    positions: tuple[PortfolioPosition, ...]
    state: CachedValue[AccountState]
    failures: tuple[SourceError, ...]
    """Sources that did not answer, and markets that could not be read; the positions are shown all the same."""
    stale: bool
    """A source did not answer."""


class ExchangeAccount:
    """The account on the exchange. One per process: it keeps the ledger, so that a refresh reads only new fills."""

    def __init__(
        self,
        kalshi: Kalshi,
        cache: Cache,
        *,
        fills_since: int | None = None,
        balance_spec: CacheSpec[Balance] = BALANCE_SPEC,
    ) -> None:
        """`fills_since` (unix seconds) leaves earlier fills out of the ledger; None reads the whole history."""
        self._kalshi = kalshi
        self._cache = cache
        self._ledger = Ledger()
        self._settlements: dict[str, Settlement] = {}
        self._fills_since = fills_since
        self._balance_spec = balance_spec

    def balance(self) -> CachedValue[Balance]:
        """The account's money. All processes together ask the exchange once a second at most."""
        return self._cache.get(self._balance_spec, lambda: self._kalshi.for_seconds(_WAIT_SECONDS).balance())

    def balance_now(self, kalshi: Kalshi) -> Balance:
        """The exchange's balance of this moment, for callers that accept no older one.

        It respects the same pace as `balance` but is not cached. Raises SourceError.
        """
        return self._cache.fetch_paced(self._balance_spec, kalshi.balance)

    def positions(self) -> AccountPositions:
        """Open positions.

        They lack marks where the market data does not answer, and come from the cache where the account does not.
        """
        state = self._cache.get(_POSITIONS, self._fetch)
        failures = [] if state.error is None else [state.error]
        bids: dict[str, Bids] = {}
        try:
            marks = self._bids(row.ticker for row in state.value.rows if row.position)
            bids = {row.ticker: row for row in marks.value}
            failures += [] if marks.error is None else [marks.error]
        except SourceError as error:
            failures.append(error)
        ledger = state.value.books
        holdings = {} if ledger is None else {holding.ticker: holding for holding in ledger.holdings}
        positions = positions_from(state.value.rows, holdings, bids)
        left_out = [SourceMalformed(KALSHI, row.problem, field="market") for row in bids.values() if row.problem]
        return AccountPositions(positions=positions, state=state, failures=(*failures, *left_out), stale=bool(failures))

    def _bids(self, tickers: Iterable[str]) -> CachedValue[tuple[Bids, ...]]:
        wanted = sorted(tickers)
        # One cached value per set of tickers: a digest keeps the key short however many positions there are.
        digest = hashlib.sha256(",".join(wanted).encode()).hexdigest()[:16]
        spec = CacheSpec(key=f"bids:{digest}", source=KALSHI, tier=MARKETS, shape=_BIDS)
        return self._cache.get(spec, lambda: self._fetch_bids(wanted))

    def _fetch_bids(self, tickers: list[str]) -> tuple[Bids, ...]:
        bids: list[Bids] = []
        kalshi = self._kalshi.for_seconds(_WAIT_SECONDS)
        for start in range(0, len(tickers), _TICKERS_PER_CALL):
            chunk = tickers[start : start + _TICKERS_PER_CALL]
            page = kalshi.markets(tickers=chunk, limit=len(chunk))
            bids += map(bids_from, page.items)
            bids += [
                Bids(ticker=row.ticker, yes=None, no=None, problem=str(row)) for row in page.rejected if row.ticker
            ]
        return tuple(bids)

    def _fetch(self) -> AccountState:
        """The exchange's positions, then our ledger."""
        rows = self._kalshi.for_seconds(_WAIT_SECONDS).positions()
        try:
            self._update_ledger()
        except SourceError as error:
            return AccountState(rows=rows, books=None, problem=str(error))
        ledger = self._ledger_state(rows)
        if ledger.differences:
            # Trading goes on between the two reads, so a first difference may be only that: read the positions again.
            rows = self._kalshi.for_seconds(_WAIT_SECONDS).positions()
            ledger = self._ledger_state(rows)
        _report(ledger)
        return AccountState(rows=rows, books=ledger, problem=None)

    def _update_ledger(self) -> None:
        """Book what is new since the last call. The first call books the account's whole history."""
        fills = self._kalshi.all_fills(since=self._fills_since)
        settlements = self._new_settlements()
        self._ledger.book_fills(fills)
        self._settlements |= {row.ticker: row for row in settlements}
        # All settlements again: one that was taken back because of a late fill must be booked after that fill.
        self._ledger.book_settlements(self._settlements.values())
        if fills:
            self._fills_since = max(self._fills_since or 0, int(fills[0].timestamp) - _LAG_SECONDS)

    def _new_settlements(self) -> tuple[Settlement, ...]:
        """Oldest first, so that the later of two versions replaces the earlier one."""
        latest = max((row.settled_at.timestamp() for row in self._settlements.values()), default=None)
        since = None if latest is None else int(latest) - _AMENDED_SECONDS
        return self._kalshi.all_settlements(since=since)[::-1]

    def _ledger_state(self, rows: tuple[ExchangePosition, ...]) -> LedgerSummary:
        holdings = self._ledger.holdings
        tickers = {row.ticker for row in rows} | {ticker for ticker, holding in holdings.items() if holding.contracts}
        return LedgerSummary(
            holdings=tuple(holdings[ticker] for ticker in sorted(tickers & set(holdings))),
            totals=self._ledger.totals(),
            differences=find_discrepancies(holdings, rows, self._settlements.values(), self._ledger.settled),
        )


def _report(ledger: LedgerSummary) -> None:
    """Put discrepancies into the metrics and the log, since few people call the summary."""
    discrepancies = ledger.differences
    metrics().add_metric(name="ReconciliationDifferences", unit=MetricUnit.Count, value=len(discrepancies))
    for row in discrepancies[:_DISCREPANCIES_LOGGED]:
        logger().warning(
            "our ledger and the exchange differ",
            ticker=row.ticker,
            field=row.field,
            ours=str(row.ours),
            exchange=str(row.exchange),
        )
