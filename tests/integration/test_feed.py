"""The log on a real Valkey server, through the local gateway and the real SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

import pytest
from tests.fixtures.redis import RedisServer

from coliseum.errors import LogMoved, SourceRefused
from coliseum.feed.contiguity import Ahead, Continue, Gap, Reset, follow
from coliseum.feed.entries import START, Candidate, EntryId, EntryKind, event_candidate
from coliseum.feed.feed import SEEN_TTL_MS, AsyncFeed, Feed
from coliseum.feed.protocol import Fence, Notification, PollerHeartbeat
from coliseum.upstash.client import AsyncRedis, Redis

Connect = Callable[[], AbstractAsyncContextManager[AsyncRedis]]
NOW = 1_698_676_800_000


@pytest.fixture
def feed(redis: Redis, prefix: str) -> Feed:
    return Feed(redis, prefix=prefix, maxlen=100)


def _trade(name: str, **changes: Any) -> Candidate:
    values: dict[str, Any] = {
        "kind": EntryKind.TRADE,
        "key": f"trade:{name}",
        "digest": f"digest-{name}",
        "data": {"trade_id": name, "ticker": "T"},
        "boot": "boot-1",
        "at": "1",
    }
    return Candidate(**(values | changes))


def _heartbeat(owner: str = "me") -> PollerHeartbeat:
    return PollerHeartbeat(owner=owner, at=NOW, fresh_for=9000, bot_ok_at=NOW, bot={"status": "online"})


def _published_trades(feed: Feed) -> list[tuple[str, str]]:
    """Kind and trade id of each entry in the log."""
    return [(entry.kind.value, entry.data.get("trade_id", "")) for entry in feed.read(START).reading.entries]


# --- publish ---


def test_published_entries_are_read_in_their_order(feed: Feed) -> None:
    published = feed.publish([_trade("a"), _trade("b")], now_ms=NOW, bot={"status": "online"}, checkpoint="c1")
    assert [str(entry_id) for entry_id, _ in published.entries] == [f"{NOW}-1", f"{NOW}-2"]
    assert published.head == EntryId(NOW, 2)
    state = feed.read(START)
    assert [entry.data["trade_id"] for entry in state.reading.entries] == ["a", "b"]
    assert (state.reading.epoch, state.reading.head, state.reading.base_ms) == (published.epoch, published.head, NOW)
    assert (state.bot, feed.checkpoint()) == ({"status": "online"}, "c1")


def test_any_text_is_read_as_it_was_published(feed: Feed) -> None:
    data: dict[str, Any] = {"note": 'é,"\\\n\r\u2028\x00😀|{}%', "n": 0.1, "null": None, "deep": {"a": [1, {}, []]}}
    feed.publish([_trade("a|b:c\n", data=data, boot="x|y\n|", at="1|2")], now_ms=NOW)
    assert feed.read(START).reading.entries[0].data == data


def test_a_repetition_publishes_nothing_and_leaves_the_head(feed: Feed) -> None:
    first = feed.publish([_trade("a"), _trade("b")], now_ms=NOW)
    again = feed.publish([_trade("a"), _trade("b"), _trade("a")], now_ms=NOW + 5000)
    assert again.entries == ()
    assert (again.head, again.epoch) == (first.head, first.epoch)
    assert feed.read(START).reading.head == first.head


def test_new_entries_among_repetitions_are_published(feed: Feed) -> None:
    feed.publish([_trade("a")], now_ms=NOW)
    published = feed.publish([_trade("a"), _trade("b"), _trade("a"), _trade("c")], now_ms=NOW + 1)
    assert [entry.data["trade_id"] for _, entry in published.entries] == ["b", "c"]
    assert published.head == EntryId(NOW + 1, 3)


def test_a_changed_trade_is_a_correction_each_time_it_changes(feed: Feed) -> None:
    for digest in ("one", "two", "two", "one"):
        feed.publish([_trade("a", digest=digest)], now_ms=NOW)
    assert _published_trades(feed) == [("trade", "a"), ("trade_corrected", "a"), ("trade_corrected", "a")]


def test_an_id_used_again_by_another_run_at_another_time_is_a_new_trade(feed: Feed) -> None:
    feed.publish([_trade("1", boot="boot-1", at="100", digest="x")], now_ms=NOW)
    feed.publish([_trade("1", boot="boot-2", at="200", digest="y")], now_ms=NOW)
    assert _published_trades(feed) == [("trade", "1"), ("trade", "1")]


def test_the_same_trade_reported_by_another_run_is_a_repetition(feed: Feed) -> None:
    feed.publish([_trade("1", boot="boot-1")], now_ms=NOW)
    feed.publish([_trade("1", boot="boot-2")], now_ms=NOW)
    assert _published_trades(feed) == [("trade", "1")]


def test_another_run_that_reports_the_same_time_with_other_facts_corrects(feed: Feed) -> None:
    feed.publish([_trade("1", boot="boot-1", at="100", digest="x")], now_ms=NOW)
    feed.publish([_trade("1", boot="boot-2", at="100", digest="y")], now_ms=NOW)
    assert _published_trades(feed) == [("trade", "1"), ("trade_corrected", "1")]


@pytest.mark.parametrize("text", ["a|b", "|", "3:4:x", "\n", "x" * 300, "é"])
def test_special_characters_in_a_bots_text_do_not_confuse_identities(feed: Feed, text: str) -> None:
    for _ in range(2):
        feed.publish([_trade("1", boot=text, at=text, digest=text)], now_ms=NOW)
    feed.publish([_trade("1", boot=text, at=text + "!", digest="other")], now_ms=NOW)
    assert _published_trades(feed) == [("trade", "1"), ("trade_corrected", "1")]


def test_the_exchange_adds_missing_trades_and_never_corrects(feed: Feed) -> None:
    feed.publish([_trade("own")], now_ms=NOW)
    feed.publish([_trade("own", digest="other facts", correctable=False)], now_ms=NOW)
    feed.publish([_trade("lost", digest="other facts", correctable=False)], now_ms=NOW)
    feed.publish([_trade("lost")], now_ms=NOW)  # the bot's own first report of it is no correction
    feed.publish([_trade("lost", digest="changed")], now_ms=NOW)
    assert _published_trades(feed) == [("trade", "own"), ("trade", "lost"), ("trade_corrected", "lost")]


def test_entries_without_a_digest_are_published_once(feed: Feed) -> None:
    for number in range(2):
        feed.publish([event_candidate(EntryKind.SOURCE_GAP, "gap-1", {"n": number})], now_ms=NOW)
    assert [entry.data for entry in feed.read(START).reading.entries] == [{"n": 0}]


def test_ids_do_not_go_back_with_the_clock(feed: Feed) -> None:
    feed.publish([_trade("a")], now_ms=NOW)
    published = feed.publish([_trade("b")], now_ms=NOW - 60_000)
    assert published.head == EntryId(NOW, 2)


def test_the_log_keeps_its_newest_entries_and_the_number_of_trimmed_ones_is_known(redis: Redis, prefix: str) -> None:
    feed = Feed(redis, prefix=prefix, maxlen=3)
    published = feed.publish([_trade(str(number)) for number in range(5)], now_ms=NOW)
    assert len(published.entries) == 5
    reading = feed.read(START).reading
    assert follow(START, None, reading) == Gap(2, START, EntryId(NOW, 2))


def test_an_identity_is_forgotten_only_when_it_is_no_longer_reported(feed: Feed) -> None:
    feed.publish([_trade("listed"), _trade("gone")], now_ms=NOW)
    feed.publish([_trade("listed")], now_ms=NOW + SEEN_TTL_MS - 1)
    later = NOW + SEEN_TTL_MS + 10
    feed.publish([_trade(f"new-{number}") for number in range(16)], now_ms=later)  # clears out what is old
    published = feed.publish([_trade("listed"), _trade("gone")], now_ms=later)
    assert [entry.data["trade_id"] for _, entry in published.entries] == ["gone"]


def test_checkpoint_and_bot_status_stay_until_they_are_replaced(feed: Feed) -> None:
    feed.publish([], now_ms=NOW, checkpoint="c1", bot={"status": "online"})
    feed.publish([_trade("a")], now_ms=NOW)
    assert (feed.checkpoint(), feed.read(START).bot) == ("c1", {"status": "online"})


def test_a_publisher_with_an_outdated_fence_changes_nothing(feed: Feed) -> None:
    feed.publish([_trade("a")], now_ms=NOW, checkpoint="c1", fence=Fence(("",), "f1"))
    feed.publish([], now_ms=NOW, checkpoint="c1", fence=Fence(("",), "f1"))  # its own repetition
    with pytest.raises(LogMoved):
        feed.publish([_trade("b")], now_ms=NOW, checkpoint="late", fence=Fence(("",), "f2"))
    position = feed.position()
    assert (position.checkpoint, position.fence, position.head) == ("c1", "f1", EntryId(NOW, 1))


# --- lost replies, restarts, restored data ---


def test_a_publish_whose_reply_was_lost_is_not_repeated(feed: Feed, redis_server: RedisServer) -> None:
    feed.publish([], now_ms=NOW)
    redis_server.faults(drop_reply=1)
    feed.publish([_trade("a"), _trade("b")], now_ms=NOW)
    assert _published_trades(feed) == [("trade", "a"), ("trade", "b")]
    assert feed.read(START).reading.head == EntryId(NOW, 2)


def test_a_script_that_redis_forgot_is_sent_again(feed: Feed, redis: Redis) -> None:
    feed.publish([_trade("a")], now_ms=NOW)
    redis.command("SCRIPT", "FLUSH")
    feed.publish([_trade("b")], now_ms=NOW)
    assert _published_trades(feed) == [("trade", "a"), ("trade", "b")]


def test_a_log_without_its_counter_begins_a_new_epoch(feed: Feed, redis: Redis) -> None:
    before = feed.publish([_trade("a"), _trade("b")], now_ms=NOW)
    redis.command("DEL", feed.keys.meta)
    after = feed.publish([_trade("a")], now_ms=NOW + 1)
    assert after.epoch != before.epoch
    assert [str(entry_id) for entry_id, _ in after.entries] == [f"{NOW + 1}-1"]
    assert follow(before.head, before.epoch, feed.read(before.head).reading) == Reset("epoch")
    assert follow(before.head, None, feed.read(before.head).reading) == Reset("epoch")


def test_a_deleted_stream_is_a_gap_of_exactly_what_it_held(feed: Feed, redis: Redis) -> None:
    feed.publish([_trade(str(number)) for number in range(5)], now_ms=NOW)
    cursor = EntryId(NOW, 2)
    redis.command("DEL", feed.keys.stream)
    assert follow(cursor, None, feed.read(cursor).reading) == Gap(3, cursor, EntryId(NOW, 5))
    feed.publish([_trade("new")], now_ms=NOW)
    assert follow(cursor, None, feed.read(cursor).reading) == Gap(3, cursor, EntryId(NOW, 5))
    after = follow(EntryId(NOW, 5), None, feed.read(EntryId(NOW, 5)).reading)
    assert isinstance(after, Continue)
    assert [entry.data["trade_id"] for entry in after.entries] == ["new"]


def _restore(redis: Redis, feed: Feed, names: dict[str, Any]) -> None:
    """Put keys back as they were: strings as a hash's fields, rows as a stream."""
    for key, fields in names.items():
        redis.command("DEL", key)
        if key == feed.keys.meta:
            redis.command("HSET", key, *fields)
        else:
            for entry_id, values in fields:
                redis.command("XADD", key, entry_id, *values)


