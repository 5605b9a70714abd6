"""One odd row among good ones, through the parts that read the exchange: the others are used, and the row is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from functions.markets.app import build
from starlette.testclient import TestClient
from tests.contract.rest_world import API, check, client_of, settings_of
from tests.integration.arena_world import answer, enrolled, open_round
from tests.unit.kalshi import payloads
from tests.unit.kalshi.keys import ed25519_key, pkcs8
from tests.unit.kalshi.stage import Asked, Stage, reply

from coliseum.arena.calendar import slot_at
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.rounds.markets import frozen_markets
from coliseum.arena.settling.results import record_results
from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache
from coliseum.kalshi.client import Credentials, Kalshi
from coliseum.portfolio.account import ExchangeAccount
from coliseum.portfolio.snapshots import SnapshotWriter
from coliseum.store.client import Store

BASE = "/trade-api/v2"
GOOD = [payloads.market(ticker=f"GOOD-{number:02d}") for number in range(22)]
ODD = payloads.market(ticker="ODD", yes_bid_dollars=None)
NO_RESULT = {name: value for name, value in payloads.market(ticker="NONE").items() if name != "result"}


@contextmanager
def _exchange(bodies: dict[str, Any]) -> Iterator[Stage]:
    """An exchange that answers with these bodies, by path, and otherwise with good ones."""

    def script(asked: Asked) -> Any:
        path = asked.path.removeprefix(BASE)
        return reply(bodies[path] if path in bodies else payloads.BODIES[path])

    with Stage(script).open() as stage:
        yield stage


@contextmanager
def _rest(bodies: dict[str, Any]) -> Iterator[TestClient]:
    with _exchange(bodies) as stage, client_of(build(settings_of(kalshi_api_base=stage.url + BASE))) as client:
        yield client


@pytest.mark.parametrize(
    ("odd", "failure"), [(ODD, ("ODD", "yes_bid_dollars", "null")), (NO_RESULT, ("NONE", "result", None))]
)
def test_a_list_of_markets_has_all_but_the_odd_one_and_names_it(
    odd: payloads.Row, failure: tuple[str, str, str | None]
) -> None:
    with _rest({"/markets": {"markets": [*GOOD[:5], odd, *GOOD[5:]], "cursor": ""}}) as client:
        for _ in range(2):  # the second answer comes from the cache
            answer = client.get(f"{API}/markets/")
            check("/markets/", answer.status_code, answer.json())
            body = answer.json()
            assert (body["count"], [item["ticker"] for item in body["items"]]) == (22, [row["ticker"] for row in GOOD])
            assert [(row["ticker"], row["field"], row["value"]) for row in body["failures"]] == [failure]


def test_a_category_names_the_odd_markets_of_its_events() -> None:
    event = payloads.event(markets=[GOOD[0], ODD])
    with _rest({"/events": {"events": [event], "cursor": ""}}) as client:
        body = client.get(f"{API}/markets/?category=climate").json()
        assert [item["ticker"] for item in body["items"]] == ["GOOD-00"]
        assert [row["ticker"] for row in body["failures"]] == ["ODD"]


def test_a_crossed_book_is_marked_on_the_list() -> None:
    crossed = payloads.market(ticker="X", yes_bid_dollars="0.6000", yes_ask_dollars="0.5000")
    with _rest({"/markets": {"markets": [crossed, GOOD[0]], "cursor": ""}}) as client:
        items = client.get(f"{API}/markets/").json()["items"]
        assert [(item["spread"], item["crossed"]) for item in items] == [("-0.1000", True), ("0.0300", False)]


def test_an_odd_candlestick_is_left_out_of_the_history_and_named() -> None:
    ticker, now = payloads.market()["ticker"], int(datetime.now(UTC).timestamp()) // 3600 * 3600
    candles = [payloads.candle(now - 7200), payloads.candle(now - 3600, volume_fp=12), payloads.candle(now)]
    bodies = {
        f"/markets/{ticker}": {"market": payloads.market()},
        "/events/KXRAIN-26NOV21": {"event": payloads.event(), "markets": [payloads.market()]},
        f"/series/KXRAIN/markets/{ticker}/candlesticks": {"ticker": ticker, "candlesticks": candles},
        f"/markets/{ticker}/orderbook": {"orderbook_fp": payloads.BOOK},
    }
    with _rest(bodies) as client:
        for path in (f"{API}/markets/{ticker}/history", f"{API}/markets/{ticker}"):
            failures = client.get(path).json()["failures"]
            assert [(row["ticker"], row["field"], row["value"]) for row in failures] == [(ticker, "volume_fp", "12")]
        assert client.get(f"{API}/markets/{ticker}/history").json()["count"] == 2


def test_the_round_opener_skips_odd_markets_and_events() -> None:
    closes = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    good = payloads.market(ticker="GOOD", close_time=closes)
    odd = payloads.market(ticker="ODD", close_time=closes, no_ask_dollars=41)
    events = [payloads.event(markets=[good, odd]), payloads.event(event_ticker="E-2", mutually_exclusive="perhaps")]
    bodies = {
        "/events": {"events": events, "cursor": ""},
        "/series/KXRAIN": {"series": payloads.series()},
        "/series/KXRAIN/markets/GOOD/candlesticks": {"ticker": "GOOD", "candlesticks": []},
        "/markets/orderbooks": {"orderbooks": [{"ticker": "GOOD", "orderbook_fp": payloads.BOOK}]},
    }
    every = timedelta(hours=6)
    with _exchange(bodies) as stage:
        kalshi = Kalshi(stage.url + BASE)
        rows = frozen_markets(
            kalshi,
            slot_at(datetime.now(UTC), every=every),
            clock=lambda: datetime.now(UTC),
            wanted=8,
            per_event=2,
            open_for=timedelta(hours=1),
            exchange="kalshi",
        )
        kalshi.close()
    assert [row["ticker"] for row in rows] == ["GOOD"]


def test_positions_keep_their_marks_where_one_market_is_odd() -> None:
    held = ["GOOD-00", "ODD"]
    bodies = {
        "/portfolio/positions": {
            "market_positions": [payloads.position(ticker=ticker) for ticker in held],
            "event_positions": [],
            "cursor": "",
        },
        "/markets": {"markets": [GOOD[0], ODD], "cursor": ""},
    }
    with _exchange(bodies) as stage:
        kalshi = Kalshi(stage.url + BASE, Credentials("key-id", private_key=pkcs8(ed25519_key())))
        account = ExchangeAccount(kalshi, Cache(None, prefix="", breaker=CircuitBreaker())).positions()
        kalshi.close()
    assert {row.ticker: row.mark for row in account.positions} == {"GOOD-00": Decimal("0.41"), "ODD": None}
    assert ["ODD was left out: yes_bid_dollars" in str(failure) for failure in account.failures] == [True]
    assert not account.stale


def test_the_settler_records_the_other_results_and_reports_the_odd_market(store: Store) -> None:
    records = ArenaRecords(store)
    enrolled(records)
    round_id = open_round(records, ["GOOD", "ODD"])
    for ticker in ("GOOD", "ODD"):
        answer(records, round_id, ticker=ticker)
    ended = {"status": "finalized", "result": "yes", "settlement_value_dollars": "1.0000"}
    rows = [payloads.market(ticker="GOOD", **ended), payloads.market(ticker="ODD", **ended, yes_bid_dollars=None)]
    with _exchange({"/markets": {"markets": rows, "cursor": ""}}) as stage:
        kalshi = Kalshi(stage.url + BASE)
        update = record_results(records, kalshi)
        kalshi.close()
    assert (update.recorded, set(records.results(["GOOD", "ODD"]))) == (1, {"GOOD"})
    assert ["ODD was left out: yes_bid_dollars" in problem for problem in update.problems] == [True]


def test_a_snapshot_leaves_the_odd_market_out_and_is_taken_all_the_same(store: Store) -> None:
    held = [payloads.position(ticker=ticker) for ticker in ("GOOD-00", "ODD")]
    bodies = {
        "/portfolio/positions": {"market_positions": held, "event_positions": [], "cursor": ""},
        "/markets": {"markets": [GOOD[0], ODD], "cursor": ""},
    }
    with _exchange(bodies) as stage:
        kalshi = Kalshi(stage.url + BASE, Credentials("key-id", private_key=pkcs8(ed25519_key())))
        writer = SnapshotWriter(kalshi, store, Cache(None, prefix="", breaker=CircuitBreaker()))
        counts = writer.take(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp())
        kalshi.close()
    assert counts is not None
    assert (counts.balances, counts.markets, counts.settlements) == (1, 1, 1)
    assert [row["ticker"] for row in store.select("market_snapshots", "ticker")] == ["GOOD-00"]
