"""What it costs to watch the exchange's interface: `python -m bench.sentinel`. CPU time, beside parsing the answer.

Each answer is parsed as the client parses it, many times, and looked at as often. Looking is sampled, so its time is
the mean over all calls, those that look at nothing included.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from random import Random

from tests.unit.kalshi import payloads

from bench import machine
from bench.kalshi_client import BASE, Job, bodies, read
from coliseum.kalshi.account import ExchangeCalls
from coliseum.kalshi.drift import Sentinel
from coliseum.kalshi.pacing import RateLimiter
from coliseum.kalshi.retry import CallConditions, Steps

ROUNDS = 9
Call = Callable[[ExchangeCalls], Steps[object]]
MARKETS_OF_EVENTS = 5


class _Blind(Sentinel):
    """Looks at nothing: what remains of a call is parsing."""

    def look(self, endpoint: str, body: bytes, *, everything: bool = False) -> None:
        pass


def _pages() -> dict[str, tuple[str, Call, bytes, int]]:
    """What is measured: endpoint, call, answer, and how many calls make one round."""
    pages = bodies()
    rng = Random(2)
    markets = json.loads(pages[f"{BASE}/markets"])["markets"]
    events = [
        payloads.event(event_ticker=f"KXRAIN-{number}", markets=rng.sample(markets, MARKETS_OF_EVENTS))
        for number in range(200)
    ]
    levels = [[f"{cents / 100:.4f}", f"{rng.uniform(1, 900):.2f}"] for cents in range(1, 50)]
    book = {"orderbook_fp": {"yes_dollars": levels, "no_dollars": levels}}
    ticker = payloads.market()["ticker"]
    return {
        "1000 markets": ("GET /markets", lambda calls: calls.markets(limit=1000), pages[f"{BASE}/markets"], 20),
        "1000 fills": (
            "GET /portfolio/fills",
            lambda calls: calls.fills(limit=1000),
            pages[f"{BASE}/portfolio/fills"],
            20,
        ),
        "200 events with 1000 markets": (
            "GET /events",
            lambda calls: calls.events(with_markets=True, limit=200),
            json.dumps({"events": events, "cursor": ""}).encode(),
            20,
        ),
        "20 fills": (
            "GET /portfolio/fills",
            lambda calls: calls.fills(limit=20),
            json.dumps(payloads.fills(*(payloads.fill_number(number) for number in range(20)))).encode(),
            500,
        ),
        "1 market": (
            "GET /markets/{ticker}",
            lambda calls: calls.market(ticker),
            json.dumps({"market": payloads.market()}).encode(),
            2000,
        ),
        "1 order book, 98 levels": (
            "GET /markets/{ticker}/orderbook",
            lambda calls: calls.order_book(ticker),
            json.dumps(book).encode(),
            2000,
        ),
        "balance": (
            "GET /portfolio/balance",
            lambda calls: calls.balance(),
            json.dumps(payloads.BALANCE).encode(),
            2000,
        ),
    }


def _calls(sentinel: Sentinel) -> ExchangeCalls:
    limiter = RateLimiter(iter(range(10**9)).__next__)  # a second passes with each look at the clock
    return ExchangeCalls(CallConditions(limiter, lambda: 60.0, lambda: 0.0, sentinel=sentinel))


def _microseconds(job: Job, times: int, rounds: int) -> float:
    """Median CPU microseconds of one job."""
    spent: list[float] = []
    for _ in range(rounds):
        gc.collect()
        begin = time.process_time()
        for _ in range(times):
            job()
        spent.append((time.process_time() - begin) / times * 1e6)
    return statistics.median(spent)


def _parse(calls: ExchangeCalls, call: Call, body: bytes) -> object:
    return read(call(calls), body)


def main() -> None:
    """Print the table."""
    quick = machine.parser(__doc__).parse_args().quick
    rows: list[list[str]] = []
    for name, (endpoint, call, body, times) in _pages().items():
        count, rounds = (1, 1) if quick else (times, ROUNDS)
        calls, sentinel = _calls(_Blind()), Sentinel()
        parsing = _microseconds(partial(_parse, calls, call, body), count, rounds)
        sentinel.look(endpoint, body)
        looking = _microseconds(partial(sentinel.look, endpoint, body), 10 * count, rounds)
        if sentinel.take_new():
            raise AssertionError(f"{name}: an ordinary answer was called a change")
        share = f"{100 * looking / parsing:.1f} %"
        rows.append([name, f"{len(body) / 1000:.1f}", f"{parsing:.1f}", f"{looking:.2f}", share])
    print(machine.description())
    machine.show(
        "CPU microseconds of one call",
        ["answer", "kB", "parsing", "watching", "share"],
        rows,
    )


if __name__ == "__main__":
    main()
