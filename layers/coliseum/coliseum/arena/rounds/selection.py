"""Which markets a round asks about. Pure.

The choice follows from the slot's seed and the open markets, so a repeated opening asks the same questions.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest

from coliseum.arena.calendar import horizon_label
from coliseum.arena.frozen_context import QUOTED_SPREAD, CandidateMarket


def choose_markets(
    offers: Sequence[CandidateMarket],
    *,
    now: datetime,
    seed: int,
    wanted: int,
    per_event: int = 2,
    least_seconds: float = 0.0,
    soonest: int = 0,
) -> tuple[CandidateMarket, ...]:
    """Choose at most `wanted` markets, spread over category, horizon and liquidity, at most `per_event` of one event.

    Strata are combinations of category, horizon and liquidity. The seed shuffles each stratum and the order of the
    strata, which then take turns. The first `soonest` places go to the events that close first, one market each.
    Markets are left out without active status, with a crossed book or a spread above 10 cents, or with less than
    `least_seconds` left.
    """
    usable = [
        offer
        for offer in offers
        if offer.market.status == "active"
        and offer.market.spread is not None
        and not offer.market.crossed
        and offer.market.spread <= QUOTED_SPREAD
        and (offer.market.close_time - now).total_seconds() >= least_seconds
    ]
    usable.sort(key=lambda offer: _shuffle_key(seed, offer.market.ticker))
    first = sorted(usable, key=lambda offer: offer.market.close_time)
    chosen = _one_of_each_event(first)[: min(soonest, wanted)]
    taken = Counter(offer.market.event_ticker for offer in chosen)
    for offer in _in_turns([offer for offer in usable if offer not in chosen], now=now, seed=seed):
        if len(chosen) < wanted and taken[offer.market.event_ticker] < per_event:
            taken[offer.market.event_ticker] += 1
            chosen.append(offer)
    return tuple(chosen)


def _one_of_each_event(offers: Sequence[CandidateMarket]) -> list[CandidateMarket]:
    by_event: dict[str, CandidateMarket] = {}
    for offer in offers:
        by_event.setdefault(offer.market.event_ticker, offer)
    return list(by_event.values())


def _in_turns(offers: Sequence[CandidateMarket], *, now: datetime, seed: int) -> list[CandidateMarket]:
    """The offers in turns: one of each stratum, then the next one of each."""
    strata: defaultdict[tuple[str, str, int], list[CandidateMarket]] = defaultdict(list)
    terciles = _terciles([offer.market.volume_24h for offer in offers])
    for offer in offers:
        hours = (offer.market.close_time - now).total_seconds() / 3600
        liquidity = sum(offer.market.volume_24h > limit for limit in terciles)
        strata[offer.category, horizon_label(hours), liquidity].append(offer)
    turns = sorted(strata, key=lambda stratum: _shuffle_key(seed, repr(stratum)))
    rows = zip_longest(*(strata[stratum] for stratum in turns))
    return [offer for row in rows for offer in row if offer is not None]


def _terciles(volumes: Sequence[Decimal]) -> tuple[Decimal, ...]:
    ordered = sorted(volumes)
    return tuple(ordered[len(ordered) * part // 3] for part in (1, 2)) if ordered else ()


def _shuffle_key(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{name}".encode()).digest()
