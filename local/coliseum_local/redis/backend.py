"""Connections to the Redis behind the gateway: a small pool, one exchange at a time on each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from coliseum.errors import ConfigurationError
from coliseum_local.redis.resp import Command, Reply, RespError, encode, read_reply

POOL_SIZE = 16
EXCHANGE_SECONDS = 30.0
LINE_LIMIT = 1 << 20


class BackendLost(Exception):
    """Redis did not answer; whether it executed what was sent is unknown."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a Redis listens."""

    socket: str | None = None
    host: str = "127.0.0.1"
    port: int = 6379
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0

    @classmethod
    def parse(cls, url: str) -> Address:
        """From `unix:/path` or `redis://[user:password@]host[:port][/db]`; an error never repeats a password."""
        parts = urlsplit(url)
        try:
            if parts.scheme == "unix" and parts.path:
                return cls(socket=parts.path)
            if parts.scheme == "redis" and parts.hostname:
                return cls(
                    host=parts.hostname,
                    port=parts.port or 6379,
                    username=unquote(parts.username) if parts.username else None,
                    password=unquote(parts.password) if parts.password else None,
                    database=int(parts.path.strip("/") or 0),
                )
        except ValueError:
            pass
        raise ConfigurationError("REDIS_URL", "expected unix:/path/to/socket or redis://host:port")


class RedisConnection:
    """One connection, ready for commands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: Address) -> RedisConnection:
        """Raises OSError where nothing listens, BackendLost where it does not let us in."""
        if address.socket is not None:
            streams = await asyncio.open_unix_connection(address.socket, limit=LINE_LIMIT)
        else:
            streams = await asyncio.open_connection(address.host, address.port, limit=LINE_LIMIT)
        connection = cls(*streams)
        greeting: list[Command] = []
        if address.password is not None:
            user = () if address.username is None else (address.username.encode(),)
            greeting.append((b"AUTH", *user, address.password.encode()))
        if address.database:
            greeting.append((b"SELECT", b"%d" % address.database))
        for reply in await connection.exchange(greeting):
            if isinstance(reply, RespError):
                connection.close()
                raise BackendLost(f"Redis refused the connection: {reply.text}")
        return connection

    @property
    def ended(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    async def exchange(self, commands: Sequence[Command]) -> list[Reply]:
        """All commands out, then all replies in."""
        await self.send(commands)
        return [await read_reply(self._reader) for _ in commands]

    async def send(self, commands: Sequence[Command]) -> None:
        self._writer.write(encode(commands))
        await self._writer.drain()

    async def next(self) -> Reply:
        """The next reply, or what a subscription pushes."""
        return await read_reply(self._reader)

    def close(self) -> None:
        self._writer.close()


class Backend:
    """Up to POOL_SIZE exchanges at once; the others wait their turn."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: list[RedisConnection] = []
        self._turns = asyncio.Semaphore(POOL_SIZE)

    async def exchange(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies of commands sent on one connection, nothing in between. Raises BackendLost."""
        async with self._turns:
            try:
                async with asyncio.timeout(EXCHANGE_SECONDS):
                    connection = self._take() or await RedisConnection.open(self.address)
                    try:
                        replies = await connection.exchange(commands)
                    except BaseException:
                        connection.close()  # replies may be half read, so that it cannot be used again
                        raise
            except (OSError, EOFError, TimeoutError) as error:
                raise BackendLost(f"Redis did not answer: {type(error).__name__}") from error
            self._idle.append(connection)
            if any(isinstance(reply, RespError) and reply.text.startswith("LOADING") for reply in replies):
                raise BackendLost("Redis is reading its data back")
            return replies

    async def ping(self) -> bool:
        """True once it answers and has read its data back."""
        try:
            return not isinstance((await self.exchange([(b"PING",)]))[0], RespError)
        except BackendLost:
            return False

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> RedisConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.ended:
                return connection
            connection.close()
        return None
