"""Every request the client can make is one the exchange's OpenAPI document describes, and so is every body of ours."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.unit.kalshi import payloads
from tests.unit.kalshi.keys import ed25519_key, pkcs8
from tests.unit.kalshi.stage import Asked, Reply, Stage, reply

from coliseum.kalshi.account import ExchangeCalls
from coliseum.kalshi.client import Credentials, Kalshi

BASE = "/trade-api/v2"
TICKER = "KXRAIN-26NOV21-NYC"
WINDOW: dict[str, Any] = {"since": 1_795_000_000, "until": 1_795_168_800, "limit": 7, "cursor": "abc"}
SPAN: dict[str, Any] = {"start": 1_795_000_000, "end": 1_795_003_600, "period_minutes": 60}
FILTERS: dict[str, Any] = {"event_ticker": "KXRAIN-26NOV21", "series_ticker": "KXRAIN", "tickers": [TICKER]}

ARGUMENTS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "exchange_status": ((), {}),
    "historical_cutoff": ((), {}),
    "markets": ((), FILTERS | {"status": "closed", "min_close": 1, "max_close": 2, "limit": 1000, "cursor": "abc"}),
    "historical_markets": ((), FILTERS | {"limit": 1, "cursor": "abc"}),
    "market": ((TICKER,), {}),
    "order_book": ((TICKER, 100), {}),
    "order_books": (([TICKER, "KXRAIN-2"],), {}),
    "events": (
        (),
        {"status": "open", "series_ticker": "KXRAIN", "tickers": ["A"], "with_markets": True, "min_close": 1},
    ),
    "event": (("KXRAIN-26NOV21",), {}),
    "series": (("KXRAIN",), {}),
    "candles": (("KXRAIN", TICKER), SPAN),
    "historical_candles": ((TICKER,), SPAN),
    "balance": ((), {"subaccount": 3}),
    "positions": ((), {"settlement_status": "all"}),
    "fills": ((), WINDOW | {"ticker": TICKER}),
    "historical_fills": ((), WINDOW | {"ticker": TICKER}),
    "historical_positions": ((), {"subaccount": 3}),
    "deposits": ((), {}),
    "withdrawals": ((), {}),
    "all_settlements": ((), {"since": 5}),
    "all_fills": ((), {"ticker": TICKER, "since": 5, "until": 1_795_168_800}),
    "settlements": ((), WINDOW | {"ticker": TICKER}),
    "resting_orders": ((), {"ticker": TICKER}),
}
"""Every call with every argument it takes."""


@pytest.fixture(scope="session")
def openapi(shared_data: Path) -> dict[str, Any]:
    text = (shared_data / "kalshi-openapi.yaml").read_bytes()
    document: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return document


def _template(path: str) -> str:
    """The endpoint behind a path."""
    known = sorted(payloads.BODIES, key=lambda template: template.count("{"))
    return next(t for t in known if re.fullmatch(re.sub(r"{\w+}", r"[^/]+", t), path.removeprefix(BASE)))


def _good(asked: Asked) -> Reply:
    return reply(payloads.BODIES[_template(asked.path)])


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage(_good).open() as stage:
        yield stage


@pytest.fixture
def kalshi(stage: Stage) -> Iterator[Kalshi]:
    """A client for each test: with a shared one they would wait for its rate limit."""
    client = Kalshi(stage.url + BASE, Credentials("key-id", private_key=pkcs8(ed25519_key())))
    yield client
    client.close()


def _names(of: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(of, callable) if not name.startswith("_")}


def test_the_client_makes_every_call_and_the_table_has_them_all() -> None:
    own = {"close", "within", "for_seconds", "time_left", "from_settings", "on_change"}
    assert _names(Kalshi) - own == _names(ExchangeCalls) == set(ARGUMENTS)


def _resolved(openapi: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found: Any = openapi
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def _typed(value: str, schema: dict[str, Any]) -> object:
    """A query's text as the JSON value it stands for."""
    if schema.get("type") == "integer":
        assert re.fullmatch(r"-?\d+", value)
        return int(value)
    if schema.get("type") == "boolean":
        return {"true": True, "false": False}[value]
    return value


def _check(openapi: dict[str, Any], asked: Asked) -> None:
    operation = openapi["paths"][_template(asked.path)]["get"]
    described = [_resolved(openapi, one) for one in operation.get("parameters", [])]
    queries = {one["name"]: one for one in described if one["in"] == "query"}
    sent: dict[str, list[str]] = {}
    for name, value in asked.query:
        sent.setdefault(name, []).append(value)
    assert set(sent) <= set(queries)
    assert {name for name, one in queries.items() if one.get("required")} <= set(sent)
    for name, texts in sent.items():
        schema = _resolved(openapi, queries[name]["schema"])
        if schema.get("type") == "array":
            jsonschema.Draft4Validator(schema).validate(texts)
        else:
            (only,) = texts
            jsonschema.Draft4Validator(schema).validate(_typed(only, schema))
    assert ("kalshi-access-signature" in asked.headers) == bool(operation.get("security"))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_request_is_as_the_document_says(name: str, stage: Stage, kalshi: Kalshi, openapi: dict[str, Any]) -> None:
    stage.asked.clear()
    args, kwargs = ARGUMENTS[name]
    call: Callable[..., object] = getattr(kalshi, name)
    call(*args, **kwargs)
    assert stage.asked
    for asked in stage.asked:
        _check(openapi, asked)


def _draft4(schema: Any) -> Any:
    """OpenAPI's `nullable` in JSON Schema's words."""
    if isinstance(schema, list):
        return [_draft4(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _draft4(one) for name, one in schema.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


@pytest.fixture(scope="session")
def schemas(openapi: dict[str, Any]) -> dict[str, Any]:
    return {"components": _draft4(openapi["components"])}


@pytest.mark.parametrize("endpoint", payloads.BODIES)
def test_our_own_bodies_are_as_the_document_says(
    endpoint: str, openapi: dict[str, Any], schemas: dict[str, Any]
) -> None:
    """What the tests prove with them, they prove about the exchange."""
    answer = _resolved(openapi, openapi["paths"][endpoint]["get"]["responses"]["200"])
    schema = answer["content"]["application/json"]["schema"]
    jsonschema.Draft4Validator(schemas | schema).validate(payloads.BODIES[endpoint])
