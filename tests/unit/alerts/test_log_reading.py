"""The cursor through a log that grows, is trimmed, emptied and begun again; against the real Redis."""

from __future__ import annotations

from coliseum.alerts.facts import SeenUpTo
from coliseum.alerts.log_reading import ENTRIES_PER_READ, read_log
from coliseum.feed.entries import Entry, EntryKind, event_candidate
from coliseum.feed.feed import Feed
from coliseum.upstash.client import Redis


def feed_of(redis: Redis, prefix: str) -> Feed:
    return Feed(redis, prefix=prefix, maxlen=10_000)


def publish(feed: Feed, first: int, last: int) -> None:
    numbers = range(first, last + 1)
    feed.publish([event_candidate(EntryKind.SOURCE_GAP, f"g{n}", {"n": n}) for n in numbers], now_ms=1000 + first)


def none_trimmed(seen: SeenUpTo, *, until: int) -> tuple[Entry, ...]:
    raise AssertionError(f"nothing was trimmed, but {seen} to {until} was asked for")


def numbers(entries: tuple[Entry, ...]) -> list[int]:
    return [entry.data["n"] for entry in entries]


def test_the_first_run_begins_at_the_newest_entry(redis: Redis, prefix: str) -> None:
    feed = feed_of(redis, prefix)
    publish(feed, 1, 5)
    first = read_log(feed, None, trimmed=none_trimmed)
    assert first.entries == ()
    publish(feed, 6, 7)
    assert numbers(read_log(feed, first.seen, trimmed=none_trimmed).entries) == [6, 7]


def test_a_log_that_begins_after_the_first_run_is_read_whole(redis: Redis, prefix: str) -> None:
    feed = feed_of(redis, prefix)
    first = read_log(feed, None, trimmed=none_trimmed)
    publish(feed, 1, 3)
    assert numbers(read_log(feed, first.seen, trimmed=none_trimmed).entries) == [1, 2, 3]


def test_more_entries_than_one_read_takes_are_all_read_in_order(redis: Redis, prefix: str) -> None:
    feed = feed_of(redis, prefix)
    publish(feed, 1, 1)
    first = read_log(feed, None, trimmed=none_trimmed)
    publish(feed, 2, ENTRIES_PER_READ + 300)
    found = read_log(feed, first.seen, trimmed=none_trimmed)
    assert numbers(found.entries) == list(range(2, ENTRIES_PER_READ + 301))
    assert read_log(feed, found.seen, trimmed=none_trimmed).entries == ()


def test_another_epoch_is_read_from_its_beginning(redis: Redis, prefix: str) -> None:
    feed = feed_of(redis, prefix)
    publish(feed, 1, 5)
    first = read_log(feed, None, trimmed=none_trimmed)
    for key in (feed.keys.stream, feed.keys.meta, feed.keys.seen, feed.keys.known):
        redis.command("DEL", key)
    assert read_log(feed, first.seen, trimmed=none_trimmed).seen == first.seen, "an emptied log decides nothing"
    publish(feed, 11, 12)
    found = read_log(feed, first.seen, trimmed=none_trimmed)
    assert (numbers(found.entries), found.seen.epoch == first.seen.epoch) == ([11, 12], False)


def test_dropped_entries_are_asked_for_by_their_numbers(redis: Redis, prefix: str) -> None:
    feed = feed_of(redis, prefix)
    publish(feed, 1, 2)
    first = read_log(feed, None, trimmed=none_trimmed)
    publish(feed, 3, 9)
    redis.command("XTRIM", feed.keys.stream, "MAXLEN", 2)
    asked: list[tuple[int, int]] = []

    def trimmed(seen: SeenUpTo, *, until: int) -> tuple[Entry, ...]:
        asked.append((seen.id.seq, until))
        return ()

    assert numbers(read_log(feed, first.seen, trimmed=trimmed).entries) == [8, 9]
    assert asked == [(2, 7)]
