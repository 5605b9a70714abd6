"""The generated past of a market, from its opening to the moment the exchange was started.

The event's outcome process is moved forward from the opening, and candles are drawn around its odds. The seed decides
both, so the past is drawn again after a restart instead of being stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random

from coliseum.trading.money import ZERO
from coliseum_local.exchange.candles import HOUR, MINUTE, OhlcPrices, SandboxCandle
from coliseum_local.exchange.listing import SandboxMarket
from coliseum_local.exchange.outcome_process import OutcomeProcess
from coliseum_local.exchange.ticks import nearest

Path = Sequence[tuple[int, Mapping[str, float]]]
"""(unix second, probability per ticker), oldest first."""
RECENT = 26 * HOUR
"""The part of the past that is drawn in steps of ten minutes; what is older goes by the hour."""


def walk(process: OutcomeProcess, tickers: Sequence[str], *, until: float, rng: Random) -> Path:
    """Move the process from its opening to `until` (unix seconds); returns the odds on the way."""
    path: list[tuple[int, Mapping[str, float]]] = []
    step = MINUTE if until - process.now <= 2 * HOUR else 10 * MINUTE
    time = (int(process.now) // step) * step
    while True:
        time += HOUR if until - time > RECENT + HOUR and time % HOUR == 0 else step
        if time > until:
            break
        process.advance(time, rng)
        path.append((time, {ticker: process.probability(ticker) for ticker in tickers}))
    process.advance(until, rng)
    return path


def candles(market: SandboxMarket, path: Path, rng: Random, *, activity: float) -> list[SandboxCandle]:
    """Candles along the path, with more volume where the odds move. `activity` scales the volume."""
    result: list[SandboxCandle] = []
    last: Decimal | None = None
    interest = ZERO
    before = path[0][1][market.ticker] if path else 0.0
    for end, odds in path:
        now = odds[market.ticker]
        bid, ask = _spans(market, before, now, rng)
        trades = rng.random() < 0.85
        volume = Decimal(round(activity * (rng.expovariate(1 / 40) + 600 * abs(now - before)), 2)) if trades else ZERO
        volume = volume.quantize(Decimal("0.01"))
        interest += (volume / 3).quantize(Decimal("0.01"))
        first, final = nearest(market.structure, before), nearest(market.structure, now)
        price = OhlcPrices(first, max(first, final), min(first, final), final) if volume else None
        result.append(
            SandboxCandle(
                end=end,
                bid=bid,
                ask=ask,
                price=price,
                turnover=volume * (price.open + price.close) / 2 if price else ZERO,
                previous=last,
                volume=volume,
                interest=interest,
            )
        )
        last = price.close if price else last
        before = now
    return result


def _spans(market: SandboxMarket, before: float, now: float, rng: Random) -> tuple[OhlcPrices, OhlcPrices]:
    half = rng.uniform(0.005, 0.02)
    bids = [nearest(market.structure, odds - half) for odds in (before, now)]
    asks = [nearest(market.structure, odds + half) for odds in (before, now)]
    return OhlcPrices(bids[0], max(bids), min(bids), bids[1]), OhlcPrices(asks[0], max(asks), min(asks), asks[1])
