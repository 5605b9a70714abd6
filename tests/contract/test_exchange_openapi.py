"""Every body of the sandbox exchange against the official OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4
from tests.fixtures.exchange import Exchange, launch_standing_exchange, quoted_market

STILL_ON_THE_WIRE = {"Market": "liquidity_dollars"}
"""Fields that the document dropped and the exchange kept sending."""


@pytest.fixture(scope="module")
def document(shared_data: Path) -> dict[str, Any]:
    """The document with `nullable` spelled as JSON schema does, and with unknown fields forbidden."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    parsed: dict[str, Any] = yaml.load((shared_data / "kalshi-openapi.yaml").read_text(), loader)  # noqa: S506
    for name, field in STILL_ON_THE_WIRE.items():
        parsed["components"]["schemas"][name]["properties"][field] = {"type": "string"}
    _translate(parsed["components"]["schemas"])
    return parsed


def _translate(node: Any) -> None:
    if isinstance(node, list):
        for each in node:
            _translate(each)
    if not isinstance(node, dict):
        return
    for each in list(node.values()):
        _translate(each)
    if "properties" in node and node.get("type") == "object":
        node.setdefault("additionalProperties", False)
    if node.pop("nullable", False) is True:
        inner = dict(node)
        node.clear()
        node["anyOf"] = [inner, {"type": "null"}]


@pytest.fixture(scope="module")
def problems(document: dict[str, Any]) -> Any:
    """A function (schema name, body) -> what is wrong with the body."""
    registry = Registry[Any]().with_resource("urn:kalshi", DRAFT4.create_resource(document))

    def check(name: str, body: Any) -> list[str]:
        schema = {"$ref": f"urn:kalshi#/components/schemas/{name}"}
        validator = Draft4Validator(schema, registry=registry)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]

    return check


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Exchange, dict[str, Any]]]:
    """An exchange on which the member has bought, sold, rested, canceled and been settled."""
    exchange = launch_standing_exchange(tmp_path_factory.mktemp("traded"))
    market = quoted_market(exchange)
    for side, count, price in (("bid", "5.00", "0.99"), ("ask", "2.50", "0.01")):
        assert exchange.order(market["ticker"], side, count, price).status_code == 201
    resting = exchange.order(market["ticker"], "bid", "3.00", "0.01", time_in_force="good_till_canceled").json()
    exchange.call("DELETE", f"/portfolio/events/orders/{resting['order_id']}")
    exchange.order(market["ticker"], "bid", "3.00", "0.01", time_in_force="good_till_canceled")
    exchange.admin("withdrawals", amount="12.34", fee="0.10", type="wire")
    exchange.admin("deposits", amount="5", status="pending")
    for result, value in (("yes", {}), ("scalar", {"value": "0.37"})):
        other = quoted_market(exchange, lambda each: each["ticker"] != market["ticker"])
        assert exchange.order(other["ticker"], "ask", "4.00", "0.01").status_code == 201
        exchange.admin(f"markets/{other['ticker']}/settle", result=result, **value)
    yield exchange, market
    exchange.stop()


@pytest.fixture
def exchange(traded: tuple[Exchange, dict[str, Any]]) -> Iterator[Exchange]:
    """The same, for tests that throw its switches."""
    yield traded[0]
    traded[0].reset()
    traded[0].admin("cutoff")


CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("/exchange/status", {}, "ExchangeStatus"),
    ("/exchange/schedule", {}, "GetExchangeScheduleResponse"),
    ("/exchange/user_data_timestamp", {}, "GetUserDataTimestampResponse"),
    ("/account/endpoint_costs", {}, "GetAccountEndpointCostsResponse"),
    ("/account/limits", {}, "GetAccountApiLimitsResponse"),
    ("/markets", {"limit": 1000}, "GetMarketsResponse"),
    ("/markets/{ticker}", {}, "GetMarketResponse"),
    ("/markets/{ticker}/orderbook", {}, "GetMarketOrderbookResponse"),
    ("/markets/orderbooks", {"tickers": ["{ticker}"]}, "GetMarketOrderbooksResponse"),
    ("/markets/trades", {}, "GetTradesResponse"),
    ("/markets/candlesticks", {"market_tickers": "{ticker}"}, "BatchGetMarketCandlesticksResponse"),
    ("/series/{series}/markets/{ticker}/candlesticks", {}, "GetMarketCandlesticksResponse"),
    ("/events", {"with_nested_markets": "true", "with_milestones": "true"}, "GetEventsResponse"),
    ("/events/{event}", {}, "GetEventResponse"),
    ("/events/{event}", {"with_nested_markets": "true"}, "GetEventResponse"),
    ("/events/{event}/metadata", {}, "GetEventMetadataResponse"),
    ("/series", {"include_volume": "true"}, "GetSeriesListResponse"),
    ("/series/{series}", {}, "GetSeriesResponse"),
    ("/portfolio/balance", {}, "GetBalanceResponse"),
    ("/portfolio/positions", {"settlement_status": "all"}, "GetPositionsResponse"),
    ("/portfolio/fills", {}, "GetFillsResponse"),
    ("/portfolio/settlements", {}, "GetSettlementsResponse"),
    ("/portfolio/deposits", {}, "GetDepositsResponse"),
    ("/portfolio/withdrawals", {}, "GetWithdrawalsResponse"),
    ("/portfolio/orders", {}, "GetOrdersResponse"),
    ("/portfolio/summary/total_resting_order_value", {}, "GetPortfolioRestingOrderTotalValueResponse"),
    ("/historical/cutoff", {}, "GetHistoricalCutoffResponse"),
    ("/historical/markets", {}, "GetMarketsResponse"),
    ("/historical/trades", {}, "GetTradesResponse"),
    ("/historical/fills", {}, "GetFillsResponse"),
    ("/historical/orders", {}, "GetOrdersResponse"),
    ("/historical/positions", {}, "GetPositionsResponse"),
]
MUST_SHOW_ROWS = {
    "candlesticks",
    "deposits",
    "endpoint_costs",
    "event_positions",
    "events",
    "fills",
    "market_positions",
    "orderbooks",
    "orders",
    "series",
    "settlements",
    "trades",
    "withdrawals",
}