def test_after_an_old_backup_a_reader_is_ahead_and_then_reset(feed: Feed, redis: Redis) -> None:
    first = feed.publish([_trade("a")], now_ms=NOW)
    backup = {
        feed.keys.meta: redis.read("HGETALL", feed.keys.meta),
        feed.keys.stream: redis.read("XRANGE", feed.keys.stream, "-", "+"),
    }
    cursor = feed.publish([_trade("b"), _trade("c")], now_ms=NOW + 10).head
    _restore(redis, feed, backup)
    assert follow(cursor, first.epoch, feed.read(cursor).reading) == Ahead()
    feed.publish([_trade("d"), _trade("e"), _trade("f")], now_ms=NOW + 20)
    assert follow(cursor, first.epoch, feed.read(cursor).reading) == Reset("history")


def test_a_counter_older_than_its_stream_begins_a_new_epoch_and_loses_no_new_entry(feed: Feed, redis: Redis) -> None:
    """Fail-over gave the counter back from a moment ago, and the clock stands where the stream ends."""
    before = feed.publish([_trade("a")], now_ms=NOW, checkpoint="c1")
    meta = {feed.keys.meta: redis.read("HGETALL", feed.keys.meta)}
    feed.publish([_trade("b"), _trade("c")], now_ms=NOW)
    _restore(redis, feed, meta)
    after = feed.publish([_trade("b"), _trade("d"), _trade("e")], now_ms=NOW)
    assert after.epoch != before.epoch
    assert [entry.data["trade_id"] for _, entry in after.entries] == ["d", "e"]
    assert _published_trades(feed) == [("trade", "d"), ("trade", "e")]
    assert feed.checkpoint() == "c1"
    assert feed.publish([_trade("d")], now_ms=NOW).entries == ()


