"""Which markets a round asks about, and what every contestant is shown. Pure.

A round is a slot of the clock: its id follows from the slot, its choice from the slot's seed and what is open, so a
repeated opening asks the same questions.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from coliseum.arena.forecasts import Track
from coliseum.trading.markets import Candle, Market, OrderBook
from coliseum.trading.money import ONE, decimal_text

HORIZONS: tuple[tuple[str, float], ...] = (
    ("0-3h", 3),
    ("3-12h", 12),
    ("12-24h", 24),
    ("1-2d", 48),
    ("2-4d", 96),
    (">4d", float("inf")),
)
QUOTED_SPREAD = Decimal("0.10")
"""A wider book is no statement about the probability: the cell is scored for accuracy, not for skill."""
PRICED_KEYS = ("quote", "history", "activity")
"""The parts of a context that tell the price: hidden from blind contestants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A round's place on the clock. It may be opened late in it, and is open for its full time then."""

    starts_at: datetime
    season: str
    seed: int

    @property
    def round_id(self) -> str:
        return self.starts_at.strftime("r-%Y%m%dT%H%M%SZ")


def slot_at(now: datetime, *, every: timedelta) -> Slot:
    """The slot that `now` (aware) falls into; slots start at multiples of `every` since the epoch."""
    seconds = int(every.total_seconds())
    start = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC)
    return Slot(
        starts_at=start,
        season=season_of(start),
        seed=int.from_bytes(hashlib.sha256(start.isoformat().encode()).digest()[:6], "big"),
    )


def season_of(moment: datetime) -> str:
    """The quarter, as 2026Q4."""
    return f"{moment.year}Q{(moment.month - 1) // 3 + 1}"


