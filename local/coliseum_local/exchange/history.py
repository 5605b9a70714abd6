"""A market's past before the exchange was started: its truth walked forward from the opening, and candles around it.

The seed decides the walk, so the past is drawn again after a restart instead of being stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random

from coliseum.trading.money import ZERO
from coliseum_local.exchange.candles import HOUR, MINUTE, SandboxCandle, OhlcPrices
from coliseum_local.exchange.outcome_process import OutcomeProcess
from coliseum_local.exchange.listing import SandboxMarket
from coliseum_local.exchange.ticks import nearest

Path = Sequence[tuple[int, Mapping[str, float]]]
"""(unix second, probability per ticker), oldest first."""
RECENT = 26 * HOUR
"""The part of the past that is drawn in steps of ten minutes; what is older goes by the hour."""


def walk(latent: OutcomeProcess, tickers: Sequence[str], *, until: float, rng: Random) -> Path:
    """Move the truth from its opening to `until` and note the odds on the way."""
    path: list[tuple[int, Mapping[str, float]]] = []
    step = MINUTE if until - latent.now <= 2 * HOUR else 10 * MINUTE
    time = (int(latent.now) // step) * step
    while True:
        time += HOUR if until - time > RECENT + HOUR and time % HOUR == 0 else step
        if time > until:
            break
        latent.advance(time, rng)
        path.append((time, {ticker: latent.probability(ticker) for ticker in tickers}))
    latent.advance(until, rng)
    return path


def candles(market: SandboxMarket, path: Path, rng: Random, *, bustle: float) -> list[SandboxCandle]:
    """Candles along the walk, with volume that grows where the odds move."""
    result: list[SandboxCandle] = []
    last: Decimal | None = None
    interest = ZERO
    before = path[0][1][market.ticker] if path else 0.0
    for end, odds in path:
        now = odds[market.ticker]
        bid, ask = _spans(market, before, now, rng)
        trades = rng.random() < 0.85
        volume = Decimal(round(bustle * (rng.expovariate(1 / 40) + 600 * abs(now - before)), 2)) if trades else ZERO
        volume = volume.quantize(Decimal("0.01"))
        interest += (volume / 3).quantize(Decimal("0.01"))
        low, high = sorted((nearest(market.structure, before), nearest(market.structure, now)))
        price = OhlcPrices(nearest(market.structure, before), high, low, nearest(market.structure, now)) if volume else None
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
