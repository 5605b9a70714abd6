"""Subscribers of channels and patterns: one connection to Redis, fanned out to all of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from coliseum_local.redis.backend import BackendLost, RedisConnection
from coliseum_local.redis.resp import Command

QUEUE_LIMIT = 10_000
"""Frames a subscriber may lag behind before it is cut, as a client of Redis would be."""

Topic = tuple[Literal["subscribe", "psubscribe"], bytes]


class End(Enum):
    """Why a subscription ended."""

    CLOSED = "closed"
    CUT = "cut"


@dataclass(eq=False, slots=True)
class Subscriber:
    """One reader of one topic."""

    topic: Topic
    frames: asyncio.Queue[bytes | End] = field(default_factory=lambda: asyncio.Queue(QUEUE_LIMIT + 1))

    def push(self, frame: bytes) -> None:
        if self.frames.qsize() < QUEUE_LIMIT:
            self.frames.put_nowait(frame)
        else:
            self.end(End.CUT)

    def end(self, why: End) -> None:
        while self.frames.qsize() >= QUEUE_LIMIT:
            self.frames.get_nowait()
        self.frames.put_nowait(why)

    def confirm(self) -> None:
        kind, name = self.topic
        self.push(b"%b,%b,1" % (kind.encode(), name))


class Hub:
    """The subscribers of each topic. A topic is subscribed at Redis while it has at least one."""

    def __init__(self, connect: Callable[[], Awaitable[RedisConnection]]) -> None:
        self._connect = connect
        self._connecting = asyncio.Lock()
        self._connection: RedisConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._subscribers: dict[Topic, list[Subscriber]] = {}
        self._unconfirmed: Counter[Topic] = Counter()
        """Confirmations that have not arrived. A topic that was left and subscribed again waits for the newer one."""

    @property
    def count(self) -> int:
        return sum(map(len, self._subscribers.values()))

    @asynccontextmanager
    async def listen(self, topic: Topic) -> AsyncIterator[Subscriber]:
        """A subscriber until the block ends. Its first frame confirms. Raises BackendLost."""
        async with self._connecting:
            if self._connection is None:
                try:
                    self._connection = await self._connect()
                except OSError as error:
                    raise BackendLost(f"Redis did not answer: {type(error).__name__}") from error
                self._reading = asyncio.create_task(self._read(self._connection))
        subscriber = Subscriber(topic)
        listeners = self._subscribers.setdefault(topic, [])
        listeners.append(subscriber)
        if len(listeners) == 1:
            self._unconfirmed[topic] += 1
            await self._send(topic[0].upper(), topic[1])
        elif not self._unconfirmed[topic]:
            subscriber.confirm()
        try:
            yield subscriber
        finally:
            await self._leave(subscriber)

    def end_all(self, why: End) -> None:
        """End every subscription; their readers leave by themselves."""
        for listeners in self._subscribers.values():
            for subscriber in listeners:
                subscriber.end(why)

    async def close(self) -> None:
        self.end_all(End.CLOSED)
        if self._reading is not None:
            self._reading.cancel()
        if self._connection is not None:
            self._connection.close()

    async def _leave(self, subscriber: Subscriber) -> None:
        listeners = self._subscribers.get(subscriber.topic, [])
        if subscriber in listeners:
            listeners.remove(subscriber)
            if not listeners:
                del self._subscribers[subscriber.topic]
                kind, name = subscriber.topic
                await self._send("UNSUBSCRIBE" if kind == "subscribe" else "PUNSUBSCRIBE", name)

    async def _send(self, verb: str, name: bytes) -> None:
        command: Command = (verb.encode(), name)
        if self._connection is not None:
            with suppress(OSError):  # the reading side sees the end too and ends all subscriptions
                await self._connection.send([command])

    async def _read(self, connection: RedisConnection) -> None:
        """Deliver until the connection to Redis ends; that ends all subscriptions."""
        try:
            while True:
                match await connection.next():
                    case [b"message", bytes(channel), bytes(payload)]:
                        self._deliver(("subscribe", channel), b"message,%b,%b" % (channel, payload))
                    case [b"pmessage", bytes(pattern), bytes(channel), bytes(payload)]:
                        self._deliver(("psubscribe", pattern), b"pmessage,%b,%b,%b" % (pattern, channel, payload))
                    case [b"subscribe", bytes(channel), _]:
                        self._confirm(("subscribe", channel))
                    case [b"psubscribe", bytes(pattern), _]:
                        self._confirm(("psubscribe", pattern))
        except (OSError, EOFError):
            self.end_all(End.CLOSED)
            self._subscribers.clear()
            self._unconfirmed.clear()
            self._connection = None
            connection.close()

    def _deliver(self, topic: Topic, frame: bytes) -> None:
        if not self._unconfirmed[topic]:
            for subscriber in self._subscribers.get(topic, ()):
                subscriber.push(frame)

    def _confirm(self, topic: Topic) -> None:
        self._unconfirmed[topic] -= 1
        if not self._unconfirmed[topic]:
            del self._unconfirmed[topic]
            for subscriber in self._subscribers.get(topic, ()):
                subscriber.confirm()