def season_span(season: str) -> tuple[datetime, datetime]:
    """The quarter's first instant and the next one's."""
    year, quarter = int(season[:4]), int(season[5])
    start = datetime(year, quarter * 3 - 2, 1, tzinfo=UTC)
    end = datetime(year + quarter // 4, quarter % 4 * 3 + 1, 1, tzinfo=UTC)
    return start, end


def horizon_label(hours: float) -> str:
    """The bucket of the time that is left until a market closes."""
    return next(label for label, limit in HORIZONS if hours < limit or limit == float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An open market with what the choice goes by."""

    market: Market
    series_ticker: str
    category: str


def choose(
    offers: Sequence[Offer],
    *,
    now: datetime,
    seed: int,
    wanted: int,
    per_event: int = 2,
    least_seconds: float = 0.0,
    soonest: int = 0,
) -> tuple[Offer, ...]:
    """At most `wanted` markets, spread over category, horizon and liquidity; at most `per_event` of one event.

    Each stratum is shuffled by the seed; the strata take turns in an order of the seed. `soonest` places go to the
    events that close first, one market each, before all turns. Markets without an active status, a quote at most 10
    cents wide or `least_seconds` left are passed over.
    """
    usable = [
        offer
        for offer in offers
        if offer.market.status == "active"
        and offer.market.spread is not None
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


def _one_of_each_event(offers: Sequence[Offer]) -> list[Offer]:
    kept: dict[str, Offer] = {}
    for offer in offers:
        kept.setdefault(offer.market.event_ticker, offer)
    return list(kept.values())


def _in_turns(offers: Sequence[Offer], *, now: datetime, seed: int) -> list[Offer]:
    """The offers, one of each stratum after the other."""
    strata: defaultdict[tuple[str, str, int], list[Offer]] = defaultdict(list)
    terciles = _terciles([offer.market.volume_24h for offer in offers])
    for offer in offers:
        hours = (offer.market.close_time - now).total_seconds() / 3600
        liquidity = sum(offer.market.volume_24h > limit for limit in terciles)
        strata[offer.category, horizon_label(hours), liquidity].append(offer)
    turns = sorted(strata, key=lambda stratum: _shuffle_key(seed, repr(stratum)))
    rows = zip_longest(*(strata[stratum] for stratum in turns))
    return [offer for row in rows for offer in row if offer is not None]


def quoted_probability(book: OrderBook) -> Decimal | None:
    """The market's probability: mid of the best bids of both sides where the spread is at most 10 cents."""
    if not book.yes_bids or not book.no_bids:
        return None
    bid, ask = book.yes_bids[0].price, ONE - book.no_bids[0].price
    return (bid + ask) / 2 if ask - bid <= QUOTED_SPREAD else None


@dataclass(frozen=True, slots=True)
class Precedent:
    """How earlier markets of a series were resolved."""

    yes: int
    resolved: int


def context(
    offer: Offer,
    book: OrderBook,
    *,
    as_of: datetime,
    history: Sequence[Candle] = (),
    precedent: Precedent = Precedent(0, 0),
    siblings: Sequence[str] = (),
    sources: Sequence[Mapping[str, str]] = (),
    terms: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What contestants are shown of one market, frozen: the same for everyone, prices apart from the rest.

    `siblings` are the other outcomes of the event, `sources` dated texts {title, date, text} with RFC 3339 dates,
    `terms` what trading costs. Nothing in it is later than `as_of`: candles that end after it, and sources of
    later dates, are left out.
    """
    market, probability = offer.market, quoted_probability(book)
    return {
        "as_of": time_text(as_of),
        "question": {
            "ticker": market.ticker,
            "event_ticker": market.event_ticker,
            "series_ticker": offer.series_ticker,
            "category": offer.category,
            "title": market.title,
            "subtitle": market.subtitle,
            "rules": market.rules_primary,
            "rules_secondary": market.rules_secondary,
            "open_time": time_text(market.open_time),
            "close_time": time_text(market.close_time),
            "can_close_early": market.can_close_early,
            "other_outcomes": list(siblings),
        },
        "precedent": {"yes": precedent.yes, "resolved": precedent.resolved},
        "sources": [dict(source) for source in sources if _known_by(source["date"], as_of)],
        "terms": dict(terms or {}),
        "quote": {
            "yes_bid": _text(book.yes_bids[0].price if book.yes_bids else None),
            "yes_ask": _text(book.yes_asks[0].price if book.no_bids else None),
            "probability": _text(probability),
            "last_price": _text(market.last_price),
        },
        "history": [
            [int(candle.end.timestamp()), decimal_text((candle.yes_bid_close + candle.yes_ask_close) / 2, places=4)]
            for candle in history
            if candle.end <= as_of and candle.yes_bid_close is not None and candle.yes_ask_close is not None
        ],
        "activity": {
            "volume_24h": decimal_text(market.volume_24h),
            "open_interest": decimal_text(market.open_interest),
        },
    }


def shown(full: Mapping[str, Any], track: Track) -> dict[str, Any]:
    """The part of a context that a track sees."""
    if track is Track.AWARE:
        return dict(full)
    return {key: value for key, value in full.items() if key not in PRICED_KEYS}


def context_hash(full: Mapping[str, Any]) -> str:
    """sha256 of the context's canonical JSON."""
    text = json.dumps(full, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def book_json(book: OrderBook) -> dict[str, list[list[str]]]:
    """The frozen depth: bids of both sides, best first, as [price, contracts] strings."""
    return {
        "yes": [[decimal_text(level.price, places=4), decimal_text(level.count)] for level in book.yes_bids],
        "no": [[decimal_text(level.price, places=4), decimal_text(level.count)] for level in book.no_bids],
    }


def _terciles(volumes: Sequence[Decimal]) -> tuple[Decimal, ...]:
    ordered = sorted(volumes)
    return tuple(ordered[len(ordered) * part // 3] for part in (1, 2)) if ordered else ()


def _known_by(date: str, as_of: datetime) -> bool:
    """A date without a time means the beginning of its UTC day."""
    moment = datetime.fromisoformat(date.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) <= as_of


def _shuffle_key(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{name}".encode()).digest()


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, with Z."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value, places=4)
