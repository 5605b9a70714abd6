"""The door to Redis over Upstash's REST protocol: commands, scripts, doorbell. Owner of `upstash_redis`.

Replies are what Redis gives over RESP2: strings, integers, None and (flat) lists. The SDK is used without its
own retry (it would repeat writes whose reply was lost) and with the time-outs it lacks; only what is safe to
repeat is repeated here, once. SDK and httpx are imported by the first client, not by this module.
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
Answer = TypeVar("Answer")
_BATCHES = ("/pipeline", "/multi-exec")
_SUBSCRIBE = "/subscribe/"


class Redis:
    """Redis for one thread or many, without an event loop."""

    def __init__(self, url: str, token: str, *, timeout_seconds: float = 5.0, connect_seconds: float = 2.0) -> None:
        import httpx
        from upstash_redis import Redis as Sdk

        self._sdk = Sdk(url=url.rstrip("/"), token=token, rest_retries=0, allow_telemetry=False)
        inner = self._sdk._http._client
        inner.timeout = httpx.Timeout(timeout_seconds, connect=connect_seconds)
        inner.event_hooks = {"response": [_check]}

    @classmethod
    def from_settings(cls, settings: Settings) -> Redis:
        return cls(*_address(settings))

    def command(self, *parts: Part) -> Any:
        """One command, sent at most once."""
        command = command_arguments(parts)
        with _translated():
            return self._sdk.execute(command)

    def read(self, *parts: Part) -> Any:
        """One command that changes nothing when repeated; sent again once where no clear answer came."""
        return _again(lambda: self.command(*parts))

    def pipeline(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        """The commands in order, not atomic, sent at most once. Raises the first command's error; all have run."""
        return self._batch(commands, atomic=False)

    def transaction(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        """The commands as one atomic step, for reads: sent again once where no clear answer came."""
        return _again(lambda: self._batch(commands, atomic=True))

    def script(self, source: str, keys: Sequence[str], args: Sequence[Part], *, idempotent: bool = False) -> Any:
        """Run a Lua script by its digest, sending the source only where Redis does not know it.

        Repeated once after a lost answer only where the script is `idempotent`.
        """

        def run() -> Any:
            try:
                return self.command("EVALSHA", _digest(source), len(keys), *keys, *args)
            except SourceRefused as error:
                if not _unknown_script(error):
                    raise
            return self.command("EVAL", source, len(keys), *keys, *args)

        return _again(run) if idempotent else run()

    def close(self) -> None:
        self._sdk.close()  # type: ignore[no-untyped-call]  # the SDK left this one without types

    def _batch(self, commands: Sequence[Sequence[Part]], *, atomic: bool) -> list[Any]:
        if not commands:  # the service refuses an empty batch
            return []
        # A fresh one each time: after an error the SDK keeps its commands and would send them again.
        batch = self._sdk.multi() if atomic else self._sdk.pipeline()
        for command in commands:
            batch.execute(command_arguments(tuple(command)))
        with _translated():
            return batch.exec()


class AsyncRedis:
    """Redis inside one event loop, with the doorbell.

    A second loop is refused: the SDK would send over the first loop's dead connection before it fails.
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
        inner.event_hooks = {"response": [_check_async]}

    @classmethod
    def from_settings(cls, settings: Settings) -> AsyncRedis:
        return cls(*_address(settings))

    async def command(self, *parts: Part) -> Any:
        """One command, sent at most once."""
        command = command_arguments(parts)
        self._stay_in_loop()
        with _translated():
            return await self._sdk.execute(command)

    async def read(self, *parts: Part) -> Any:
        """One command that changes nothing when repeated; sent again once where no clear answer came."""
        return await _again_async(lambda: self.command(*parts))

    async def pipeline(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        """The commands in order, not atomic, sent at most once. Raises the first command's error; all have run."""
        return await self._batch(commands, atomic=False)

    async def transaction(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        """The commands as one atomic step, for reads: sent again once where no clear answer came."""
        return await _again_async(lambda: self._batch(commands, atomic=True))

    async def script(self, source: str, keys: Sequence[str], args: Sequence[Part], *, idempotent: bool = False) -> Any:
        """Run a Lua script by its digest; as `Redis.script`."""

        async def run() -> Any:
            try:
                return await self.command("EVALSHA", _digest(source), len(keys), *keys, *args)
            except SourceRefused as error:
                if not _unknown_script(error):
                    raise
            return await self.command("EVAL", source, len(keys), *keys, *args)

        return await (_again_async(run) if idempotent else run())

    async def subscribe(self, channel: str) -> AsyncGenerator[str | None, None]:
        """None once the subscription is confirmed, then each payload; ends when the connection does.

        The service promises no sign of life, so a watchdog is the caller's. Close it (`contextlib.aclosing`)
        when leaving early. Raises SourceError where the subscription cannot be opened.
        """
        import httpx

        self._stay_in_loop()
        response = await self._open_subscription(channel)
        try:
            async for line in _lines(response.aiter_bytes()):
                match parse_push_line(line, channel):
                    case ("subscribe", _):
                        yield None
                    case ("message", payload):
                        yield payload
        except httpx.HTTPError:
            return  # cut rather than closed: the same to a reader
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._sdk.close()

    async def _batch(self, commands: Sequence[Sequence[Part]], *, atomic: bool) -> list[Any]:
        if not commands:
            return []
        self._stay_in_loop()
        batch = self._sdk.multi() if atomic else self._sdk.pipeline()
        for command in commands:
            batch.execute(command_arguments(tuple(command)))
        with _translated():
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
        with _translated():
            async with asyncio.timeout(self._timeout_seconds):
                response = await inner.send(request, stream=True)
                body = b"" if response.status_code == 200 else await response.aread()
                problem = error_from_reply(response.status_code, body, batch=False)
                if problem is not None:
                    await response.aclose()
                    raise problem
        return response

    def _stay_in_loop(self) -> None:
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


def _check(response: httpx.Response) -> None:
    """Judge the answer by its status before the SDK does, which looks at the body alone."""
    response.read()
    problem = error_from_reply(
        response.status_code, response.content, batch=response.request.url.path.endswith(_BATCHES)
    )
    if problem is not None:
        raise problem


async def _check_async(response: httpx.Response) -> None:
    if _SUBSCRIBE not in response.request.url.path:  # a subscription has no end to read to
        await response.aread()
        _check(response)


@contextmanager
def _translated() -> Iterator[None]:
    """What SDK and transport raise, as our errors."""
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


def _again(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except SourceRefused:
        raise
    except SourceError:
        time.sleep(_jitter_seconds())
        return call()


async def _again_async(call: Callable[[], Awaitable[Answer]]) -> Answer:
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
    """NOSCRIPT is an error code of the Redis protocol, always the first word."""
    return error.problem.startswith("NOSCRIPT")


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Complete lines. Only line feeds end one: a payload may hold what Unicode also calls a line end."""
    rest = b""
    async for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            yield line.removesuffix(b"\r").decode(errors="replace")
