"""Fills through the portfolio's ledger: `python -m bench.ledger`. The time per fill must not grow with their number.

Random buys of both outcomes, with fractions and flips, in a hundred markets which then settle. Each run's profit is
checked to the last digit against a reckoning without books.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

from bench import machine
from coliseum.portfolio.ledger import Ledger
from coliseum.trading.markets import Settlement
from coliseum.trading.money import CENT, ONE, ZERO
from coliseum.trading.trades import BookSide, Fill, Outcome

SIZES = (10_000, 100_000, 1_000_000)
MARKETS = 100
PAGE = 1000
"""Fills come from the exchange in pages of this many."""


def pages(rng: Random, count: int) -> Iterator[list[Fill]]:
    for start in range(0, count, PAGE):
        yield [_fill(rng, number) for number in range(start, min(start + PAGE, count))]


def _fill(rng: Random, number: int) -> Fill:
    bid = rng.random() < 0.5
    price = rng.randrange(1, 100) * CENT
    return Fill(
        fill_id=f"fill-{number}",
        order_id=f"order-{number}",
        ticker=f"KX-{rng.randrange(MARKETS)}",
        book_side=BookSide.BID if bid else BookSide.ASK,
        outcome=Outcome.YES if bid else Outcome.NO,
        sold=False,
        count=rng.randrange(1, 10_000) * CENT,
        yes_price=price,
        no_price=ONE - price,
        fee=rng.randrange(0, 20_000) * Decimal("0.0001"),
        is_taker=True,
        timestamp=1_700_000_000.0 + number,
    )


def settlement(ticker: str, contracts: Decimal) -> Settlement:
    """Every market ends with YES."""
    yes = max(contracts, ZERO)
    return Settlement(
        ticker=ticker,
        event_ticker="KX",
        result="yes",
        yes_count=yes,
        yes_cost=ZERO,
        no_count=max(-contracts, ZERO),
        no_cost=ZERO,
        revenue=yes,
        value=ONE,
        fee=ZERO,
        settled_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


class Collector:
    """CPU seconds that Python's garbage collector takes: it visits every living object."""

    def __init__(self) -> None:
        self.spent = 0.0
        self._started = 0.0
        gc.callbacks.append(self._tell)

    def close(self) -> None:
        gc.callbacks.remove(self._tell)

    def _tell(self, phase: str, info: object) -> None:
        if phase == "start":
            self._started = time.process_time()
        else:
            self.spent += time.process_time() - self._started


def run(count: int) -> tuple[float, float]:
    """CPU seconds of booking, and of collecting garbage meanwhile; making the fills is not measured."""
    ledger, spent, collected, profit = Ledger(), 0.0, 0.0, ZERO
    collector = Collector()
    for page in pages(Random(count), count):
        # Who sells YES short instead of buying NO ends with the same money, and needs no books.
        profit -= sum((fill.yes_delta * fill.yes_price + fill.fee for fill in page), ZERO)
        before, start = collector.spent, time.process_time()
        ledger.book_fills(page)
        spent += time.process_time() - start
        collected += collector.spent - before
    collector.close()
    held = {ticker: holding.contracts for ticker, holding in ledger.holdings.items()}
    settlements = [settlement(ticker, contracts) for ticker, contracts in held.items()]
    start = time.process_time()
    ledger.book_settlements(settlements)
    totals = ledger.totals()
    spent += time.process_time() - start
    profit += sum(held.values(), ZERO)
    if (totals.cash, totals.basis) != (profit, ZERO):
        raise AssertionError(f"the books say {totals}, the fills {profit}")
    return spent - collected, collected


def main() -> None:
    """Print the table."""
    rows = []
    for count in SIZES[:1] if machine.parser(__doc__).parse_args().quick else SIZES:
        booking, collecting = run(count)
        each = [f"{seconds / count * 1e6:.1f}" for seconds in (booking, collecting)]
        rows.append([f"{count:,}", f"{booking:.2f}", *each, f"{count / (booking + collecting):,.0f}"])
    print(machine.description())
    machine.show(
        "Fills through the ledger, CPU time",
        ["fills", "seconds", "microseconds each", "and for the garbage collector", "fills a second, all in all"],
        rows,
    )


if __name__ == "__main__":
    main()
