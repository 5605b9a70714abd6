"""`python -m coliseum_local.exchange --port P --state DIR` runs the sandbox exchange as an HTTP server."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

import uvicorn

from coliseum.errors import ConfigurationError
from coliseum_local.exchange.app import create_app
from coliseum_local.exchange.credentials import load_or_create_credentials
from coliseum_local.exchange.journal import Journal
from coliseum_local.exchange.sandbox import open_sandbox
from coliseum_local.processes import announce_ready
from coliseum_local.serving import listen, url_of


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="coliseum_local.exchange", description=__doc__)
    port = int(os.environ.get("COLISEUM_KALSHI_PORT") or 8003)
    parser.add_argument("--port", type=int, default=port, help="0 takes any free port (default %(default)s)")
    parser.add_argument("--state", type=Path, required=True, help="folder of the keys and the journal")
    parser.add_argument("--seed", default="coliseum", help="decides what a new exchange lists and how it moves")
    parser.add_argument("--start", type=float, default=None, help="unix seconds at which its clock starts (now)")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="seconds of the exchange per real second; 0 stands still"
    )
    parser.add_argument("--still", action="store_true", help="odds do not move; makers quote each market once")
    parser.add_argument("--no-rate-limits", action="store_true", help="never answer 429")
    parser.add_argument(
        "--weekly-pause",
        action="store_true",
        help="no trading on Thursdays from 3 to 5 Eastern, as on Kalshi",
    )
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    keys = load_or_create_credentials(arguments.state)
    sandbox = open_sandbox(
        journal=Journal(arguments.state / "exchange.sqlite3"),
        credentials=keys,
        seed=arguments.seed,
        start=arguments.start,
        speed=arguments.speed,
        simulate=not arguments.still,
    )
    sandbox.venue.keeps_hours = arguments.weekly_pause
    sandbox.switches.rate_limits = not arguments.no_rate_limits
    listener = listen(arguments.port)
    base = url_of(listener)
    # The socket listens already, so a caller who is early waits in its queue and is not refused.
    announce_ready(
        url=f"{base}/trade-api/v2",
        api_key=keys.rsa_key_id,
        private_key_path=str(keys.rsa_path),
        ed25519_api_key=keys.ed25519_key_id,
        ed25519_private_key_path=str(keys.ed25519_path),
        admin_url=f"{base}/_sandbox",
        admin_token_path=str(keys.admin_token_path),
    )
    config = uvicorn.Config(create_app(sandbox), log_level="warning", access_log=False, lifespan="on", ws="none")
    await uvicorn.Server(config).serve(sockets=[listener])


def main() -> None:
    os.umask(0o077)  # only the owner may read the journal and the keys
    try:
        asyncio.run(_serve(_arguments()))
    except ConfigurationError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
