"""`python -m coliseum_local.bot --exchange URL --api-key K --private-key PATH` runs the reference trading bot."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import os
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from coliseum.client import Reporter
from coliseum.errors import ConfigurationError
from coliseum.kalshi.signing import load_private_key
from coliseum_local.bot.client import ExchangeClient
from coliseum_local.bot.mode import VARIABLE, decide
from coliseum_local.bot.order_journal import OrderJournal
from coliseum_local.bot.risk import Limits
from coliseum_local.bot.trader import Trader
from coliseum_local.processes import announce_ready
from coliseum_local.serving import stop_signal

DEFAULTS = Limits()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="coliseum_local.bot", description=__doc__)
    port = int(os.environ.get("COLISEUM_BOT_PORT") or 9000)
    add = parser.add_argument
    add("--exchange", required=True, help="base URL, with /trade-api/v2")
    add("--api-key", required=True, help="id of the API key")
    add("--private-key", type=Path, required=True, help="PEM file of the key, RSA or Ed25519")
    add("--port", type=int, default=port, help="0 takes any free port (default %(default)s)")
    add("--state", type=Path, default=None, help="folder that keeps the trades over restarts")
    add("--push", metavar="URL", help="where trades are pushed, signed with BOT_WEBHOOK_SECRET")
    add("--pace", type=float, default=4.0, help="seconds between two taking orders, on average (default %(default)s)")
    add("--live", action="store_true", help=f"trade real money; needs {VARIABLE}")
    add("--max-contracts", type=Decimal, default=DEFAULTS.contracts_per_market, help="per market")
    add("--max-exposure", type=Decimal, default=DEFAULTS.exposure, help="dollars over all positions")
    add("--max-daily-loss", type=Decimal, default=DEFAULTS.daily_loss, help="dollars")
    return parser.parse_args()


def _push(arguments: argparse.Namespace) -> tuple[str | None, str | None]:
    """Where the reporter pushes, and its secret: of several the first, which is the newest. None and None: nowhere."""
    secret = (os.environ.get("BOT_WEBHOOK_SECRET") or "").partition(",")[0].strip()
    return (arguments.push, secret) if arguments.push and secret else (None, None)


async def _serve(arguments: argparse.Namespace) -> None:
    mode = decide(exchange=arguments.exchange, live=arguments.live, confirmation=os.environ.get(VARIABLE))
    if arguments.pace <= 0:
        raise ConfigurationError("--pace", "expected seconds above 0")
    print(mode.announcement, file=sys.stderr, flush=True)
    key = load_private_key(_read_key(arguments.private_key), variable="--private-key")
    trader = Trader(
        client=ExchangeClient(arguments.exchange, key_id=arguments.api_key, private_key=key),
        mode=mode,
        pace_seconds=arguments.pace,
        limits=Limits(
            contracts_per_market=arguments.max_contracts,
            exposure=arguments.max_exposure,
            daily_loss=arguments.max_daily_loss,
        ),
    )
    trader.journal = _journal_of(arguments)
    url, secret = _push(arguments)
    with Reporter(_file_of(arguments, "trades"), port=arguments.port, url=url, secret=secret) as reporter:
        if reporter.port is None:
            raise ConfigurationError("--port", " ".join(reporter.problems.values()))
        trader.reporter = reporter
        reporter.status(**trader.status())  # the mode is known from the first answer on
        stopping = stop_signal()
        announce_ready(url=f"http://127.0.0.1:{reporter.port}", mode=mode.name, target=mode.target)
        work = asyncio.create_task(trader.run())
        await stopping.wait()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    await trader.client.close()


def _file_of(arguments: argparse.Namespace, what: str) -> Path | None:
    """One file for each account, because the trades of two accounts are not one run. None without a folder."""
    if arguments.state is None:
        return None
    account = hashlib.sha256(arguments.api_key.encode()).hexdigest()[:12]
    folder: Path = arguments.state
    return folder / f"{what}-{account}.log"


def _journal_of(arguments: argparse.Namespace) -> OrderJournal | None:
    path = _file_of(arguments, "orders")
    try:
        return None if path is None else OrderJournal(path)
    except OSError as error:
        raise ConfigurationError("--state", f"{path} cannot be written ({error.strerror})") from None


def _read_key(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise ConfigurationError("--private-key", f"{path} cannot be read ({error.strerror})") from None


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        asyncio.run(_serve(_arguments()))
    except ConfigurationError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
