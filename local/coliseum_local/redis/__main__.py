"""`python -m coliseum_local.redis`: the engine and its gateway, until SIGTERM or the end of stdin."""

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

import uvicorn

from coliseum.errors import ColiseumError
from coliseum_local.processes import announce_ready
from coliseum_local.redis.access import tokens_of
from coliseum_local.redis.app import Gateway, create_app
from coliseum_local.redis.backend import Address, Backend
from coliseum_local.redis.valkey import Valkey, find_binary

DEFAULT_PORT = 8001


class _Server(uvicorn.Server):
    """Tells when it serves, and leaves the signals to us: uvicorn would raise them again before Valkey is stopped."""

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
    state: Path = arguments.state
    url = arguments.redis or os.environ.get("REDIS_URL", "")
    valkey = None if url else Valkey(find_binary(), state, fsync=arguments.fsync)
    backend = Backend(Address.parse(url) if valkey is None else valkey.address)
    tokens = tokens_of(state)
    gateway = Gateway(backend, tokens)
    listener = socket.create_server(("127.0.0.1", arguments.port), backlog=1024)
    # Inherited by accepted connections. asyncio sets it only on sockets made with an explicit protocol; without it
    # every answer that leaves in two pieces waits 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if valkey is not None:
        await valkey.start()
    try:
        server = _Server(uvicorn.Config(create_app(gateway), log_level="warning", lifespan="off", access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await server.serving.wait()
        stopping = _signalled()
        announce_ready(
            url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            token=tokens.token,
            read_only_token=tokens.read_only_token,
        )
        await stopping.wait()
        await gateway.hub.close()  # open subscriptions would hold the server up
        server.should_exit = True
        await serving
    finally:
        backend.close()
        if valkey is not None:
            await valkey.stop()


def _signalled() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _own(state: Path) -> int:
    """Make the state directory private and ours alone until this process ends."""
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"{state} is in use by another coliseum_local.redis")
    return lock


def main() -> None:
    parser = argparse.ArgumentParser(prog="coliseum_local.redis", description=__doc__)
    port = int(os.environ.get("COLISEUM_REDIS_PORT") or DEFAULT_PORT)
    parser.add_argument("--port", type=int, default=port, help="0 takes any free port")
    parser.add_argument("--state", type=Path, default=Path(".coliseum/redis"), help="directory for data and tokens")
    parser.add_argument("--redis", default="", help="a running server instead: unix:/path or redis://host:port")
    parser.add_argument("--fsync", choices=["everysec", "always"], default="everysec", help="when writes reach disk")
    arguments = parser.parse_args()
    arguments.state = arguments.state.resolve()
    _own(arguments.state)
    try:
        asyncio.run(serve(arguments))
    except (ColiseumError, RuntimeError, OSError) as error:
        sys.exit(f"coliseum_local.redis: {error}")


if __name__ == "__main__":
    main()