def test_other_data_under_the_streams_key_is_refused_and_nothing_counts_as_published(feed: Feed, redis: Redis) -> None:
    feed.publish([_trade("a")], now_ms=NOW)
    redis.command("DEL", feed.keys.stream)
    redis.command("SET", feed.keys.stream, "no JSON")
    with pytest.raises(SourceRefused, match="WRONGTYPE"):
        feed.publish([_trade("b")], now_ms=NOW)
    redis.command("DEL", feed.keys.stream)
    assert [entry.data["trade_id"] for _, entry in feed.publish([_trade("b")], now_ms=NOW).entries] == ["b"]


# --- reading ---


def test_pages_of_the_log_continue_each_other(feed: Feed) -> None:
    feed.publish([_trade(str(number)) for number in range(7)], now_ms=NOW)
    cursor, pages = START, []
    while cursor != EntryId(NOW, 7):
        answer = follow(cursor, None, feed.read(cursor, count=3).reading)
        assert isinstance(answer, Continue)
        pages += [entry.data["trade_id"] for entry in answer.entries]
        cursor = answer.entries[-1].id
    assert pages == [str(number) for number in range(7)]


def test_the_latest_come_oldest_first(feed: Feed) -> None:
    feed.publish([_trade(str(number)) for number in range(5)], now_ms=NOW)
    assert [entry.data["trade_id"] for entry in feed.latest(2).reading.entries] == ["3", "4"]


