"""`python -m coliseum.streaming`: serve the stream, as the container does."""

from __future__ import annotations

import argparse
import asyncio
import socket

from coliseum import config
from coliseum.aws import load_secrets
from coliseum.streaming.app import create_app
from coliseum.streaming.server import run


def main() -> None:
    parser = argparse.ArgumentParser(prog="coliseum.streaming", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 inside a container")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--fd", type=int, help="serve on a listening socket that the parent opened")
    options = parser.parse_args()
    load_secrets()
    app = create_app(config.settings)
    address = (options.host, options.port)
    listening = socket.create_server(address, backlog=4096) if options.fd is None else socket.socket(fileno=options.fd)
    asyncio.run(run(app, listening))


if __name__ == "__main__":
    main()
