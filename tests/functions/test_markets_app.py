"""The markets function through its handler and over HTTP, with the sandbox exchange behind it and no key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from functions.markets.app import build
from starlette.testclient import TestClient
from tests.contract.rest_world import API, check, client_of, settings_of
from tests.fixtures.exchange import Exchange, quoted_market
from tests.fixtures.redis import RedisServer

from coliseum.http.app import lambda_handler

EVENTS = Path(__file__).resolve().parents[2] / "events"


@pytest.fixture
def client(exchange_server: Exchange, redis_server: RedisServer, prefix: str) -> Iterator[TestClient]:
    with client_of(build(settings_of(prefix=prefix, exchange=exchange_server, redis=redis_server))) as client:
        yield client


@pytest.mark.parametrize(("name", "status"), [("markets.http-list", 200), ("markets.http-unknown", 404)])
def test_the_handler_answers_the_gateways_events(client: TestClient, name: str, status: int) -> None:
    event = json.loads((EVENTS / f"{name}.json").read_text())
    answer = lambda_handler(client.app)(event, None)  # type: ignore[arg-type]  # the FastAPI app that `build` made
    body = json.loads(answer["body"])
    check("/markets/" if status == 200 else "/markets/{ticker}", answer["statusCode"], body)
    assert answer["statusCode"] == status
    assert (body.get("count"), body.get("instance")) in [(5, None), (None, f"{API}/markets/NO-SUCH-MARKET")]


def test_the_list_is_paged_to_its_end_without_repetition(client: TestClient, exchange_server: Exchange) -> None:
    expected = [market["ticker"] for market in exchange_server.get("/markets", status="open", limit=1000)["markets"]]
    assert sorted(walk(client, f"{API}/markets/?limit=7")) == sorted(expected)


def test_with_and_without_the_last_slash(client: TestClient) -> None:
    assert client.get(f"{API}/markets?limit=1").status_code == client.get(f"{API}/markets/?limit=1").status_code == 200


def test_a_category_is_found_through_events_in_any_case_of_letters(
    client: TestClient, exchange_server: Exchange
) -> None:
    events = exchange_server.get("/events", status="open", with_nested_markets="true", limit=200)["events"]
    category = events[0]["category"]
    expected = {
        market["ticker"]
        for event in events
        if event["category"] == category
        for market in event.get("markets", [])
        if market["status"] == "active"
    }
    found = walk(client, f"{API}/markets/?limit=2&category={category.upper()}")
    assert expected
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert walk(client, f"{API}/markets/?category=no-such-category") == []


def walk(client: TestClient, url: str) -> list[str]:
    """All tickers of a list, page by page."""
    tickers: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        response = client.get(url + (f"&cursor={cursor}" if cursor else ""))
        page = response.json()
        check("/markets/", response.status_code, page)
        assert page["source"] == "kalshi"
        tickers += [market["ticker"] for market in page["items"]]
        cursor = page["next_cursor"]
    return tickers


def test_one_market_has_its_book_spread_category_and_last_day(client: TestClient, exchange_server: Exchange) -> None:
    ticker = quoted_market(exchange_server)["ticker"]
    body: dict[str, Any] = client.get(f"{API}/markets/{ticker}").json()
    check("/markets/{ticker}", 200, body)
    book = body["order_book"]
    assert body["failures"] == []
    assert body["category"]
    assert Decimal(body["spread"]) == Decimal(body["yes_ask"]) - Decimal(body["yes_bid"])
    assert [level["price"] for level in book["yes_bids"]] == sorted(
        (one["price"] for one in book["yes_bids"]), reverse=True
    )
    assert Decimal(book["yes_asks"][0]["price"]) == 1 - Decimal(book["no_bids"][0]["price"])
    times = [point["at"] for point in body["history_24h"]["points"]]
    assert times == sorted(set(times))
    assert len(times) <= 25


def test_candlesticks_are_paged_and_come_as_a_table(client: TestClient, exchange_server: Exchange) -> None:
    ticker = quoted_market(exchange_server)["ticker"]
    url = f"{API}/markets/{ticker}/history?period=1h"
    whole = client.get(url).json()
    check("/markets/{ticker}/history", 200, whole)
    pages, cursor = [], ""
    while cursor is not None:
        page = client.get(f"{url}&limit=5" + (f"&cursor={cursor}" if cursor else "")).json()
        assert page["count"] <= 5
        pages += [candle["end"] for candle in page["items"]]
        cursor = page["next_cursor"]
    assert pages == [candle["end"] for candle in whole["items"]] == sorted(set(pages))
    table = client.get(f"{url}&format=csv").text.splitlines()
    assert len(table) == whole["count"] + 1


def test_an_unknown_market_is_a_problem_on_both_of_its_routes(client: TestClient) -> None:
    for route in ("/markets/NOPE-26", "/markets/NOPE-26/history"):
        response = client.get(API + route)
        assert response.status_code == 404
        assert "NOPE-26" in response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/markets/?limit=0", 422),
        ("/markets/?limit=-1", 422),
        ("/markets/?limit=1000000000", 422),
        ("/markets/?limit=abc", 422),
        ("/markets/?status=nope", 422),
        ("/markets/?cursor=garbage", 400),
        ("/markets/?category=", 422),
        ("/markets/A%0d%0aB", 422),
        ("/markets/..", 404),
        ("/markets/%2e%2e%2fportfolio", 404),
        ("/markets/KXA-1/history?period=2h", 422),
        ("/markets/KXA-1/history?since=garbage", 400),
        ("/markets/KXA-1/history?since=2026-11-21T00:00:00Z&until=2026-11-20T00:00:00Z", 400),
        ("/markets/KXA-1/history?since=0&until=1", 404),
    ],
)
def test_bad_input_is_a_problem(client: TestClient, path: str, status: int) -> None:
    response = client.get(API + path)
    assert response.status_code == response.json()["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
