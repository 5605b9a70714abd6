from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal as D

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.offers import NOW, book, market, offer

from coliseum.arena.forecasts import Track
from coliseum.arena.frozen_context import (
    CandidateMarket,
    Precedent,
    book_from,
    book_json,
    build_context,
    context_hash,
    quoted_probability,
    shown_hash,
    visible_context,
)
from coliseum.trading.markets import Candle, OrderBook


def candle(end: datetime, price: str) -> Candle:
    return Candle(
        end=end,
        yes_bid_close=D(price),
        yes_ask_close=D(price),
        price_open=None,
        price_high=None,
        price_low=None,
        price_close=None,
        price_previous=None,
        volume=D(0),
        open_interest=D(0),
    )


def test_a_quote_is_the_middle_of_a_book_no_wider_than_ten_cents() -> None:
    assert quoted_probability(book("0.40", "0.56")) == D("0.42")
    assert quoted_probability(book("0.40", "0.50")) == D("0.45")
    assert quoted_probability(book("0.40", "0.49")) is None
    assert quoted_probability(book("0.40", "0.60")) is None
    assert quoted_probability(book("0.40", "0.65")) is None
    assert quoted_probability(OrderBook((), book().no_bids)) is None


def test_a_book_comes_back_from_its_json() -> None:
    assert book_from(json.loads(json.dumps(book_json(book("0.401", "0.5"))))) == book("0.401", "0.5")


def test_nothing_in_a_context_is_later_than_its_time() -> None:
    hours = [NOW + timedelta(hours=delta) for delta in (-2, -1, 0, 1, 2)]
    sources = [
        {"title": f"{published} {fetched}", "published_at": published.isoformat(), "fetched_at": fetched.isoformat()}
        for published in hours
        for fetched in hours
    ]
    full = build_context(offer(), book(), as_of=NOW, history=[candle(at, "0.5") for at in hours], sources=sources)
    assert [end for end, _ in full["history"]] == [at.timestamp() for at in hours[:3]]
    assert [source["title"] for source in full["sources"]] == [f"{a} {b}" for a in hours[:3] for b in hours[:3]]


PRICES = {"0.3571", "0.3969", "0.6429", "0.3123", "0.3377", "0.7719", "0.6031", "0.377", "98765", "43210"}
"""No two alike, and unlike anything else in a context."""


def test_a_blind_contestant_is_shown_no_price_anywhere() -> None:
    priced = market(
        yes_bid=D("0.3571"),
        yes_ask=D("0.3969"),
        last_price=D("0.3123"),
        previous_price=D("0.3377"),
        no_bid=D("0.6031"),
        volume_24h=D(98765),
        open_interest=D(43210),
    )
    full = build_context(
        CandidateMarket(market=priced, series_ticker="KXRAIN", category="Weather"),
        book("0.3571", "0.6031"),
        as_of=NOW,
        history=[candle(NOW - timedelta(hours=1), "0.7719")],
        precedent=Precedent(3, 9),
        siblings=["Snow"],
        terms={"fee_type": "quadratic", "fee_multiplier": "1.00", "mutually_exclusive": True},
    )
    aware, blind = json.dumps(visible_context(full, Track.AWARE)), json.dumps(visible_context(full, Track.BLIND))
    assert {digits for digits in PRICES if digits in aware} >= {
        "0.3571",
        "0.3969",
        "0.3123",
        "0.7719",
        "0.377",
        "98765",
    }
    assert not [digits for digits in PRICES if digits in blind or digits.removeprefix("0.") in blind]
    assert "KXRAIN" in blind


def test_the_hash_tells_any_change_of_a_context() -> None:
    full = build_context(offer(), book(), as_of=NOW)
    again = build_context(offer(), book(), as_of=NOW)
    assert context_hash(full) == context_hash(again)
    assert context_hash(full) != context_hash(build_context(offer(), book("0.41"), as_of=NOW))
    assert context_hash(full) != context_hash({**full, "terms": {"fee_type": "flat"}})


@given(st.text(max_size=200))
def test_texts_of_the_exchange_are_frozen_without_what_nobody_sees(text: str) -> None:
    hostile = f"a\u202e\u2028{text}"
    asked = CandidateMarket(
        market=market(title=hostile, subtitle=hostile, rules_primary=hostile, rules_secondary=hostile),
        series_ticker="KXRAIN",
        category=hostile,
    )
    question = build_context(asked, book(), as_of=NOW, siblings=[hostile])["question"]
    lines = [question["title"], question["subtitle"], question["category"], *question["other_outcomes"]]
    lines += [line for name in ("rules", "rules_secondary") for line in question[name].split("\n")]
    assert all(line.isprintable() for line in lines)
    assert question["title"] == question["other_outcomes"][0]


def test_rules_keep_their_lines() -> None:
    asked = CandidateMarket(market=market(rules_primary="One.\r\n\r\nTwo."), series_ticker="KXRAIN", category="Weather")
    assert build_context(asked, book(), as_of=NOW)["question"]["rules"] == "One.\nTwo."


def test_the_hash_of_what_a_track_shows_tells_a_change_of_that_and_of_nothing_else() -> None:
    first, other = build_context(offer(), book(), as_of=NOW), build_context(offer(), book("0.41"), as_of=NOW)
    news = {**first, "sources": [{"title": "It rains"}]}
    assert {track.value for track in Track if shown_hash(first, track) != shown_hash(other, track)} == {"aware", "open"}
    assert {track.value for track in Track if shown_hash(first, track) != shown_hash(news, track)} == {
        "informed",
        "open",
    }
    assert shown_hash(first, Track.OPEN) == context_hash(first)