def test_a_log_before_the_first_publish_is_empty(feed: Feed) -> None:
    state = feed.read(START)
    assert (state.reading.epoch, state.reading.head, state.heartbeat, state.bot) == (None, START, None, None)
    assert feed.checkpoint() is None
    assert feed.position().epoch is None


# --- the poller's heartbeat, which is also its lease ---


def test_a_heartbeat_returns_the_previous_one(feed: Feed, redis: Redis) -> None:
    assert feed.send_heartbeat(_heartbeat("one"), ttl_ms=60_000) is None
    assert feed.send_heartbeat(_heartbeat("two"), ttl_ms=60_000) == _heartbeat("one")
    assert feed.send_heartbeat(_heartbeat("three"), ttl_ms=60_000, notify=False) == _heartbeat("two")
    redis.command("PEXPIRE", feed.keys.poller, 0)
    assert feed.send_heartbeat(_heartbeat("one"), ttl_ms=60_000) is None


def test_a_heartbeat_lasts_for_its_time_and_is_read_with_the_log(feed: Feed, redis: Redis) -> None:
    feed.send_heartbeat(_heartbeat("one"), ttl_ms=1000)
    feed.send_heartbeat(_heartbeat("one"), ttl_ms=60_000)
    assert 1000 < redis.read("PTTL", feed.keys.poller) <= 60_000
    assert feed.read(START).heartbeat == _heartbeat("one")


def test_malformed_text_in_place_of_the_heartbeat_is_ignored(feed: Feed, redis: Redis) -> None:
    redis.command("SET", feed.keys.poller, "no JSON")
    assert feed.send_heartbeat(_heartbeat("one"), ttl_ms=1000) is None


# --- what it costs ---


