"""The account's books, cold and warm, beside computing them from the whole history: `python -m bench.books`.

Recomputing is what every new process did before the books were kept: parse all pages of fills and book them. Cold is a
new process's first look at stored books, warm the next one; both read the newest page of fills and book what is new.
The books are in an embedded Postgres. The exchange's answers are JSON in memory, parsed as the client parses them. All
three must end with the same totals. CPU time of this process only.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Self, TypeVar, cast

from bench import machine
from coliseum.kalshi import parse, wire
from coliseum.kalshi.client import Kalshi
from coliseum.kalshi.request import page_of
from coliseum.portfolio.books import PAGE, AccountBooks
from coliseum.portfolio.books_records import BooksInPostgres
from coliseum.portfolio.books_storage import BooksSnapshot
from coliseum.portfolio.ledger import Ledger, LedgerTotals
from coliseum.store.client import Store
from coliseum.trading.exchange import HistoricalCutoff
from coliseum.trading.markets import ExchangePosition, Settlement
from coliseum.trading.pages import Page
from coliseum.trading.trades import Fill
from coliseum_local.processes import ServerProcess

SIZES = (1_000, 10_000, 100_000)
MARKETS = 100
EVERY_SECONDS = 20
"""Between two fills."""
NEW_FILLS = 10
REPEATS = 5
NOW = 1_796_000_000
Value = TypeVar("Value")


def row(rng: Random, number: int, at: int) -> dict[str, Any]:
    """One fill as the exchange sends it."""
    bid = rng.random() < 0.5
    price = rng.randrange(1, 100)
    return {
        "fill_id": f"{rng.getrandbits(64):016x}",
        "trade_id": f"{number}",
        "order_id": f"{rng.getrandbits(64):016x}",
        "ticker": f"KXBENCH-{rng.randrange(MARKETS)}",
        "exchange_index": 0,
        "book_side": "bid" if bid else "ask",
        "outcome_side": "yes" if bid else "no",
        "count_fp": f"{rng.randrange(1, 10_000) / 100:.2f}",
        "yes_price_dollars": f"{price / 100:.4f}",
        "no_price_dollars": f"{1 - price / 100:.4f}",
        "fee_cost": f"{rng.randrange(0, 20_000) / 10_000:.6f}",
        "is_taker": True,
        "action": "buy",
        "created_time": datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z"),
        "ts": at,
    }


@dataclass
class BenchExchange:
    """Answers the books' calls. Fills are kept as rows, newest first, and encoded before each page is timed."""

    rows: list[dict[str, Any]]
    encoded: dict[int, bytes] = field(default_factory=dict)

    def kalshi(self) -> Kalshi:
        return cast("Kalshi", self)

    def within(self, time_left: Callable[[], float]) -> Self:
        del time_left
        return self

    def prepare(self) -> None:
        """Encode the pages that a whole walk and the newest look will ask for."""
        self.encoded.clear()
        for start in range(0, len(self.rows), PAGE - 1):
            self.encoded[start] = self._body(start, PAGE)

    def fills(self, *, since: int | None, until: int | None, limit: int, cursor: str | None) -> Page[Fill]:
        """A page from the row that `until` names: one page's last row is the next one's first."""
        assert cursor is None
        start = 0 if until is None else next(index for index in self.encoded if self.rows[index]["ts"] <= until)
        body, more = self.encoded[start], start + limit < len(self.rows)
        if since is not None:
            wanted = sum(1 for each in self.rows[: 2 * NEW_FILLS + 10] if each["ts"] >= since)
            body, more = self._body(0, wanted), False
        document = parse.document(wire.FillsDocument, body, endpoint="GET /portfolio/fills")
        page = page_of(document.fills, lambda each: parse.fill_from(each, endpoint="bench"), None)
        return Page(page.items, "more" if more else None)

    def historical_fills(self, **filters: object) -> Page[Fill]:
        del filters
        return Page((), None)

    def historical_cutoff(self) -> HistoricalCutoff:
        moment = datetime.fromtimestamp(0, UTC)
        return HistoricalCutoff(markets_settled=moment, trades_created=moment, orders_updated=moment)

    def settlements(self, **filters: object) -> Page[Settlement]:
        del filters
        return Page((), None)

    def positions(self, *, settlement_status: str) -> tuple[ExchangePosition, ...]:
        del settlement_status
        return ()

    historical_positions = historical_markets = markets = lambda self: ()  # asked once, of no interest

    def _body(self, start: int, count: int) -> bytes:
        return json.dumps({"fills": self.rows[start : start + count], "cursor": ""}).encode()


