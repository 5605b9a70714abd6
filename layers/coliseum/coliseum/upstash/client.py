"""The clients of Redis over Upstash's REST protocol: commands, scripts, the doorbell. The only importer of the SDK.

Replies are those of RESP2: strings, integers, None and (flat) lists. The SDK's retry is off, because it would repeat
writes whose reply was lost, and time-outs are set, which it lacks. Calls that are safe to repeat are repeated here,
once. The first client imports SDK and httpx, not this module, to keep cold starts short.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from coliseum.errors import InvalidInput, SourceError, SourceMalformed, SourceRefused, SourceUnavailable
from coliseum.upstash.replies import SOURCE, command_arguments, error_from_reply, parse_push_line

if TYPE_CHECKING:
    import httpx

    from coliseum.config import Settings

Part = str | int | float
Value = TypeVar("Value")
_BATCHES = ("/pipeline", "/multi-exec")
_SUBSCRIBE = "/subscribe/"


class Redis:
    """Redis without an event loop. Thread-safe. Methods raise SourceError where Redis fails."""

    def __init__(self, url: str, token: str, *, timeout_seconds: float = 5.0, connect_seconds: float = 2.0) -> None:
        import httpx
        from upstash_redis import Redis as Sdk

        self._sdk = Sdk(url=url.rstrip("/"), token=token, rest_retries=0, allow_telemetry=False)
        inner = self._sdk._http._client
        inner.timeout = httpx.Timeout(timeout_seconds, connect=connect_seconds)
        inner.event_hooks = {"response": [_raise_for_error]}

    @classmethod
    def from_settings(cls, settings: Settings) -> Redis:
        return cls(*_address(settings))

    def command(self, *parts: Part) -> Any:
        """One command, sent at most once."""
        command = command_arguments(parts)
        with _translate_errors():
            return self._sdk.execute(command)

    def read(self, *parts: Part) -> Any:
        """One command that may be repeated; sent a second time where the first got no clear answer."""
        return _retry_once(lambda: self.command(*parts))

    def pipeline(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        """The commands in order, not atomic, sent at most once.

        Raises the first error of a command; by then all commands have run.
        """
        return self._batch(commands, atomic=False)

    def transaction(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        """The commands as one atomic step. For reads: sent a second time where the first got no clear answer."""
        return _retry_once(lambda: self._batch(commands, atomic=True))

    def script(self, source: str, keys: Sequence[str], args: Sequence[Part], *, idempotent: bool = False) -> Any:
        """Run a Lua script by its SHA-1; its source is sent only where Redis does not know it.

        After a lost answer it is repeated once, and only where the script is `idempotent`.
        """

        def run() -> Any:
            try:
                return self.command("EVALSHA", _digest(source), len(keys), *keys, *args)
            except SourceRefused as error:
                if not _unknown_script(error):
                    raise
            return self.command("EVAL", source, len(keys), *keys, *args)

        return _retry_once(run) if idempotent else run()

    def close(self) -> None:
        self._sdk.close()  # type: ignore[no-untyped-call]  # the SDK left this one without types

    def _batch(self, commands: Sequence[Sequence[Part]], *, atomic: bool) -> list[Any]:
        if not commands:  # Upstash refuses an empty batch
            return []
        # A new batch each time: after an error the SDK keeps the old commands and would send them again.
        batch = self._sdk.multi() if atomic else self._sdk.pipeline()
        for command in commands:
            batch.execute(command_arguments(tuple(command)))
        with _translate_errors():
            return batch.exec()


class AsyncRedis:
    """Redis inside one event loop, with subscriptions.

    A second loop is refused with RuntimeError: the SDK would first send over the first loop's dead connection.
    """

    def __init__(self, url: str, token: str, *, timeout_seconds: float = 5.0, connect_seconds: float = 2.0) -> None:
        import httpx
        from upstash_redis.asyncio import Redis as Sdk

        self._url = url.rstrip("/")
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._connect_seconds = connect_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sdk = Sdk(url=self._url, token=token, rest_retries=0, allow_telemetry=False)
        inner = self._sdk._http._client
        inner.timeout = httpx.Timeout(timeout_seconds, connect=connect_seconds)
        inner.event_hooks = {"response": [_raise_for_error_async]}

    @classmethod
    def from_settings(cls, settings: Settings) -> AsyncRedis:
        return cls(*_address(settings))

    async def command(self, *parts: Part) -> Any:
        """One command, sent at most once."""
        command = command_arguments(parts)
        self._check_loop()
        with _translate_errors():
            return await self._sdk.execute(command)

    async def read(self, *parts: Part) -> Any:
        """One command that may be repeated; sent a second time where the first got no clear answer."""
        return await _retry_once_async(lambda: self.command(*parts))

    async def pipeline(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        """The commands in order, not atomic, sent at most once.

        Raises the first error of a command; by then all commands have run.
        """
        return await self._batch(commands, atomic=False)

    async def transaction(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        """The commands as one atomic step. For reads: sent a second time where the first got no clear answer."""
        return await _retry_once_async(lambda: self._batch(commands, atomic=True))

    async def script(self, source: str, keys: Sequence[str], args: Sequence[Part], *, idempotent: bool = False) -> Any:
        """Run a Lua script by its SHA-1, like `Redis.script`."""

        async def run() -> Any:
            try:
                return await self.command("EVALSHA", _digest(source), len(keys), *keys, *args)
            except SourceRefused as error:
                if not _unknown_script(error):
                    raise
            return await self.command("EVAL", source, len(keys), *keys, *args)

        return await (_retry_once_async(run) if idempotent else run())

    async def subscribe(self, channel: str) -> AsyncGenerator[str | None, None]:
        """Yields None once the subscription is confirmed, then each payload. Ends when the connection ends.

        Upstash sends no keepalives, so the caller needs a watchdog. Close the generator (`contextlib.aclosing`) to
        leave early. Raises SourceError where the subscription cannot be opened.
        """
        import httpx

        self._check_loop()
        response = await self._open_subscription(channel)
        try:
            async for line in _lines(response.aiter_bytes()):
                match parse_push_line(line, channel):
                    case ("subscribe", _):
                        yield None
                    case ("message", payload):
                        yield payload
        except httpx.HTTPError:
            return  # a cut connection and a closed one are the same to the caller
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._sdk.close()

    async def _batch(self, commands: Sequence[Sequence[Part]], *, atomic: bool) -> list[Any]:
        if not commands:
            return []
        self._check_loop()
        batch = self._sdk.multi() if atomic else self._sdk.pipeline()
        for command in commands:
            batch.execute(command_arguments(tuple(command)))
        with _translate_errors():
            return await batch.exec()

    async def _open_subscription(self, channel: str) -> httpx.Response:
        import httpx

        inner = self._sdk._http._client
        request = inner.build_request(
            "POST",
            f"{self._url}{_SUBSCRIBE}{quote(channel, safe=':')}",
            headers={"Authorization": f"Bearer {self._token}", "Accept": "text/event-stream"},
            timeout=httpx.Timeout(None, connect=self._connect_seconds),
        )
        with _translate_errors():
            async with asyncio.timeout(self._timeout_seconds):
                response = await inner.send(request, stream=True)
                body = b"" if response.status_code == 200 else await response.aread()
                problem = error_from_reply(response.status_code, body, batch=False)
                if problem is not None:
                    await response.aclose()
                    raise problem
        return response

    def _check_loop(self) -> None:
        running = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = running
        elif self._loop is not running:
            raise RuntimeError("this AsyncRedis belongs to another event loop; make one per loop")


def _address(settings: Settings) -> tuple[str, str]:
    settings.require("upstash_redis_rest_url", "upstash_redis_rest_token")
    assert settings.upstash_redis_rest_url is not None
    assert settings.upstash_redis_rest_token is not None
    return settings.upstash_redis_rest_url, settings.upstash_redis_rest_token.get_secret_value()


def _raise_for_error(response: httpx.Response) -> None:
    """Raise our error by the HTTP status, before the SDK parses the body: it looks at nothing else."""
    response.read()
    problem = error_from_reply(
        response.status_code, response.content, batch=response.request.url.path.endswith(_BATCHES)
    )
    if problem is not None:
        raise problem


async def _raise_for_error_async(response: httpx.Response) -> None:
    if _SUBSCRIBE not in response.request.url.path:  # a subscription has no end to read to
        await response.aread()
        _raise_for_error(response)


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise the errors of SDK and transport as ours."""
    import httpx
    from upstash_redis.errors import UpstashError

    try:
        yield
    except UpstashError as error:
        raise SourceRefused(SOURCE, str(error)) from None
    except (httpx.HTTPError, TimeoutError) as error:
        raise SourceUnavailable(SOURCE, f"{type(error).__name__}: {error}") from error
    except UnicodeEncodeError as error:
        raise InvalidInput("redis command", error.object[error.start : error.end], "text that UTF-8 can hold") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceMalformed(
            SOURCE, f"answered in an unknown form ({type(error).__name__})", field="result"
        ) from error


def _retry_once(call: Callable[[], Value]) -> Value:
    try:
        return call()
    except SourceRefused:
        raise
    except SourceError:
        time.sleep(_jitter_seconds())
        return call()


async def _retry_once_async(call: Callable[[], Awaitable[Value]]) -> Value:
    try:
        return await call()
    except SourceRefused:
        raise
    except SourceError:
        await asyncio.sleep(_jitter_seconds())
        return await call()


def _jitter_seconds() -> float:
    return random.uniform(0.05, 0.2)


def _digest(source: str) -> str:
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def _unknown_script(error: SourceRefused) -> bool:
    """NOSCRIPT is an error code of the Redis protocol, and such a code is always the first word of the message."""
    return error.problem.startswith("NOSCRIPT")


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Complete lines. Only a line feed ends one: a payload may hold other characters that Unicode calls line ends."""
    rest = b""
    async for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            yield line.removesuffix(b"\r").decode(errors="replace")
