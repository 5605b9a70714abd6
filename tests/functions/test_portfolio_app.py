"""The portfolio function through its handler, with API Gateway's events and real servers behind it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from functions.portfolio.app import build
from starlette.testclient import TestClient
from tests.contract.rest_world import API, Bot, check, client_of, running_bot, settings_of, with_key
from tests.fixtures.exchange import Exchange, quoted_market
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer

from coliseum.http.app import Handler, lambda_handler

EVENTS = Path(__file__).resolve().parents[2] / "events"


@pytest.fixture(scope="module")
def bot() -> Iterator[Bot]:
    with running_bot() as running:
        yield running


@pytest.fixture
def client(
    bot: Bot, redis_server: RedisServer, exchange_server: Exchange, postgres_server: PostgresServer, prefix: str
) -> Iterator[TestClient]:
    settings = settings_of(
        prefix=prefix,
        bot=bot,
        redis=redis_server,
        exchange=exchange_server,
        postgres=postgres_server,
        **with_key(exchange_server),
    )
    with client_of(build(settings)) as client:
        yield client


@pytest.fixture
def handler(client: TestClient) -> Handler:
    return lambda_handler(client.app)  # type: ignore[arg-type]  # the FastAPI app that `build` made


def invoke(handler: Handler, name: str) -> dict[str, Any]:
    return handler(json.loads((EVENTS / f"{name}.json").read_text()), None)


def body_of(answer: dict[str, Any]) -> str:
    text = answer["body"]
    return base64.b64decode(text).decode() if answer["isBase64Encoded"] else str(text)


def test_the_summary_is_reconciled_and_has_the_bots_mode(handler: Handler) -> None:
    answer = invoke(handler, "portfolio.http-summary")
    body = json.loads(body_of(answer))
    check("/portfolio/summary", answer["statusCode"], body)
    assert answer["statusCode"] == 200
    assert answer["headers"]["x-correlation-id"] == "JKJaXmPLvHcESHA="
    assert (body["bot"]["data"]["status"], body["bot"]["data"]["mode"]) == ("online", "paper")
    assert body["bot"]["data"]["idle_reasons"] == [{"reason": "the spread is too wide", "markets": 7}]
    assert body["reconciliation"]["status"] == "agrees"
    assert body["stale"] is False


def test_the_metric_of_the_reconciliation_leaves_with_the_answer(
    handler: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke(handler, "portfolio.http-summary")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ReconciliationDifferences"] for line in lines if "ReconciliationDifferences" in line] == [[0.0]]


def test_a_csv_answer_is_a_file_to_save(handler: Handler) -> None:
    answer = invoke(handler, "portfolio.http-fills-csv")
    assert answer["headers"]["content-disposition"] == 'attachment; filename="fills.csv"'
    assert body_of(answer).splitlines()[0].startswith("trade_id,ticker,side,outcome,quantity,price,timestamp")


def test_an_error_reaches_the_gateway_as_problem_json_without_base64(handler: Handler) -> None:
    event = json.loads((EVENTS / "portfolio.http-summary.json").read_text())
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"{API}/nowhere"
    answer = handler(event, None)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (404, False)
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert json.loads(answer["body"])["instance"] == f"{API}/nowhere"


def test_one_container_answers_many_events(handler: Handler) -> None:
    assert [invoke(handler, "portfolio.http-summary")["statusCode"] for _ in range(3)] == [200, 200, 200]


def test_invalid_rows_of_the_bot_are_shown_with_their_reason(client: TestClient, bot: Bot) -> None:
    good = bot.answers["/trades"]
    bot.answers["/trades"] = [{**good[0], "price": 65}, *good[1:], {"trade_id": "x"}]
    try:
        body = client.get(f"{API}/portfolio/trades/live").json()
    finally:
        bot.answers["/trades"] = good
    check("/portfolio/trades/live", 200, body)
    assert [trade["trade_id"] for trade in body["items"]] == ["abc122"]
    assert [row["trade_id"] for row in body["rejected"]] == ["abc123", "x"]
    assert "not 65" in body["rejected"][0]["problem"]


@pytest.mark.parametrize("nonsense", [b"<html>502</html>", b'{"trades":[{"times', b"null", b"7"])
def test_a_malformed_answer_of_the_bot_is_replaced_by_the_next_source(
    client: TestClient, bot: Bot, nonsense: bytes
) -> None:
    good = bot.answers["/trades"]
    bot.answers["/trades"] = nonsense
    try:
        body = client.get(f"{API}/portfolio/trades/live").json()
    finally:
        bot.answers["/trades"] = good
    assert body["source"] == "kalshi"
    assert [failure["source"] for failure in body["failures"]] == ["bot", "redis"]


def test_live_trades_of_one_market_newest_first(client: TestClient) -> None:
    every = client.get(f"{API}/portfolio/trades/live").json()["items"]
    assert [trade["timestamp"] for trade in every] == ["2026-11-21T12:01:00.500Z", "2026-11-21T12:00:00Z"]
    only = client.get(f"{API}/portfolio/trades/live?ticker=KXB-1&limit=1").json()["items"]
    assert [(trade["ticker"], trade["price"], trade["quantity"]) for trade in only] == [("KXB-1", "0.1000", "1.50")]


def test_without_a_key_the_account_names_the_missing_variable(exchange_server: Exchange, bot: Bot) -> None:
    with client_of(build(settings_of(exchange=exchange_server, bot=bot))) as client:
        for route in ("/portfolio/balance", "/portfolio/positions", "/portfolio/fills"):
            response = client.get(API + route)
            assert response.status_code == 503
            assert response.json()["variable"] == "KALSHI_API_KEY"
        summary = client.get(f"{API}/portfolio/summary").json()
    assert "KALSHI_API_KEY" in summary["balance"]["error"]
    assert summary["recent_trades"]["source"] == "bot_live"


def test_without_any_service_configured_each_answer_says_what_is_missing() -> None:
    nothing = settings_of(upstash_redis_rest_url=None, supabase_url=None)
    with client_of(build(nothing)) as client:
        assert client.get(f"{API}/portfolio/history").json()["variable"] == "SUPABASE_URL"
        assert client.get(f"{API}/").json()["links"]["docs"] == f"{API}/docs"
        assert client.get("/").json()["name"] == "Coliseum"
        health = client.get(f"{API}/health")
        assert (health.status_code, health.json()["redis"]) == (503, "unavailable")


def test_the_history_is_paged_oldest_first(client: TestClient, postgres_server: PostgresServer) -> None:
    postgres_server.execute(
        "truncate balance_snapshots; insert into balance_snapshots (taken_at, cash, portfolio_value, source)"
        " select timestamptz '2026-11-01T00:00:00Z' + n * interval '1 hour', 100 + n / 10000.0, 1, 'kalshi'"
        " from generate_series(0, 6) n"
    )
    url, seen = f"{API}/portfolio/history?limit=3&since=2026-11-01T01:00:00Z", []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(url + (f"&cursor={cursor}" if cursor else "")).json()
        check("/portfolio/history", 200, page)
        seen += [(row["taken_at"], row["equity"]) for row in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [(f"2026-11-01T0{n}:00:00Z", f"101.000{n}") for n in range(1, 7)]
    foreign = client.get(f"{API}/portfolio/history?limit=3&since=2026-11-01T02:00:00Z&cursor=" + "AAAA")
    assert foreign.status_code == 400


def test_a_long_history_comes_in_few_points_that_keep_its_ends_and_extremes(
    client: TestClient, postgres_server: PostgresServer
) -> None:
    postgres_server.execute(
        "truncate balance_snapshots; insert into balance_snapshots (taken_at, cash, portfolio_value, source)"
        " select timestamptz '2026-11-01T00:00:00Z' + n * interval '5 minutes',"
        " case n when 1234 then 500 when 2101 then 3 else 100 + n / 10000.0 end, 1, 'kalshi'"
        " from generate_series(0, 2400) n"
    )
    url = f"{API}/portfolio/history"
    page = client.get(f"{url}?points=40").json()
    check("/portfolio/history", 200, page)
    equities = [row["equity"] for row in page["items"]]
    assert (equities[0], equities[-1], len(equities) <= 40, page["next_cursor"]) == ("101.00", "101.24", True, None)
    assert {"501.00", "4.00"} <= set(equities)
    assert len(client.get(f"{url}?points=40&since=2026-11-09T07:00:00Z").json()["items"]) == 13
    for more in ("limit=5", "cursor=x"):
        answer = client.get(f"{url}?points=40&{more}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "points")
    postgres_server.execute("truncate balance_snapshots")


def test_todays_change_is_counted_from_the_last_snapshot_before_the_callers_day_began(
    client: TestClient, postgres_server: PostgresServer
) -> None:
    postgres_server.execute(
        "truncate balance_snapshots; insert into balance_snapshots (taken_at, cash, portfolio_value, source)"
        " values (now() - interval '25 hours', 10, 2, 'kalshi'), (now() - interval '3 days', 7, 1, 'kalshi'),"
        " (now() + interval '1 minute', 99, 1, 'kalshi')"
    )
    body = client.get(f"{API}/portfolio/summary").json()
    check("/portfolio/summary", 200, body)
    today = body["change_today"]
    assert (today["equity_before"], today["time_zone"], today["error"]) == ("12.00", "UTC", None)
    assert Decimal(today["change"]) == Decimal(body["balance"]["data"]["equity"]) - 12
    far_east = client.get(f"{API}/portfolio/summary?tz=Asia/Tokyo").json()["change_today"]
    assert far_east["day_started_at"][11:16] == "15:00"
    postgres_server.execute("truncate balance_snapshots")
    nothing = client.get(f"{API}/portfolio/summary").json()["change_today"]
    assert (nothing["change"], nothing["error"]) == (None, "no snapshot was taken before today began")


@pytest.mark.parametrize("zone", ["", "Europe", "../UTC", "/etc/passwd", "UTC%00", "Nowhere/City", "x" * 65])
def test_a_time_zone_that_does_not_exist_is_refused_by_name(client: TestClient, zone: str) -> None:
    answer = client.get(f"{API}/portfolio/summary?tz={zone}")
    assert answer.status_code in {400, 422}
    assert answer.json()["errors"][0]["field"] == "tz"


def test_a_position_has_its_markets_title_what_its_side_stands_for_and_a_countdown(
    client: TestClient, exchange_server: Exchange
) -> None:
    market = quoted_market(exchange_server)
    exchange_server.order(market["ticker"], "bid", "1.00", "0.9900")
    body = client.get(f"{API}/portfolio/positions").json()
    check("/portfolio/positions", 200, body)
    (row,) = [row for row in body["items"] if row["ticker"] == market["ticker"]]
    assert (row["title"], row["event_ticker"]) == (market["title"], market["event_ticker"])
    meaning = market["yes_sub_title"]
    assert row["side_meaning"] == (meaning if row["side"] == "yes" else f"not: {meaning}")
    assert row["closes_in_seconds"] >= 0
    assert row["crossed"] is False


def test_fills_in_postgres_with_equal_times_are_paged_without_loss_or_repetition(
    bot: Bot, redis_server: RedisServer, exchange_server: Exchange, postgres_server: PostgresServer, prefix: str
) -> None:
    postgres_server.execute(
        "truncate trades; insert into trades (epoch, seq, ms, trade_id, ticker, side, quantity, price, executed_at,"
        " source) select 'e', n, n, 't' || n, case when n % 2 = 0 then 'KXA-1' else 'KXB-1' end, 'BUY', 1, 0.5,"
        " timestamptz '2026-11-01T00:00:00.123456Z' + (n / 5) * interval '1 second', 'bot_live'"
        " from generate_series(1, 12) n"
    )
    settings = settings_of(prefix=prefix, postgres=postgres_server, **with_key(exchange_server))
    with client_of(build(settings)) as client:
        for filters, expected in [("", 12), ("&ticker=KXA-1", 6), ("&since=2026-11-01T00:00:01Z", 8)]:
            seen: list[str] = []
            cursor: str | None = ""
            while cursor is not None:
                page = client.get(
                    f"{API}/portfolio/fills?limit=4{filters}" + (f"&cursor={cursor}" if cursor else "")
                ).json()
                assert (page["source"], page["stale"]) == ("postgres", True)
                seen += [row["trade_id"] for row in page["items"]]
                cursor = page["next_cursor"]
            assert len(seen) == len(set(seen)) == expected
    postgres_server.execute("truncate trades")


def test_importing_the_handler_leaves_heavy_packages_alone(root: Path) -> None:
    heavy = {"boto3", "botocore.session", "pydantic_ai", "openai", "supabase", "numpy"}
    code = f"import sys, functions.portfolio.app, functions.markets.app; print(sorted(sys.modules.keys() & {heavy}))"
    path = f"{root}:{root / 'layers/coliseum'}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": path},
        cwd=root / "tests",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
