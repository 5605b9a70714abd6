"""Applies `supabase/migrations` in order, with the history table that Supabase's own CLI keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Literal

MIGRATIONS = Path(__file__).resolve().parents[3] / "supabase" / "migrations"
_NAME = re.compile(r"(\d{14})_([a-z0-9_]+)\.sql", re.ASCII)
_LOCK = 7_305_808_869_231_650_000
"""Of the advisory lock that lets one runner work at a time; any number that nothing else uses."""
_HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
    version text not null primary key, statements text[], name text
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    version: str
    name: str
    sql: str


def migrations_in(folder: Path) -> tuple[Migration, ...]:
    """The folder's migrations, oldest first. Raises ValueError for a file with another name."""
    found = []
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path.name}: expected <14 digits>_<name>.sql in {folder}")
        found.append(Migration(match[1], match[2], path.read_text()))
    versions = [migration.version for migration in found]
    if len(set(versions)) != len(versions):
        raise ValueError(f"two migrations in {folder} have the same version")
    return tuple(found)


def apply(connection: psycopg.Connection[Any], migrations: tuple[Migration, ...]) -> tuple[str, ...]:
    """Apply what the history lacks, one transaction per file; the versions applied.

    The connection must be in autocommit mode. A file that fails leaves nothing behind and stops the run.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", (_LOCK,))
        try:
            cursor.execute(_HISTORY)
            cursor.execute("select version from supabase_migrations.schema_migrations")
            known = {row[0] for row in cursor.fetchall()}
            fresh = [migration for migration in migrations if migration.version not in known]
            for migration in fresh:
                _apply_one(connection, migration)
        finally:
            cursor.execute("select pg_advisory_unlock(%s)", (_LOCK,))
    return tuple(migration.version for migration in fresh)


def bootstrap(connection: psycopg.Connection[Any], *, password: str | None) -> None:
    """What a Supabase project has before its first migration: roles and schemas.

    With `password` the gateway's own login `authenticator` gets it.
    """
    connection.execute(files(__package__).joinpath("bootstrap.sql").read_bytes())
    if password is not None:
        connection.execute(SQL("alter role authenticator login password {}").format(Literal(password)))


def _apply_one(connection: psycopg.Connection[Any], migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.sql.encode())
            connection.execute(
                "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)",
                (migration.version, [migration.sql], migration.name),
            )
    except psycopg.Error as error:
        raise RuntimeError(f"migration {migration.version}_{migration.name}: {error}") from error
