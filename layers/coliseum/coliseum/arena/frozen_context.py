"""What every contestant is shown of one market, frozen when the round opens. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from coliseum.arena.calendar import time_text
from coliseum.arena.clean_text import clean_line, clean_lines
from coliseum.arena.forecasts import Track
from coliseum.trading.markets import Candle, Level, Market, OrderBook
from coliseum.trading.money import ONE, ZERO, decimal_text, optional_text

QUOTED_SPREAD = Decimal("0.10")
"""Dollars. A wider book says nothing about the probability: the market is scored for accuracy, not for skill."""
PRICED_KEYS = ("quote", "history", "activity")
"""The parts of a context that show the price. Blind contestants do not get them."""
SOURCED_KEYS = frozenset(("sources", "sourcing"))
"""The parts with news, for informed contestants only, and with what could not be read."""


MOST_FIELD, MOST_RULES = 1_000, 10_000
"""Characters of a field, and of a market's rules, that a context keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateMarket:
    """An open market with the series and category that the choice of markets depends on."""

    market: Market
    series_ticker: str
    category: str


def quoted_probability(book: OrderBook) -> Decimal | None:
    """The market's probability: the middle of the book where its spread is above 0 and at most 10 cents, else None."""
    if not book.yes_bids or not book.no_bids:
        return None
    bid, ask = book.yes_bids[0].price, ONE - book.no_bids[0].price
    return (bid + ask) / 2 if ZERO < ask - bid <= QUOTED_SPREAD else None


@dataclass(frozen=True, slots=True)
class Precedent:
    """How many earlier markets of a series resolved, and how many of them YES."""

    yes: int
    resolved: int


def build_context(
    offer: CandidateMarket,
    book: OrderBook,
    *,
    as_of: datetime,
    history: Sequence[Candle] = (),
    precedent: Precedent = Precedent(0, 0),
    siblings: Sequence[str] = (),
    sources: Sequence[Mapping[str, str]] = (),
    sourcing: Mapping[str, Any] | None = None,
    terms: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The frozen context of one market, the same for all contestants. Prices are in parts of their own (PRICED_KEYS).

    `siblings` are the other outcomes of the event, `sources` dated sources (`DatedSource.shown`), `sourcing` what was
    tried to find some, and `terms` the costs of trading. Candles later than `as_of` are left out, and so are sources
    that were published, or read by Coliseum, later. Texts of the exchange have no invisible characters, and none but
    the rules has more than one line.
    """
    market, probability = offer.market, quoted_probability(book)
    return {
        "as_of": time_text(as_of),
        "question": {
            "ticker": market.ticker,
            "event_ticker": market.event_ticker,
            "series_ticker": offer.series_ticker,
            "category": _line(offer.category),
            "title": _line(market.title),
            "subtitle": _line(market.subtitle),
            "rules": _rules(market.rules_primary),
            "rules_secondary": _rules(market.rules_secondary),
            "open_time": time_text(market.open_time),
            "close_time": time_text(market.close_time),
            "can_close_early": market.can_close_early,
            "other_outcomes": [_line(sibling) for sibling in siblings],
        },
        "precedent": {"yes": precedent.yes, "resolved": precedent.resolved},
        "sources": [dict(source) for source in sources if _known_by(source, as_of)],
        "sourcing": dict(sourcing or {}),
        "terms": dict(terms or {}),
        "quote": {
            "yes_bid": optional_text(book.yes_bids[0].price if book.yes_bids else None, places=4),
            "yes_ask": optional_text(book.yes_asks[0].price if book.no_bids else None, places=4),
            "probability": optional_text(probability, places=4),
            "last_price": optional_text(market.last_price, places=4),
        },
        "history": [
            [int(candle.end.timestamp()), decimal_text((candle.yes_bid_close + candle.yes_ask_close) / 2, places=4)]
            for candle in history
            if candle.end <= as_of
            and candle.yes_bid_close is not None
            and candle.yes_ask_close is not None
            and candle.yes_bid_close <= candle.yes_ask_close
        ],
        "activity": {
            "volume_24h": decimal_text(market.volume_24h),
            "open_interest": decimal_text(market.open_interest),
        },
    }


def visible_context(full: Mapping[str, Any], track: Track) -> dict[str, Any]:
    """The parts of a context that a track shows."""
    hidden = set() if track.shows_prices else set(PRICED_KEYS)
    if not track.shows_sources:
        hidden |= SOURCED_KEYS
    return {key: value for key, value in full.items() if key not in hidden}


def context_hash(full: Mapping[str, Any]) -> str:
    """sha256 of the context's canonical JSON."""
    text = json.dumps(full, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def shown_hash(full: Mapping[str, Any], track: Track) -> str:
    """sha256 of the part of a context that a track shows: what a contestant on it answered to.

    Forecasts and attempts carry it. Those made before it existed carry the hash of the whole context.
    """
    return context_hash(visible_context(full, track))


def book_json(book: OrderBook) -> dict[str, list[list[str]]]:
    """An order book as JSON: the bids of both sides, best first, as [price, contracts] strings."""
    return {
        "yes": [[decimal_text(level.price, places=4), decimal_text(level.count)] for level in book.yes_bids],
        "no": [[decimal_text(level.price, places=4), decimal_text(level.count)] for level in book.no_bids],
    }


def book_from(value: Mapping[str, Any]) -> OrderBook:
    """The order book from what `book_json` wrote."""

    def levels(side: str) -> tuple[Level, ...]:
        return tuple(Level(Decimal(price), Decimal(count)) for price, count in value[side])

    return OrderBook(yes_bids=levels("yes"), no_bids=levels("no"))


def _line(text: str) -> str:
    return clean_line(text, most=MOST_FIELD)


def _rules(text: str) -> str:
    return "\n".join(clean_lines(text, most=MOST_RULES))


def _known_by(source: Mapping[str, str], as_of: datetime) -> bool:
    """Whether a source was published and read not later than `as_of`. Both times need a zone."""
    times = (datetime.fromisoformat(source[name].replace("Z", "+00:00")) for name in ("published_at", "fetched_at"))
    return all(moment <= as_of for moment in times)
