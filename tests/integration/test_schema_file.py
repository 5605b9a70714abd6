"""`supabase/schema.sql` shows the schema as it is."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer

from coliseum_local.postgres.schema_file import SCHEMA_FILE, dump_schema, migrate


@pytest.fixture
def migrated(postgres_server: PostgresServer) -> Iterator[str]:
    """The DSN of a database that holds what the migrations make, and nothing that other tests left."""
    postgres_server.execute("drop database if exists schema_file with (force)")
    postgres_server.execute("create database schema_file")
    dsn = psycopg.conninfo.make_conninfo(postgres_server.dsn, dbname="schema_file")
    migrate(dsn)
    yield dsn
    postgres_server.execute("drop database schema_file with (force)")


def test_the_schema_file_is_what_the_migrations_make(migrated: str) -> None:
    assert SCHEMA_FILE.read_text() == dump_schema(migrated), "run `make schema`, which writes supabase/schema.sql again"


def test_the_dump_shows_tables_views_functions_row_security_and_grants(migrated: str) -> None:
    text = dump_schema(migrated)
    for part in ("CREATE TABLE", "CREATE VIEW", "CREATE FUNCTION", "ROW LEVEL SECURITY", "GRANT SELECT"):
        assert part in text


def test_the_dump_holds_nothing_that_differs_between_machines(migrated: str) -> None:
    text = dump_schema(migrated)
    assert not any(noise in text for noise in ("restrict ", "Dumped", "SET ROLE", "search_path', ''"))