def recompute(exchange: BenchExchange) -> LedgerTotals:
    """What a process without stored books does."""
    fills: dict[tuple[str, str], Fill] = {}
    until: int | None = None
    while True:
        page = exchange.fills(since=None, until=until, limit=PAGE, cursor=None)
        fills |= {fill.key: fill for fill in page.items}
        if page.cursor is None:
            break
        until = int(page.items[-1].timestamp)
    ledger = Ledger()
    ledger.book_fills(fills.values())
    return ledger.totals()


def timed(work: Callable[[], Value]) -> tuple[Value, float]:
    start = time.process_time()
    value = work()
    return value, time.process_time() - start


def run(store: Store, count: int) -> list[str]:
    """One row of the table. Raises AssertionError where the ways disagree."""
    rng = Random(count)
    first = NOW - (count + NEW_FILLS * REPEATS) * EVERY_SECONDS
    exchange = BenchExchange([row(rng, number, first + number * EVERY_SECONDS) for number in range(count)][::-1])
    exchange.prepare()
    live = [f"KXBENCH-{number}" for number in range(MARKETS)]
    account = f"bench/{count}"

    def books() -> AccountBooks:
        return AccountBooks(BooksInPostgres(lambda: store, account), clock=lambda: float(NOW))

    def extend(kept: AccountBooks) -> BooksSnapshot:
        return kept.extend(exchange.kalshi(), time_left=lambda: 1e9, live=live)

    totals, again = timed(lambda: recompute(exchange))
    loaded, loading = timed(lambda: extend(books()))
    cold, warm = [], []
    for _ in range(REPEATS):
        reached, spent = timed(lambda: extend(books()))
        check(reached, totals)
        cold.append(spent)
    kept = books()
    for number in range(REPEATS):
        newest = exchange.rows[0]["ts"]
        exchange.rows[:0] = [row(rng, number, newest + each * EVERY_SECONDS) for each in range(NEW_FILLS, 0, -1)]
        reached, spent = timed(lambda: extend(kept))
        warm.append(spent)
    exchange.prepare()
    check(reached, recompute(exchange))
    check(loaded, totals)
    figures = [again, loading, sorted(cold)[REPEATS // 2], sorted(warm)[REPEATS // 2]]
    ratios = [f"{again / figures[2]:,.1f} x", f"{again / figures[3]:,.1f} x"]
    return [f"{count:,}", *(f"{seconds * 1000:,.0f}" for seconds in figures), *ratios]


def check(reached: BooksSnapshot, totals: LedgerTotals) -> None:
    if reached.progress.walk is not None or reached.totals != totals:
        raise AssertionError(f"the books say {reached.totals}, the whole history {totals}")
    if reached.totals.fees <= Decimal(0):
        raise AssertionError("nothing was booked")


def main() -> None:
    """Print the table."""
    sizes = SIZES[:1] if machine.parser(__doc__).parse_args().quick else SIZES
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        process = ServerProcess(
            "coliseum_local.postgres", ["--port", "0", "--state", str(state / "pg")], log=state / "postgres.log"
        )
        store = Store(process.ready["url"], process.ready["secret_key"], timeout_seconds=60.0)
        try:
            rows = [run(store, count) for count in sizes]
        finally:
            store.close()
            process.stop()
    print(machine.description())
    machine.show(
        "The account's books, CPU milliseconds",
        ["fills", "recompute", "first load", "cold", f"warm, {NEW_FILLS} new", "recompute / cold", "recompute / warm"],
        rows,
    )


if __name__ == "__main__":
    main()
