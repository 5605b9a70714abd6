"""Random histories of a bot, a log, services and crashes: every due alert arrives, and none is invented.

Postgres, Redis, Apprise and the services' protocols are real. `COLISEUM_SOAK=1000` runs so many histories.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

import pytest
from apprise.plugins.telegram import NotifyTelegram
from tests.fixtures.alert_services import TakenMessages, http_service
from tests.integration.alert_world import AlertWorld, Killed

from coliseum.alert_settings import AlertService
from coliseum.alerts import texts
from coliseum.alerts.client import AlertSender
from coliseum.alerts.texts import WrittenMessage
from coliseum.errors import SourceUnavailable
from coliseum.feed.entries import EntryKind
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

HISTORIES = int(os.environ.get("COLISEUM_SOAK") or 6)
STEPS = 20
FAULTS = ("down", "429", "302", "dropped", "500")
PLACES = [f"{when} {what}" for what in ("commit", "claim", "mark", "sending") for when in ("before", "after")]


@dataclass
class SteppedSender:
    """Apprise, with a place to die before and after each message."""

    world: AlertWorld
    sender: AlertSender

    def send(self, service: AlertService, message: WrittenMessage, *, seconds: float) -> str | None:
        self.world.records.step("before sending")
        problem = self.sender.send(service, message, seconds=seconds)
        self.world.records.step("after sending")
        return problem


@dataclass
class Look:
    """One look of the rules that was stored, or changed nothing."""

    at: float
    bot: str
    polled: bool


@dataclass
class Truth:
    """What really happened."""

    lost: set[str] = field(default_factory=set)
    """Beginnings of the gaps with lost trades, in unix seconds, as their alerts' episodes."""
    looks: list[Look] = field(default_factory=list)
    crashes: int = 0


class AlertHistory:
    """One random history."""

    def __init__(self, world: AlertWorld, services: list[TakenMessages], random: Random) -> None:
        self.world, self.services, self.random, self.truth = world, services, random, Truth()
        self.bot, self.polled, self.gaps = "online", True, 0
        self.place = ""
        self.committed = False
        self.overlaps = False
        self.beat_at = world.now
        world.records.step = self._step
        world.poller()

    def _step(self, place: str) -> None:
        self.committed = self.committed or place == "after commit"
        if place == self.place:
            self.place = ""
            self.truth.crashes += 1
            if self.random.random() < 0.5:
                raise Killed
            raise SourceUnavailable("postgres", "the connection broke")
        if self.overlaps and place == "before commit":
            self.overlaps = False
            self.truth.crashes += 1  # the slower run may send what the faster one sends, too
            self.world.run(after=0)

    def look(self, seconds: float) -> None:
        """Time passes, and the function runs."""
        world = self.world
        world.now += seconds
        if self.polled:
            self.beat_at = world.now
            world.beat()
        self.committed = False
        report = world.run(after=0)
        if self.committed or (report is not None and report.problem is None):
            heard = world.now - self.beat_at <= 60  # so long a poller's report is good
            self.truth.looks.append(Look(world.now, self.bot, heard))

    def act(self) -> None:
        """Something happens, then the function runs, perhaps with a crash."""
        random = self.random
        action = random.choice(["bot", "bot", "poller", "gap", "gaps", "backfilled", "service", "service", "epoch", ""])
        if action == "bot":
            self.bot = "offline" if self.bot == "online" else "online"
            self.world.poller(bot=self.bot, alive=False)
        elif action == "poller":
            self.polled = not self.polled
        elif action in {"gap", "gaps"}:
            for _ in range(1 if action == "gap" else random.randrange(2, 16)):
                self._gap(lost=random.randrange(1, 9))
        elif action == "backfilled":
            self.gaps += 1
            self.world.gap(self.gaps, lost=2, backfilled=2)
        elif action == "service":
            random.choice(self.services).fault = random.choice(["", "", *FAULTS])
        elif action == "epoch":
            self._new_epoch()
        self.place = random.choice(PLACES) if random.random() < 0.35 else ""
        self.overlaps = random.random() < 0.1
        self.look(random.choice([20.0, 60.0, 60.0, 60.0, 130.0, 700.0]))
        self.place, self.overlaps = "", False

    def _gap(self, *, lost: int) -> None:
        self.gaps += 1
        self.world.gap(self.gaps, lost=lost)
        self.truth.lost.add(str(1_796_083_200 + self.gaps % 60))

    def _new_epoch(self) -> None:
        """Redis loses everything that the rules have seen; the poller says what it knows of the bot again."""
        self.look(60)
        self.look(60)
        keys = self.world.feed.keys
        for key in (keys.stream, keys.meta, keys.seen, keys.known):
            self.world.redis.command("DEL", key)
        self.world.poller(bot=self.bot, alive=False)
        for number in range(max(1, self.gaps - 3), self.gaps + 1):  # a poller that announces old gaps again
            if str(1_796_083_200 + number % 60) in self.truth.lost and self._was_lost(number):
                self.world.gap(number, lost=3)

    def _was_lost(self, number: int) -> bool:
        return number in self.world.lost_numbers

    def end(self) -> None:
        """Everything works again for long enough that every message is tried."""
        self.bot, self.polled = "online", True
        self.world.poller()
        for service in self.services:
            service.fault = ""
        for seconds in [60.0] * 2 + [700.0] * 3 + [3700.0] * 2 + [700.0] * 3:
            self.look(seconds)


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[TakenMessages], str]]:
    """A webhook and Telegram, and their addresses."""
    with ExitStack() as stack:
        (webhook, port), (telegram, other) = (stack.enter_context(http_service()) for _ in range(2))
        monkeypatch.setattr(NotifyTelegram, "notify_url", f"http://127.0.0.1:{other}/bot")
        monkeypatch.setattr(NotifyTelegram, "request_rate_per_sec", 0)
        monkeypatch.setattr(texts, "MAX_SUMMARY", 1_000_000)  # a summary then names every alert
        token = "123456789:abcdefghijklmnopqrstuvwxyz-ABCDEFGH"
        yield [webhook, telegram], f"json://127.0.0.1:{port}/?cto=2&rto=2 tgram://{token}/42/?cto=2&rto=2"


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_every_due_alert_arrives_and_none_is_invented(
    seed: int,
    store: Store,
    redis: Redis,
    prefix: str,
    services: tuple[list[TakenMessages], str],
) -> None:
    fakes, urls = services
    world = AlertWorld(store, redis, prefix, urls=urls)
    world.services = SteppedSender(world, AlertSender())
    history = AlertHistory(world, fakes, Random(seed))
    history.look(60)  # the first look begins at the log's newest entry
    for _ in range(STEPS):
        history.act()
    history.end()
    alerts = store.select("alerts", "alert_id,rule,episode,raised_at,cleared_at", limit=1000)
    deliveries = store.select("alert_deliveries", "alert_id,phase,service,status", limit=1000)
    for name, fake in zip(world.names, fakes, strict=True):
        told = fake.ids()
        _check_service(told, [row for row in deliveries if row["service"] == name])
        if history.truth.crashes == 0:
            assert max(Counter(told).values(), default=0) <= 1, "only a crash repeats a message"
    _check_gaps(history.truth, [row for row in alerts if row["rule"] == "trades_lost"])
    _check_offline(history.truth, [row for row in alerts if row["rule"] == "bot_offline"])
    assert {row["rule"] for row in alerts} <= {"trades_lost", "bot_offline", "no_poller"}
    assert [row["alert_id"] for row in alerts if row["rule"] != "trades_lost" and row["cleared_at"] is None] == []
    entries = [e.data for e in world.feed.latest(900).reading.entries if e.kind is EntryKind.ALERT]
    assert {entry["id"] for entry in entries} <= {row["alert_id"] for row in alerts}


