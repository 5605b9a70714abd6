"""Print what a month costs on AWS and Upstash: `make cost CLIENTS=3 TRADES=100`.

The formulas are those of docs/operations.md. Prices are the list prices of us-east-1 in 2026: check them before you
rely on the sum.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from bench import machine

HOURS = 730.0
LAMBDA_GB_SECOND = 0.0000133334
"""arm64."""
LAMBDA_FREE_GB_SECONDS = 400_000
LAMBDA_MILLION_REQUESTS = 0.20
LAMBDA_FREE_REQUESTS = 1_000_000
REDIS_PER_100K = 0.20
REDIS_FREE = 500_000
CONTAINER_MONTH = 11.0
"""The smallest always-on container with a public address: 0.25 vCPU, 0.5 GB."""
POLLER_GB, STREAM_GB = 0.25, 0.25
POLLER_MINUTE_COMMANDS = 7.2
"""Seven in a quiet minute, and one more in every fifth minute, when the account is stored."""
PUBLISH_COMMANDS = 9
"""Billed for one trade that arrives alone: the script and the commands that it calls."""
CONNECT_COMMANDS = 4
"""One SUBSCRIBE and one transaction of three reads."""


@dataclass(frozen=True)
class Month:
    """One month's use, and its bill in dollars."""

    poller_gb_seconds: float
    stream_gb_seconds: float
    requests: float
    redis_commands: float

    @property
    def compute(self) -> float:
        used = self.poller_gb_seconds + self.stream_gb_seconds
        paid_requests = max(0.0, self.requests - LAMBDA_FREE_REQUESTS) / 1e6
        return max(0.0, used - LAMBDA_FREE_GB_SECONDS) * LAMBDA_GB_SECOND + paid_requests * LAMBDA_MILLION_REQUESTS

    @property
    def redis(self) -> float:
        return 0.0 if self.redis_commands <= REDIS_FREE else self.redis_commands / 1e5 * REDIS_PER_100K


def month(*, clients: float, trades: float, session_seconds: float = 216.0) -> Month:
    """Return the month with `clients` streams open on average, each lasting `session_seconds`, and `trades` a day."""
    reconnects = clients * HOURS * 3600 / session_seconds
    minutes = HOURS * 60
    return Month(
        poller_gb_seconds=minutes * 60 * POLLER_GB,
        stream_gb_seconds=clients * HOURS * 3600 * STREAM_GB,
        requests=minutes + reconnects,
        redis_commands=minutes * POLLER_MINUTE_COMMANDS
        + trades * HOURS / 24 * PUBLISH_COMMANDS
        + reconnects * CONNECT_COMMANDS,
    )


def crossover() -> float:
    """Return the average number of open streams above which one small container is cheaper than functions."""
    return CONTAINER_MONTH / (HOURS * 3600 * STREAM_GB * LAMBDA_GB_SECOND)


def main() -> None:
    """Print the bill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=float, default=1.0, help="streams open on average")
    parser.add_argument("--trades", type=float, default=100.0, help="trades a day")
    parser.add_argument("--session", type=float, default=216.0, help="average length of a stream in seconds")
    chosen = parser.parse_args()
    bill = month(clients=chosen.clients, trades=chosen.trades, session_seconds=chosen.session)
    rows = [
        ["poller, GB-seconds", f"{bill.poller_gb_seconds:,.0f}", ""],
        ["streams, GB-seconds", f"{bill.stream_gb_seconds:,.0f}", ""],
        ["Lambda, after the free tier", "", f"${bill.compute:.2f}"],
        ["Redis commands", f"{bill.redis_commands:,.0f}", f"${bill.redis:.2f}"],
        ["total per month", "", f"${bill.compute + bill.redis:.2f}"],
        ["open streams above which a container is cheaper", f"{crossover():.1f}", f"${CONTAINER_MONTH:.2f}"],
    ]
    machine.show(
        f"{chosen.clients:g} streams open on average, {chosen.trades:g} trades a day", ["", "use", "bill"], rows
    )


if __name__ == "__main__":
    main()
