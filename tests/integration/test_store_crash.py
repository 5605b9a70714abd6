"""Sudden ends: of the database server, and of the process that runs it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer, start_postgres
from tests.fixtures.waiting import PATIENCE_SECONDS, until

from coliseum.errors import SourceUnavailable
from coliseum.store.client import Store
from coliseum_local.postgres.cluster import server_over

SNAPSHOT = {"taken_at": "2026-01-01T00:00:00Z", "cash": "1.10", "portfolio_value": "2.2", "source": "test"}


def postmaster_of(state: Path) -> psutil.Process:
    return psutil.Process(int((state / "pg16" / "postmaster.pid").read_text().splitlines()[0]))


def until_it_answers(store: Store) -> None:
    """Ping until the database answers."""

    def answers() -> bool:
        try:
            store.ping()
        except SourceUnavailable:
            return False
        return True

    until(answers)


def test_a_server_killed_under_the_gateway_comes_back_with_everything_committed(tmp_path: Path) -> None:
    process, server = start_postgres(tmp_path)
    store = Store(server.url, server.secret_key)
    try:
        store.insert("balance_snapshots", [SNAPSHOT])
        killed = postmaster_of(server.state)
        killed.kill()
        killed.wait(PATIENCE_SECONDS)

        until_it_answers(store)

        assert store.select("balance_snapshots", "equity::text") == [{"equity": "3.30"}]
        assert postmaster_of(server.state).pid != killed.pid
        assert process.exit_code is None
    finally:
        store.close()
        process.stop()
    assert process.exit_code == 0


def test_a_killed_run_is_cleaned_up_by_the_next_which_keeps_data_and_keys(tmp_path: Path) -> None:
    first, server = start_postgres(tmp_path)
    store = Store(server.url, server.secret_key)
    store.insert("balance_snapshots", [SNAPSHOT])
    store.close()
    orphan = postmaster_of(server.state)
    first.kill()
    assert orphan.is_running()

    second, again = start_postgres(tmp_path)
    store = Store(again.url, again.secret_key)
    try:
        assert not orphan.is_running()
        assert (again.secret_key, again.publishable_key) == (server.secret_key, server.publishable_key)
        assert len(store.select("balance_snapshots", "taken_at")) == 1
    finally:
        store.close()
        second.stop()
    assert second.exit_code == 0
    assert not (server.state / "pg16" / "postmaster.pid").exists()


def test_another_process_with_the_recorded_pid_is_left_alone(tmp_path: Path) -> None:
    note = tmp_path / "postmaster.pid"
    note.write_text(f"{os.getpid()}\n{tmp_path}\n")

    assert server_over(tmp_path) is None
    assert not note.exists()  # Postgres would have taken us for its predecessor


def test_the_state_belongs_to_one_run_which_ends_with_its_parent(tmp_path: Path) -> None:
    process, server = start_postgres(tmp_path)
    postmaster = postmaster_of(server.state)

    with pytest.raises(RuntimeError, match="is in use by another"):
        start_postgres(tmp_path)
    process.hang_up()

    assert process.wait(PATIENCE_SECONDS) == 0
    assert not postmaster.is_running()
    process.stop()
    assert (server.state / "keys.json").stat().st_mode & 0o777 == 0o600
    log = (tmp_path / "postgres.log").read_text()
    assert server.secret_key not in log
    assert server.dsn not in log


def test_another_postgres_is_used_where_one_is_named(tmp_path: Path, postgres_server: PostgresServer) -> None:
    postgres_server.execute("create database borrowed")
    dsn = psycopg.conninfo.make_conninfo(postgres_server.dsn, dbname="borrowed")
    process, borrower = start_postgres(tmp_path, database_url=dsn)
    store = Store(borrower.url, borrower.secret_key)
    try:
        store.insert("balance_snapshots", [SNAPSHOT])

        assert borrower.secret_key != postgres_server.secret_key
        assert not (borrower.state / "pg16").exists()
        assert len(store.select("balance_snapshots", "cash")) == 1
    finally:
        store.close()
        process.stop()
        postgres_server.execute("drop database borrowed with (force)")
