"""The running exchange: venue, clock, journal and operator's switches in one place."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from decimal import Decimal

from coliseum_local.exchange import simulation as crowd
from coliseum_local.exchange.journal import Journal, restore
from coliseum_local.exchange.credentials import SandboxCredentials
from coliseum_local.exchange.rate_limits import CallerLimits
from coliseum_local.exchange.venue import Venue

FUNDING = Decimal(10_000)
FLUSH_SECONDS = 3.0
"""How long what only concerns the simulated crowd may stay off the disk."""
DAY = 86_400


@dataclass(slots=True)
class Clock:
    """The exchange's time: real time, faster, or standing still until the operator moves it."""

    start: float
    """Unix seconds of the exchange at `origin`."""
    origin: float
    """Monotonic seconds at which the clock was started."""
    speed: float = 1.0

    def at(self, monotonic: float) -> float:
        return self.start + (monotonic - self.origin) * self.speed

    def move(self, seconds: float) -> None:
        self.start += seconds


@dataclass(slots=True)
class Switches:
    """What the operator has turned on to see how clients cope."""

    outage: bool = False
    resume_time: str | None = None
    too_many_requests: int = 0
    """So many of the next requests are answered 429."""
    rate_limits: bool = True
    legacy_fields: bool = True
    latency_seconds: float = 0.0
    simulate: bool = True
    """Odds move and the crowd trades."""


@dataclass(slots=True)
class Cutoffs:
    """Unix seconds before which rows live in the historical tier; None follows the clock."""

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
    """One exchange in service."""

    venue: Venue
    clock: Clock
    journal: Journal
    credentials: SandboxCredentials
    switches: Switches = field(default_factory=Switches)
    cutoffs: Cutoffs = field(default_factory=Cutoffs)
    allowances: dict[str, CallerLimits] = field(default_factory=dict)
    """By account, or by address for those who did not sign."""
    flushed_at: float = 0.0

    def tick(self) -> None:
        """Let time pass, and write what is due."""
        crowd.advance(self.venue, self.clock.at(time.monotonic()), active=self.switches.simulate)
        self.flush()

    def flush(self, *, now: bool = False) -> None:
        """Write at once where a member is concerned; the rest every few seconds."""
        moment = time.monotonic()
        if now or self.venue.changes.urgent or moment - self.flushed_at >= FLUSH_SECONDS:
            self.journal.write(self.venue)
            self.flushed_at = moment

    def admits(self, caller: str, method: str, route: str) -> bool:
        if not self.switches.rate_limits:
            return True
        return self.allowances.setdefault(caller, CallerLimits()).admits(method, route, time.monotonic())


def open_sandbox(
    *, journal: Journal, credentials: SandboxCredentials, seed: str, start: float | None, speed: float, simulate: bool
) -> SandboxExchange:
    """The exchange as its state folder has it, or a new one with the member's account funded."""
    wanted = time.time() if start is None else start
    venue = restore(journal.read(), now=wanted if speed else 0.0)
    if venue is None:
        venue = Venue(seed=seed, now=wanted)
        crowd.open_new_exchange(venue)
        venue.open_account(credentials.account_id, cash=FUNDING, member=True)
    clock = Clock(start=venue.now, origin=time.monotonic(), speed=speed)
    service = SandboxExchange(venue=venue, clock=clock, journal=journal, credentials=credentials)
    service.switches.simulate = simulate
    crowd.advance(venue, venue.now, active=simulate)
    crowd.quote_unquoted_markets(venue)
    service.flush(now=True)
    return service
