"""What the functions serve is what the published document describes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from functions.arena.app import build as build_arena
from functions.markets.app import build as build_markets
from functions.portfolio.app import build as build_portfolio
from tests.contract.rest_world import settings_of
from tests.contract.test_rest_document import merged

from coliseum.config import Settings


@pytest.mark.parametrize("build", [build_portfolio, build_markets, build_arena])
def test_every_route_that_a_function_serves_is_in_the_document(build: Callable[[Settings], FastAPI]) -> None:
    app = build(settings_of())
    served = FastAPI.openapi(app)["paths"]  # of this app alone; its own method gives the document of all functions
    app.state.resources.close()
    assert served
    assert served.keys() - merged()["paths"].keys() == set(), "add the router to `merged` in test_rest_document.py"
