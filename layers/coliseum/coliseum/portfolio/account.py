"""Balance and positions: read from the exchange, compared with our own ledger, valued at the bid."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from aws_lambda_powertools.metrics import MetricUnit
from pydantic import TypeAdapter

from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache, CachedValue, CacheSpec
from coliseum.cache.freshness import BALANCE, MARKETS, POSITIONS, TRANSFERS, Tier
from coliseum.errors import ConfigurationError, SourceError, SourceMalformed, SourceRefused, SourceUnavailable
from coliseum.http.field_types import utc_from
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger, metrics
from coliseum.portfolio.account_state import AccountState, Bids, BooksLoad, LedgerSummary, bids_from
from coliseum.portfolio.booked_history import BookedHistory
from coliseum.portfolio.books import AccountBooks
from coliseum.portfolio.books_storage import (
    BooksInMemory,
    BooksSnapshot,
    BooksStorage,
    KeptSettlement,
    unexplained_ends,
)
from coliseum.portfolio.positions import PortfolioPosition, positions_from
from coliseum.portfolio.reconciliation import find_discrepancies
from coliseum.portfolio.records import KALSHI, POSTGRES
from coliseum.trading.markets import Balance, ExchangePosition
from coliseum.trading.transfers import Transfer

BALANCE_SPEC = CacheSpec(key="balance", source=KALSHI, tier=BALANCE, shape=TypeAdapter(Balance), pace_seconds=1.0)
_POSITIONS = CacheSpec(key="positions", source=KALSHI, tier=POSITIONS, shape=TypeAdapter(AccountState))
_LOADING = CacheSpec(key="positions:loading", source=KALSHI, tier=Tier(1, 60), shape=_POSITIONS.shape)
"""The positions while a long history is loaded: each request for them goes on with the load."""
_TRANSFERS = CacheSpec(key="transfers", source=KALSHI, tier=TRANSFERS, shape=TypeAdapter(tuple[Transfer, ...]))
_BIDS = TypeAdapter(tuple[Bids, ...])
_WAIT_SECONDS = 5.0
"""How long a request waits for the exchange before an older value is served."""
_TICKERS_PER_CALL = 100
_BOOKS_SECONDS = 8.0
"""How long a request may wait for new fills to be booked."""
_FIRST_SECONDS = 1.5
"""How long positions wait while a history is loaded: enough for a short one."""
_LOADING_SECONDS = 3.0
"""How long the summary goes on with a long load. The rest is for later requests and for the poller."""
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
    """The account on the exchange. One per process."""

    def __init__(
        self,
        kalshi: Kalshi,
        cache: Cache,
        *,
        books: AccountBooks | None = None,
        breaker: CircuitBreaker | None = None,
        fills_since: int | None = None,
        balance_spec: CacheSpec[Balance] = BALANCE_SPEC,
    ) -> None:
        """`books` are those in Postgres. Without them, and while Postgres fails, this process keeps its own.

        `fills_since` (unix seconds) leaves earlier fills out of the process's books; None reads the whole history.
        """
        self._kalshi = kalshi
        self._cache = cache
        self._stored_books = books
        self._own_books = AccountBooks(BooksInMemory(), since=fills_since)
        self._own_books_lock = threading.Lock()
        self._breaker = breaker or CircuitBreaker()
        self._balance_spec = balance_spec

    def balance(self) -> CachedValue[Balance]:
        """The account's money. All processes together ask the exchange once a second at most."""
        return self._cache.get(self._balance_spec, lambda: self._kalshi.for_seconds(_WAIT_SECONDS).balance())

    def balance_now(self, kalshi: Kalshi) -> Balance:
        """The exchange's balance of this moment, for callers that accept no older one.

        It respects the same pace as `balance` but is not cached. Raises SourceError.
        """
        return self._cache.fetch_paced(self._balance_spec, kalshi.balance)

    def transfers(self) -> CachedValue[tuple[Transfer, ...]]:
        """All deposits and withdrawals, of every status. Raises SourceError, for a subaccount too."""
        return self._cache.get(_TRANSFERS, self._fetch_transfers)

    def _fetch_transfers(self) -> tuple[Transfer, ...]:
        if not self._kalshi.is_whole_member:
            problem = "deposits are listed for the member, and this account is one of its subaccounts"
            raise SourceRefused(KALSHI, problem)
        kalshi = self._kalshi.for_seconds(_WAIT_SECONDS)
        return (*kalshi.deposits(), *kalshi.withdrawals())

    def positions(self, *, load_books: bool = True) -> AccountPositions:
        """Open positions.

        They lack marks where the market data does not answer, and come from the cache where the account does not.
        Without `load_books` they hardly wait while a long history is loaded.
        """
        state = self._cache.get(_POSITIONS, lambda: self._fetch(_FIRST_SECONDS))
        if load_books and state.value.load is not None and state.value.load.status == "loading":
            with suppress(SourceError):
                state = self._cache.get(_LOADING, lambda: self._fetch(_LOADING_SECONDS))
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

    def _fetch(self, loading_seconds: float) -> AccountState:
        """The exchange's positions, then our ledger."""
        rows = self._kalshi.for_seconds(_WAIT_SECONDS).positions()
        try:
            books, snapshot = self._extend_books(rows, loading_seconds)
            return self._state(rows, books, snapshot)
        except SourceError as error:
            load = BooksLoad(status="unavailable", problem=str(error))
            return AccountState(rows=rows, books=None, problem=str(error), load=load)

    def _state(self, rows: tuple[ExchangePosition, ...], books: AccountBooks, snapshot: BooksSnapshot) -> AccountState:
        """The positions with our ledger, compared. Raises SourceError."""
        wrong = books.storage.disagreeing()
        load = load_of(snapshot, unexplained_ends(wrong))
        if load.status == "loading":
            return AccountState(rows=rows, books=None, problem=load.problem, load=load)
        ledger = _ledger_summary(books.storage, snapshot, rows, wrong)
        if ledger.differences:
            # Trading goes on between the two reads, so a first difference may be only that: read positions again.
            rows = self._kalshi.for_seconds(_WAIT_SECONDS).positions()
            ledger = _ledger_summary(books.storage, snapshot, rows, wrong)
        _report(ledger)
        return AccountState(rows=rows, books=ledger, problem=None, load=load)

    def booked_history(self, *, keep_positions: bool = False) -> BookedHistory:
        """The books, brought up to date; as they stand in Postgres where the exchange does not answer.

        With `keep_positions` the next call of `positions` answers with the positions of this reading. Raises
        SourceUnavailable while the books are loading, else the exchange's error where no kept books replace it.
        """
        failures: tuple[SourceError, ...] = ()
        try:
            rows = self._breaker.call(KALSHI, lambda: self._kalshi.for_seconds(_WAIT_SECONDS).positions())
            books, snapshot = self._extend_books(rows, _LOADING_SECONDS)
            if keep_positions:
                with suppress(SourceError):  # `positions` then asks itself, and says what failed
                    self._cache.keep(_POSITIONS, self._state(rows, books, snapshot))
        except SourceError as error:
            books, snapshot = self._kept_books(error)
            failures = (error,)
        load = load_of(snapshot)
        if load.status == "loading":
            raise SourceUnavailable("books", load.problem or "the books are loading")
        return BookedHistory(storage=books.storage, progress=snapshot.progress, failures=failures)

    def _kept_books(self, error: SourceError) -> tuple[AccountBooks, BooksSnapshot]:
        """The books in Postgres. Raises `error` where there are none."""
        stored = self._stored_books
        if stored is None:
            raise error
        try:
            return stored, self._breaker.call(POSTGRES, stored.storage.read)
        except (SourceError, ConfigurationError):
            raise error from None

    def _extend_books(
        self, rows: Collection[ExchangePosition], loading_seconds: float
    ) -> tuple[AccountBooks, BooksSnapshot]:
        """Book what is new since the last call, in Postgres, or in this process where Postgres does not answer."""
        live = {row.ticker for row in rows if row.position}
        loading = self._kalshi.for_seconds(loading_seconds)
        kalshi = self._kalshi.for_seconds(_BOOKS_SECONDS)

        def extend(books: AccountBooks) -> BooksSnapshot:
            return books.extend(kalshi, time_left=kalshi.time_left, loading_time_left=loading.time_left, live=live)

        stored = self._stored_books
        if stored is not None:
            try:
                return stored, self._breaker.call(POSTGRES, lambda: extend(stored))
            except ConfigurationError:
                pass  # no database is configured
            except SourceError as error:
                if error.source != POSTGRES:
                    raise
                logger().warning("the stored books do not answer, so this process keeps its own", problem=str(error))
        with self._own_books_lock:
            return self._own_books, extend(self._own_books)


