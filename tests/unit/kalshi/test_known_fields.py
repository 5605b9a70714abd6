from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec
import pytest
import yaml
from tests.unit.kalshi import payloads

from coliseum.kalshi import wire
from coliseum.kalshi.known_fields import ENDPOINTS, SHAPES, USES, WORDS

DOCUMENTS: dict[str, type[wire.WireObject]] = {
    "GET /exchange/status": wire.WireExchangeStatus,
    "GET /historical/cutoff": wire.CutoffDocument,
    "GET /markets": wire.MarketsDocument,
    "GET /markets/{ticker}": wire.MarketDocument,
    "GET /markets/{ticker}/orderbook": wire.BookDocument,
    "GET /markets/orderbooks": wire.BooksDocument,
    "GET /events": wire.EventsDocument,
    "GET /events/{event_ticker}": wire.EventDocument,
    "GET /series/{series_ticker}": wire.SeriesDocument,
    "GET /series/{series_ticker}/markets/{ticker}/candlesticks": wire.CandlesDocument,
    "GET /historical/markets/{ticker}/candlesticks": wire.HistoricalCandlesDocument,
    "GET /portfolio/balance": wire.WireBalance,
    "GET /portfolio/positions": wire.PositionsDocument,
    "GET /portfolio/fills": wire.FillsDocument,
    "GET /portfolio/settlements": wire.SettlementsDocument,
}


def _kinds(shape: str) -> dict[str, str]:
    return dict(entry.split(":", 1) for entry in SHAPES[shape].split())


SHARED = {("Quotes", "previous_dollars"), ("HistoricalQuotes", "previous")}
"""Fields that only the trades of a candlestick have; quotes are read with the same class."""


def test_every_endpoint_that_the_client_asks_is_known() -> None:
    assert {f"GET {path}" for path in payloads.BODIES} - ENDPOINTS.keys() == set()


def test_every_shape_and_word_that_is_named_exists_and_is_used() -> None:
    named = {match for text in SHAPES.values() for match in re.findall(r"[\[{](\w+)", text)}
    words = {match for text in SHAPES.values() for match in re.findall(r"=(\w+)", text)}
    assert named | set(ENDPOINTS.values()) == SHAPES.keys()
    assert words == WORDS.keys()


def test_what_depends_on_a_field_is_said_of_fields_that_exist() -> None:
    fields = {f"{shape}.{field}" for shape in SHAPES for field in _kinds(shape)}
    assert USES.keys() - fields - SHAPES.keys() == set()


def _fields(model: type[wire.WireObject], shape: str) -> Iterator[tuple[str, str]]:
    """Every field that we read, as (shape, field)."""
    kinds = _kinds(shape)
    for field in msgspec.structs.fields(model):
        yield shape, field.encode_name
        for option in get_args(field.type) if get_origin(field.type) is UnionType else (field.type,):
            kind = get_args(option)[0] if get_origin(option) is list else option
            if isinstance(kind, type) and issubclass(kind, wire.WireObject):
                yield from _fields(kind, kinds[field.encode_name].strip("[]{}?~"))


@pytest.mark.parametrize("endpoint", DOCUMENTS)
def test_every_field_that_we_read_is_known(endpoint: str) -> None:
    for shape, field in _fields(DOCUMENTS[endpoint], ENDPOINTS[endpoint]):
        assert field in _kinds(shape) or (shape, field) in SHARED, f"{shape}.{field}"


@pytest.fixture(scope="module")
def schemas(shared_data: Path) -> dict[str, Any]:
    document = yaml.load((shared_data / "kalshi-openapi.yaml").read_bytes(), Loader=yaml.CSafeLoader)
    paths: dict[str, Any] = document["paths"]
    found: dict[str, Any] = document["components"]["schemas"]
    return {"paths": paths, **found}


def _reference(node: dict[str, Any]) -> str | None:
    options = [node, *node.get("allOf", []), node.get("items", {})]
    return next((option["$ref"].rpartition("/")[2] for option in options if "$ref" in option), None)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_official_document_has_no_field_or_word_that_is_not_known(endpoint: str, schemas: dict[str, Any]) -> None:
    answer = schemas["paths"][endpoint.removeprefix("GET ")]["get"]["responses"]["200"]
    _compare(schemas, str(_reference(answer["content"]["application/json"]["schema"])), ENDPOINTS[endpoint])


def _compare(schemas: dict[str, Any], name: str, shape: str) -> None:
    kinds, schema = _kinds(shape), schemas[name]
    for field, node in schema["properties"].items():
        kind = kinds[field]
        target = _reference(node)
        inner = schemas[target] if target is not None else node
        if kind[0] in "[{":
            _compare(schemas, str(target), kind.strip("[]{}?~"))
        if "enum" in inner:
            assert set(inner["enum"]) <= WORDS[kind.strip("=?~")], f"{shape}.{field}"
        if node.get("nullable") or inner.get("nullable"):
            assert "~" in kind, f"{shape}.{field} may be null"
        if field not in schema.get("required", ()):
            assert kind.endswith("?"), f"{shape}.{field} may be missing"
