"""The migrations and their runner."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer

from coliseum_local.postgres.migrations import apply, migrations_in

HISTORY = "select version from supabase_migrations.schema_migrations order by version"
Connection = psycopg.Connection[Any]


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[str]:
    """The DSN of a database without our migrations, on the same server."""
    postgres_server.execute("drop database if exists empty_one with (force)")
    postgres_server.execute("create database empty_one")
    yield psycopg.conninfo.make_conninfo(postgres_server.dsn, dbname="empty_one")
    postgres_server.execute("drop database empty_one with (force)")


def connect(dsn: str) -> Connection:
    return psycopg.connect(dsn, autocommit=True)


def test_the_projects_migrations_are_all_applied_and_a_second_run_does_nothing(
    root: Path, postgres_server: PostgresServer
) -> None:
    migrations = migrations_in(root / "supabase" / "migrations")

    with connect(postgres_server.dsn) as connection:
        assert [row[0] for row in connection.execute(HISTORY)] == [migration.version for migration in migrations]
        assert apply(connection, migrations) == ()


def test_two_runners_at_once_apply_each_file_once(root: Path, empty: str) -> None:
    migrations = migrations_in(root / "supabase" / "migrations")

    def run(_: int) -> int:
        with connect(empty) as connection:
            return len(apply(connection, migrations))

    with ThreadPoolExecutor(2) as pool:
        applied = list(pool.map(run, range(2)))

    assert sorted(applied) == [0, len(migrations)]


def test_where_everything_is_granted_to_everyone_the_public_still_only_reads(root: Path, empty: str) -> None:
    """Hosted projects may begin like this; and who may write a view over one table writes the table."""
    with connect(empty) as connection:
        for kind in ("tables", "functions", "sequences"):
            connection.execute(
                f"alter default privileges in schema public grant all on {kind} to anon, authenticated, service_role"
            )
        apply(connection, migrations_in(root / "supabase" / "migrations"))
        granted = connection.execute(
            "select table_name, privilege_type from information_schema.role_table_grants"
            " where table_schema = 'public' and grantee in ('anon', 'authenticated', 'PUBLIC')"
            " and (privilege_type <> 'SELECT' or not starts_with(table_name, 'public_'))"
        ).fetchall()
        callable_by_public = connection.execute(
            "select proname from pg_proc where pronamespace in ('public'::regnamespace, 'private'::regnamespace)"
            " and prosecdef and has_function_privilege('anon', oid, 'execute')"
        ).fetchall()

    assert (granted, callable_by_public) == ([], [])


def test_a_file_that_fails_leaves_nothing_behind_and_names_itself(tmp_path: Path, empty: str) -> None:
    (tmp_path / "20260101000000_good.sql").write_text("create table good (a int);")
    (tmp_path / "20260101000001_bad.sql").write_text("create table half (a int); select 1 / 0;")

    with connect(empty) as connection:
        with pytest.raises(RuntimeError, match="20260101000001_bad: division by zero"):
            apply(connection, migrations_in(tmp_path))

        assert connection.execute("select to_regclass('good') is not null, to_regclass('half')").fetchone() == (
            True,
            None,
        )
        assert [row[0] for row in connection.execute(HISTORY)] == ["20260101000000"]


@pytest.mark.parametrize("name", ["1_short.sql", "20260101000000-dash.sql", "20260101000000_Upper.sql", "notes.md"])
def test_a_file_with_a_name_the_cloud_would_skip_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")

    with pytest.raises(ValueError, match="14 digits"):
        migrations_in(tmp_path)


def test_two_files_of_one_version_are_refused(tmp_path: Path) -> None:
    for name in ("20260101000000_a.sql", "20260101000000_b.sql"):
        (tmp_path / name).write_text("")

    with pytest.raises(ValueError, match="same version"):
        migrations_in(tmp_path)
