"""Fixtures of the tests of `coliseum verify`: a season, its API, and what a verification read from it."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from functions.arena.app import build as build_app
from tests.contract import verified_world
from tests.contract.rest_world import API, settings_of
from tests.contract.verified_world import VerifiedWorld, run
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.waiting import until

from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.store.client import Store
from coliseum_local.verify import VERIFIED


@pytest.fixture(scope="module")
def verified(postgres_server: PostgresServer) -> VerifiedWorld:
    return verified_world.build(postgres_server)


@pytest.fixture
def verified_records(postgres_server: PostgresServer, verified: VerifiedWorld) -> Iterator[ArenaRecords]:
    """The tables of the world, which stays as it is."""
    store = Store(postgres_server.url, postgres_server.secret_key)
    yield ArenaRecords(store)
    store.close()


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve an app on a free port. Gives its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    # The logger writes to the output that pytest captured at its first use. Later that is closed, and logging would
    # complain on the error output of the test.
    complains, logging.raiseExceptions = logging.raiseExceptions, False
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
    logging.raiseExceptions = complains
    app.state.resources.close()


@pytest.fixture(scope="module")
def board_server(postgres_server: PostgresServer, verified: VerifiedWorld) -> Iterator[str]:
    """The address of the arena's API."""
    with served(build_app(settings_of(postgres=postgres_server))) as url:
        yield url


@pytest.fixture(scope="module")
def saved_exports(board_server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the verification of the aware leaderboard read."""
    folder = tmp_path_factory.mktemp("saved")
    assert run(f"{board_server}{API}/arena/leaderboard?track=aware", save=folder) == VERIFIED
    return folder


@pytest.fixture
def exports_folder(saved_exports: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    return Path(shutil.copytree(saved_exports, tmp_path / "exports"))