def load_of(snapshot: BooksSnapshot, unexplained: Mapping[str, str] | None = None) -> BooksLoad:
    """How far the books are. `unexplained` are settled markets whose fills are not known, with the reason."""
    progress = snapshot.progress
    doubts = (*progress.doubts, *(unexplained or {}).values())
    problem = None
    loading = not progress.complete or progress.walk is not None
    if loading:
        problem = f"the books are loading: {snapshot.fills} fills are known so far"
        if snapshot.oldest is not None:
            problem += f", back to {utc_from(snapshot.oldest):%Y-%m-%dT%H:%M:%SZ}"
    elif doubts:
        problem = "; ".join(doubts)
    return BooksLoad(
        status="loading" if loading else "complete",
        fills=snapshot.fills,
        oldest=snapshot.oldest,
        newest=snapshot.newest,
        problem=problem,
        doubts=doubts,
    )


def _ledger_summary(
    storage: BooksStorage,
    snapshot: BooksSnapshot,
    rows: Collection[ExchangePosition],
    wrong: Collection[KeptSettlement],
) -> LedgerSummary:
    holdings = {holding.ticker: holding for holding in snapshot.open}
    closed = {row.ticker for row in rows} - holdings.keys()
    holdings |= {holding.ticker: holding for holding in (storage.holdings(closed) if closed else ())}
    return LedgerSummary(
        holdings=tuple(holdings[ticker] for ticker in sorted(holdings)),
        totals=None if snapshot.progress.doubts or unexplained_ends(wrong) else snapshot.totals,
        differences=find_discrepancies(
            holdings,
            rows,
            [kept.settlement for kept in wrong],
            {kept.settlement.ticker: kept.held for kept in wrong if kept.held is not None},
        ),
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