def _check_service(told: list[str], rows: list[dict[str, str]]) -> None:
    """What the outbox holds and what the service was told is the same, and no end comes before its beginning."""
    assert {f"{row['alert_id']} ({row['phase']})" for row in rows if row["status"] == "sent"} == set(told)
    assert {row["status"] for row in rows} <= {"sent"}
    for place, text in enumerate(told):
        alert_id, _, phase = text.partition(" ")
        assert phase in {"(raised)", "(noted)"} or f"{alert_id} (raised)" in told[:place]


def _check_gaps(truth: Truth, alerts: list[dict[str, str]]) -> None:
    """Each gap with lost trades has one alert; one that was filled up, or was seen before, has none."""
    assert {str(row["episode"]) for row in alerts} == truth.lost
    assert len({row["alert_id"] for row in alerts}) == len(alerts)


def _check_offline(truth: Truth, alerts: list[dict[str, str]]) -> None:
    """Between two looks that are two minutes apart and saw the bot offline the alert was raised, and only then."""
    due: list[tuple[float, float]] = []
    begin: float | None = None
    for look in truth.looks:
        if look.bot == "online" and look.polled:
            begin = None
        elif look.bot == "offline" and look.polled:
            begin = look.at if begin is None else begin
            if look.at - begin >= 120:
                due.append((begin, look.at))
    episodes = {float(row["episode"]) for row in alerts}
    assert episodes <= {float(int(begin)) for begin, _ in due}, "an alert was invented"
    # An alert that is not over yet when the bot is away again goes on: then the second outage is no new episode.
    told = [(float(row["episode"]), datetime.fromisoformat(row["cleared_at"]).timestamp()) for row in alerts]
    missing = [begin for begin, at in due if not any(first <= begin and at <= last for first, last in told)]
    assert missing == [], "a due alert is missing"
