"""What an export leaves out and refuses. One arena for the whole file: nothing here changes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

import pytest
from functions.arena.app import build
from starlette.testclient import TestClient
from tests.contract import arena_world
from tests.contract.arena_world import World
from tests.contract.rest_world import API, client_of, settings_of
from tests.fixtures.postgres import PostgresServer

from coliseum.arena.api.exports.answers import CellRow
from coliseum.arena.scoring.cell import Cell
from coliseum.store.client import Store

EXPORTS = f"{API}/arena/exports"


@pytest.fixture(scope="module")
def world(postgres_server: PostgresServer) -> Iterator[World]:
    postgres_server.empty()
    with closing(Store(postgres_server.url, postgres_server.secret_key)) as store:
        yield arena_world.build(store, postgres_server)


@pytest.fixture(scope="module")
def client(postgres_server: PostgresServer) -> Iterator[TestClient]:
    with client_of(build(settings_of(postgres=postgres_server))) as client:
        yield client


def rows(client: TestClient, path: str) -> list[dict[str, Any]]:
    """All rows of one answer, which must be whole."""
    response = client.get(f"{EXPORTS}/{path}")
    assert (response.status_code, response.headers.get("link")) == (200, None), response.text
    return [json.loads(line) for line in response.text.splitlines()]


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("forecasts.jsonl?track=aware&season={season}", 13),
        ("decisions.jsonl?track=blind", 21),
        ("attempts.jsonl?track=aware", 12),
        ("results.jsonl?season={season}", 5),
        ("results.jsonl?season=1999Q1", 0),
        ("seals.jsonl?day={day}", 34),
        ("seals.jsonl?day=2001-01-01", 0),
        ("reports.jsonl?digest={digest}", 1),
        ("seal-roots.jsonl", 0),
    ],
)
def test_exports_are_filtered(client: TestClient, world: World, path: str, count: int) -> None:
    names = {"season": world.season, "day": world.made_at.date().isoformat(), "digest": world.digest}
    assert len(rows(client, path.format(**names))) == count


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("agents.csv?season=2026Q4", 400, "season"),
        ("forecasts.csv?digest=" + "0" * 64, 400, "digest"),
        ("cells.csv?day=2026-11-21", 400, "day"),
        ("results.csv?known_at=0", 400, "known_at"),
        ("cells.parquet", 400, "coliseum export cells --form parquet"),
        ("cells.csv?limit=0", 422, "limit"),
        ("cells.csv?digest=x", 422, "digest"),
        ("cells.csv?colour=red", 422, "colour"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(
    client: TestClient, world: World, path: str, status: int, named: str
) -> None:
    response = client.get(f"{EXPORTS}/{path}")
    assert response.status_code == status
    assert named in response.json()["detail"]


def test_times_are_exact_so_that_rows_can_be_compared_with_a_board(client: TestClient, world: World) -> None:
    (report,) = rows(client, f"reports.jsonl?digest={world.digest}")
    assert datetime.fromisoformat(report["known_at"]) == world.made_at
    stamp = client.get(f"{API}/arena/leaderboard").json()["report"]
    again = client.get(f"{API}/arena/leaderboard", params={"known_at": stamp["known_at"], "as_of": stamp["as_of"]})
    assert again.json()["report"]["digest"] == world.digest


def test_every_column_of_the_cells_is_one_that_score_reads() -> None:
    assert set(CellRow.model_fields) <= set(Cell.__dataclass_fields__)
