from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.offers import NOW, book, market, offer

from coliseum.arena.agents.contestants import RULES
from coliseum.arena.forecasts import Track
from coliseum.arena.records.records import book_from
from coliseum.arena.rounds.selection import (
    Offer,
    Precedent,
    book_json,
    choose,
    context,
    context_hash,
    horizon_label,
    quoted_probability,
    season_of,
    season_span,
    shown,
    slot_at,
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


def tickers(chosen: tuple[Offer, ...]) -> list[str]:
    return [one.market.ticker for one in chosen]


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)), st.integers(60, 90_000))  # noqa: DTZ001 - made aware below
def test_a_moment_belongs_to_one_slot_and_its_seed_follows_from_it(moment: datetime, seconds: int) -> None:
    every, now = timedelta(seconds=seconds), moment.replace(tzinfo=UTC)
    slot = slot_at(now, every=every)
    assert slot.starts_at <= now < slot.starts_at + every
    assert slot_at(slot.starts_at, every=every) == slot
    assert slot_at(slot.starts_at + every, every=every).round_id != slot.round_id
    assert 0 <= slot.seed < 2**48  # a bigint, and exact in JSON


@pytest.mark.parametrize(
    ("moment", "season"),
    [("2026-01-01T00:00:00", "2026Q1"), ("2026-09-30T23:59:59", "2026Q3"), ("2026-12-31T23:59:59", "2026Q4")],
)
def test_a_season_is_a_quarter_and_follows_on_the_one_before(moment: str, season: str) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert season_of(now) == season
    start, end = season_span(season)
    assert start <= now < end
    assert season_of(end) != season
    assert season_span(season_of(end))[0] == end


@pytest.mark.parametrize(("hours", "label"), [(0, "0-3h"), (2.99, "0-3h"), (3, "3-12h"), (95.9, "2-4d"), (1e6, ">4d")])
def test_the_horizon_is_the_time_that_is_left(hours: float, label: str) -> None:
    assert horizon_label(hours) == label


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "inactive"},
        {"status": "closed"},
        {"yes_bid": None},
        {"yes_ask": None},
        {"yes_ask": D("0.51")},
        {"hours": 0.9},
    ],
)
def test_what_cannot_be_traded_for_the_whole_round_is_passed_over(changes: dict[str, object]) -> None:
    good = offer("GOOD", hours=1)
    assert tickers(choose([good, offer("BAD", **changes)], now=NOW, seed=1, wanted=5, least_seconds=3600)) == ["GOOD"]  # type: ignore[arg-type]  # tests' own table


OFFERS = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from(["Sports", "Politics", "Crypto", "Weather"]),
        st.sampled_from([1.0, 5.0, 20.0, 40.0, 80.0, 500.0]),
        st.integers(0, 9),
        st.integers(0, 1000),
    ),
    max_size=60,
    unique_by=lambda row: row[0],
).map(
    lambda rows: [
        offer(f"T{number}", category=category, hours=hours, event_ticker=f"E{event}", volume_24h=D(volume))
        for number, category, hours, event, volume in rows
    ]
)


@given(OFFERS, st.integers(0, 2**48), st.integers(0, 20), st.integers(1, 3), st.integers(0, 9))
def test_a_choice_is_no_larger_than_wanted_keeps_the_cap_and_is_as_large_as_can_be(
    offers: list[Offer], seed: int, wanted: int, per_event: int, soonest: int
) -> None:
    chosen = choose(offers, now=NOW, seed=seed, wanted=wanted, per_event=per_event, soonest=soonest)
    events = Counter(one.market.event_ticker for one in chosen)
    assert len(set(tickers(chosen))) == len(chosen)
    assert all(count <= per_event for count in events.values())
    possible = sum(min(per_event, n) for n in Counter(one.market.event_ticker for one in offers).values())
    assert len(chosen) == min(wanted, possible)