@pytest.mark.parametrize(("path", "params", "schema"), CALLS, ids=[f"{row[0]}-{len(row[1])}" for row in CALLS])
def test_every_body_is_one_the_document_allows(
    traded: tuple[Exchange, dict[str, Any]], problems: Any, path: str, params: dict[str, Any], schema: str
) -> None:
    exchange, market = traded
    names = {
        "ticker": market["ticker"],
        "event": market["event_ticker"],
        "series": market["event_ticker"].split("-")[0],
    }
    query = {name: _filled(value, names) for name, value in params.items()}
    if "candlesticks" in path:
        end = 1_795_262_400
        query |= {"start_ts": end - 86_400, "end_ts": end, "period_interval": 60}
    body = exchange.get(path.format(**names), **query)
    assert problems(schema, body) == []
    assert all(body[name] for name in body.keys() & MUST_SHOW_ROWS) or path.startswith("/historical/")


def _filled(value: Any, names: dict[str, str]) -> Any:
    return [each.format(**names) for each in value] if isinstance(value, list) else str(value).format(**names)


def test_the_answers_to_orders_are_ones_the_document_allows(exchange: Exchange, problems: Any) -> None:
    ticker = quoted_market(exchange)["ticker"]
    placed = exchange.order(ticker, "bid", "2.00", "0.99", client_order_id="mine-1")
    resting = exchange.order(ticker, "bid", "2.00", "0.01", time_in_force="good_till_canceled")
    canceled = exchange.call("DELETE", f"/portfolio/events/orders/{resting.json()['order_id']}")
    one = exchange.get(f"/portfolio/orders/{resting.json()['order_id']}")
    assert [placed.status_code, resting.status_code, canceled.status_code] == [201, 201, 200]
    assert problems("CreateOrderV2Response", placed.json()) == []
    assert problems("CreateOrderV2Response", resting.json()) == []
    assert problems("CancelOrderV2Response", canceled.json()) == []
    assert problems("GetOrderResponse", one) == []


def test_rows_that_moved_to_the_historical_tier_keep_their_shapes(exchange: Exchange, problems: Any) -> None:
    market = quoted_market(exchange)
    exchange.order(market["ticker"], "bid", "2.00", "0.99")
    exchange.admin(f"markets/{market['ticker']}/settle", result="no")
    far = 1_900_000_000
    exchange.admin("cutoff", market_settled=far, trades_created=far, orders_updated=far)
    for name, schema in (
        ("fills", "GetFillsResponse"),
        ("orders", "GetOrdersResponse"),
        ("trades", "GetTradesResponse"),
    ):
        body = exchange.get(f"/historical/{name}")
        assert body[name], name
        assert problems(schema, body) == []
    positions = exchange.get("/historical/positions")
    assert market["ticker"] in {row["ticker"] for row in positions["market_positions"]}
    assert problems("GetPositionsResponse", positions) == []
    candles = exchange.get(
        f"/historical/markets/{market['ticker']}/candlesticks",
        start_ts=far - 5000 * 86_400,
        end_ts=far,
        period_interval=1440,
    )
    assert candles["candlesticks"]
    assert problems("GetMarketCandlesticksHistoricalResponse", candles) == []
    assert problems("GetMarketResponse", exchange.get(f"/historical/markets/{market['ticker']}")) == []


def test_the_outage_body_is_the_exchange_status(exchange: Exchange, problems: Any) -> None:
    exchange.admin("outage", active=True, resume_time="2026-11-21T13:00:00Z")
    response = exchange.call("GET", "/portfolio/balance")
    assert response.status_code == 503
    assert problems("ExchangeStatus", response.json()) == []
    assert response.json()["exchange_active"] is False


def test_without_the_deprecated_fields_the_bodies_are_still_valid(exchange: Exchange, problems: Any) -> None:
    exchange.admin("legacy-fields", enabled=False)
    market = quoted_market(exchange)
    exchange.order(market["ticker"], "bid", "2.00", "0.99")
    fills, orders = exchange.get("/portfolio/fills"), exchange.get("/portfolio/orders")
    assert problems("GetFillsResponse", fills) == []
    assert problems("GetOrdersResponse", orders) == []
    row = {**market, **fills["fills"][0], **orders["orders"][0], **exchange.get("/markets/trades")["trades"][0]}
    assert not {"action", "side", "taker_side", "liquidity_dollars"} & set(row)
