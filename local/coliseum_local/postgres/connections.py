"""A pool of connections to Postgres. One that broke while it was idle is replaced without an error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]
LIMIT = 16
"""Connections at once; a request beyond it waits."""


class Connections:
    """Each connection is used by one thread at a time."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._idle: list[Connection] = []
        self._places = threading.BoundedSemaphore(LIMIT)

    @contextmanager
    def transaction(self, *, read_only: bool = False) -> Iterator[Connection]:
        """A connection inside a transaction, which commits at the end of the block and rolls back on an error.

        Raises psycopg.OperationalError where the server cannot be reached.
        """
        with self._places:
            connection = self._begun("begin read only" if read_only else "begin")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if not connection.closed:
                    _undo(connection)
                raise
            finally:
                if not connection.closed:
                    self._idle.append(connection)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _begun(self, begin: str) -> Connection:
        """`begin` is sent first, so that a broken idle connection fails before anything has been done."""
        while self._idle:
            connection = self._idle.pop()
            try:
                connection.execute(begin)
            except psycopg.OperationalError:
                connection.close()
            else:
                return connection
        connection = psycopg.connect(self._dsn, autocommit=True, connect_timeout=5, prepare_threshold=None)
        connection.execute(begin)
        return connection


def _undo(connection: Connection) -> None:
    try:
        connection.execute("rollback")
    except psycopg.Error:
        connection.close()