@given(OFFERS, st.integers(0, 2**48), st.randoms())
def test_a_choice_follows_from_its_seed_not_from_the_exchanges_order(
    offers: list[Offer], seed: int, random: object
) -> None:
    shuffled = list(offers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' Random
    assert choose(shuffled, now=NOW, seed=seed, wanted=8) == choose(offers, now=NOW, seed=seed, wanted=8)


def test_other_seeds_choose_otherwise() -> None:
    offers = [offer(f"T{i}") for i in range(40)]
    assert len({tuple(tickers(choose(offers, now=NOW, seed=seed, wanted=5))) for seed in range(20)}) > 10


def test_a_flood_of_one_category_does_not_crowd_out_the_others() -> None:
    flood = [offer(f"S{i}", category="Sports") for i in range(200)]
    rare = [offer("P1", category="Politics"), offer("C1", category="Crypto"), offer("W1", category="Weather")]
    chosen = choose([*flood, *rare], now=NOW, seed=7, wanted=8)
    assert {"P1", "C1", "W1"} < set(tickers(chosen))


def test_horizons_and_liquidity_are_strata_too() -> None:
    many = [offer(f"L{i}", hours=100, volume_24h=D(5)) for i in range(50)]
    few = [offer("SOON", hours=1, volume_24h=D(5)), offer("DEEP", hours=100, volume_24h=D(90_000))]
    assert {"SOON", "DEEP"} < set(tickers(choose([*many, *few], now=NOW, seed=3, wanted=6)))


def test_places_may_be_kept_for_what_closes_first() -> None:
    late = [offer(f"LATE{i}", category=f"C{i}", hours=500) for i in range(9)]
    soon = [offer(f"SOON{i}", hours=1 + i / 10, event_ticker="ONE" if i < 3 else f"E{i}") for i in range(6)]
    chosen = tickers(choose([*late, *soon], now=NOW, seed=1, wanted=6, per_event=2, soonest=3))
    assert chosen[:3] == ["SOON0", "SOON3", "SOON4"], "one market of each event"
    assert sum(name.startswith("LATE") for name in chosen) >= 2


def test_a_quote_is_the_middle_of_a_book_no_wider_than_ten_cents() -> None:
    assert quoted_probability(book("0.40", "0.56")) == D("0.42")
    assert quoted_probability(book("0.40", "0.50")) == D("0.45")
    assert quoted_probability(book("0.40", "0.49")) is None
    assert quoted_probability(OrderBook((), book().no_bids)) is None


def test_a_book_comes_back_from_its_json() -> None:
    assert book_from(json.loads(json.dumps(book_json(book("0.401", "0.5"))))) == book("0.401", "0.5")


def test_nothing_in_a_context_is_later_than_its_time() -> None:
    hours = [NOW + timedelta(hours=delta) for delta in (-2, -1, 0, 1, 2)]
    sources = [{"title": str(at), "date": at.isoformat(), "text": ""} for at in hours]
    sources += [{"title": "day", "date": "2026-11-22", "text": ""}, {"title": "old", "date": "2026-11-21", "text": ""}]
    full = context(offer(), book(), as_of=NOW, history=[candle(at, "0.5") for at in hours], sources=sources)
    assert [end for end, _ in full["history"]] == [at.timestamp() for at in hours[:3]]
    assert [source["title"] for source in full["sources"]] == [*map(str, hours[:3]), "old"]


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
    full = context(
        Offer(market=priced, series_ticker="KXRAIN", category="Weather"),
        book("0.3571", "0.6031"),
        as_of=NOW,
        history=[candle(NOW - timedelta(hours=1), "0.7719")],
        precedent=Precedent(3, 9),
        siblings=["Snow"],
        terms={"fee_type": "quadratic", "fee_multiplier": "1.00", "mutually_exclusive": True},
    )
    aware, blind = json.dumps(shown(full, Track.AWARE)), json.dumps(shown(full, Track.BLIND))
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


def test_blind_rules_answer_the_same_whatever_the_price() -> None:
    contexts = [
        shown(context(offer(), book(yes, no), as_of=NOW), Track.BLIND) for yes, no in (("0.1", "0.88"), ("0.8", "0.18"))
    ]
    for rule in ("base_rate", "uniform", "noise"):
        assert len({RULES[rule](one, {}, 5)[0] for one in contexts}) == 1
    for rule in ("market", "momentum"):
        assert RULES[rule](contexts[0], {}, 5)[0] is None


def test_the_hash_tells_any_change_of_a_context() -> None:
    full = context(offer(), book(), as_of=NOW)
    again = context(offer(), book(), as_of=NOW)
    assert context_hash(full) == context_hash(again)
    assert context_hash(full) != context_hash(context(offer(), book("0.41"), as_of=NOW))
    assert context_hash(full) != context_hash({**full, "terms": {"fee_type": "flat"}})
