from __future__ import annotations

from collections import Counter
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.offers import NOW, offer

from coliseum.arena.frozen_context import CandidateMarket
from coliseum.arena.rounds.selection import choose_markets


def tickers(chosen: tuple[CandidateMarket, ...]) -> list[str]:
    return [one.market.ticker for one in chosen]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "inactive"},
        {"status": "closed"},
        {"yes_bid": None},
        {"yes_ask": None},
        {"yes_ask": D("0.51")},
        {"yes_ask": D("0.30")},
        {"yes_ask": D("0.40")},
        {"hours": 0.9},
    ],
)
def test_a_market_that_cannot_be_traded_for_the_whole_round_is_left_out(changes: dict[str, object]) -> None:
    good = offer("GOOD", hours=1)
    bad = offer("BAD", **changes)  # type: ignore[arg-type]  # the table above
    chosen = choose_markets([good, bad], now=NOW, seed=1, wanted=5, least_seconds=3600)
    assert tickers(chosen) == ["GOOD"]


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
    offers: list[CandidateMarket], seed: int, wanted: int, per_event: int, soonest: int
) -> None:
    chosen = choose_markets(offers, now=NOW, seed=seed, wanted=wanted, per_event=per_event, soonest=soonest)
    events = Counter(one.market.event_ticker for one in chosen)
    assert len(set(tickers(chosen))) == len(chosen)
    assert all(count <= per_event for count in events.values())
    possible = sum(min(per_event, n) for n in Counter(one.market.event_ticker for one in offers).values())
    assert len(chosen) == min(wanted, possible)


@given(OFFERS, st.integers(0, 2**48), st.randoms())
def test_a_choice_follows_from_its_seed_not_from_the_exchanges_order(
    offers: list[CandidateMarket], seed: int, random: object
) -> None:
    shuffled = list(offers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' Random
    assert choose_markets(shuffled, now=NOW, seed=seed, wanted=8) == choose_markets(
        offers, now=NOW, seed=seed, wanted=8
    )


def test_different_seeds_choose_different_markets() -> None:
    offers = [offer(f"T{i}") for i in range(40)]
    assert len({tuple(tickers(choose_markets(offers, now=NOW, seed=seed, wanted=5))) for seed in range(20)}) > 10


def test_many_markets_of_one_category_do_not_crowd_out_the_others() -> None:
    flood = [offer(f"S{i}", category="Sports") for i in range(200)]
    rare = [offer("P1", category="Politics"), offer("C1", category="Crypto"), offer("W1", category="Weather")]
    chosen = choose_markets([*flood, *rare], now=NOW, seed=7, wanted=8)
    assert {"P1", "C1", "W1"} < set(tickers(chosen))


def test_horizons_and_liquidity_are_strata_too() -> None:
    many = [offer(f"L{i}", hours=100, volume_24h=D(5)) for i in range(50)]
    few = [offer("SOON", hours=1, volume_24h=D(5)), offer("DEEP", hours=100, volume_24h=D(90_000))]
    assert {"SOON", "DEEP"} < set(tickers(choose_markets([*many, *few], now=NOW, seed=3, wanted=6)))


def test_places_can_be_reserved_for_markets_that_close_first() -> None:
    late = [offer(f"LATE{i}", category=f"C{i}", hours=500) for i in range(9)]
    soon = [offer(f"SOON{i}", hours=1 + i / 10, event_ticker="ONE" if i < 3 else f"E{i}") for i in range(6)]
    chosen = tickers(choose_markets([*late, *soon], now=NOW, seed=1, wanted=6, per_event=2, soonest=3))
    assert chosen[:3] == ["SOON0", "SOON3", "SOON4"], "one market of each event"
    assert sum(name.startswith("LATE") for name in chosen) >= 2
