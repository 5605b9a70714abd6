"""Which function answers a request."""

from __future__ import annotations

from pathlib import Path

import pytest

from coliseum_local.gateway.routing import route, streaming_function
from coliseum_local.template import Template


@pytest.fixture(scope="module")
def template(root: Path) -> Template:
    return Template.read(root / "template.yaml")


@pytest.mark.parametrize(
    ("path", "function"),
    [
        ("/", "portfolio"),
        ("/health", "portfolio"),
        ("/docs", "portfolio"),
        ("/openapi.json", "portfolio"),
        ("/api/python", "portfolio"),
        ("/api/python/", "portfolio"),
        ("/api/python/portfolio/balance", "portfolio"),
        ("/api/python/unknown", "portfolio"),
        ("/api/python/markets", "markets"),
        ("/api/python/markets/", "markets"),
        ("/api/python/markets/KXBTC-1", "markets"),
        ("/api/python/marketsx", "portfolio"),
        ("/api/python/arena/leaderboard", "arena"),
    ],
)
def test_the_most_specific_route_wins(template: Template, path: str, function: str) -> None:
    found = route(template.functions, "GET", path)
    assert found is not None
    assert found.function.name == function


def test_a_greedy_parameter_takes_the_rest_of_the_path(template: Template) -> None:
    found = route(template.functions, "GET", "/api/python/portfolio/trades/live")
    assert found is not None
    assert found.parameters == {"proxy": "portfolio/trades/live"}


def test_a_path_outside_every_route_has_no_function(template: Template) -> None:
    assert route(template.functions, "GET", "/elsewhere") is None


@pytest.mark.parametrize("path", ["/api/python/sse/trading", "/api/python/sse/stats", "/api/python/events"])
def test_the_edge_streams(template: Template, path: str) -> None:
    found = streaming_function(template.behaviours, template.functions, path)
    assert found is not None
    assert found.name == "stream"


@pytest.mark.parametrize("path", ["/api/python/sse", "/api/python/eventsx", "/api/python/portfolio/balance", "/"])
def test_the_edge_leaves_the_rest_to_the_http_api(template: Template, path: str) -> None:
    assert streaming_function(template.behaviours, template.functions, path) is None
