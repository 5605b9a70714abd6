"""`python -m coliseum_local.redis`: the engine and its gateway, until SIGTERM or the end of stdin."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from coliseum.errors import ColiseumError
from coliseum_local.processes import announce_ready
from coliseum_local.redis.access import tokens_of
from coliseum_local.redis.app import UpstashGateway, create_app
from coliseum_local.redis.backend import Address, Backend
from coliseum_local.redis.valkey import Valkey, find_binary
from coliseum_local.serving import Server, listen, own, start_unless_stopped, stop_signal, url_of

DEFAULT_PORT = 8001


async def serve(arguments: argparse.Namespace) -> None:
    """Run until a signal."""
    stopping = stop_signal()  # first: without it a signal would end this process and leave Valkey running
    state: Path = arguments.state
    url = arguments.redis or os.environ.get("REDIS_URL", "")
    valkey = None if url else Valkey(find_binary(), state, fsync=arguments.fsync)
    backend = Backend(Address.parse(url) if valkey is None else valkey.address)
    tokens = tokens_of(state)
    gateway = UpstashGateway(backend, tokens)
    listener = listen(arguments.port)
    try:
        if valkey is not None and not await start_unless_stopped(valkey.start(), stopping):
            return
        server = Server(create_app(gateway), listener)
        await server.begin()
        announce_ready(
            url=url_of(listener),
            token=tokens.token,
            read_only_token=tokens.read_only_token,
        )
        await stopping.wait()
        await gateway.hub.close()  # open subscriptions would hold the server up
        await server.end()
    finally:
        backend.close()
        if valkey is not None:
            await valkey.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="coliseum_local.redis", description=__doc__)
    port = int(os.environ.get("COLISEUM_REDIS_PORT") or DEFAULT_PORT)
    parser.add_argument("--port", type=int, default=port, help="0 takes any free port")
    parser.add_argument("--state", type=Path, default=Path(".coliseum/redis"), help="directory for data and tokens")
    parser.add_argument("--redis", default="", help="a running server instead: unix:/path or redis://host:port")
    parser.add_argument("--fsync", choices=["everysec", "always"], default="everysec", help="when writes reach disk")
    arguments = parser.parse_args()
    arguments.state = arguments.state.resolve()
    own(arguments.state, server="coliseum_local.redis")
    try:
        asyncio.run(serve(arguments))
    except (ColiseumError, RuntimeError, OSError) as error:
        sys.exit(f"coliseum_local.redis: {error}")


if __name__ == "__main__":
    main()
