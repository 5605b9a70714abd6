"""The factory: every way out of an app is a problem document, with correlation and CORS."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from coliseum.config import Settings
from coliseum.errors import NotFound
from coliseum.http.app import create_app
from coliseum.http.paging import Limit, TickerPath

router = APIRouter()


@router.get("/boom")
def boom() -> None:
    raise RuntimeError("secret words")


@router.get("/things/{ticker}")
def things(ticker: TickerPath, limit: Limit = 100) -> dict[str, int]:
    if ticker == "NOPE":
        raise NotFound("thing", ticker)
    return {"limit": limit}


@pytest.fixture
def client() -> TestClient:
    settings = Settings(_env_file=None, environment="test", cors_allow_origins=("https://app.example",))
    app = create_app(title="Test", routers=[router], settings=settings)
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/boom", 500),
        ("GET", "/nowhere", 404),
        ("POST", "/things/A", 405),
        ("GET", "/things/NOPE", 404),
        ("GET", "/things/A?limit=0", 422),
        ("GET", "/things/A?limit=-1", 422),
        ("GET", "/things/A?limit=1000000000", 422),
        ("GET", "/things/A?limit=abc", 422),
        ("GET", "/things/A%0d%0aSet-Cookie:x", 422),
    ],
)
def test_every_error_is_a_problem_document(client: TestClient, method: str, path: str, status: int) -> None:
    response = client.request(method, path, headers={"Origin": "https://app.example"})
    body: dict[str, Any] = response.json()
    assert response.status_code == body["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert body["correlation_id"] == response.headers["x-correlation-id"]
    assert "secret words" not in response.text
    assert "Traceback" not in response.text


def test_a_wrong_method_is_answered_with_the_allowed_one(client: TestClient) -> None:
    response = client.delete("/things/A")
    assert response.headers["allow"] == "GET"
    assert "GET" in response.json()["detail"]


def test_the_callers_correlation_id_comes_back(client: TestClient) -> None:
    assert client.get("/things/A", headers={"X-Correlation-Id": "mine-1"}).headers["x-correlation-id"] == "mine-1"


def test_head_is_get_without_the_body(client: TestClient) -> None:
    response = client.head("/things/A")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(client.get("/things/A").content))


def test_answers_are_not_cached_by_proxies(client: TestClient) -> None:
    headers = client.get("/things/A").headers
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_a_preflight_allows_only_configured_origins(client: TestClient) -> None:
    ask = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-correlation-id"}
    ours = client.options("/things/A", headers={"Origin": "https://app.example", **ask})
    theirs = client.options("/things/A", headers={"Origin": "https://evil.example", **ask})
    assert ours.status_code == 200
    assert ours.headers["access-control-allow-origin"] == "https://app.example"
    exposed = client.get("/things/A", headers={"Origin": "https://app.example"}).headers[
        "access-control-expose-headers"
    ]
    assert {"X-Correlation-Id", "Link"} <= set(exposed.split(", "))  # exports name their next page in Link
    assert "access-control-allow-origin" not in theirs.headers


def test_the_documents_are_served_by_every_app(client: TestClient) -> None:
    document = client.get("/api/python/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"/api/python/portfolio/balance", "/api/python/markets/", "/api/python/sse/trading"} <= set(
        document["paths"]
    )
    assert "swagger-ui" in client.get("/api/python/docs").text
    assert client.get("/docs").url.path == "/api/python/docs"
    assert client.get("/openapi.json").json() == document
