"""`python -m coliseum_local.postgres`: server, migrations and gateway, until SIGTERM or the end of stdin."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import psycopg

from coliseum_local.postgres.app import PostgrestGateway, create_app
from coliseum_local.postgres.cluster import PostgresCluster
from coliseum_local.postgres.connections import Connections
from coliseum_local.postgres.keys import keys_of
from coliseum_local.postgres.migrations import MIGRATIONS, apply, bootstrap, migrations_in
from coliseum_local.processes import announce_ready
from coliseum_local.serving import Server, listen, own, stop_signal, url_of

DEFAULT_PORT = 8002


async def serve(arguments: argparse.Namespace) -> None:
    """Run until a signal."""
    keys = keys_of(arguments.state)
    listener = listen(arguments.port)
    own_database = os.environ.get("COLISEUM_DATABASE_URL", "")
    cluster = None if own_database else PostgresCluster(arguments.state, password=keys.password)
    try:
        if cluster is not None:
            cluster.start()
        dsn = own_database if cluster is None else cluster.dsn
        with psycopg.connect(dsn, autocommit=True) as connection:
            bootstrap(connection, password=None if cluster is None else keys.password)
            for version in apply(connection, migrations_in(arguments.migrations)):
                print(f"applied migration {version}", file=sys.stderr, flush=True)
        # The gateway's own login has one right only: to become one of the API's roles.
        connections = Connections(dsn if cluster is None else cluster.dsn_of("authenticator"))
        server = Server(
            create_app(PostgrestGateway(connections, keys)), listener, server_header=False, timeout_graceful_shutdown=3
        )
        await server.begin()
        stopping = stop_signal()
        announce_ready(
            url=url_of(listener),
            secret_key=keys.secret_key,
            publishable_key=keys.publishable_key,
            dsn=dsn,
        )
        await stopping.wait()
        await server.end()
        connections.close()
    finally:
        if cluster is not None:
            cluster.stop()


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main() -> None:
    parser = argparse.ArgumentParser(prog="coliseum_local.postgres", description=__doc__)
    port = int(os.environ.get("COLISEUM_SUPABASE_PORT") or DEFAULT_PORT)
    parser.add_argument("--port", type=int, default=port, help="0 takes any free port")
    parser.add_argument("--state", type=Path, default=Path(".coliseum/postgres"), help="directory for data and keys")
    parser.add_argument("--migrations", type=Path, default=MIGRATIONS, help="directory of SQL files, applied at start")
    arguments = parser.parse_args()
    arguments.state = arguments.state.resolve()
    own(arguments.state, server="coliseum_local.postgres")
    signal.signal(signal.SIGTERM, _leave)  # until we serve: a server that was just started is stopped as well
    try:
        asyncio.run(serve(arguments))
    except (psycopg.Error, RuntimeError, ValueError, OSError) as error:
        sys.exit(f"coliseum_local.postgres: {error}")


if __name__ == "__main__":
    main()
