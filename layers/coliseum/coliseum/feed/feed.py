"""The log itself: publish in one atomic step, read with proof of contiguity, wait at the doorbell."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from importlib.resources import files
from uuid import uuid4

from coliseum.errors import LogError, LogMoved
from coliseum.feed.entries import Candidate, Entry, EntryId, Kind
from coliseum.feed.protocol import (
    Bell,
    FeedKeys,
    Report,
    State,
    bell_from,
    heartbeat_text,
    latest_commands,
    read_commands,
    state_from,
)
from coliseum.upstash.client import AsyncRedis, Redis

SEEN_TTL_MS = 14 * 24 * 3600 * 1000
"""How long an identity is remembered: far longer than the log's retention or any bot's list of 100."""
CORRECTABLE = {Kind.TRADE: Kind.TRADE_CORRECTED}
PUBLISH_LUA = files("coliseum.feed").joinpath("publish.lua").read_text()


@dataclass(frozen=True, slots=True)
class Published:
    """What one publish appended; repetitions are not in it."""

    epoch: str
    head: EntryId
    entries: tuple[tuple[EntryId, Candidate], ...]


@dataclass(frozen=True, slots=True)
class Position:
    """Where the log stands, and what its last fenced publisher left beside it."""

    epoch: str | None
    """None where nothing was ever published."""
    head: EntryId
    checkpoint: str | None
    fence: str
    """Empty before the first fenced publish."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Publish only where one of the `accepted` fences stands, and leave `token` behind.

    Whoever concluded from a checkpoint must not publish after someone else has replaced it. Each call has a token
    of its own, never used for other contents; those of calls whose reply was lost are accepted like the last known.
    """

    accepted: tuple[str, ...]
    token: str


class Feed:
    """The log for publishers and for short reads."""

    def __init__(self, redis: Redis, *, prefix: str, maxlen: int) -> None:
        self.keys = FeedKeys(prefix)
        self._redis = redis
        self._maxlen = maxlen
        self._known: tuple[str, EntryId] | None = None
        """Epoch and newest entry as this publisher last saw them: the poller's doorbell names them."""

    def publish(
        self,
        candidates: Sequence[Candidate],
        *,
        now_ms: int,
        checkpoint: str = "",
        bot: dict[str, object] | None = None,
        fence: Fence | None = None,
    ) -> Published:
        """Append what is new, oldest first, in ONE script call; repeating the call appends nothing twice.

        `checkpoint` and `bot` (the current bot status) are stored in the same step. Raises LogMoved, having
        changed nothing, where another publisher moved the fence.
        """
        args: list[str | int] = [
            now_ms,
            self._maxlen,
            SEEN_TTL_MS,
            uuid4().hex,
            self.keys.channel,
            checkpoint,
            "" if bot is None else _json(bot),
            "" if fence is None else ",".join(fence.accepted),
            "" if fence is None else fence.token,
            len(candidates),
        ]
        for candidate in candidates:
            corrected = CORRECTABLE.get(candidate.kind) if candidate.correctable else None
            args += [candidate.key, candidate.digest, candidate.boot, candidate.at, candidate.kind.value]
            args += ["" if corrected is None else corrected.value, _json(candidate.data)]
        keys = [self.keys.stream, self.keys.meta, self.keys.seen, self.keys.known]
        reply = self._redis.script(PUBLISH_LUA, keys, args, idempotent=True)
        if reply == [""]:
            raise LogMoved("another publisher has moved the checkpoint")
        try:
            epoch, ms, first, last, *indexes = reply
            ids = [EntryId(int(ms), seq) for seq in range(int(first), int(last) + 1)]
            entries = tuple((entry_id, candidates[int(i)]) for entry_id, i in zip(ids, indexes, strict=True))
            if entries:  # else `ms` may be later than the newest entry's
                self._known = (str(epoch), EntryId(int(ms), int(last)))
            return Published(str(epoch), EntryId(int(ms), int(last)), entries)
        except (ValueError, TypeError, IndexError) as error:
            raise LogError(f"publish answered {str(reply)[:200]!r}") from error

    def read(self, after: EntryId, *, count: int = 200) -> State:
        """The log from `after` on, with head and poller report, in one transaction."""
        return state_from(self._redis.transaction(read_commands(self.keys, after, count)))

    def latest(self, count: int) -> State:
        """The newest `count` entries, oldest first."""
        return state_from(self._redis.transaction(latest_commands(self.keys, count)), newest_first=True)

    def checkpoint(self) -> str | None:
        """What the last publish stored beside its entries."""
        value = self._redis.read("HGET", self.keys.meta, "checkpoint")
        return value if isinstance(value, str) else None

    def position(self) -> Position:
        """Where the log stands, with checkpoint and fence. One command."""
        names = ("epoch", "seq", "ms", "checkpoint", "fence")
        reply = self._redis.read("HMGET", self.keys.meta, *names)
        try:
            epoch, seq, ms, checkpoint, fence = reply
            head = EntryId(int(ms or 0), int(seq or 0))
            self._known = None if epoch is None else (epoch, head)
            return Position(epoch, head, checkpoint, fence or "")
        except (ValueError, TypeError) as error:
            raise LogError(f"the feed's meta answered {str(reply)[:200]!r}") from error

    def report(self, report: Report, *, ttl_ms: int, ring: bool = True) -> Report | None:
        """Leave the poller's word for `ttl_ms` and ring the doorbell with it; the word that stood there before.

        Two commands, one without the ring. The word is a lease, too: who finds another's may have to wait for it.
        """
        leave = ("SET", self.keys.poller, report.text(), "GET", "PX", ttl_ms)
        if not ring:
            return Report.parse(self._redis.command(*leave))
        before, _ = self._redis.pipeline((leave, ("PUBLISH", self.keys.channel, heartbeat_text(report, self._known))))
        return Report.parse(before)


class AsyncFeed:
    """The log for stream readers: the same reads, and the doorbell."""

    def __init__(self, redis: AsyncRedis, *, prefix: str) -> None:
        self.keys = FeedKeys(prefix)
        self._redis = redis

    async def read(self, after: EntryId, *, count: int = 200) -> State:
        """The log from `after` on, with head and poller report, in one transaction."""
        return state_from(await self._redis.transaction(read_commands(self.keys, after, count)))

    async def latest(self, count: int) -> State:
        """The newest `count` entries, oldest first."""
        return state_from(await self._redis.transaction(latest_commands(self.keys, count)), newest_first=True)

    async def bells(self) -> AsyncGenerator[Bell | None, None]:
        """Doorbells until the connection ends: None once when subscribed, and for a ring we cannot read.

        Either means: look at the log. Raises SourceError where Redis does not answer. Close it when leaving early.
        """
        async with aclosing(self._redis.subscribe(self.keys.channel)) as messages:
            async for message in messages:
                yield None if message is None else bell_from(message)


def candidate(kind: Kind, key: str, data: dict[str, object], *, digest: str = "") -> Candidate:
    """A candidate that is not correctable: the same key is the same happening."""
    return Candidate(kind=kind, key=f"{kind.value}:{key}", digest=digest, data=data)


def now_ms() -> int:
    """The wall clock in unix milliseconds."""
    return time.time_ns() // 1_000_000


def _json(data: dict[str, object]) -> str:
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


__all__ = ["AsyncFeed", "Candidate", "Entry", "Feed", "Fence", "Position", "Published", "candidate", "now_ms"]
