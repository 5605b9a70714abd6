"""The running sandbox exchange: its venue, clock, journal, keys and the operator's switches."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from decimal import Decimal

from coliseum.trading.money import ZERO
from coliseum.trading.transfers import TransferKind
from coliseum_local.exchange import simulation
from coliseum_local.exchange.credentials import SandboxCredentials
from coliseum_local.exchange.journal import Journal, restore
from coliseum_local.exchange.rate_limits import CallerLimits
from coliseum_local.exchange.transfers import TransferRequest
from coliseum_local.exchange.venue import Venue

FUNDING = Decimal(10_000)
"""Dollars that the member's account starts with."""
FLUSH_SECONDS = 3.0
"""Changes that concern only simulated traders are written this often; a member's are written at once."""
DAY = 86_400


@dataclass(slots=True)
class Clock:
    """The exchange's time: `speed` times as fast as real time, or standing still (0) until the operator moves it."""

    start: float
    """The exchange's unix second at `origin`."""
    origin: float
    """Monotonic second at which the clock was started."""
    speed: float = 1.0

    def at(self, monotonic: float) -> float:
        """The exchange's unix second at a second of this machine's monotonic clock."""
        return self.start + (monotonic - self.origin) * self.speed

    def move(self, seconds: float) -> None:
        self.start += seconds


@dataclass(slots=True)
class Switches:
    """Faults and behaviours that the operator turned on, to see how clients react."""

    outage: bool = False
    resume_time: str | None = None
    too_many_requests: int = 0
    """This many of the next requests are answered with 429."""
    retry_after: str | None = None
    """The header `Retry-After` of these; None sends none, as the exchange does."""
    rate_limits: bool = True
    legacy_fields: bool = True
    latency_seconds: float = 0.0
    simulate: bool = True
    """Odds move and simulated visitors trade."""


@dataclass(slots=True)
class Cutoffs:
    """Unix seconds before which rows are in the historical tier; None: so many days before the exchange's time."""

    market_settled: float | None = None
    trades_created: float | None = None
    orders_updated: float | None = None

    def market(self, now: float) -> float:
        return _days_ago(now, 60) if self.market_settled is None else self.market_settled

    def trade(self, now: float) -> float:
        return _days_ago(now, 60) if self.trades_created is None else self.trades_created

    def order(self, now: float) -> float:
        return _days_ago(now, 14) if self.orders_updated is None else self.orders_updated


def _days_ago(now: float, days: int) -> float:
    return (now // DAY - days) * DAY


@dataclass(slots=True)
class SandboxExchange:
    """Everything that a request or a tick works on. One per process, used by one thread."""

    venue: Venue
    clock: Clock
    journal: Journal
    credentials: SandboxCredentials
    switches: Switches = field(default_factory=Switches)
    cutoffs: Cutoffs = field(default_factory=Cutoffs)
    allowances: dict[str, CallerLimits] = field(default_factory=dict)
    """Rate limits by account, or by address for requests without a known key."""
    flushed_at: float = 0.0
    """Monotonic second of the last write."""

    def tick(self) -> None:
        """Let the exchange's time pass up to now, and write what is due."""
        simulation.advance(self.venue, self.clock.at(time.monotonic()), active=self.switches.simulate)
        self.flush()

    def flush(self, *, now: bool = False) -> None:
        """Write the changes: at once where a member's account changed or with `now`, otherwise every few seconds."""
        moment = time.monotonic()
        if now or self.venue.changes.urgent or moment - self.flushed_at >= FLUSH_SECONDS:
            self.journal.write(self.venue)
            self.flushed_at = moment

    def admits(self, caller: str, method: str, route: str) -> bool:
        """Whether the caller's rate limit allows this request; if so, its tokens are spent."""
        if not self.switches.rate_limits:
            return True
        return self.allowances.setdefault(caller, CallerLimits()).admits(method, route, time.monotonic())


def open_sandbox(
    *, journal: Journal, credentials: SandboxCredentials, seed: str, start: float | None, speed: float, simulate: bool
) -> SandboxExchange:
    """The exchange from its journal, or a new one with a funded member's account.

    `start` is the unix second at which a new exchange begins (now if None), `speed` its seconds per real second.
    """
    start_time = time.time() if start is None else start
    # A clock that stands still goes on where it stopped; a running one may not fall behind real time.
    venue = restore(journal.read(), now=start_time if speed else 0.0)
    if venue is None:
        venue = Venue(seed=seed, now=start_time)
        simulation.open_new_exchange(venue)
        venue.open_account(credentials.account_id, cash=FUNDING, member=True)
    if not venue.transfers[credentials.account_id]:  # a new exchange, or a state file of an earlier version
        funding = TransferRequest(kind=TransferKind.DEPOSIT, amount=FUNDING, fee=ZERO)
        venue.record_transfer(credentials.account_id, funding)
    clock = Clock(start=venue.now, origin=time.monotonic(), speed=speed)
    sandbox = SandboxExchange(venue=venue, clock=clock, journal=journal, credentials=credentials)
    sandbox.switches.simulate = simulate
    simulation.advance(venue, venue.now, active=simulate)
    simulation.quote_unquoted_markets(venue)
    sandbox.flush(now=True)
    return sandbox
