"""A world for alerts: real Postgres and Redis, a clock that the test moves, and services that obey it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from coliseum.alert_settings import AlertService, parse_digest, parse_limits, parse_quiet_hours, parse_services
from coliseum.alerts.facts import ExchangeFacts
from coliseum.alerts.probe import ExchangeProbe
from coliseum.alerts.records import AlertRecords
from coliseum.alerts.sending import OutboxSender
from coliseum.alerts.texts import WrittenMessage
from coliseum.alerts.watch import AlertWatch, WatchReport
from coliseum.errors import SourceUnavailable
from coliseum.feed.entries import EntryKind, event_candidate
from coliseum.feed.feed import Feed
from coliseum.feed.protocol import PollerHeartbeat
from coliseum.identity import Identity, exchange_at
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

START = 1_796_000_000.0
IDENTITY = Identity(
    bot="bot", exchange=exchange_at("https://external-api.kalshi.com/trade-api/v2"), account="production/x"
)
URLS = "json://127.0.0.1:9/one json://127.0.0.1:9/two"


class Killed(BaseException):
    """The process died here."""


@dataclass
class FakeServices:
    """Services in memory. `down` ones fail; what the others took is kept."""

    down: set[str] = field(default_factory=set)
    taken: list[tuple[str, WrittenMessage]] = field(default_factory=list)
    step: Callable[[str], None] = lambda _: None

    def send(self, service: AlertService, message: WrittenMessage, *, seconds: float) -> str | None:
        self.step("before sending")
        if service.name in self.down:
            return "FAILURE, HTTP 503"
        self.taken.append((service.name, message))
        self.step("after sending")
        return None


class FixedExchange(ExchangeProbe):
    """An exchange whose answers the test chooses."""

    facts = ExchangeFacts()
    moved: tuple[tuple[float, Decimal], ...] = ()

    def __init__(self) -> None:
        super().__init__(None, has_key=False, clock=lambda: 0.0)

    def look(self, tickers: object) -> ExchangeFacts:
        return self.facts

    def transfers(self) -> tuple[tuple[float, Decimal], ...]:
        return self.moved


class SteppedRecords(AlertRecords):
    """Calls `step` before and after each write, so that a test can kill the process there."""

    step: Callable[[str], None] = staticmethod(lambda _: None)

    def commit(self, *args: object, **named: object) -> None:
        self.step("before commit")
        super().commit(*args, **named)  # type: ignore[arg-type]  # passed on
        self.step("after commit")

    def claim(self, rows: object) -> frozenset[tuple[str, str, str]]:
        self.step("before claim")
        taken = super().claim(rows)  # type: ignore[arg-type]  # passed on
        self.step("after claim")
        return taken

    def mark(self, marks: object) -> None:
        self.step("before mark")
        super().mark(marks)  # type: ignore[arg-type]  # passed on
        self.step("after mark")


class AlertWorld:
    """One bot's alerts. `run` is one call of the function in a process that keeps nothing."""

    def __init__(
        self,
        store: Store,
        redis: Redis,
        prefix: str,
        *,
        limits: str = "",
        quiet: str = "",
        digest: str = "",
        urls: str = URLS,
    ) -> None:
        self.now = START
        self.store, self.redis = store, redis
        self.feed = Feed(redis, prefix=prefix, maxlen=1000)
        self.services: Any = FakeServices()
        self.exchange = FixedExchange()
        self.records = SteppedRecords(store, IDENTITY, exchange="kalshi", fill_minutes=15)
        self.limits, self.quiet, self.digest = parse_limits(limits), parse_quiet_hours(quiet), parse_digest(digest)
        self.urls = urls
        self.lost_numbers: set[int] = set()
        """The gaps that were published with lost trades."""
        self._published = 0

    @property
    def names(self) -> list[str]:
        return [service.name for service in parse_services(self.urls)]

    def watch(self) -> AlertWatch:
        services = parse_services(self.urls)
        sender = OutboxSender(
            self.records,
            self.feed,
            services,
            sender=lambda: self.services,
            clock=lambda: self.now,
            quiet=self.quiet,
        )
        return AlertWatch(
            self.records,
            self.feed,
            self.exchange,
            sender,
            services=services,
            limits=self.limits,
            quiet=self.quiet,
            digest=self.digest,
            clock=lambda: self.now,
        )

    def run(self, *, after: float = 60) -> WatchReport | None:
        """None where Postgres failed or the process was killed."""
        self.now += after
        try:
            return self.watch().run(time_left=lambda: 60.0)
        except (Killed, SourceUnavailable):
            return None

    def poller(self, *, bot: str = "online", alive: bool = True) -> None:
        """What the poller last said about itself and the bot."""
        status = {"status": bot, "since": "2026-12-01T00:00:00.000Z", "trades": 1, "detail": None}
        self._published += 1
        candidate = event_candidate(EntryKind.BOT_STATUS, f"{bot}:{self._published}", status)
        self.feed.publish([candidate], now_ms=int(self.now * 1000), bot=status)
        if alive:
            self.beat()

    def beat(self) -> None:
        beat = PollerHeartbeat(owner="p", at=int(self.now * 1000), fresh_for=10_000, bot_ok_at=None, bot=None)
        self.feed.send_heartbeat(beat, ttl_ms=600_000)

    def gap(self, number: int, *, lost: int = 3, backfilled: int = 0) -> None:
        data = {
            "reason": "window",
            "from": f"2026-12-01T00:00:{number % 60:02d}.000Z",
            "to": f"2026-12-01T01:{number // 60:02d}:00.000Z",
            "lost": lost,
            "backfilled": backfilled,
        }
        if lost > backfilled:
            self.lost_numbers.add(number)
        self.feed.publish([event_candidate(EntryKind.SOURCE_GAP, f"gap:{number}", data)], now_ms=int(self.now * 1000))

    def told(self, service: int = 0) -> list[str]:
        """The ids with phases that a service was told, in order, repetitions too; those in summaries as well."""
        name = self.names[service]
        texts = [message.body for to, message in self.services.taken if to == name]
        return [part.split(")")[0] + ")" for text in texts for part in text.split("id ")[1:] if "(" in part]
