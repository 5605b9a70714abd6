"""The poller with a bot over HTTP and a real Redis: whatever fails, no trade is lost or published twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from tests.fixtures.redis import RedisServer
from tests.fixtures.scripted_bot import ScriptedBot, row, serving

from coliseum.bot.client import Bot
from coliseum.feed.entries import START, EntryKind
from coliseum.feed.feed import Feed
from coliseum.polling.metrics import TickResult
from coliseum.polling.poller import Poller
from coliseum.upstash.client import Redis

NOW = 1_795_000_000.0
"""Unix seconds at which these tests begin."""


class Clock:
    """The wall clock (ms) and the monotonic clock (s) of a poller. Only sleeping moves them."""

    def __init__(self) -> None:
        self.now = NOW

    def wall_ms(self) -> int:
        return int(self.now * 1000)

    def seconds(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bot() -> Iterator[ScriptedBot]:
    with serving(ScriptedBot()) as scripted:
        yield scripted


@pytest.fixture
def feed(redis: Redis, prefix: str) -> Feed:
    return Feed(redis, prefix=prefix, maxlen=10_000)


MakePoller = Callable[[], Poller]


@pytest.fixture
def container(bot: ScriptedBot, feed: Feed, clock: Clock) -> Iterator[MakePoller]:
    """A poller with nothing in memory, as in a new container."""
    clients: list[Bot] = []

    def make() -> Poller:
        clients.append(Bot(status_url=bot.status_url, trades_url=bot.trades_url))
        return Poller(bot=clients[-1], feed=feed, exchange=None, interval=3.0, clock=clock.wall_ms)

    yield make
    for client in clients:
        client.close()


def logged(feed: Feed, *kinds: EntryKind) -> list[dict[str, Any]]:
    return [entry.data for entry in feed.read(START, count=2000).reading.entries if entry.kind in kinds]


def trade_ids(feed: Feed) -> list[str]:
    return [data["trade_id"] for data in logged(feed, EntryKind.TRADE)]


def tick(poller: Poller, clock: Clock, times: int = 1) -> TickResult:
    for _ in range(times):
        clock.sleep(3)
        done = poller.tick()
    return done


def test_trades_reach_the_log_once_and_oldest_first(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock
) -> None:
    poller = container()
    bot.trade(row("a", at=NOW), row("b", at=NOW), row("c", at=NOW + 1))
    tick(poller, clock, 3)
    bot.trade(row("d", at=NOW + 5))
    tick(poller, clock, 2)
    tick(container(), clock, 2)

    assert trade_ids(feed) == ["a", "b", "c", "d"]
    (first, *_), statuses = logged(feed, EntryKind.TRADE), logged(feed, EntryKind.BOT_STATUS)
    assert first == {
        "timestamp": NOW,
        "ticker": "PRES24-GOP",
        "side": "BUY",
        "quantity": 50,
        "price": 0.65,
        "trade_id": "a",
        "outcome": None,
        "price_dollars": "0.6500",
        "quantity_contracts": "50.00",
        "fee": None,
        "order_id": None,
        "source": "bot_live",
        "strategy": "scripted",
    }
    assert [status["status"] for status in statuses] == ["online"]


def test_the_bots_status_says_how_it_trades(bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock) -> None:
    tick(container(), clock, 2)

    (status,) = logged(feed, EntryKind.BOT_STATUS)
    assert status == {
        "status": "online",
        "since": "2026-11-18T11:06:43.000Z",
        "trades": 0,
        "detail": "paper, scripted",
        "mode": "paper",
        "mode_as_of": "2026-11-18T11:06:43.000Z",
        "mode_warning": None,
        "clock_ahead_seconds": None,
        "unconfirmed": None,
    }
    assert feed.read(START).bot == status


def test_a_changed_mode_is_published_at_once_after_a_restart_and_within_a_minute_otherwise(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock
) -> None:
    poller = container()
    tick(poller, clock, 2)
    bot.started_at = "2026-11-21T09:00:00Z"
    bot.answers["/status"] = (200, b'{"mode": "live"}')
    tick(poller, clock)
    assert [status["mode"] for status in logged(feed, EntryKind.BOT_STATUS)] == ["paper", "live"]

    bot.answers["/status"] = (200, b'{"mode": "paper"}')
    poller.minute(until=clock.now + 58, clock=clock.seconds, sleep=clock.sleep)
    poller.minute(until=clock.now + 58, clock=clock.seconds, sleep=clock.sleep)
    assert [status["mode"] for status in logged(feed, EntryKind.BOT_STATUS)] == ["paper", "live", "paper"]
    heartbeat = feed.read(START).heartbeat
    assert heartbeat is not None
    assert heartbeat.bot is not None
    assert NOW + 58 < datetime.fromisoformat(heartbeat.bot["mode_as_of"]).timestamp() < NOW + 120


def test_a_bot_that_is_down_at_first_is_online_once_it_answers(feed: Feed, clock: Clock) -> None:
    with serving(ScriptedBot()) as stopped:
        port = stopped.port
    client = Bot(status_url=stopped.status_url, trades_url=stopped.trades_url)
    poller = Poller(bot=client, feed=feed, exchange=None, interval=3.0, clock=clock.wall_ms)
    tick(poller, clock, 4)
    with serving(ScriptedBot(rows=[row("a", at=NOW)], count=1), port=port):
        tick(poller, clock, 2)
    tick(poller, clock, 3)
    client.close()

    statuses = logged(feed, EntryKind.BOT_STATUS)
    assert [status["status"] for status in statuses] == ["offline", "online", "offline"]
    assert statuses[0]["since"] == "2026-11-18T11:06:43.000Z"
    assert trade_ids(feed) == ["a"]


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>hello</html>"),
        (200, b'[{"trade_id": "x", "tic'),
        (500, b"oops"),
        (404, b""),
        (200, b'{"trades": 7}'),
        (200, b"[" + b" " * 6_000_000 + b"]"),
    ],
    ids=["html", "half json", "500", "404", "no list", "6 MB"],
)
def test_no_trade_is_lost_while_the_bots_answers_are_malformed(
    answer: tuple[int, bytes], bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock
) -> None:
    poller = container()
    bot.trade(row("a", at=NOW))
    tick(poller, clock)
    bot.answers["/trades"] = answer
    bot.trade(row("b", at=NOW + 1))
    tick(poller, clock)
    assert [status["status"] for status in logged(feed, EntryKind.BOT_STATUS)] == ["online"]
    tick(poller, clock)
    bot.answers.clear()
    tick(poller, clock)

    assert trade_ids(feed) == ["a", "b"]
    assert [status["status"] for status in logged(feed, EntryKind.BOT_STATUS)] == ["online", "offline", "online"]
    assert logged(feed, EntryKind.SOURCE_GAP) == []


def test_a_bot_without_a_health_route_is_polled_by_its_list(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock
) -> None:
    bot.answers["/health"] = (404, b"")
    poller = container()
    bot.trade(row("a", at=NOW))
    tick(poller, clock, 2)

    assert trade_ids(feed) == ["a"]
    assert [status["status"] for status in logged(feed, EntryKind.BOT_STATUS)] == ["online"]


def test_an_invalid_trade_is_announced_once_and_the_rest_published(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock
) -> None:
    poller = container()
    bot.trade(row("a", at=NOW), row("bad", at=NOW, price=65), row("c", at=NOW + 1))
    tick(poller, clock, 3)
    tick(container(), clock, 2)

    assert trade_ids(feed) == ["a", "c"]
    (gap,) = logged(feed, EntryKind.SOURCE_GAP)
    assert (gap["reason"], gap["lost"], gap["trade_id"]) == ("invalid_trade", 1, "bad")
    assert "price" in gap["detail"]


def test_a_changed_report_is_a_correction(bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock) -> None:
    poller = container()
    bot.trade(row("a", at=NOW), row("b", at=NOW + 1))
    tick(poller, clock)
    bot.rows[1]["price"] = 0.66
    tick(poller, clock, 2)

    assert trade_ids(feed) == ["a", "b"]
    (corrected,) = logged(feed, EntryKind.TRADE_CORRECTED)
    assert (corrected["trade_id"], corrected["price"]) == ("a", 0.66)


def test_a_restart_is_announced_and_its_reused_ids_are_new_trades(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock
) -> None:
    poller = container()
    bot.trade(row("1", at=NOW), row("2", at=NOW + 1))
    tick(poller, clock)
    bot.rows, bot.count, bot.started_at = [], 0, "2026-11-18T11:06:44Z"
    tick(poller, clock)
    bot.trade(row("1", at=NOW + 6), row("2", at=NOW + 7))
    tick(poller, clock, 2)

    assert [(data["trade_id"], data["timestamp"]) for data in logged(feed, EntryKind.TRADE)] == [
        ("1", NOW),
        ("2", NOW + 1),
        ("1", NOW + 6),
        ("2", NOW + 7),
    ]
    (gap,) = logged(feed, EntryKind.SOURCE_GAP)
    assert gap == {
        "reason": "restart",
        "from": "2026-11-18T11:06:43.000Z",
        "to": "2026-11-18T11:06:46.000Z",
        "lost": None,
        "backfilled": 0,
        "at_least": 0,
    }
    assert logged(feed, EntryKind.TRADE_CORRECTED) == []


def test_a_burst_beyond_the_list_is_announced_with_its_size(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock
) -> None:
    poller = container()
    bot.trade(row("0", at=NOW))
    tick(poller, clock)
    bot.trade(*(row(str(number), at=NOW + 1) for number in range(1, 251)))
    tick(poller, clock, 2)

    (gap,) = logged(feed, EntryKind.SOURCE_GAP)
    assert (gap["reason"], gap["lost"]) == ("overflow", 150)
    assert trade_ids(feed) == ["0", *(str(number) for number in range(151, 251))]


def test_a_publish_whose_answer_is_lost_is_not_repeated(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock, redis_server: RedisServer
) -> None:
    poller = container()
    tick(poller, clock)
    bot.trade(row("a", at=NOW))
    redis_server.faults(drop_reply=2)  # the call and its one repetition
    assert tick(poller, clock).redis_failed
    bot.trade(row("b", at=NOW + 4))
    tick(poller, clock, 3)

    assert trade_ids(feed) == ["a", "b"]


def test_trades_during_a_redis_outage_are_published_after_it(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock, redis_server: RedisServer
) -> None:
    """More than the bot's list holds, so that only the poller's memory still has it."""
    poller = container()
    tick(poller, clock)
    redis_server.faults(refuse_all=True)
    for number in range(4):
        bot.trade(*(row(str(60 * number + step), at=NOW + number) for step in range(60)))
        tick(poller, clock)
    redis_server.faults()
    tick(poller, clock, 10)

    assert trade_ids(feed) == [str(number) for number in range(240)]
    assert logged(feed, EntryKind.SOURCE_GAP) == []


@pytest.mark.parametrize("switch", [{"status_code": 429}, {"status_code": 502}])
def test_a_failing_redis_is_asked_less_and_less_often(  # noqa: PLR0917  # fixtures
    switch: dict[str, int],
    bot: ScriptedBot,
    container: MakePoller,
    feed: Feed,
    clock: Clock,
    redis_server: RedisServer,
) -> None:
    poller = container()
    tick(poller, clock)
    bot.trade(row("a", at=NOW))
    redis_server.faults(**switch, status_times=1000)
    failures = sum(tick(poller, clock).redis_failed for _ in range(20))
    redis_server.faults()
    tick(poller, clock, 10)

    assert failures <= 5
    assert trade_ids(feed) == ["a"]


def test_two_containers_that_look_at_the_same_time_publish_each_trade_once(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock
) -> None:
    first, second = container(), container()
    for number in range(30):
        bot.trade(row(str(number), at=NOW + number))
        tick(first if number % 3 else second, clock)
        tick(second if number % 2 else first, clock)
    tick(first, clock)

    assert trade_ids(feed) == [str(number) for number in range(30)]
    assert logged(feed, EntryKind.SOURCE_GAP) == []


def test_a_log_that_was_emptied_gets_the_bots_list_again(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock, redis: Redis
) -> None:
    poller = container()
    bot.trade(row("a", at=NOW), row("b", at=NOW + 1))
    tick(poller, clock)
    redis.command("DEL", feed.keys.stream, feed.keys.meta, feed.keys.seen, feed.keys.known)
    bot.trade(row("c", at=NOW + 5))
    tick(poller, clock, 2)

    assert trade_ids(feed) == ["a", "b", "c"]


def test_after_an_unreadable_checkpoint_polling_starts_again(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock, redis: Redis
) -> None:
    bot.trade(row("a", at=NOW))
    tick(container(), clock)
    redis.command("HSET", feed.keys.meta, "checkpoint", json.dumps({"version": 99}))
    bot.trade(row("b", at=NOW + 4))
    tick(container(), clock, 2)

    assert trade_ids(feed) == ["a", "b"]
    assert logged(feed, EntryKind.SOURCE_GAP) == []


# The minute and what it costs


def test_a_quiet_minute_costs_seven_commands_and_a_quiet_tick_none(
    container: MakePoller, clock: Clock, feed: Feed, redis: Redis, redis_server: RedisServer
) -> None:
    poller = container()
    poller.minute(until=clock.now + 58, clock=clock.seconds, sleep=clock.sleep)
    for next_poller in (poller, container()):  # the same container again, and a cold one
        for before in (3, 300):  # right after the minute before, and after a time without a poller
            clock.sleep(before)
            if before > 30:
                redis.command("DEL", feed.keys.poller)  # as its end would have done
            redis_server.reset_meter()
            done = next_poller.minute(until=clock.now + 58, clock=clock.seconds, sleep=clock.sleep)

            assert (done.ticks, done.trades) == (20, 0)
            assert redis_server.billed() == {"HMGET": 1, "SET": 3, "PUBLISH": 3}

    redis_server.reset_meter()
    tick(poller, clock, 5)
    assert redis_server.billed() == {}


def test_a_minute_adds_up_what_it_did(bot: ScriptedBot, container: MakePoller, clock: Clock) -> None:
    poller = container()
    bot.trade(row("a", at=NOW - 1), row("bad", at=NOW, side="HOLD"))
    done = poller.minute(until=clock.now + 58, clock=clock.seconds, sleep=clock.sleep)

    assert (done.ticks, done.trades, done.rejected, done.source_gaps, done.redis_errors) == (20, 1, 1, 0, 0)
    assert done.lag_ms == 1000
    assert not done.waited


def test_of_two_containers_the_one_with_the_later_end_rests_until_the_other_has_ended(
    bot: ScriptedBot, container: MakePoller, feed: Feed, clock: Clock
) -> None:
    first, second = container(), container()
    bot.trade(row("a", at=NOW))
    first.minute(until=clock.now + 3, clock=clock.seconds, sleep=clock.sleep)
    heartbeat = feed.read(START).heartbeat
    assert heartbeat is not None
    feed.send_heartbeat(replace(heartbeat, owner="first", at=heartbeat.at, until=heartbeat.at + 20_000), ttl_ms=60_000)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if heartbeat.at + 10_000 < clock.wall_ms() < heartbeat.at + 14_000:
            bot.trade(row("b", at=clock.now))

    done = second.minute(until=clock.now + 58, clock=clock.seconds, sleep=sleep)

    assert done.waited
    assert done.ticks == 14
    assert set(trade_ids(feed)) == {"a", "b"}


def test_the_container_that_came_first_goes_on(bot: ScriptedBot, container: MakePoller, clock: Clock) -> None:
    first, second = container(), container()

    def sleep(seconds: float) -> None:
        if clock.now == NOW + 18:
            second.minute(until=clock.now + 58, clock=clock.seconds, sleep=lambda _: clock.sleep(58))
            clock.now = NOW + 18
        clock.sleep(seconds)

    done = first.minute(until=clock.now + 58, clock=clock.seconds, sleep=sleep)

    assert (done.waited, done.ticks) == (False, 20)


def test_the_next_container_does_not_wait_after_a_minute_that_is_over(
    container: MakePoller, feed: Feed, clock: Clock
) -> None:
    container().minute(until=clock.now + 58, clock=clock.seconds, sleep=clock.sleep)
    heartbeat = feed.read(START).heartbeat
    clock.sleep(1)
    done = container().minute(until=clock.now + 58, clock=clock.seconds, sleep=clock.sleep)

    assert heartbeat is not None
    assert (heartbeat.fresh_for, heartbeat.bot_ok_at) == (29_000, heartbeat.at)
    assert (done.waited, done.ticks) == (False, 20)


def test_the_next_container_does_not_wait_for_one_that_was_cut_short(container: MakePoller, clock: Clock) -> None:
    cut_short = container()
    cut_short.minute(until=clock.now + 58, clock=lambda: NOW if clock.now < NOW + 9 else NOW + 58, sleep=clock.sleep)
    done = container().minute(until=clock.now + 58, clock=clock.seconds, sleep=clock.sleep)

    assert (done.waited, done.ticks) == (False, 20)
