"""`python -m coliseum_local.postgres`: server, migrations and gateway, until SIGTERM or the end of stdin."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import psycopg
import uvicorn

from coliseum_local.postgres.app import Gateway, create_app
from coliseum_local.postgres.cluster import Cluster
from coliseum_local.postgres.connections import Connections
from coliseum_local.postgres.keys import keys_of
from coliseum_local.postgres.migrations import apply, bootstrap, migrations_in
from coliseum_local.processes import announce_ready

DEFAULT_PORT = 8002
MIGRATIONS = Path(__file__).resolve().parents[3] / "supabase" / "migrations"


class _Server(uvicorn.Server):
    """Tells when it serves, and leaves the signals to us: Postgres must be stopped after it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(arguments: argparse.Namespace) -> None:
    """Run until a signal."""
    keys = keys_of(arguments.state)
    listener = socket.create_server(("127.0.0.1", arguments.port), backlog=1024)
    # Inherited by accepted connections. asyncio sets it only on sockets made with an explicit protocol; without it
    # every answer that leaves in two pieces waits 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    own = os.environ.get("COLISEUM_DATABASE_URL", "")
    cluster = None if own else Cluster(arguments.state, password=keys.password)
    try:
        if cluster is not None:
            cluster.start()
        dsn = own if cluster is None else cluster.dsn
        with psycopg.connect(dsn, autocommit=True) as connection:
            bootstrap(connection, password=None if cluster is None else keys.password)
            for version in apply(connection, migrations_in(arguments.migrations)):
                print(f"applied migration {version}", file=sys.stderr, flush=True)
        # The gateway's own login has no rights but to become one of the API's roles.
        connections = Connections(dsn if cluster is None else cluster.dsn_of("authenticator"))
        config = uvicorn.Config(
            create_app(Gateway(connections, keys)),
            log_level="warning",
            lifespan="off",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await server.serving.wait()
        stopping = _signalled()
        announce_ready(
            url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            secret_key=keys.secret_key,
            publishable_key=keys.publishable_key,
            dsn=dsn,
        )
        await stopping.wait()
        server.should_exit = True
        await serving
        connections.close()
    finally:
        if cluster is not None:
            cluster.stop()


def _signalled() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _own(state: Path) -> int:
    """Make the state directory ours alone until this process ends."""
    state.mkdir(parents=True, exist_ok=True)
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"{state} is in use by another coliseum_local.postgres")
    return lock


def main() -> None:
    parser = argparse.ArgumentParser(prog="coliseum_local.postgres", description=__doc__)
    port = int(os.environ.get("COLISEUM_SUPABASE_PORT") or DEFAULT_PORT)
    parser.add_argument("--port", type=int, default=port, help="0 takes any free port")
    parser.add_argument("--state", type=Path, default=Path(".coliseum/postgres"), help="directory for data and keys")
    parser.add_argument("--migrations", type=Path, default=MIGRATIONS, help="directory of SQL files, applied at start")
    arguments = parser.parse_args()
    arguments.state = arguments.state.resolve()
    _own(arguments.state)
    signal.signal(signal.SIGTERM, _leave)  # until we serve: a server that was just started is stopped as well
    try:
        asyncio.run(serve(arguments))
    except (psycopg.Error, RuntimeError, ValueError, OSError) as error:
        sys.exit(f"coliseum_local.postgres: {error}")


if __name__ == "__main__":
    main()
