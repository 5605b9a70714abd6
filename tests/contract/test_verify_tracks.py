"""`coliseum verify` on the leaderboards of `informed` and `open`: with sources, outside agents, and a ban."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from functions.arena.app import build as build_app
from tests.contract.conftest import served
from tests.contract.rest_world import API, settings_of
from tests.contract.verified_world import publish, run
from tests.fixtures.postgres import _EMPTY, PostgresServer
from tests.integration.arena_world import (
    answer,
    behind,
    end_round,
    enrolled,
    entered,
    now,
    open_round,
    seal_as_entrant,
)

from coliseum.arena.agents.enrollment import enroll
from coliseum.arena.forecasts import Track
from coliseum.arena.frozen_context import context_hash
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.store.client import Store
from coliseum_local.verify import DIFFERENT, VERIFIED

READER = {
    "agent_id": "reader", "kind": "llm", "name": "Reader", "model": "delphi/reader-1", "status": "active",
    "tracks": ["blind", "informed"], "params": {},
}  # fmt: skip
SOURCE = {
    "title": "Rain is likely", "url": "https://news.example/1", "publisher": "News", "text": "It may rain.",
    "published_at": "2026-11-30T00:00:00Z", "fetched_at": "2026-11-30T01:00:00Z", "sha256": "0" * 64,
}  # fmt: skip
TRACKS = (Track.OPEN, Track.INFORMED, Track.BLIND)
NAMES = ("Outsider", "Banned outsider")


@pytest.fixture(scope="module")
def board(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of the leaderboards of a season with three rounds."""
    postgres_server.execute(_EMPTY)
    store = Store(postgres_server.url, postgres_server.secret_key)
    _play(ArenaRecords(store), postgres_server)
    store.close()
    settings = settings_of(postgres=postgres_server).model_copy(update={"arena_entry": "open"})
    with served(build_app(settings)) as url:
        yield f"{url}{API}/arena/leaderboard"


def _play(records: ArenaRecords, server: PostgresServer) -> None:
    season = enrolled(records)
    enroll(records, season, [READER])
    entrants = {name: entered(records, name) for name in NAMES}
    rounds = []
    for number in range(3):
        tickers = [f"R{number}M{market}" for market in range(3)]
        rounds.append(open_round(records, tickers, ago=timedelta(minutes=30 * (3 - number)), minutes=240))
        for ticker in tickers:
            _show_source(records, server, rounds[-1], ticker)
            for track, p in ((Track.BLIND, "0.4000"), (Track.INFORMED, "0.6500")):
                answer(records, rounds[-1], agent="reader", ticker=ticker, track=track, p=p, traded=False)
            for name, entrant in entrants.items():
                if name == NAMES[0] or number == 0:
                    seal_as_entrant(records, entrant, rounds[-1], ticker, name=name, p="0.71")
    records.store.rpc(
        "arena_set_entrant",
        {"p_entrant": entrants[NAMES[1]], "p_status": "banned", "p_requests": None, "p_forecasts": None},
    )
    for number, round_id in enumerate(rounds):
        end_round(server, round_id)
        records.close_round(round_id)
        for market in range(3):
            value = (number + market) % 2
            result = "yes" if value else "no"
            records.record_result(
                f"R{number}M{market}", status="finalized", result=result, value=Decimal(value), decided_at=now()
            )
    for track in TRACKS:
        publish(records, season, track)


def _show_source(records: ArenaRecords, server: PostgresServer, round_id: str, ticker: str) -> None:
    """Put a source into the frozen context, as the opening does where feeds had one."""
    context = {**records.round_market(round_id, ticker).context, "sources": [SOURCE], "sourcing": {"problems": []}}
    text = json.dumps(context).replace("'", "''")
    behind(
        server,
        f"update public.arena_round_markets set context = '{text}', context_hash = '{context_hash(context)}'"  # noqa: S608
        f" where round_id = '{round_id}' and ticker = '{ticker}'",
    )


@pytest.mark.parametrize("track", TRACKS)
def test_the_leaderboard_of_every_track_is_made_again(board: str, track: Track) -> None:
    agents = {row["agent_id"] for row in httpx.get(board, params={"track": track.value}).json()["items"]}
    assert len([agent for agent in agents if agent.startswith("e-")]) == (2 if track is Track.OPEN else 0)
    assert run(f"{board}?track={track.value}") == VERIFIED


def test_a_changed_forecast_of_an_outside_agent_is_found(board: str, postgres_server: PostgresServer) -> None:
    changed = 'update public.arena_forecasts set p = 0.99, payload = payload || \'{"probability": "0.99"}\''
    where = "where forecast_id = (select min(forecast_id) from public.arena_forecasts where track = 'open')"
    before = 'update public.arena_forecasts set p = 0.71, payload = payload || \'{"probability": "0.71"}\''
    behind(postgres_server, f"{changed} {where}")
    assert run(f"{board}?track=open") == DIFFERENT
    behind(postgres_server, f"{before} {where}")
    assert run(f"{board}?track=open") == VERIFIED


def test_exports_of_outside_agents_hold_what_is_public_and_no_contact(board: str) -> None:
    exports = board.replace("leaderboard", "exports")
    for name in ("agents", "decisions", "forecasts", "reports", "rounds", "seals"):
        text = httpx.get(f"{exports}/{name}.jsonl").text
        assert "a@b.org" not in text
        assert ("e-outsider-" in text) == (name in {"agents", "decisions", "forecasts", "reports", "seals"}), name
