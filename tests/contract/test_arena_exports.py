"""Exports: whole or refused, the same rows on all pages, and the cells of a leaderboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from functions.arena.app import build
from starlette.testclient import TestClient
from tests.contract import arena_world
from tests.contract.arena_world import SECRET, World
from tests.contract.rest_world import API, client_of, settings_of
from tests.fixtures.postgres import PostgresServer

from coliseum.arena.api.exports.exports import Exports
from coliseum.arena.api.leaderboards.leaderboards import LeaderboardQueries
from coliseum.arena.api.public.queries import PublicQueries
from coliseum.arena.forecasts import Track
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.public import PublicRecords
from coliseum.arena.reporting.reports import make_report, save_report
from coliseum.arena.season_cells.rows import ReportKey
from coliseum.store.client import Store

EXPORTS = f"{API}/arena/exports"


@pytest.fixture
def world(store: Store, postgres_server: PostgresServer) -> World:
    return arena_world.build(store, postgres_server)


@pytest.fixture
def client(postgres_server: PostgresServer) -> Iterator[TestClient]:
    with client_of(build(settings_of(postgres=postgres_server))) as client:
        yield client


def pages(client: TestClient, path: str) -> Iterator[list[dict[str, Any]]]:
    """The rows of each page."""
    url: str | None = f"{EXPORTS}/{path}"
    while url:
        response = client.get(url)
        assert response.status_code == 200, response.text
        yield [json.loads(line) for line in response.text.splitlines()]
        link = response.headers.get("link")
        url = link.partition(">")[0].removeprefix("<") if link else None


def rows(client: TestClient, path: str) -> list[dict[str, Any]]:
    """All rows of one answer, which must be whole."""
    response = client.get(f"{EXPORTS}/{path}")
    assert (response.status_code, response.headers.get("link")) == (200, None), response.text
    return [json.loads(line) for line in response.text.splitlines()]


def with_small_answers(client: TestClient, store: Store, most_bytes: int) -> None:
    """From now on a response holds so many bytes only."""
    app: Any = client.app
    queries = PublicQueries(PublicRecords(lambda: store))
    app.state.exports = Exports(queries, LeaderboardQueries(queries), most_bytes=most_bytes)


def publish_board(records: ArenaRecords, world: World) -> None:
    """A newer leaderboard of the blind track."""
    now = datetime.now(UTC)
    key = ReportKey(season=world.season, track=Track.BLIND, as_of=now, known_at=now)
    save_report(records, make_report(records, key, draws=0))


def test_the_cells_of_a_board_are_all_its_questions(client: TestClient, world: World) -> None:
    cells = rows(client, "cells.jsonl?track=aware")
    assert {(cell["agent"], cell["window"]) for cell in cells} == {("market", world.closed), ("modest", world.closed)}
    assert len(cells) == 12
    (missed,) = [cell for cell in cells if cell["p"] is None]
    assert (missed["agent"], missed["market"], missed["y"], missed["due_at"]) == ("modest", "KXA1-26", 1, "inf")
    assert (missed["q"], missed["yes_ask"], missed["no_ask"], missed["cluster"]) == (0.425, "0.4500", "0.6000", "KXA0")


def test_cells_belong_to_the_board_that_is_asked_for(client: TestClient, world: World, store: Store) -> None:
    before = rows(client, f"cells.jsonl?digest={world.digest}")
    records = ArenaRecords(store)
    now = datetime.now(UTC)
    records.record_result(world.tickers[-1], status="finalized", result="yes", value=Decimal(1), decided_at=now)
    now = datetime.now(UTC)
    save_report(
        records,
        make_report(records, ReportKey(season=world.season, track=Track.BLIND, as_of=now, known_at=now), draws=0),
    )
    newest = client.get(f"{EXPORTS}/cells.jsonl")
    assert newest.headers["coliseum-report-digest"] != world.digest
    assert len([1 for line in newest.text.splitlines() if json.loads(line)["y"] is not None]) == 18
    assert len([1 for cell in before if cell["y"] is not None]) == 15
    assert rows(client, f"cells.jsonl?digest={world.digest}") == before
    assert rows(client, f"cells.jsonl?known_at={world.made_at.isoformat().replace('+', '%2B')}") == before
    assert client.get(f"{EXPORTS}/cells.jsonl?digest={'0' * 64}").status_code == 404
    assert client.get(f"{EXPORTS}/cells.jsonl?season=1999Q1").status_code == 404


def test_pages_of_cells_stay_with_the_board_of_the_first(client: TestClient, world: World, store: Store) -> None:
    whole = rows(client, "cells.jsonl")
    reading = pages(client, "cells.jsonl?limit=5")
    found = next(reading)
    records, now = ArenaRecords(store), datetime.now(UTC)
    records.record_result(world.tickers[-1], status="finalized", result="yes", value=Decimal(1), decided_at=now)
    now = datetime.now(UTC)
    save_report(
        records,
        make_report(records, ReportKey(season=world.season, track=Track.BLIND, as_of=now, known_at=now), draws=0),
    )
    for page in reading:
        assert len(page) <= 5
        found += page
    assert found == whole


def test_a_whole_table_that_does_not_fit_is_refused_and_its_pages_are_complete(
    client: TestClient, world: World, store: Store
) -> None:
    whole = rows(client, "forecasts.jsonl")
    with_small_answers(client, store, 6000)
    refused = client.get(f"{EXPORTS}/forecasts.jsonl")
    assert (refused.status_code, refused.json()["type"]) == (413, "urn:coliseum:problem:too-large")
    assert "limit=1000" in refused.json()["detail"]
    assert "coliseum export forecasts" in refused.json()["detail"]
    read = list(pages(client, "forecasts.jsonl?limit=1000"))
    assert len(read) > 3
    assert [row for page in read for row in page] == whole


def test_a_row_larger_than_a_response_comes_alone(client: TestClient, world: World, store: Store) -> None:
    with_small_answers(client, store, 100)
    assert [len(page) for page in pages(client, "agents.jsonl?limit=3")] == [1] * 6


def test_what_comes_after_the_first_page_is_on_none(
    client: TestClient, world: World, store: Store, postgres_server: PostgresServer
) -> None:
    results, forecasts = pages(client, "results.jsonl?limit=2"), pages(client, "forecasts.jsonl?limit=2")
    found, said = next(results), next(forecasts)
    assert said[0]["round_id"] == world.open
    records, now = ArenaRecords(store), datetime.now(UTC)
    records.record_result(world.tickers[-1], status="finalized", result="yes", value=Decimal(1), decided_at=now)
    closes_now = f"update arena_rounds set closes_at = now() where round_id = '{world.open}'"  # noqa: S608
    postgres_server.execute(f"set session_replication_role = replica; {closes_now}")
    found += [row for page in results for row in page]
    said += [row for page in forecasts for row in page]
    assert [row["ticker"] for row in found] == list(world.tickers[:-1])
    secret = [row for row in said if row["round_id"] == world.open]
    assert len(secret) == 5
    assert [(row["opened"], row["probability"], row["payload"]) for row in secret] == [(False, None, None)] * 5
    assert str(SECRET) in client.get(f"{EXPORTS}/forecasts.jsonl").text
