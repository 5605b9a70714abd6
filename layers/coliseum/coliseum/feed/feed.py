"""The log in Redis: publish to it in one atomic step, read from it, send and receive doorbell notifications."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from uuid import uuid4

from coliseum.config import Settings
from coliseum.errors import LogError, LogMoved
from coliseum.feed.entries import Candidate, EntryId, EntryKind
from coliseum.feed.places import FoundLog, LogPlace
from coliseum.feed.protocol import (
    Command,
    FeedKeys,
    FeedState,
    Fence,
    Notification,
    PollerHeartbeat,
    encode_heartbeat,
    latest_commands,
    parse_notification,
    parse_state,
    read_commands,
)
from coliseum.identity import Identity
from coliseum.observability import logger
from coliseum.upstash.client import AsyncRedis, Redis

SEEN_TTL_MS = 14 * 24 * 3600 * 1000
"""How long the identity of a published entry is remembered: far longer than the log or the bot's list reach back."""
CORRECTABLE = {EntryKind.TRADE: EntryKind.TRADE_CORRECTED}
"""The kind of an entry that corrects an earlier one, by the kind of the earlier one."""
PUBLISH_LUA = files("coliseum.feed").joinpath("publish.lua").read_text()


@dataclass(frozen=True, slots=True)
class Published:
    """What one publish call appended. Repetitions of earlier entries are not in it."""

    epoch: str
    head: EntryId
    entries: tuple[tuple[EntryId, Candidate], ...]


@dataclass(frozen=True, slots=True)
class LogPosition:
    """The log's newest entry, with the checkpoint and the fence that its last fenced publisher stored."""

    epoch: str | None
    """None where nothing was ever published."""
    head: EntryId
    checkpoint: str | None
    fence: str
    """Empty before the first fenced publish."""


class Feed:
    """The log for publishers and for short reads. Blocking."""

    def __init__(self, redis: Redis, *, prefix: str, maxlen: int, identity: Identity | None = None) -> None:
        """With `identity` only the log of that bot, exchange and account is read and written; see `places`."""
        self._place = LogPlace(prefix, identity)
        self._redis = redis
        self._maxlen = maxlen
        self._known: tuple[str, EntryId] | None = None
        """Epoch and newest entry as this publisher last saw them: heartbeat notifications name them."""

    @classmethod
    def from_settings(cls, settings: Settings, redis: Redis) -> Feed:
        """The feed of the settings' bot, exchange and account. The caller closes `redis`."""
        return cls(redis, prefix=settings.redis_key_prefix, maxlen=settings.feed_maxlen, identity=settings.identity)

    @property
    def keys(self) -> FeedKeys:
        """Where the log lies, as far as this process knows."""
        return self._place.keys

    def publish(
        self,
        candidates: Sequence[Candidate],
        *,
        now_ms: int,
        checkpoint: str = "",
        bot: dict[str, object] | None = None,
        fence: Fence | None = None,
    ) -> Published:
        """Append the candidates that are new, oldest first, in one script call. A repeated call appends nothing twice.

        `checkpoint` and `bot` (the current bot status) are stored in the same step; empty ones leave what is stored.
        Raises LogMoved, with nothing changed, where another publisher has replaced the fence; SourceError where Redis
        fails; LogError for a reply in another form.
        """
        args: list[str | int] = [
            now_ms,
            self._maxlen,
            SEEN_TTL_MS,
            uuid4().hex,
            f"{self._place.first.channel}\n{self._place.own.channel}",
            checkpoint,
            "" if bot is None else _json(bot),
            "" if fence is None else ",".join(fence.accepted),
            "" if fence is None else fence.token,
            self._place.owner,
            self._place.earlier_owner,
            len(candidates),
        ]
        for candidate in candidates:
            corrected = CORRECTABLE.get(candidate.kind) if candidate.correctable else None
            args += [candidate.key, candidate.digest, candidate.boot, candidate.at, candidate.kind.value]
            args += ["" if corrected is None else corrected.value, _json(candidate.data)]
        places = (self._place.first, self._place.own)
        keys = [name for place in places for name in (place.stream, place.meta, place.seen, place.known)]
        reply = self._redis.script(PUBLISH_LUA, keys, args, idempotent=True)
        if reply == [""]:
            raise LogMoved("another publisher has replaced the checkpoint")
        try:
            epoch, ms, first, last, place, *indexes = reply
            self._place.moved_to(places[int(place)])
            ids = [EntryId(int(ms), seq) for seq in range(int(first), int(last) + 1)]
            entries = tuple((entry_id, candidates[int(i)]) for entry_id, i in zip(ids, indexes, strict=True))
            if entries:  # without entries, `ms` may be later than the newest entry's
                self._known = (str(epoch), EntryId(int(ms), int(last)))
            return Published(str(epoch), EntryId(int(ms), int(last)), entries)
        except (ValueError, TypeError, IndexError) as error:
            raise LogError(f"publish: expected epoch, ids and indexes, got {str(reply)[:200]!r}") from error

    def read(self, after: EntryId, *, count: int = 200) -> FeedState:
        """The log from `after` on, with its head and the poller's heartbeat, in one transaction."""
        return self._read(lambda keys: read_commands(keys, after, count))

    def latest(self, count: int) -> FeedState:
        """The newest `count` entries, oldest first."""
        return self._read(lambda keys: latest_commands(keys, count), newest_first=True)

    def checkpoint(self) -> str | None:
        """The checkpoint that the last publish stored."""
        value = self._redis.read("HGET", self.keys.meta, "checkpoint")
        return value if isinstance(value, str) else None

    def position(self) -> LogPosition:
        """The log's head, checkpoint and fence, in one command. Raises LogError for a reply in another form."""
        names = ("epoch", "seq", "ms", "checkpoint", "fence", "owner")
        reply = self._redis.read("HMGET", self.keys.meta, *names)
        try:
            if not self._place.is_certain(FoundLog(reply[0] is not None, reply[5])) and self._find_place():
                reply = self._redis.read("HMGET", self.keys.meta, *names)
            epoch, seq, ms, checkpoint, fence, owner = reply
            head = EntryId(int(ms or 0), int(seq or 0))
            self._known = None if epoch is None else (epoch, head)
            position = LogPosition(epoch, head, checkpoint, fence or "")
        except (ValueError, TypeError, IndexError) as error:
            raise LogError(f"feed:meta: expected six fields, got {str(reply)[:200]!r}") from error
        if epoch is not None and self._place.owner and owner != self._place.owner:
            # A release without owners wrote this log, or this bot without a key did. Mark it before another takes it.
            self._redis.command("HSET", self.keys.meta, "owner", self._place.owner)
        return position

    def send_heartbeat(self, heartbeat: PollerHeartbeat, *, ttl_ms: int, notify: bool = True) -> PollerHeartbeat | None:
        """Store the poller's heartbeat for `ttl_ms` and send it through the doorbell; returns the previous one.

        Two commands, or one without `notify`. The heartbeat is also a lease: `SET ... GET` returns the previous
        heartbeat, so that a poller can see another one that is still running.
        """
        store = ("SET", self.keys.poller, heartbeat.text(), "GET", "PX", ttl_ms)
        if not notify:
            return PollerHeartbeat.parse(self._redis.command(*store))
        message = encode_heartbeat(heartbeat, self._known)
        previous, _ = self._redis.pipeline((store, ("PUBLISH", self.keys.channel, message)))
        return PollerHeartbeat.parse(previous)

    def _read(self, commands: Callable[[FeedKeys], tuple[Command, ...]], *, newest_first: bool = False) -> FeedState:
        state = parse_state(self._redis.transaction(commands(self.keys)), newest_first=newest_first)
        if not self._place.is_certain(_found(state)) and self._find_place():
            state = parse_state(self._redis.transaction(commands(self.keys)), newest_first=newest_first)
        return state

    def _find_place(self) -> bool:
        """Find out where the log lies. Returns whether that is elsewhere than before."""
        return _chosen(self._place, self._redis.transaction(_place_commands(self._place)))