def test_each_call_costs_the_documented_number_of_commands(feed: Feed, redis_server: RedisServer) -> None:
    """The commands that the cloud bills. A change that makes the poller more expensive must be noticed."""
    feed.publish([_trade("first")], now_ms=NOW)

    def commands(action: Callable[[], object]) -> int:
        redis_server.reset_meter()
        action()
        total: int = redis_server.meter()["total"]
        return total

    assert commands(lambda: feed.send_heartbeat(_heartbeat(), ttl_ms=1000)) == 2
    assert commands(lambda: feed.send_heartbeat(_heartbeat(), ttl_ms=1000, notify=False)) == 1
    assert commands(feed.position) == 1
    assert commands(lambda: feed.read(START)) == 3
    # EVALSHA, HMGET, HSET and for one trade ZADD, XADD, HSET, then PUBLISH
    assert commands(lambda: feed.publish([_trade("a")], now_ms=NOW)) == 7
    assert commands(lambda: feed.publish([_trade("b"), _trade("c")], now_ms=NOW)) == 10
    # one more for the identities that are forgotten, after every sixteenth entry
    assert commands(lambda: feed.publish([_trade(f"{number}") for number in range(12)], now_ms=NOW)) == 41
    # a repetition: EVALSHA, HMGET, ZADD, HGET, HSET
    assert commands(lambda: feed.publish([_trade("a")], now_ms=NOW)) == 5


# --- the doorbell ---


async def _received(connect: Connect, prefix: str, actions: list[Callable[[], object]]) -> list[Notification | None]:
    """The notifications that a listener receives: None once subscribed, then one for each action."""
    async with connect() as redis, aclosing(AsyncFeed(redis, prefix=prefix).notifications()) as notifications:
        received = [await anext(notifications)]
        for action in actions:
            await asyncio.to_thread(action)
            received.append(await anext(notifications))
        return received


def test_a_published_notification_contains_its_entries_and_names_its_predecessor(
    async_redis: Connect, feed: Feed, prefix: str
) -> None:
    actions: list[Callable[[], object]] = [
        lambda: feed.publish([_trade("a")], now_ms=NOW),
        lambda: feed.publish([_trade("b"), _trade("c")], now_ms=NOW + 7),
    ]
    confirmed, first, second = asyncio.run(_received(async_redis, prefix, actions))
    assert confirmed is None
    assert first is not None
    assert second is not None
    assert (first.previous, first.last) == (START, EntryId(NOW, 1))
    assert (second.previous, second.last) == (EntryId(NOW, 1), EntryId(NOW + 7, 3))
    assert second.entries == feed.latest(2).reading.entries
    assert second.epoch == feed.read(START).reading.epoch


def test_a_notification_of_large_entries_does_not_contain_them(async_redis: Connect, feed: Feed, prefix: str) -> None:
    large = [_trade(str(number), data={"text": "x" * 9000}) for number in range(4)]
    _, notification = asyncio.run(_received(async_redis, prefix, [lambda: feed.publish(large, now_ms=NOW)]))
    assert notification is not None
    assert (notification.entries, notification.last) == (None, EntryId(NOW, 4))


def test_a_heartbeat_notification_names_the_newest_entry(async_redis: Connect, feed: Feed, prefix: str) -> None:
    feed.publish([_trade("a")], now_ms=NOW)
    _, notification = asyncio.run(
        _received(async_redis, prefix, [lambda: feed.send_heartbeat(_heartbeat(), ttl_ms=1000)])
    )
    assert notification is not None
    assert (notification.heartbeat, notification.last) == (_heartbeat(), EntryId(NOW, 1))


def test_a_repetition_sends_no_notification(async_redis: Connect, feed: Feed, prefix: str) -> None:
    feed.publish([_trade("a")], now_ms=NOW)

    def repeat_then_publish() -> None:
        feed.publish([_trade("a")], now_ms=NOW)
        feed.publish([_trade("b")], now_ms=NOW)

    _, notification = asyncio.run(_received(async_redis, prefix, [repeat_then_publish]))
    assert notification is not None
    assert notification.previous == EntryId(NOW, 1)


def test_a_malformed_notification_is_none(async_redis: Connect, redis: Redis, feed: Feed, prefix: str) -> None:
    actions: list[Callable[[], object]] = [lambda: redis.command("PUBLISH", feed.keys.channel, '{"e":"x","p":"?"}')]
    assert asyncio.run(_received(async_redis, prefix, actions)) == [None, None]


def test_the_async_feed_reads_the_same_as_the_blocking_one(async_redis: Connect, feed: Feed, prefix: str) -> None:
    feed.publish([_trade("a"), _trade("b")], now_ms=NOW)

    async def both() -> tuple[object, object]:
        async with async_redis() as redis:
            reader = AsyncFeed(redis, prefix=prefix)
            return await reader.read(START), await reader.latest(1)

    assert asyncio.run(both()) == (feed.read(START), feed.latest(1))
