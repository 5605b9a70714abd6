"""An app refuses query parameters that a route does not declare, itself or in a dependency."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, Header, HTTPException, Query
from starlette.testclient import TestClient

from coliseum.config import Settings
from coliseum.http.app import create_app
from coliseum.http.paging import Cursor, Limit
from coliseum.http.strict_query import known_parameters_only

router, hidden = APIRouter(), APIRouter()


def page(limit: Limit = 10, cursor: Cursor = None) -> int:
    del cursor
    return limit


@router.get("/things")
def things(
    size: Annotated[int, Depends(page)],
    form: Annotated[str, Query(alias="format")] = "json",
    mark: Annotated[str | None, Header()] = None,
) -> dict[str, str | int | None]:
    return {"size": size, "form": form, "mark": mark}


def nobody() -> None:
    raise HTTPException(404)


hidden = APIRouter(dependencies=[Depends(nobody), Depends(known_parameters_only)])


@hidden.post("/hidden")
def secret() -> None:
    """Never reached."""


@pytest.fixture
def client() -> TestClient:
    settings = Settings(_env_file=None, environment="test")
    return TestClient(create_app(title="Test", routers=[router, hidden], settings=settings))


def test_declared_parameters_are_taken_those_of_dependencies_included(client: TestClient) -> None:
    answer = client.get("/things?limit=3&cursor=c&format=csv", headers={"mark": "m"})
    assert answer.json() == {"size": 3, "form": "csv", "mark": "m"}


@pytest.mark.parametrize("name", ["x", "_", "form", "mark", "Limit", "limit%00", "", "limit%20"])
def test_an_unknown_parameter_is_named_with_those_that_the_route_takes(client: TestClient, name: str) -> None:
    answer = client.get(f"/things?{name}=1")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:coliseum:problem:invalid-parameters")
    assert "this route takes cursor, format, limit" in answer.json()["detail"]
    assert answer.json()["errors"][0]["in"] == "query"


def test_a_repeated_parameter_is_refused_because_one_of_its_values_would_be_dropped(client: TestClient) -> None:
    answer = client.get("/things?limit=3&limit=4")
    assert (answer.status_code, answer.json()["errors"]) == (
        422,
        [{"field": "limit", "in": "query", "message": "given 2 times; give it once"}],
    )


def test_every_problem_of_a_query_is_listed(client: TestClient) -> None:
    errors = client.get("/things?a=1&limit=1&limit=2&b=3").json()["errors"]
    assert [error["field"] for error in errors] == ["a", "limit", "b"]


def test_what_a_caller_must_not_see_is_hidden_before_its_parameters_are_checked(client: TestClient) -> None:
    assert client.post("/hidden?x=1").status_code == 404
    assert client.head("/things?x=1").status_code == 422


@pytest.mark.parametrize("path", ["/api/python/docs", "/api/python/openapi.json", "/docs", "/openapi.json"])
def test_the_documentation_takes_no_parameters(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200
    assert client.get(f"{path}?x=1").status_code == 422