class AsyncFeed:
    """The log for stream readers: the same reads as `Feed`, and the doorbell's notifications."""

    def __init__(self, redis: AsyncRedis, *, prefix: str, identity: Identity | None = None) -> None:
        """With `identity` only the log of that bot, exchange and account is read; see `places`."""
        self._place = LogPlace(prefix, identity)
        self._redis = redis

    @classmethod
    def from_settings(cls, settings: Settings, redis: AsyncRedis) -> AsyncFeed:
        """The feed of the settings' bot, exchange and account. The caller closes `redis`."""
        return cls(redis, prefix=settings.redis_key_prefix, identity=settings.identity)

    @property
    def keys(self) -> FeedKeys:
        """Where the log lies, as far as this process knows."""
        return self._place.keys

    async def read(self, after: EntryId, *, count: int = 200) -> FeedState:
        """The log from `after` on, with its head and the poller's heartbeat, in one transaction."""
        return await self._read(lambda keys: read_commands(keys, after, count))

    async def latest(self, count: int) -> FeedState:
        """The newest `count` entries, oldest first."""
        return await self._read(lambda keys: latest_commands(keys, count), newest_first=True)

    async def notifications(self) -> AsyncGenerator[Notification | None, None]:
        """Notifications until the connection ends: None once when subscribed, and for a message that cannot be parsed.

        After a None the caller must read the log. Raises SourceError where Redis does not answer. A caller that
        leaves early must close the generator. It ends, too, where a read finds the log elsewhere: subscribe again.
        """
        channel = self.keys.channel
        async with aclosing(self._redis.subscribe(channel)) as messages:
            async for message in messages:
                yield None if message is None else parse_notification(message)
                if self.keys.channel != channel:
                    return

    async def _read(
        self, commands: Callable[[FeedKeys], tuple[Command, ...]], *, newest_first: bool = False
    ) -> FeedState:
        state = parse_state(await self._redis.transaction(commands(self.keys)), newest_first=newest_first)
        if self._place.is_certain(_found(state)):
            return state
        if _chosen(self._place, await self._redis.transaction(_place_commands(self._place))):
            state = parse_state(await self._redis.transaction(commands(self.keys)), newest_first=newest_first)
        return state


def _found(state: FeedState) -> FoundLog:
    return FoundLog(state.reading.epoch is not None, state.owner)


def _place_commands(place: LogPlace) -> tuple[Command, ...]:
    return tuple(("HMGET", keys.meta, "epoch", "owner") for keys in (place.first, place.own))


def _chosen(place: LogPlace, replies: Sequence[Any]) -> bool:
    """Choose the log's place by the replies to `_place_commands`. Returns whether it is another one than before."""
    try:
        first, own = (FoundLog(epoch is not None, owner) for epoch, owner in replies)
    except (ValueError, TypeError) as error:
        raise LogError(f"feed:meta: expected epoch and owner twice, got {str(replies)[:200]!r}") from error
    changed = place.choose(first, own)
    if changed and place.keys is place.own:
        # Intended with a second bot or account; but a replaced key of the same account looks the same.
        logger().warning("the first log belongs to another identity", owner=first.owner, own=place.owner)
    return changed


def now_ms() -> int:
    """The wall clock, in unix milliseconds."""
    return time.time_ns() // 1_000_000


def _json(data: dict[str, object]) -> str:
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
